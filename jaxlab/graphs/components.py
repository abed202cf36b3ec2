"""Connected components by hooking and pointer doubling, in a logarithmic number of rounds."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Int32

from jaxlab.checks import check_dtype, check_integer, check_shape, uncut
from jaxlab.graphs.containers import Digraph, Graph, check_single
from jaxlab.graphs.segments import at_least_int32
from jaxlab.varying import vary_like

__all__ = ["Components", "connected_components", "graph_components", "largest_component"]


class Components(NamedTuple):
    """What :func:`graph_components` returns.

    Attributes:
        labels: least vertex of each vertex's component; padding labels itself.
        sizes: number of vertices of the component whose least vertex this is; 0 elsewhere.
        number: of components.
    """

    labels: Int32[Array, " n"]
    sizes: Int32[Array, " n"]
    number: Int32[Array, ""]


@uncut
@functools.partial(jax.jit, static_argnames=("n",))
def connected_components(
    senders: Int[Array, " e"],
    receivers: Int[Array, " e"],
    n: int,
    *,
    mask: Bool[Array, " e"] | None = None,
) -> Int32[Array, " n"]:
    """Least vertex of each vertex's connected component; directions do not matter.

    Args:
        senders: one end of each edge, in any order.
        receivers: its other end. Edges with an end outside of 0 to ``n - 1`` are padding.
        n: number of vertices; static.
        mask: which edges are there; None for all that are not padding.

    Returns:
        Labels; a vertex without edges labels itself.

    Raises:
        ValueError: for ends that are not integers, or, of NumPy, do not fit the type jax gives
            them; arrays of different lengths.

    Cost:
        O(log n) rounds, each with one scatter of ``e`` entries and O(log n) gathers of ``n``, or
        of ``e`` where ``4 e < n``.

    Source:
        Shiloach and Vishkin 1982, *An O(log n) parallel connectivity algorithm*; here every round
        hooks each tree to its least neighbour and then flattens it.

    Example:
        >>> senders, receivers = jnp.array([0, 3, 5]), jnp.array([2, 4, 5])
        >>> connected_components(senders, receivers, 5).tolist()  # 5 is padding
        [0, 1, 0, 3, 3]
    """
    check_integer("n", n, minimum=0)
    check_shape("senders", senders, ("e",))
    check_shape("receivers", receivers, senders.shape)
    check_dtype("senders", senders, "integer")
    check_dtype("receivers", receivers, "integer")
    senders, receivers = at_least_int32(senders), at_least_int32(receivers)
    there = (senders >= 0) & (senders < n) & (receivers >= 0) & (receivers < n)
    if mask is not None:
        check_shape("mask", mask, senders.shape)
        check_dtype("mask", mask, "bool")
        there &= mask
    senders = jnp.where(there, senders, n).astype(jnp.int32)
    receivers = jnp.where(there, receivers, n).astype(jnp.int32)
    # With few edges only their ends are worth touching in each round.
    few = 4 * senders.size < n
    flatten = _flatten_at if few else _flatten_all

    def merge(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        parents, left, right = state
        high = jnp.maximum(left, right)
        parents = flatten(parents.at[high].min(jnp.minimum(left, right)), high)
        return parents, parents[left], parents[right]

    def unequal(state: tuple[Array, Array, Array]) -> Array:
        _, left, right = state
        return jnp.any(left != right)

    # slot n takes the padding
    state = vary_like((jnp.arange(n + 1, dtype=jnp.int32), senders, receivers))
    parents, left, right = jax.lax.while_loop(unequal, merge, state)
    if few:
        parents = parents.at[senders].set(left).at[receivers].set(right)
    return parents[:n]


@jax.jit
def graph_components(graph: Graph | Digraph) -> Components:
    """Connected components of a graph; the weak ones of a directed graph.

    Args:
        graph: the graph.

    Returns:
        Label of each vertex, sizes and number of components.

    Raises:
        ValueError: a stack.

    Cost:
        That of :func:`connected_components`.

    Example:
        >>> from jaxlab.graphs.containers import graph_from_edges
        >>> found = graph_components(graph_from_edges([[1, 2]], 3))
        >>> found.labels.tolist(), found.sizes.tolist(), int(found.number)
        ([0, 1, 1], [1, 2, 0], 2)
    """
    check_single(graph)
    n = graph.node_capacity
    labels = connected_components(graph.senders, graph.receivers, n, mask=graph.mask)
    there = (jnp.arange(n) < graph.n_node).astype(jnp.int32)
    sizes = jnp.zeros(n, jnp.int32).at[labels].add(there)
    return Components(labels, sizes, jnp.sum(sizes > 0, dtype=jnp.int32))


@jax.jit
def largest_component(graph: Graph | Digraph) -> Bool[Array, " n"]:
    """Which vertices lie in the largest connected component; of equals, in the first.

    Args:
        graph: the graph.

    Returns:
        A mask; all False for a graph without vertices.

    Raises:
        ValueError: a stack.

    Cost:
        That of :func:`connected_components`.

    Example:
        >>> from jaxlab.graphs.containers import graph_from_edges
        >>> largest_component(graph_from_edges([[1, 2]], 3)).tolist()
        [False, True, True]
    """
    n = graph.node_capacity
    labels, sizes, _ = graph_components(graph)
    largest = jnp.max(sizes, initial=0)
    vertices = jnp.arange(n, dtype=jnp.int32)
    first = jnp.min(jnp.where(sizes == largest, vertices, n), initial=n)
    return (labels == first) & (vertices < graph.n_node)


def roots(parents: Int32[Array, " n"]) -> Int32[Array, " n"]:
    """The root of each vertex's tree, by pointer doubling; a root is its own parent."""

    def double(state: tuple[Array, Array]) -> tuple[Array, Array]:
        return state[1], state[1][state[1]]

    state = parents, parents[parents]
    return jax.lax.while_loop(lambda state: jnp.any(state[0] != state[1]), double, state)[0]


def _flatten_all(parents: Array, _: Array) -> Array:
    """Every vertex's root."""
    return roots(parents)


def _flatten_at(parents: Array, vertices: Array) -> Array:
    """The same for ``vertices`` alone, which hold all that were roots and no longer are."""

    def double(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        parents, _, above = state
        parents = parents.at[vertices].set(above)
        return parents, above, parents[above]

    first = parents[vertices]
    state = parents, first, parents[first]
    return jax.lax.while_loop(lambda state: jnp.any(state[1] != state[2]), double, state)[0]
