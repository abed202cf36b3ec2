"""Claims, tables and figures of the experiment on sampled columns."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Claim, Reporter

__all__ = [
    "CLAIMS",
    "bound",
    "draw_eigenvalues",
    "draw_failures",
    "errors_away",
    "failures",
    "judge",
    "sufficient",
    "tabulate",
]

Rows = Sequence[Mapping[str, Any]]

_ROUNDING = 1e-12

CLAIMS = (
    Claim(
        id="failures",
        statement="Columns drawn in proportion to their scores keep the chosen singular vectors, "
        "but for a probability that falls exponentially with their number.",
        source="abstract; the matrix Chernoff bound is ours",
        paper="guarantees from scores",
        criterion="share of keys with λ_min < 1 − δ at most k exp(−c δ² / 2k), for every number of "
        "columns c and every δ",
    ),
    Claim(
        id="enough",
        statement="The number of columns that the bound calls sufficient is.",
        source="abstract; the matrix Chernoff bound is ours",
        paper="guarantees from scores",
        criterion="with c = ⌈(2k / δ²) ln(k / risk)⌉ at most that risk of λ_min < 1 − δ, for every "
        "δ",
    ),
    Claim(
        id="unbiased",
        statement="Rescaled samples are right on average.",
        source="not in the abstract: an identity",
        paper="–",
        criterion="mean of the sampled matrices within three standard errors of the identity, in "
        "Frobenius norm, for every c, by scores and uniformly",
    ),
)


def bound(k: int, c: int | float, delta: float) -> float:
    """Probability of ``λ_min < 1 − δ``: at most ``k exp(−c δ² / 2k)``, and 1.

    Example:
        >>> bound(5, 200, 0.5)
        0.03368973499542734
    """
    return min(1.0, k * math.exp(-c * delta**2 / (2 * k)))


def failures(row: Mapping[str, Any], delta: float) -> float:
    """Share of keys with a least eigenvalue below ``1 − delta``."""
    return float(np.mean(np.array(row["least"]) < 1 - delta))


def errors_away(row: Mapping[str, Any]) -> float:
    """How many standard errors the mean is away from the identity; 0 where that is rounding.

    Of a single vector every draw in proportion to scores is the identity, and the error 0 too.
    """
    if row["away"] <= _ROUNDING:
        return 0.0
    return row["away"] / row["standard_error"] if row["standard_error"] else math.inf


def sufficient(k: int, delta: float, risk: float) -> int:
    """Columns for which :func:`bound` is at most ``risk``: ``(2 k / δ²) ln(k / risk)``.

    Example:
        >>> sufficient(5, 0.5, 0.1), bound(5, 157, 0.5) <= 0.1
        (157, True)
    """
    return math.ceil(2 * k / delta**2 * math.log(k / risk))


def _groups(rows: Rows) -> dict[tuple[str, int], list[Mapping[str, Any]]]:
    groups: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["data"], row["start"]), []).append(row)
    return groups


def _title(row: Mapping[str, Any]) -> str:
    return f"{row['title']}, R = {row['start']}–{row['start'] + row['k'] - 1}"


def tabulate(config: Any, rows: Rows, reporter: Reporter) -> None:
    """Failures against their bound, by data, vectors and number of columns."""
    lines = []
    for row in rows:
        line = [_title(row), row["c"], row["probabilities"], round(float(np.mean(row["least"])), 3)]
        line += [failures(row, delta) for delta in config.deltas]
        scores = row["probabilities"] == "scores"
        line += [
            float(f"{bound(row['k'], row['c'], delta):.3g}") if scores else "–"
            for delta in config.deltas
        ]
        line.append(round(errors_away(row), 2))
        lines.append(line)
    reporter.table(
        "failures",
        ["data", "c", "probabilities", "mean λ_min"]
        + [f"share λ_min < {1 - delta:g}" for delta in config.deltas]
        + [f"bound, {1 - delta:g}" for delta in config.deltas]
        + ["‖mean − I‖ / standard error"],
        lines,
        f"{config.keys} keys each, columns drawn with replacement, float64, seed {config.seed}. "
        "The bound is for probabilities in proportion to scores.",
    )


def draw_eigenvalues(config: Any, rows: Rows, reporter: Reporter) -> None:
    """Histograms of least eigenvalues, one above the other, fewer columns on top."""
    groups = _groups(rows)
    figure, axes = plotting.new_figure(1, len(groups), panel=(4.4, 4.6), sharey=True)
    bins = np.linspace(0, 1, 61)
    middle = (bins[1:] + bins[:-1]) / 2
    for ax, group in zip(np.ravel(axes), groups.values(), strict=True):
        counts = [c for c in sorted({row["c"] for row in group}) if c in config.columns]
        for place, c in enumerate(reversed(counts)):
            for index, probabilities in enumerate(("uniform", "scores")):
                row = next(
                    row for row in group if (row["c"], row["probabilities"]) == (c, probabilities)
                )
                heights = np.histogram(np.clip(row["least"], 0, 1), bins)[0]
                heights = place + 0.85 * heights / heights.max()
                colour = plotting.COLOURS[(6, 0)[index]]
                label = {"uniform": "uniform", "scores": "in proportion to scores"}
                ax.fill_between(
                    middle,
                    place,
                    heights,
                    color=colour,
                    alpha=(0.35, 0.6)[index],
                    linewidth=0.5,
                    label=label[probabilities],
                )
        for delta in config.deltas:
            ax.axvline(1 - delta, color=plotting.COLOURS[1], linewidth=1, linestyle=":")
        ax.set_yticks(range(len(counts)), [f"c = {c}" for c in reversed(counts)])
        ax.set(title=_title(group[0]), xlabel="λ_min", xlim=(0, 1), ylim=(0, len(counts)))
        ax.grid(False, axis="y")
    plotting.legend(figure, "probabilities")
    reporter.figure(
        "eigenvalues",
        figure,
        f"Least eigenvalue of V_Rᵀ S D² Sᵀ V_R over {config.keys} keys, each histogram as high as "
        "its peak; 0 means that a direction is lost, 1 stands for all above. Dotted: where a draw "
        "is said to fail.",
    )


def draw_failures(config: Any, rows: Rows, reporter: Reporter) -> None:
    """Share of failures against the number of columns, with the bound."""
    groups = _groups(rows)
    figure, axes = plotting.new_figure(1, len(groups), panel=(4.2, 3.5), sharey=True)
    least = 0.5 / config.keys
    for ax, group in zip(np.ravel(axes), groups.values(), strict=True):
        k = group[0]["k"]
        counts = sorted({row["c"] for row in group})
        fine = np.geomspace(counts[0], counts[-1], 200)
        for index, delta in enumerate(config.deltas):
            colour = plotting.COLOURS[index]
            ax.plot(
                fine,
                [bound(k, float(c), delta) for c in fine],
                color=colour,
                linewidth=1.2,
                label=f"bound, λ_min < {1 - delta:g}",
            )
            for probabilities, marker in (("scores", "o"), ("uniform", "x")):
                here = [row for row in group if row["probabilities"] == probabilities]
                shares = np.array([failures(row, delta) for row in here])
                places = np.array([row["c"] for row in here])
                ax.plot(
                    places[shares > 0],
                    shares[shares > 0],
                    marker,
                    color=colour,
                    markersize=5,
                    label=f"{probabilities}, λ_min < {1 - delta:g}",
                )
        plotting.count_axis(ax, counts)
        ax.set_yscale("log")
        ax.set(title=_title(group[0]), xlabel="columns drawn c", ylim=(least, 1.5))
    np.ravel(axes)[0].set_ylabel("share of keys that fail")
    plotting.legend(figure)
    reporter.figure(
        "failures",
        figure,
        f"Share of {config.keys} keys that fail, and the matrix Chernoff bound for "
        "probabilities in proportion to scores; shares of 0 are not drawn.",
    )


def judge(config: Any, rows: Rows, reporter: Reporter) -> None:
    """Hold failures against the bound and the mean against the identity."""
    of_scores = [row for row in rows if row["probabilities"] == "scores"]
    cases = [
        (failures(row, delta), bound(row["k"], row["c"], delta))
        for row in of_scores
        for delta in config.deltas
    ]
    good = sum(share <= limit for share, limit in cases)
    telling = sum(limit < 1 for _, limit in cases)
    reporter.verdict(
        "failures",
        ours=f"{good} of {len(cases)} cases, in {telling} of which the bound is below 1",
        holds=good == len(cases),
    )
    enough = [
        failures(row, delta)
        for row in of_scores
        for delta in config.deltas
        if row["c"] == sufficient(row["k"], delta, config.risk)
    ]
    reporter.verdict(
        "enough",
        ours=f"at most {max(enough):.4f} of the keys fail, risk {config.risk:g}",
        holds=max(enough) <= config.risk,
    )
    away = max(errors_away(row) for row in rows)
    reporter.verdict(
        "unbiased", ours=f"at most {away:.2f} standard errors in {len(rows)} cases", holds=away <= 3
    )
