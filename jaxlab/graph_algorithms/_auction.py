"""Forward auction with ε-scaling, all free rows bidding at once, for integer costs.

Prices start from the prediction, ``max v − v``. A free row bids for the column that is worth most
to it as much as leaves it no worse off, but for ``ε``, than with its second best. All assigned rows
are then within ``ε`` of their best. With costs multiplied by ``n + 1`` a perfect assignment at
``ε = 1`` is optimal, since it is off by less than one unit of the original costs.

The first ``ε`` is a guess by the prediction. Where it is too small prices creep, so that it is
raised until all rows are assigned for the first time; from there on it is lowered.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Num

from jaxlab.graph_algorithms._start import settle_bids
from jaxlab.graph_algorithms._state import State, Work, far
from jaxlab.graph_algorithms.cardinality import invert, maximum_cardinality_matching
from jaxlab.graph_algorithms.duals import reduced_costs
from jaxlab.graph_algorithms.types import Duals

__all__ = ["auction"]

SHRINK = 5  # of ε from one stage to the next, and its growth where the first one takes long


def auction(
    cost: Num[Array, "n n"],
    mask: Bool[Array, "n n"] | None,
    start: State,
    *,
    low: Num[Array, ""],
    high: Num[Array, ""],
    max_steps: int,
) -> tuple[State, Work]:
    """Assign all rows by auction, and find duals that prove the assignment optimal.

    Where the scaled costs could overflow nothing is done, which leaves rows free. Where edges are
    missing so that no assignment is perfect, the matching is one of maximum cardinality.
    """
    n, never = cost.shape[0], far(cost.dtype)
    scaled = (cost - low) * (n + 1)
    # prices differ by the costs' range for each edge of a path between two columns
    reach = (high.astype(jnp.float32) - low.astype(jnp.float32)) * (n + 1)
    possible = 4 * reach * (1 if mask is None else n) < never
    col_for_row, row_for_col = start.col_for_row, start.row_for_col
    if mask is not None:
        most = maximum_cardinality_matching(mask, col_for_row)
        perfect = jnp.all(most.col_for_row >= 0)
        possible &= perfect
        col_for_row = jnp.where(perfect, col_for_row, most.col_for_row)
        row_for_col = jnp.where(perfect, row_for_col, most.row_for_col)
    row = jnp.arange(n, dtype=jnp.int32)
    wide = (high - low) * (n + 1)
    widest = jnp.maximum(wide // 8, 1)
    epsilon = jnp.clip(_gap(cost, mask, start) * (n + 1), 1, widest)

    def paid(prices: Array) -> Array:
        """What an edge costs its row together with the price of the column."""
        costs = scaled + prices
        return costs if mask is None else jnp.where(mask, costs, never)

    def least(costs: Array) -> tuple[Array, Array]:
        value = jnp.min(costs, axis=1)
        col = jnp.min(jnp.where(costs == value[:, None], row, n), axis=1)
        return value, jnp.minimum(col, n - 1)

    def bid(carry: tuple[Array, ...]) -> tuple[Array, ...]:
        prices, col_for_row, row_for_col, epsilon, first_stage, rounds = carry
        costs = paid(prices)
        first, col = least(costs)
        second = jnp.min(jnp.where(row == col[:, None], never, costs), axis=1)
        second = jnp.where(second < never, second, first + wide)  # there is no other column
        bids = col_for_row < 0
        offer = prices[col] + (second - first) + epsilon
        sold, highest, col_for_row, row_for_col = settle_bids(
            bids, col, offer, col_for_row, row_for_col
        )
        prices = jnp.where(sold, highest, prices)
        # a stage ends when all rows are assigned; the next one lets go of what is not near enough
        assigned = jnp.all(col_for_row >= 0)
        done = assigned & (epsilon > 1)
        epsilon = jnp.where(done, jnp.maximum(epsilon // SHRINK, 1), epsilon)
        first_stage &= ~assigned
        rounds = rounds + 1
        slow = first_stage & (rounds % n == 0)  # all are within a larger ε too
        epsilon = jnp.where(slow, jnp.minimum(epsilon * SHRINK, widest), epsilon)
        costs = paid(prices)
        held = costs[row, jnp.maximum(col_for_row, 0)]
        far_off = done & (held > jnp.min(costs, axis=1) + epsilon)
        col_for_row = jnp.where(far_off, -1, col_for_row)
        row_for_col = jnp.where(done, invert(col_for_row, n), row_for_col)
        return prices, col_for_row, row_for_col, epsilon, first_stage, rounds

    zero = jnp.zeros_like(start.col_for_row[0])
    # only their differences count, and where one column is far off they alone are small
    prices = (jnp.max(start.v) - start.v) * (n + 1)
    offered: tuple[Array, ...] = (prices, col_for_row, row_for_col, epsilon, zero == 0, zero)
    _, col_for_row, row_for_col, _, _, rounds = jax.lax.while_loop(
        # all rows may stay assigned when a stage ends, which does not end the auction
        lambda carry: possible & (jnp.any(carry[1] < 0) | (carry[3] > 1)) & (carry[5] < max_steps),
        bid,
        offered,
    )
    grown = jnp.sum(col_for_row >= 0, dtype=jnp.int32) - jnp.sum(
        start.col_for_row >= 0, dtype=jnp.int32
    )
    state = State(start.u, start.v, col_for_row, row_for_col)
    state = jax.lax.cond(
        jnp.all(col_for_row >= 0), lambda s: _residual_potentials(cost, mask, s), lambda s: s, state
    )
    return state, Work(grown, zero, zero, rounds, possible & (rounds >= max_steps))


def _gap(cost: Array, mask: Array | None, state: State) -> Array:
    """Mean reduced cost when free rows and columns are matched in order, rounded down.

    Times ``n`` it is what that assignment costs more than the duals are worth: a bound on how far
    the prediction is off, as ``n ε`` is for the assignment an auction ends with; but a pair without
    an edge counts as 0.
    """
    n = cost.shape[0]
    rank = jnp.cumsum(state.col_for_row < 0) - 1
    free_cols = jnp.argsort(state.row_for_col >= 0, stable=True).astype(jnp.int32)
    col = jnp.where(state.col_for_row < 0, free_cols[jnp.maximum(rank, 0)], state.col_for_row)
    reduced = reduced_costs(cost, Duals(state.u, state.v))
    if mask is not None:
        reduced = jnp.where(mask, reduced, 0)
    return jnp.sum(reduced[jnp.arange(n), col]) // n


def _residual_potentials(cost: Array, mask: Array | None, state: State) -> State:
    """Duals of an optimal assignment: distances in its residual graph, from all rows at 0.

    Arcs lead from rows to columns at their cost, and from a column to its row at minus its cost;
    without a negative cycle the distances are final after at most ``n`` rounds.
    """
    n, never = cost.shape[0], far(cost.dtype)
    own = cost[jnp.arange(n), state.col_for_row]

    def cheapest(row: Array) -> Array:
        reached = row[:, None] + cost
        return jnp.min(reached if mask is None else jnp.where(mask, reached, never), axis=0)

    def relax(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        row, rounds, _ = carry
        nearer = jnp.minimum(row, cheapest(row)[state.col_for_row] - own)
        return nearer, rounds + 1, jnp.any(nearer < row) & (rounds < n)

    zero = jnp.zeros_like(state.u)
    row, _, _ = jax.lax.while_loop(
        lambda carry: carry[2], relax, (zero, zero[0].astype(jnp.int32), zero[0] == 0)
    )
    return state._replace(u=-row, v=cheapest(row))
