"""Claims, tables and figures of the experiment on the error of predictions."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Claim, Reporter

__all__ = ["CLAIMS", "draw_assignment", "draw_goldberg", "judge", "tabulate"]

Rows = Sequence[Mapping[str, Any]]

ROUNDINGS = {"cover": "cover", "greedy": "greedy", "c_transform": "c-transform"}
KINDS = {
    "l0": "wrong entries k",
    "l1": "sum of absolute errors",
    "linf": "largest error of all entries",
}

CLAIMS = (
    Claim(
        id="few-augmentations",
        statement="From duals with k wrong entries a number of augmentations in proportion to k is "
        "left, each of one search.",
        source="Chen et al. 2022, section on matching",
        paper="O(m √n + (m + n log n) ‖ŷ − y*‖₀) time",
        criterion="with the rounding “cover” and a maximum matching of tight edges, at most "
        "3 ‖ŷ − y*‖₀ augmentations from every prediction, some of them wrong",
    ),
    Claim(
        id="cover-keeps-entries",
        statement="Changing only a vertex cover of the violated edges makes a prediction feasible "
        "and few entries wrong.",
        source="not in the paper: the bound for our rounding “cover”",
        paper="–",
        criterion="‖y′ − y*‖₀ ≤ 3 ‖ŷ − y*‖₀ and y′ feasible, for every prediction, some of them "
        "wrong",
    ),
    Claim(
        id="greedy-keeps-sum",
        statement="Lowering one end of large violations, in a walk, adds little to the sum of "
        "errors.",
        source="Dinitz et al. 2021, section on feasibility",
        paper="at most twice the least total decrease, hence ‖y′ − y*‖₁ ≤ 3 ‖ŷ − y*‖₁",
        criterion="‖y′ − y*‖₁ ≤ 3 ‖ŷ − y*‖₁ and y′ feasible, for every prediction, some of them "
        "wrong",
    ),
    Claim(
        id="transform-keeps-largest",
        statement="The c-transform of predicted columns is no farther from the optimum than they "
        "are, in the largest entry.",
        source="not in the paper: the bound for our rounding “c_transform”",
        paper="–",
        criterion="‖u′ − u*‖∞ ≤ ‖v̂ − v*‖∞ and y′ feasible, for every prediction, some of them "
        "wrong",
    ),
    Claim(
        id="few-rounds",
        statement="The Hungarian method needs a number of rounds in proportion to the sum of "
        "errors.",
        source="Dinitz et al. 2021, main theorem",
        paper="O(m √n min{‖ŷ − y*‖₁, √n}) time",
        criterion="at most 3 ‖ŷ − y*‖₁ + 1 rounds, the last one included, from every prediction, "
        "some of them wrong",
    ),
    Claim(
        id="logarithmic-scales",
        statement="Goldberg's scaling, started from potentials with errors of up to η, needs a "
        "number of scales that grows with log η.",
        source="Chen et al. 2022, section on shortest paths",
        paper="O(m √n log ‖ŷ − y*‖∞) time",
        criterion="at most ⌈log2(2η + 1)⌉ + 1 scales and 2 √n + 1 phases a scale, and feasible "
        "potentials, from every prediction, some of them wrong",
    ),
    Claim(
        id="exact",
        statement="Whatever the prediction, the answer is exact.",
        source="Chen et al. 2022",
        paper="exact algorithms",
        criterion="every cost equal to SciPy's, with a certificate, and all distances equal to "
        "those of SciPy's Dijkstra on the lengths without their potentials",
    ),
)


def means(rows: Rows, **where: Any) -> Any:
    """The rows of a setting, and a function that gives the mean of one of their numbers."""
    chosen = [row for row in rows if all(row[key] == value for key, value in where.items())]

    def mean(*path: str) -> float:
        values = []
        for row in chosen:
            value: Any = row
            for key in path:
                value = value[key]
            values.append(value)
        return float(np.mean(values))

    return mean


def settings(rows: Rows) -> list[tuple[str, int]]:
    """Kinds and sizes of errors, in the order they were run."""
    return list(dict.fromkeys((row["kind"], row["size"]) for row in rows))


def most_scales(error: int) -> int:
    """Most scales of Goldberg's algorithm from potentials that are off by up to ``error``."""
    return math.ceil(math.log2(2 * error + 1)) + 1


def most_phases(scales: int | float, vertices: int) -> float:
    """Most phases in that many scales."""
    return scales * (2 * math.sqrt(vertices) + 1)


def tabulate(
    config: Any, rows: Rows, scales: Rows, seconds: Mapping[str, float], reporter: Reporter
) -> None:
    """Work by size of the error, and time by the number of wrong entries."""
    lines: list[list[Any]] = []
    for kind, size in settings(rows):
        mean = means(rows, kind=kind, size=size)
        lines.append([KINDS[kind], size, *(round(mean("error", norm), 1) for norm in KINDS)])
        lines[-1] += [round(mean(name, "augmentations"), 1) for name in ROUNDINGS]
        lines[-1] += [round(mean("cover", "steps"), 1), round(mean("rounds"), 1)]
    reporter.table(
        "assignment",
        ["error", "size", "ℓ0", "ℓ1", "ℓ∞"]
        + [f"augmentations, {name}" for name in ROUNDINGS.values()]
        + ["steps, cover", "rounds, Hungarian"],
        lines,
        f"Means of {config.trials} problems of {config.n} rows. Norms are of the error of the "
        "prediction; steps are columns that Dijkstra's searches close. A cold start needs "
        f"{means(rows)('cold'):.1f} augmentations. Seed {config.seed}.",
    )
    lines = []
    for error in config.potential_errors:
        mean = means(scales, error=error)
        phases = round(most_phases(mean("scales"), config.side**2), 1)
        lines.append([error, round(mean("scales"), 2), most_scales(error)])
        lines[-1] += [round(mean("phases"), 1), phases, round(mean("rounds"), 1)]
    reporter.table(
        "goldberg",
        ["η", "scales", "bound on scales", "phases", "bound on phases", "rounds over all arcs"],
        lines,
        f"Means of {config.trials} grids of {config.side}² vertices. Seed {config.seed}.",
    )
    reporter.table(
        "time",
        ["start", "milliseconds"],
        [[name, round(1000 * value, 3)] for name, value in seconds.items()],
        f"One problem of {config.n} rows, from duals with that many wrong entries, or all; "
        f"rounding “cover”, medians of {config.repeats} calls in turns.",
        timed=True,
    )


def draw_assignment(config: Any, rows: Rows, reporter: Reporter) -> None:
    """Augmentations against each kind of error, and what the bounds allow."""
    figure, axes = plotting.new_figure(1, len(KINDS), sharey=True)
    looks = plotting.styles(list(ROUNDINGS))
    for ax, (kind, label) in zip(axes, KINDS.items(), strict=True):
        ax.set_xscale("symlog", linthresh=1)  # before any line: margins are in its units
        ax.set_yscale("symlog", linthresh=1)
        sizes = sorted({row["size"] for row in rows if row["kind"] == kind})
        of_size = [means(rows, kind=kind, size=size) for size in sizes]
        for name, title in ROUNDINGS.items():
            counts = [mean(name, "augmentations") for mean in of_size]
            plotting.curves(ax, sizes, counts, label=title, style=looks[name])
        bound = [min(3 * mean("error", "l0"), config.n) for mean in of_size]
        ax.plot(sizes, bound, "--", color=plotting.INK, label="3 k, at most n")
        ax.axhline(means(rows)("cold"), color="#777777", linestyle=":", label="cold start")
        ax.set(xlabel=label, title=f"{kind.replace('linf', 'l∞').replace('l', 'ℓ')} errors")
        ax.set_ylim(0, None)
    axes[0].set_ylabel("augmentations")
    plotting.legend(figure, "rounding")
    reporter.note(
        "Every prediction is used as it is. Large errors can leave more to do than a cold start "
        "has, the dotted line; predict_or_fallback takes the one of larger dual value."
    )
    reporter.figure(
        "augmentations",
        figure,
        f"Augmentations left by optimal duals with errors, mean of {config.trials} problems of "
        f"{config.n} rows. The line 3 k, of the wrong entries k, bounds “cover” alone.",
    )


def draw_goldberg(config: Any, scales: Rows, reporter: Reporter) -> None:
    """Scales and phases against the logarithm of the largest error."""
    figure, (left, right) = plotting.new_figure(1, 2)
    looks = plotting.styles(["mean", "bound"])
    looks["bound"] |= {"linestyle": "--"}
    errors = sorted(config.potential_errors)
    places = [math.log2(2 * error + 1) for error in errors]
    of_error = [means(scales, error=error) for error in errors]
    measured = [mean("scales") for mean in of_error]
    plotting.curves(left, places, measured, label="mean", style=looks["mean"])
    bound = [most_scales(error) for error in errors]
    plotting.curves(left, places, bound, label="bound", style=looks["bound"])
    left.set(ylabel="scales", title="scales of Goldberg's algorithm")
    phases = [mean("phases") for mean in of_error]
    plotting.curves(right, places, phases, label="mean", style=looks["mean"])
    limits = [most_phases(count, config.side**2) for count in measured]
    plotting.curves(right, places, limits, label="bound", style=looks["bound"])
    right.set_yscale("symlog", linthresh=1)
    right.set(ylabel="phases", title="phases, all scales together")
    for ax in (left, right):
        ax.set(xlabel="log2(2η + 1), largest error η of the potentials", ylim=(0, None))
    plotting.legend(figure)
    reporter.figure(
        "goldberg",
        figure,
        f"Scales and phases against the error of predicted potentials, mean of {config.trials} "
        f"grids of {config.side}² vertices, and their bounds.",
    )


def judge(config: Any, rows: Rows, scales: Rows, reporter: Reporter) -> None:
    """Hold the counts against the bounds."""

    def feasible(row: Mapping[str, Any], name: str) -> bool:
        return bool(row[name]["least"] >= 0)

    kept = {
        "few-augmentations": [
            (row["cover"]["augmentations"], 3 * row["error"]["l0"], True) for row in rows
        ],
        "cover-keeps-entries": [
            (row["cover"]["l0"], 3 * row["error"]["l0"], feasible(row, "cover")) for row in rows
        ],
        "greedy-keeps-sum": [
            (row["greedy"]["l1"], 3 * row["error"]["l1"], feasible(row, "greedy")) for row in rows
        ],
        "transform-keeps-largest": [
            (row["c_transform"]["rows"], row["columns"], feasible(row, "c_transform"))
            for row in rows
        ],
        "few-rounds": [(row["rounds"], 3 * row["error"]["l1"] + 1, True) for row in rows],
    }
    for claim, cases in kept.items():
        good = [fine and value <= bound for value, bound, fine in cases]
        shares = [value / bound for value, bound, _ in cases if bound]
        ours = f"{sum(good)} of {len(good)} predictions"
        if shares:
            ours += f"; at most {max(shares):.2f} of what is allowed, where that is not 0"
        spoilt = any(row["error"]["l0"] for row in rows)
        reporter.verdict(claim, ours=ours, holds=None if all(good) and not spoilt else all(good))
    good = [
        row["feasible"]
        and row["scales"] <= most_scales(row["error"])
        and row["phases"] <= most_phases(row["scales"], config.side**2)
        for row in scales
    ]
    ours = f"{sum(good)} of {len(good)} predictions; at most {max(r['scales'] for r in scales)} "
    ours += f"scales and {max(row['phases'] for row in scales)} phases"
    spoilt = any(row["error"] for row in scales)
    holds = None if all(good) and not spoilt else all(good)
    reporter.verdict("logarithmic-scales", ours=ours, holds=holds)
    good = [row["exact"] for row in (*rows, *scales)]
    ours = f"{sum(good)} of {len(good)} predictions led to exact answers"
    reporter.verdict("exact", ours=ours, holds=all(good))
