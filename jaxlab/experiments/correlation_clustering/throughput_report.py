"""Tables and figures of the experiment on times and rounds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.correlation_clustering.streams import TITLES
from jaxlab.experiments.correlation_clustering.throughput_claims import official
from jaxlab.experiments.correlation_clustering.throughput_measures import ENGINES, RULES
from jaxlab.experiments.interface import Reporter

__all__ = ["draw_arrivals", "draw_offline", "draw_pivot", "tabulate"]

Rows = Sequence[Mapping[str, Any]]

PUBLISHED = ("authors' program, agreement", "authors' program, with ids")
LOOKS = plotting.styles([*RULES.values(), *PUBLISHED])
ENGINE_LOOKS = plotting.styles(list(ENGINES.values()))


def tabulate(
    config: Any, online: Rows, offline: Rows, repeated: Rows, pivot: Rows, reporter: Reporter
) -> None:
    """Times of all three parts, and rounds."""
    title = TITLES[config.graph]
    reporter.table(
        "arrivals",
        ["arrivals", "edges", *RULES.values(), *PUBLISHED],
        [
            [row["arrivals"], row["edges"]]
            + [round(per_arrival(row["seconds"][rule], row), 1) for rule in RULES]
            + [
                round(per_arrival(seconds, row), 1) if seconds else "–"
                for seconds in official(config, row["arrivals"])
            ]
            for row in online
        ],
        f"Microseconds for each arrival of {title}, recourse included; compilation, and of a scan "
        "its plan and triangles, not included. Costs are counted at every change when one by one, "
        "once by a scan. The authors' program, where its time is known: C++ with -O2 on one core "
        "of another machine, without recourse.",
        timed=True,
    )
    reporter.table(
        "offline",
        ["vertices", "edges", *ENGINES.values()],
        [
            [row["vertices"], row["edges"]]
            + [
                round(1000 * row["seconds"][engine], 2) if engine in row["seconds"] else "–"
                for engine in ENGINES
            ]
            for row in offline
        ],
        f"Milliseconds of offline agreement on the first vertices of {title}, compilation not "
        "included. The engine “triangles” is given the triangles, and their listing on the host is "
        "timed by itself; all but SciPy start from a graph made before; "
        f"dense matrices up to {config.dense_up_to} vertices.",
        timed=True,
    )
    if not any("networkx" in row["seconds"] for row in offline):
        reporter.note("networkx is not installed: there is no time of it.")
    reporter.table(
        "copies",
        ["copies", "edges", "triangles", "milliseconds", "ns for an edge or triangle"],
        [
            [
                *(row[name] for name in ("copies", "edges", "triangles")),
                round(1000 * row["seconds"], 2),
                round(1e9 * row["seconds"] / (row["edges"] + row["triangles"]), 1),
            ]
            for row in repeated
        ],
        f"Offline agreement on copies of the first {repeated[0]['vertices']} vertices of {title}.",
        timed=True,
    )
    reporter.table(
        "rounds",
        ["graph", "vertices", "edges", "rounds, mean", "rounds, most", "log2 n"],
        [
            [
                *graph_of(row),
                round(float(np.mean(row["rounds"])), 2),
                max(row["rounds"]),
                round(float(np.log2(row["vertices"])), 1),
            ]
            for row in pivot
        ],
        f"Rounds of parallel Pivot in {config.orders} random orders.",
    )
    reporter.table(
        "pivot",
        ["graph", "vertices", "edges", "milliseconds"],
        [[*graph_of(row), round(1000 * row["seconds"], 2)] for row in pivot],
        "Parallel Pivot in one order, compilation not included.",
        timed=True,
    )
    for row in online:
        for rule, label in RULES.items():
            reporter.timing(f"seconds, {label}, {row['arrivals']} arrivals", row["seconds"][rule])
    for row in offline:
        for engine, seconds in row["seconds"].items():
            reporter.timing(f"seconds, {ENGINES[engine]}, {row['vertices']} vertices", seconds)
    for row in repeated:
        reporter.timing(f"seconds, {row['copies']} copies", row["seconds"])
    for row in pivot:
        reporter.timing(f"seconds, Pivot, {row['name']}", row["seconds"])


def graph_of(row: Mapping[str, Any]) -> tuple[str, int, int]:
    """Name and sizes of a graph."""
    return TITLES.get(row["name"], "random"), row["vertices"], row["edges"]


def per_arrival(seconds: float, row: Mapping[str, Any]) -> float:
    """Microseconds."""
    return 1e6 * seconds / int(row["arrivals"])


def draw_arrivals(config: Any, online: Rows, reporter: Reporter) -> None:
    """Microseconds for an arrival against the number of arrivals."""
    figure, ax = plotting.new_figure(panel=(6.4, 3.8))
    arrivals = [row["arrivals"] for row in online]
    for rule, label in RULES.items():
        times = [per_arrival(row["seconds"][rule], row) for row in online]
        plotting.curves(ax, arrivals, times, label=label, style=LOOKS[label])
    for which, label in enumerate(PUBLISHED):
        known = [row for row in online if official(config, row["arrivals"])[which]]
        if known:
            times = [
                per_arrival(official(config, row["arrivals"])[which] or 0.0, row) for row in known
            ]
            look = dict(LOOKS[label], linestyle="--")
            plotting.curves(ax, [row["arrivals"] for row in known], times, label=label, style=look)
    plotting.count_axis(ax, arrivals)
    ax.set_yscale("log")
    ax.set(xlabel="arrivals", ylabel="µs for each arrival", title=TITLES[config.graph])
    plotting.legend(figure)
    reporter.figure(
        "arrivals",
        figure,
        "Microseconds for each arrival; compilation, and of a scan its plan and triangles, not "
        "included; costs are counted at every change when one by one, once by a scan. Dashed, "
        "where known: the authors' program on one core of another machine.",
    )


def draw_offline(config: Any, offline: Rows, reporter: Reporter) -> None:
    """Milliseconds of every engine against the number of edges."""
    figure, ax = plotting.new_figure(panel=(6.4, 3.8))
    edges = [row["edges"] for row in offline]
    for engine, label in ENGINES.items():
        times = [1000 * row["seconds"].get(engine, np.nan) for row in offline]
        if not np.isnan(times).all():
            plotting.curves(ax, edges, times, label=label, style=ENGINE_LOOKS[label])
    plotting.count_axis(ax, edges)
    ax.set_yscale("log")
    ax.set(xlabel="edges", ylabel="milliseconds", title=f"agreement on {TITLES[config.graph]}")
    plotting.legend(figure)
    reporter.figure(
        "offline",
        figure,
        "Milliseconds of offline agreement against the number of edges, compilation not included; "
        "“triangles” without their listing, which is drawn by itself.",
    )


def draw_pivot(config: Any, pivot: Rows, reporter: Reporter) -> None:
    """Rounds of Pivot against the number of vertices."""
    figure, ax = plotting.new_figure(panel=(6.4, 3.8))
    drawn = [row for row in pivot if row["name"] not in TITLES]
    for rows, label, index in (
        (drawn, "random graphs", 0),
        ([row for row in pivot if row["name"] in TITLES], "other graphs", 1),
    ):
        if rows:
            rows = sorted(rows, key=lambda row: row["vertices"])
            mean = [np.mean(row["rounds"]) for row in rows]
            spread = [
                [middle - min(row["rounds"]) for middle, row in zip(mean, rows, strict=True)],
                [max(row["rounds"]) - middle for middle, row in zip(mean, rows, strict=True)],
            ]
            ax.errorbar(
                [row["vertices"] for row in rows],
                mean,
                spread,
                label=label,
                color=plotting.COLOURS[index],
                marker="os"[index],
                linestyle="-" if index == 0 else "none",
                capsize=3,
            )
    vertices = np.array(sorted({row["vertices"] for row in pivot}))
    ax.plot(vertices, np.log2(vertices), label="log2 n", color=plotting.COLOURS[6], linestyle=":")
    plotting.count_axis(ax, vertices.tolist())
    ax.set_ylim(bottom=0)
    ax.set(xlabel="vertices", ylabel="rounds", title="parallel Pivot")
    plotting.legend(figure)
    reporter.figure(
        "pivot",
        figure,
        f"Rounds of parallel Pivot: mean, least and most of {config.orders} random orders; random "
        f"graphs have {config.pivot_degree:g} neighbours or so on average.",
    )
