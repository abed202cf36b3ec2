"""What a convolution sees, by slicing: exact at any matmul precision, and free of products."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

__all__ = ["convolution_by_product", "patches_of"]


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
    config = [(0, 0, 0), (0, 0, 0)] + [
        (low, high, dilation - 1)
        for (low, high), dilation in zip(padding, image_dilation, strict=True)
    ]
    padded = jax.lax.pad(image, jnp.zeros((), image.dtype), config)
    seen = []
    for tap in itertools.product(*map(range, taps)):
        start = [t * dilation for t, dilation in zip(tap, kernel_dilation, strict=True)]
        limit = [s + (n - 1) * stride + 1 for s, n, stride in zip(start, out, strides, strict=True)]
        seen.append(
            jax.lax.slice(padded, (0, 0, *start), (*image.shape[:2], *limit), (1, 1, *strides))
        )
    return jnp.stack(seen, axis=-1)


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
    if places < pixels:
        seen = patches_of(images, taps, out, strides, padding, image_dilation, dilation)
        seen = seen.reshape(batch, channels, pixels, places).swapaxes(2, 3)
    else:  # the same with the two exchanged, from fewer slices
        seen = patches_of(images, out, taps, dilation, padding, image_dilation, strides)
        seen = seen.reshape(batch, channels, places, pixels)
    of_batch, of_features = params["batch_group_count"], params["feature_group_count"]
    groups = of_batch * of_features
    seen = seen.reshape(of_batch, batch // of_batch, of_features, inputs, places, pixels)
    found = jnp.einsum(
        "gbctp,gjct->bgjp",
        seen.swapaxes(1, 2).reshape(groups, batch // of_batch, inputs, places, pixels),
        kernel.reshape(groups, outputs // groups, inputs, places),
        precision=params["precision"],
        preferred_element_type=params["preferred_element_type"],
    )
    found = found.reshape(batch // of_batch, outputs, *out)
    return found.transpose(np.argsort(given.out_spec))
