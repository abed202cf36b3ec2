"""Stereographic projection of planar images on the sphere.

The image covers the square ``[−1.5, 1.5]²`` of the plane tangent at the south pole, rows along the
first axis, and is seen from a point just above the north pole. A grid point ``p`` of a rotated
sphere looks at ``q = R p``, which is seen at

    (u, v) = t (q_x, q_y),   t = s / (s − 1 − q_z),   s = 2.001

so that the whole image lies on the southern hemisphere, but for its corners. The projected
signal is the unrotated one turned by ``R⁻¹``: ``f_R(p) = f(R p)``.

Source: Cohen, Geiger, Köhler and Welling, *Spherical CNNs*, ICLR 2018, spherical MNIST, and the
generator published with it.
"""

import functools
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Integer, Shaped

from jaxlab.checks import (
    check_choice,
    check_dtype,
    check_finite,
    check_shape,
    concrete,
    require,
)
from jaxlab.spherical.rotation import TOLERANCE, check_rotation
from jaxlab.spherical.types import Interpolation

__all__ = ["project_image", "project_labels"]

EYE = 2.001  # height of the point of view above the tangent plane, in radii
HALF_SIDE = 1.5  # of the image in that plane


def project_image(
    image: Shaped[Array | np.ndarray, "h w ..."],
    R: Float[Array | np.ndarray, "3 3"],
    points: Float[Array | np.ndarray, "3 k j"],
    interpolation: Interpolation = "bilinear",
) -> Float[Array, "k j ..."]:
    """Intensities of a planar image at the points of a rotated sphere, ``f(R p)``.

    Args:
        image: ``[h, w]`` or ``[h, w, channels]``; integers are read as float32. An image that is
            not square is centred on a square of zeros.
        R: rotation matrix.
        points: unit vectors, as of :func:`~jaxlab.spherical.sphere_points`.
        interpolation: ``"bilinear"`` between the centres of pixels; ``"nearest"`` takes the pixel
            that holds the point; ``"official"`` mixes the pixels before and after that one, a blur
            two pixels wide that sums to 4, as the published generator does. All see zeros outside.

    Returns:
        Values in units of the image (four times them for ``"official"``), not rescaled; float16
        and bfloat16 are interpolated in float32. NaN spreads to the points around it.

    Raises:
        ValueError: for a bad shape or dtype, an unknown interpolation, a matrix that is no
            rotation, or points that are concrete and no unit vectors.

    Cost:
        O(k j channels), time and memory.

    Example:
        >>> from jaxlab.spherical import sphere_points
        >>> f = project_image(jnp.ones((8, 8)), jnp.eye(3), sphere_points(4))
        >>> [round(float(value), 3) for value in f[:, 0]]  # from north to south
        [0.0, 0.0, 0.0, 0.0, 0.125, 1.0, 1.0, 1.0]
    """
    check_image("image", image)
    check_rotations("R", R, (3, 3))
    check_geometry(points, interpolation)
    image = jnp.asarray(image)
    projected = sample_image(image, jnp.asarray(R), jnp.asarray(points), interpolation)
    return projected.astype(float_dtype(image))


def project_labels(
    label_map: Integer[Array | np.ndarray, "h w"],
    R: Float[Array | np.ndarray, "3 3"],
    points: Float[Array | np.ndarray, "3 k j"],
) -> Int[Array, "k j"]:
    """Classes of a planar map at the points of a rotated sphere: those of the nearest pixels.

    Args:
        label_map: class of each pixel, 0 for background.
        R: rotation matrix.
        points: unit vectors.

    Returns:
        A class for each point, 0 outside the map.

    Raises:
        ValueError: for a bad shape or dtype, a matrix that is no rotation, or points that are
            concrete and no unit vectors.

    Cost:
        O(k j).

    Example:
        >>> from jaxlab.spherical import sphere_points
        >>> classes = project_labels(jnp.full((4, 4), 7), jnp.eye(3), sphere_points(2))
        >>> classes[:, 0].tolist()
        [0, 0, 7, 7]
    """
    check_dtype("label_map", label_map, "integer")
    check_image("label_map", label_map)
    check_shape("label_map", label_map, ("h", "w"))
    check_rotations("R", R, (3, 3))
    check_points(points)
    return sample_classes(jnp.asarray(label_map), jnp.asarray(R), jnp.asarray(points))


@functools.partial(jax.jit, static_argnames="interpolation")
def sample_image(image: Array, R: Array, points: Array, interpolation: Interpolation) -> Array:
    """:func:`project_image` of arguments that have been checked, in float32 or wider."""
    flat = image.astype(jnp.promote_types(float_dtype(image), jnp.float32))
    flat = flat.reshape(*image.shape[:2], -1)
    rows, columns = _pixel_coordinates(R, points, max(image.shape[:2]), flat.dtype)
    row, row_weight = _taps(rows, interpolation)
    column, column_weight = _taps(columns, interpolation)
    values = _pixels(flat, row[:, None], column[None, :])
    weights = row_weight[:, None] * column_weight[None, :]
    return (weights[..., None] * values).sum(axis=(0, 1)).reshape(rows.shape + image.shape[2:])


@jax.jit
def sample_classes(label_map: Array, R: Array, points: Array) -> Array:
    """:func:`project_labels` of arguments that have been checked."""
    side = max(label_map.shape)
    coordinates = _pixel_coordinates(R, points, side, jnp.promote_types(R.dtype, jnp.float32))
    row, column = jnp.floor(coordinates).astype(jnp.int32)
    return _pixels(label_map[..., None], row, column)[..., 0].astype(jnp.int32)


def _pixel_coordinates(R: Array, points: Array, side: int, dtype: Any) -> Float[Array, "2 k j"]:
    """Row and column, in pixels from the corner of the square image, of each rotated point."""
    q = jnp.einsum(
        "ab,bkj->akj", R.astype(dtype), points.astype(dtype), precision=jax.lax.Precision.HIGHEST
    )
    scale = EYE / (EYE - 1 - q[2])
    return (scale * q[:2] + HALF_SIDE) / (2 * HALF_SIDE) * side


def _taps(
    position: Float[Array, "k j"], interpolation: Interpolation
) -> tuple[Int[Array, "t k j"], Float[Array, "t k j"]]:
    """Pixels along one axis that a position is interpolated from, and their weights."""
    if interpolation == "nearest":
        taps, weights = [jnp.floor(position)], [jnp.ones_like(position)]
    elif interpolation == "bilinear":
        low = jnp.floor(position - 0.5)
        beyond = position - 0.5 - low
        taps, weights = [low, low + 1], [1 - beyond, beyond]
    else:
        middle = jnp.trunc(position)
        taps, weights = [middle - 1, middle + 1], [middle + 1 - position, position - middle + 1]
    return jnp.stack(taps).astype(jnp.int32), jnp.stack(weights)


def _pixels(image: Array, row: Array, column: Array) -> Array:
    """Pixels of the square on which the image is centred; zeros around it."""
    height, width = image.shape[:2]
    side = max(height, width)
    row = row - (side - height) // 2
    column = column - (side - width) // 2
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    values = image[jnp.clip(row, 0, height - 1), jnp.clip(column, 0, width - 1)]
    return jnp.where(inside[..., None], values, 0)


def check_image(argument: str, image: Any, axes: int = 0) -> None:
    """Refuse what is no image, or no stack of images with that many leading axes."""
    shape = np.shape(image)[axes:]
    kind = np.dtype(image.dtype).kind
    require(len(shape) in (2, 3), argument, image, "shape [h, w] or [h, w, channels]")
    require(min(shape[:2]) > 0, argument, image, "at least one pixel")
    require(kind not in "cbO", argument, image, "real numbers")


def check_geometry(points: Any, interpolation: str) -> None:
    """Refuse a bad grid or an unknown interpolation."""
    check_points(points)
    check_choice("interpolation", interpolation, get_args(Interpolation))


def check_rotations(argument: str, R: Any, shape: tuple[int, ...]) -> None:
    """Refuse what is not that shape of rotations."""
    check_shape(argument, R, shape)
    check_rotation(argument, R)


def check_points(points: Any) -> None:
    """Refuse what is not an array of unit vectors on a grid."""
    check_vectors(points)
    if (known := concrete(points)) is not None:
        length = np.linalg.norm(known.astype(np.float64), axis=0)
        fits = np.abs(length - 1).max(initial=0) <= TOLERANCE
        require(bool(fits), "points", points, f"unit vectors, to {TOLERANCE}")


def check_vectors(points: Any) -> None:
    """Refuse what is not an array of finite vectors on a grid."""
    check_dtype("points", points, "floating")
    check_shape("points", points, (3, "β", "α"))
    check_finite("points", points)


def float_dtype(image: Array) -> Any:
    """Dtype of what is interpolated from an image."""
    return image.dtype if jnp.issubdtype(image.dtype, jnp.floating) else jnp.float32
