"""Times of online and offline clusterings, by this library and by others."""

import functools
import importlib
import importlib.util
import time
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse
import scipy.sparse.csgraph

from jaxlab import correlation_clustering as cc
from jaxlab.experiments.correlation_clustering.streams import Stream, plan_of, room_for
from jaxlab.experiments.measure import interleaved_seconds, median_seconds
from jaxlab.graphs import graph_from_edges, list_triangles

__all__ = [
    "ENGINES",
    "RULES",
    "arrivals_one_by_one",
    "arrivals_together",
    "copies",
    "random_edges",
    "seconds_of_pivot",
    "seconds_offline",
    "several_rounds",
]

RULES: Mapping[str, str] = {
    "off": "scan, agreement",
    "consistent": "scan, with ids",
    "step": "one by one, with ids",
}
ENGINES: Mapping[str, str] = {
    "triangles": "triangles",
    "listing": "listing of triangles",
    "bitset": "bitset",
    "dense": "dense",
    "scipy": "SciPy",
    "networkx": "networkx",
}
STEP = 8  # room for an arrival's neighbours is a power of this


def arrivals_together(
    stream: Stream, *, repeats: int, beta: float, lam: float
) -> tuple[dict[str, float], cc.OnlineState]:
    """Seconds of all arrivals in one program by each rule, and the state with ids at the end."""
    plan = plan_of(stream, room_for([stream]))

    def follow(rule: str) -> cc.OnlineState:
        return cc.run_online(plan, beta=beta, lam=lam, rule=rule, metrics_every=stream.arrivals)[0]

    rules = ("off", "consistent")
    calls = {rule: functools.partial(follow, rule) for rule in rules}
    return interleaved_seconds(calls, repeats=repeats), follow("consistent")


def arrivals_one_by_one(
    stream: Stream, last: cc.OnlineState, *, beta: float, lam: float
) -> tuple[float, bool]:
    """Seconds of all arrivals in one call each, compiled before, and whether they end in ``last``.

    Neighbours are padded to a few lengths, each of which is a program.
    """
    ends = np.sort(stream.edges, axis=1)
    ends = ends[np.lexsort((ends[:, 0], ends[:, 1]))]
    near = np.split(ends[:, 0], np.searchsorted(ends[:, 1], np.arange(1, stream.arrivals)))
    padded = [
        jnp.asarray(np.pad(row, (0, padding(len(row)) - len(row)), constant_values=-1), jnp.int32)
        for row in near
    ]
    degree = np.bincount(stream.edges.ravel(), minlength=1).max()
    begin = functools.partial(
        cc.init_online,
        stream.arrivals,
        degree_capacity=max(1, int(degree)),
        edge_capacity=max(1, len(stream.edges)),
        active_capacity=last.active.shape[0],
    )
    # the state before is not needed again
    step = jax.jit(functools.partial(cc.online_step, beta=beta, lam=lam), donate_argnums=0)
    for length in {len(row) for row in padded}:
        jax.block_until_ready(step(begin(), jnp.full(length, -1, jnp.int32)))
    state = jax.block_until_ready(begin())
    began = time.perf_counter()
    for row in padded:
        state, _ = step(state, row)
    jax.block_until_ready(state)
    seconds = time.perf_counter() - began
    same = [
        np.array_equal(getattr(state.online, name), getattr(last, name))
        for name in ("agreement_labels", "maintained", "per_vertex_recourse")
    ]
    return seconds, all(same) and not bool(state.online.overflow)


def padding(length: int) -> int:
    """The least power of ``STEP`` that is no less."""
    room = STEP
    while room < length:
        room *= STEP
    return room


def seconds_offline(
    stream: Stream, *, dense_up_to: int, repeats: int, beta: float, lam: float
) -> tuple[dict[str, float], bool]:
    """Seconds of agreement by each engine and peer, and whether all give the same clusters."""
    edges, n = stream
    graph = graph_from_edges(edges, n)
    triangles = jnp.asarray(list_triangles(graph).edges)

    def ours(method: str, triangles: Any = None) -> np.ndarray:
        return np.asarray(
            cc.agreement_clustering(graph, beta, lam, method=method, triangles=triangles)
        )

    calls: dict[str, Callable[[], Any]] = {
        "triangles": functools.partial(ours, "triangles", triangles),
        "bitset": functools.partial(ours, "bitset"),
        "scipy": functools.partial(with_scipy, edges, n, beta, lam),
    }
    if n <= dense_up_to:
        calls["dense"] = functools.partial(ours, "dense")
    if importlib.util.find_spec("networkx") is not None:
        networkx = importlib.import_module("networkx")
        known = networkx.Graph()
        known.add_nodes_from(range(n))
        known.add_edges_from(edges.tolist())
        calls["networkx"] = functools.partial(with_networkx, networkx, known, beta, lam)
    found = [call() for call in calls.values()]
    equal = all(np.array_equal(found[0], labels) for labels in found)
    seconds = interleaved_seconds(calls, repeats=repeats)
    seconds["listing"] = median_seconds(lambda: list_triangles(graph), repeats=repeats)
    return seconds, equal


def with_scipy(edges: np.ndarray, n: int, beta: float, lam: float) -> np.ndarray:
    """Agreement by sparse products: least vertex of each cluster."""
    (p, q), (r, s) = fraction(beta), fraction(lam)
    first, second = edges.T
    ones = np.ones(2 * len(edges) + n, np.int32)
    rows = np.concatenate([first, second, np.arange(n)])
    columns = np.concatenate([second, first, np.arange(n)])
    closed = scipy.sparse.csr_array((ones, (rows, columns)), shape=(n, n))
    # row by row, the product at the edges alone
    common = np.asarray((closed[first].multiply(closed[second])).sum(axis=1)).ravel()
    degree = np.bincount(rows, minlength=n)
    agree = q * (degree[first] + degree[second] - 2 * common) <= p * np.maximum(
        degree[first], degree[second]
    )
    agreeing = np.bincount(np.concatenate([first[agree], second[agree]]), minlength=n)
    heavy = s * (degree - agreeing - 1) <= r * degree
    kept = agree & (heavy[first] | heavy[second])
    links = scipy.sparse.csr_array(
        (np.ones(kept.sum(), bool), (first[kept], second[kept])), shape=(n, n)
    )
    labels = scipy.sparse.csgraph.connected_components(links, directed=False)[1]
    least = np.full(n, n)
    np.minimum.at(least, labels, np.arange(n))
    return least[labels]


def fraction(threshold: float) -> tuple[int, int]:
    """Numerator and denominator, so that ties are decided exactly."""
    return Fraction(threshold).limit_denominator(10_000).as_integer_ratio()


def with_networkx(networkx: Any, graph: Any, beta: float, lam: float) -> np.ndarray:
    """Agreement by sets of neighbours: least vertex of each cluster."""
    (p, q), (r, s) = fraction(beta), fraction(lam)
    near = {v: {v, *graph[v]} for v in graph}
    agree = [
        (u, v)
        for u, v in graph.edges
        if q * len(near[u] ^ near[v]) <= p * max(len(near[u]), len(near[v]))
    ]
    agreeing = dict.fromkeys(graph, 0)
    for edge in agree:
        for v in edge:
            agreeing[v] += 1
    heavy = {v: s * (len(near[v]) - agreeing[v] - 1) <= r * len(near[v]) for v in graph}
    kept = networkx.Graph()
    kept.add_nodes_from(graph)
    kept.add_edges_from((u, v) for u, v in agree if heavy[u] or heavy[v])
    labels = np.empty(len(near), np.int64)
    for cluster in networkx.connected_components(kept):
        labels[list(cluster)] = min(cluster)
    return labels


def copies(stream: Stream, count: int, *, repeats: int, beta: float, lam: float) -> dict[str, Any]:
    """Seconds of agreement, triangles listed, on ``count`` copies of a graph side by side.

    Vertices are those of one copy, edges and triangles those of all.
    """
    edges, n = stream
    shifted = (edges[None] + n * np.arange(count)[:, None, None]).reshape(-1, 2)
    graph = graph_from_edges(shifted, n * count)
    triangles = jnp.asarray(list_triangles(graph).edges)
    call = functools.partial(
        cc.agreement_clustering, graph, beta, lam, method="triangles", triangles=triangles
    )
    seconds = median_seconds(call, repeats=repeats)
    sizes = {"vertices": n, "edges": len(shifted), "triangles": len(triangles)}
    return {"copies": count, **sizes, "seconds": seconds}


def random_edges(n: int, degree: float, seed: int) -> np.ndarray:
    """About ``n degree / 2`` different pairs of vertices, ``[m, 2]``."""
    rng = np.random.default_rng([seed, n])
    drawn = rng.integers(0, n, (round(n * degree / 2), 2))
    return np.unique(np.sort(drawn[drawn[:, 0] != drawn[:, 1]], axis=1), axis=0)


def several_rounds(edges: np.ndarray, n: int, orders: int, seed: int) -> list[int]:
    """Rounds of parallel Pivot, one number for each random order."""
    rng = np.random.default_rng([seed, n, 1])
    return [rounds_of(edges, rng.permutation(n)) for _ in range(orders)]


def rounds_of(edges: np.ndarray, ranks: np.ndarray) -> int:
    """Rounds until every vertex is a pivot or next to one.

    In a round all vertices enter that have no undecided neighbour of lesser rank.
    """
    n = len(ranks)
    ends = np.concatenate([edges, edges[:, ::-1]])
    undecided, rounds = np.ones(n, bool), 0
    while undecided.any():
        ends = ends[undecided[ends].all(axis=1)]
        least = np.full(n, n)
        np.minimum.at(least, ends[:, 0], ranks[ends[:, 1]])
        enters = undecided & (ranks < least)
        undecided &= ~enters
        undecided[ends[enters[ends[:, 0]], 1]] = False
        rounds += 1
    return rounds


def seconds_of_pivot(edges: np.ndarray, n: int, seed: int, repeats: int) -> float:
    """Seconds of parallel Pivot in one order."""
    graph = graph_from_edges(edges, n)
    ranks = jnp.asarray(np.random.default_rng([seed, n, 2]).permutation(n), jnp.int32)
    return median_seconds(cc.pivot_clustering, graph, ranks, repeats=repeats)
