"""Pivot, also called KwikCluster: the vertex of least rank takes all its neighbours, and so on."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Int32

from jaxlab.checks import check_dtype, check_shape, concrete, require
from jaxlab.graphs import Graph
from jaxlab.graphs.containers import check_undirected
from jaxlab.graphs.segments import at_least_int32
from jaxlab.varying import vary_like

__all__ = ["pivot_clustering", "pivot_sequential"]


def pivot_clustering(graph: Graph, ranks: Int[Array, " n"]) -> Int32[Array, " n"]:
    """Pivot in parallel, with the clusters of the sequential algorithm.

    Pivots are the vertices of the greedy maximal independent set, found in rounds: a vertex enters
    when no undecided neighbour has a lesser rank. Any other vertex joins its pivot of least rank.
    With random ranks the expected cost is at most three times the optimum.

    Args:
        graph: the + pairs.
        ranks: a permutation of 0 to ``n − 1``, padding included.

    Returns:
        Pivot of each vertex's cluster; padding is alone.

    Raises:
        ValueError: a directed graph, or a stack; ``ranks`` that are no permutation.

    Cost:
        O(log n) rounds of O(e) with high probability over the ranks.

    Source:
        Ailon, Charikar, Newman 2008, *Aggregating inconsistent information*; rounds: Blelloch,
        Fineman, Shun 2012; Fischer, Noever 2018.

    Example:
        >>> from jaxlab.graphs import graph_from_edges
        >>> path = graph_from_edges([[0, 1], [1, 2]], 3)
        >>> pivot_clustering(path, jnp.array([0, 1, 2])).tolist()
        [0, 0, 2]
    """
    check_undirected(graph)
    check_ranks(graph.node_capacity, ranks)
    if graph.node_capacity == 0:  # whose ranks have no entry to read
        return jnp.zeros(0, jnp.int32)
    return _parallel(graph, at_least_int32(ranks))


def pivot_sequential(graph: Graph, ranks: Int[Array, " n"]) -> Int32[Array, " n"]:
    """Pivot vertex by vertex, as it is defined; to compare with.

    Args:
        graph: the + pairs.
        ranks: a permutation of 0 to ``n − 1``, padding included.

    Returns:
        Pivot of each vertex's cluster; padding is alone.

    Raises:
        ValueError: a directed graph, or a stack; ``ranks`` that are no permutation.

    Cost:
        O(n e).

    Example:
        >>> from jaxlab.graphs import graph_from_edges
        >>> path = graph_from_edges([[0, 1], [1, 2]], 3)
        >>> pivot_sequential(path, jnp.array([1, 0, 2])).tolist()
        [1, 1, 1]
    """
    check_undirected(graph)
    check_ranks(graph.node_capacity, ranks)
    if graph.node_capacity == 0:  # whose labels have no entry to read
        return jnp.zeros(0, jnp.int32)
    return _sequential(graph, at_least_int32(ranks))


def vertices_by_rank(ranks: Array) -> Array:
    """The inverse of a permutation."""
    n = ranks.shape[0]
    return jnp.zeros(n, jnp.int32).at[ranks].set(jnp.arange(n, dtype=jnp.int32))


def check_ranks(n: int, ranks: Array) -> None:
    """Refuse ranks that are no permutation, as far as they can be seen."""
    check_shape("ranks", ranks, (n,))
    check_dtype("ranks", ranks, "integer")
    known = concrete(ranks)
    if known is not None:
        permutes = np.array_equal(np.sort(known), np.arange(n))
        require(permutes, "ranks", ranks, f"a permutation of 0 to {n - 1}")


@jax.jit
def _parallel(graph: Graph, ranks: Array) -> Array:
    n = graph.node_capacity
    senders, receivers = graph.senders, graph.receivers

    def least(considered: Array) -> Array:
        """Least rank of each vertex's neighbours that are considered."""
        rank = jnp.where(considered, ranks, n)
        at_senders = jnp.where(graph.mask, rank[senders], n)
        at_receivers = jnp.where(graph.mask, rank[receivers], n)
        found = jnp.full(n, n, ranks.dtype).at[senders].min(at_receivers, mode="drop")
        return found.at[receivers].min(at_senders, mode="drop")

    def enter(state: tuple[Array, Array]) -> tuple[Array, Array]:
        undecided, pivots = state
        enters = undecided & (ranks < least(undecided))
        return undecided & ~enters & (least(enters) == n), pivots | enters

    state = vary_like((jnp.ones(n, bool), jnp.zeros(n, bool)), graph, ranks)
    _, pivots = jax.lax.while_loop(lambda state: jnp.any(state[0]), enter, state)
    of_rank = vertices_by_rank(ranks)
    joined = of_rank.at[least(pivots)].get(mode="fill", fill_value=n)
    return jnp.where(pivots, jnp.arange(n, dtype=jnp.int32), joined)


@jax.jit
def _sequential(graph: Graph, ranks: Array) -> Array:
    n = graph.node_capacity

    def scan(labels: Array, vertex: Array) -> tuple[Array, None]:
        def take(labels: Array, one: Array, other: Array) -> Array:
            taken = graph.mask & (one == vertex) & (labels[other] == n)
            return labels.at[jnp.where(taken, other, n)].set(vertex, mode="drop")

        mine = labels.at[vertex].set(vertex)
        mine = take(mine, graph.senders, graph.receivers)
        mine = take(mine, graph.receivers, graph.senders)
        return jnp.where(labels[vertex] == n, mine, labels), None

    start = vary_like(jnp.full(n, n, jnp.int32), graph, ranks)
    return jax.lax.scan(scan, start, vertices_by_rank(ranks))[0]
