"""Layers of planar convolutional networks on images of the sphere, ``[batch, height, width, C]``.

Rows are colatitudes and columns longitudes, so that a planar network sees the sphere flattened.
:func:`erp_pad` tells it at least how the edges of the sheet meet on the sphere. Pooling is built of
slices and transposed convolution of padding: their gradients are slices and convolutions again,
while that of ``lax.reduce_window`` is slow on a CPU.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlab.checks import check_dtype, check_integer, check_shape, require

__all__ = [
    "erp_pad",
    "max_pool",
    "nearest_upsample",
    "planar_conv",
    "planar_transposed_conv",
]


def planar_conv(
    x: Float[Array, "n h w i"], kernel: Float[Array, "k l i o"], stride: int = 1
) -> Float[Array, "n p q o"]:
    """Correlation of images with a kernel, at the positions where the kernel is inside.

    ``y[p, q, o] = Σ_{abi} kernel[a, b, i, o] x[s p + a, s q + b, i]``.

    Args:
        x: images.
        kernel: one a pair of channels.
        stride: ``s``, in both directions.

    Returns:
        Images of height ``⌊(h − k)/s⌋ + 1``, and of such a width.

    Raises:
        ValueError: if channels differ, the kernel exceeds the image, or ``stride < 1``.

    Cost:
        ``2 n p q k l i o`` operations.

    Example:
        >>> planar_conv(jnp.ones((1, 5, 5, 1)), jnp.ones((3, 3, 1, 2)), 2).shape
        (1, 2, 2, 2)
    """
    _check(x, stride)
    check_shape("kernel", kernel, ("k", "l", x.shape[-1], "o"))
    _check_window("kernel", kernel.shape[:2], x)
    return _correlate(x, kernel, stride)


def planar_transposed_conv(
    x: Float[Array, "n p q i"],
    kernel: Float[Array, "k l i o"],
    stride: int,
    size: tuple[int, int],
) -> Float[Array, "n h w o"]:
    """Transposed convolution, back to the size of the image that a convolution made smaller.

    ``x`` is spread out with ``stride − 1`` zeros between its pixels and correlated with the kernel
    wherever the two meet: ``y[r, t, o] = Σ kernel[k−1−a, l−1−b, i, o] x[p, q, i]`` over
    ``s p + a = r`` and ``s q + b = t``. Kernels of libraries that write it with ``kernel[a, b]``,
    PyTorch among them, are mirrored here in both directions.

    Args:
        x: images.
        kernel: one a pair of channels.
        stride: ``s``, in both directions.
        size: height and width of the result. Of those that :func:`planar_conv` makes into the
            size of ``x``, ``s (p − 1) + k`` is the smallest and ``s − 1`` more the largest; pixels
            beyond the smallest are 0.

    Returns:
        Images of that size.

    Raises:
        ValueError: if channels differ, or a convolution would not make ``size`` into the size of
            ``x``.

    Cost:
        ``2 n h w k l i o`` operations; the zeros are multiplied too.

    Example:
        >>> y = planar_transposed_conv(jnp.ones((1, 2, 2, 1)), jnp.ones((3, 3, 1, 1)), 2, (6, 5))
        >>> y[0, :, 0, 0].tolist()
        [1.0, 1.0, 2.0, 1.0, 1.0, 0.0]
    """
    _check(x, stride)
    check_shape("kernel", kernel, ("k", "l", x.shape[-1], "o"))
    check_shape("size", size, (2,))
    padding = [(0, 0, 0)]
    for have, window, want in zip(x.shape[1:3], kernel.shape[:2], size, strict=True):
        check_integer("size", want)
        least = stride * (have - 1) + window
        fits = least <= want < least + stride
        require(fits, "size", size, f"{least} ... {least + stride - 1} pixels for {have}")
        padding.append((window - 1, window - 1 + want - least, stride - 1))
    padding.append((0, 0, 0))
    return _correlate(jax.lax.pad(x, jnp.zeros((), x.dtype), padding), kernel, 1)


def max_pool(x: Float[Array, "n h w c"], window: int, stride: int = 1) -> Float[Array, "n p q c"]:
    """Maximum over each ``window × window`` pixels, at the positions of a convolution.

    Args:
        x: images.
        window: height and width of what is pooled.
        stride: distance between windows, in both directions.

    Returns:
        Images of height ``⌊(h − window)/stride⌋ + 1``, and of such a width. Where several pixels
        are largest, the gradient is shared between them.

    Raises:
        ValueError: if the window exceeds the image or a size is below 1.

    Cost:
        ``window`` maxima of slices in each direction.

    Example:
        >>> max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1), 2, 2)[0, :, :, 0].tolist()
        [[5.0, 7.0], [13.0, 15.0]]
    """
    _check(x, stride)
    check_integer("window", window, minimum=1)
    _check_window("window", (window, window), x)
    for axis in (1, 2):
        last = x.shape[axis] - window + 1
        slices = [
            jax.lax.slice_in_dim(x, start, start + last, stride, axis) for start in range(window)
        ]
        x = slices[0]
        for other in slices[1:]:
            x = jnp.maximum(x, other)
    return x


def nearest_upsample(x: Float[Array, "n p q c"], size: tuple[int, int]) -> Float[Array, "n h w c"]:
    """Images enlarged by repeating pixels: row ``r`` is row ``⌊r p/h⌋`` of the input.

    Args:
        x: images.
        size: height and width of the result.

    Returns:
        Images of that size.

    Raises:
        ValueError: if an image is empty or ``size`` is not two integers >= 1.

    Cost:
        One pass over the result.

    Example:
        >>> nearest_upsample(jnp.arange(2.0).reshape(1, 2, 1, 1), (5, 1)).ravel().tolist()
        [0.0, 0.0, 0.0, 1.0, 1.0]
    """
    _check(x, 1)
    check_shape("size", size, (2,))
    for axis, want in zip((1, 2), size, strict=True):
        check_integer("size", want, minimum=1)
        have = x.shape[axis]
        require(have > 0, "x", x, "at least one pixel")
        x = jnp.take(x, np.arange(want) * have // want, axis, mode="clip", indices_are_sorted=True)
    return x


def erp_pad(x: Float[Array, "n h w c"], before: int, after: int) -> Float[Array, "n r t c"]:
    """Continue equirectangular images beyond their edges as the sphere does.

    Longitudes go on around the circle. Beyond a pole the rows come back in turn, with longitudes
    shifted by half a turn, as they do on a great circle over the pole. That is exact for rows half
    a spacing from the poles, those of the grids ``"soft"`` and, nearly, ``"gauss_legendre"``, and
    an even number of columns; otherwise it is half a pixel off.

    Args:
        x: images, from the north pole to the south.
        before: rows and columns added above and on the left.
        after: rows and columns added below and on the right.

    Returns:
        Images larger by ``before + after`` in both directions.

    Raises:
        ValueError: if more is to be added than the image has rows or columns, or less than 0.

    Cost:
        One pass over the result.

    Example:
        >>> x = jnp.arange(8.0).reshape(1, 2, 4, 1)
        >>> erp_pad(x, 1, 0)[0, :, :, 0].tolist()
        [[1.0, 2.0, 3.0, 0.0, 1.0], [3.0, 0.0, 1.0, 2.0, 3.0], [7.0, 4.0, 5.0, 6.0, 7.0]]
    """
    _check(x, 1)
    for name, value in (("before", before), ("after", after)):
        check_integer(name, value, minimum=0)
        require(value <= min(x.shape[1:3]), name, value, f"at most the image's {x.shape[1:3]}")
    height, width = x.shape[1:3]
    over_pole = jnp.roll(x[:, ::-1], width // 2, axis=2)
    x = jnp.concatenate([over_pole[:, height - before :], x, over_pole[:, :after]], axis=1)
    return jnp.concatenate([x[:, :, width - before :], x, x[:, :, :after]], axis=2)


def _correlate(x: Array, kernel: Array, stride: int) -> Array:
    compute = jnp.promote_types(x.dtype, jnp.float32)
    y = jax.lax.conv_general_dilated(
        x.astype(compute),
        kernel.astype(compute),
        (stride, stride),
        "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return y.astype(x.dtype)


def _check(x: Array, stride: int) -> None:
    check_dtype("x", x, "floating")
    check_shape("x", x, ("batch", "height", "width", "channels"))
    check_integer("stride", stride, minimum=1)


def _check_window(argument: str, window: tuple[int, ...], x: Array) -> None:
    fits = all(size <= have for size, have in zip(window, x.shape[1:3], strict=True))
    require(fits, argument, window, f"at most the image's {x.shape[1]} by {x.shape[2]} pixels")
