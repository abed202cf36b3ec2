"""Arcs laid out by the vertex they enter, for rounds of relaxation over all of them.

Two layouts: a table with one row of arcs per slot, where every vertex has about as many arcs, and a
list whose arcs are reduced by segments, where a few vertices have most. Lengths are laid out apart,
since some algorithms change them while the arcs stay.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxlab.checks import check_shape, concrete, require
from jaxlab.graphs.layouts import InArcs, in_arcs
from jaxlab.graphs.segments import take_or_fill

__all__ = [
    "Incoming",
    "absent",
    "arcs_from",
    "incoming",
    "infinity",
    "labels_from",
    "lay",
    "no_parents",
    "parent_lengths",
    "relax",
    "table_of",
]

SKEW = 8  # largest over mean in-degree from which on the table would be mostly empty
UNROLLED = 16


class Incoming(NamedTuple):
    """The arcs into each vertex.

    Attributes:
        senders: tail of each arc, ``[arcs]``; padding has tail 0.
        receivers: head of each arc, ``[arcs]``; of padding, one past the last vertex.
        table: the arcs into each vertex, ``[slots, n]``, ``arcs`` where a slot is empty; None for
            the list.
        tails: their tails, ``[slots, n]``; None for the list.
        nodes: number of vertices there is room for.
    """

    senders: Array
    receivers: Array
    table: Array | None
    tails: Array | None
    nodes: int


def infinity(dtype: Any) -> Any:
    """The label of a vertex that no walk reaches: labels and lengths stay below it."""
    if jnp.issubdtype(dtype, jnp.floating):
        return np.inf
    return 2 ** (np.iinfo(dtype).bits - 3)


def absent(dtype: Any) -> Any:
    """A length for arcs that are not there: no label plus it is below infinity."""
    return infinity(dtype) * 2


def table_of(graph: Any, arcs: InArcs | None = None) -> Array | None:
    """The arcs into each vertex ``[slots, n]``, ``arcs`` where a slot is empty; None for the list.

    Those given, or made here where the graph is concrete and its degrees even enough: the width of
    the table decides the shape of the program, which a traced graph cannot.
    """
    n, m = graph.node_capacity, graph.edge_capacity
    if arcs is None:
        width = _even_width(graph)
        if width is None:
            return None
        arcs = in_arcs(graph, width=width)
    else:
        check_shape("in_arcs.arc", arcs.arc, (n, "d"))
        dropped = concrete(arcs.dropped)
        require(dropped is None or not dropped.any(), "in_arcs.dropped", dropped, "no arc left out")
    return jnp.where(arcs.mask, arcs.arc, m).T


def incoming(graph: Any, table: Any) -> Incoming:
    """Lay out the arcs of ``graph`` by the table of :func:`table_of`."""
    senders = jnp.where(graph.mask, graph.senders, 0).astype(jnp.int32)
    receivers = jnp.where(graph.mask, graph.receivers, graph.node_capacity).astype(jnp.int32)
    if table is None:
        return Incoming(senders, receivers, None, None, graph.node_capacity)
    tails = take_or_fill(senders, table, 0)
    return Incoming(senders, receivers, table, tails, graph.node_capacity)


def lay(arcs: Incoming, lengths: Array) -> Array:
    """Lengths ``[arcs]`` in the order in which :func:`relax` reads them."""
    if arcs.table is None:
        return lengths
    return take_or_fill(lengths, arcs.table, absent(lengths.dtype))


def no_parents(arcs: Incoming) -> Array:
    """A parent arc for each vertex: none."""
    # made of the arcs, so that under shard_map it varies over the same mesh axes
    return jnp.full_like(arcs.senders, arcs.senders.shape[0], shape=(arcs.nodes,))


def labels_from(arcs: Incoming, source: Array, dtype: Any) -> Array:
    """0 at the source, infinity elsewhere."""
    infinite = jnp.full_like(arcs.senders, infinity(dtype), dtype, shape=(arcs.nodes,))
    return jnp.where(jnp.arange(arcs.nodes) == source, 0, infinite)


def relax(
    arcs: Incoming,
    laid: Array,
    labels: Array,
    parents: Array,
    offers: Array | None = None,
    slack: Array | None = None,
) -> tuple[Array, Array]:
    """Labels and parent arcs after one round in which all arcs are relaxed at once.

    A parent changes only where the label strictly falls: parents then form no cycle but a negative
    one, whatever the zero cycles, but for rounding errors below ``slack``. ``offers`` stands for
    the labels of tails where it is given, and labels have to fall by more than ``slack``.
    """
    infinite = infinity(labels.dtype)
    offers = labels if offers is None else offers
    if arcs.table is None or arcs.tails is None:
        tail = offers[arcs.senders]
        reached = jnp.where(tail < infinite, tail + laid, infinite)
        best, arc = _least(arcs, reached, labels.shape[0])
    else:

        def reach(tails: Array, length: Array) -> Array:
            tail = offers[tails]
            return jnp.where(tail < infinite, tail + length, infinite)

        best, arc = _fold(arcs, laid, reach, labels, parents)
    better = (best if slack is None else best + slack) < labels
    return jnp.where(better, best, labels), jnp.where(better, arc, parents)


def parent_lengths(arcs: Incoming, laid: Array, parents: Array) -> Array:
    """Length of the arc by which each vertex is reached; anything where there is none."""
    if arcs.table is None:
        return take_or_fill(laid, parents, 0)
    missing = absent(laid.dtype)
    return jnp.min(jnp.where(arcs.table == parents, laid, missing), axis=0, initial=missing)


def arcs_from(arcs: Incoming, laid: Array, tails: Array) -> Array:
    """Shortest arc into each vertex from the vertex ``tails`` names for it; ``arcs`` for none."""
    n, m = tails.shape[0], arcs.senders.shape[0]
    longest = absent(laid.dtype)
    if arcs.table is None:
        wanted = tails.at[arcs.receivers].get(mode="fill", fill_value=-1) == arcs.senders
        best, arc = _least(arcs, jnp.where(wanted, laid, longest), n)
        return jnp.where(best < longest, arc, m)

    def reach(tail: Array, length: Array) -> Array:
        return jnp.where(tail == tails, length, longest)

    start = jnp.full_like(laid, longest, shape=(n,))
    return _fold(arcs, laid, reach, start, no_parents(arcs))[1]


def _least(arcs: Incoming, values: Array, n: int) -> tuple[Array, Array]:
    """Least value among the arcs into each vertex, and the first arc that has it."""
    m = values.shape[0]
    best = jax.ops.segment_min(values, arcs.receivers, n)
    winner = values == best.at[arcs.receivers].get(mode="fill", fill_value=0)
    arc = jnp.where(winner, jnp.arange(m, dtype=jnp.int32), m)
    return best, jax.ops.segment_min(arc, arcs.receivers, n)


def _fold(
    arcs: Incoming,
    laid: Array,
    reach: Callable[[Array, Array], Array],
    labels: Array,
    parents: Array,
) -> tuple[Array, Array]:
    """Go through the slots of the table, keeping what is strictly less than before."""

    def step(
        best: tuple[Array, Array], slot: tuple[Array, ...]
    ) -> tuple[tuple[Array, Array], None]:
        tails, length, arc = slot
        reached = reach(tails, length)
        better = reached < best[0]
        return (jnp.where(better, reached, best[0]), jnp.where(better, arc, best[1])), None

    assert arcs.table is not None
    assert arcs.tails is not None
    unroll = max(1, min(arcs.table.shape[0], UNROLLED))
    slots = (arcs.tails, laid, arcs.table)
    return jax.lax.scan(step, (labels, parents), slots, unroll=unroll)[0]


def _even_width(graph: Any) -> int | None:
    """How many arcs enter a vertex at most; None where that is unknown or far above the mean."""
    mask, receivers = concrete(graph.mask), concrete(graph.receivers)
    if mask is None or receivers is None or receivers.ndim != 1:
        return None
    n, count = graph.node_capacity, int(mask.sum())
    width = int(np.bincount(receivers[mask], minlength=n).max(initial=0))
    if width * n > SKEW * max(count, n):
        return None
    # few widths, so that graphs of one size share one program
    return width if width <= 4 else -(-width // 8) * 8
