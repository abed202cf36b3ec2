"""Changes that no good clustering can avoid: a core that joins ever larger cliques.

A small clique arrives first, then clique after clique, each larger by a factor and joined to the
core alone. After each of these phases no clustering within ``1 + (base − 2)/core`` times the
optimum leaves a vertex of the core behind, where ``base`` is that factor and ``core`` the number of
its vertices: all are with the newest clique. So the core moves about as often as there are phases.
"""

import functools
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from jaxlab import correlation_clustering as cc
from jaxlab.checks import require
from jaxlab.experiments.correlation_clustering.lower_bound_report import (
    CLAIMS,
    draw_changes,
    draw_costs,
    judge,
    tabulate,
)
from jaxlab.experiments.correlation_clustering.streams import (
    METHODS,
    Method,
    Room,
    Stream,
    follow,
    plan_of,
    room_for,
)
from jaxlab.experiments.interface import IN_ORDER, Count, Counts, Reporter, Share, config
from jaxlab.graphs import to_edges

__all__ = ["CLAIMS", "Config", "run"]


@config
class Config:
    """Streams of a core of ``core`` vertices.

    A clique of ``core · baseⁱ`` vertices in phase ``i``, up to ``phases[j]`` phases for
    ``bases[j]``; online Pivot with ``ranks`` random ranks.
    """

    core: Count
    bases: Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=1)]
    phases: Annotated[Counts, IN_ORDER]
    beta: Share
    lam: Share
    ranks: Count

    def __post_init__(self) -> None:
        """Every base has its phases."""
        fits = len(self.phases) == len(self.bases)
        require(fits, "phases", self.phases, f"as many entries as bases ({len(self.bases)})")


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Follow the streams up to the end of every phase."""
    ends = {
        base: phase_ends(config.core, base, phases)
        for base, phases in zip(config.bases, config.phases, strict=True)
    }
    most = max(places[-1] for places in ends.values())
    streams = {
        base: stream_of(config.core, base, len(places), most) for base, places in ends.items()
    }
    room = room_for(streams.values())
    reporter.plan(sum(len(places) for places in ends.values()))
    cells = {
        (base, phase): reporter.cell(
            f"base={base}/phase={phase}",
            functools.partial(measure, config, streams[base].until(arrived), room, arrived),
        )
        for base, places in ends.items()
        for phase, arrived in enumerate(places, start=1)
    }
    tabulate(config, cells, reporter)
    draw_changes(config, cells, reporter)
    draw_costs(config, cells, reporter)
    judge(config, cells, reporter)


def phase_ends(core: int, base: int, phases: int) -> list[int]:
    """How many vertices there are after each phase."""
    sizes = [core * base**i for i in range(phases + 1)]
    return np.cumsum(sizes)[1:].tolist()


def stream_of(core: int, base: int, phases: int, arrivals: int) -> Stream:
    """Core and cliques, and then vertices without edges up to so many arrivals."""
    return Stream(to_edges(cc.geometric_cliques(core, base, phases)), arrivals)


def measure(config: Config, stream: Stream, room: Room, arrived: int) -> dict[str, Any]:
    """Changes of the core's first vertex, of any vertex, and cost, by every algorithm."""
    plan = plan_of(stream, room)
    options: dict[str, Any] = {"beta": config.beta, "lam": config.lam, "every": stream.arrivals}
    runs: dict[Method, list[Any]] = {}
    for method in ("consistent", "published"):
        # all edges may agree
        traces = follow(plan, method, seed=0, active_capacity=room.edges, **options)
        runs |= {name: [trace] for name, trace in traces.items()}
    runs["pivot"] = [
        follow(plan, "pivot", seed=seed, **options)["pivot"] for seed in range(config.ranks)
    ]
    return {
        "arrivals": arrived,
        "core": {name: [int(trace.changes[0]) for trace in runs[name]] for name in METHODS},
        "most": {name: [int(trace.changes.max()) for trace in runs[name]] for name in METHODS},
        "cost": {name: [int(trace.cost[-1]) for trace in runs[name]] for name in METHODS},
    }
