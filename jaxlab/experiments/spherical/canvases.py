"""Splits of canvases with several items, to be projected on the sphere as one image each."""

import functools

import jax
import numpy as np
from jaxtyping import Array

from jaxlab.experiments.interface import Count, config
from jaxlab.experiments.spherical.inputs import Planar, Splits
from jaxlab.spherical.canvas import Canvas, compose_canvas

__all__ = ["Canvases", "compose_part", "compose_splits"]

CHUNK = 64  # canvases at a time


@config
class Canvases:
    """How items are pasted.

    Attributes:
        train: number of canvases made of training images.
        validation: of validation images.
        test: of test images.
        size: side in pixels.
        overlap: whether items may cover each other.
        max_tries: as in :func:`~jaxlab.spherical.compose_canvas`.
    """

    train: Count
    validation: Count
    test: Count
    size: Count
    overlap: bool
    max_tries: Count


def compose_splits(splits: Splits, canvases: Canvases, items: int, *, seed: int) -> Splits:
    """Canvases of ``items`` images each, drawn with replacement within each part.

    Args:
        splits: single images and their labels.
        canvases: how many, and how large.
        items: on each.
        seed: of the draws; every part and number of items draws anew.

    Returns:
        Canvases, with maps of classes for labels.
    """
    return Splits(
        *(compose_part(splits, part, canvases, items, seed=seed) for part in Splits._fields)
    )


def compose_part(splits: Splits, part: str, canvases: Canvases, items: int, *, seed: int) -> Planar:
    """One part of :func:`compose_splits`."""
    number, single = Splits._fields.index(part), getattr(splits, part)
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), items), number)
    made = _compose(
        jax.random.split(key, getattr(canvases, part)),
        single.images,
        single.labels,
        items,
        canvases.size,
        canvases.max_tries,
        canvases.overlap,
    )
    return Planar(np.asarray(made.image), np.asarray(made.label_map))


@functools.partial(jax.jit, static_argnums=(3, 4, 5, 6))
def _compose(
    keys: Array,
    images: Array,
    labels: Array,
    items: int,
    size: int,
    max_tries: int,
    overlap: bool,
) -> Canvas:
    return jax.lax.map(
        lambda key: compose_canvas(key, images, labels, items, size, max_tries, overlap),
        keys,
        batch_size=min(CHUNK, len(keys)),
    )
