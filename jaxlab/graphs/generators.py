"""Random graphs, which a key decides about.

Those that decide about each pair of vertices have room for all pairs, ``n (n − 1)/2``, and mask
those that are not there: :func:`jaxlab.graphs.compact_graph` makes them as small as they are.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32, Key

from jaxlab.checks import (
    check_dtype,
    check_integer,
    check_key,
    check_number,
    check_scalar,
    check_shape,
    concrete,
    require,
)
from jaxlab.graphs.containers import Digraph, Graph

__all__ = [
    "BlockGraph",
    "erdos_renyi",
    "planted_partition",
    "random_digraph",
    "random_edges",
    "stochastic_block",
]


LARGEST = 46_340  # its square is the last below 2^31


class BlockGraph(NamedTuple):
    """What :func:`stochastic_block` and :func:`planted_partition` return.

    Attributes:
        graph: the graph.
        blocks: number of each vertex's block.
    """

    graph: Graph
    blocks: Int32[Array, " n"]


def erdos_renyi(key: Key[Array, ""], n: int, probability: Float[Array, ""] | float | int) -> Graph:
    """Random graph in which each pair of vertices is an edge with the same probability.

    Args:
        key: for the choice.
        n: number of vertices; static.
        probability: of each edge.

    Returns:
        ``G(n, p)``, with room for all pairs.

    Raises:
        ValueError: a negative ``n`` or one above 46,340, or a concrete probability outside of
            [0, 1].

    Cost:
        ``O(n²)``.

    Source:
        Gilbert 1959, *Random graphs*.

    Example:
        >>> graph = erdos_renyi(jax.random.key(0), 10, 0.5)
        >>> graph.edge_capacity, int(graph.mask.sum())
        (45, ...)
    """
    check_key("key", key)
    check_integer("n", n, minimum=0)
    check_scalar("probability", probability, minimum=0, maximum=1)
    return _stochastic_block(key, jnp.full((1, 1), probability, jnp.float32), sizes=(n,)).graph


@functools.partial(jax.jit, static_argnames=("n", "num_edges"))
def random_edges(key: Key[Array, ""], n: int, num_edges: int) -> Graph:
    """Random graph with a given number of edges, each such graph equally likely.

    Args:
        key: for the choice.
        n: number of vertices; static.
        num_edges: number of edges; static.

    Returns:
        ``G(n, m)``, its edges in random order.

    Raises:
        ValueError: a negative number, more than 46,340 vertices, or more edges than pairs.

    Cost:
        ``O(n²)``.

    Source:
        Erdős and Rényi 1959, *On random graphs I*.

    Example:
        >>> random_edges(jax.random.key(0), 10, 12).edge_capacity
        12
    """
    check_key("key", key)
    check_integer("n", n, minimum=0)
    check_integer("num_edges", num_edges, minimum=0)
    pairs = n * (n - 1) // 2
    require(num_edges <= pairs, "num_edges", num_edges, f"at most all {pairs} pairs of vertices")
    senders, receivers = _pairs(n)
    chosen = jax.random.permutation(key, pairs)[:num_edges]
    mask = jnp.ones(num_edges, bool)
    return _graph(senders[chosen], receivers[chosen], mask, n)


def stochastic_block(
    key: Key[Array, ""], sizes: Sequence[int], probabilities: Float[Array, "k k"]
) -> BlockGraph:
    """Random graph whose edges are as likely as the blocks of their ends say.

    Args:
        key: for the choice.
        sizes: number of vertices of each of the ``k`` blocks, which follow one another; static.
        probabilities: of an edge between two blocks, or within one; symmetric.

    Returns:
        The graph, with room for all pairs, and the blocks.

    Raises:
        ValueError: a negative size, more than 46,340 vertices, a matrix of another size, or a
            concrete one that is not symmetric or has entries outside of [0, 1].

    Cost:
        ``O(n²)``.

    Source:
        Holland, Laskey and Leinhardt 1983, *Stochastic blockmodels: first steps*.

    Example:
        >>> made = stochastic_block(jax.random.key(0), (2, 2), jnp.array([[0.0, 1.0], [1.0, 0.0]]))
        >>> int(made.graph.mask.sum()), made.blocks.tolist()
        (4, [0, 0, 1, 1])
    """
    check_key("key", key)
    sizes = _sizes(sizes)
    check_shape("probabilities", probabilities, (len(sizes), len(sizes)))
    check_number("probabilities", probabilities, minimum=0, maximum=1)
    matrix = concrete(probabilities)
    symmetric = matrix is None or np.array_equal(matrix, matrix.T)
    require(symmetric, "probabilities", probabilities, "a symmetric matrix")
    # float32 with x64 too, so that the graph is the same
    return _stochastic_block(key, jnp.asarray(probabilities, jnp.float32), sizes=sizes)


def planted_partition(
    key: Key[Array, ""],
    sizes: Sequence[int],
    p_in: Float[Array, ""] | float | int,
    p_out: Float[Array, ""] | float | int,
) -> BlockGraph:
    """Random graph with two probabilities of an edge: within a block, and between two.

    Args:
        key: for the choice.
        sizes: number of vertices of each block, which follow one another; static.
        p_in: probability of an edge within a block.
        p_out: probability of an edge between two blocks.

    Returns:
        The graph, with room for all pairs, and the blocks.

    Raises:
        ValueError: a negative size, more than 46,340 vertices, or a concrete probability outside of
            [0, 1].

    Cost:
        ``O(n²)``.

    Source:
        Condon and Karp 2001, *Algorithms for graph partitioning on the planted partition model*.

    Example:
        >>> two_triangles = planted_partition(jax.random.key(0), (3, 3), 1, 0).graph
        >>> int(two_triangles.mask.sum())
        6
    """
    check_key("key", key)
    sizes = _sizes(sizes)
    check_scalar("p_in", p_in, minimum=0, maximum=1)
    check_scalar("p_out", p_out, minimum=0, maximum=1)
    probabilities = jnp.where(jnp.eye(len(sizes), dtype=bool), p_in, p_out)
    return _stochastic_block(key, probabilities.astype(jnp.float32), sizes=sizes)


def random_digraph(
    key: Key[Array, ""],
    n: int,
    num_arcs: int,
    *,
    minimum: Int32[Array, ""] | int = 1,
    maximum: Int32[Array, ""] | int = 100,
) -> Digraph:
    """Random directed graph with integer weights, without loops; arcs may be parallel.

    Args:
        key: for the choice.
        n: number of vertices; static.
        num_arcs: number of arcs; static.
        minimum: least weight.
        maximum: largest weight.

    Returns:
        Arcs with independent uniform ends and int32 weights.

    Raises:
        ValueError: a negative number of vertices or arcs, arcs among fewer than two vertices, or
            concrete weights that no integer lies between, or that int32 has no room for.

    Cost:
        ``O(num_arcs)``.

    Example:
        >>> graph = random_digraph(jax.random.key(0), 5, 8, minimum=-2, maximum=3)
        >>> graph.edge_capacity, bool((graph.senders != graph.receivers).all())
        (8, True)
    """
    check_key("key", key)
    check_integer("n", n, minimum=0)
    check_integer("num_arcs", num_arcs, minimum=0)
    require(n >= 2 or num_arcs == 0, "n", n, "at least two vertices")
    for name, bound in (("minimum", minimum), ("maximum", maximum)):
        check_dtype(name, bound, "integer")
        check_scalar(name, bound, minimum=-(2**31), maximum=2**31 - 2)
    least, most = concrete(minimum), concrete(maximum)
    ordered = least is None or most is None or bool(least <= most)
    require(ordered, "maximum", maximum, f"a number of at least {minimum}")
    return _random_digraph(key, minimum, maximum, n=n, num_arcs=num_arcs)


@functools.partial(jax.jit, static_argnames=("n", "num_arcs"))
def _random_digraph(key: Any, minimum: Any, maximum: Any, *, n: int, num_arcs: int) -> Digraph:
    tail_key, head_key, weight_key = jax.random.split(key, 3)
    tails = jax.random.randint(tail_key, (num_arcs,), 0, max(n, 1), jnp.int32)
    heads = (tails + jax.random.randint(head_key, (num_arcs,), 1, max(n, 2), jnp.int32)) % max(n, 1)
    # narrow bounds have no room for one more
    least, beyond = jnp.asarray(minimum, jnp.int32), jnp.asarray(maximum, jnp.int32) + 1
    weights = jax.random.randint(weight_key, (num_arcs,), least, beyond, jnp.int32)
    return Digraph(tails, heads, jnp.ones(num_arcs, bool), weights, jnp.int32(n), n)


@functools.partial(jax.jit, static_argnames=("sizes",))
def _stochastic_block(key: Any, probabilities: Any, *, sizes: tuple[int, ...]) -> BlockGraph:
    n = sum(sizes)
    blocks = jnp.asarray(np.repeat(np.arange(len(sizes), dtype=np.int32), sizes))
    senders, receivers = _pairs(n)
    mask = jax.random.bernoulli(key, probabilities[blocks[senders], blocks[receivers]])
    return BlockGraph(_graph(senders, receivers, mask, n), blocks)


def _sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    for size in sizes:
        check_integer("sizes", size, minimum=0)
    return tuple(int(size) for size in sizes)


def _pairs(n: int) -> tuple[Array, Array]:
    """Ends of all pairs of ``n`` vertices, in lexicographic order."""
    require(n <= LARGEST, "n", n, f"at most {LARGEST} vertices, whose pairs int32 can number")
    vertices = jnp.arange(n, dtype=jnp.int32)
    count = n * (n - 1) // 2
    first = vertices * (n - 1) - vertices * (vertices - 1) // 2
    senders = jnp.repeat(vertices, n - 1 - vertices, total_repeat_length=count)
    receivers = jnp.arange(count, dtype=jnp.int32) - first[senders] + senders + 1
    return senders, receivers


def _graph(senders: Array, receivers: Array, mask: Array, n: int) -> Graph:
    ends = jnp.where(mask, senders, n), jnp.where(mask, receivers, n)
    return Graph(*ends, mask, None, jnp.int32(n), n)
