"""Spherical images: projected, with intensities rescaled to 0 … 255, and masked by a threshold.

Source: Gerken et al. 2022 for the masks; intensities as in the generator published with Cohen et
al., *Spherical CNNs*, ICLR 2018.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Integer, Shaped

from jaxlab.checks import check_dtype, check_number, check_scalar, check_shape, concrete, require
from jaxlab.spherical.projection import (
    check_geometry,
    check_image,
    check_rotations,
    float_dtype,
    sample_classes,
    sample_image,
)
from jaxlab.spherical.types import Interpolation

__all__ = ["SphericalBatch", "make_spherical_batch", "rescale_intensity"]

LEVELS = 255
SLACK = 1e-3  # rounding must not lower equal intensities by different levels
FLAT = 1e-6  # a sample whose intensities differ by less holds no image


class SphericalBatch(NamedTuple):
    """Images on the sphere and what is seen in them.

    Attributes:
        x: intensities, whole numbers from 0 to 255 in a floating dtype; ``[n, β, α]``, with a last
            axis of channels where the images have one.
        mask: class of each grid point: 0 for background, ``label + 1`` on an item, −1 on an item of
            unknown label.
    """

    x: Float[Array, "n k j ..."]
    mask: Int[Array, "n k j"]


@jax.jit
def rescale_intensity(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Intensities of one sample, stretched over the whole numbers 0 … 255.

    ``⌊255 (x − min x)/(max x − min x)⌋``, over all axes; ``jax.vmap`` rescales a batch sample by
    sample.

    Args:
        x: one sample.

    Returns:
        Whole numbers in the dtype of ``x``; zeros where the intensities differ by less than 1e-6.
        With a NaN in ``x``, or a range that is no number, all are NaN.

    Raises:
        ValueError: if ``x`` is not floating.

    Cost:
        Linear in the size.

    Example:
        >>> rescale_intensity(jnp.array([-1.0, 0.0, 3.0])).tolist()
        [0.0, 63.0, 255.0]
    """
    check_dtype("x", x, "floating")
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    low = jnp.min(wide, initial=jnp.inf)
    span = jnp.max(wide, initial=-jnp.inf) - low
    flat = span < FLAT
    levels = jnp.floor((wide - low) / jnp.where(flat, 1, span) * LEVELS + SLACK)
    levels = jnp.where(jnp.isfinite(span), levels, jnp.nan)
    return jnp.where(flat, 0, levels).astype(x.dtype)


def make_spherical_batch(
    images: Shaped[Array | np.ndarray, "n h w ..."],
    labels: Integer[Array | np.ndarray, "n ..."],
    rotations: Float[Array | np.ndarray, "n 3 3"],
    points: Float[Array | np.ndarray, "3 k j"],
    threshold: int | float | Float[Array, ""] = 150,
    *,
    interpolation: Interpolation = "bilinear",
) -> SphericalBatch:
    """Project images, each under its rotation, rescale them, and mask what is bright.

    ``x = rescale_intensity(project_image(image))``, ``mask = (x > threshold)·(label + 1)``; with
    channels, the brightest one decides. Where ``labels`` are maps of classes, as of
    :func:`~jaxlab.spherical.compose_canvas`, the mask is the nearest class instead of
    ``label + 1``.

    Args:
        images: ``[n, h, w]`` or ``[n, h, w, channels]``.
        labels: a label ``0 … K−1`` for each image ``[n]``, −1 where it is not known; or a map of
            classes ``[n, h, w]``.
        rotations: one matrix for each image.
        points: unit vectors, as of :func:`~jaxlab.spherical.sphere_points`.
        threshold: intensity, from 0 to 255, above which a point belongs to an item.
        interpolation: as in :func:`~jaxlab.spherical.project_image`.

    Returns:
        Signals and masks. An image without contrast gives zeros and background; one with a NaN
        gives NaN and background.

    Raises:
        ValueError: as :func:`~jaxlab.spherical.project_image`; for labels below −1, of another
            number than the images, or of a shape that is neither ``[n]`` nor ``[n, h, w]``.

    Cost:
        O(n k j channels), time and memory; see :func:`~jaxlab.spherical.rotated_dataset` for many
        images.

    Example:
        >>> from jaxlab.spherical import sphere_points
        >>> images, rotations = jnp.ones((1, 8, 8)), jnp.eye(3)[None]
        >>> batch = make_spherical_batch(images, jnp.array([3]), rotations, sphere_points(4))
        >>> batch.x[0, :, 0].tolist(), batch.mask[0, :, 0].tolist()
        ([0.0, 0.0, 0.0, 0.0, 31.0, 255.0, 255.0, 255.0], [0, 0, 0, 0, 0, 4, 4, 4])
    """
    check_images(images, labels)
    count = images.shape[0]
    check_scalar("threshold", threshold)
    check_rotations("rotations", rotations, (count, 3, 3))
    check_geometry(points, interpolation)
    arrays = (jnp.asarray(array) for array in (images, labels, rotations, points))
    return project_batch(*arrays, jnp.asarray(threshold), interpolation)


@functools.partial(jax.jit, static_argnames="interpolation")
def project_batch(
    images: Array,
    labels: Array,
    rotations: Array,
    points: Array,
    threshold: Array,
    interpolation: Interpolation,
) -> SphericalBatch:
    """:func:`make_spherical_batch` of arguments that have been checked."""
    return jax.vmap(
        lambda image, label, R: project_sample(image, label, R, points, threshold, interpolation)
    )(images, labels, rotations)


def project_sample(
    image: Array,
    label: Array,
    R: Array,
    points: Array,
    threshold: Array,
    interpolation: Interpolation,
) -> SphericalBatch:
    """One sample of a batch, without the axis of the batch."""
    x = rescale_intensity(sample_image(image, R, points, interpolation))
    bright = (x if image.ndim == 2 else x.max(axis=-1)) > threshold
    if label.ndim == 0:
        classes = class_of(label)
    else:
        classes = sample_classes(label, R, points)
    return SphericalBatch(x.astype(float_dtype(image)), jnp.where(bright, classes, 0))


def class_of(label: Array) -> Array:
    """Class in a mask: 0 is the background, −1 stays unknown."""
    label = label.astype(jnp.int32)  # 8 bits may not hold the number after the last label
    return jnp.where(label < 0, -1, label + 1)


def check_images(images: Any, labels: Any) -> None:
    """Refuse images and labels that do not belong together."""
    check_shape("images", images, ("n", "h", "w") if np.ndim(images) < 4 else ("n", "h", "w", "c"))
    check_image("images", images, axes=1)
    check_dtype("labels", labels, "integer")
    count, height, width = images.shape[:3]
    expected = f"shape [{count}] or [{count}, {height}, {width}]"
    require(labels.shape in ((count,), (count, height, width)), "labels", labels, expected)
    if (values := concrete(labels)) is not None and values.size:
        for value in (values.min(), values.max()):
            check_number("labels", value, minimum=-1, maximum=2**31 - 2)  # the class is one more
