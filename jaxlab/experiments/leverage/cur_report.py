"""Claims, tables and figures of the experiment on CUR decompositions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Claim, Reporter
from jaxlab.experiments.leverage.pixels import draw_chosen, picture_of

__all__ = [
    "CLAIMS",
    "METHODS",
    "draw_errors",
    "draw_pictures",
    "draw_pixels",
    "judge",
    "tabulate",
]

Found = Mapping[str, Mapping[str, Any]]

METHODS = {
    "leading": "leading scores",
    "generalized": "generalized scores",
    "ridge": "ridge scores",
    "greedy": "greedy",
    "uniform": "uniform",
}
_LOOKS = plotting.styles(list(METHODS))
_LOOKS["generalized"] |= {"linestyle": "--"}  # may lie on leading scores
_FLOOR = 1e-12  # of the squared norm of the matrix, or of the target: rounding
_ERRORS = {
    "pixels": "‖A − P_C A‖² / ‖A‖²",
    "cur": "‖A − C U R‖² / ‖A‖²",
    "labels": "‖B − P_C B‖² / ‖B‖²",
}

CLAIMS = (
    Claim(
        id="classical-bound",
        statement="Columns of small leverage deficit approximate the matrix nearly as well as the "
        "leading singular vectors.",
        source="Papailiopoulos, Kyrillidis, Boutsidis 2014, which the paper generalizes",
        paper="‖A − P_C A‖² ≤ ‖A − A_k‖² / (1 − ε)",
        criterion="leading scores for k = 1 and up, columns until ε ≤ ½: the bound is kept for "
        "every k",
    ),
    Claim(
        id="leading-for-pictures",
        statement="Scores of the leading vectors serve the matrix itself better than scores for "
        "the target.",
        source="abstract: classical scores are for approximating the matrix itself",
        paper="–",
        criterion=f"‖A − C U R‖² / ‖A‖² with leading scores less than with generalized scores, by "
        f"more than {_FLOOR:g}, for every number of columns",
    ),
    Claim(
        id="generalized-for-labels",
        statement="Scores of the vectors that carry the target serve the target better than "
        "leading scores.",
        source="abstract: generalized scores are for another matrix",
        paper="–",
        criterion=f"‖B − P_C B‖² / ‖B‖² with generalized scores less than with leading scores, by "
        f"more than {_FLOOR:g}, for every number of columns",
    ),
)


def _counts(found: Found) -> list[int]:
    return sorted(int(c) for c in found["leading"])


def tabulate(
    config: Any,
    pair: Any,
    found: Found,
    spectrum: Mapping[str, float],
    bounds: Sequence[Mapping[str, Any]],
    reporter: Reporter,
) -> None:
    """Errors by method and number of columns."""
    counts = _counts(found)
    lines: list[list[Any]] = [
        [title] + [round(found[method][str(c)][error], 4) for error in _ERRORS for c in counts]
        for method, title in METHODS.items()
    ]
    best = [round(spectrum[str(c)], 4) for c in counts]
    lines.append(["best of rank c", *best, *best, *(["–"] * len(counts))])
    reporter.table(
        "errors",
        ["method", *(f"{label}, c = {c}" for label in _ERRORS.values() for c in counts)],
        lines,
        f"{pair.title}: errors with c of {pair.a.shape[1]} columns, and for CUR with "
        f"{config.rows_per_column} c of {len(pair.a) - config.shown} rows; scores of "
        f"{bounds[-1]['k']} singular vectors, ridge {config.ridge:g} σ_0². Uniform choices are "
        f"means of {config.draws}, seed {config.seed}.",
    )
    reporter.table(
        "classical",
        ["k", "columns", "deficit ε", "‖A − P_C A‖² / ‖A‖²", "‖A − A_k‖² / (1 − ε) / ‖A‖²"],
        [
            [row["k"], row["c"]]
            + [round(row[name], 4) for name in ("deficit", "left")]
            + [round(row["best"] / (1 - row["deficit"]), 4)]
            for row in bounds
        ],
        "Columns by leading scores until the deficit is at most ½, and the bound on what they "
        "leave.",
    )


def draw_errors(
    config: Any, pair: Any, found: Found, spectrum: Mapping[str, float], reporter: Reporter
) -> None:
    """The three errors against the number of columns."""
    counts = _counts(found)
    figure, axes = plotting.new_figure(1, len(_ERRORS), panel=(3.9, 3.5))
    titles = ("from the pixels alone", "from pixels and pictures, CUR", "target from the pixels")
    if pair.picture is None:
        titles = ("from the columns alone", "from columns and rows, CUR", "target from the columns")
    for ax, (error, label), title in zip(axes, _ERRORS.items(), titles, strict=True):
        for method, name in METHODS.items():
            values = [found[method][str(c)][error] for c in counts]
            plotting.curves(ax, counts, values, label=name, style=_LOOKS[method])
        if error != "labels":
            best = [spectrum[str(c)] for c in counts]
            ax.plot(counts, best, ":", color=plotting.INK, label="best of rank c")
        plotting.count_axis(ax, counts)
        ax.set(title=title, xlabel="columns c", ylabel=label, ylim=(0, None))
    plotting.legend(figure)
    reporter.figure(
        "errors", figure, f"{pair.title}: squared errors by what chooses the columns and rows."
    )


def draw_pixels(config: Any, pair: Any, found: Found, reporter: Reporter) -> None:
    """The chosen pixels on the standard deviation of all."""
    c = _counts(found)[-1]
    figure, axes = plotting.new_figure(1, len(METHODS), panel=(2.3, 2.7))
    deviations = picture_of(pair.a.std(axis=0), pair.columns, pair.picture)
    for ax, (method, name) in zip(axes, METHODS.items(), strict=True):
        entry = found[method][str(c)]
        chosen = {plotting.COLOURS[1]: pair.columns[entry["columns"]]}
        draw_chosen(ax, deviations, chosen, f"{name}\nleaves {entry['pixels']:.2f}")
    reporter.figure(
        "pixels",
        figure,
        f"{pair.title}: the {c} pixels that each method chooses, on the standard deviation of "
        f"the columns, and what they leave of the pictures; of uniform choices the first of "
        f"{config.draws} is shown, with the mean of all. A leverage score does not know of its "
        "neighbours: the largest may lie together.",
    )


def draw_pictures(
    config: Any, pair: Any, pictures: Mapping[str, np.ndarray], reporter: Reporter
) -> None:
    """New pictures, drawn from the chosen pixels."""
    figure = plotting.image_rows(pictures, size=0.8)
    reporter.figure(
        "pictures",
        figure,
        f"{pair.title}: pictures that were left out, and what leading singular vectors of the "
        "others make of them, or the pixels above alone, with coefficients of the others.",
    )


def judge(found: Found, bounds: Sequence[Mapping[str, Any]], reporter: Reporter) -> None:
    """Hold the errors against the criteria."""
    counts = _counts(found)
    pairs = [(row["left"] * (1 - row["deficit"]), row["best"]) for row in bounds]
    kept = sum(left <= best * (1 + 1e-9) + _FLOOR for left, best in pairs)
    ours = f"kept in {kept} of {len(pairs)} cases"
    # of all singular vectors nothing is left, and what columns leave is rounding
    shares = [left / best for left, best in pairs if best > _FLOOR]
    if shares:
        ours += f", at most {max(shares):.3f} of it"
    reporter.verdict("classical-bound", ours=ours, holds=kept == len(pairs))
    for claim, error, chosen, first, second in (
        ("leading-for-pictures", "cur", ("columns", "rows"), "leading", "generalized"),
        ("generalized-for-labels", "labels", ("columns",), "generalized", "leading"),
    ):
        pairs = [(found[first][str(c)][error], found[second][str(c)][error]) for c in counts]
        ours = ", ".join(
            f"{one:.3g} against {other:.3g} at c = {c}"
            for c, (one, other) in zip(counts, pairs, strict=True)
        )
        holds: bool | None = all(other - one > _FLOOR for one, other in pairs)
        if all(
            set(found[first][str(c)][part]) == set(found[second][str(c)][part])
            for part in chosen
            for c in counts
        ):
            ours, holds = f"the same {' and '.join(chosen)}", None
        reporter.verdict(claim, ours=ours, holds=holds)
