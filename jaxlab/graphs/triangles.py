"""Triangles of an undirected graph, listed on the host by the degree-ordered forward algorithm."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int32

from jaxlab.graphs._host import positions
from jaxlab.graphs.containers import Graph, check_undirected

__all__ = ["TriangleCounts", "Triangles", "count_triangles", "list_triangles"]

CHUNK = 1 << 20  # pairs of edges looked at together: bounds the memory


class Triangles(NamedTuple):
    """What :func:`list_triangles` returns; triangles in lexicographic order.

    Attributes:
        vertices: ``x < y < z``.
        edges: positions in the graph of the edges ``xy``, ``xz`` and ``yz``.
    """

    vertices: Int32[np.ndarray, "t 3"]
    edges: Int32[np.ndarray, "t 3"]


class TriangleCounts(NamedTuple):
    """What :func:`count_triangles` returns.

    Attributes:
        edges: number of triangles that contain each edge, which is the number of neighbours that
            its ends have in common; 0 for padding.
        vertices: number of triangles that contain each vertex.
        total: number of triangles.
    """

    edges: Int32[np.ndarray, " e"]
    vertices: Int32[np.ndarray, " n"]
    total: int


def list_triangles(graph: Graph) -> Triangles:
    """All triangles, each once.

    Edges are directed from the end of lower degree to that of higher; each pair of edges that leave
    one vertex is a triangle if its heads are adjacent. No vertex has more than ``√(2m)`` such
    edges.

    Args:
        graph: the graph, not inside ``jit``.

    Returns:
        Vertices and edges of each triangle.

    Raises:
        ValueError: for a graph inside ``jit``, a directed one, or a stack.

    Cost:
        ``O(m^{3/2} log m)`` on the host; memory for the triangles and about a million pairs.

    Source:
        Schank and Wagner 2005, *Finding, counting and listing all triangles in large graphs*
        (forward algorithm).

    Example:
        >>> from jaxlab.graphs.containers import graph_from_edges
        >>> found = list_triangles(graph_from_edges([[0, 1], [1, 2], [2, 0], [2, 3]], 4))
        >>> found.vertices.tolist(), found.edges.tolist()
        ([[0, 1, 2]], [[0, 2, 1]])
    """
    number = positions(graph)
    check_undirected(graph)
    n = graph.node_capacity
    senders = np.asarray(graph.senders, np.int64)[number]
    receivers = np.asarray(graph.receivers, np.int64)[number]
    rising = np.argsort(senders * n + receivers)
    number, senders, receivers = number[rising], senders[rising], receivers[rising]
    degree = np.bincount(np.concatenate([senders, receivers]), minlength=n)
    rank = np.empty(n, np.int64)
    rank[np.argsort(degree, kind="stable")] = np.arange(n)
    ends = np.sort(np.stack([rank[senders], rank[receivers]]), axis=0)
    key = ends[0] * n + ends[1]
    order = np.argsort(key)
    key, (low, high) = key[order], ends[:, order]
    # an edge is paired with those behind it in its row
    partners = np.searchsorted(low, low, side="right") - np.arange(low.size) - 1
    before = np.concatenate([[0], np.cumsum(partners)])
    found = [np.zeros((3, 0), np.int64)]
    start = 0
    while start < low.size:
        stop = int(np.searchsorted(before, before[start] + CHUNK, side="right")) - 1
        stop = max(stop, start + 1)
        counts = partners[start:stop]
        first = np.repeat(np.arange(start, stop), counts)
        rest = np.arange(first.size) - np.repeat(before[start:stop] - before[start], counts)
        second = first + 1 + rest
        wanted = high[first] * n + high[second]
        third = np.minimum(np.searchsorted(key, wanted), key.size - 1)
        closed = key[third] == wanted
        found.append(order[np.stack([first, second, third])[:, closed]])
        start = stop
    # in lexicographic order the edges of a triangle are xy, xz, yz
    edges = np.sort(np.concatenate(found, axis=1).T, axis=1)
    edges = edges[np.argsort(edges[:, 0] * max(number.size, 1) + edges[:, 1])]
    x, y, z = senders[edges[:, 0]], receivers[edges[:, 0]], receivers[edges[:, 1]]
    return Triangles(np.stack([x, y, z], axis=1).astype(np.int32), number[edges].astype(np.int32))


def count_triangles(graph: Graph) -> TriangleCounts:
    """Number of triangles at each edge, at each vertex, and in all.

    Args:
        graph: the graph, not inside ``jit``.

    Returns:
        The numbers.

    Raises:
        ValueError: for a graph inside ``jit``, a directed one, or a stack.

    Cost:
        That of :func:`list_triangles`.

    Example:
        >>> from jaxlab.graphs.containers import graph_from_edges
        >>> found = count_triangles(graph_from_edges([[0, 1], [1, 2], [2, 0], [2, 3]], 4))
        >>> found.edges.tolist(), found.vertices.tolist(), found.total
        ([1, 1, 1, 0], [1, 1, 1, 0], 1)
    """
    vertices, edges = list_triangles(graph)
    return TriangleCounts(
        np.bincount(edges.ravel(), minlength=graph.edge_capacity).astype(np.int32),
        np.bincount(vertices.ravel(), minlength=graph.node_capacity).astype(np.int32),
        len(vertices),
    )
