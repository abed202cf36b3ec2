"""What a clustering costs: pairs that disagree with it, per vertex and in total.

The + pairs are a graph's edges, all other pairs are −. Labels may be any integers that jax has room
for; only which are equal matters. Those of NumPy that jax would cut are refused.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Int32

from jaxlab.checks import check_dtype, check_shape, check_uncut, require, uncut
from jaxlab.graphs import Graph
from jaxlab.graphs.containers import check_undirected
from jaxlab.graphs.segments import take_or_fill

__all__ = ["constant_potts_quality", "disagreements", "singletons", "vertex_disagreements"]

#: the largest number of vertices whose pairs int32 can count
COUNTABLE = 65_536


def singletons(graph: Graph) -> Int32[Array, " n"]:
    """The clustering in which every vertex is alone; it disagrees with all edges.

    Args:
        graph: the + pairs, of which only the number of vertices matters.

    Returns:
        Each vertex as its own label, padding too.

    Cost:
        O(n).

    Example:
        >>> from jaxlab.graphs import graph_from_edges
        >>> singletons(graph_from_edges([[0, 1]], 3)).tolist()
        [0, 1, 2]
    """
    return jnp.arange(graph.node_capacity, dtype=jnp.int32)


@uncut
@jax.jit
def disagreements(graph: Graph, labels: Int[Array, " n"]) -> Int[Array, ""]:
    """Number of + pairs across clusters and − pairs inside of them.

    ``m − Σ_c e_c + Σ_c [s_c (s_c − 1)/2 − e_c]``, with ``s_c`` vertices and ``e_c`` edges in
    cluster ``c`` and ``m`` edges in all.

    Args:
        graph: the + pairs.
        labels: cluster of each vertex; those of padding do not matter if they fit.

    Returns:
        The number of pairs, exact: int32, or int64 when x64 is on.

    Raises:
        ValueError: a directed graph, or a stack; labels that do not fit the graph; more than 65,536
            vertices without x64, whose pairs int32 cannot count.

    Cost:
        One sort of ``n`` and two gathers of ``m``.

    Example:
        >>> from jaxlab.graphs import graph_from_edges
        >>> path = graph_from_edges([[0, 1], [1, 2]], 3)
        >>> int(disagreements(path, jnp.array([5, 5, 5]))), int(disagreements(path, jnp.arange(3)))
        (1, 2)
    """
    inside, pairs = _counts(graph, labels)
    edges = jnp.sum(graph.mask, dtype=pairs.dtype)
    return edges - inside + (pairs - inside)


@uncut
@jax.jit
def vertex_disagreements(graph: Graph, labels: Int[Array, " n"]) -> Int32[Array, " n"]:
    """Number of pairs at each vertex that disagree: what ``ℓ_p`` objectives are made of.

    Args:
        graph: the + pairs.
        labels: cluster of each vertex; those of padding do not matter if they fit.

    Returns:
        ``deg(v) − in(v) + (s_c − 1 − in(v))``, with ``in(v)`` neighbours in ``v``'s own cluster of
        ``s_c`` vertices; 0 for padding. The sum is twice the disagreements.

    Raises:
        ValueError: a directed graph, or a stack; labels that do not fit the graph.

    Cost:
        One sort and three scatters of ``n``, two gathers and two scatters of ``m``.

    Example:
        >>> from jaxlab.graphs import graph_from_edges
        >>> path = graph_from_edges([[0, 1], [1, 2]], 3)
        >>> vertex_disagreements(path, jnp.zeros(3, int)).tolist()
        [1, 0, 1]
    """
    check_labels(graph, labels)
    n = graph.node_capacity
    there = jnp.arange(n) < graph.n_node
    _, start, length, vertex = _runs(labels, there)
    others = jnp.zeros(n, jnp.int32).at[vertex].set(length[start] - 1)
    same = _inside(graph, labels)
    change = jnp.where(graph.mask, 1, 0) - 2 * jnp.where(same, 1, 0)
    counts = others.at[graph.senders].add(change, mode="drop")
    counts = counts.at[graph.receivers].add(change, mode="drop")
    return jnp.where(there, counts, 0)


@uncut
@jax.jit
def constant_potts_quality(
    graph: Graph, labels: Int[Array, " n"], resolution: int | float | Float[Array, ""] = 0.5
) -> Float[Array, ""]:
    """Quality of the constant Potts model, ``Σ_c [e_c − γ s_c (s_c − 1)/2]``.

    At ``γ = ½`` the disagreements are ``m`` less twice the quality, so that minimising one is
    maximising the other.

    Args:
        graph: the + pairs, each of weight 1.
        labels: cluster of each vertex; those of padding do not matter if they fit.
        resolution: ``γ``.

    Returns:
        The quality, in edges; float32, whose rounding shows above 2²⁴ edges or pairs.

    Raises:
        ValueError: a directed graph, or a stack; labels that do not fit the graph; a resolution
            that is no single number; more than 65,536 vertices without x64.

    Cost:
        That of :func:`disagreements`.

    Source:
        Traag, Van Dooren, Nesterov 2011, *Narrow scope for resolution-limit-free community
        detection*.

    Example:
        >>> from jaxlab.graphs import graph_from_edges
        >>> float(constant_potts_quality(graph_from_edges([[0, 1], [1, 2]], 3), jnp.zeros(3, int)))
        0.5
    """
    check_shape("resolution", resolution, ())
    inside, pairs = _counts(graph, labels)
    return inside - resolution * pairs.astype(jnp.result_type(float))


def check_countable(n: int) -> None:
    """Refuse a number of vertices whose pairs the widest integers at hand cannot count."""
    wide = jax.dtypes.canonicalize_dtype(jnp.int64) == jnp.int64
    require(
        n <= COUNTABLE or wide,
        "node_capacity",
        n,
        f"at most {COUNTABLE} vertices where costs are counted in int32 (x64 is off)",
    )


def check_labels(graph: Graph, labels: Int[Array, " n"]) -> None:
    """Refuse what is not one undirected graph with a label for each vertex."""
    check_undirected(graph)
    check_shape("labels", labels, (graph.node_capacity,))
    check_dtype("labels", labels, "integer")
    check_uncut("labels", labels)


def _counts(graph: Graph, labels: Int[Array, " n"]) -> tuple[Array, Array]:
    """Edges and pairs inside clusters."""
    check_labels(graph, labels)
    check_countable(graph.node_capacity)
    dtype = jax.dtypes.canonicalize_dtype(jnp.int64)
    same = _inside(graph, labels)
    there = jnp.arange(graph.node_capacity) < graph.n_node
    position, start, _, vertex = _runs(labels, there)
    # of a cluster's vertices in any order, each makes a pair with all before it
    pairs = jnp.sum(jnp.where(there[vertex], position - start, 0), dtype=dtype)
    return jnp.sum(same, dtype=dtype), pairs


def _inside(graph: Graph, labels: Array) -> Array:
    """Which edges have both ends in one cluster."""
    first, second = (take_or_fill(labels, ends, 0) for ends in (graph.senders, graph.receivers))
    return graph.mask & (first == second)


def _runs(labels: Array, there: Array) -> tuple[Array, Array, Array, Array]:
    """Vertices sorted by label, padding last: position, start of its run, its length there, vertex.

    Lengths stand at the starts.
    """
    n = labels.shape[0]
    position = jnp.arange(n, dtype=jnp.int32)
    missing, sorted_labels, vertex = jax.lax.sort(
        ((~there).astype(jnp.int32), labels, position), num_keys=2
    )
    first = jnp.ones(n, bool)
    if n > 1:
        change = (sorted_labels[1:] != sorted_labels[:-1]) | (missing[1:] != missing[:-1])
        first = first.at[1:].set(change)
    start = jax.lax.cummax(jnp.where(first, position, 0))
    length = jnp.zeros(n, jnp.int32).at[start].add(1)
    return position, start, length, vertex
