"""Negative cycles, read off the parents of labels that never stop falling."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int32, Num

from jaxlab.graph_algorithms._incoming import incoming, lay, no_parents, table_of
from jaxlab.graph_algorithms._labels import (
    ancestors,
    check_lengths,
    fits,
    lengths_of,
    negative,
    settle,
)
from jaxlab.graph_algorithms.status import NEGATIVE_CYCLE, OVERFLOW
from jaxlab.graphs.containers import Digraph
from jaxlab.graphs.layouts import InArcs
from jaxlab.graphs.segments import take_or_fill
from jaxlab.varying import vary_like

__all__ = ["NegativeCycle", "find_negative_cycle"]


class NegativeCycle(NamedTuple):
    """What :func:`find_negative_cycle` returns.

    Attributes:
        vertices: of the cycle in the direction of its arcs, padded with −1; only −1 for none.
        length: sum of its lengths, below 0; 0 for none.
        status: of :mod:`~jaxlab.graph_algorithms.status`: ``OK`` there is none, ``NEGATIVE_CYCLE``
            this is one, ``OVERFLOW`` of lengths, or of labels midway.
        rounds: rounds over all arcs.
    """

    vertices: Int32[Array, " n"]
    length: Num[Array, ""]
    status: Int32[Array, ""]
    rounds: Int32[Array, ""]


def find_negative_cycle(graph: Digraph, *, in_arcs: InArcs | None = None) -> NegativeCycle:
    """A simple cycle of negative length, anywhere in the graph.

    Bellman–Ford rounds from all vertices at once; once the parents contain a cycle it is negative.
    For floats see :func:`~jaxlab.graph_algorithms.label_correcting.bellman_ford`.
    Of parallel arcs the cycle uses the shortest.

    Args:
        graph: lengths are its weights, or all 1.
        in_arcs: as for :func:`~jaxlab.graph_algorithms.label_correcting.bellman_ford`.

    Returns:
        Its vertices, length, status and rounds.

    Raises:
        ValueError: as for ``bellman_ford``.

    Cost:
        O(arcs) per round, at most n rounds, and one step per vertex of the cycle.

    Example:
        >>> from jaxlab.graphs import digraph_from_arcs
        >>> arcs, weights = [[0, 1], [1, 2], [2, 1]], [3, -5, 4]
        >>> found = find_negative_cycle(digraph_from_arcs(arcs, 4, weights=weights))
        >>> found.vertices.tolist(), int(found.length)
        ([2, 1, -1, -1], -1)
    """
    check_lengths(graph)
    if graph.node_capacity == 0:
        nothing = jnp.int32(0)
        empty = jnp.zeros(0, jnp.int32)
        return NegativeCycle(empty, jnp.zeros_like(lengths_of(graph), shape=()), nothing, nothing)
    return _find_negative_cycle(graph, table_of(graph, in_arcs))


@jax.jit
def _find_negative_cycle(graph: Digraph, table: Array | None) -> NegativeCycle:
    graph, table = vary_like((graph, table))
    n = graph.node_capacity
    arcs, lengths = incoming(graph, table), lengths_of(graph)
    fitting = fits(lengths, graph.mask, graph.n_node)
    start = jnp.zeros_like(lengths, shape=(n,))
    found = settle(
        arcs, lay(arcs, lengths), start, no_parents(arcs), go=fitting, n_node=graph.n_node
    )

    cyclic = found.status == NEGATIVE_CYCLE
    steps = take_or_fill(lengths, found.parents, 0)
    far = ancestors(arcs.senders, found.parents, cyclic)
    on = cyclic & negative(arcs.senders, steps, found.parents, far, cyclic)
    first = jnp.min(jnp.where(on, jnp.arange(n, dtype=jnp.int32), n), initial=n)

    def walk(state: tuple[Array, ...]) -> tuple[Array, ...]:
        met, vertex, count, length, _ = state
        arc = found.parents[vertex]
        above = take_or_fill(arcs.senders, arc, n)
        # the walk goes against the arcs
        return (
            met.at[n - 1 - count].set(vertex),
            above,
            count + 1,
            length + take_or_fill(lengths, arc, 0),
            above != first,
        )

    met, length = jnp.full_like(found.parents, -1), jnp.zeros_like(lengths, shape=())
    state: tuple[Array, ...] = (met, first, jnp.zeros_like(first), length, first < n)
    met, _, count, length, _ = jax.lax.while_loop(lambda state: state[4], walk, state)
    status = jnp.where(fitting, found.status, OVERFLOW).astype(jnp.int32)
    return NegativeCycle(jnp.roll(met, count), length, status, found.rounds)
