"""From and to sparse matrices of SciPy, and networkx; to an array of edges."""

from typing import Any

import numpy as np
import scipy.sparse

from jaxlab.checks import check_bool, check_shape, require
from jaxlab.graphs._host import listed
from jaxlab.graphs.containers import Digraph, Graph, digraph_from_arcs, graph_from_edges

__all__ = [
    "digraph_from_scipy",
    "from_networkx",
    "graph_from_scipy",
    "to_edges",
    "to_networkx",
    "to_scipy",
]


def graph_from_scipy(
    matrix: Any,
    *,
    weighted: bool = True,
    node_capacity: int | None = None,
    edge_capacity: int | None = None,
) -> Graph:
    """The undirected graph of a symmetric sparse matrix.

    Args:
        matrix: SciPy sparse matrix or array, ``[n, n]``. Each stored entry is an edge, also a
            stored zero; entries stored twice are added.
        weighted: keep its values as weights, True as 1; otherwise the matrix has to be symmetric
            in its pattern only.
        node_capacity: number of vertices to leave room for; None for ``n``.
        edge_capacity: number of edges to leave room for; None for as many as there are.

    Returns:
        The graph, its edges in lexicographic order.

    Raises:
        ValueError: the matrix is not square or not symmetric, has entries on the diagonal, or more
            than the capacities hold.

    Cost:
        ``O(m log m)`` on the host.

    Example:
        >>> path = scipy.sparse.csr_array(np.array([[0, 2, 0], [2, 0, 1], [0, 1, 0]]))
        >>> graph = graph_from_scipy(path)
        >>> graph.senders.tolist(), graph.receivers.tolist(), graph.weights.tolist()
        ([0, 1], [1, 2], [2, 1])
    """
    check_bool("weighted", weighted)
    arcs, values, n = _entries(matrix)
    upper, lower = arcs[:, 0] < arcs[:, 1], arcs[:, 0] > arcs[:, 1]
    loops = arcs[arcs[:, 0] == arcs[:, 1]][:1].tolist()
    require(not loops, "matrix", loops, "no entry on the diagonal")
    mirror = np.lexsort((arcs[lower, 0], arcs[lower, 1]))
    same = np.array_equal(arcs[upper], arcs[lower][mirror][:, ::-1])
    same = same and (not weighted or np.array_equal(values[upper], values[lower][mirror]))
    require(same, "matrix", matrix, "a symmetric matrix")
    return graph_from_edges(
        arcs[upper],
        n,
        weights=values[upper] if weighted else None,
        node_capacity=node_capacity,
        edge_capacity=edge_capacity,
    )


def digraph_from_scipy(
    matrix: Any,
    *,
    weighted: bool = True,
    node_capacity: int | None = None,
    edge_capacity: int | None = None,
) -> Digraph:
    """The directed graph of a sparse matrix: entry ``ij`` is an arc from ``i`` to ``j``.

    Args:
        matrix: SciPy sparse matrix or array, ``[n, n]``. Each stored entry is an arc, also a
            stored zero; entries stored twice are added.
        weighted: keep its values as weights, True as 1.
        node_capacity: number of vertices to leave room for; None for ``n``.
        edge_capacity: number of arcs to leave room for; None for as many as there are.

    Returns:
        The graph, its arcs in lexicographic order.

    Raises:
        ValueError: the matrix is not square, or has more than the capacities hold.

    Cost:
        ``O(m log m)`` on the host.

    Example:
        >>> matrix = scipy.sparse.coo_array(([5, 7], ([0, 1], [1, 0])), shape=(2, 2))
        >>> digraph_from_scipy(matrix).weights.tolist()
        [5, 7]
    """
    check_bool("weighted", weighted)
    arcs, values, n = _entries(matrix)
    return digraph_from_arcs(
        arcs,
        n,
        weights=values if weighted else None,
        node_capacity=node_capacity,
        edge_capacity=edge_capacity,
    )


def to_scipy(graph: Graph | Digraph) -> scipy.sparse.csr_array:
    """Adjacency matrix of the vertices that are there, as a SciPy array.

    Args:
        graph: one graph, not inside ``jit``.

    Returns:
        ``[n_node, n_node]``, symmetric for an undirected graph, with ones where there are no
        weights. Parallel arcs are added.

    Raises:
        ValueError: for a graph inside ``jit``, or a stack.

    Cost:
        ``O(m)`` on the host.

    Example:
        >>> to_scipy(graph_from_edges([[0, 2]], 3)).toarray().tolist()
        [[0, 0, 1], [0, 0, 0], [1, 0, 0]]
    """
    arcs, values, n = listed(graph)
    values = np.ones(len(arcs), np.int32) if values is None else values
    if values.dtype.itemsize == 2 and not np.issubdtype(values.dtype, np.integer):
        values = values.astype(np.float32)  # SciPy has no floats of 16 bits
    if isinstance(graph, Graph):
        arcs, values = np.concatenate([arcs, arcs[:, ::-1]]), np.tile(values, 2)
    return scipy.sparse.coo_array((values, (arcs[:, 0], arcs[:, 1])), shape=(n, n)).tocsr()


def from_networkx(
    graph: Any,
    *,
    weight: str | None = None,
    node_capacity: int | None = None,
    edge_capacity: int | None = None,
) -> Graph | Digraph:
    """A networkx graph: a :class:`Digraph` if it is directed, a :class:`Graph` if not.

    Args:
        graph: networkx graph. Vertex ``i`` is the ``i``-th of ``list(graph)``.
        weight: the attribute of edges to take as weights; None for no weights.
        node_capacity: number of vertices to leave room for; None for as many as there are.
        edge_capacity: number of edges to leave room for; None for as many as there are.

    Returns:
        The graph, its edges in networkx's order.

    Raises:
        ValueError: an edge without that attribute; loops or parallel edges of an undirected graph;
            more than the capacities hold.

    Cost:
        ``O(m log m)`` on the host.

    Example:
        >>> import networkx
        >>> from_networkx(networkx.path_graph(3)).receivers.tolist()
        [1, 2]
    """
    number = {vertex: i for i, vertex in enumerate(graph)}
    pairs = [(number[u], number[v]) for u, v in graph.edges()]
    weights = None
    if weight is not None:
        found = list(graph.edges(data=weight))
        missing = [(u, v) for u, v, value in found if value is None][:1]
        require(not missing, "weight", weight, f"an attribute of every edge, also of {missing}")
        weights = np.array([value for _, _, value in found])
    make = digraph_from_arcs if graph.is_directed() else graph_from_edges
    return make(
        pairs,
        len(number),
        weights=weights,
        node_capacity=node_capacity,
        edge_capacity=edge_capacity,
    )


def to_edges(graph: Graph | Digraph) -> np.ndarray:
    """The edges that are there, without the padding.

    Args:
        graph: one graph, not inside ``jit``.

    Returns:
        Ends ``[m, 2]`` of the edges, or tails and heads of the arcs, int64, in their order in the
        graph.

    Raises:
        ValueError: for a graph inside ``jit``, or a stack.

    Cost:
        ``O(m)`` on the host.

    Example:
        >>> to_edges(graph_from_edges([[0, 2], [1, 2]], 3, edge_capacity=8)).tolist()
        [[0, 2], [1, 2]]
    """
    return listed(graph)[0]


def to_networkx(graph: Graph | Digraph) -> Any:
    """The same graph for networkx, which has to be installed.

    Args:
        graph: one graph, not inside ``jit``.

    Returns:
        ``networkx.Graph`` for an undirected graph, ``DiGraph`` for a directed one, or
        ``MultiDiGraph`` if it has parallel arcs; weights are the attribute "weight".

    Raises:
        ValueError: for a graph inside ``jit``, or a stack.

    Cost:
        ``O(m)`` on the host.

    Example:
        >>> sorted(to_networkx(graph_from_edges([[0, 2]], 3)).degree)
        [(0, 1), (1, 0), (2, 1)]
    """
    import networkx  # not a dependency

    arcs, values, n = listed(graph)
    if isinstance(graph, Graph):
        made = networkx.Graph()
    elif len(np.unique(arcs, axis=0)) == len(arcs):
        made = networkx.DiGraph()
    else:
        made = networkx.MultiDiGraph()
    made.add_nodes_from(range(n))
    if values is None:
        made.add_edges_from(arcs.tolist())
    else:
        weights = values.tolist()
        made.add_weighted_edges_from(
            (u, v, w) for (u, v), w in zip(arcs.tolist(), weights, strict=True)
        )
    return made


def _entries(matrix: Any) -> tuple[np.ndarray, np.ndarray, int]:
    """Row and column of the stored entries in lexicographic order, their values, and ``n``."""
    require(scipy.sparse.issparse(matrix), "matrix", matrix, "a SciPy sparse matrix")
    check_shape("matrix", matrix, ("n", "n"))
    n = matrix.shape[0]
    check_shape("matrix", matrix, (n, n))
    matrix = matrix.tocsr()
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    rows = np.repeat(np.arange(n), np.diff(matrix.indptr))
    values = matrix.data.astype(np.int32) if matrix.data.dtype == bool else matrix.data
    return np.stack([rows, matrix.indices.astype(np.int64)], axis=1), values, n
