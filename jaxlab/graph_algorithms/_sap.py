"""Shortest augmenting paths: free rows one after the other, each by a dense Dijkstra search.

A search grows the tree of alternating paths from one free row, closing the column of least
distance until that is a free one. The columns it closed become cheaper by what their distance
falls short of the last one, their rows dearer by the same, so that the path becomes tight.

Distances are compared as ``(distance, matched?, column)`` packed into one integer, so that one
minimum finds distance and column, a free column before a matched one. Where the integers would
overflow, or for floats, the same is done in two passes.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Num

from jaxlab.graph_algorithms._state import State, Work, at, column_bits, far, put

__all__ = ["shortest_augmenting_paths"]


class Search(NamedTuple):
    """Dijkstra's search from one row, in the middle of it.

    Attributes:
        label: least distance found for each column, packed or not; final where ``shut`` is set.
        shut: what closed columns are kept from being closed again by: a large number, else 0.
        pred: row from which ``label`` was reached.
        least: label of the column closed last.
        col: that column.
        row: its row, from where the search goes on; −1 where it is free.
        steps: columns closed.
    """

    label: Array
    shut: Array
    pred: Array
    least: Array
    col: Array
    row: Array
    steps: Array


def shortest_augmenting_paths(
    cost: Num[Array, "n m"],
    mask: Bool[Array, "n m"] | None,
    start: State,
    *,
    packed: bool,
    max_steps: int,
) -> tuple[State, Work]:
    """Augment until no row is free, a row reaches no free column, or the steps are used up."""
    n, never = cost.shape[0], far(cost.dtype)
    shift = column_bits(cost.shape[1]) + 1 if packed else 0
    make_step = _packed_step if packed else _two_pass_step
    step = make_step(cost, mask)
    index = jnp.arange(n, dtype=jnp.int32)

    def advance(carry: tuple[State, Array, Array, Array]) -> tuple[State, Array, Array, Array]:
        state, augmentations, steps, _ = carry
        first = jnp.min(jnp.where(state.col_for_row < 0, index, n))
        active = first < n  # a lane of vmap that has no free row runs along, and must not search
        zero = jnp.zeros_like(first)
        search = Search(
            label=jnp.full_like(state.v, never),
            shut=jnp.zeros_like(state.v),
            pred=jnp.zeros_like(state.row_for_col),
            least=jnp.zeros_like(state.v[0]),
            col=zero,
            row=jnp.where(active, first, -1),
            steps=zero,
        )
        budget = jnp.minimum(n, max_steps - steps)
        search = jax.lax.while_loop(
            lambda search: (search.row >= 0) & (search.least < never) & (search.steps < budget),
            step(state),
            search,
        )
        found = active & (search.row < 0) & (search.least < never)
        mu, dist = (x >> shift if shift else x for x in (search.least, search.label))
        # columns that are open lie no nearer than the last one; the first row lies at 0
        fall = jnp.where(found, jnp.maximum(mu - dist, 0), 0)
        rise = jnp.where(state.col_for_row >= 0, fall[state.col_for_row], 0)
        rise = jnp.where(index == first, jnp.where(found, mu, 0), rise)
        col_for_row, row_for_col = _augment(state, search, first, found)
        state = State(state.u + rise, state.v - fall, col_for_row, row_for_col)
        return state, augmentations + found, steps + search.steps, ~found

    zero = jnp.zeros_like(start.col_for_row[0])
    state, augmentations, steps, _ = jax.lax.while_loop(
        lambda carry: jnp.any(carry[0].col_for_row < 0) & ~carry[3],
        advance,
        (start, zero, zero, zero > 0),
    )
    return state, Work(augmentations, steps, zero, zero, steps >= max_steps)


Step = Callable[[State], Callable[[Search], Search]]


def _packed_step(cost: Array, mask: Array | None) -> Step:
    size, never = cost.shape[1], far(cost.dtype)
    bits = column_bits(size)
    scale = 2**bits

    def prepare(state: State) -> Callable[[Search], Search]:
        matched = jnp.where(state.row_for_col >= 0, scale, 0)
        base = jnp.arange(size, dtype=cost.dtype) + matched.astype(cost.dtype)
        base -= state.v * (2 * scale)

        def step(search: Search) -> Search:
            mu = search.least >> (bits + 1)
            reached = (at(cost, search.row) + (mu - at(state.u, search.row))) * (2 * scale)
            reached += base  # of closed columns too, which duals that are feasible bring no nearer
            if mask is not None:
                reached = jnp.where(at(mask, search.row), reached, never)
            nearer = reached < search.label
            label = jnp.where(nearer, reached, search.label)
            least = jnp.min(label + search.shut)
            # only a distance that overflowed can name a column that is not there
            col = jnp.minimum(least & (scale - 1), size - 1).astype(jnp.int32)
            return _close(search, state, label, nearer, least, col)

        return step

    return prepare


def _two_pass_step(cost: Array, mask: Array | None) -> Step:
    size = cost.shape[1]
    index = jnp.arange(size, dtype=jnp.int32)

    def prepare(state: State) -> Callable[[Search], Search]:
        order = index + jnp.where(state.row_for_col >= 0, size, 0)

        def step(search: Search) -> Search:
            reduced = at(cost, search.row) - at(state.u, search.row) - state.v
            # rounding must not let a distance fall below the one it continues
            reached = search.least + jnp.maximum(reduced, 0)
            away = search.shut > 0 if mask is None else (search.shut > 0) | ~at(mask, search.row)
            nearer = ~away & (reached < search.label)
            label = jnp.where(nearer, reached, search.label)
            least = jnp.min(label + search.shut)
            col = jnp.min(jnp.where(label + search.shut == least, order, 2 * size))
            col = jnp.minimum(jnp.where(col >= size, col - size, col), size - 1)
            return _close(search, state, label, nearer, least, col)

        return step

    return prepare


def _close(
    search: Search, state: State, label: Array, nearer: Array, least: Array, col: Array
) -> Search:
    """Close the column of the least label; the search goes on from its row."""
    return Search(
        label=label,
        shut=put(search.shut, col, jnp.full_like(least, far(least.dtype))),
        pred=jnp.where(nearer, search.row, search.pred),
        least=least,
        col=col,
        row=at(state.row_for_col, col),
        steps=search.steps + 1,
    )


def _augment(state: State, search: Search, first: Array, found: Array) -> tuple[Array, Array]:
    """Match along the path from the last column back to the first row."""
    size = state.col_for_row.shape[0]

    def back(carry: tuple[Array, ...]) -> tuple[Array, ...]:
        col_for_row, row_for_col, col, _, count = carry
        row = at(search.pred, col)
        before = at(col_for_row, row)
        return (
            put(col_for_row, row, col),
            put(row_for_col, col, row),
            jnp.maximum(before, 0),
            row != first,
            count + 1,
        )

    # a path has at most as many columns as there are rows, unless its distances overflowed
    start: tuple[Array, ...] = (
        state.col_for_row,
        state.row_for_col,
        search.col,
        found,
        jnp.zeros_like(search.col),
    )
    col_for_row, row_for_col, *_ = jax.lax.while_loop(
        lambda carry: carry[3] & (carry[4] < size), back, start
    )
    return col_for_row, row_for_col
