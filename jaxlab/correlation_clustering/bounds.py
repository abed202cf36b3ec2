"""Certificates on small or large instances, on the host: optimum, and bounds below it."""

from typing import Any, NamedTuple

import numpy as np
import scipy.optimize
import scipy.sparse

from jaxlab.checks import check_shape, require
from jaxlab.graphs import Graph, to_edges
from jaxlab.graphs.containers import check_undirected

__all__ = ["Optimum", "brute_force_optimum", "lp_lower_bound", "triangle_packing_lower_bound"]

LARGEST_BRUTE_FORCE = 10
LARGEST_LP = 40


class Optimum(NamedTuple):
    """What :func:`brute_force_optimum` returns.

    Attributes:
        cost: least number of disagreements.
        labels: clusters that attain it, ``[n]``.
    """

    cost: int
    labels: np.ndarray


def lp_lower_bound(adjacency: Any) -> float:
    """Value of the linear relaxation, which no clustering can beat.

    ``min Σ₊ d_uv + Σ₋ (1 − d_uv)`` over ``d`` in [0, 1] with ``d_uw ≤ d_uv + d_vw``.

    Args:
        adjacency: ``[n, n]`` of zeros and ones, symmetric: where the + pairs are; the diagonal does
            not matter.

    Returns:
        The value, at most that of an optimal clustering; 0 for fewer than two vertices.

    Raises:
        ValueError: no such matrix, or more than 40 vertices.

    Cost:
        A linear program of ``n²/2`` variables and ``n³/2`` constraints.

    Source:
        Charikar, Guruswami, Wirth 2005, *Clustering with qualitative information*.

    Example:
        >>> round(lp_lower_bound([[0, 1, 0], [1, 0, 1], [0, 1, 0]]), 6)
        1.0
    """
    positive = _adjacency(adjacency, LARGEST_LP)
    n = len(positive)
    first, second = np.triu_indices(n, 1)
    if len(first) == 0:
        return 0.0
    number = np.zeros((n, n), np.int64)
    number[first, second] = number[second, first] = np.arange(len(first))
    sign = np.where(positive[first, second], 1.0, -1.0)
    triples = np.array(
        [(u, v, w) for u in range(n) for v in range(u + 1, n) for w in range(v + 1, n)], int
    ).reshape(-1, 3)
    sides = np.stack([number[triples[:, a], triples[:, b]] for a, b in ((0, 1), (0, 2), (1, 2))])
    rows, columns, values = [], [], []
    for longest in range(3):
        constraint = longest * len(triples) + np.arange(len(triples))
        for side in range(3):
            rows.append(constraint)
            columns.append(sides[side])
            values.append(np.full(len(triples), 1.0 if side == longest else -1.0))
    shape = (3 * len(triples), len(first))
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    limits = {}
    if len(triples):
        limits = {"A_ub": scipy.sparse.csr_array(entries, shape=shape), "b_ub": np.zeros(shape[0])}
    found = scipy.optimize.linprog(sign, bounds=(0, 1), method="highs", **limits)
    return float(found.fun + np.sum(sign < 0))


def triangle_packing_lower_bound(graph: Graph) -> int:
    """Number of bad triangles that share no pair: each costs every clustering at least 1.

    A bad triangle has two + pairs and one −. They are packed greedily: at every vertex, those of
    low degree first, neighbours that are joined to it by unused edges are matched with each other
    where they are not adjacent and their pair is unused.

    Args:
        graph: the + pairs, outside of ``jit``.

    Returns:
        The number of triangles that were packed; no clustering has fewer disagreements.

    Raises:
        ValueError: a graph inside ``jit``, a directed one, or a stack.

    Cost:
        O(Σ_v d_v²) at worst, on the host.

    Example:
        >>> from jaxlab.graphs import graph_from_edges
        >>> triangle_packing_lower_bound(graph_from_edges([[0, 1], [0, 2], [0, 3]], 4))
        1
    """
    ends = to_edges(graph)
    check_undirected(graph)
    near: list[set[int]] = [set() for _ in range(graph.node_capacity)]
    for u, v in ends.tolist():
        near[u].add(v)
        near[v].add(u)
    free = [set(row) for row in near]  # neighbours over edges that are not used
    parted: set[tuple[int, int]] = set()  # − pairs that are used
    count = 0
    for center in np.argsort([len(row) for row in near], kind="stable").tolist():
        waiting = sorted(free[center], key=lambda v: (len(near[v]), v))
        while waiting:
            u = waiting.pop()
            for place in range(len(waiting) - 1, -1, -1):
                v = waiting[place]
                pair = (u, v) if u < v else (v, u)
                if v not in near[u] and pair not in parted:
                    parted.add(pair)
                    for end in (u, v):
                        free[center].discard(end)
                        free[end].discard(center)
                    del waiting[place]
                    count += 1
                    break
    return count


def brute_force_optimum(adjacency: Any) -> Optimum:
    """The optimum, by looking at every partition.

    Args:
        adjacency: ``[n, n]`` of zeros and ones, symmetric: where the + pairs are; the diagonal does
            not matter.

    Returns:
        The least cost, and the first clustering that has it.

    Raises:
        ValueError: no such matrix, or more than 10 vertices.

    Cost:
        Bell's number of partitions times ``n²``: 115,975 for ten vertices.

    Example:
        >>> best = brute_force_optimum([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
        >>> best.cost, best.labels.tolist()
        (1, [0, 0, 0])
    """
    positive = _adjacency(adjacency, LARGEST_BRUTE_FORCE)
    n = len(positive)
    # restricted growth strings: each vertex has the label of one before, or the next one
    partitions = np.zeros((1, 0), np.int8)
    for _ in range(n):
        blocks = partitions.max(axis=1, initial=-1) + 1
        rows = np.repeat(np.arange(len(partitions)), blocks + 1)
        last = np.arange(len(rows)) - np.repeat(np.cumsum(blocks + 1) - (blocks + 1), blocks + 1)
        partitions = np.concatenate([partitions[rows], last[:, None].astype(np.int8)], axis=1)
    cost = np.zeros(len(partitions), np.int64)
    for u in range(n):
        for v in range(u + 1, n):
            cost += (partitions[:, u] == partitions[:, v]) != positive[u, v]
    best = int(np.argmin(cost))
    return Optimum(int(cost[best]), partitions[best].astype(np.int32))


def _adjacency(adjacency: Any, largest: int) -> np.ndarray:
    matrix = np.asarray(adjacency)
    check_shape("adjacency", matrix, ("n", "n"))
    n = len(matrix)
    check_shape("adjacency", matrix, (n, n))
    require(n <= largest, "adjacency", matrix, f"at most {largest} vertices")
    # of signs, −1 is no + pair
    require(bool(np.isin(matrix, (0, 1)).all()), "adjacency", matrix, "zeros and ones")
    require(bool((matrix == matrix.T).all()), "adjacency", matrix, "a symmetric matrix")
    return matrix == 1
