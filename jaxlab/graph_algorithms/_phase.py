"""Phases: shortest paths from all free rows together, and one augmentation for each of their trees.

A phase relaxes all edges at once, as Bellman and Ford do, until no distance falls. Every tree that
holds a free column is augmented to its nearest one. Distances, up to that of the furthest of these,
become part of the duals, which makes the edges of the paths tight. Few phases of large steps suit
batches and accelerators.

Predecessors change only where a distance strictly falls. All reduced costs being nonnegative they
then form a forest: a cycle would need two strict inequalities that add up to ``0 < 0``.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Num

from jaxlab.graph_algorithms._forest import augment_forest, nearest_free_columns, roots_of_rows
from jaxlab.graph_algorithms._state import State, Work, column_bits, far

__all__ = ["augment_in_phases"]


class Forest(NamedTuple):
    """Shortest paths from the free rows: to each column, and the row before it."""

    dist: Array
    pred: Array
    rounds: Array


def augment_in_phases(
    cost: Num[Array, "n n"],
    mask: Bool[Array, "n n"] | None,
    start: State,
    *,
    packed: bool,
    max_steps: int,
) -> tuple[State, Work]:
    """Augment until no row is free, no free column is reached, or the phases are used up."""
    n, never = cost.shape[0], _unreached(cost.dtype)
    grow = _packed_forest if packed else _two_pass_forest

    def advance(carry: tuple[State, Work, Array]) -> tuple[State, Work, Array]:
        state, work, _ = carry
        free = state.col_for_row < 0
        reduced = cost - state.u[:, None] - state.v
        if jnp.issubdtype(cost.dtype, jnp.floating):
            reduced = jnp.maximum(reduced, 0)  # rounding must make no negative cycle
        forest = grow(reduced, mask, state)
        reached = forest.dist < never
        root = roots_of_rows(forest.pred, reached, state.col_for_row)[forest.pred]
        ends = nearest_free_columns(forest.dist, root, reached & (state.row_for_col < 0), rows=n)
        ends = jnp.where(free, ends, -1)
        # duals that follow a large cost nobody pays would lose the digits of small ones
        furthest = jnp.max(jnp.where(ends >= 0, forest.dist[jnp.maximum(ends, 0)], 0))
        fall = jnp.minimum(forest.dist, furthest)
        rise = jnp.where(free, 0, fall[jnp.maximum(state.col_for_row, 0)])
        col_for_row, row_for_col, *_ = augment_forest(
            forest.pred, ends, state.col_for_row, state.row_for_col
        )
        grown = jnp.sum(ends >= 0, dtype=jnp.int32)
        state = State(state.u - rise, state.v + fall, col_for_row, row_for_col)
        work = work._replace(
            augmentations=work.augmentations + grown,
            phases=work.phases + 1,
            rounds=work.rounds + forest.rounds,
        )
        return state, work, grown > 0

    zero = jnp.zeros_like(start.col_for_row[0])
    state, work, _ = jax.lax.while_loop(
        lambda carry: jnp.any(carry[0].col_for_row < 0) & carry[2] & (carry[1].phases < max_steps),
        advance,
        (start, Work(zero, zero, zero, zero, zero > 0), zero == 0),
    )
    return state, work._replace(limited=work.phases >= max_steps)


def _unreached(dtype: jnp.dtype) -> int | float:
    """Distance of what is not reached: added to itself it must not overflow."""
    never = far(dtype)
    return never if jnp.issubdtype(dtype, jnp.floating) else int(never) // 2


def _packed_forest(reduced: Array, mask: Array | None, state: State) -> Forest:
    """Distance and predecessor in one integer, so that one minimum finds both."""
    n, bits = reduced.shape[0], column_bits(reduced.shape[0])
    never = _unreached(reduced.dtype)
    index = jnp.arange(n, dtype=reduced.dtype)
    table = (reduced << bits) + index[:, None]
    if mask is not None:
        table = jnp.where(mask, table, never)
    free = state.col_for_row < 0
    matched = jnp.maximum(state.col_for_row, 0)

    def relax(carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        label, from_row, rounds, _ = carry
        reached = jnp.min(table + from_row[:, None], axis=0)
        nearer = (reached >> bits) < (label >> bits)
        label = jnp.where(nearer, reached, label)
        from_row = jnp.where(free, 0, (label[matched] >> bits) << bits)
        return label, from_row, rounds + 1, jnp.any(nearer) & (rounds < n)

    label = jnp.full_like(state.v, never)
    from_row = jnp.where(free, 0, never).astype(reduced.dtype)
    zero = jnp.zeros_like(state.col_for_row[0])
    label, _, rounds, _ = jax.lax.while_loop(
        lambda carry: carry[3], relax, (label, from_row, zero, jnp.any(free))
    )
    pred = (label & (2**bits - 1)).astype(jnp.int32)
    dist = jnp.where(label < never, label >> bits, never)
    return Forest(dist, jnp.minimum(pred, n - 1), rounds)


def _two_pass_forest(reduced: Array, mask: Array | None, state: State) -> Forest:
    n, never = reduced.shape[0], _unreached(reduced.dtype)
    index = jnp.arange(n, dtype=jnp.int32)
    if mask is not None:
        reduced = jnp.where(mask, reduced, never)
    free = state.col_for_row < 0
    matched = jnp.maximum(state.col_for_row, 0)

    def relax(carry: tuple[Array, ...]) -> tuple[Array, ...]:
        dist, pred, from_row, rounds, _ = carry
        reached = reduced + from_row[:, None]
        least = jnp.min(reached, axis=0)
        first = jnp.min(jnp.where(reached == least, index[:, None], n), axis=0)
        nearer = least < dist
        dist = jnp.where(nearer, least, dist)
        pred = jnp.where(nearer, jnp.minimum(first, n - 1), pred)
        from_row = jnp.where(free, 0, dist[matched])
        return dist, pred, from_row, rounds + 1, jnp.any(nearer) & (rounds < n)

    dist = jnp.full_like(state.v, never)
    from_row = jnp.where(free, 0, never).astype(reduced.dtype)
    pred = jnp.zeros_like(state.col_for_row)
    start: tuple[Array, ...] = (dist, pred, from_row, jnp.zeros_like(pred[0]), jnp.any(free))
    dist, pred, _, rounds, _ = jax.lax.while_loop(lambda carry: carry[4], relax, start)
    return Forest(dist, pred, rounds)
