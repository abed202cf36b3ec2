"""Claims, tables and figures of :mod:`.vector_products`."""

import itertools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Claim, Reporter
from jaxlab.experiments.measure import mebibytes
from jaxlab.ntk.status import INDEFINITE, NOT_CONVERGED, NOT_FINITE, OK, STALLED

__all__ = ["CLAIMS", "Case", "Results", "draw_cost", "draw_results", "judge", "report"]

Case = tuple[int, int]  # outputs, images

_STATUS = {
    OK: "converged",
    INDEFINITE: "indefinite",
    NOT_CONVERGED: "steps ran out",
    NOT_FINITE: "not finite",
    STALLED: "stalled by rounding",
}
_GROWTH = 2.2  # most time per doubling of n

CLAIMS = (
    Claim(
        id="memory-does-not-grow",
        statement="Products with the kernel of a data set take memory for the parameters and one "
        "micro-batch, whatever the number of examples.",
        source="Section 3.2 (NTK-vector products)",
        paper="no object of the size of the kernel or of the Jacobian",
        criterion="XLA's temporary memory of one product grows at most 1.2 times per doubling, "
        "from each n to the next, for every number of outputs",
    ),
    Claim(
        id="cost-of-passes",
        statement="A product costs a few passes through the network, whatever the number of "
        "outputs.",
        source="Section 3.2 (NTK-vector products)",
        paper="O([FP]) for each example: one vector-Jacobian and one Jacobian-vector product",
        criterion="counted operations of a product at most 6 times those of the forward pass over "
        "the data, for every n and number of outputs",
    ),
    Claim(
        id="time-linear",
        statement="The time of a product is linear in the number of examples.",
        source="Section 3.2 (NTK-vector products)",
        paper="N[FP] for a product over N examples",
        criterion=f"shortest time grows at most {_GROWTH} times per doubling, from the smallest to "
        "the largest n, which differ fourfold or more and are at least 1024",
    ),
    Claim(
        id="equals-dense",
        statement="Regression and eigenvalues from products alone equal those of the kernel in "
        "memory.",
        source="Section 3.2 (NTK-vector products)",
        paper="equal in exact arithmetic",
        criterion="predictions of test images by conjugate gradients within 1e-4 of the largest "
        "prediction by a float64 solve of the dense kernel; largest eigenvalue within 1e-4",
    ),
)


class Results(NamedTuple):
    """What was measured; by outputs and images but for two of them.

    Attributes:
        memory: temporary bytes of every call; None where it was not compiled, or not accounted for.
        passes: operations of a product over those of a forward pass.
        seconds: of a product.
        spectra: largest eigenvalues and their error bound, by images alone.
        fits: steps, status, residual and test accuracy of the regression.
        dense: differences from the kernel in memory, by outputs alone.
    """

    memory: Mapping[Case, Mapping[str, int | None]]
    passes: Mapping[Case, float]
    seconds: Mapping[Case, float]
    spectra: Mapping[int, Mapping[str, Any]]
    fits: Mapping[Case, Mapping[str, Any]]
    dense: Mapping[int, Mapping[str, Any]]

    @property
    def counts(self) -> list[int]:
        """Numbers of images."""
        return sorted({n for _, n in self.fits})

    @property
    def outputs(self) -> list[int]:
        """Numbers of outputs."""
        return sorted({outputs for outputs, _ in self.fits})


def report(config: Any, results: Results, data: str, reporter: Reporter) -> None:
    """Tables and notes."""
    few = results.outputs[0]
    rows, costs = [], []
    for case, fit in results.fits.items():
        outputs, n = case
        spectrum = results.spectra[n] if outputs == few else None
        rows.append(
            [
                *case,
                fit["steps"],
                _STATUS[fit["status"]],
                f"{fit['residual']:.1e}",
                round(fit["accuracy"], 4),
                None if spectrum is None else round(spectrum["shares"][0], 4),
                None if spectrum is None else f"{spectrum['bound']:.0e}",
            ]
        )
        reporter.scalar(f"test accuracy, O = {outputs}, n = {n}", round(fit["accuracy"], 4))
        costs.append(
            [
                *case,
                *[mebibytes(used) for used in results.memory[case].values()],
                mebibytes(4 * (n * outputs) ** 2),
                round(results.passes[case], 2),
                float(f"{1000 * results.seconds[case]:.3g}"),
            ]
        )
    reporter.table(
        "results",
        ["O", "n", "CG steps", "status", "residual", "test accuracy", "λ₁ / n", "error bound"],
        rows,
        f"Kernel regression with ridge {config.ridge:g} × mean diagonal, tolerance "
        f"{config.tol:g}, {config.test} test images; largest eigenvalue in mean "
        f"diagonals, over n, and the largest error bound of {config.eigenvalues} eigenvalues over "
        f"the first: {data}. "
        "One output: is the class below 5; ten: the class.",
    )
    reporter.table(
        "cost",
        [
            "O",
            "n",
            *[f"{name}, MiB" for name in next(iter(results.memory.values()))],
            "kernel itself, MiB",
            "operations / forward pass",
            "ms of a product",
        ],
        costs,
        "Temporary memory by XLA's account, what the kernel would take, counted operations of a "
        "product over those of a forward pass over the data, and shortest time of "
        f"{config.repeats} products: {data}; {jax.devices()[0].device_kind}.",
        timed=True,
    )
    reporter.table(
        "dense",
        ["O", "rows", "CG steps", "status", "prediction differs by", "λ₁ differs by", "κ"],
        [
            [
                outputs,
                config.dense.n * outputs,
                found["steps"],
                _STATUS[found["status"]],
                *[
                    f"{found[name]:.1e}" if name in found else None
                    for name in ("prediction", "eigenvalue", "condition")
                ],
            ]
            for outputs, found in results.dense.items()
        ],
        f"Against the kernel of {config.dense.n} images in memory, solved and decomposed in "
        f"float64: ridge {config.dense.ridge:g} × mean diagonal, tolerance {config.dense.tol:g}; "
        "κ: condition number of the system.",
    )
    top = max(n * spectrum["shares"][0] for n, spectrum in results.spectra.items())
    reporter.note(
        "Rounding may leave conjugate gradients a residual of ε κ of the targets (ε = 1.2e-7 in "
        f"float32). The largest eigenvalue is up to {top:.3g} mean diagonals (O = {few}), so that "
        f"κ is at most about {top / config.ridge + 1:.0e} with ridge {config.ridge:g}."
    )
    reporter.note(
        "The solvers add vectors of nO numbers to the memory of a product: four for conjugate "
        "gradients, one a step for Lanczos. Lanczos is run for the fewest outputs: with ten, every "
        "eigenvalue of the infinitely wide network splits into ten near ones, which a Krylov space "
        "of one start vector tells apart late."
    )


def draw_cost(results: Results, data: str, reporter: Reporter) -> None:
    """Memory and time against the number of images."""
    figure, (left, right) = plotting.new_figure(1, 2, panel=(4.6, 3.8))
    counts, few, most = results.counts, results.outputs[0], results.outputs[-1]
    quiet = {"color": "#4D4D4D", "marker": "", "linestyle": ":"}
    names = list(results.memory[few, counts[0]])
    looks = plotting.styles([*names, *map(str, results.outputs)])
    for outputs in dict.fromkeys((few, most)):
        dense = [4 * (n * outputs) ** 2 / 2**20 for n in counts]
        label = f"the kernel itself, {outputs} output{'s' * (outputs > 1)}"
        look = quiet | {"linestyle": ":" if outputs == few else "-."}
        plotting.curves(left, counts, dense, label=label, style=look)
    for name in names:
        outputs = most if results.memory[most, counts[0]][name] is not None else few
        used = [mebibytes(results.memory[outputs, n][name]) for n in counts]
        label = f"{name}, {outputs} output{'s' * (outputs > 1)}"
        plotting.curves(left, counts, np.array(used, float), label=label, style=looks[name])
    left.set(yscale="log", ylabel="temporary memory, MiB", title="memory")
    for outputs in results.outputs:
        times = [results.seconds[outputs, n] for n in counts]
        label = f"a product, {outputs} output{'s' * (outputs > 1)}"
        plotting.curves(right, counts, times, label=label, style=looks[str(outputs)])
    linear = [results.seconds[few, counts[0]] * n / counts[0] for n in counts]
    plotting.curves(right, counts, linear, label="proportional to n", style=quiet)
    right.set(yscale="log", ylabel="seconds", title="time")
    for ax in (left, right):
        plotting.count_axis(ax, counts)
        ax.set_xlabel("images n")
    plotting.legend(figure)
    reporter.figure(
        "cost", figure, f"Temporary memory and time against the number of images: {data}."
    )


def draw_results(config: Any, results: Results, data: str, reporter: Reporter) -> None:
    """Spectrum, steps of conjugate gradients and accuracy."""
    figure, (left, middle, right) = plotting.new_figure(1, 3, panel=(4.2, 3.6))
    counts, few = results.counts, results.outputs[0]
    for n in counts:
        shares = results.spectra[n]["shares"]
        plotting.curves(left, np.arange(1, len(shares) + 1), shares, label=f"n = {n}")
    left.set(
        yscale="log",
        xlabel="rank i",
        ylabel="$\\lambda_i$ / (n × mean diagonal)",
        title=f"largest eigenvalues, {few} output{'s' * (few > 1)}",
    )
    left.legend(frameon=False, fontsize=9)
    for outputs in results.outputs:
        label = "10 outputs: the class" if outputs == 10 else "1 output: class below 5"
        fits = [results.fits[outputs, n] for n in counts]
        plotting.curves(middle, counts, [fit["steps"] for fit in fits], label=label)
        plotting.curves(right, counts, [fit["accuracy"] for fit in fits], label=label)
    middle.set(ylabel="products", title="conjugate gradients, steps")
    middle.set_ylim(bottom=0)
    right.set(ylabel="test accuracy", title="kernel regression")
    middle.legend(frameon=False, fontsize=9)
    for ax in (middle, right):
        plotting.count_axis(ax, counts)
        ax.set_xlabel("images n")
    reporter.figure(
        "results",
        figure,
        f"Spectrum; steps of conjugate gradients at tolerance {config.tol:g}, at most "
        f"{config.max_steps}; and accuracy on {config.test} test images; ridge {config.ridge:g} × "
        f"mean diagonal: {data}.",
    )


def judge(results: Results, reporter: Reporter) -> None:
    """Verdicts."""
    counts = results.counts
    doublings = math.log2(counts[-1] / counts[0])
    used = {case: memory["one product"] or 0 for case, memory in results.memory.items()}
    growths = [
        (used[outputs, later] / used[outputs, earlier]) ** (1 / math.log2(later / earlier))
        for outputs in results.outputs
        for earlier, later in itertools.pairwise(counts)
        if all(used.values())
    ]
    reporter.verdict(
        "memory-does-not-grow",
        ours=f"at most {max(growths):.2f} times per doubling, from n = {counts[0]} to {counts[-1]}"
        if growths
        else "this backend keeps no account of memory",
        holds=max(growths) <= 1.2 if growths else None,
    )
    passes = max(results.passes.values())
    reporter.verdict(
        "cost-of-passes",
        ours=f"at most {passes:.2f} times the operations of a forward pass",
        holds=passes <= 6,
    )
    worst = max(
        (results.seconds[outputs, counts[-1]] / results.seconds[outputs, counts[0]])
        ** (1 / doublings)
        for outputs in results.outputs
    )
    reporter.timing("growth of the time of a product per doubling", worst)
    measurable = doublings >= 2 and counts[0] >= 1024
    reporter.verdict(
        "time-linear",
        ours=f"{'at most' if worst <= _GROWTH else 'more than'} {_GROWTH} times per doubling"
        if measurable
        else f"from n = {counts[0]} to {counts[-1]} is less than fourfold"
        if counts[0] >= 1024
        else f"n = {counts[0]} is less than 1024",
        holds=worst <= _GROWTH if measurable else None,
    )
    # a NaN would drop out of Python's max
    prediction = np.max([found["prediction"] for found in results.dense.values()])
    eigenvalue = np.max([found.get("eigenvalue", 0.0) for found in results.dense.values()])
    reporter.verdict(
        "equals-dense",
        ours=f"predictions within {prediction:.1e}, largest eigenvalue within {eigenvalue:.1e}",
        holds=bool(prediction <= 1e-4 and eigenvalue <= 1e-4),
    )
