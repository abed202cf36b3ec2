"""Alternating forests: trees that grow from all free rows, and augmenting along all at once.

Every column names the row it was reached from; a matched row is reached through its own column.
Trees of different free rows share no vertex, so that one path of each can be turned over together.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32, Num

from jaxlab.graph_algorithms._state import column_bits

__all__ = ["augment_forest", "nearest_free_columns", "roots_of_rows"]


def roots_of_rows(
    pred: Int32[Array, " m"], reached: Bool[Array, " m"], col_for_row: Int32[Array, " n"]
) -> Int32[Array, " n"]:
    """Row at which the path to each row begins, by pointer jumping.

    Args:
        pred: row from which a column was reached.
        reached: which columns were.
        col_for_row: the matching; a free row is its own root.

    Returns:
        The root of each row; for a row that was not reached it is a matched row.

    Cost:
        ``⌈log2 n⌉`` gathers of ``n``.
    """
    rows = col_for_row.shape[0]
    column = jnp.maximum(col_for_row, 0)
    inner = (col_for_row >= 0) & reached[column]
    parent = jnp.where(inner, pred[column], jnp.arange(rows, dtype=pred.dtype))
    return jax.lax.fori_loop(0, column_bits(rows), lambda _, jump: jump[jump], parent)


def nearest_free_columns(
    dist: Num[Array, " m"],
    root: Int32[Array, " m"],
    free: Bool[Array, " m"],
    *,
    rows: int,
) -> Int32[Array, " n"]:
    """Free column of least distance, then least index, of each root; −1 where it has none.

    Args:
        dist: distance of each column.
        root: root of the row from which each column was reached.
        free: columns that may be the end of a path.
        rows: number of rows.
    """
    columns = dist.shape[0]
    owner = jnp.where(free, root, rows)
    least = jax.ops.segment_min(dist, owner, rows + 1)
    first = jnp.where(free & (dist == least[owner]), owner, rows)
    index = jnp.arange(columns, dtype=jnp.int32)
    nearest = jax.ops.segment_min(index, first, rows + 1)[:rows]
    return jnp.where(nearest < columns, nearest, -1)


def augment_forest(
    pred: Int32[Array, " m"],
    ends: Int32[Array, " n"],
    col_for_row: Int32[Array, " n"],
    row_for_col: Int32[Array, " m"],
) -> tuple[Int32[Array, " n"], Int32[Array, " m"], Bool[Array, " n"], Bool[Array, " m"]]:
    """Match along one path of each tree, from the column it ends in back to its root.

    Args:
        pred: row from which each column was reached.
        ends: column in which the path of each root ends; −1 for none.
        col_for_row: the matching.
        row_for_col: the same from the other side.

    Returns:
        The matching from both sides, and which rows and columns lie on the paths.

    Cost:
        ``O(n)`` for each vertex of the longest path.
    """
    rows, columns = col_for_row.shape[0], row_for_col.shape[0]

    def back(carry: tuple[Array, ...]) -> tuple[Array, ...]:
        here, col_for_row, row_for_col, on_row, on_col, count = carry
        walking = here >= 0
        row = jnp.where(walking, pred[jnp.maximum(here, 0)], rows)
        col = jnp.where(walking, here, columns)
        before = jnp.where(walking, col_for_row[jnp.minimum(row, rows - 1)], -1)
        return (
            before,
            col_for_row.at[row].set(here, mode="drop"),
            row_for_col.at[col].set(row, mode="drop"),
            on_row.at[row].set(True, mode="drop"),
            on_col.at[col].set(True, mode="drop"),
            count + 1,
        )

    nowhere = jnp.zeros_like(col_for_row, bool), jnp.zeros_like(row_for_col, bool)
    start: tuple[Array, ...] = (ends, col_for_row, row_for_col, *nowhere, jnp.zeros_like(ends[0]))
    # no path is longer, unless distances overflowed
    _, *matching, _ = jax.lax.while_loop(
        lambda carry: jnp.any(carry[0] >= 0) & (carry[5] < rows), back, start
    )
    return tuple(matching)  # type: ignore[return-value]
