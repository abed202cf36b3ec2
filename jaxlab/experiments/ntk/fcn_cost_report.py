"""Tables and figures of the costs of fully connected networks."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.ntk.fcn_cost_claims import Setting
from jaxlab.experiments.ntk.methods import METHODS, Method, looks

__all__ = ["NOTEBOOK_MS", "draw_cost", "draw_operations", "report_notebook", "report_operations"]

# milliseconds of the official notebook empirical_ntk_fcn on one Tesla T4
NOTEBOOK_MS: Mapping[Method, float] = {
    "jacobian": 243.0,
    "vector_products": 81.4,
    "structured": 3.46,
}

_CURVES: Mapping[str, str] = {
    **{str(method): title for method, title in METHODS.items()},
    "jacobians alone": "the two Jacobians alone",
}


def report_operations(
    flops: Mapping[Setting, Mapping[str, int]], network: str, reporter: Reporter
) -> None:
    """The table of counted operations."""
    reporter.table(
        "operations",
        ["N", "O", "W", *_CURVES.values(), "JC / SD", "JC / NTVP"],
        [
            [
                *setting,
                *[float(f"{counted[name]:.3g}") for name in _CURVES],
                *[
                    float(f"{counted['jacobian'] / counted[name]:.3g}")
                    for name in ("structured", "vector_products")
                ],
            ]
            for setting, counted in flops.items()
        ],
        f"Floating-point operations of one kernel, counted in the trace: {network}. JC / SD and "
        "JC / NTVP: operations of Jacobian contraction over those of structured derivatives and "
        "of NTK-vector products.",
    )


def report_notebook(counted: Mapping[Method, int], reporter: Reporter) -> None:
    """Operations of the official notebook's network beside its times."""
    reporter.table(
        "notebook",
        ["method", "operations", "× fewer than JC", "official ms", "× faster than JC"],
        [
            [
                title,
                float(f"{counted[method]:.3g}"),
                float(f"{counted['jacobian'] / counted[method]:.3g}"),
                NOTEBOOK_MS[method],
                float(f"{NOTEBOOK_MS['jacobian'] / NOTEBOOK_MS[method]:.3g}"),
            ]
            for method, title in METHODS.items()
        ],
        "The network of the official notebook (3072 inputs, 3 hidden layers of 2048 units, 8 "
        "outputs, 16 examples): our operations, by tracing, beside the official milliseconds on "
        "one Tesla T4.",
    )


def draw_operations(
    flops: Mapping[Setting, Mapping[str, int]], network: str, reporter: Reporter
) -> None:
    """Operations per kernel entry against the width."""
    batches, outputs, widths = (sorted(set(values)) for values in zip(*flops, strict=True))
    figure, axes = plotting.new_figure(
        len(batches), len(outputs), panel=(3.6, 2.9), sharex=True, sharey=True
    )
    grid, styles = np.reshape(axes, (len(batches), len(outputs))), looks()
    for (row, column), ax in np.ndenumerate(grid):
        n, o = batches[row], outputs[column]
        for name, title in _CURVES.items():
            values = [flops[n, o, width][name] / (n * o) ** 2 for width in widths]
            plotting.curves(ax, widths, values, label=title, style=styles[name])
        ax.set_title(f"N = {n}, O = {o}")
        plotting.count_axis(ax, widths)
        ax.set_yscale("log")
    for ax in grid[-1]:
        ax.set_xlabel("width W, units")
    for ax in grid[:, 0]:
        ax.set_ylabel("operations per kernel entry")
    plotting.legend(figure)
    reporter.figure(
        "operations",
        figure,
        "Floating-point operations per entry of the NO × NO kernel against the width, counted in "
        f"the trace: {network}.",
    )


def draw_cost(
    seconds: Mapping[int, Mapping[Method, float]],
    compared: Mapping[int, Mapping[str, Any]],
    caption: str,
    reporter: Reporter,
) -> None:
    """Time and temporary memory against the width."""
    figure, (left, right) = plotting.new_figure(1, 2, panel=(4.4, 3.6))
    widths, styles = list(seconds), looks()
    for method, title in METHODS.items():
        times = [seconds[width][method] for width in widths]
        plotting.curves(left, widths, times, label=title, style=styles[method])
        used = [compared[width]["bytes"][method] for width in widths]
        if None not in used:
            mebibytes = [count / 2**20 for count in used]
            plotting.curves(right, widths, mebibytes, label=title, style=styles[method])
    for ax in (left, right):
        plotting.count_axis(ax, widths)
        ax.set_yscale("log")
        ax.set_xlabel("width W, units")
    left.set_ylabel("time of one kernel, s")
    right.set_ylabel("temporary memory, MiB")
    plotting.legend(figure)
    reporter.figure(
        "cost",
        figure,
        f"Wall time of one kernel and temporary memory of the compiled call: {caption}. Times "
        "depend on the machine and its load: compare the curves, not the seconds.",
    )
