"""Agree-On and then local moves, of which each vertex has but a few: cost against changes.

Agree-On's clusters are held as they are, or improved by local moves: once after the last arrival,
or at checkpoints all along, where vertices that have moved stay with those they moved to. The same
costs without a budget: local moves, and Leiden, from scratch at every checkpoint.
"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import jax
from pydantic import Field

from jaxlab.checks import require
from jaxlab.experiments.correlation_clustering import leiden
from jaxlab.experiments.correlation_clustering.refined_measures import (
    Stage,
    measure_anew,
    measure_leiden,
    measure_streams,
    refine,
    stages_of,
)
from jaxlab.experiments.correlation_clustering.refined_report import (
    CLAIMS,
    draw_cost,
    draw_frontier,
    judge,
    tabulate,
)
from jaxlab.experiments.correlation_clustering.streams import (
    GraphName,
    Room,
    Stream,
    load_stream,
    room_for,
)
from jaxlab.experiments.interface import Count, Counts, Reporter, Share, config

__all__ = ["CLAIMS", "Config", "run"]


@config
class Config:
    """What arrives, and how often vertices may move.

    The first ``arrivals`` vertices of each graph, in the order of ``seed`` or by date; as many
    ``checkpoints``, equally far apart; ``rounds`` of local moves at each. A vertex may move as
    often as each of ``budgets`` says, all checkpoints together.
    """

    graphs: Annotated[tuple[GraphName, ...], Field(min_length=1)]
    arrivals: Annotated[int, Field(ge=10)]
    seed: Annotated[int, Field(ge=0)]
    beta: Share
    lam: Share
    checkpoints: Annotated[int, Field(ge=2)]
    rounds: Count
    budgets: Counts

    def __post_init__(self) -> None:
        """Something arrives before every checkpoint."""
        fits = self.checkpoints <= self.arrivals
        require(fits, "checkpoints", self.checkpoints, f"at most the arrivals, {self.arrivals}")


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Follow every graph, and refine with every budget, once and all along."""
    streams = {
        graph: load_stream(graph, config.seed, config.arrivals)[0] for graph in config.graphs
    }
    room = room_for(streams.values())
    peer = leiden.installed()
    reporter.plan(len(streams) * (2 + peer + 2 * len(config.budgets)))
    cells: dict[str, Any] = {
        graph: follow_graph(config, graph, stream, room, peer, reporter)
        for graph, stream in streams.items()
    }
    tabulate(config, cells, reporter)
    draw_frontier(config, cells, reporter)
    draw_cost(config, cells, reporter)
    judge(config, cells, reporter)


def follow_graph(
    config: Config, graph: str, stream: Stream, room: Room, peer: bool, reporter: Reporter
) -> dict[str, Any]:
    """All that is measured on one graph."""
    thresholds = {"beta": config.beta, "lam": config.lam}
    key = jax.random.key(config.seed)

    @functools.cache
    def stages() -> Sequence[Stage]:
        return stages_of(stream, room, config.checkpoints, **thresholds)

    def cell(name: str, compute: Callable[[], Any]) -> Any:
        return reporter.cell(f"graph={graph}/{name}", compute)

    found = {
        "streams": cell(
            "streams",
            lambda: measure_streams(stages(), stream, room, seed=config.seed, **thresholds),
        ),
        "anew": cell("anew", lambda: measure_anew(stages(), config.rounds, key)),
    }
    if peer:
        found["leiden"] = cell("leiden", lambda: measure_leiden(stages(), config.seed))

    def refined(first: int, budget: int) -> dict[str, Any]:
        return refine(stages()[first:], budget, config.rounds, key)

    for schedule, first in (("once", -1), ("along", 0)):
        found[schedule] = {
            budget: cell(f"{schedule}/budget={budget}", functools.partial(refined, first, budget))
            for budget in config.budgets
        }
    return found
