"""What a convolution sees, by slicing: exact at any matmul precision, and free of products."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

__all__ = ["WRITTEN_OUT", "convolution_by_product", "patches_of"]

WRITTEN_OUT = 16  # taps beyond which programs are a loop over them, so as not to grow with them


def patches_of(
    image: Array,
    taps: Sequence[int],
    out: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    image_dilation: Sequence[int],
    kernel_dilation: Sequence[int],
) -> Array:
    """What each tap of a convolution sees: ``[batch, channels, pixels…, taps]``.

    Args:
        image: ``[batch, channels, pixels…]``.
        taps: size of the kernel.
        out: size of the output, ``pixels…``.
        strides: of the convolution, as are the following.
        padding: pixels before and after the image, negative ones cut off.
        image_dilation: distance between the image's pixels.
        kernel_dilation: distance between taps.
    """
    if 0 in (*taps, *out):
        return jnp.zeros_like(image, shape=(*image.shape[:2], *out, math.prod(taps)))
    see = _seeing(image, out, strides, padding, image_dilation, kernel_dilation)
    if math.prod(taps) > WRITTEN_OUT:
        seen = jax.lax.map(lambda number: see(_tap(number, taps)), jnp.arange(math.prod(taps)))
        return jnp.moveaxis(seen, 0, -1)
    return jnp.stack([see(tap) for tap in itertools.product(*map(range, taps))], axis=-1)


def _seeing(
    image: Array,
    out: Sequence[int],
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    image_dilation: Sequence[int],
    kernel_dilation: Sequence[int],
) -> Callable[[Sequence[Any]], Array]:
    """What one tap sees, ``[batch, channels, pixels…]``, as a function of the tap."""
    config = [(0, 0, 0), (0, 0, 0)] + [
        (low, high, dilation - 1)
        for (low, high), dilation in zip(padding, image_dilation, strict=True)
    ]
    padded = jax.lax.pad(image, jnp.zeros((), image.dtype), config)
    extent = [(n - 1) * stride + 1 for n, stride in zip(out, strides, strict=True)]
    size, steps = (*image.shape[:2], *extent), (1, 1, *strides)

    def see(tap: Sequence[Any]) -> Array:
        start = [t * dilation for t, dilation in zip(tap, kernel_dilation, strict=True)]
        if all(isinstance(s, int) for s in start):
            limit = [s + n for s, n in zip(start, extent, strict=True)]
            return jax.lax.slice(padded, (0, 0, *start), (*image.shape[:2], *limit), steps)
        return jax.lax.slice(
            jax.lax.dynamic_slice(padded, (0, 0, *start), size), (0,) * len(size), size, steps
        )

    return see


def _tap(number: Array, taps: Sequence[int]) -> list[Array]:
    """The tap of a number, last axis fastest."""
    place, after = [], math.prod(taps)
    for size in taps:
        after //= size
        place.append(number // after % size)
    return place


def convolution_by_product(params: dict[str, Any], images: Array, kernel: Array) -> Array:
    """The convolution that ``params`` describe, as a product of patches with the kernel.

    Args:
        params: of ``conv_general_dilated``.
        images: its first operand.
        kernel: its second operand.
    """
    given = params["dimension_numbers"]
    images, kernel = images.transpose(given.lhs_spec), kernel.transpose(given.rhs_spec)
    (batch, channels, *_), (outputs, inputs, *taps) = images.shape, kernel.shape
    strides, dilation = params["window_strides"], params["rhs_dilation"]
    image_dilation, padding = params["lhs_dilation"], params["padding"]
    sizes = zip(images.shape[2:], padding, image_dilation, dilation, strides, taps, strict=True)
    out = [
        (max(0, (n - 1) * apart + 1) + low + high - (tap - 1) * spread - 1) // stride + 1
        for n, (low, high), apart, spread, stride, tap in sizes
    ]
    places, pixels = math.prod(taps), math.prod(out)
    of_batch, of_features = params["batch_group_count"], params["feature_group_count"]
    groups = of_batch * of_features
    kernel = kernel.reshape(groups, outputs // groups, inputs, places)

    def product(seen: Array) -> Array:
        """``[batch, channels, places, pixels]`` by the kernel: ``[batch, outputs, pixels]``."""
        seen = seen.reshape(of_batch, batch // of_batch, of_features, inputs, places, -1)
        found = jnp.einsum(
            "gbctp,gjct->bgjp",
            seen.swapaxes(1, 2).reshape(groups, batch // of_batch, inputs, places, -1),
            kernel,
            precision=params["precision"],
            preferred_element_type=params["preferred_element_type"],
        )
        return found.reshape(batch // of_batch, outputs, -1)

    if places < pixels and places <= WRITTEN_OUT:
        seen = patches_of(images, taps, out, strides, padding, image_dilation, dilation)
        found = product(seen.reshape(batch, channels, pixels, places).swapaxes(2, 3))
    elif pixels <= WRITTEN_OUT:  # the same with the two exchanged, from fewer slices
        seen = patches_of(images, out, taps, dilation, padding, image_dilation, strides)
        found = product(seen.reshape(batch, channels, places, pixels))
    else:  # one after the other, so that what they see is not held at once
        see = _seeing(images, taps, dilation, padding, image_dilation, strides)
        found = jax.lax.map(lambda number: product(see(_tap(number, out))), jnp.arange(pixels))
        found = jnp.moveaxis(found[..., 0], 0, -1)
    found = found.reshape(batch // of_batch, outputs, *out)
    return found.transpose(np.argsort(given.out_spec))
