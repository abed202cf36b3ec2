"""Matchings of maximum cardinality in bipartite graphs, by search from all free rows at once."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Int32

from jaxlab.checks import check_bool, check_dtype, check_shape, require
from jaxlab.graph_algorithms._forest import augment_forest, nearest_free_columns, roots_of_rows
from jaxlab.varying import vary_like

__all__ = ["Matching", "maximum_cardinality_matching"]


class Matching(NamedTuple):
    """A matching of rows and columns.

    Attributes:
        col_for_row: column of each row, −1 for none.
        row_for_col: row of each column, −1 for none.
        phases: searches that were made, the last of which found nothing.
    """

    col_for_row: Int32[Array, " n"]
    row_for_col: Int32[Array, " m"]
    phases: Int32[Array, ""]


@functools.partial(jax.jit, static_argnames=("layered",))
def maximum_cardinality_matching(
    adjacency: Bool[Array, "n m"],
    init: Int[Array, " n"] | None = None,
    *,
    layered: bool = False,
) -> Matching:
    """As many pairs of a row and a column as there can be, all of them edges.

    A phase grows an alternating forest from the free rows by breadth-first search and turns over
    one path of each tree that holds a free column.

    Args:
        adjacency: which pairs are edges.
        init: a matching to begin from, as ``col_for_row``; −1 for rows without a column. It must
            be one, of edges.
        layered: stop a search at the first level with a free column and turn over a maximal set of
            disjoint paths of that length before the next phase, as Hopcroft and Karp do, which
            bounds the phases by ``2 √n + 2``. Without it phases are fewer and larger in practice.

    Returns:
        The matching, and the number of phases.

    Raises:
        ValueError: ``adjacency`` is not a boolean matrix; ``init`` has another length,
            or is not of integers.

    Cost:
        ``O(n m)`` for each level of each search, in parallel; memory ``O(n m)``.

    Source:
        Hopcroft and Karp 1973, *An n^{5/2} algorithm for maximum matchings in bipartite graphs*,
        for ``layered``.

    Example:
        >>> adjacency = jnp.array([[True, True], [True, False]])
        >>> maximum_cardinality_matching(adjacency).col_for_row
        Array([1, 0], dtype=int32)
    """
    check_bool("layered", layered)
    require(jnp.ndim(adjacency) == 2, "adjacency", adjacency, "a matrix")
    check_dtype("adjacency", adjacency, "bool")
    rows, columns = adjacency.shape
    if init is None:
        col_for_row = jnp.full_like(adjacency, -1, jnp.int32, shape=(rows,))
    else:
        check_shape("init", init, (rows,))
        check_dtype("init", init, "integer")
        col_for_row = init.astype(jnp.int32)
    if 0 in adjacency.shape:
        return Matching(col_for_row, invert(col_for_row, columns), jnp.int32(0))
    adjacency, col_for_row = vary_like((adjacency, col_for_row))
    return grow(col_for_row, columns, _proposals(adjacency), layered=layered)


def grow(
    col_for_row: Int32[Array, " n"],
    columns: int,
    proposals: Callable[[Array], Array],
    *,
    layered: bool,
) -> Matching:
    """The matching turned over along disjoint paths, phase by phase, until it is a maximum.

    Args:
        col_for_row: a matching to begin from.
        columns: number of columns.
        proposals: as for :func:`levels`.
        layered: as for :func:`maximum_cardinality_matching`.
    """
    rows = col_for_row.shape[0]

    class Progress(NamedTuple):
        col_for_row: Array
        row_for_col: Array
        row_used: Array  # in this phase, when layered
        col_used: Array
        depth: Array  # of this phase, when layered and known
        phases: Array
        growing: Array

    def advance(progress: Progress) -> Progress:
        # a used row is matched to a used column: what keeps off the columns keeps off the rows
        pred, level = levels(
            proposals,
            (progress.col_for_row < 0) & ~progress.row_used,
            progress.col_for_row,
            progress.row_for_col,
            closed=progress.col_used,
            limit=progress.depth,
            layered=layered,
        )
        reached = level > 0
        root = roots_of_rows(pred, reached, progress.col_for_row)[pred]
        ends = nearest_free_columns(level, root, reached & (progress.row_for_col < 0), rows=rows)
        grown = jnp.any(ends >= 0)
        col_for_row, row_for_col, on_row, on_col = augment_forest(
            pred, ends, progress.col_for_row, progress.row_for_col
        )
        if not layered:
            return progress._replace(
                col_for_row=col_for_row,
                row_for_col=row_for_col,
                phases=progress.phases + 1,
                growing=grown,
            )
        # the phase goes on among what its paths left, until no path of their length is found
        within = jnp.where(ends >= 0, level[jnp.maximum(ends, 0)], rows + 1)
        return Progress(
            col_for_row,
            row_for_col,
            grown & (progress.row_used | on_row),
            grown & (progress.col_used | on_col),
            jnp.where(grown, jnp.min(within), rows + 1),
            progress.phases + ~grown,
            grown | jnp.any(progress.row_used),
        )

    row_for_col = invert(col_for_row, columns)
    zero = jnp.zeros_like(col_for_row[0])
    progress = jax.lax.while_loop(
        lambda progress: progress.growing & jnp.any(progress.col_for_row < 0),
        advance,
        Progress(
            col_for_row,
            row_for_col,
            jnp.zeros_like(col_for_row, bool),
            jnp.zeros_like(row_for_col, bool),
            zero + rows + 1,
            zero,
            zero == 0,
        ),
    )
    return Matching(progress.col_for_row, progress.row_for_col, progress.phases)


def search(
    adjacency: Bool[Array, "n m"],
    frontier: Bool[Array, " n"],
    col_for_row: Int32[Array, " n"],
    row_for_col: Int32[Array, " m"],
    *,
    limit: Int32[Array, ""],
    layered: bool,
) -> tuple[Int32[Array, " m"], Int32[Array, " m"]]:
    """:func:`levels` along the edges of a matrix."""
    return levels(
        _proposals(adjacency),
        frontier,
        col_for_row,
        row_for_col,
        closed=jnp.zeros_like(row_for_col, bool),
        limit=limit,
        layered=layered,
    )


def levels(
    proposals: Callable[[Array], Array],
    frontier: Bool[Array, " n"],
    col_for_row: Int32[Array, " n"],
    row_for_col: Int32[Array, " m"],
    *,
    closed: Bool[Array, " m"],
    limit: Int32[Array, ""],
    layered: bool,
) -> tuple[Int32[Array, " m"], Int32[Array, " m"]]:
    """Breadth-first search along alternating paths.

    Args:
        proposals: from the rows of a frontier to the least :func:`turn` of a row in it that is
            next to each column, the number of rows or more where there is none.
        frontier: rows to begin from.
        col_for_row: the matching.
        row_for_col: the same from the other side.
        closed: columns not to enter.
        limit: levels to search at most.
        layered: whether to stop at the first level with a free column.

    Returns:
        Row from which each column was reached, and its level: 1 next to the first rows, 0 for
        columns that were not reached.
    """
    rows, columns = col_for_row.shape[0], row_for_col.shape[0]
    shift = jnp.arange(columns, dtype=jnp.int32) % rows
    matched = jnp.maximum(col_for_row, 0)

    def deepen(carry: tuple[Array, ...]) -> tuple[Array, ...]:
        pred, level, frontier, depth, _ = carry
        first = proposals(frontier)
        new = (first < rows) & (level == 0) & ~closed
        pred = jnp.where(new, (first + shift) % rows, pred)
        level = jnp.where(new, depth, level)
        going = jnp.any(new) & (depth < limit)
        if layered:
            going &= ~jnp.any(new & (row_for_col < 0))
        return pred, level, (col_for_row >= 0) & new[matched], depth + 1, going

    none = jnp.zeros_like(row_for_col)
    start: tuple[Array, ...] = (none, none, frontier, jnp.ones_like(none[0]), jnp.any(frontier))
    pred, level, *_ = jax.lax.while_loop(lambda carry: carry[4], deepen, start)
    return pred, level


def turn(row: Int32[Array, "*s"], column: Int32[Array, "*t"], rows: int) -> Int32[Array, "*r"]:
    """Place of a row in the order in which a column prefers rows.

    Column j prefers row j, then those after it: were it always the lowest, one tree would take
    every column that all rows are next to.
    """
    ahead = row - column % rows
    return jnp.where(ahead < 0, ahead + rows, ahead)


def _proposals(adjacency: Bool[Array, "n m"]) -> Callable[[Array], Array]:
    rows, columns = adjacency.shape
    row = jnp.arange(rows, dtype=jnp.int32)[:, None]
    turns = turn(row, jnp.arange(columns, dtype=jnp.int32), rows)
    return lambda frontier: jnp.min(jnp.where(adjacency & frontier[:, None], turns, rows), axis=0)


def invert(col_for_row: Int32[Array, " n"], columns: int) -> Int32[Array, " m"]:
    """The matching from its other side."""
    rows = col_for_row.shape[0]
    target = jnp.where(col_for_row >= 0, col_for_row, columns)
    none = jnp.full_like(col_for_row, -1, shape=(columns,))
    return none.at[target].set(jnp.arange(rows, dtype=jnp.int32), mode="drop")
