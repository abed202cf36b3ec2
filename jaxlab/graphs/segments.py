"""Reductions over segments of an array: the entries that share an identifier.

Entries whose identifier lies outside of 0 to ``num_segments - 1`` are padding and count nowhere, as
do those that ``mask`` leaves out. Segments are taken over the first axis; the others stay. Arrays
of NumPy with numbers that do not fit the type jax gives them are refused.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Int32, Integer, Num, Shaped

from jaxlab.checks import check_dtype, check_integer, check_shape, require, uncut

__all__ = [
    "Mode",
    "segment_argmin",
    "segment_max",
    "segment_mean",
    "segment_min",
    "segment_mode",
    "segment_softmax",
    "segment_sum",
]


class Mode(NamedTuple):
    """What :func:`segment_mode` returns.

    Attributes:
        value: most frequent value of each segment, the least of equals; −1 where there is none.
        frequency: how often it occurs; 0 where there is none.
    """

    value: Int[Array, " s"]
    frequency: Int32[Array, " s"]


@uncut
@functools.partial(jax.jit, static_argnames=("num_segments",))
def segment_sum(
    values: Num[Array, " e *d"],
    segments: Int[Array, " e"],
    num_segments: int,
    *,
    mask: Bool[Array, " e"] | None = None,
) -> Num[Array, " s *d"]:
    """Sum of each segment, ``y_s = Σ_{e: segments_e = s} x_e``.

    Args:
        values: entries.
        segments: the segment of each.
        num_segments: number of segments; static.
        mask: which entries are there; None for all.

    Returns:
        Sums, added up in the values' dtype; 0 for a segment without entries.

    Raises:
        ValueError: segments or mask do not fit the values.

    Cost:
        One scatter of ``e`` entries.

    Example:
        >>> segment_sum(jnp.array([1.0, 2.0, 4.0]), jnp.array([0, 0, 2]), 2).tolist()
        [3.0, 0.0]
    """
    ids = _identifiers(values, segments, num_segments, mask)
    return jax.ops.segment_sum(values, ids, num_segments)


@uncut
@functools.partial(jax.jit, static_argnames=("num_segments",))
def segment_max(
    values: Num[Array, " e *d"],
    segments: Int[Array, " e"],
    num_segments: int,
    *,
    mask: Bool[Array, " e"] | None = None,
) -> Num[Array, " s *d"]:
    """Largest value of each segment.

    Args:
        values: entries.
        segments: the segment of each.
        num_segments: number of segments; static.
        mask: which entries are there; None for all.

    Returns:
        Maxima; −∞ for a segment without entries, the dtype's least number where it has no −∞.

    Raises:
        ValueError: segments or mask do not fit the values.

    Cost:
        One scatter of ``e`` entries.

    Example:
        >>> segment_max(jnp.array([1.0, 2.0, 4.0]), jnp.array([0, 0, 2]), 2).tolist()
        [2.0, -inf]
    """
    ids = _identifiers(values, segments, num_segments, mask)
    return jax.ops.segment_max(values, ids, num_segments)


@uncut
@functools.partial(jax.jit, static_argnames=("num_segments",))
def segment_min(
    values: Num[Array, " e *d"],
    segments: Int[Array, " e"],
    num_segments: int,
    *,
    mask: Bool[Array, " e"] | None = None,
) -> Num[Array, " s *d"]:
    """Least value of each segment.

    Args:
        values: entries.
        segments: the segment of each.
        num_segments: number of segments; static.
        mask: which entries are there; None for all.

    Returns:
        Minima; ∞ for a segment without entries, the dtype's largest number where it has no ∞.

    Raises:
        ValueError: segments or mask do not fit the values.

    Cost:
        One scatter of ``e`` entries.

    Example:
        >>> segment_min(jnp.array([3, 2, 4]), jnp.array([0, 0, 1]), 2).tolist()
        [2, 4]
    """
    ids = _identifiers(values, segments, num_segments, mask)
    return jax.ops.segment_min(values, ids, num_segments)


@uncut
@functools.partial(jax.jit, static_argnames=("num_segments",))
def segment_argmin(
    values: Num[Array, " e"],
    segments: Int[Array, " e"],
    num_segments: int,
    *,
    mask: Bool[Array, " e"] | None = None,
) -> Int32[Array, " s"]:
    """Index of the least value of each segment, the first of equals.

    Args:
        values: entries.
        segments: the segment of each.
        num_segments: number of segments; static.
        mask: which entries are there; None for all.

    Returns:
        Indices into ``values``; −1 for a segment without entries, or with a NaN among them.

    Raises:
        ValueError: segments or mask do not fit the values.

    Cost:
        Two scatters of ``e`` entries.

    Example:
        >>> segment_argmin(jnp.array([3, 2, 2]), jnp.array([0, 0, 0]), 2).tolist()
        [1, -1]
    """
    ids = _identifiers(values, segments, num_segments, mask)
    least = jax.ops.segment_min(values, ids, num_segments)
    count = values.shape[0]
    attains = values == take_or_fill(least, ids, 0)
    index = jnp.where(attains, jnp.arange(count, dtype=jnp.int32), count)
    first = jnp.full(num_segments, count, jnp.int32).at[ids].min(index, mode="drop")
    return jnp.where(first == count, -1, first)


@uncut
@functools.partial(jax.jit, static_argnames=("num_segments",))
def segment_mean(
    values: Float[Array, " e *d"],
    segments: Int[Array, " e"],
    num_segments: int,
    *,
    mask: Bool[Array, " e"] | None = None,
) -> Float[Array, " s *d"]:
    """Mean of each segment.

    Args:
        values: entries.
        segments: the segment of each.
        num_segments: number of segments; static.
        mask: which entries are there; None for all.

    Returns:
        Means, added up in float32 at least; 0 for a segment without entries.

    Raises:
        ValueError: segments or mask do not fit the values; values that are not floating.

    Cost:
        Two scatters of ``e`` entries.

    Example:
        >>> segment_mean(jnp.array([1.0, 2.0, 4.0]), jnp.array([0, 0, 2]), 2).tolist()
        [1.5, 0.0]
    """
    check_dtype("values", values, "floating")
    ids = _identifiers(values, segments, num_segments, mask)
    wide = values.astype(jnp.promote_types(values.dtype, jnp.float32))
    count = jnp.zeros(num_segments, jnp.int32).at[ids].add(1, mode="drop")
    count = jnp.maximum(count, 1).astype(wide.dtype)
    total = jax.ops.segment_sum(wide, ids, num_segments)
    return (total / jnp.expand_dims(count, tuple(range(1, values.ndim)))).astype(values.dtype)


@uncut
@functools.partial(jax.jit, static_argnames=("num_segments",))
def segment_softmax(
    values: Float[Array, " e *d"],
    segments: Int[Array, " e"],
    num_segments: int,
    *,
    mask: Bool[Array, " e"] | None = None,
) -> Float[Array, " e *d"]:
    """Softmax within each segment, ``y_e = exp(x_e) / Σ_{f: segments_f = segments_e} exp(x_f)``.

    Args:
        values: entries; −∞ gets no weight.
        segments: the segment of each.
        num_segments: number of segments; static.
        mask: which entries are there; None for all.

    Returns:
        Weights that sum to 1 in every segment, added up in float32 at least; 0 for padding, and in
        a segment that is all −∞.

    Raises:
        ValueError: segments or mask do not fit the values; values that are not floating.

    Cost:
        Two scatters and two gathers of ``e`` entries.

    Example:
        >>> segment_softmax(jnp.array([0.0, 0.0, 4.0]), jnp.array([0, 0, 1]), 2).tolist()
        [0.5, 0.5, 1.0]
    """
    check_dtype("values", values, "floating")
    ids = _identifiers(values, segments, num_segments, mask)
    there = (ids < num_segments).reshape(-1, *[1] * (values.ndim - 1))
    wide = values.astype(jnp.promote_types(values.dtype, jnp.float32))
    largest = jax.lax.stop_gradient(jax.ops.segment_max(wide, ids, num_segments))
    largest = take_or_fill(jnp.where(jnp.isfinite(largest), largest, 0), ids, 0)
    weights = jnp.exp(jnp.where(there, wide - largest, -jnp.inf))
    total = jax.ops.segment_sum(weights, ids, num_segments)
    total = take_or_fill(jnp.where(total == 0, 1, total), ids, 1)
    return (weights / total).astype(values.dtype)


@uncut
@functools.partial(jax.jit, static_argnames=("num_segments",))
def segment_mode(
    values: Int[Array, " e"],
    segments: Int[Array, " e"],
    num_segments: int,
    *,
    mask: Bool[Array, " e"] | None = None,
) -> Mode:
    """Most frequent value of each segment, the least of equals.

    Args:
        values: entries.
        segments: the segment of each.
        num_segments: number of segments; static.
        mask: which entries are there; None for all.

    Returns:
        Value, in int32 at least, and how often it occurs.

    Raises:
        ValueError: segments or mask do not fit the values; values that are not integers, or
            unsigned ones of 32 bits or more, which leave no room for −1.

    Cost:
        One sort and two scatters of ``e`` entries.

    Example:
        >>> segment_mode(jnp.array([7, 5, 5, 3]), jnp.array([0, 0, 0, 1]), 3)
        Mode(value=Array([ 5,  3, -1], dtype=int32), frequency=Array([2, 1, 0], dtype=int32))
    """
    check_dtype("values", values, "integer")
    wide = values.dtype in (jnp.uint32, jnp.uint64)
    require(not wide, "values", values, "signed integers, or narrower ones")
    values = at_least_int32(values)
    ids = _identifiers(values, segments, num_segments, mask)
    ids, values = jax.lax.sort((ids, values), num_keys=2)
    position = jnp.arange(values.shape[0], dtype=jnp.int32)
    starts = (ids[1:] != ids[:-1]) | (values[1:] != values[:-1])
    starts = jnp.concatenate([jnp.ones_like(starts, shape=min(1, values.shape[0])), starts])
    start = jax.lax.cummax(jnp.where(starts, position, 0))
    length = position - start + 1  # of the run so far: only its end can reach the maximum
    count = jax.ops.segment_max(length, ids, num_segments, indices_are_sorted=True)
    count = jnp.maximum(count, 0)
    longest = length == take_or_fill(count, ids, 0)
    most = jnp.where(longest, values, jnp.iinfo(values.dtype).max)
    value = jax.ops.segment_min(most, ids, num_segments, indices_are_sorted=True)
    return Mode(jnp.where(count > 0, value, -1), count)


def at_least_int32(ids: Integer[Array, "*s"]) -> Integer[Array, "*s"]:
    """Ids in a dtype that holds the number that stands for padding, where narrow ones wrap."""
    return ids if jnp.iinfo(ids.dtype).bits >= 32 else ids.astype(jnp.int32)


def take_or_fill(
    values: Shaped[Array, " n *d"], index: Integer[Array, "*s"], fill: Any
) -> Shaped[Array, "..."]:
    """``values[index]``, ``fill`` where ``index`` is ``n`` or more."""
    if values.shape[0] == 0:  # XLA gathers nothing from an empty array, not even its fill
        # made of the index, so that under shard_map it varies over the same mesh axes
        return jnp.full_like(index, fill, values.dtype, shape=(*index.shape, *values.shape[1:]))
    return values.at[index].get(mode="fill", fill_value=fill)


def _identifiers(values: Shaped[Array, "..."], segments: Any, num_segments: int, mask: Any) -> Any:
    """Checked identifiers, with ``num_segments`` for all padding."""
    check_integer("num_segments", num_segments, minimum=0)
    require(values.ndim >= 1, "values", values, "at least one axis")
    check_shape("segments", segments, values.shape[:1])
    check_dtype("segments", segments, "integer")
    segments = at_least_int32(segments)
    there = (segments >= 0) & (segments < num_segments)
    if mask is not None:
        check_shape("mask", mask, values.shape[:1])
        check_dtype("mask", mask, "bool")
        there &= mask
    return jnp.where(there, segments, num_segments)
