"""Figures of the experiment on generalized column subset selection."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.leverage.gcss_report import LABELS, groups_of, residual, vectors
from jaxlab.experiments.leverage.pixels import draw_chosen, picture_of

__all__ = ["draw_pixels", "draw_planted", "draw_real"]

Found = Mapping[str, Any]

_DRAWN = (
    "leverage",
    "leading",
    "greedy",
    "hybrid",
    "weighted",
    "pivoted_qr",
    "qdeim",
    "uniform",
    "skmatter_pcovcur",
)
_LOOKS = plotting.styles(_DRAWN)
# the ninth would be the first one dashed, which is how the first is drawn
_LOOKS["skmatter_pcovcur"] |= {"color": plotting.INK, "marker": "x", "linestyle": ":"}


def draw_real(config: Any, real: Mapping[str, Found], reporter: Reporter) -> None:
    """Residual fraction against the number of columns, a panel for each pair."""
    across = min(3, len(real))
    figure, axes = plotting.new_figure(-(-len(real) // across), across, panel=(3.9, 3.3))
    axes = np.ravel(axes)
    for ax in axes[len(real) :]:
        ax.set_visible(False)
    for ax, found in zip(axes, real.values(), strict=False):
        _curves(ax, [found])
        if found["best"]:
            best = {int(c): value for c, value in found["best"].items()}
            ax.plot(*zip(*sorted(best.items()), strict=True), "k*", label="best of all subsets")
        ax.set(title=found["title"], xlabel="columns c")
    for ax in axes[::across]:
        ax.set_ylabel("residual fraction")
    plotting.legend(figure)
    reporter.figure(
        "residual",
        figure,
        "What c columns leave of the target, ‖B − P_C B‖² / ‖B‖²; lower is better. Of uniform "
        "choices mean and standard deviation.",
    )


def draw_planted(config: Any, planted: Sequence[Found], reporter: Reporter) -> None:
    """The same for planted targets: data down, planted vectors across."""
    groups = groups_of(planted)
    names = list(dict.fromkeys(name for name, _ in groups))
    starts = {name: sorted(start for data, start in groups if data == name) for name in names}
    across = max(map(len, starts.values()))
    figure, axes = plotting.new_figure(len(names), across, panel=(3.7, 3.2), sharey=True)
    axes = np.reshape(axes, (len(names), across))
    for line, name in zip(axes, names, strict=True):
        for ax in line[len(starts[name]) :]:
            ax.set_visible(False)
        for ax, start in zip(line, starts[name], strict=False):
            runs = groups[(name, start)]
            _curves(ax, runs)
            ax.set(title=f"{runs[0]['title']}\ntarget in {vectors(runs[0])}", xlabel="columns c")
            ax.set_ylim(0, 1)
        line[0].set_ylabel("residual fraction")
    plotting.legend(figure)
    seeds = config.planted.seeds
    bands = "one seed, with the standard deviation of uniform choices"
    if seeds > 1:
        bands = f"means and standard deviations over {seeds} seeds"
    reporter.figure("planted", figure, f"Targets planted in singular vectors: {bands}.")


def _curves(ax: Any, runs: Sequence[Found]) -> None:
    counts = runs[0]["counts"]
    for method in _DRAWN:
        if method not in runs[0]["residual"]:
            continue
        values = np.array([[residual(found, method, c) for c in counts] for found in runs], float)
        spread = values.std(axis=0) if len(runs) > 1 else None
        if method in ("sampling", "uniform") and len(runs) == 1:
            spread = [runs[0]["residual"][method][str(c)][1] for c in counts]
        look = dict(_LOOKS[method])
        if method == "leverage":  # drawn on top of leading scores, which may be the same
            look |= {"zorder": 5, "linestyle": (0, (4, 2))}
        plotting.curves(ax, counts, values.mean(axis=0), spread, label=LABELS[method], style=look)
    plotting.count_axis(ax, counts)


def draw_pixels(
    config: Any, real: Mapping[str, Found], pairs: Mapping[str, Any], reporter: Reporter
) -> None:
    """The chosen pixels on the data's picture of standard deviations."""
    shown = ("leading", "leverage", "weighted", "hybrid", "greedy", "pivoted_qr")
    for name, pair in pairs.items():
        found = real[name]
        methods = [method for method in shown if method in found["columns"]]
        height, width = pair.picture
        figure, axes = plotting.new_figure(
            1, len(methods), panel=(2.3, 2.4 * max(0.6, height / width) + 0.3)
        )
        deviations = picture_of(pair.a.std(axis=0), pair.columns, pair.picture)
        for ax, method in zip(np.ravel(axes), methods, strict=True):
            c = max(found["counts"])
            marked = {plotting.COLOURS[1]: pair.columns[found["columns"][method]]}
            title = f"{LABELS[method]}\n{residual(found, method, c):.3f} left"
            draw_chosen(ax, deviations, marked, title)
        figure.suptitle(f"{pair.title}: {max(found['counts'])} pixels", fontsize=11)
        reporter.figure(
            f"pixels-{name.replace('_', '-')}",
            figure,
            f"{pair.title}: the {max(found['counts'])} pixels that some of the methods choose, on "
            "the standard deviation of the columns. Pixels with the largest scores may lie "
            "together: each is scored alone, what its neighbour already says is not taken off.",
        )
