"""Claims, tables and figures of the experiment on scores and angles."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.stats

from jaxlab.experiments.interface import Claim, Reporter

__all__ = ["CLAIMS", "KINDS", "correlations", "judge", "kept", "tabulate"]

Rows = Sequence[Mapping[str, Any]]

KINDS = {
    "leading": "leading vectors",
    "middle": "vectors from the middle",
    "trailing": "trailing vectors",
    "random": "any vectors",
}
_SLACK, _FLOOR = 1e-6, 1e-10

CLAIMS = (
    Claim(
        id="small-deficit-small-angles",
        statement="A small leverage deficit ε forces small angles between the selected columns and "
        "the chosen singular vectors, linearly in ε.",
        source="abstract, in our form of the bound",
        paper="scores bound principal angles",
        criterion="Σ sin² θ ≤ ‖A_S̄ (V_R)_S̄ Σ_R⁻¹‖² ≤ (σ_max(A_S̄) / σ_R,min)² ε in every case, to "
        "1e-6 of the bound",
    ),
    Claim(
        id="tangent-bound",
        statement="The largest angle, and the sum of squared tangents, are bounded by what is left "
        "of the chosen rows of V.",
        source="abstract, in our form of the bound",
        paper="scores bound principal angles",
        criterion="tan θ_max ≤ (σ_R̄,max / σ_R,min) √(1/λ − 1) and the same for Σ tan² θ in every "
        "case, to 1e-6 of the bound",
    ),
    Claim(
        id="large-deficit-large-angles",
        statement="A large deficit forces large angles, where the columns are independent.",
        source="abstract, in our form of the bound",
        paper="scores bound principal angles",
        criterion="Σ sin² θ ≥ ε / (σ_R,max ‖(A⁺)ᵀ_S̄‖)² in every case of full column rank, to 1e-6 "
        "of the bound",
    ),
    Claim(
        id="deficit-orders-angles",
        statement="For any subset of singular vectors, sets of columns with a smaller deficit have "
        "smaller angles.",
        source="abstract",
        paper="scores tell how close the spans are",
        criterion="Spearman's correlation of ε and Σ sin² θ ≥ 0.8 for every subset, over the "
        "numbers of columns selected by score, where both change with them",
    ),
    Claim(
        id="orthonormal-exact",
        statement="Where all singular values are equal, scores are squared cosines.",
        source="not in the abstract: an identity",
        paper="–",
        criterion="|Σ cos² θ − Σ_S ℓ| < 1e-8 in every case",
    ),
)


def kept(measured: float | None, bound: float | None) -> bool:
    """Whether ``measured`` is at most ``bound``; None stands for infinity.

    Relative slack 1e-6; 1e-10 more where both are nothing but rounding.
    """
    if bound is None:
        return True
    return measured is not None and measured <= bound * (1 + _SLACK) + _FLOOR


def _cases(row: Mapping[str, Any]) -> dict[str, list[tuple[float | None, float | None]]]:
    """What each bound says of one case: pairs of something and its upper bound."""
    found: dict[str, list[tuple[float | None, float | None]]] = {
        "linear": [(row["angles"], row["upper_linear"])],
        "refined": [
            (row["angles"], row["upper_refined"]),
            (row["upper_refined"], row["upper_linear"]),
        ],
        "tangent": [
            (row["tan_max"], row["tan_max_bound"]),
            (row["tan2"], row["sum_tan2_bound"]),
        ],
    }
    if row["full_rank"]:
        found["lower"] = [(row["lower"], row["angles"])]
    return found


def correlations(rows: Rows, selection: str = "scores") -> dict[tuple[Any, ...], float]:
    """Spearman's correlation of deficit and angles over the numbers of columns, by subset."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["selection"] == selection:
            # not by its vectors: a subset that is met again has random columns of its own
            groups.setdefault((row["data"], row["kind"], row["number"]), []).append(row)
    found = {}
    for key, group in groups.items():
        deficits, angles = (
            np.round([row[name] for row in group], 10) for name in ("deficit", "angles")
        )
        if np.ptp(deficits) > 0 and np.ptp(angles) > 0:
            found[key] = float(scipy.stats.spearmanr(deficits, angles).statistic)
    return found


def tabulate(
    config: Any,
    titles: Mapping[str, str],
    rows: Rows,
    exact: Mapping[str, Mapping[str, Any]],
    reporter: Reporter,
) -> None:
    """How tight the bounds are, and how well deficits order angles, by data and kind."""
    ordered = correlations(rows)
    lines: list[list[Any]] = []
    for name, title in titles.items():
        for kind, label in KINDS.items():
            here = [row for row in rows if row["data"] == name and row["kind"] == kind]
            if not here:
                continue
            good = [
                all(kept(*pair) for pairs in _cases(row).values() for pair in pairs) for row in here
            ]
            ratios = {
                bound: [
                    row["angles"] / row[bound]
                    for row in here
                    if row[bound] and (bound != "lower" or row["full_rank"])
                ]
                for bound in ("upper_refined", "upper_linear", "lower")
            }
            rho = [value for key, value in ordered.items() if key[:2] == (name, kind)]
            lines.append([title, label, len(here), sum(good)])
            lines[-1] += [
                float(f"{np.median(values):.3g}") if values else "–" for values in ratios.values()
            ]
            lines[-1] += [round(min(rho), 3) if rho else "–"]
    reporter.table(
        "bounds",
        [
            "data",
            "subset R",
            "cases",
            "all bounds kept",
            "Σ sin² θ / refined bound",
            "Σ sin² θ / linear bound",
            "Σ sin² θ / lower bound",
            "least Spearman",
        ],
        lines,
        f"Subsets of at most {config.largest} singular vectors, columns by score and, of matrices "
        f"with at most {config.wide} columns, at random. "
        f"Ratios are medians: below 1 the share of an upper bound that is reached, above 1 the "
        f"multiple of the lower bound. Spearman's correlation of ε and Σ sin² θ is over the "
        f"numbers of columns by score. Float64, seed {config.seed}.",
    )
    reporter.table(
        "orthonormal",
        ["data", "columns", "cases", "largest |Σ cos² θ − Σ ℓ|"],
        [
            [titles[name], found["columns"], found["cases"], float(f"{found['error']:.1e}")]
            for name, found in exact.items()
        ],
        "An orthonormal basis of the columns: scores are squared cosines.",
        timed=True,  # rounding errors
    )
    by_chance = list(correlations(rows, "random").values())
    if by_chance:
        reporter.scalar("median Spearman, random columns", round(float(np.median(by_chance)), 6))
        reporter.note(
            "Neither ε nor the angles grow when columns are added; over random columns Spearman's "
            f"correlation is at least {min(by_chance):.2f}."
        )


def judge(rows: Rows, exact: Mapping[str, Mapping[str, Any]], reporter: Reporter) -> None:
    """Hold every case against every bound."""
    for claim, bounds in (
        ("small-deficit-small-angles", ("linear", "refined")),
        ("tangent-bound", ("tangent",)),
        ("large-deficit-large-angles", ("lower",)),
    ):
        judged = [
            [pair for bound in bounds for pair in cases[bound]]
            for cases in map(_cases, rows)
            if bounds[0] in cases
        ]
        good = [all(kept(*pair) for pair in pairs) for pairs in judged]
        finite = sum(any(bound is not None for _, bound in pairs) for pairs in judged)
        none = "no case of full column rank" if rows else "no case"
        ours = f"{sum(good)} of {len(good)} cases" if good else none
        if finite < len(good):
            ours += f", in {finite} of which the bound is finite"
        reporter.verdict(claim, ours=ours, holds=all(good) if finite else None)
    ordered = list(correlations(rows).values())
    reporter.verdict(
        "deficit-orders-angles",
        ours=f"at least {min(ordered):.3f} in {len(ordered)} subsets" if ordered else "no subset",
        holds=min(ordered) >= 0.8 if ordered else None,
    )
    worst = max(found["error"] for found in exact.values())
    count = sum(int(found["cases"]) for found in exact.values())
    ours = f"below 1e-8 in {count} cases" if worst < 1e-8 else f"{worst:.1e}"
    reporter.verdict("orthonormal-exact", ours=ours, holds=worst < 1e-8)
