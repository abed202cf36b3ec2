"""A coreset of a stream, in one pass and fixed memory: the doubling algorithm."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxlab.checks import check_dtype, check_integer, check_shape, concrete, require
from jaxlab.kcenter._checks import check_coordinates
from jaxlab.kcenter.metrics import comparable_to, safe_sqrt
from jaxlab.kcenter.types import Coreset, StreamState
from jaxlab.varying import vary_like

__all__ = ["stream_finalize", "stream_init", "stream_update"]


@functools.partial(jax.jit, static_argnames=("size", "dimension", "num_groups", "dtype"))
def stream_init(
    size: int, dimension: int, *, num_groups: int = 1, dtype: str = "float32"
) -> StreamState:
    """A stream of which nothing has been seen.

    Args:
        size: representatives kept of each group; static.
        dimension: number of coordinates; static.
        num_groups: groups that are represented apart; static.
        dtype: of the coordinates; static.

    Returns:
        No representatives, ``delta = 0``.

    Raises:
        ValueError: a size, dimension or number of groups below 1; a dtype that is not floating, or
            "float64" without x64.

    Cost:
        Memory for ``num_groups (size + 1)`` points.

    Example:
        >>> stream_init(4, 2).representatives.shape
        (1, 5, 2)
    """
    check_integer("size", size, minimum=1)
    check_integer("dimension", dimension, minimum=1)
    check_integer("num_groups", num_groups, minimum=1)
    try:
        kind = jnp.dtype(bool if dtype is None else dtype)
    except TypeError:  # no dtype at all
        kind = jnp.dtype(bool)
    require(jnp.issubdtype(kind, jnp.floating), "dtype", dtype, "a floating dtype")
    kept = jax.dtypes.canonicalize_dtype(kind) == kind
    require(kept, "dtype", dtype, "a dtype of at most 32 bits (x64 is off)")
    slots = num_groups, size + 1
    return StreamState(
        jnp.zeros((*slots, dimension), dtype),
        jnp.zeros(slots, bool),
        jnp.zeros(slots, jnp.int32),
        jnp.full(slots, -1, jnp.int32),
        jnp.zeros(num_groups, dtype),
        jnp.zeros((), jnp.int32),
    )


def stream_update(
    state: StreamState,
    batch: Float[Array, "b d"],
    groups: Int[Array, " b"] | None = None,
    mask: Bool[Array, " b"] | None = None,
) -> StreamState:
    """Take in the points of a batch, one after the other, by Euclidean distances.

    A point within ``2 δ`` of a representative of its group adds to the weight of the nearest one,
    any other becomes one. When there is one too many, ``δ`` becomes the larger of ``2 δ`` and the
    least distance between two of them, and in their order those at most ``δ`` from one that is kept
    give it their weight. So it stays true that representatives are more than ``δ`` apart, that
    every point is within ``2 δ`` of one, and that ``δ`` is at most four times the least covering
    radius of ``size`` points: the covering radius is at most eight times the least.

    Args:
        state: the stream so far.
        batch: the next points, finite. Where a squared distance to those before them overflows,
            ``δ`` is infinite as soon as one is too many.
        groups: their groups; 0 by default.
        mask: which of them are there.

    Returns:
        The stream with the batch.

    Raises:
        ValueError: shapes that do not fit the state; a batch that is not finite, or, without
            a mask, so far apart that distances overflow; group labels that the state does not have.

    Cost:
        O(b size d), and O(size² d) whenever there is one too many.

    Source:
        Charikar, Chekuri, Feder, Motwani 2004, *Incremental clustering and dynamic information
        retrieval*.

    Example:
        >>> state = stream_update(stream_init(2, 1), jnp.array([[0.0], [1.0], [9.0], [0.5]]))
        >>> state.delta.tolist(), state.weights[0].tolist()
        ([1.0], [3, 0, 1])
    """
    num_groups, _, d = state.representatives.shape
    check_shape("batch", batch, ("b", d))
    check_dtype("batch", batch, "floating")
    dtype = state.representatives.dtype
    check_coordinates("batch", batch, "euclidean", dtype, padded=mask is not None)
    b = batch.shape[0]
    if groups is not None:
        check_shape("groups", groups, (b,))
        check_dtype("groups", groups, "integer")
        known = concrete(groups)
        inside = known is None or bool(((known >= 0) & (known < num_groups)).all())
        require(inside, "groups", groups, f"group labels in [0, {num_groups})")
    if mask is not None:
        check_shape("mask", mask, (b,))
        check_dtype("mask", mask, "bool")
    return _update(state, batch, groups, mask)


@jax.jit
def stream_finalize(state: StreamState) -> Coreset:
    """The representatives as a coreset.

    Args:
        state: the stream.

    Returns:
        ``size + 1`` slots for every group, at least one of them padding of weight 0; the radius is
        the bound ``2 δ``, of the group where it is largest.

    Cost:
        O(num_groups size d).

    Example:
        >>> state = stream_update(stream_init(2, 1), jnp.array([[0.0], [1.0], [9.0], [0.5]]))
        >>> coreset = stream_finalize(state)
        >>> coreset.weights.tolist(), coreset.source_index.tolist(), coreset.radius.tolist()
        ([3, 0, 1], [0, -1, 2], 2.0)
    """
    num_groups, slots, d = state.representatives.shape
    groups = jnp.repeat(jnp.arange(num_groups, dtype=jnp.int32), slots)
    return Coreset(
        jnp.where(state.mask[..., None], state.representatives, 0).reshape(-1, d),
        jnp.where(state.mask.reshape(-1), groups, 0),
        jnp.where(state.mask, state.weights, 0).reshape(-1),
        2 * jnp.max(state.delta),
        jnp.where(state.mask, state.source_index, -1).reshape(-1),
    )


@jax.jit
def _update(
    state: StreamState, batch: Array, groups: Array | None, mask: Array | None
) -> StreamState:
    def insert(state: StreamState, item: tuple[Array, Array, Array]) -> tuple[StreamState, None]:
        point, group, there = item
        mine = _Group(
            state.representatives[group],
            state.mask[group],
            state.weights[group],
            state.source_index[group],
            state.delta[group],
        )
        mine = _make_room(_insert(mine, point, state.seen))
        new = StreamState(
            state.representatives.at[group].set(mine.representatives),
            state.mask.at[group].set(mine.mask),
            state.weights.at[group].set(mine.weights),
            state.source_index.at[group].set(mine.source_index),
            state.delta.at[group].set(mine.delta),
            state.seen + 1,
        )
        return jax.tree.map(lambda new, old: jnp.where(there, new, old), new, state), None

    b = batch.shape[0]
    group = jnp.zeros(b, jnp.int32) if groups is None else groups.astype(jnp.int32)
    there = jnp.ones(b, bool) if mask is None else mask
    points = batch.astype(state.representatives.dtype)
    return jax.lax.scan(insert, vary_like(state, points, group, there), (points, group, there))[0]


class _Group(NamedTuple):
    """The part of a :class:`StreamState` that is one group's."""

    representatives: Array
    mask: Array
    weights: Array
    source_index: Array
    delta: Array


def _insert(group: _Group, point: Array, arrival: Array) -> _Group:
    """Add a point to the nearest representative, or make it one in the first slot that is free."""
    distance = _distances(group, point)
    near = jnp.min(distance) <= 2 * group.delta
    slot = jnp.where(near, jnp.argmin(distance), jnp.argmin(group.mask))
    opened = group._replace(
        representatives=group.representatives.at[slot].set(point),
        mask=group.mask.at[slot].set(True),
        source_index=group.source_index.at[slot].set(arrival),
    )
    group = jax.tree.map(lambda old, new: jnp.where(near, old, new), group, opened)
    return group._replace(weights=group.weights.at[slot].add(1))


def _make_room(group: _Group) -> _Group:
    """Double ``delta`` and merge while every slot is taken."""
    slots = jnp.arange(group.mask.shape[0])

    def merge(group: _Group) -> _Group:
        def closest(slot: Array) -> Array:
            distance = _distances(group, group.representatives[slot])
            return jnp.min(jnp.where(slots == slot, jnp.inf, distance))

        delta = jnp.maximum(2 * group.delta, jnp.min(jax.lax.map(closest, slots)))

        def keep(kept: _Group, slot: Array) -> tuple[_Group, None]:
            distance = _distances(kept, kept.representatives[slot])
            # a NaN is dropped, or else there would never be room; the first stays, however far
            dropped = jnp.any(kept.mask) & ~(jnp.min(distance) > delta)
            target = jnp.where(dropped, jnp.argmin(distance), slot)
            return kept._replace(
                mask=kept.mask.at[slot].set(~dropped),
                weights=kept.weights.at[target].add(group.weights[slot]),
            ), None

        empty = group._replace(
            mask=jnp.zeros_like(group.mask), weights=jnp.zeros_like(group.weights), delta=delta
        )
        kept, _ = jax.lax.scan(keep, vary_like(empty), slots)
        return kept._replace(source_index=jnp.where(kept.mask, kept.source_index, -1))

    return jax.lax.while_loop(lambda group: jnp.all(group.mask), merge, group)


def _distances(group: _Group, point: Array) -> Array:
    """Distances of a point to the representatives."""
    square = comparable_to(group.representatives.T, point, "euclidean")
    return jnp.where(group.mask, safe_sqrt(square), jnp.inf)
