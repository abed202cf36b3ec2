"""Graphs with a name: paths, cycles, cliques and grids."""

import numpy as np

from jaxlab.checks import check_integer
from jaxlab.graphs.containers import Graph, graph_from_edges

__all__ = ["complete_graph", "cycle_graph", "grid_graph", "path_graph"]


def path_graph(n: int) -> Graph:
    """Path ``0 − 1 − … − (n − 1)``.

    Args:
        n: number of vertices.

    Returns:
        The graph.

    Raises:
        ValueError: a negative ``n``.

    Cost:
        ``O(n)`` on the host.

    Example:
        >>> path_graph(3).receivers.tolist()
        [1, 2]
    """
    check_integer("n", n, minimum=0)
    vertices = np.arange(n)
    return graph_from_edges(np.stack([vertices[:-1], vertices[1:]], axis=1), n)


def cycle_graph(n: int) -> Graph:
    """Cycle of ``n`` vertices.

    Args:
        n: number of vertices.

    Returns:
        The graph.

    Raises:
        ValueError: fewer than 3 vertices.

    Cost:
        ``O(n)`` on the host.

    Example:
        >>> cycle_graph(3).senders.tolist(), cycle_graph(3).receivers.tolist()
        ([0, 1, 0], [1, 2, 2])
    """
    check_integer("n", n, minimum=3)
    vertices = np.arange(n)
    return graph_from_edges(np.stack([vertices, (vertices + 1) % n], axis=1), n)


def complete_graph(n: int) -> Graph:
    """Clique: all pairs of ``n`` vertices.

    Args:
        n: number of vertices.

    Returns:
        The graph.

    Raises:
        ValueError: a negative ``n``.

    Cost:
        ``O(n²)`` on the host.

    Example:
        >>> complete_graph(4).edge_capacity
        6
    """
    check_integer("n", n, minimum=0)
    return graph_from_edges(np.stack(np.triu_indices(n, 1), axis=1), n)


def grid_graph(rows: int, columns: int) -> Graph:
    """Grid: vertex ``columns r + c`` is adjacent to its neighbours in row and column.

    Args:
        rows: number of rows.
        columns: number of columns.

    Returns:
        The graph.

    Raises:
        ValueError: a negative number.

    Cost:
        ``O(rows columns)`` on the host.

    Example:
        >>> grid_graph(2, 2).senders.tolist(), grid_graph(2, 2).receivers.tolist()
        ([0, 2, 0, 1], [1, 3, 2, 3])
    """
    check_integer("rows", rows, minimum=0)
    check_integer("columns", columns, minimum=0)
    vertex = np.arange(rows * columns).reshape(rows, columns)
    beside = np.stack([vertex[:, :-1].ravel(), vertex[:, 1:].ravel()], axis=1)
    below = np.stack([vertex[:-1].ravel(), vertex[1:].ravel()], axis=1)
    return graph_from_edges(np.concatenate([beside, below]), rows * columns)
