"""Graphs whose vertices arrive one after the other, and the algorithms that follow them.

Streams that are given the same room share compiled algorithms. A prefix of a stream is that stream
without the edges of later vertices, which then arrive alone and change nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxlab.data
from jaxlab import correlation_clustering as cc
from jaxlab.checks import require
from jaxlab.graphs import graph_from_edges, list_triangles, to_edges

__all__ = [
    "METHODS",
    "PLANTED",
    "TITLES",
    "GraphName",
    "Method",
    "Room",
    "Stream",
    "Trace",
    "changes_bound",
    "follow",
    "load_graph",
    "load_stream",
    "plan_of",
    "room_for",
]

PLANTED = "planted"  # the one graph that is made here, and needs no data
GraphName = Literal[
    "musae_facebook", "ca_astroph", "cit_hepth", "email_enron", "ego_facebook", "planted"
]
Method = Literal["pivot", "off", "published", "consistent"]

METHODS: Mapping[Method, str] = {
    "pivot": "online Pivot",
    "off": "Agree-Off",
    "published": "Agree-On, published ids",
    "consistent": "Agree-On, consistent ids",
}


TITLES: Mapping[str, str] = {
    "musae_facebook": "Facebook pages",
    "ca_astroph": "ca-AstroPh",
    "cit_hepth": "cit-HepTh",
    "email_enron": "email-Enron",
    "ego_facebook": "ego-Facebook",
    PLANTED: "planted cliques",
}
CLIQUES, NOISE = (20,) * 50, 0.002  # their sizes, and the share of all pairs that is flipped


class Stream(NamedTuple):
    """Vertices by their arrival.

    Attributes:
        edges: pairs of arrivals, ``[m, 2]``.
        arrivals: number of vertices.
    """

    edges: np.ndarray
    arrivals: int

    def until(self, arrived: int) -> "Stream":
        """As many arrivals, of which only the first ``arrived`` have edges."""
        return Stream(self.edges[(self.edges < arrived).all(axis=1)], self.arrivals)


class Room(NamedTuple):
    """Numbers of edges and of triangles that every stream of an experiment fits into."""

    edges: int
    triangles: int


class Trace(NamedTuple):
    """What an algorithm did, one entry for each arrival, and for each vertex in ``changes``.

    Costs are counted at some arrivals and repeated until the next.
    """

    cost: np.ndarray
    recourse: np.ndarray
    changes: np.ndarray


def load_graph(name: GraphName) -> tuple[np.ndarray, int, np.ndarray | None]:
    """Edges, number of vertices, and the dates of these, None where they have none."""
    if name == PLANTED:
        graph = cc.planted_partition(jax.random.key(0), CLIQUES, 1 - NOISE, NOISE).graph
        return to_edges(graph), sum(CLIQUES), None
    data = jaxlab.data.load(name)
    return np.asarray(data["edges"]), int(data["num_nodes"]), data.arrays.get("arrival_key")


def load_stream(name: GraphName, seed: int, arrivals: int) -> tuple[Stream, bool]:
    """The first ``arrivals`` vertices of a graph, or all that it has, and whether they are dated.

    Dated vertices arrive by date, all others at the places of a permutation drawn with ``seed``.

    Raises:
        ValueError: no two of them are joined: there is nothing to cluster.
    """
    edges, n, dates = load_graph(name)
    if dates is None:
        place = np.random.default_rng(seed).permutation(n)
    else:
        place = np.empty(n, np.int64)
        place[np.argsort(dates, kind="stable")] = np.arange(n)
    count = min(n, arrivals)
    edges = place[edges]
    edges = edges[(edges < count).all(axis=1)]
    require(len(edges) > 0, f"first {count} vertices of {name}", 0, "at least one edge")
    return Stream(edges, count), dates is not None


def room_for(streams: Iterable[Stream]) -> Room:
    """The least room that all of them fit into."""
    sizes = [
        (len(edges), len(list_triangles(graph_from_edges(edges, count)).vertices))
        for edges, count in streams
    ]
    return Room(max(size[0] for size in sizes), max(size[1] for size in sizes))


def plan_of(stream: Stream, room: Room) -> cc.ArrivalPlan:
    """The stream's arrivals, with this much room."""
    return cc.make_arrival_plan(
        stream.edges,
        np.arange(stream.arrivals),
        edge_capacity=room.edges,
        triangle_capacity=room.triangles,
    )


def follow(
    plan: cc.ArrivalPlan,
    method: Method,
    *,
    beta: float,
    lam: float,
    every: int,
    seed: int,
    active_capacity: int = 4096,
) -> dict[Method, Trace]:
    """Follow arrivals with one algorithm, counting costs at every so many of them.

    Returns:
        Its trace, and for the maintained ids also that of the agreement clusters beneath them.
    """
    if method == "pivot":
        ranks = np.random.default_rng([seed, 1]).permutation(plan.num_nodes)
        run = cc.run_online_pivot(plan, jnp.asarray(ranks, jnp.int32), metrics_every=every)
        return {"pivot": _trace(run.cost, run.recourse, run.per_vertex_recourse)}
    state, metrics = cc.run_online(
        plan,
        beta=beta,
        lam=lam,
        rule=method,
        metrics_every=every,
        active_capacity=active_capacity,
    )
    off = _trace(metrics.cost_off, metrics.recourse_off, state.per_vertex_recourse_off)
    if method == "off":
        return {"off": off}
    on = _trace(metrics.cost_on, metrics.recourse_on, state.per_vertex_recourse)
    return {"off": off, method: on}


def changes_bound(arrivals: int) -> int:
    """``⌈log_1.5 n⌉``: how often a cluster of at most ``n`` can grow by half."""
    return int(np.ceil(np.log(arrivals) / np.log(1.5)))


def _trace(cost: jnp.ndarray, recourse: jnp.ndarray, changes: jnp.ndarray) -> Trace:
    return Trace(*[np.asarray(part, np.int64) for part in (cost, recourse, changes)])
