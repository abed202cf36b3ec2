"""Cost and recourse on social networks whose vertices arrive one after the other.

Each graph's vertices arrive in random orders, or by date. After every arrival there are clusters by
online Pivot, by agreement computed anew (Agree-Off), and by maintained ids (Agree-On, in the
version of the published program and in the consistent one). A second part follows prefixes of the
first order again, for the time and the largest number of changes of a vertex up to there.
"""

import functools
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from jaxlab.experiments.correlation_clustering.online_claims import CLAIMS, judge
from jaxlab.experiments.correlation_clustering.online_report import (
    draw_cost,
    draw_recourse,
    draw_time,
    tabulate,
)
from jaxlab.experiments.correlation_clustering.streams import (
    METHODS,
    GraphName,
    Method,
    Room,
    Stream,
    follow,
    load_stream,
    plan_of,
    room_for,
)
from jaxlab.experiments.interface import Count, Reporter, Share, config

__all__ = ["CLAIMS", "Config", "run"]


@config
class Config:
    """What arrives, and where it is looked at.

    The first ``arrivals`` vertices of each graph, in orders of the seeds below ``seeds``; costs at
    every ``every``-th; thresholds ``beta`` and ``lam``. The ``timed`` algorithms follow the first
    order again up to each of ``prefixes``, which are shares of the arrivals.
    """

    graphs: Annotated[tuple[GraphName, ...], Field(min_length=1)]
    arrivals: Annotated[int, Field(ge=10)]
    seeds: Count
    beta: Share
    lam: Share
    every: Count
    timed: tuple[Method, ...]
    prefixes: Annotated[
        tuple[Annotated[float, Field(gt=0, le=1)], ...],
        Field(min_length=1),
    ]


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Follow every order of every graph, then prefixes of the first orders."""
    streams: dict[GraphName, list[Stream]] = {}
    for graph in config.graphs:
        stream, dated = load_stream(graph, 0, config.arrivals)
        others = range(1, 1 if dated else config.seeds)
        rest = [load_stream(graph, seed, config.arrivals)[0] for seed in others]
        streams[graph] = [stream, *rest]
    room = room_for(stream for orders in streams.values() for stream in orders)
    reporter.plan(sum(len(orders) for orders in streams.values()))
    cells: dict[str, list[Any]] = {}
    prefixes: dict[str, list[dict[str, Any]]] = {}
    for graph, orders in streams.items():
        cells[graph] = [
            reporter.cell(
                f"graph={graph}/seed={seed}",
                functools.partial(measure, config, stream, room, seed),
            )
            for seed, stream in enumerate(orders)
        ]
        prefixes[graph] = look_again(config, orders[0], room)
        for row in prefixes[graph]:
            for method, seconds in row["seconds"].items():
                reporter.timing(f"seconds, {method}, {graph}, {row['arrivals']}", seconds)
    tabulate(config, cells, prefixes, reporter)
    draw_cost(config, cells, reporter)
    draw_recourse(config, cells, prefixes, reporter)
    draw_time(config, prefixes, reporter)
    judge(config, cells, reporter)


def measure(config: Config, stream: Stream, room: Room, seed: int) -> dict[str, Any]:
    """Cost and recourse of all algorithms on one order, at the arrivals where costs are counted."""
    options: dict[str, Any] = {
        "beta": config.beta,
        "lam": config.lam,
        "every": config.every,
        "seed": seed,
    }
    plan = plan_of(stream, room)
    traces = follow(plan, "consistent", **options)
    traces |= follow(plan, "published", **options)
    traces |= follow(plan, "pivot", **options)
    places = list(range(config.every - 1, stream.arrivals, config.every))
    if not places or places[-1] != stream.arrivals - 1:
        places.append(stream.arrivals - 1)
    newer = np.bincount(stream.edges.max(axis=1), minlength=stream.arrivals)
    return {
        "arrivals": [place + 1 for place in places],
        "singletons": np.cumsum(newer)[places].tolist(),
        "cost": {method: traces[method].cost[places].tolist() for method in METHODS},
        "recourse": {
            method: np.cumsum(traces[method].recourse)[places].tolist() for method in METHODS
        },
        "most": {method: int(traces[method].changes.max()) for method in METHODS},
    }


def look_again(config: Config, stream: Stream, room: Room) -> list[dict[str, Any]]:
    """Seconds of each timed algorithm up to each prefix, and its most changed vertex's changes."""
    options: dict[str, Any] = {
        "beta": config.beta,
        "lam": config.lam,
        "every": config.every,
        "seed": 0,
    }
    whole = plan_of(stream, room)
    for method in config.timed:  # compiles every capacity that the stream or a part of it needs
        follow(whole, method, **options)
    rows = []
    # shares of few arrivals may round to the same number
    for arrived in sorted({max(1, round(share * stream.arrivals)) for share in config.prefixes}):
        row: dict[str, Any] = {"arrivals": arrived, "seconds": {}, "most": {}}
        part = plan_of(stream.until(arrived), room)
        for method in config.timed:
            began = time.perf_counter()
            traces = follow(part, method, **options)
            row["seconds"][method] = time.perf_counter() - began
            row["most"] |= {name: int(trace.changes.max()) for name, trace in traces.items()}
        rows.append(row)
    return rows
