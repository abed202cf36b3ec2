"""Breadth-first search from one or several vertices."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Int32

from jaxlab.checks import check_dtype, check_shape, require, uncut
from jaxlab.graphs.containers import Digraph, Graph, check_single
from jaxlab.graphs.segments import at_least_int32, take_or_fill
from jaxlab.varying import vary_like

__all__ = ["BreadthFirst", "breadth_first_search"]


class BreadthFirst(NamedTuple):
    """What :func:`breadth_first_search` returns.

    Attributes:
        distances: number of edges on a shortest path from the nearest source; −1 for a vertex that
            no source reaches.
        parents: least vertex that comes before it on such a path; −1 for a source, and for a vertex
            that no source reaches.
        levels: number of distances that occur: one more than the largest, 0 without sources.
    """

    distances: Int32[Array, " n"]
    parents: Int32[Array, " n"]
    levels: Int32[Array, ""]


@uncut
@jax.jit
def breadth_first_search(
    graph: Graph | Digraph, sources: Bool[Array, " n"] | Int[Array, "..."] | int
) -> BreadthFirst:
    """Distance in edges of every vertex from the nearest source, and the tree of shortest paths.

    Args:
        graph: the graph; arcs of a directed one are followed from sender to receiver.
        sources: which vertices are sources ``[n]`` bool, or a list of them, or a single one.
            Entries of a list outside of 0 to ``n_node - 1`` are padding.

    Returns:
        Distances, parents and number of levels.

    Raises:
        ValueError: a stack; sources that are neither booleans ``[n]`` nor a list of integers, or
            integers of NumPy that do not fit the type jax gives them.

    Cost:
        A gather and a scatter of all edges for each level.

    Example:
        >>> from jaxlab.graphs.containers import graph_from_edges
        >>> found = breadth_first_search(graph_from_edges([[0, 1], [1, 2]], 4), 0)
        >>> found.distances.tolist(), found.parents.tolist(), int(found.levels)
        ([0, 1, 2, -1], [-1, 0, 1, -1], 3)
    """
    check_single(graph)
    n = graph.node_capacity
    vertices = jnp.arange(n, dtype=jnp.int32)
    sources = jnp.asarray(sources)
    if sources.dtype == bool:
        check_shape("sources", sources, (n,))
        start = sources
    else:
        check_dtype("sources", sources, "integer")
        require(sources.ndim <= 1, "sources", sources, "one vertex or a list of them")
        sources = at_least_int32(sources)
        sources = jnp.where((sources < 0) | (sources > n), n, sources)
        start = jnp.zeros(n + 1, bool).at[sources].set(True)[:n]
    start &= vertices < graph.n_node

    tails = jnp.where(graph.mask, graph.senders, n)
    heads = jnp.where(graph.mask, graph.receivers, n)
    if isinstance(graph, Graph):
        tails, heads = jnp.concatenate([tails, heads]), jnp.concatenate([heads, tails])

    def advance(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        distances, frontier, level = state
        leaves = take_or_fill(frontier, tails, False)
        reached = jnp.zeros(n, bool).at[heads].max(leaves, mode="drop")
        frontier = reached & (distances < 0)
        return jnp.where(frontier, level, distances), frontier, level + 1

    distances = jnp.where(start, 0, -1).astype(jnp.int32)
    state = vary_like((distances, start, jnp.int32(1)), tails, heads)
    distances, _, _ = jax.lax.while_loop(lambda state: jnp.any(state[1]), advance, state)
    # the least parent of all vertices together, in one more pass over the edges
    before = take_or_fill(distances, tails, -1)
    after = take_or_fill(distances, heads, -1)
    offers = jnp.where((before >= 0) & (after == before + 1), tails, n)
    parents = jnp.full(n, n, jnp.int32).at[heads].min(offers, mode="drop")
    parents = jnp.where(parents == n, -1, parents)
    return BreadthFirst(distances, parents, jnp.max(distances, initial=-1) + 1)
