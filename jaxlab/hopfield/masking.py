"""Masks over images: rows, border, centre, or random pixels set to 0.

Images are flat vectors ``[*b, d]`` with ``image_shape`` ``(height, width)`` or
``(height, width, channels)``, flattened in that order (``image.reshape(-1)``, channels last).
``fraction`` may be traced, so one compilation serves a whole curve.

Counts of rows and pixels are ``floor(size * fraction)``, where a product that lies within 1e-3
below a whole number counts as that number: the count is then the same in float32, in float64 and
in exact arithmetic (``int(10 * (1 - 0.9))`` is 0 in float64, where one row should be left).
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key, Shaped

from jaxlab.checks import (
    check_bool,
    check_choice,
    check_integer,
    check_key,
    check_scalar,
    check_shape,
    require,
)
from jaxlab.hopfield.types import Number

__all__ = ["border_mask", "center_mask", "mask_rows", "random_mask"]

Region = Callable[[Array, tuple[int, ...]], Array]


def mask_rows(
    x: Shaped[Array, "*b d"], fraction: Number, image_shape: tuple[int, ...], keep: str = "top"
) -> Shaped[Array, "*b d"]:
    """Zero a ``fraction`` of the image's rows, at the bottom or at the top.

    ``keep="top"`` keeps the first ``floor(H·(1 − fraction))`` rows; ``keep="bottom"`` zeroes the
    first ``floor(H·fraction)`` rows. The official code's ``reversed=True`` with ``frac`` is
    ``keep="bottom"`` with ``1 − frac``: there ``frac`` is the share that is kept. Here ``fraction``
    is always the share that is lost, so 0 changes nothing and 1 leaves nothing.

    Args:
        x: flattened images, ``[*b, d]``.
        fraction: share of rows to zero, in ``[0, 1]``; may be traced.
        image_shape: static, ``(H, W)`` or ``(H, W, C)`` with ``H·W·C = d``.
        keep: static, ``"top"`` or ``"bottom"``: which rows survive.

    Returns:
        Masked images of the shape and dtype of ``x``.

    Raises:
        ValueError: fraction outside ``[0, 1]``, ``image_shape`` not matching ``d``, unknown
            ``keep``.

    Cost: O(size of x) time and memory.

    Source: Millidge et al. 2022, section 4 (official ``mask_continuous_img``).

    Example:
        >>> mask_rows(jnp.ones((1, 6)), 0.5, (3, 2))
        Array([[1., 1., 0., 0., 0., 0.]], dtype=float32)
    """
    check_choice("keep", keep, ("top", "bottom"))
    _check_arguments(x, fraction, image_shape)
    return _keep_region(x, fraction, _top_rows if keep == "top" else _bottom_rows, image_shape)


def border_mask(
    x: Shaped[Array, "*b d"], fraction: Number, image_shape: tuple[int, ...]
) -> Shaped[Array, "*b d"]:
    """Zero a border ``floor(H·fraction/2)`` pixels wide on all four sides; keep the centre.

    The official code calls this inpainting; for a hole in the middle see :func:`center_mask`.

    Args:
        x: flattened images, ``[*b, d]``.
        fraction: share of the height that the two horizontal borders take, in ``[0, 1]``; may be
            traced. At 1, an image of odd height keeps what of its middle row lies inside the
            border (of a square image, one pixel).
        image_shape: static, ``(H, W)`` or ``(H, W, C)`` with ``H·W·C = d``.

    Returns:
        Masked images of the shape and dtype of ``x``.

    Raises:
        ValueError: fraction outside ``[0, 1]``, ``image_shape`` not matching ``d``.

    Cost: O(size of x) time and memory.

    Source: Millidge et al. 2022, section 4 (official ``image_inpaint``).

    Example:
        >>> border_mask(jnp.ones(16), 0.5, (4, 4)).reshape(4, 4)[1]
        Array([0., 1., 1., 0.], dtype=float32)
    """
    _check_arguments(x, fraction, image_shape)
    return _keep_region(x, fraction, _inside_border, image_shape)


def center_mask(
    x: Shaped[Array, "*b d"], fraction: Number, image_shape: tuple[int, ...]
) -> Shaped[Array, "*b d"]:
    """Zero a centred hole of ``floor(H·fraction)`` by ``floor(W·fraction)`` pixels.

    This is inpainting proper: the border is known, the middle is asked for. When hole and image
    differ by an odd number of pixels, the extra one is below and to the right.

    Args:
        x: flattened images, ``[*b, d]``.
        fraction: side of the hole as a share of the image's side, in ``[0, 1]``; may be traced.
        image_shape: static, ``(H, W)`` or ``(H, W, C)`` with ``H·W·C = d``.

    Returns:
        Masked images of the shape and dtype of ``x``.

    Raises:
        ValueError: fraction outside ``[0, 1]``, ``image_shape`` not matching ``d``.

    Cost: O(size of x) time and memory.

    Source: none in the paper, whose inpainting task is :func:`border_mask`.

    Example:
        >>> center_mask(jnp.ones(16), 0.5, (4, 4)).reshape(4, 4)[1]
        Array([1., 0., 0., 1.], dtype=float32)
    """
    _check_arguments(x, fraction, image_shape)
    return _keep_region(x, fraction, _outside_hole, image_shape)


def random_mask(
    key: Key[Array, ""],
    x: Shaped[Array, "*b d"],
    fraction: Number,
    image_shape: tuple[int, ...],
    shared_channels: bool = True,
) -> Shaped[Array, "*b d"]:
    """Zero every pixel independently with probability ``fraction``.

    A pixel is zeroed when its uniform draw from ``[0, 1)`` is below ``fraction``, so that 0 loses
    nothing and 1 everything (the official ``U <= p`` differs on a set of measure zero). Every image
    of a batch has its own draws.

    Args:
        key: typed PRNG key.
        x: flattened images, ``[*b, d]``.
        fraction: probability of losing a pixel, in ``[0, 1]``; may be traced. With one key, the
            pixels lost at a smaller fraction are lost at every larger one.
        image_shape: static, ``(H, W)`` or ``(H, W, C)`` with ``H·W·C = d``.
        shared_channels: static; one draw for all channels of a pixel, otherwise one per channel.

    Returns:
        Masked images of the shape and dtype of ``x``.

    Raises:
        ValueError: fraction outside ``[0, 1]``, ``image_shape`` not matching ``d``.

    Cost: O(size of x) time and memory.

    Source: Millidge et al. 2022, section 4 (official ``random_mask_frac``).

    Example:
        >>> random_mask(jax.random.key(0), jnp.ones(4), 1.0, (2, 2))
        Array([0., 0., 0., 0.], dtype=float32)
    """
    check_key("key", key)
    check_bool("shared_channels", shared_channels)
    _check_arguments(x, fraction, image_shape)
    return _random_mask(key, x, fraction, image_shape, shared_channels)


@functools.partial(jax.jit, static_argnames=("image_shape", "shared_channels"))
def _random_mask(
    key: Array, x: Array, fraction: Number, image_shape: tuple[int, ...], shared_channels: bool
) -> Array:
    height, width, *channels = image_shape
    drawn = [1 for _ in channels] if shared_channels else channels
    uniform = jax.random.uniform(key, (*x.shape[:-1], height, width, *drawn))
    image = x.reshape(*x.shape[:-1], *image_shape)
    return jnp.where(uniform < fraction, jnp.zeros_like(image), image).reshape(x.shape)


@functools.partial(jax.jit, static_argnames=("region", "image_shape"))
def _keep_region(x: Array, fraction: Number, region: Region, image_shape: tuple[int, ...]) -> Array:
    """Zero the pixels outside ``region(fraction, image_shape)``."""
    pixels = region(jnp.asarray(fraction), image_shape).reshape(-1)
    kept = jnp.repeat(pixels, math.prod(image_shape[2:]))  # all channels of a pixel go together
    return jnp.where(kept, x, jnp.zeros_like(x))


def _top_rows(fraction: Array, image_shape: tuple[int, ...]) -> Bool[Array, "h w"]:
    row, _ = _pixels(image_shape)
    return row < _whole(image_shape[0] * (1 - fraction))


def _bottom_rows(fraction: Array, image_shape: tuple[int, ...]) -> Bool[Array, "h w"]:
    row, _ = _pixels(image_shape)
    return row >= _whole(image_shape[0] * fraction)


def _inside_border(fraction: Array, image_shape: tuple[int, ...]) -> Bool[Array, "h w"]:
    row, column = _pixels(image_shape)
    width = _whole(image_shape[0] * fraction / 2)
    rows_kept = (row >= width) & (row < image_shape[0] - width)
    return rows_kept & (column >= width) & (column < image_shape[1] - width)


def _outside_hole(fraction: Array, image_shape: tuple[int, ...]) -> Bool[Array, "h w"]:
    in_hole = jnp.ones(image_shape[:2], bool)
    for position, size in zip(_pixels(image_shape), image_shape[:2], strict=True):
        hole = _whole(size * fraction)
        start = (size - hole) // 2
        in_hole &= (position >= start) & (position < start + hole)
    return ~in_hole


def _pixels(image_shape: tuple[int, ...]) -> tuple[Int[Array, "h w"], Int[Array, "h w"]]:
    """Row and column number of every pixel."""
    shape = image_shape[:2]
    row = jax.lax.broadcasted_iota(jnp.int32, shape, 0)
    return row, jax.lax.broadcasted_iota(jnp.int32, shape, 1)


def _whole(count: Array) -> Int[Array, ""]:
    """``floor(count)``, forgiving the rounding error of ``size * fraction``."""
    return jnp.floor(count + 1e-3).astype(jnp.int32)


def _check_arguments(x: Array, fraction: Number, image_shape: tuple[int, ...]) -> None:
    check_scalar("fraction", fraction, minimum=0, maximum=1)
    sized = isinstance(image_shape, tuple) and len(image_shape) in (2, 3)
    require(sized, "image_shape", image_shape, "a tuple (H, W) or (H, W, C)")
    for size in image_shape:
        check_integer("image_shape", size, minimum=1)
    check_shape("x", x, ("...", "d"))
    dim = x.shape[-1]
    require(
        math.prod(image_shape) == dim, "image_shape", image_shape, f"sizes that multiply to {dim}"
    )
