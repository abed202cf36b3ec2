"""Measured rates beside their closed forms, in standard errors."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxlab.experiments.interface import Reporter

__all__ = ["Comparison", "compare", "comparison_table", "draw_points", "judge"]


class Comparison(NamedTuple):
    """A measured rate beside its theory.

    Attributes:
        name: what it is.
        x: where it is drawn.
        mean: over repetitions.
        error: standard error of the mean.
        theory: the closed form.
    """

    name: str
    x: float
    mean: float
    error: float
    theory: float

    @property
    def deviations(self) -> float:
        """Distance from the theory, in standard errors."""
        return abs(self.mean - self.theory) / self.error


def compare(name: str, x: float, rates: Sequence[float], bits: int, theory: float) -> Comparison:
    """The mean of ``rates`` over repetitions of ``bits`` bits each, beside ``theory``.

    Bits of one repetition share their network, so the error is the spread over repetitions; where
    errors are so rare that few repetitions have any, that of independent bits is larger and counts.
    """
    spread = float(np.std(rates, ddof=1)) if len(rates) > 1 else 0.0
    independent = math.sqrt(max(theory * (1 - theory), 1e-300) / bits)
    error = max(spread, independent) / math.sqrt(len(rates))
    return Comparison(name, x, float(np.mean(rates)), error, theory)


def draw_points(
    ax: Any, points: Sequence[Comparison], label: str | None, look: Mapping[str, Any]
) -> None:
    """Measured rates with bars of two standard errors."""
    ax.errorbar(
        [point.x for point in points],
        [point.mean for point in points],
        yerr=[2 * point.error for point in points],
        fmt=look["marker"],
        color=look["color"],
        markersize=4,
        linewidth=1,
        capsize=2,
        label=label,
    )


def comparison_table(
    reporter: Reporter, name: str, what: str, where: str, points: Sequence[Comparison], caption: str
) -> None:
    """One row per point."""
    rows = [
        [
            point.name,
            round(point.x, 4),
            float(f"{point.mean:.4g}"),
            float(f"{point.error:.2g}"),
            float(f"{point.theory:.4g}"),
            round(point.deviations, 2),
        ]
        for point in points
    ]
    columns = [what, where, "measured", "standard error", "theory", "standard errors apart"]
    reporter.table(name, columns, rows, caption)


def judge(reporter: Reporter, claim: str, points: Sequence[Comparison]) -> None:
    """The verdict: every point within three standard errors of its theory.

    Where theory has next to nothing and nothing was measured either, neither is borne out.
    """
    worst = max(points, key=lambda point: point.deviations)
    close = worst.deviations <= 3
    if close and not any(point.mean > 0 for point in points):
        reporter.verdict(claim, ours=f"0 at all of {len(points)} points", holds=None)
        return
    reporter.scalar(f"{claim}, largest deviation", round(worst.deviations, 3))
    reporter.verdict(
        claim,
        ours=f"at most {worst.deviations:.2f} standard errors apart over {len(points)} points "
        f"(largest: {worst.name} at {worst.x:g}: {worst.mean:.4g} against {worst.theory:.4g})",
        holds=close,
    )
