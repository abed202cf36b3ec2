"""Tables, figures and verdicts on trained networks beside their predictions."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Reporter

__all__ = [
    "ACTIVATIONS",
    "PREDICTIONS",
    "SIDES",
    "Activation",
    "Cells",
    "draw_errors",
    "draw_outputs",
    "draw_times",
    "judge",
    "judge_quadratic",
    "report_errors",
]

Cells = Mapping[int, Sequence[Mapping[str, Any]]]  # by width, one entry a seed
Activation = Literal["relu", "tanh"]

ACTIVATIONS: Mapping[Activation, str] = {"relu": "ReLU", "tanh": "tanh"}
SIDES = ("train", "test")
PREDICTIONS: Mapping[str, str] = {
    "flow": "kernel, closed form",
    "steps": "kernel, step by step",
    "tangent": "tangent network",
    "quadratic": "Taylor, degree 2",
}


def _final(cells: Cells, width: int, name: str, side: str) -> np.ndarray:
    """Errors after the last step, one a seed."""
    return np.array([cell["errors"][name][side][-1] for cell in cells[width]])


def _predictions(cells: Cells, width: int) -> list[str]:
    return list(cells[width][0]["errors"])


def report_errors(every: Mapping[Activation, Cells], reporter: Reporter, text: str) -> None:
    """Tables of the predictions' errors and of the training."""
    rows = []
    for activation, cells in every.items():
        for width in cells:
            for name in _predictions(cells, width):
                errors = [_final(cells, width, name, side) for side in SIDES]
                numbers = [value for of_side in errors for value in (of_side.mean(), of_side.std())]
                row = [ACTIVATIONS[activation], width, PREDICTIONS[name]]
                rows.append([*row, *[float(f"{x:.3g}") for x in numbers]])
    reporter.table(
        "errors",
        ["activation", "W", "prediction", "train", "sd", "test", "sd (test)"],
        rows,
        "Distance of the predicted from the trained network's outputs after the last step, over "
        f"the distance that training moved these: mean and deviation over draws; {text}.",
    )
    reporter.table(
        "training",
        ["activation", "W", "learning rate", "loss before", "loss after"],
        [
            [
                ACTIVATIONS[activation],
                width,
                *[
                    float(f"{np.mean(values):.3g}")
                    for values in (
                        [cell["rate"] for cell in cells[width]],
                        [cell["loss"][0] for cell in cells[width]],
                        [cell["loss"][-1] for cell in cells[width]],
                    )
                ],
            ]
            for activation, cells in every.items()
            for width in cells
        ],
        f"Training of the networks, means over draws; {text}.",
    )


def draw_outputs(steps: Sequence[int], cells: Cells, reporter: Reporter, text: str) -> None:
    """Outputs of one test image over training, in the narrowest and the widest network."""
    shown = list(dict.fromkeys((min(cells), max(cells))))
    figure, axes = plotting.new_figure(1, len(shown), panel=(4.4, 3.6), sharey=True)
    widest = cells[max(cells)][0]
    moves = np.abs(np.array(widest["image"]["network"])[-1] - widest["image"]["network"][0])
    moves[widest["label"]] = np.inf
    classes = np.argsort(-moves)[:4]
    for ax, width in zip(np.ravel(axes), shown, strict=True):
        image = cells[width][0]["image"]
        for place, output in enumerate(classes):
            right = output == widest["label"]
            name = f"class {output}" + (" (the right one)" if right else "")
            look = {"color": plotting.COLOURS[place], "linewidth": 2.4 if right else 1.4}
            ax.plot(steps, np.array(image["network"])[:, output], label=name, **look)
            ax.plot(
                steps, np.array(image["steps"])[:, output], ":", color=plotting.INK, linewidth=1.4
            )
        ax.plot([], [], ":", color=plotting.INK, linewidth=1.4, label="predicted by the kernel")
        ax.set_title(f"W = {width}")
        ax.set_xscale("symlog", linthresh=1)
        ax.set_xlim(0, steps[-1])
        ax.set_xlabel("step")
    np.ravel(axes)[0].set_ylabel("output for a test image")
    plotting.legend(figure)
    reporter.figure(
        "outputs",
        figure,
        "Outputs for the first test image over training, ReLU networks, and what the kernel at "
        "initialisation predicts for them, step by step: the right class and the three that move "
        f"most at the largest width; {text}; first draw.",
    )


def draw_errors(every: Mapping[Activation, Cells], reporter: Reporter, text: str) -> None:
    """Errors after training against the width."""
    drawn = [activation for activation, cells in every.items() if cells]
    rows = len(drawn)
    figure, axes = plotting.new_figure(rows, 2, panel=(4.4, 3.1), sharey=True, sharex=True)
    looks = plotting.styles(list(PREDICTIONS))
    looks["steps"] |= {"linestyle": "--"}
    looks["tangent"] |= {"linestyle": ":"}
    grid = np.reshape(axes, (rows, 2))
    for (row, column), ax in np.ndenumerate(grid):
        cells, side = every[drawn[row]], SIDES[column]
        for name, title in PREDICTIONS.items():
            widths = [width for width in cells if name in _predictions(cells, width)]
            if not widths:
                continue
            errors = np.array([_final(cells, width, name, side) for width in widths])
            plotting.curves(ax, widths, errors.mean(1), label=title, style=looks[name])
            low, high = errors.min(1), errors.max(1)
            ax.fill_between(widths, low, high, color=looks[name]["color"], alpha=0.12, linewidth=0)
        ax.set_title(f"{ACTIVATIONS[drawn[row]]}, {side} images")
        plotting.count_axis(ax, list(every["relu"]))
        ax.set_yscale("log")
    for ax in grid[-1]:
        ax.set_xlabel("width W, units")
    for ax in grid[:, 0]:
        ax.set_ylabel("relative error")
    plotting.legend(figure)
    reporter.figure(
        "errors",
        figure,
        "Distance of the predicted from the trained network's outputs after the last step, over "
        f"the distance that training moved these, against the width; band: smallest and largest "
        f"of the draws; {text}.",
    )


def draw_times(steps: Sequence[int], cells: Cells, reporter: Reporter, text: str) -> None:
    """Loss and errors over training."""
    figure, axes = plotting.new_figure(1, 3, panel=(3.6, 3.2))
    looks = plotting.styles([str(width) for width in cells])
    for width, of_seeds in cells.items():
        look: dict[str, Any] = {
            "label": f"W = {width}",
            "style": {**looks[str(width)], "marker": ""},
        }
        loss = np.mean([cell["loss"] for cell in of_seeds], axis=0)
        plotting.curves(axes[0], steps[1:], loss[1:], **look)
        for ax, side in zip(axes[1:], SIDES, strict=True):
            errors = np.mean([cell["errors"]["flow"][side] for cell in of_seeds], axis=0)
            plotting.curves(ax, steps[1:], errors, **look)
            ax.set_title(f"error, {side} images")
    axes[0].set_title("loss of the network")
    for ax in axes:
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel("step")
    plotting.legend(figure)
    reporter.figure(
        "over-training",
        figure,
        "ReLU networks: loss on the training images, and the relative error of the kernel's closed "
        f"form, over training: means over draws; {text}.",
    )


def judge(cells: Cells, reporter: Reporter) -> None:
    """Verdicts on the tangent, from ReLU networks."""
    means = {
        side: [float(_final(cells, width, "flow", side).mean()) for width in cells]
        for side in SIDES
    }
    widths = list(cells)
    for side in SIDES:
        for width, value in zip(widths, means[side], strict=True):
            reporter.scalar(f"relative error, {side}, W = {width}", float(f"{value:.4g}"))
    both = 64 in cells and 1024 in cells
    ratio = means["train"][widths.index(1024)] / means["train"][widths.index(64)] if both else None
    texts = {side: ", ".join(f"{value:.3g}" for value in values) for side, values in means.items()}
    slope = (
        f"; train error as W^{np.polyfit(np.log(widths), np.log(means['train']), 1)[0]:.2f}"
        if len(widths) > 1
        else ""
    )
    reporter.verdict(
        "kernel-predicts-training",
        ours=f"train error {texts['train']} at W = {', '.join(map(str, widths))}{slope}"
        + ("" if ratio is None else f"; 1024 over 64: {ratio:.3f}"),
        holds=None if ratio is None else ratio <= 0.2,
    )
    falls = all(bool(np.all(np.diff(values) < 0)) for values in means.values())
    reporter.verdict(
        "error-falls-with-width",
        ours=f"train {texts['train']}; test {texts['test']}",
        holds=falls if len(widths) > 1 else None,
    )
    trained = [width for width in cells if "tangent" in _predictions(cells, width)]
    # a NaN would drop out of Python's max
    gaps = [float(np.max([cell["tangent_gap"] for cell in cells[width]])) for width in trained]
    reporter.verdict(
        "kernel-is-tangent",
        ours="largest difference "
        + ", ".join(f"{gap:.1e} (W = {w})" for gap, w in zip(gaps, trained, strict=True))
        if gaps
        else "no width trains the tangent network",
        holds=all(gap <= 1e-3 for gap in gaps) if gaps else None,
    )


def judge_quadratic(claim: str, cells: Cells, reporter: Reporter) -> None:
    """Verdict on the polynomial of degree 2."""
    compared, closer = [], []
    for width in cells:
        if "quadratic" not in _predictions(cells, width):
            continue
        for side in SIDES:
            tangent, quadratic = (
                float(_final(cells, width, name, side).mean()) for name in ("tangent", "quadratic")
            )
            compared.append(f"W = {width}, {side}: {quadratic:.3g} against {tangent:.3g}")
            closer.append(quadratic < tangent)
    reporter.verdict(
        claim,
        ours="; ".join(compared) or "no width trains both",
        holds=all(closer) if closer else None,
    )
