"""From and to dense adjacency matrices, and from edges to pairs of arcs, inside ``jit`` too."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Shaped

from jaxlab.checks import (
    check_bool,
    check_dtype,
    check_fit,
    check_integer,
    check_shape,
    concrete,
    require,
)
from jaxlab.graphs.containers import Digraph, Graph, check_single, check_undirected

__all__ = ["graph_from_dense", "to_dense", "to_digraph"]


def graph_from_dense(
    adjacency: Shaped[Array, "n n"],
    *,
    n_node: Int[Array, ""] | int | None = None,
    weighted: bool = False,
    edge_capacity: int | None = None,
) -> Graph:
    """The undirected graph of a symmetric dense matrix; an entry other than 0 is an edge.

    Args:
        adjacency: symmetric, with zeros on the diagonal. Only entries above it are read.
        n_node: number of vertices; None for ``n``. Rows from there on are padding.
        weighted: keep the values as weights; static.
        edge_capacity: number of edges to leave room for; static. None for all ``n (n − 1)/2``.

    Returns:
        The graph, its edges in lexicographic order.

    Raises:
        ValueError: the matrix is not square, or a concrete one is not symmetric, has entries on the
            diagonal or too many, or weights wider than jax works in; less room than for all pairs
            inside ``jit``, where nothing can tell whether it is enough.

    Cost:
        ``O(n²)``.

    Example:
        >>> graph = graph_from_dense(jnp.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]))
        >>> graph.senders.tolist(), graph.receivers.tolist(), graph.mask.tolist()
        ([0, 1, 3], [1, 2, 3], [True, True, False])
    """
    check_bool("weighted", weighted)
    check_shape("adjacency", adjacency, ("n", "n"))
    n = adjacency.shape[0]
    check_shape("adjacency", adjacency, (n, n))
    pairs = n * (n - 1) // 2
    capacity = pairs if edge_capacity is None else edge_capacity
    check_integer("edge_capacity", capacity, minimum=0)
    n_node = n if n_node is None else n_node
    check_dtype("n_node", n_node, "integer")
    entries, size = concrete(adjacency), concrete(n_node)
    if size is not None and size.ndim == 0:
        require(0 <= int(size) <= n, "n_node", n_node, f"a number of vertices from 0 to {n}")
    if entries is None or size is None:
        given = "room for all pairs of vertices, inside jit"
        require(capacity >= pairs, "edge_capacity", capacity, f"at least {pairs}: {given}")
    else:
        entries = entries[: int(size), : int(size)]
        symmetric = np.array_equal(entries, entries.T) and not entries.diagonal().any()
        require(symmetric, "adjacency", adjacency, "a symmetric matrix with zeros on its diagonal")
        edges = int(np.count_nonzero(entries)) // 2
        require(capacity >= edges, "edge_capacity", capacity, f"room for {edges} edges")
    n_node = jnp.asarray(n_node, jnp.int32)
    present: Any = adjacency
    if entries is not None and not isinstance(adjacency, jax.Array):
        # jax has yet to narrow it: also an entry that becomes 0 there is an edge
        present = np.asarray(adjacency) != 0
        if weighted:
            check_fit("adjacency", entries)
    values = adjacency if weighted else None
    return _graph_from_dense(present, values, n_node, edge_capacity=capacity)


@jax.jit
def to_dense(graph: Graph | Digraph) -> Shaped[Array, "n n"]:
    """Dense adjacency matrix, with room for all vertices of the capacity.

    Args:
        graph: the graph.

    Returns:
        ``A_ij``, the weight of edge or arc ``ij``, parallel arcs added; True and False where there
        are no weights. Symmetric for an undirected graph. Padding is 0.

    Raises:
        ValueError: a stack.

    Cost:
        ``O(n² + m)``.

    Example:
        >>> from jaxlab.graphs.containers import graph_from_edges
        >>> to_dense(graph_from_edges([[0, 2]], 3, weights=[4])).tolist()
        [[0, 0, 4], [0, 0, 0], [4, 0, 0]]
    """
    check_single(graph)
    n = graph.node_capacity
    if graph.weights is None:
        matrix = jnp.zeros((n, n), bool)
        matrix = matrix.at[graph.senders, graph.receivers].max(graph.mask, mode="drop")
        return matrix | matrix.T if isinstance(graph, Graph) else matrix
    matrix = jnp.zeros((n, n), graph.weights.dtype)
    weights = jnp.where(graph.mask, graph.weights, 0)
    matrix = matrix.at[graph.senders, graph.receivers].add(weights, mode="drop")
    return matrix + matrix.T if isinstance(graph, Graph) else matrix


@jax.jit
def to_digraph(graph: Graph) -> Digraph:
    """The directed graph with two arcs for each edge: arcs ``e`` and ``e + m`` are edge ``e``.

    Args:
        graph: an undirected graph with room for ``m`` edges.

    Returns:
        Arcs from smaller to larger vertex, then those the other way, with the edges' weights.

    Raises:
        ValueError: a directed graph, or a stack.

    Cost:
        ``O(m)``.

    Example:
        >>> from jaxlab.graphs.containers import graph_from_edges
        >>> arcs = to_digraph(graph_from_edges([[0, 1], [1, 2]], 3))
        >>> arcs.senders.tolist(), arcs.receivers.tolist()
        ([0, 1, 1, 2], [1, 2, 0, 1])
    """
    check_undirected(graph)
    return Digraph(
        senders=jnp.concatenate([graph.senders, graph.receivers]),
        receivers=jnp.concatenate([graph.receivers, graph.senders]),
        mask=jnp.tile(graph.mask, 2),
        weights=None if graph.weights is None else jnp.tile(graph.weights, 2),
        n_node=graph.n_node,
        node_capacity=graph.node_capacity,
    )


@functools.partial(jax.jit, static_argnames=("edge_capacity",))
def _graph_from_dense(adjacency: Any, values: Any, n_node: Any, *, edge_capacity: int) -> Graph:
    n = adjacency.shape[0]
    there = jnp.arange(n) < n_node
    present = jnp.triu(adjacency != 0, 1) & there & there[:, None]
    senders, receivers = jnp.nonzero(present, size=edge_capacity, fill_value=n)
    senders, receivers = senders.astype(jnp.int32), receivers.astype(jnp.int32)
    mask = senders < n
    weights = None
    if values is not None:
        if n == 0:  # whose matrix has no entry to read
            found = jnp.zeros(edge_capacity, values.dtype)
        else:
            found = values.at[senders, receivers].get(mode="fill", fill_value=0)
        weights = jnp.where(mask, found, 0)
    return Graph(senders, receivers, mask, weights, n_node, n)
