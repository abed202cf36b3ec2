"""How long arrivals and offline clusterings take, and in how many rounds Pivot is done.

Arrivals: all in one program, and one call each, for more and more vertices of one graph. Offline:
agreement with common neighbours counted in three ways, next to SciPy and networkx, and on copies of
one graph. Pivot: rounds and time on random graphs and on a real one.
"""

import functools
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from jaxlab.experiments.correlation_clustering.streams import GraphName, Stream, load_stream
from jaxlab.experiments.correlation_clustering.throughput_claims import CLAIMS, judge
from jaxlab.experiments.correlation_clustering.throughput_measures import (
    arrivals_one_by_one,
    arrivals_together,
    copies,
    random_edges,
    seconds_of_pivot,
    seconds_offline,
    several_rounds,
)
from jaxlab.experiments.correlation_clustering.throughput_report import (
    draw_arrivals,
    draw_offline,
    draw_pivot,
    tabulate,
)
from jaxlab.experiments.interface import Count, Positive, Reporter, Share, config

__all__ = ["CLAIMS", "Config", "run"]

Sizes = Annotated[tuple[Annotated[int, Field(ge=10)], ...], Field(min_length=1)]


@config
class Config:
    """Sizes of the three parts; times are medians of ``repeats`` calls.

    The first vertices of ``graph`` in the order of ``seed``: ``arrivals`` of them for the online
    algorithms, ``offline`` for the offline ones, dense matrices for up to ``dense_up_to``; and
    ``copies`` of the first ``copied``. Pivot in ``orders`` orders on random graphs of
    ``pivot_vertices`` with ``pivot_degree`` neighbours on average, and on ``pivot_graphs``. The
    time of arrivals one by one is that of a single pass.
    """

    graph: GraphName
    seed: Annotated[int, Field(ge=0)]
    beta: Share
    lam: Share
    repeats: Count
    arrivals: Sizes
    offline: Sizes
    dense_up_to: Annotated[int, Field(ge=0, le=16_000)]
    copied: Annotated[int, Field(ge=10)]
    copies: Annotated[tuple[Count, ...], Field(min_length=2)]
    pivot_vertices: Sizes
    pivot_degree: Positive
    pivot_graphs: tuple[GraphName, ...]
    orders: Count


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Time the three parts and check that all ways agree."""
    thresholds = {"beta": config.beta, "lam": config.lam}
    arriving, standing = (
        [load_stream(config.graph, config.seed, count)[0] for count in counts]
        for counts in (config.arrivals, config.offline)
    )
    copied = load_stream(config.graph, config.seed, config.copied)[0]
    together = {stream.arrivals: stream for stream in arriving}  # a graph may have fewer
    whole = {stream.arrivals: stream for stream in standing}
    reporter.plan(
        len(together) + len(whole) + len(config.pivot_vertices) + len(config.pivot_graphs)
    )
    online = [follow(config, together[count], thresholds, reporter) for count in sorted(together)]
    offline: list[dict[str, Any]] = []
    for count in sorted(whole):
        seconds, equal = seconds_offline(
            whole[count], dense_up_to=config.dense_up_to, repeats=config.repeats, **thresholds
        )
        row = reporter.cell(
            f"offline/n={count}",
            functools.partial(dict, vertices=count, edges=len(whole[count].edges), equal=equal),
        )
        offline.append(row | {"seconds": seconds})
    repeated = [
        copies(copied, count, repeats=config.repeats, **thresholds)
        for count in sorted(config.copies)
    ]
    pivot = [
        pivot_of(config, f"n={n}", random_edges(n, config.pivot_degree, config.seed), n, reporter)
        for n in sorted(config.pivot_vertices)
    ]
    for graph in config.pivot_graphs:
        edges, n = load_stream(graph, config.seed, 2**31)[0]
        pivot.append(pivot_of(config, graph, edges, n, reporter))
    tabulate(config, online, offline, repeated, pivot, reporter)
    draw_arrivals(config, online, reporter)
    draw_offline(config, offline, reporter)
    draw_pivot(config, pivot, reporter)
    judge(config, online, offline, repeated, pivot, reporter)


def follow(
    config: Config, stream: Stream, thresholds: dict[str, float], reporter: Reporter
) -> dict[str, Any]:
    """Seconds for the first arrivals, together and one by one, and whether they end alike."""
    together, last = arrivals_together(stream, repeats=config.repeats, **thresholds)
    seconds, equal = arrivals_one_by_one(stream, last, **thresholds)
    row: dict[str, Any] = reporter.cell(
        f"online/n={stream.arrivals}",
        lambda: {"arrivals": stream.arrivals, "edges": len(stream.edges), "equal": equal},
    )
    return row | {"seconds": together | {"step": seconds}}


def pivot_of(config: Config, name: str, edges: Any, n: int, reporter: Reporter) -> dict[str, Any]:
    """Rounds of every order, and seconds of one."""
    rounds = reporter.cell(
        f"pivot/{name}",
        functools.partial(several_rounds, edges, n, config.orders, config.seed),
    )
    seconds = seconds_of_pivot(edges, n, config.seed, config.repeats)
    return {"name": name, "vertices": n, "edges": len(edges), "rounds": rounds, "seconds": seconds}
