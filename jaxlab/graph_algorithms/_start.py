"""A first matching of tight edges: greedy in parallel, and Jacobi rounds of row reduction.

Both prefer, in row ``i``, the columns from ``i`` on: preferring the lowest ones, all rows of a
matrix of ties would ask for the same column.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32, Num

from jaxlab.graph_algorithms._state import State, far
from jaxlab.graph_algorithms.duals import smallest

__all__ = ["greedy_matching", "reduce_rows", "settle_bids"]


def greedy_matching(tight: Bool[Array, "n m"], start: State, *, rounds: int = 4) -> State:
    """Match free rows and columns along tight edges, for some rounds of proposals.

    Each free row asks for a free column, and each column takes the lowest row that asks for it.
    """
    n, m = tight.shape
    turn = _turn(n, m)
    row = jnp.arange(n, dtype=jnp.int32)

    def propose(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        col_for_row, row_for_col, count = carry
        open_edges = tight & (row_for_col < 0)
        first = jnp.min(jnp.where(open_edges, turn, m), axis=1)
        asks = (first < m) & (col_for_row < 0)
        target = jnp.where(asks, (first + row) % m, m)
        taker = jax.ops.segment_min(row, target, m + 1)[:m]
        won = asks & (taker[jnp.minimum(target, m - 1)] == row)
        return (
            jnp.where(won, target, col_for_row),
            jnp.where(taker < n, taker, row_for_col),
            jnp.where(jnp.any(asks), count + 1, rounds),
        )

    zero = jnp.zeros_like(start.col_for_row[0])
    col_for_row, row_for_col, _ = jax.lax.while_loop(
        lambda carry: carry[2] < rounds, propose, (start.col_for_row, start.row_for_col, zero)
    )
    return start._replace(col_for_row=col_for_row, row_for_col=row_for_col)


def reduce_rows(
    cost: Num[Array, "n m"], mask: Bool[Array, "n m"] | None, start: State, *, rounds: int
) -> State:
    """Rounds in which free rows bid for their cheapest column and evict who held it.

    A row bids what its second cheapest column costs more than the cheapest, under the prices ``v``;
    a column takes the highest bid and becomes cheaper by it, so that the edge is tight for the new
    owner and no other row's tight edges are lost. Where bids are zero and the column is taken, the
    second cheapest column, equally cheap, is asked for.
    """
    (n, m), never = cost.shape, far(cost.dtype)
    turn = _turn(n, m)
    row = jnp.arange(n, dtype=jnp.int32)

    def least(prices: Array) -> tuple[Array, Array]:
        value = jnp.min(prices, axis=1)
        first = jnp.min(jnp.where(prices == value[:, None], turn, m), axis=1)
        return value, (jnp.minimum(first, m - 1) + row) % m

    def bid(_: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        v, col_for_row, row_for_col = carry
        prices = cost - v if mask is None else jnp.where(mask, cost - v, never)
        first, col = least(prices)
        second, other = least(jnp.where(jnp.arange(m) == col[:, None], never, prices))
        increment = jnp.where(second < never, second - first, 0)
        elsewhere = (increment == 0) & (second < never) & (row_for_col[col] >= 0)
        col = jnp.where(elsewhere, other, col)
        bids = (col_for_row < 0) & (first < never)
        sold, highest, col_for_row, row_for_col = settle_bids(
            bids, col, increment, col_for_row, row_for_col
        )
        return v - jnp.where(sold, highest, 0), col_for_row, row_for_col

    v, col_for_row, row_for_col = jax.lax.fori_loop(
        0, rounds, bid, (start.v, start.col_for_row, start.row_for_col)
    )
    u = smallest(cost - v, mask, axis=1, otherwise=start.u)
    return State(u, v, col_for_row, row_for_col)


def settle_bids(
    bids: Bool[Array, " n"],
    col: Int32[Array, " n"],
    offer: Num[Array, " n"],
    col_for_row: Int32[Array, " n"],
    row_for_col: Int32[Array, " m"],
) -> tuple[Bool[Array, " m"], Num[Array, " m"], Int32[Array, " n"], Int32[Array, " m"]]:
    """Each column goes to the row that offers most for it, the lowest of several.

    Args:
        bids: which rows bid; none of them has a column.
        col: that each row bids for.
        offer: what it offers.
        col_for_row: the matching; who held a column that is sold has none afterwards.
        row_for_col: the same from the other side.

    Returns:
        Which columns are sold, the highest offer for each of these, and the matching.
    """
    n, m = col.shape[0], row_for_col.shape[0]
    row = jnp.arange(n, dtype=jnp.int32)
    target = jnp.where(bids, col, m)
    highest = jax.ops.segment_max(offer, target, m + 1)
    wins = jnp.where(bids & (offer == highest[target]), target, m)
    winner = jax.ops.segment_min(row, wins, m + 1)[:m]
    sold = winner < n
    won = bids & sold[col] & (winner[col] == row)
    evicted = (col_for_row >= 0) & sold[jnp.maximum(col_for_row, 0)]
    col_for_row = jnp.where(won, col, jnp.where(evicted, -1, col_for_row))
    return sold, highest[:m], col_for_row, jnp.where(sold, winner, row_for_col)


def _turn(n: int, m: int) -> Array:
    """``(j − i) mod m``, for ``n <= m``: place of column ``j`` in the preferences of row ``i``."""
    ahead = jnp.arange(m, dtype=jnp.int32) - jnp.arange(n, dtype=jnp.int32)[:, None]
    return jnp.where(ahead < 0, ahead + m, ahead)  # division would take longer than all the rest
