"""Batch normalisation over the batch and the sphere or the rotation group, in the Haar measure.

The mean of a channel over a grid depends on how the grid crowds the poles, unless each sample
counts with its quadrature weight: then it is the integral over the group, no rotation of an input
changes it, and normalising commutes with rotations.

Source: Ioffe and Szegedy, *Batch normalization*, 2015; the Haar measure takes the place of the mean
over pixels.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxlab.checks import (
    check_bool,
    check_dtype,
    check_integer,
    check_number,
    check_scalar,
    check_shape,
    require,
)

__all__ = ["BatchNormParams", "BatchNormState", "batch_norm_apply", "batch_norm_init"]


class BatchNormParams(NamedTuple):
    """What is trained.

    Attributes:
        scale: standard deviation of each channel after the layer.
        bias: mean of each channel after the layer.
    """

    scale: Float[Array, " c"]
    bias: Float[Array, " c"]


class BatchNormState(NamedTuple):
    """Running statistics, which stand in for those of the batch once training is over.

    Attributes:
        mean: of each channel, in units of the input.
        variance: of each channel, in squared units of the input.
    """

    mean: Float[Array, " c"]
    variance: Float[Array, " c"]


def batch_norm_init(channels: int) -> tuple[BatchNormParams, BatchNormState]:
    """Parameters and statistics that leave an input of mean 0 and variance 1 as it is.

    Args:
        channels: number of channels.

    Returns:
        Scale 1 and bias 0; mean 0 and variance 1; float32.

    Raises:
        ValueError: if ``channels`` is no integer >= 1.

    Cost:
        O(channels).

    Example:
        >>> params, state = batch_norm_init(3)
        >>> params.scale.tolist(), state.mean.tolist()
        ([1.0, 1.0, 1.0], [0.0, 0.0, 0.0])
    """
    check_integer("channels", channels, minimum=1)
    zero, one = jnp.zeros(channels, jnp.float32), jnp.ones(channels, jnp.float32)
    return BatchNormParams(one, zero), BatchNormState(zero, one)


def batch_norm_apply(
    params: BatchNormParams,
    state: BatchNormState,
    x: Float[Array, "..."],
    *,
    train: bool,
    weights: Float[Array, " k"] | Float[np.ndarray, " k"] | None = None,
    mask: Bool[Array, " n"] | None = None,
    axis_name: str | None = None,
    channel_axis: int = 1,
    momentum: int | float = 0.9,
    epsilon: int | float = 1e-5,
) -> tuple[Float[Array, "..."], BatchNormState]:
    """Give each channel the mean ``bias`` and the variance ``scale²`` over batch and group.

    ``y = scale · (x − μ)/√(σ² + ε) + bias`` with, over the entries ``i`` of the batch and the
    samples ``g`` of the grid, ``μ = Σ_{ig} w_g x_{ig} / Σ_{ig} w_g`` and ``σ²`` likewise. Training
    uses the statistics of the batch, and moves the running ones by ``s ← s + (1 − momentum)
    (s_batch − s)``; otherwise the running ones are used, and do not change.

    Args:
        params: from :func:`batch_norm_init`.
        state: running statistics.
        x: signals ``[batch, channels, β, α]`` or ``[batch, channels, β, γ, α]``, features
            ``[batch, channels]``, or any other axes after the batch with ``channel_axis``.
        train: whether the statistics are those of the batch; static.
        weights: weight of a sample at each colatitude, such as ``tables.weights``, along the first
            axis that is neither batch nor channels; any scale. None counts all samples alike.
        mask: which entries of the batch count in the statistics; the others are normalised by
            them. None counts all. With none to count, the running statistics are used and stay.
        axis_name: mapped axis over which the batch is sharded; the statistics are then those of
            the whole batch.
        channel_axis: 1 by default; −1 for images ``[batch, height, width, channels]``.
        momentum: of the running statistics, between 0 and 1.
        epsilon: added to the variance.

    Returns:
        The normalised input, in its own dtype (statistics are in float32 at least), and the running
        statistics. The variance is the biased one, in both uses.

    Raises:
        ValueError: if the channels are not those of ``params``, ``weights`` do not fit the first
            axis of the grid or there is none, or are concrete and negative or not finite, or
            ``mask`` does not fit the batch.

    Cost:
        Three passes over ``x``.

    Example:
        >>> params, state = batch_norm_init(1)
        >>> normalise = jax.jit(batch_norm_apply, static_argnames="train")
        >>> y, state = normalise(params, state, jnp.array([[1.0], [3.0]]), train=True)
        >>> y.round(3).ravel().tolist(), state.mean.round(3).tolist()
        ([-1.0, 1.0], [0.2...])
    """
    x_dtype, axis = _check(params, state, x, channel_axis)
    _check_counts(x, weights, mask, axis)
    check_bool("train", train)
    check_scalar("momentum", momentum, minimum=0, maximum=1)
    check_scalar("epsilon", epsilon, minimum=0)
    x = x.astype(jnp.promote_types(x_dtype, jnp.float32))
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    mean, variance = state
    if train:
        sample = _sample_weights(x, weights, mask, axis)
        counted = x if mask is None else jnp.where(_along(mask, x, 0), x, 0)
        mean, variance = _statistics(counted, sample, state, axis, axis_name)
        state = BatchNormState(
            state.mean + ((1 - momentum) * (mean - state.mean)).astype(state.mean.dtype),
            state.variance
            + ((1 - momentum) * (variance - state.variance)).astype(state.variance.dtype),
        )
    factor = params.scale * jax.lax.rsqrt(variance + epsilon)
    y = (x - mean.reshape(shape)) * factor.reshape(shape) + params.bias.reshape(shape)
    return y.astype(x_dtype), state


def _statistics(
    x: Float[Array, "..."],
    sample: Float[Array, "..."],
    state: BatchNormState,
    axis: int,
    axis_name: str | None,
) -> tuple[Float[Array, " c"], Float[Array, " c"]]:
    """Weighted mean and variance of each channel over all devices; the running ones of nothing."""
    others = tuple(index for index in range(x.ndim) if index != axis)
    repeats = x.size // max(x.shape[axis], 1) // max(sample.size, 1)
    total = sample.sum() * repeats
    total = total if axis_name is None else jax.lax.psum(total, axis_name)
    some = total != 0  # true of NaN

    def average(values: Array) -> Array:
        sums = (values * sample).sum(axis=others)
        sums = sums if axis_name is None else jax.lax.psum(sums, axis_name)
        return sums / jnp.where(some, total, 1)

    mean = average(x)
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    variance = average((x - mean.reshape(shape)) ** 2)  # E[x²] − μ² would cancel in float32
    return jnp.where(some, mean, state.mean), jnp.where(some, variance, state.variance)


def _sample_weights(
    x: Float[Array, "..."],
    weights: Float[Array, " k"] | Float[np.ndarray, " k"] | None,
    mask: Bool[Array, " n"] | None,
    axis: int,
) -> Float[Array, "..."]:
    """What an entry counts, as an array that broadcasts to ``x``."""
    sample = jnp.ones((x.shape[0],) + (1,) * (x.ndim - 1), x.dtype)
    if mask is not None:
        sample = sample * _along(mask, x, 0)
    if weights is not None:
        weights = weights.astype(np.promote_types(weights.dtype, x.dtype))
        largest = weights.max(initial=0)
        weights = jnp.asarray(weights / (largest + (largest == 0)), x.dtype)
        sample = sample * _along(weights, x, _first_of_grid(axis))
    return sample


def _first_of_grid(axis: int) -> int:
    """The first axis that is neither that of the batch nor that of channels."""
    return 2 if axis == 1 else 1


def _along(values: Array, x: Array, axis: int) -> Array:
    return values.reshape([-1 if index == axis else 1 for index in range(x.ndim)])


def _check(
    params: BatchNormParams, state: BatchNormState, x: Array, channel_axis: int
) -> tuple[jnp.dtype, int]:
    check_dtype("x", x, "floating")
    require(x.ndim >= 2, "x", x, "shape [batch, channels, ...]")
    check_integer("channel_axis", channel_axis)
    axis = channel_axis + x.ndim if channel_axis < 0 else channel_axis
    require(0 < axis < x.ndim, "channel_axis", channel_axis, f"an axis of 1 ... {x.ndim - 1}")
    channels = x.shape[axis]
    for name, value in (*params._asdict().items(), *state._asdict().items()):
        require(value.shape == (channels,), "x", x, f"{value.size} channels, as in {name}")
    return x.dtype, axis


def _check_counts(x: Array, weights: Any, mask: Any, axis: int) -> None:
    """Refuse weights and a mask that do not fit, also where only training would use them."""
    if mask is not None:
        check_dtype("mask", mask, "bool")
        check_shape("mask", mask, (x.shape[0],))
    if weights is not None:
        require(x.ndim > 2, "weights", weights, f"None for an input of {x.ndim} axes")
        check_shape("weights", weights, (x.shape[_first_of_grid(axis)],))
        check_number("weights", weights, minimum=0)
