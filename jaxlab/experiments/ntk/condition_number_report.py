"""Tables and figures of :mod:`.condition_number`."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.ntk.condition_number_claims import TITLES, Results

__all__ = ["draw_convergence", "draw_depth", "draw_phase", "report"]


def report(config: Any, results: Results, data: str, reporter: Reporter) -> None:
    """Tables and notes."""
    rows = []
    for activation, slopes in results.slopes.items():
        for index, (variance, slope) in enumerate(zip(results.variances, slopes, strict=True)):
            cells = []
            for depth in results.depths:
                mean, spread = results.measured(activation, depth, index)
                text = "unreliable" if math.isnan(mean) else f"{mean:.3g} ×/÷ {spread:.2f}"
                if activation in results.infinite:
                    text += f" ({results.closed(activation, depth, index):.3g})"
                cells.append(text)
            rows.append([TITLES[activation], variance, f"{slope:.3f}", *cells])
    reporter.table(
        "condition",
        ["activation", "σ_w²", "χ₁", *[f"κ, depth {depth}" for depth in results.depths]],
        rows,
        f"Condition number of networks of {config.width} units, geometric mean and deviation over "
        f"{config.seeds} seeds, and in brackets of infinite width, where it has a closed form; "
        f"{data}.",
    )
    rows = []
    for activation in results.infinite:
        slope, distances = results.rates(activation)
        reporter.scalar(f"slope of the distance in the width, {activation}", round(slope, 3))
        rows.append([TITLES[activation], *[f"{d:.2e}" for d in distances], f"{slope:.3f}"])
    sizes = config.convergence
    reporter.table(
        "convergence",
        ["activation", *[f"W = {width}" for width in results.widths], "slope"],
        rows,
        f"Relative distance ‖Θ_W − Θ_∞‖ / ‖Θ_∞‖, root mean square over {sizes.seeds} seeds, and "
        f"its slope against the width on logarithmic axes: depth {sizes.depth}, σ_w² = "
        f"{sizes.sigma_w2:g}; {data}.",
    )
    reporter.note(
        "Where two inputs of an ordered network differ by δ ∝ χ₁^l, a smooth activation's kernel "
        "differs by l χ₁^l, hence κ ∝ χ₁^(−l)/l. The slope of ReLU has a jump, its kernel a kink "
        "√δ, and κ grows at half the rate, as χ₁^(−l/2). ReLU has no chaotic phase: for σ_w² > 2 "
        "all kernels are multiples of nearly the same one, and κ slowly tends to n/3 + 1 = "
        f"{config.examples / 3 + 1:.1f}. On the critical line of a smooth activation the limit is "
        f"n/2 + 1 = {config.examples / 2 + 1:g}."
    )
    reporter.note(
        "Infinite width describes networks much wider than deep. Deep in chaos the kernel's "
        "off-diagonal entries vanish at infinite width, while those of W units fluctuate by "
        "W^(−1/2), more with every layer: κ stays above 1. Deep in order the kink of ReLU "
        "comes from units that are on for one input and off for the other, a share √δ of all; "
        "where that is less than one unit in W, a finite network is linear on the data and κ grows "
        "at twice the rate, as χ₁^(−l), which can put it orders of magnitude above the closed form."
    )
    if {"erf", "tanh"} <= set(results.slopes):
        reporter.note(
            "tanh has no closed form; the error function is close to it, but its slope at 0 is "
            "1.13, so that its critical σ_w² is smaller."
        )


def draw_depth(config: Any, results: Results, data: str, reporter: Reporter) -> None:
    """κ against depth, one panel for each activation."""
    names = list(results.slopes)
    figure, axes = plotting.new_figure(1, len(names), panel=(4.1, 4.0), sharey=True)
    for ax, activation in zip(np.ravel(axes), names, strict=True):
        for index, variance in enumerate(results.variances):
            look = plotting.styles([str(v) for v in results.variances])[str(variance)]
            points = [results.measured(activation, depth, index) for depth in results.depths]
            mean, spread = np.array(points).T
            ax.errorbar(
                results.depths,
                mean,
                yerr=[mean - mean / spread, mean * spread - mean],
                color=look["color"],
                marker=look["marker"],
                linestyle="none" if activation in results.infinite else "--",
                linewidth=1,
                markersize=4.5,
                capsize=2,
                label=f"{variance:g}",
            )
            if activation in results.infinite:
                deep = results.infinite_depths(activation)
                closed = [results.closed(activation, depth, index) for depth in deep]
                ax.plot(deep, closed, color=look["color"], linewidth=1.4)
        ax.set(yscale="log", xlabel="hidden layers", title=TITLES[activation])
        plotting.count_axis(ax, sorted({*results.depths, *config.infinite_depths}))
    np.ravel(axes)[0].set_ylabel("condition number κ")
    plotting.legend(figure, "$\\sigma_w^2$")
    reporter.figure(
        "depth",
        figure,
        f"Condition number against depth: networks of {config.width} units (markers; bars: "
        f"geometric deviation over {config.seeds} seeds) and infinite width (solid lines, where it "
        f"has a closed form); {data}. Points beyond float64 are left out.",
    )


def draw_phase(
    results: Results, critical: Mapping[str, float | None], data: str, reporter: Reporter
) -> None:
    """Closed-form κ against σ_w², one curve for each depth; ``critical`` σ_w² by activation."""
    names = list(results.infinite)
    figure, axes = plotting.new_figure(1, len(names), panel=(4.6, 3.8), sharey=True)
    for ax, activation in zip(np.ravel(axes), names, strict=True):
        grid = results.infinite[activation]["grid"]
        depths = results.infinite_depths(activation)
        for order, depth in enumerate(depths):
            # the grid comes behind the variances of the finite networks
            values = [
                results.closed(activation, depth, len(results.variances) + index)
                for index in range(len(grid))
            ]
            shade = 0.15 + 0.75 * order / max(len(depths) - 1, 1)
            colour = (0.0, 0.2 + 0.5 * (1 - shade), 0.35 + 0.6 * (1 - shade))
            ax.plot(grid, values, color=colour, linewidth=1.6, label=f"{depth}")
        place = critical[activation]
        if place is not None:
            ax.axvline(place, color="#D55E00", linewidth=1, linestyle=":", label="$\\chi_1 = 1$")
        ax.set(yscale="log", xlabel="$\\sigma_w^2$", title=TITLES[activation])
    np.ravel(axes)[0].set_ylabel("condition number κ, infinite width")
    plotting.legend(figure, "hidden layers")
    reporter.figure(
        "phase",
        figure,
        f"Condition number at infinite width against the variance of the weights; {data}. Dotted, "
        "if in range, where χ₁ passes through 1: order to the left; to the right chaos, which ReLU "
        "does not have. Points beyond the precision of the closed form are left out.",
    )


def draw_convergence(config: Any, results: Results, data: str, reporter: Reporter) -> None:
    """Distance of kernels and of condition numbers from the closed form against width."""
    figure, (left, right) = plotting.new_figure(1, 2, panel=(4.4, 3.7))
    widths = results.widths
    for activation in results.infinite:
        slope, distances = results.rates(activation)
        label = f"{TITLES[activation]} (slope {slope:.2f})"
        plotting.curves(left, widths, distances, label=label)
        kappa = [
            float(np.sqrt(np.mean(np.square(results.errors[activation, width]["kappa"]))))
            for width in widths
        ]
        plotting.curves(right, widths, kappa, label=TITLES[activation])
        if activation == next(iter(results.infinite)):
            law = distances[0] * np.sqrt(widths[0] / np.array(widths, float))
    look = {"color": "#4D4D4D", "marker": "", "linestyle": ":"}
    plotting.curves(left, widths, law, label="$W^{-1/2}$", style=look)
    left.set(ylabel="relative distance of the kernel", title="kernel")
    right.set(ylabel="relative error of κ", title="condition number")
    for ax in (left, right):
        plotting.count_axis(ax, widths)
        ax.set(yscale="log", xlabel="width W")
        ax.legend(frameon=False, fontsize=9)
    sizes = config.convergence
    reporter.figure(
        "convergence",
        figure,
        f"Distance from infinite width, root mean square over {sizes.seeds} seeds: depth "
        f"{sizes.depth}, σ_w² = {sizes.sigma_w2:g}; {data}.",
    )
