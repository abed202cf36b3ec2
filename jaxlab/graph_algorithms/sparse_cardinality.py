"""Matchings of maximum cardinality in bipartite graphs that are given by lists of edges."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from jaxlab.checks import check_bool, check_dtype, check_integer, check_shape
from jaxlab.graph_algorithms._ends import check_ends
from jaxlab.graph_algorithms.cardinality import Matching, grow, turn
from jaxlab.graphs.segments import at_least_int32, segment_min
from jaxlab.varying import vary_like

__all__ = ["maximum_cardinality_matching_sparse"]


def maximum_cardinality_matching_sparse(
    senders: Int[Array, " edges"],
    receivers: Int[Array, " edges"],
    rows: int,
    columns: int,
    init: Int[Array, " n"] | None = None,
    *,
    mask: Bool[Array, " edges"] | None = None,
    layered: bool = False,
) -> Matching:
    """As many pairs of a row and a column as there can be, all of them edges of a list.

    The matching is that which
    :func:`~jaxlab.graph_algorithms.cardinality.maximum_cardinality_matching` finds in the matrix
    with these edges, in memory for the list alone.

    Args:
        senders: row of each edge; an edge may be listed more than once.
        receivers: column of each edge.
        rows: number of rows; static.
        columns: number of columns; static.
        init: a matching to begin from, as ``col_for_row``; −1 for rows without a column. It must
            be one, of edges.
        mask: which edges are there; None for all.
        layered: turn over paths of one length a phase, as Hopcroft and Karp do.

    Returns:
        The matching, and the number of phases.

    Raises:
        ValueError: shapes or types do not fit, or an end is not there. Inside ``jit`` an edge with
            such an end is left out.

    Cost:
        A gather and a scatter of all edges for each level of each search; memory
        ``O(edges + rows + columns)``.

    Source:
        Hopcroft and Karp 1973, *An n^{5/2} algorithm for maximum matchings in bipartite graphs*,
        for ``layered``.

    Example:
        >>> senders, receivers = jnp.array([0, 0, 1]), jnp.array([0, 1, 0])
        >>> maximum_cardinality_matching_sparse(senders, receivers, 2, 2).col_for_row
        Array([1, 0], dtype=int32)
    """
    check_bool("layered", layered)
    check_integer("rows", rows, minimum=0)
    check_integer("columns", columns, minimum=0)
    check_shape("senders", senders, ("edges",))
    check_shape("receivers", receivers, senders.shape)
    if mask is not None:
        check_shape("mask", mask, senders.shape)
        check_dtype("mask", mask, "bool")
    for name, ends, count in (("senders", senders, rows), ("receivers", receivers, columns)):
        check_dtype(name, ends, "integer")
        check_ends(name, ends, count, mask)
    if init is not None:
        check_shape("init", init, (rows,))
        check_dtype("init", init, "integer")
    return _matched(senders, receivers, init, mask, rows=rows, columns=columns, layered=layered)


@functools.partial(jax.jit, static_argnames=("rows", "columns", "layered"))
def _matched(
    senders: Array,
    receivers: Array,
    init: Array | None,
    mask: Array | None,
    *,
    rows: int,
    columns: int,
    layered: bool,
) -> Matching:
    senders, receivers, init, mask = vary_like((senders, receivers, init, mask))
    none = functools.partial(jnp.full_like, senders, -1, jnp.int32)
    col_for_row = none(shape=(rows,)) if init is None else init.astype(jnp.int32)
    if 0 in (rows, columns):
        return Matching(col_for_row, none(shape=(columns,)), jnp.int32(0))
    senders, receivers = at_least_int32(senders), at_least_int32(receivers)
    there = (senders >= 0) & (senders < rows)
    there = there if mask is None else there & mask
    row = jnp.where(there, senders, 0).astype(jnp.int32)
    turns = turn(row, receivers.astype(jnp.int32), rows)

    def proposals(frontier: Array) -> Array:
        return segment_min(turns, receivers, columns, mask=there & frontier[row])

    return grow(col_for_row, columns, proposals, layered=layered)
