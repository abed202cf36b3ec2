"""Agree-On whose clusters are improved by local moves at checkpoints, and what it is held to."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxlab import correlation_clustering as cc
from jaxlab.experiments.correlation_clustering.leiden import leiden
from jaxlab.experiments.correlation_clustering.streams import Room, Stream, follow, plan_of
from jaxlab.graphs import Graph, graph_from_edges, to_edges

__all__ = [
    "Stage",
    "checkpoints",
    "measure_anew",
    "measure_leiden",
    "measure_streams",
    "overlay",
    "refine",
    "stages_of",
]


class Stage(NamedTuple):
    """What there is at a checkpoint.

    Attributes:
        arrived: number of vertices that have arrived.
        graph: their edges, with the stream's room.
        ids: Agree-On's ids, ``[n]``; of vertices to come, each its own.
        changes: how often Agree-On has changed each vertex's cluster, ``[n]``.
        metrics: what Agree-On reports of each arrival.
    """

    arrived: int
    graph: Graph
    ids: np.ndarray
    changes: np.ndarray
    metrics: cc.StepMetrics


def checkpoints(arrivals: int, count: int) -> list[int]:
    """``count`` numbers of arrivals, equally far apart, the last of which is all."""
    return [arrivals * (place + 1) // count for place in range(count)]


def stages_of(stream: Stream, room: Room, count: int, *, beta: float, lam: float) -> list[Stage]:
    """The checkpoints of a stream that Agree-On follows."""
    stages = []
    for arrived in checkpoints(stream.arrivals, count):
        part = stream.until(arrived)
        state, metrics = cc.run_online(
            plan_of(part, room), beta=beta, lam=lam, metrics_every=stream.arrivals
        )
        graph = graph_from_edges(
            part.edges, arrived, node_capacity=stream.arrivals, edge_capacity=room.edges
        )
        ids, changes = np.asarray(state.maintained), np.asarray(state.per_vertex_recourse)
        stages.append(Stage(arrived, graph, ids, changes, metrics))
    return stages


def overlay(held: np.ndarray, moved: np.ndarray, there: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Clusters after Agree-On has gone on: moved vertices go where those they were with now are.

    A vertex that was never moved has Agree-On's id. A moved one takes the id that most of the
    never moved vertices of its cluster have now, the least of equals; with none of these about, it
    stays with the others it was with.

    Args:
        held: clusters at the last checkpoint, by their least vertex.
        moved: which vertices have been moved.
        there: which vertices had arrived by then.
        ids: Agree-On's ids now.
    """
    labels = np.where(moved, ids.max(initial=0) + 1 + held, ids)
    voters = there & ~moved
    pairs, votes = np.unique(
        np.stack([held[voters], ids[voters]], axis=1), axis=0, return_counts=True
    )
    order = np.lexsort((pairs[:, 1], -votes, pairs[:, 0]))
    clusters, first = np.unique(pairs[order, 0], return_index=True)
    host = np.full(len(held), -1, np.int64)
    host[clusters] = pairs[order, 1][first]
    follows = moved & (host[held] >= 0)
    return np.where(follows, host[held], labels).astype(np.int32)


def refine(stages: Sequence[Stage], budget: int, rounds: int, key: Array) -> dict[str, Any]:
    """Local moves at every stage, at most ``budget`` of a vertex in all.

    A change of a vertex is one that Agree-On makes, a move, or that a moved vertex is carried into
    a cluster that is not the one it was in, by overlap.
    """
    n = len(stages[0].ids)
    moves, carried = np.zeros(n, np.int64), np.zeros(n, np.int64)
    held, before = np.arange(n), 0
    cost, total = [], []
    for place, stage in enumerate(stages):
        moved, there = moves > 0, np.arange(n) < before
        start = overlay(held, moved, there, stage.ids)
        apart = cc.recourse(jnp.asarray(held, jnp.int32), jnp.asarray(start), jnp.int32(before))
        carried += moved & (np.asarray(apart.per_vertex) > 0)
        found = cc.local_moves(
            jax.random.fold_in(key, place),
            stage.graph,
            jnp.asarray(start),
            rounds=rounds,
            budget=jnp.asarray(budget - moves, jnp.int32),
        )
        moves += np.asarray(found.moves)
        held, before = np.asarray(found.labels), stage.arrived
        cost.append(int(found.cost[-1]))
        total.append(int((stage.changes + moves + carried).sum()))
    changes = stages[-1].changes + moves + carried
    return {
        "arrived": [stage.arrived for stage in stages],
        "cost": cost,
        "changes": total,
        "most": int(changes.max(initial=0)),
        "moves": int(moves.max(initial=0)),
        "carried": int(carried.sum()),
    }


def measure_streams(
    stages: Sequence[Stage], stream: Stream, room: Room, *, beta: float, lam: float, seed: int
) -> dict[str, Any]:
    """Agree-On and Agree-Off at every stage, and online Pivot at the end."""
    pivot = follow(
        plan_of(stream, room), "pivot", beta=beta, lam=lam, every=stream.arrivals, seed=seed
    )["pivot"]
    last = stages[-1]
    edges = [int(stage.graph.mask.sum()) for stage in stages]
    on = [int(stage.metrics.cost_on[-1]) for stage in stages]
    off = [int(stage.metrics.cost_off[-1]) for stage in stages]
    return {
        "arrived": [stage.arrived for stage in stages],
        "edges": edges,
        "on": {
            "cost": on,
            "changes": [int(stage.changes.sum()) for stage in stages],
            "most": int(last.changes.max(initial=0)),
        },
        "off": {"cost": off, "changes": [int(np.sum(last.metrics.recourse_off))]},
        "pivot": {"cost": [int(pivot.cost[-1])], "changes": [int(pivot.recourse.sum())]},
    }


def measure_anew(stages: Sequence[Stage], rounds: int, key: Array) -> dict[str, Any]:
    """Local moves from singletons at every stage, whatever the clusters before."""
    return _follow_partitions(
        stages,
        [
            np.asarray(
                cc.local_moves(
                    jax.random.fold_in(key, place),
                    stage.graph,
                    cc.singletons(stage.graph),
                    rounds=rounds,
                ).labels
            )
            for place, stage in enumerate(stages)
        ],
    )


def measure_leiden(stages: Sequence[Stage], seed: int) -> dict[str, Any]:
    """Leiden at every stage, whatever the clusters before."""
    partitions = [
        leiden(to_edges(stage.graph), stage.graph.node_capacity, seed) for stage in stages
    ]
    return _follow_partitions(stages, partitions)


def _follow_partitions(stages: Sequence[Stage], partitions: list[np.ndarray]) -> dict[str, Any]:
    """Cost and changes by overlap of clusters found stage by stage, vertices to come alone."""
    n = len(stages[0].ids)
    held = np.arange(n, dtype=np.int32)
    changes, cost, total = np.zeros(n, np.int64), [], []
    for stage, labels in zip(stages, partitions, strict=True):
        now = jnp.asarray(labels, jnp.int32)
        # who came since the last stage has been alone
        apart = cc.recourse(jnp.asarray(held, jnp.int32), now, jnp.int32(stage.arrived))
        changes += np.asarray(apart.per_vertex)
        held = labels
        cost.append(int(cc.disagreements(stage.graph, now)))
        total.append(int(changes.sum()))
    return {"cost": cost, "changes": total, "most": int(changes.max(initial=0))}
