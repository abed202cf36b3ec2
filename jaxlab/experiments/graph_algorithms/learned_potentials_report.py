"""Claims, tables and figures of the experiment on learned potentials."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Claim, Reporter
from jaxlab.experiments.measure import at_least

__all__ = ["CLAIMS", "draw_goldberg", "draw_rounds", "judge", "tabulate"]

NOISE = 0.05  # the largest noise up to which savings are claimed
SIDE = 200  # the least side of a grid whose time is judged
STARTS = {
    "cold": "cold Bellman–Ford",
    "tree": "policy, stored tree",
    "no tree": "policy, learned potentials",
    "learned": "policy, both",
}

CLAIMS = (
    Claim(
        id="fewer-rounds",
        statement="Shortest paths from learned potentials and a stored tree take a fraction of the "
        "rounds of a cold start.",
        source="not in the paper, which has no experiments: its predictions in a parallel solver",
        paper="–",
        criterion=f"mean rounds of a cold Bellman–Ford at least 10 times those of policy iteration "
        f"with both predictions, on every graph at every noise up to σ = {NOISE:g}",
    ),
    Claim(
        id="less-time",
        statement="The fewer rounds are less time.",
        source="not in the paper, which has no experiments",
        paper="–",
        criterion=f"median time of the cold start at least 2.5 times that of the learned one at "
        f"every noise up to σ = {NOISE:g}, on the largest grid, of side {SIDE} or more",
    ),
    Claim(
        id="exact",
        statement="Whatever the prediction, the answer is exact.",
        source="Chen et al. 2022, section on shortest paths",
        paper="exact for every prediction",
        criterion="distances on all test days, by every start, equal those of SciPy's Dijkstra on "
        "the lengths without their potentials",
    ),
    Claim(
        id="logarithmic-scales",
        statement="Goldberg's scaling, started from a prediction of error η in the largest entry, "
        "needs a number of scales that grows with log η.",
        source="Chen et al. 2022, section on shortest paths: O(m √n log ‖ŷ − y*‖∞)",
        paper="O(log ‖ŷ − y*‖∞) scales of O(√n) phases",
        criterion="at every error, not all 0, at most ⌈log2(2η + 1)⌉ + 1 scales and 2 √n + 1 "
        "phases a scale, and feasible potentials",
    ),
)

Cells = Mapping[tuple[str, float], Any]


def tabulate(
    config: Any,
    cells: Cells,
    speedups: Mapping[tuple[str, float], float],
    goldberg: Sequence[Mapping[str, int]],
    reporter: Reporter,
) -> None:
    """Rounds, times and scales."""
    reporter.table(
        "rounds",
        ["graph", "σ", *STARTS.values(), "negative lengths"],
        [
            [
                graph,
                sigma,
                *[round(float(np.mean(cell["rounds"][start])), 1) for start in STARTS],
                f"{cell['negative']:.0%}",
            ]
            for (graph, sigma), cell in cells.items()
        ],
        f"Rounds over all arcs, mean of {config.test_days} days after {config.training_days} days "
        f"of training; the last round, which changes nothing, counts. Seed {config.seed}.",
    )
    reporter.table(
        "time",
        ["graph", "σ", "cold / learned"],
        [[graph, sigma, round(ratio, 2)] for (graph, sigma), ratio in speedups.items()],
        f"Time of a cold Bellman–Ford over that of policy iteration with both predictions, medians "
        f"of {config.repeats} calls in turns, on one day.",
        timed=True,
    )
    reporter.table(
        "goldberg",
        ["η", "scales", "bound on scales", "phases", "bound on phases", "rounds"],
        [
            [row["error"], row["scales"], scales, row["phases"], phases, row["rounds"]]
            for row in goldberg
            for scales, phases in [bounds(row, config.error_side**2)]
        ],
        f"Goldberg's scaling on a grid of {config.error_side}² from distances that are off by up "
        f"to η. Seed {config.seed}.",
    )


def bounds(row: Mapping[str, int], n: int) -> tuple[int, int]:
    """Most scales at this error, and most phases in the scales that were needed."""
    scales = math.ceil(math.log2(2 * row["error"] + 1)) + 1
    return scales, math.floor(row["scales"] * (2 * math.sqrt(n) + 1))


def draw_rounds(config: Any, cells: Cells, reporter: Reporter) -> None:
    """Rounds against the noise, one panel a graph."""
    graphs = list(dict.fromkeys(graph for graph, _ in cells))
    figure, axes = plotting.new_figure(1, len(graphs), sharey=True)
    looks = plotting.styles(list(STARTS))
    places = np.arange(len(config.sigmas))
    for ax, graph in zip(np.atleast_1d(axes).ravel(), graphs, strict=True):
        for start, label in STARTS.items():
            rounds = [np.mean(cells[graph, sigma]["rounds"][start]) for sigma in config.sigmas]
            plotting.curves(ax, places, rounds, label=label, style=looks[start])
        ax.set_yscale("log")
        ax.set_xticks(places, [f"{sigma:g}" for sigma in config.sigmas])
        ax.set_xlabel("noise σ of the logarithm of lengths")
        ax.set_title(graph.replace("roads", "roads of Minnesota"))
    np.atleast_1d(axes).ravel()[0].set_ylabel("rounds over all arcs")
    plotting.legend(figure)
    reporter.figure(
        "rounds",
        figure,
        f"Rounds over all arcs, mean of {config.test_days} days, against the noise from day to "
        "day.",
    )


def draw_goldberg(config: Any, goldberg: Sequence[Mapping[str, int]], reporter: Reporter) -> None:
    """Scales and phases against the error of the prediction."""
    figure, (left, right) = plotting.new_figure(1, 2)
    looks = plotting.styles(["measured", "bound"])
    looks["bound"] |= {"linestyle": "--"}  # the scales may lie on it
    errors = [row["error"] for row in goldberg]
    limits = [bounds(row, config.error_side**2) for row in goldberg]
    for ax, name, bound in (
        (left, "scales", [limit[0] for limit in limits]),
        (right, "phases", [limit[1] for limit in limits]),
    ):
        plotting.curves(
            ax, errors, [row[name] for row in goldberg], label="measured", style=looks["measured"]
        )
        plotting.curves(ax, errors, bound, label="bound", style=looks["bound"])
        ax.set_xscale("symlog", linthresh=1)
        ax.set_xlabel("largest error η of the predicted potentials")
        ax.set_ylabel(name)
    right.set_yscale("symlog", linthresh=1)
    left.set_title("scales of Goldberg's algorithm")
    right.set_title("phases, all scales together")
    plotting.legend(figure)
    reporter.figure(
        "goldberg",
        figure,
        f"Scales and phases of Goldberg's algorithm on a grid of {config.error_side}² against the "
        "error of its prediction, and their bounds.",
    )


def judge(
    config: Any,
    cells: Cells,
    speedups: Mapping[tuple[str, float], float],
    goldberg: Sequence[Mapping[str, int]],
    reporter: Reporter,
) -> None:
    """Hold the numbers against the claims."""
    quiet = [place for place in cells if place[1] <= NOISE]
    ratios = {
        place: np.mean(cells[place]["rounds"]["cold"]) / np.mean(cells[place]["rounds"]["learned"])
        for place in quiet
    }
    if ratios:
        worst = min(ratios, key=lambda place: ratios[place])
        reporter.verdict(
            "fewer-rounds",
            ours=f"least ratio {ratios[worst]:.1f}, at σ = {worst[1]:g}, {worst[0]}",
            holds=bool(ratios[worst] >= 10),
        )
    else:
        reporter.verdict("fewer-rounds", ours=f"no noise up to {NOISE:g} was run", holds=None)

    largest = max(config.sides)
    times = [speedups[place] for place in quiet if place[0] == f"grid {largest}²"]
    if times and largest >= SIDE:
        ours = f"{at_least(min(times))} on the grid {largest}²"
        reporter.verdict("less-time", ours=ours, holds=bool(min(times) >= 2.5))
    else:
        ours = f"no grid of side {SIDE} or more at such noise was timed"
        reporter.verdict("less-time", ours=ours, holds=None)

    exact = [cell["exact"] for cell in cells.values()]
    solved = len(exact) * config.test_days * len(STARTS)
    reporter.verdict(
        "exact",
        ours=f"{sum(exact)} of {len(exact)} settings exact ({solved} searches)",
        holds=all(exact),
    )

    n = config.error_side**2
    kept = [
        row["feasible"]
        and row["scales"] <= bounds(row, n)[0]
        and row["phases"] <= bounds(row, n)[1]
        for row in goldberg
    ]
    last = goldberg[-1]
    reporter.verdict(
        "logarithmic-scales",
        ours=f"{sum(kept)} of {len(kept)} errors within the bounds; {last['scales']} scales and "
        f"{last['phases']} phases at η = {last['error']}",
        holds=None if all(kept) and not any(row["error"] for row in goldberg) else all(kept),
    )
