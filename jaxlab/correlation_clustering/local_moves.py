"""Better clusters by moving single vertices, with at most so many moves of each."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Int32, Key

from jaxlab.checks import check_dtype, check_integer, check_key, check_number, check_shape
from jaxlab.correlation_clustering.cost import check_countable, check_labels, disagreements
from jaxlab.graphs import Graph
from jaxlab.varying import vary_like

__all__ = ["LocalMoves", "local_moves"]

LARGEST = jnp.iinfo(jnp.int32).max


class LocalMoves(NamedTuple):
    """What :func:`local_moves` returns.

    Attributes:
        labels: cluster of each vertex, named by its least vertex; padding is alone.
        cost: disagreements after each round, never rising.
        moves: how often each vertex moved.
        converged: whether no vertex that may still move would gain by it.
    """

    labels: Int32[Array, " n"]
    cost: Int[Array, " rounds"]
    moves: Int32[Array, " n"]
    converged: Bool[Array, ""]


def local_moves(
    key: Key[Array, ""],
    graph: Graph,
    labels: Int[Array, " n"],
    *,
    rounds: int,
    budget: int | Int[Array, ""] | Int[Array, " n"] | None = None,
) -> LocalMoves:
    """Rounds of moves of many vertices at once to the clusters where they disagree least.

    A vertex ``v`` gains ``2 e(v, c) − s_c`` in a foreign cluster of ``s_c`` vertices with
    ``e(v, c)`` of its neighbours, ``2 e(v, own) − (s_own − 1)`` where it is, and 0 alone: the
    difference of two is that of the costs. In a round all vertices that would gain are found. Two
    sets of them are tried, a random half, and those of largest gain in both the cluster that they
    leave and the one that they enter, whose gains add up; the better one moves, if it lowers the
    cost.

    Args:
        key: decides ties and halves.
        graph: the + pairs.
        labels: clusters to begin with; any integers.
        rounds: number of rounds; static.
        budget: how often a vertex may move, one number or one for each; None for as often as it
            likes.

    Returns:
        Clusters, cost after each round, moves of each vertex.

    Raises:
        ValueError: a directed graph, or a stack; labels or a budget that do not fit the graph; a
            budget that is negative or that int32 has no room for; fewer than one round; more than
            65,536 vertices without x64.

    Cost:
        For each round one sort of ``2 e`` and four of ``n``.

    Example:
        >>> from jaxlab.graphs import graph_from_edges
        >>> triangle = graph_from_edges([[0, 1], [0, 2], [1, 2], [2, 3]], 4)
        >>> local_moves(jax.random.key(0), triangle, jnp.arange(4), rounds=8).labels.tolist()
        [0, 0, 0, 3]
    """
    check_key("key", key)
    check_labels(graph, labels)
    check_integer("rounds", rounds, minimum=1)
    check_countable(graph.node_capacity)
    limit = LARGEST if budget is None else budget
    check_shape("budget", limit, (graph.node_capacity,) if jnp.ndim(limit) else ())
    check_dtype("budget", limit, "integer")
    check_number("budget", limit, minimum=0, maximum=LARGEST)
    return _moves(key, graph, labels, limit, rounds)


@functools.partial(jax.jit, static_argnames=("rounds",))
def _moves(key: Array, graph: Graph, labels: Array, limit: Any, rounds: int) -> LocalMoves:
    n = graph.node_capacity
    vertices = jnp.arange(n, dtype=jnp.int32)
    there = vertices < graph.n_node
    start = _canonical(jnp.where(there, _dense(labels, there), n + vertices))

    def step(carry: tuple[Array, Array, Array], key: Array) -> tuple[tuple, Array]:
        labels, moves, cost = carry
        half_key, tie_key = jax.random.split(key)
        gain, target = _best_moves(graph, labels)
        eager = (gain > 0) & there & (moves < limit)
        half = eager & jax.random.bernoulli(half_key, 0.5, (n,))
        apart = _apart(eager, gain, labels, target, jax.random.permutation(tie_key, n))

        def moved(chosen: Array) -> tuple[Array, Array]:
            new = _canonical(jnp.where(chosen, target, labels))
            return new, disagreements(graph, new)

        (by_half, half_cost), (by_apart, apart_cost) = moved(half), moved(apart)
        halved = half_cost < apart_cost
        chosen = jnp.where(halved, half, apart)
        new_cost = jnp.where(halved, half_cost, apart_cost)
        better = new_cost < cost
        labels = jnp.where(better, jnp.where(halved, by_half, by_apart), labels)
        moves = moves + (better & chosen).astype(jnp.int32)
        cost = jnp.where(better, new_cost, cost)
        return (labels, moves, cost), cost

    carry = vary_like(
        (start, jnp.zeros(n, jnp.int32), disagreements(graph, start)), graph, key, limit
    )
    (labels, moves, _), costs = jax.lax.scan(step, carry, jax.random.split(key, rounds))
    gain, _ = _best_moves(graph, labels)
    return LocalMoves(labels, costs, moves, ~jnp.any((gain > 0) & there & (moves < limit)))


def _best_moves(graph: Graph, labels: Array) -> tuple[Array, Array]:
    """What each vertex gains at most by a move, and the label that it then has.

    Labels are below ``n``; the label ``n + v`` is that of ``v`` alone.
    """
    n = graph.node_capacity
    if n == 0:  # whose labels have no entry to read
        return jnp.zeros(0, jnp.int32), jnp.zeros(0, jnp.int32)
    size = jnp.zeros(n, jnp.int32).at[labels].add(1)
    vertex = jnp.concatenate([graph.senders, graph.receivers])
    other = jnp.concatenate([graph.receivers, graph.senders])
    mask = jnp.concatenate([graph.mask, graph.mask])
    vertex = jnp.where(mask, vertex, n)
    vertex, cluster = _sorted_pairs(vertex, jnp.where(mask, labels[other], n), n)
    position = jnp.arange(vertex.shape[0], dtype=jnp.int32)
    starts = (vertex[1:] != vertex[:-1]) | (cluster[1:] != cluster[:-1])
    starts = jnp.concatenate([jnp.ones(min(1, vertex.shape[0]), bool), starts])
    edges = position - jax.lax.cummax(jnp.where(starts, position, 0)) + 1  # up to here in the run
    own = cluster == labels[vertex]
    stay = jnp.zeros(n, jnp.int32).at[vertex].max(jnp.where(own, edges, 0), mode="drop")
    stay = 2 * stay - (size[labels] - 1)
    value = jnp.where(own, -LARGEST, 2 * edges - size[cluster])
    best = jnp.full(n, -LARGEST, jnp.int32).at[vertex].max(value, mode="drop")
    attains = ~own & (value == best[vertex])
    target = jnp.full(n, n, jnp.int32)
    target = target.at[vertex].min(jnp.where(attains, cluster, n), mode="drop")
    alone = best < 0
    target = jnp.where(alone, n + jnp.arange(n, dtype=jnp.int32), target)
    return jnp.where(alone, 0, best) - stay, target


def _sorted_pairs(first: Array, second: Array, most: int) -> tuple[Array, Array]:
    """Pairs of numbers up to ``most`` in lexicographic order."""
    base, wide = most + 1, jax.dtypes.canonicalize_dtype(jnp.uint64)
    if base**2 - 1 > jnp.iinfo(wide).max:
        first, second = jax.lax.sort((first, second), num_keys=2)
        return first, second
    # as one number each: XLA on CPUs sorts one array several times faster than two
    key = jnp.sort(first.astype(wide) * base + second.astype(wide))
    return (key // base).astype(first.dtype), (key % base).astype(second.dtype)


def _apart(eager: Array, gain: Array, labels: Array, target: Array, tie: Array) -> Array:
    """Movers no two of which leave or enter one cluster: the eagerest wherever they meet."""
    n = labels.shape[0]
    _, _, order = jax.lax.sort((-gain, tie, jnp.arange(n, dtype=jnp.int32)), num_keys=2)
    rank = jnp.zeros(n, jnp.int32).at[order].set(jnp.arange(n, dtype=jnp.int32))
    rank = jnp.where(eager, rank, n)
    least = jnp.full(2 * n, n, jnp.int32).at[labels].min(rank).at[target].min(rank)
    return eager & (least[labels] == rank) & (least[target] == rank)


def _canonical(labels: Array) -> Array:
    """Labels below ``2 n`` by the least vertex that has them."""
    n = labels.shape[0]
    vertices = jnp.arange(n, dtype=jnp.int32)
    return jnp.full(2 * n, n, jnp.int32).at[labels].min(vertices)[labels]


def _dense(labels: Array, there: Array) -> Array:
    """Any integers as numbers below ``n``."""
    n = labels.shape[0]
    _, labels, index = jax.lax.sort(
        ((~there).astype(jnp.int32), labels, jnp.arange(n, dtype=jnp.int32)), num_keys=2
    )
    change = labels[1:] != labels[:-1]
    number = jnp.cumsum(jnp.concatenate([jnp.zeros(min(1, n), bool), change]), dtype=jnp.int32)
    return jnp.zeros(n, jnp.int32).at[index].set(number)
