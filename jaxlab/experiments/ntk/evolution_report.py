"""Tables, figures and verdicts on the evolution of the kernel."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Reporter

__all__ = ["Cells", "draw_kernels", "draw_training", "draw_widths", "judge", "report"]

Cells = Mapping[int, Sequence[Mapping[str, Any]]]  # by width, one entry a seed


def _over_seeds(cells: Cells, width: int, name: str, place: int) -> np.ndarray:
    return np.array([cell[name][place] for cell in cells[width]])


def report(cells: Cells, reporter: Reporter, text: str) -> None:
    """Table of the kernel before and after."""
    rows = []
    for width in cells:
        after = {
            name: _over_seeds(cells, width, name, -1)
            for name in ("distance", "change", "alignment", "rank", "loss", "accuracy")
        }
        before = {
            name: _over_seeds(cells, width, name, 0).mean()
            for name in ("alignment", "rank", "loss")
        }
        rows.append(
            [
                width,
                *[
                    float(f"{value:.3g}")
                    for value in (
                        after["distance"].mean(),
                        after["distance"].std(),
                        after["change"].mean(),
                        before["alignment"],
                        after["alignment"].mean(),
                        before["rank"],
                        after["rank"].mean(),
                        before["loss"],
                        after["loss"].mean(),
                        after["accuracy"].mean(),
                    )
                ],
            ]
        )
    columns = [
        "W",
        "kernel distance",
        "sd",
        "relative change",
        "alignment before",
        "alignment after",
        "effective rank before",
        "effective rank after",
        "loss before",
        "loss after",
        "accuracy after",
    ]
    reporter.table(
        "evolution",
        columns,
        rows,
        "The kernel of held-out images before and after training, means over draws (sd: deviation "
        f"of the kernel distance); {text}.",
    )


def draw_training(steps: Sequence[int], cells: Cells, reporter: Reporter, text: str) -> None:
    """Loss, distance and alignment over training."""
    figure, axes = plotting.new_figure(1, 3, panel=(3.7, 3.3))
    looks = plotting.styles([str(width) for width in cells])
    for width, of_seeds in cells.items():
        style = {**looks[str(width)], "marker": ""}
        for ax, name in zip(axes, ("loss", "distance", "alignment"), strict=True):
            values = np.array([cell[name] for cell in of_seeds])
            begin = 1 if name == "distance" else 0
            shown = [max(step, 0.5) for step in steps]  # the start has no place on a log axis
            mean = values.mean(0)[begin:]
            plotting.curves(ax, shown[begin:], mean, label=f"W = {width}", style=style)
            low, high = values.min(0)[begin:], values.max(0)[begin:]
            ax.fill_between(shown[begin:], low, high, color=style["color"], alpha=0.12, linewidth=0)
    titles = ("loss on training images", "kernel distance from the start", "alignment with targets")
    for ax, title in zip(axes, titles, strict=True):
        ax.set_title(title)
        ax.set_xscale("log")
        ax.set_xlabel("step")
    for ax in axes[:2]:
        ax.set_yscale("log")
    plotting.legend(figure)
    reporter.figure(
        "training",
        figure,
        "Training loss, distance of the kernel of held-out images from that at initialisation, and "
        "its centred alignment with their targets: means over draws, band from smallest to "
        f"largest; the start is drawn at half a step; {text}.",
    )


def draw_widths(cells: Cells, reporter: Reporter, text: str) -> None:
    """Changes of the kernel against the width."""
    figure, (left, right) = plotting.new_figure(1, 2, panel=(4.2, 3.5))
    widths = list(cells)
    for place, (name, title) in enumerate(
        (("change", "relative change"), ("distance", "kernel distance"))
    ):
        values = np.array([_over_seeds(cells, width, name, -1) for width in widths])
        look = {"color": plotting.COLOURS[place], "marker": "os"[place], "linestyle": "-"}
        plotting.curves(left, widths, values.mean(1), label=title, style=look)
        for column in values.T:
            left.plot(widths, column, ".", color=look["color"], alpha=0.4, markersize=4)
        if len(widths) > 1:
            slope, height = _power(widths, values.mean(1))
            fitted = np.exp(height) * np.array(widths, float) ** slope
            left.plot(
                widths, fitted, ":", color=look["color"], linewidth=1.2, label=f"W^{slope:.2f}"
            )
    gains = np.array(
        [
            _over_seeds(cells, width, "alignment", -1) - _over_seeds(cells, width, "alignment", 0)
            for width in widths
        ]
    )
    look = {"color": plotting.COLOURS[2], "marker": "^", "linestyle": "-"}
    plotting.curves(right, widths, gains.mean(1), style=look)
    for column in gains.T:
        right.plot(widths, column, ".", color=look["color"], alpha=0.4, markersize=4)
    right.axhline(0, color=plotting.QUIET, linewidth=0.8)
    left.set_yscale("log")
    left.set_ylabel("of the kernel, over training")
    right.set_ylabel("gain of alignment over training")
    for ax in (left, right):
        plotting.count_axis(ax, widths)
        ax.set_xlabel("width W, units")
    left.legend(frameon=False, fontsize=9)
    reporter.figure(
        "widths",
        figure,
        "Change of the kernel of held-out images over training, and gain of its alignment with "
        f"their targets; dots are draws, lines their means, dotted lines fitted powers; {text}.",
    )


def draw_kernels(cells: Cells, reporter: Reporter, text: str) -> None:
    """Kernels as images, before and after, narrowest and widest."""
    shown = list(dict.fromkeys((min(cells), max(cells))))
    figure, axes = plotting.new_figure(1, 2 * len(shown), panel=(2.9, 3.1))
    for place, width in enumerate(shown):
        cell = cells[width][0]
        edges = np.flatnonzero(np.diff(cell["labels"])) + 0.5
        for column, (kernel, when) in enumerate(
            zip(cell["kernels"], ("before", "after"), strict=True)
        ):
            ax = axes[2 * place + column]
            scale = np.sqrt(np.diag(kernel))
            cosines = np.array(kernel) / scale[:, None] / scale
            drawn = ax.imshow(cosines, cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
            for edge in edges:
                ax.axhline(edge, color="white", linewidth=0.5)
                ax.axvline(edge, color="white", linewidth=0.5)
            ax.set_title(f"W = {width}, {when}")
            ax.set_xticks([])
            ax.set_yticks([])
            ax.grid(False)
            ax.spines[:].set_visible(False)
    figure.colorbar(drawn, ax=axes, shrink=0.7, label="cosine of gradients")
    reporter.figure(
        "kernels",
        figure,
        "Kernel of the held-out images, over the square roots of its diagonal, before and after "
        f"training; images sorted by class, lines between classes; {text}; first draw.",
    )


def _power(widths: Sequence[int], values: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of log value against log width."""
    slope, height = np.polyfit(np.log(widths), np.log(values), 1)
    return float(slope), float(height)


def judge(cells: Cells, reporter: Reporter) -> None:
    """Verdicts on the claims."""
    widths = list(cells)
    several = len(widths) > 1
    means = {
        name: np.array([_over_seeds(cells, width, name, -1).mean() for width in widths])
        for name in ("distance", "change", "alignment")
    }
    before = np.array([_over_seeds(cells, width, "alignment", 0).mean() for width in widths])
    gains = means["alignment"] - before
    for place, width in enumerate(widths):
        reporter.scalar(f"kernel distance, W = {width}", float(f"{means['distance'][place]:.4g}"))
        reporter.scalar(f"alignment gain, W = {width}", float(f"{gains[place]:.4g}"))
    at = f"at W = {', '.join(map(str, widths))}"
    reporter.verdict(
        "wide-moves-less",
        ours=f"kernel distance {_listed(means['distance'])} {at}",
        holds=bool(np.all(np.diff(means["distance"]) < 0)) if several else None,
    )
    slope = _power(widths, means["change"])[0] if several else None
    measured = f"relative change {_listed(means['change'])} {at}"
    reporter.verdict(
        "change-falls-as-a-power",
        ours=measured if slope is None else f"slope {slope:.2f}; {measured}",
        holds=None if slope is None else slope <= -0.4,
    )
    reporter.verdict(
        "kernel-aligns",
        ours=f"alignment {_listed(before)} before, {_listed(means['alignment'])} after, {at}; gain "
        f"{_listed(gains)}",
        holds=bool((gains > 0).all() and (np.diff(gains) < 0).all()) if several else None,
    )


def _listed(values: np.ndarray) -> str:
    return ", ".join(f"{value:.3g}" for value in values)
