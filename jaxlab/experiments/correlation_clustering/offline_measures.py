"""Offline clusterings of small, planted and real graphs, and of a grid of thresholds."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import sklearn.metrics
from jaxtyping import Array

from jaxlab import correlation_clustering as cc
from jaxlab.experiments.correlation_clustering.leiden import leiden
from jaxlab.graphs import Graph, graph_from_edges, list_triangles, stack_graphs, to_edges

__all__ = [
    "METHODS",
    "measure_grid",
    "measure_leiden",
    "measure_planted",
    "measure_planted_grid",
    "measure_real",
    "measure_small",
    "plant",
]

METHODS: Mapping[str, str] = {
    "agreement": "Agreement",
    "pivot": "Pivot",
    "moves": "local moves",
}
BLOCK = 10  # rounds of local moves between two looks whether any vertex would still move


def measure_small(
    vertices: int,
    capacity: int,
    graphs: int,
    density: Sequence[float],
    *,
    seed: int,
    beta: float,
    lam: float,
    rounds: int,
    orders: int,
) -> dict[str, Any]:
    """Optimum, bounds below it, and what each algorithm costs, on random graphs.

    ``graphs`` of them have ``vertices`` vertices each, in turn of each ``density``. A list of costs
    for Pivot is the mean of its orders.
    """
    rng = np.random.default_rng([seed, vertices])
    parts, rows = [], []
    for index in range(graphs):
        pairs = np.triu(rng.random((vertices, vertices)) < density[index % len(density)], 1)
        parts.append(graph_from_edges(np.argwhere(pairs), vertices))
        best = cc.brute_force_optimum(pairs | pairs.T)
        bound = cc.triangle_packing_lower_bound(parts[-1])
        rows.append((best.cost, cc.lp_lower_bound(pairs | pairs.T), bound))
    stack = stack_graphs(parts, node_capacity=capacity, edge_capacity=capacity**2 // 2)
    keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), vertices), graphs)
    _, costs = _cluster(stack, keys, cc.ratio(beta), cc.ratio(lam), orders=orders, rounds=rounds)
    optimum, program, packing = zip(*rows, strict=True)
    return {
        "optimum": list(optimum),
        # the solver's last digits are not the same everywhere
        "program": [round(value, 6) for value in program],
        "packing": list(packing),
        "cost": {name: np.mean(found, axis=1).tolist() for name, found in costs.items()},
    }


def plant(shape: tuple[int, int], noise: Sequence[float], draws: int, seed: int) -> list[Graph]:
    """A stack of ``draws`` planted partitions for each noise, all with the same room.

    ``shape`` is the number of clusters and of vertices in each; a share ``noise`` of all pairs is
    flipped.
    """
    clusters, size = shape
    base = jax.random.fold_in(jax.random.key(seed), clusters * 100_003 + size)

    def edges(place: int, flipped: float, draw: int) -> np.ndarray:
        key = jax.random.fold_in(jax.random.fold_in(base, draw), place)
        planted = cc.planted_partition(key, (size,) * clusters, 1 - flipped, flipped)
        return to_edges(planted.graph)

    drawn = [
        [edges(place, flipped, draw) for draw in range(draws)]
        for place, flipped in enumerate(noise)
    ]
    n, room = clusters * size, max(len(pairs) for rows in drawn for pairs in rows)
    return [
        stack_graphs(
            [graph_from_edges(pairs, n) for pairs in rows], node_capacity=n, edge_capacity=room
        )
        for rows in drawn
    ]


def measure_planted(
    graphs: Graph,
    shape: tuple[int, int],
    *,
    seed: int,
    beta: float,
    lam: float,
    rounds: int,
    orders: int,
) -> dict[str, Any]:
    """Cost and adjusted Rand index of each algorithm, and the planted cost, draw by draw."""
    clusters, size = shape
    truth = np.repeat(np.arange(clusters, dtype=np.int32), size)
    draws = graphs.mask.shape[0]
    keys = jax.random.split(jax.random.key(seed), draws)
    labels, costs = _cluster(
        graphs, keys, cc.ratio(beta), cc.ratio(lam), orders=orders, rounds=rounds
    )
    planted = jax.vmap(cc.disagreements, in_axes=(0, None))(graphs, jnp.asarray(truth))
    return {
        "planted": planted.tolist(),
        "cost": {name: np.mean(found, axis=1).tolist() for name, found in costs.items()},
        "rand": {name: _rand(truth, found).mean(axis=1).tolist() for name, found in labels.items()},
    }


def measure_planted_grid(
    graphs: Graph, shape: tuple[int, int], values: Sequence[float]
) -> dict[str, Any]:
    """Cost over the planted one and adjusted Rand index, mean of the draws, ``[beta, lam]``."""
    clusters, size = shape
    truth = np.repeat(np.arange(clusters, dtype=np.int32), size)
    side = len(values)
    labels, costs = jax.vmap(_over_grid, in_axes=(0, None, None, None))(
        graphs, *_grid(values), None
    )
    planted = jax.vmap(cc.disagreements, in_axes=(0, None))(graphs, jnp.asarray(truth))
    over = np.asarray(costs) / np.maximum(np.asarray(planted), 1)[:, None]
    return {
        "cost": over.mean(axis=0).reshape(side, side).tolist(),
        "rand": _rand(truth, labels).mean(axis=0).reshape(side, side).tolist(),
    }


def measure_real(
    edges: np.ndarray,
    vertices: int,
    *,
    seed: int,
    beta: float,
    lam: float,
    rounds: int,
    orders: int,
) -> dict[str, Any]:
    """A bound below the optimum, and what each algorithm costs, on one graph."""
    graph = graph_from_edges(edges, vertices)
    triangles = jnp.asarray(list_triangles(graph).edges)
    labels = cc.agreement_clustering(graph, beta, lam, method="triangles", triangles=triangles)
    key = jax.random.key(seed)
    pivot = [
        int(cc.disagreements(graph, cc.pivot_clustering(graph, ranks)))
        for ranks in _orders(jax.random.fold_in(key, 1), vertices, orders)
    ]
    moved, taken = settle(graph, key, rounds)
    return {
        "vertices": vertices,
        "edges": len(edges),
        "packing": cc.triangle_packing_lower_bound(graph),
        "agreement": int(cc.disagreements(graph, labels)),
        "pivot": pivot,
        "moves": int(moved.cost[-1]),
        "rounds": taken,
        "settled": bool(moved.converged),
    }


def settle(graph: Graph, key: Array, most: int) -> tuple[cc.LocalMoves, int]:
    """Local moves from singletons until none gains, and how many rounds they took.

    Rounds are done a few at a time, and no more than ``most`` in all.
    """
    moved = cc.LocalMoves(cc.singletons(graph), jnp.zeros(0), jnp.zeros(0), jnp.array(False))
    rounds = 0
    while rounds < most and not moved.converged:
        block = min(BLOCK, most - rounds)
        moved = cc.local_moves(jax.random.fold_in(key, rounds), graph, moved.labels, rounds=block)
        rounds += block
    return moved, rounds


def measure_leiden(edges: np.ndarray, vertices: int, runs: int) -> list[int]:
    """Costs of Leiden's clusters, one for each seed."""
    graph = graph_from_edges(edges, vertices)
    return [
        int(cc.disagreements(graph, jnp.asarray(leiden(edges, vertices, seed))))
        for seed in range(runs)
    ]


def measure_grid(edges: np.ndarray, vertices: int, values: Sequence[float]) -> list[list[float]]:
    """Agreement's cost over that of singletons for all thresholds, ``[beta, lam]``."""
    graph = graph_from_edges(edges, vertices)
    triangles = jnp.asarray(list_triangles(graph).edges)
    _, costs = _over_grid(graph, *_grid(values), triangles)
    over: list[list[float]] = (np.asarray(costs) / len(edges)).reshape(2 * [len(values)]).tolist()
    return over


@functools.partial(jax.jit, static_argnames=("orders", "rounds"))
def _cluster(
    graphs: Graph, keys: Array, beta: cc.Ratio, lam: cc.Ratio, *, orders: int, rounds: int
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Labels ``[g, runs, n]`` and costs ``[g, runs]``: one run, but of Pivot one for each order."""

    def one(graph: Graph, key: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        of_orders, of_moves = jax.random.split(key)
        ranks = _orders(of_orders, graph.node_capacity, orders)
        found = {
            "agreement": cc.agreement_clustering(graph, beta, lam, method="dense")[None],
            "pivot": jax.vmap(cc.pivot_clustering, in_axes=(None, 0))(graph, ranks),
            "moves": cc.local_moves(of_moves, graph, cc.singletons(graph), rounds=rounds).labels[
                None
            ],
        }
        count = jax.vmap(cc.disagreements, in_axes=(None, 0))
        return found, {name: count(graph, labels) for name, labels in found.items()}

    return jax.vmap(one)(graphs, keys)


@jax.jit
def _over_grid(
    graph: Graph, beta: cc.Ratio, lam: cc.Ratio, triangles: Array | None
) -> tuple[Array, Array]:
    """Labels and costs of Agreement, for pairs of thresholds."""
    method = "dense" if triangles is None else "triangles"

    def one(beta: cc.Ratio, lam: cc.Ratio) -> tuple[Array, Array]:
        labels = cc.agreement_clustering(graph, beta, lam, method=method, triangles=triangles)
        return labels, cc.disagreements(graph, labels)

    return jax.vmap(one)(beta, lam)


def _grid(values: Sequence[float]) -> tuple[cc.Ratio, cc.Ratio]:
    beta, lam = np.meshgrid(values, values, indexing="ij")
    return cc.ratio(beta.ravel()), cc.ratio(lam.ravel())


def _orders(key: Array, n: int, count: int) -> Array:
    permute = functools.partial(jax.random.permutation, x=n)
    return jax.vmap(permute)(jax.random.split(key, count))


def _rand(truth: np.ndarray, labels: Array) -> np.ndarray:
    """Adjusted Rand index, ``[g, runs]``."""
    return np.array(
        [
            [sklearn.metrics.adjusted_rand_score(truth, run) for run in runs]
            for runs in np.asarray(labels)
        ]
    )
