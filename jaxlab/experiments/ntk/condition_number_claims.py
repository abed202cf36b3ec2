"""Claims and verdicts of :mod:`.condition_number`."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxlab.experiments.interface import Claim, Reporter

__all__ = ["CLAIMS", "CLOSED", "TITLES", "Results", "judge"]

CLOSED = ("erf", "relu")
"""Activations whose kernel at infinite width has a closed form."""
TITLES = {"erf": "error function", "relu": "ReLU", "tanh": "tanh"}
_XIAO = "Xiao, Pennington and Schoenholz 2020, the use of κ that the paper cites in section 1"

CLAIMS = (
    Claim(
        id="ordered-blows-up",
        statement="In the ordered phase the condition number grows exponentially with depth.",
        source=_XIAO,
        paper="κ ∝ χ₁^(−l) / l for smooth activations",
        criterion="closed forms, every σ_w² with χ₁ <= 0.9: from half of the greatest depth of the "
        "finite networks to that depth, 16 or more, κ grows by a factor within 2 of the law's, "
        "χ₁^(−l) / l for the error function and χ₁^(−l/2) for ReLU, whose kernel has a kink",
    ),
    Claim(
        id="chaotic-falls-to-one",
        statement="In the chaotic phase of a smooth activation it falls to 1.",
        source=_XIAO,
        paper="κ → 1",
        criterion="closed form of the error function, every σ_w² with χ₁ >= 1.1: κ falls from each "
        "depth to the next, down to 1, and is below 2 at the greatest, 32 or more",
    ),
    Claim(
        id="finite-networks-agree",
        statement="Networks of finite width have the condition numbers of infinite ones.",
        source=_XIAO,
        paper="shown for networks of finite width by their training",
        criterion="width 512 or more: geometric mean over seeds within a factor 1.5 of the closed "
        "form at every depth and σ_w²",
    ),
    Claim(
        id="square-root-of-width",
        statement="The finite kernel approaches the infinite one as the square root of the width.",
        source="Jacot, Gabriel and Hongler 2018, theorem 1; section 1 of the paper",
        paper="fluctuations of order W^(−1/2)",
        criterion="slope of the logarithm of the relative distance (root mean square over seeds) "
        "against that of the width in [−0.7, −0.3], for every closed form",
    ),
)


class Results(NamedTuple):
    """What was measured.

    Attributes:
        variances: σ_w².
        depths: of the finite networks.
        widths: of the networks whose distance from the closed form was measured.
        slopes: χ₁ by activation, one for each variance.
        infinite: closed forms by activation: ``"grid"`` of further variances, and κ by depth.
        finite: κ by activation and depth, for each variance and seed.
        errors: relative distances by activation and width, one a seed.
    """

    variances: Sequence[float]
    depths: Sequence[int]
    widths: Sequence[int]
    slopes: Mapping[str, Sequence[float]]
    infinite: Mapping[str, Mapping[str, Any]]
    finite: Mapping[tuple[str, int], Mapping[str, Any]]
    errors: Mapping[tuple[str, int], Mapping[str, Any]]

    def infinite_depths(self, activation: str) -> list[int]:
        """Depths of the closed forms."""
        return sorted(int(depth) for depth in self.infinite[activation] if depth != "grid")

    def closed(self, activation: str, depth: int, index: int) -> float:
        """Closed-form κ of one variance; NaN where float64 cannot tell."""
        return _reliable(self.infinite[activation][str(depth)], index)

    def measured(self, activation: str, depth: int, index: int) -> tuple[float, float]:
        """Geometric mean of κ over seeds, and its geometric deviation; NaN as above."""
        found = self.finite[activation, depth]
        if not all(found["reliable"][index]):
            return math.nan, math.nan
        logs = np.log(found["kappa"][index])
        return float(np.exp(logs.mean())), float(np.exp(logs.std()))

    def rates(self, activation: str) -> tuple[float, list[float]]:
        """Slope of log distance against log width, and the root mean square distances."""
        distances = [
            float(np.sqrt(np.mean(np.square(self.errors[activation, width]["kernel"]))))
            for width in self.widths
        ]
        return float(np.polyfit(np.log(self.widths), np.log(distances), 1)[0]), distances


def _reliable(found: Mapping[str, Any], index: int) -> float:
    return float(found["kappa"][index]) if found["reliable"][index] else math.nan


def judge(config: Any, results: Results, reporter: Reporter) -> None:
    """Verdicts."""
    deep = results.depths[-1]
    ratios, ordered = [], False
    for activation in results.infinite:
        for index, slope in enumerate(results.slopes[activation]):
            if slope > 0.9:
                continue
            ordered = True
            if deep // 2 not in results.depths:
                continue
            growth = results.closed(activation, deep, index) / results.closed(
                activation, deep // 2, index
            )
            layers = deep - deep // 2
            law = slope ** (-layers / 2) if activation == "relu" else slope**-layers / 2
            ratio = growth / law
            # NaN, where float64 cannot tell, would drop out of min and max
            ratios.append(ratio if ratio > 0 else math.inf)
    long_enough = bool(ratios) and deep >= 16
    reporter.verdict(
        "ordered-blows-up",
        ours=f"from depth {deep // 2} to {deep} κ grows by {min(ratios):.2f} to {max(ratios):.2f} "
        f"times the law's factor, {len(ratios)} networks"
        if ratios
        else f"depth {deep // 2}, half of {deep}, is not in the config"
        if ordered
        else "no closed form in the config"
        if not results.infinite
        else "no closed form of the config has χ₁ ≤ 0.9",
        holds=bool(min(ratios) >= 0.5 and max(ratios) <= 2) if long_enough else None,
    )

    falls, last = [], []
    if "erf" in results.infinite:
        depths = results.infinite_depths("erf")
        for index, slope in enumerate(results.slopes["erf"]):
            if slope >= 1.1:
                path = [results.closed("erf", depth, index) for depth in depths]
                # at 1 rounding decides
                falls.append(all(b < a or b < 1 + 1e-9 for a, b in itertools.pairwise(path)))
                last.append(path[-1])
    reporter.verdict(
        "chaotic-falls-to-one",
        ours=f"{sum(falls)} of {len(falls)} fall throughout; at most {np.max(last):.3f} at depth "
        f"{depths[-1]}"
        if last
        else "no closed form of the error function in the config"
        if "erf" not in results.infinite
        else "no network with the error function has χ₁ ≥ 1.1",
        holds=all(falls) and max(last) < 2 if last and depths[-1] >= 32 else None,
    )

    worst: dict[int, float] = {}
    for activation, depth in itertools.product(results.infinite, results.depths):
        for index in range(len(results.variances)):
            ratio = results.measured(activation, depth, index)[0]
            ratio /= results.closed(activation, depth, index)
            if not ratio > 0:  # NaN: unreliable
                ratio = math.inf
            worst[depth] = max(worst.get(depth, 1.0), ratio, 1 / ratio)
    texts = [f"{factor:.3g} at depth {depth}" for depth, factor in worst.items()]
    reporter.verdict(
        "finite-networks-agree",
        ours=f"width {config.width}, largest factor between them: {', '.join(texts)}"
        if texts
        else "no closed form in the config",
        holds=max(worst.values()) <= 1.5 if texts and config.width >= 512 else None,
    )

    rates = {activation: results.rates(activation)[0] for activation in results.infinite}
    reporter.verdict(
        "square-root-of-width",
        ours=", ".join(f"{TITLES[name]}: slope {rate:.2f}" for name, rate in rates.items())
        or "no closed form in the config",
        holds=all(-0.7 <= rate <= -0.3 for rate in rates.values()) if rates else None,
    )
