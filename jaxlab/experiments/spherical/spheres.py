"""Training and test sets on the sphere: which image each sample shows, and under which rotation.

A set is described, not stored (:class:`Spheres`). Samples are projected where they are used, inside
the jitted step, so that a million rotated copies cost no more memory than their images.

Rotation number ``r`` depends on the seed and the part alone, not on the number of samples: a
smaller set is the beginning of a larger one.
"""

import functools
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from jaxlab.checks import check_integer
from jaxlab.experiments.spherical.inputs import Planar, SphereData
from jaxlab.spherical.augmentation import augment_batch
from jaxlab.spherical.grids import sphere_points
from jaxlab.spherical.spherical_images import SphericalBatch, make_spherical_batch
from jaxlab.spherical.types import Grid

__all__ = [
    "Part",
    "Scaling",
    "Spheres",
    "batches_of",
    "images_grid",
    "look_at",
    "project",
    "scaling_of",
    "spheres",
]

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")
MEASURED = 4096  # samples from which mean and deviation are taken, at most
CHUNK = 256


class Spheres(NamedTuple):
    """A set of samples on the sphere, described by images and rotations.

    Attributes:
        planar: the images.
        source: image of each sample, ``[n]``, int32.
        turn: number of the rotation of each sample, ``[n]``, int32.
        rotate: whether samples are rotated at all.
        key: of the rotations.
    """

    planar: Planar
    source: np.ndarray
    turn: np.ndarray
    rotate: bool
    key: Array

    @property
    def labels(self) -> np.ndarray:
        """Label of each sample."""
        return self.planar.labels[self.source]


class Scaling(NamedTuple):
    """What is subtracted from intensities, and what they are divided by then."""

    shift: float
    scale: float


def spheres(
    data: SphereData,
    planar: Planar,
    part: Part,
    *,
    rotate: bool,
    seed: int,
    n: int | None = None,
) -> Spheres:
    """``n`` samples of ``planar``: its images in order, then random ones of them again.

    Args:
        data: how many consecutive samples share a rotation.
        planar: the images.
        part: which part they are: no rotation of one is seen again in another.
        rotate: False leaves every image at the south pole.
        seed: of the rotations and the repeated images.
        n: number of samples; None takes every image once.

    Returns:
        The set.
    """
    count = len(planar.images)
    n = count if n is None else n
    check_integer("n", n, minimum=1)
    drawn = np.random.default_rng(seed).integers(0, count, max(n - count, 0))
    source = np.concatenate([np.arange(count), drawn])[:n].astype(np.int32)
    turn = (np.arange(n) // data.images_per_rotation).astype(np.int32)
    key = jax.random.fold_in(jax.random.key(seed), PARTS.index(part))
    return Spheres(planar, source, turn, rotate, key)


def images_grid(data: SphereData) -> Grid:
    """Kind of grid on which images are sampled."""
    return "driscoll_healy" if data.official_mismatch else data.grid


def look_at(
    points: Array | np.ndarray,
    images: Array,
    labels: Array,
    turn: Array,
    key: Array,
    step: int | Array,
    data: SphereData,
    *,
    rotate: bool | Array,
) -> SphericalBatch:
    """Project a batch, each sample under its rotation; jit-compatible.

    Args:
        points: of the grid of images.
        images: ``[n, h, w]``.
        labels: as of :class:`Planar`.
        turn: number of each sample's rotation.
        key: of the rotations.
        step: 0 for a fixed set; the number of the step for rotations that are new in each.
        data: interpolation and threshold; static.
        rotate: whether to rotate.
    """
    options: dict[str, Any] = {"interpolation": data.interpolation, "threshold": data.threshold}

    def turned() -> SphericalBatch:
        return augment_batch(key, step, images, labels, turn, points, **options)

    def upright() -> SphericalBatch:
        identity = np.broadcast_to(np.eye(3, dtype=np.float32), (images.shape[0], 3, 3))
        return make_spherical_batch(images, labels, identity, points, **options)

    return jax.lax.cond(rotate, turned, upright)  # one compilation for both


@functools.partial(jax.jit, static_argnames="data")
def _project(
    points: Array,
    images: Array,
    labels: Array,
    turn: Array,
    key: Array,
    data: SphereData,
    rotate: Array,
) -> SphericalBatch:
    return look_at(points, images, labels, turn, key, 0, data, rotate=rotate)


def project(data: SphereData, samples: Spheres, n: int | None = None) -> SphericalBatch:
    """The first ``n`` samples as arrays, for figures and statistics; all by default."""
    points = sphere_points(data.bandwidth, images_grid(data)).astype(np.float32)
    chosen = np.arange(len(samples.source))[:n]
    size = min(CHUNK, len(chosen))
    parts = []
    for batch, count in batches_of(samples, chosen, size):
        args = (batch["images"], batch["labels"], batch["turn"])
        part = _project(points, *args, samples.key, data, samples.rotate)
        parts.append(jax.tree.map(lambda leaf, count=count: np.asarray(leaf)[:count], part))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)


def batches_of(
    samples: Spheres, chosen: np.ndarray, size: int
) -> Iterator[tuple[dict[str, np.ndarray], int]]:
    """Batches of ``size`` with ``images``, ``labels`` and ``turn``, and how many of each count.

    The last one is filled up with its first sample.
    """
    for start in range(0, len(chosen), size):
        part = chosen[start : start + size]
        filled = np.concatenate([part, np.full(size - len(part), part[0])]).astype(int)
        source = samples.source[filled]
        yield (
            {
                "images": samples.planar.images[source],
                "labels": samples.planar.labels[source],
                "turn": samples.turn[filled],
            },
            len(part),
        )


def scaling_of(data: SphereData, training: Spheres) -> Scaling:
    """Mean and deviation of the pixels of (at most 4096) training samples; 0 and 1 for "none"."""
    if data.normalize == "none":
        return Scaling(0.0, 1.0)
    x = project(data, training, MEASURED).x.astype(np.float64)
    return Scaling(float(x.mean()), max(float(x.std()), 1e-6))
