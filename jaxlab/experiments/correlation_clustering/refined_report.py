"""Claims, tables and figures of the experiment on clusters refined with a budget."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.correlation_clustering.streams import TITLES
from jaxlab.experiments.interface import Claim, Reporter

__all__ = ["CLAIMS", "draw_cost", "draw_frontier", "judge", "tabulate"]

BUDGET, MOST, LOWER = 3, 6, 0.9  # moves of a vertex, its changes, cost over Agree-On's
GRAPH, ARRIVALS = "musae_facebook", 10_000

CLAIMS = (
    Claim(
        id="lower-cost",
        statement="A few local moves of each vertex after Agree-On lower its cost much.",
        source="not in the paper",
        paper="–",
        criterion=f"cost after the first {ARRIVALS:,} arrivals of {TITLES[GRAPH]} at most {LOWER} "
        f"of Agree-On's, with at most {BUDGET} moves of a vertex after the last and at most {MOST} "
        "changes of any vertex in all",
    ),
    Claim(
        id="all-along",
        statement="So do they at every checkpoint, with the same budget for all of them.",
        source="not in the paper",
        paper="–",
        criterion=f"cost at most {LOWER} of Agree-On's, mean of the checkpoints, with at most "
        f"{BUDGET} moves and at most {MOST} changes of any vertex in all, on every graph",
    ),
    Claim(
        id="fewer-changes",
        statement="Clusters found from scratch change more.",
        source="not in the paper",
        paper="–",
        criterion=f"fewer changes in all with at most {BUDGET} moves of a vertex, at all "
        "checkpoints together, than of local moves from singletons at each, on every graph",
    ),
)

ONCE, ALONG = "moves at the end", "moves at checkpoints"
SINGLE = {
    "on": "Agree-On",
    "off": "Agree-Off",
    "pivot": "online Pivot",
    "anew": "moves from scratch",
    "leiden": "Leiden from scratch",
}
LOOKS = plotting.styles([ONCE, ALONG, *SINGLE.values(), "singletons"])

Cells = Mapping[str, Any]


def single(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Costs and changes of everything that has no budget, by its title."""
    known = dict(cell["streams"]) | {
        name: cell[name] for name in ("anew", "leiden") if name in cell
    }
    return {title: known[name] for name, title in SINGLE.items() if name in known}


def tabulate(config: Any, cells: Cells, reporter: Reporter) -> None:
    """Cost and changes of everything, after the last arrival and on the way."""
    rows = []
    for graph, cell in cells.items():
        edges = cell["streams"]["edges"]
        named = [(title, "–", found) for title, found in single(cell).items()]
        for schedule, title in (("once", ONCE), ("along", ALONG)):
            named += [(title, budget, found) for budget, found in cell[schedule].items()]
        for title, budget, found in named:
            costs = found["cost"]
            rows.append(
                [
                    TITLES[graph],
                    title,
                    budget,
                    costs[-1],
                    round(costs[-1] / edges[-1], 4),
                    round(mean_share(costs, edges), 4) if len(costs) == len(edges) else "–",
                    found["changes"][-1],
                    found.get("most", "–"),
                ]
            )
    reporter.table(
        "frontier",
        [
            *("graph", "clusters", "moves allowed", "cost", "cost / singletons", "on the way"),
            *("changes", "most of a vertex"),
        ],
        rows,
        f"Cost after the last arrival, over that of singletons, and the mean of that share at "
        f"{config.checkpoints} checkpoints; changes of all vertices together, and the most of any "
        f"vertex. β = {config.beta:g}, λ = {config.lam:g}.",
    )
    carried = sum(found["carried"] for cell in cells.values() for found in cell["along"].values())
    reporter.note(
        "Changes are those that Agree-On makes, every move, even of a vertex that moves back at "
        "the same checkpoint, and those of moved vertices that are carried along into a cluster "
        f"other than theirs ({carried} in all runs). Clusters from scratch are held from one "
        "checkpoint to the next, newcomers alone; their changes are counted by overlap of ids."
    )


def mean_share(costs: list[int], edges: list[int]) -> float:
    """Mean over the checkpoints of the cost over that of singletons."""
    there = np.asarray(edges) > 0
    return float(np.mean(np.asarray(costs)[there] / np.asarray(edges)[there]))


def draw_frontier(config: Any, cells: Cells, reporter: Reporter) -> None:
    """Final cost against all changes, one column a graph; below, where costs are low."""
    panel = (max(4.2, 8 / len(cells)), 3.3)
    figure, axes = plotting.new_figure(2, len(cells), panel=panel)
    axes = np.reshape(axes, (2, len(cells)))
    for (upper, lower), (graph, cell) in zip(axes.T, cells.items(), strict=True):
        edges = cell["streams"]["edges"][-1]

        def place(found: Mapping[str, Any], edges: int = edges) -> tuple[int, float]:
            return found["changes"][-1], found["cost"][-1] / edges

        lines = {
            title: [place(found) for found in cell[schedule].values()]
            for schedule, title in (("once", ONCE), ("along", ALONG))
        }
        ends = {title: place(found) for title, found in single(cell).items()}
        for title, points in lines.items():
            for ax, shown in ((upper, [ends[SINGLE["on"]], *points]), (lower, points)):
                changes, shares = zip(*shown, strict=True)
                plotting.curves(ax, changes, shares, label=title, style=LOOKS[title])
            for budget, point in zip(config.budgets[:2], points, strict=False):
                lower.annotate(
                    str(budget), point, xytext=(5, 3), textcoords="offset points", size=9
                )
        for title, point in ({"singletons": (0, 1.0)} | ends).items():
            look = dict(LOOKS[title], linestyle="none")
            for ax in (upper, lower) if "scratch" in title else (upper,):
                ax.plot(*point, label=title, markersize=8, markeredgewidth=0, **look)
        upper.set_xscale("symlog", linthresh=10)
        upper.set_title(TITLES[graph])
        upper.set_xlim(left=-1)
        lower.set_xlabel("changes, all vertices")
        lower.margins(0.12)
    for ax in axes[:, 0]:
        ax.set_ylabel("cost / cost of singletons")
    plotting.legend(figure)
    reporter.figure(
        "frontier",
        figure,
        "Cost after the last arrival against the changes of all vertices up to there; below, moves "
        "and clusters from scratch alone. Lines lead, above from Agree-On, through the numbers of "
        f"moves that each vertex is allowed, {', '.join(map(str, config.budgets))}, in this order, "
        "some of which are written below.",
    )


def draw_cost(config: Any, cells: Cells, reporter: Reporter) -> None:
    """Cost at the checkpoints, one panel a graph."""
    figure, axes = plotting.new_figure(1, len(cells), panel=(max(4.2, 8 / len(cells)), 3.6))
    budget = BUDGET if BUDGET in config.budgets else max(config.budgets)
    for ax, (graph, cell) in zip(np.ravel(axes), cells.items(), strict=True):
        edges = np.asarray(cell["streams"]["edges"], float)
        series = {ALONG: cell["along"][budget]} | single(cell)
        for title, found in series.items():
            if len(found["cost"]) == len(edges):
                share = np.divide(
                    found["cost"], edges, out=np.full(len(edges), np.nan), where=edges > 0
                )
                plotting.curves(
                    ax, cell["streams"]["arrived"], share, label=title, style=LOOKS[title]
                )
        ax.set(title=TITLES[graph], xlabel="arrivals")
    np.ravel(axes)[0].set_ylabel("cost / cost of singletons")
    plotting.legend(figure)
    reporter.figure(
        "cost",
        figure,
        f"Cost at the checkpoints over that of singletons; of {ALONG} each vertex has {budget} at "
        "most, all checkpoints together.",
    )


def judge(config: Any, cells: Cells, reporter: Reporter) -> None:
    """Hold the numbers against the claims."""
    for claim, schedule in (("lower-cost", "once"), ("all-along", "along")):
        held = {
            graph: improvement(cell, schedule)
            for graph, cell in cells.items()
            if BUDGET in cell[schedule]
            and (
                schedule == "along" or (graph, cell["streams"]["arrived"][-1]) == (GRAPH, ARRIVALS)
            )
        }
        reporter.verdict(
            claim,
            ours="; ".join(
                f"{TITLES[graph]} {share:.3f} of Agree-On's cost, at most {most} changes"
                for graph, (share, most) in held.items()
            )
            or f"not run with {BUDGET} moves"
            + (f" and {ARRIVALS} arrivals of {TITLES[GRAPH]}" if schedule == "once" else ""),
            holds=all(share <= LOWER and most <= MOST for share, most in held.values())
            if held
            else None,
        )
    counts = {
        graph: (cell["along"][BUDGET]["changes"][-1], cell["anew"]["changes"][-1])
        for graph, cell in cells.items()
        if BUDGET in cell["along"]
    }
    reporter.verdict(
        "fewer-changes",
        ours="; ".join(
            f"{TITLES[graph]} {few} against {many}" for graph, (few, many) in counts.items()
        )
        or f"not run with {BUDGET} moves",
        holds=all(few < many for few, many in counts.values()) if counts else None,
    )


def improvement(cell: Mapping[str, Any], schedule: str) -> tuple[float, int]:
    """Cost over Agree-On's, mean of the checkpoints, and the most changes of a vertex."""
    found = cell[schedule][BUDGET]
    on = np.asarray(cell["streams"]["on"]["cost"][-len(found["cost"]) :], float)
    there = on > 0
    share = float(np.mean(np.asarray(found["cost"])[there] / on[there])) if there.any() else 1.0
    return share, found["most"]
