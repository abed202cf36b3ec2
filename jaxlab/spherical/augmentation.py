"""Augmentation by rotations: of a training set, of each step, and at test time.

Every random choice for sample ``i`` comes from ``fold_in(key, i)``, so that it depends neither on
the samples beside it nor on how many devices share them, and a smaller rotated set is the beginning
of a larger one.

Source: Gerken et al. 2022, who train on 60 000 to 1 200 000 rotated images.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Integer, Key, Shaped

from jaxlab.checks import (
    check_bool,
    check_choice,
    check_dtype,
    check_integer,
    check_key,
    check_scalar,
    check_shape,
    require,
)
from jaxlab.convolutions import canonical_convolutions
from jaxlab.spherical.projection import check_geometry
from jaxlab.spherical.resampling import rotate_grid
from jaxlab.spherical.rotation import check_rotation, random_rotations
from jaxlab.spherical.spherical_images import (
    SphericalBatch,
    check_images,
    project_batch,
    project_sample,
)
from jaxlab.spherical.types import Grid, Interpolation, Task

__all__ = [
    "RotatedDataset",
    "augment_batch",
    "average_over_rotations",
    "rotated_dataset",
]


class RotatedDataset(NamedTuple):
    """Projected images of a training or test set.

    Attributes:
        x: intensities, whole numbers from 0 to 255: ``[n, β, α]``, with a last axis of channels
            where the images have one.
        mask: class of each grid point, as of :class:`~jaxlab.spherical.SphericalBatch`.
        source: which image each sample shows; ``labels[source]`` are the labels of the samples.
        rotations: rotation of each sample.
    """

    x: Float[Array, "n k j ..."]
    mask: Int[Array, "n k j"]
    source: Int[Array, " n"]
    rotations: Float[Array, "n 3 3"]


def rotated_dataset(
    key: Key[Array, ""],
    images: Shaped[Array | np.ndarray, "images h w ..."],
    labels: Integer[Array | np.ndarray, "images ..."],
    points: Float[Array | np.ndarray, "3 k j"],
    *,
    n: int | None = None,
    images_per_rotation: int = 1,
    rotate: bool = True,
    interpolation: Interpolation = "bilinear",
    threshold: int | float | Float[Array, ""] = 150,
    chunk_size: int = 64,
) -> RotatedDataset:
    """``n`` samples of a set of images, projected on the sphere under random rotations.

    The first samples show the images in order; beyond their number, images are drawn uniformly,
    each under a rotation of its own.

    Args:
        key: PRNG key.
        images: ``[images, h, w]`` or ``[images, h, w, channels]``.
        labels: ``[images]``, or maps of classes ``[images, h, w]``, as in
            :func:`~jaxlab.spherical.make_spherical_batch`.
        points: unit vectors, as of :func:`~jaxlab.spherical.sphere_points`.
        n: number of samples; None takes every image once.
        images_per_rotation: how many consecutive samples share a rotation: there are
            ``⌈n / images_per_rotation⌉`` of them. The published generator of spherical MNIST has
            500.
        rotate: False leaves every image at the south pole.
        interpolation: as in :func:`~jaxlab.spherical.project_image`.
        threshold: as in :func:`~jaxlab.spherical.make_spherical_batch`.
        chunk_size: samples projected at a time.

    Returns:
        Signals, masks, and where they come from.

    Raises:
        ValueError: as :func:`~jaxlab.spherical.make_spherical_batch`; or for a bad size, or no
            image to draw from.

    Cost:
        O(n k j channels) time. Memory: the result, ``8 n k j`` bytes for one channel, and
        O(chunk_size · k j channels).

    Example:
        >>> from jaxlab.spherical import sphere_points
        >>> images, labels = jnp.ones((2, 4, 4)), jnp.arange(2)
        >>> data = rotated_dataset(jax.random.key(0), images, labels, sphere_points(2), n=3)
        >>> data.x.shape, data.source[:2].tolist()
        ((3, 4, 4), [0, 1])
    """
    check_key("key", key)
    check_images(images, labels)
    n = images.shape[0] if n is None else n
    check_integer("n", n, minimum=0)
    check_integer("images_per_rotation", images_per_rotation, minimum=1)
    check_integer("chunk_size", chunk_size, minimum=1)
    check_bool("rotate", rotate)
    require(n == 0 or images.shape[0] > 0, "images", images, "at least one image")
    check_scalar("threshold", threshold)
    check_geometry(points, interpolation)
    arrays = (jnp.asarray(array) for array in (images, labels, points, threshold))
    return _rotated_dataset(
        key, *arrays, n, images_per_rotation, rotate, interpolation, min(chunk_size, max(n, 1))
    )


@functools.partial(
    jax.jit,
    static_argnames=("n", "images_per_rotation", "rotate", "interpolation", "chunk_size"),
)
def _rotated_dataset(
    key: Array,
    images: Array,
    labels: Array,
    points: Array,
    threshold: Array,
    n: int,
    images_per_rotation: int,
    rotate: bool,
    interpolation: Interpolation,
    chunk_size: int,
) -> RotatedDataset:
    image_key, rotation_key = jax.random.split(key)
    count = images.shape[0]

    def choose(sample: Array) -> Array:
        draw_key = jax.random.fold_in(image_key, sample)
        drawn = jax.random.randint(draw_key, (), 0, max(count, 1), jnp.int32)
        return jnp.where(sample < count, sample, drawn)

    def turn(sample: Array) -> Array:
        if not rotate:
            return jnp.eye(3, dtype=jnp.float32)
        return _rotation(rotation_key, sample // images_per_rotation)

    def project(sample: tuple[Array, Array]) -> SphericalBatch:
        which, R = sample
        return project_sample(images[which], labels[which], R, points, threshold, interpolation)

    samples = jnp.arange(n, dtype=jnp.int32)
    source, rotations = jax.vmap(choose)(samples), jax.vmap(turn)(samples)
    if count == 0:  # no sample either, and nothing that one could be traced with
        batch = project_batch(images, labels, rotations, points, threshold, interpolation)
    else:
        batch = jax.lax.map(project, (source, rotations), batch_size=chunk_size)
    return RotatedDataset(batch.x, batch.mask, source, rotations)


def augment_batch(
    key: Key[Array, ""],
    step: int | Int[Array, ""],
    images: Shaped[Array | np.ndarray, "n h w ..."],
    labels: Integer[Array | np.ndarray, "n ..."],
    index: Integer[Array | np.ndarray, " n"],
    points: Float[Array | np.ndarray, "3 k j"],
    *,
    interpolation: Interpolation = "bilinear",
    threshold: int | float | Float[Array, ""] = 150,
) -> SphericalBatch:
    """A batch of images under rotations that are new in every step, for use inside the step.

    Sample ``i`` of step ``t`` is rotated by what ``fold_in(fold_in(key, t), i)`` draws, wherever it
    is computed.

    Args:
        key: PRNG key of the run.
        step: number ``t`` of the step; may be traced.
        images: ``[n, h, w]`` or ``[n, h, w, channels]``.
        labels: ``[n]``, or maps of classes ``[n, h, w]``.
        index: number ``i`` of each sample in the whole batch or the whole set, the same however
            the batch is shared among devices.
        points: unit vectors, as of :func:`~jaxlab.spherical.sphere_points`.
        interpolation: as in :func:`~jaxlab.spherical.project_image`.
        threshold: as in :func:`~jaxlab.spherical.make_spherical_batch`.

    Returns:
        Signals and masks.

    Raises:
        ValueError: as :func:`~jaxlab.spherical.make_spherical_batch`; unless there is one integer
            index for each image; or ``step`` is no integer >= 0.

    Cost:
        That of :func:`~jaxlab.spherical.make_spherical_batch`.

    Example:
        >>> from jaxlab.spherical import sphere_points
        >>> images, labels = jnp.ones((2, 4, 4)), jnp.arange(2)
        >>> key, points = jax.random.key(0), sphere_points(2)
        >>> whole = augment_batch(key, 7, images, labels, jnp.arange(2), points)
        >>> half = augment_batch(key, 7, images[1:], labels[1:], jnp.arange(1, 2), points)
        >>> bool(jnp.all(whole.x[1:] == half.x))
        True
    """
    check_key("key", key)
    check_images(images, labels)
    check_shape("index", index, (images.shape[0],))
    check_dtype("index", index, "integer")
    check_scalar("step", step, minimum=0)
    check_dtype("step", step, "integer")
    check_scalar("threshold", threshold)
    check_geometry(points, interpolation)
    step_key = jax.random.fold_in(key, step)
    rotations = jax.vmap(lambda i: _rotation(step_key, i))(jnp.asarray(index))
    arrays = (jnp.asarray(array) for array in (images, labels, rotations, points, threshold))
    return project_batch(*arrays, interpolation)


def average_over_rotations(
    apply_fn: Callable[[Any], Array],
    x: Float[Array, "n ..."],
    rotations: Float[Array | np.ndarray, "rotations 3 3"],
    *,
    task: Task = "classification",
    grid: Grid = "soft",
    channels_last: bool = False,
) -> Float[Array, "n ..."]:
    """Test-time augmentation: class probabilities averaged over rotated copies of the input.

    ``mean_R softmax(network(R x))`` for classification, and ``mean_R softmax(R⁻¹ network(R x))``
    for segmentation, whose logits are turned back. Signals and logits are interpolated, so that the
    average costs some resolution; it makes a network's answer the less dependent on the orientation
    the more rotations there are, and exactly independent never.

    Args:
        apply_fn: ``signals -> logits``; logits are ``[n, classes]`` for classification, and laid
            out as the signals for segmentation, with classes for channels.
        x: signals ``[n, channels, β, α]``, or ``[n, β, α, channels]`` with ``channels_last``.
        rotations: rotations to average over; include the identity to count ``x`` itself.
        task: what the network does.
        grid: kind of grid of ``x`` and of the logits.
        channels_last: layout of signals and logits.

    Returns:
        Probabilities in the layout of the logits.

    Raises:
        ValueError: for an unknown task, signals or logits of another layout, no rotation, or what
            is no rotation.

    Cost:
        That of ``apply_fn`` and of two interpolations for each rotation, one after another; memory
        for the probabilities of all rotations. Outside of ``jax.jit``, on signals that are not
        traced, ``apply_fn`` runs as it is: have it jitted. Else it is traced once, and derivatives
        that are taken of the average have convolutions of their own, up to fifty times slower on
        CPUs: ``canonical_convolutions(jax.grad(…))`` of :mod:`jaxlab.convolutions` mends them.

    Example:
        >>> brightness = lambda x: jnp.stack([x.mean((1, 2, 3)), 0 * x[:, 0, 0, 0]], axis=-1)
        >>> x = jnp.ones((2, 1, 4, 4))
        >>> average_over_rotations(brightness, x, jnp.eye(3)[None]).round(2).tolist()
        [[0.7..., 0.2...], [0.7..., 0.2...]]
    """
    check_choice("task", task, get_args(Task))
    check_bool("channels_last", channels_last)
    check_shape(
        "x", x, ("n", "β", "α", "channels") if channels_last else ("n", "channels", "β", "α")
    )
    check_shape("rotations", rotations, ("rotations", 3, 3))
    check_rotation("rotations", rotations)
    require(rotations.shape[0] > 0, "rotations", rotations, "at least one rotation")

    def turn(signals: Array, R: Array) -> Array:
        if channels_last:
            turned = rotate_grid(jnp.moveaxis(signals, -1, 1), R, grid)
            return jnp.moveaxis(turned, 1, -1)
        return rotate_grid(signals, R, grid)

    def probabilities(R: Array) -> Array:
        logits = apply_fn(turn(x, R))
        if task == "classification":
            check_shape("apply_fn(x)", logits, (x.shape[0], "classes"))
            return jax.nn.softmax(logits, axis=-1)
        check_shape("apply_fn(x)", logits, (x.shape[0], "any", "any", "any"))
        return jax.nn.softmax(turn(logits, R.T), axis=-1 if channels_last else 1)

    rotations = jnp.asarray(rotations)
    # inside of ``jit`` everything computed is traced, where only parameters are, this slice, too
    if isinstance(x, jax.core.Tracer) or isinstance(rotations[0], jax.core.Tracer):
        found = canonical_convolutions(functools.partial(jax.lax.map, probabilities))(rotations)
    else:  # a loop of jax's would be compiled at every call, the network with it
        found = jnp.stack([probabilities(R) for R in rotations])
    return found.mean(axis=0)


def _rotation(key: Array, number: Array) -> Float[Array, "3 3"]:
    return random_rotations(jax.random.fold_in(key, number), 1)[0]
