"""Tables and figures of the experiment on online clusterings of social networks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.correlation_clustering.online_claims import Cells, compare, ratios
from jaxlab.experiments.correlation_clustering.streams import METHODS, TITLES
from jaxlab.experiments.interface import Reporter

__all__ = ["draw_cost", "draw_recourse", "draw_time", "tabulate"]

Prefixes = Mapping[str, Sequence[Mapping[str, Any]]]
SINGLETONS = "singletons"
LOOKS = plotting.styles([*METHODS.values(), SINGLETONS])


def tabulate(config: Any, cells: Cells, prefixes: Prefixes, reporter: Reporter) -> None:
    """Costs, recourse and times at the end; the reference and our numbers."""
    labels = list(METHODS.values())
    thresholds = f"β = {config.beta:g}, λ = {config.lam:g}"
    reporter.table(
        "cost",
        ["graph", "arrivals", "edges", *labels],
        [
            [graph, orders[0]["arrivals"][-1], orders[0]["singletons"][-1]]
            + [round(float(np.mean([ratios(cell, m)[-1] for cell in orders])), 4) for m in METHODS]
            for graph, orders in cells.items()
        ],
        "Cost after the last arrival over that of singletons, mean of the orders; edges of the "
        f"first order. {thresholds}.",
    )
    reporter.table(
        "recourse",
        ["graph", "orders", *labels],
        [
            [graph, len(orders)]
            + [
                f"{np.mean([cell['recourse'][m][-1] for cell in orders]):.0f} "
                f"({max(cell['most'][m] for cell in orders)})"
                for m in METHODS
            ]
            for graph, orders in cells.items()
        ],
        "Changes of cluster up to the last arrival, all vertices together, mean of the orders; in "
        "brackets the most of any vertex in any order.",
    )
    reporter.table(
        "seconds",
        ["graph", "arrivals", *[METHODS[method] for method in config.timed]],
        [
            [graph, row["arrivals"], *[round(value, 3) for value in row["seconds"].values()]]
            for graph, rows in prefixes.items()
            for row in rows
        ],
        "Seconds up to so many arrivals of the first order, compilation and the listing of "
        "triangles not included; recourse, the costs that were counted, and steps for the arrivals "
        "after these, which have no edges, are.",
        timed=True,
    )
    rows = compare(config, cells)
    if rows:
        reporter.table(
            "reference",
            ["graph", "arrivals", "numbers", "edges", "Agree-Off", "published", "consistent"],
            [
                [graph, count, whose, edges, *[f"{cost}, {moved}" for cost, moved in pairs]]
                for graph, count, *numbers in rows
                for whose, (edges, *pairs) in zip(("reference", "ours"), numbers, strict=True)
            ],
            "Cost and cumulative recourse on prefixes of the first order. Recourse of published "
            "ids depends on the order of equal overlaps, which the authors' program leaves open.",
        )


def draw_cost(config: Any, cells: Cells, reporter: Reporter) -> None:
    """Cost over that of singletons, one panel a graph."""
    figure, axes = plotting.new_figure(1, len(cells), panel=(width(cells), 3.6))
    for ax, (graph, orders) in zip(np.ravel(axes), cells.items(), strict=True):
        lines(ax, orders, lambda cell, method: ratios(cell, method))
        arrivals = thinned(orders[0]["arrivals"])
        flat = dict(LOOKS[SINGLETONS], marker=None)
        plotting.curves(ax, arrivals, np.ones(len(arrivals)), label=SINGLETONS, style=flat)
        ax.set(title=TITLES[graph], xlabel="arrivals")
    np.ravel(axes)[0].set_ylabel("cost / cost of singletons")
    plotting.legend(figure)
    reporter.figure(
        "cost",
        figure,
        "Cost over that of singletons against the number of arrivals, mean and standard deviation "
        "of the orders.",
    )


def draw_recourse(config: Any, cells: Cells, prefixes: Prefixes, reporter: Reporter) -> None:
    """Cumulative recourse, and below it the most changes of a vertex, one column a graph."""
    figure, axes = plotting.new_figure(2, len(cells), panel=(width(cells), 3.2))
    axes = np.reshape(axes, (2, len(cells)))
    for column, (graph, orders) in enumerate(cells.items()):
        upper, lower = axes[:, column]
        lines(upper, orders, lambda cell, method: np.asarray(cell["recourse"][method]))
        upper.set_yscale("symlog", linthresh=1)
        upper.set_ylim(bottom=0)
        upper.set_title(TITLES[graph])
        rows = prefixes[graph]
        for method, label in METHODS.items():
            most = [row["most"].get(method, np.nan) for row in rows]
            plotting.curves(
                lower, [row["arrivals"] for row in rows], most, label=label, style=LOOKS[label]
            )
        lower.set(xlabel="arrivals", xlim=upper.get_xlim())
        lower.set_ylim(bottom=0)
    axes[0, 0].set_ylabel("changes, all vertices")
    axes[1, 0].set_ylabel("most changes of a vertex")
    plotting.legend(figure)
    reporter.figure(
        "recourse",
        figure,
        "Changes of cluster against the number of arrivals: of all vertices, mean and standard "
        "deviation of the orders, and the most of any one vertex in the first order.",
    )


def draw_time(config: Any, prefixes: Prefixes, reporter: Reporter) -> None:
    """Seconds up to each prefix, one panel a graph."""
    if not config.timed:
        return
    figure, axes = plotting.new_figure(1, len(prefixes), panel=(width(prefixes), 3.6))
    for ax, (graph, rows) in zip(np.ravel(axes), prefixes.items(), strict=True):
        for method in config.timed:
            label = METHODS[method]
            seconds = [row["seconds"][method] for row in rows]
            arrivals = [row["arrivals"] for row in rows]
            plotting.curves(ax, arrivals, seconds, label=label, style=LOOKS[label])
        ax.set(title=TITLES[graph], xlabel="arrivals")
        ax.set_ylim(bottom=0)
    np.ravel(axes)[0].set_ylabel("seconds up to here")
    plotting.legend(figure)
    reporter.figure(
        "time",
        figure,
        "Seconds up to so many arrivals of the first order, compilation not included.",
    )


def width(panels: Mapping[str, Any]) -> float:
    """Inches for one panel of as many in a row."""
    return max(4.0, 8.0 / len(panels))


def thinned(values: Sequence[Any] | np.ndarray) -> np.ndarray:
    """At most twenty of them, the last included: as many markers as a panel has room for."""
    step = -(-len(values) // 20)
    return np.asarray(values)[::-1][::step][::-1]


def lines(
    ax: Any,
    orders: Sequence[Mapping[str, Any]],
    value: Callable[[Mapping[str, Any], str], np.ndarray],
) -> None:
    """One line for each algorithm: mean and standard deviation over the orders."""
    arrivals = thinned(orders[0]["arrivals"])
    for method, label in METHODS.items():
        values = np.stack([thinned(value(cell, method)) for cell in orders]).astype(float)
        sd = values.std(axis=0) if len(orders) > 1 else None
        plotting.curves(ax, arrivals, values.mean(axis=0), sd, label, style=LOOKS[label])
