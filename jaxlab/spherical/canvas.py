"""Several items on one canvas, to be projected on the sphere as one image.

Source: Gerken et al. 2022, who segment spheres with several digits.
"""

import functools
import math
import operator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Integer, Key, Shaped

from jaxlab.checks import check_bool, check_integer, check_key, check_scalar, require
from jaxlab.spherical.spherical_images import check_images, class_of

__all__ = ["Canvas", "compose_canvas"]


class Canvas(NamedTuple):
    """Items pasted on a square.

    Attributes:
        image: brightest item at each pixel, 0 where there is none: ``[side, side]``, with a last
            axis of channels where the images have one.
        label_map: class of each pixel: 0 for background, ``label + 1`` of the brightest item, −1
            where its label is not known.
    """

    image: Shaped[Array, "side side ..."]
    label_map: Int[Array, "side side"]


def compose_canvas(
    key: Key[Array, ""],
    images: Shaped[Array | np.ndarray, "n h w ..."],
    labels: Integer[Array | np.ndarray, " n"],
    num_items: int | None = None,
    canvas_size: int = 60,
    max_tries: int = 100,
    allow_overlap: bool = False,
    threshold: int | float | Float[Array, ""] = 0,
) -> Canvas:
    """Paste items at random places of a black square.

    Places are drawn uniformly, item by item, until one is free; an item that finds none in
    ``max_tries`` draws sends all of them to random cells of the ``⌈√k⌉ × ⌈√k⌉`` grid, each at a
    random place within its cell. For a batch, ``jax.vmap`` over keys.

    Args:
        key: PRNG key.
        images: a stock of items ``[n, h, w]`` or ``[n, h, w, channels]``, of intensities >= 0.
        labels: label of each, −1 where it is not known.
        num_items: how many are drawn from the stock, with replacement; None pastes the whole stock
            once.
        canvas_size: side of the square in pixels.
        max_tries: draws for an item.
        allow_overlap: whether the boxes of items may overlap; their intensities then combine by
            maximum.
        threshold: intensity above which a pixel belongs to an item, in units of the images. With 0
            every lit pixel does, and the threshold on projected intensities bounds the mask.

    Returns:
        Image, in the dtype of the stock, and classes.

    Raises:
        ValueError: for a bad shape, dtype or size; an item larger than the canvas; without
            overlaps, a canvas on whose grid the items do not fit.

    Cost:
        O(num_items · canvas_size² + num_items² · max_tries) time; all draws are made at once, so
        that the canvases of a batch do not wait for each other.

    Example:
        >>> canvas = compose_canvas(
        ...     jax.random.key(0), jnp.ones((2, 3, 3)), jnp.array([4, 7]), canvas_size=8
        ... )
        >>> [int((canvas.label_map == kind).sum()) for kind in (0, 5, 8)]
        [46, 9, 9]
    """
    check_key("key", key)
    check_bool("allow_overlap", allow_overlap)
    check_images(images, labels)
    require(np.ndim(labels) == 1, "labels", labels, "one label for each image")
    count, height, width = images.shape[:3]
    require(count > 0, "images", images, "at least one item")
    items = count if num_items is None else num_items
    check_integer("num_items", items, minimum=1)
    check_integer("canvas_size", canvas_size, minimum=max(height, width))
    check_integer("max_tries", max_tries, minimum=1)
    check_scalar("threshold", threshold)
    items, canvas_size, max_tries = map(operator.index, (items, canvas_size, max_tries))
    need = _cells(items) * max(height, width)
    fits = allow_overlap or need <= canvas_size
    require(fits, "canvas_size", canvas_size, f"at least {need}, where {items} items fit abreast")
    arrays = (jnp.asarray(array) for array in (images, labels, threshold))
    return _compose(key, *arrays, num_items, canvas_size, max_tries, allow_overlap)


@functools.partial(
    jax.jit, static_argnames=("num_items", "canvas_size", "max_tries", "allow_overlap")
)
def _compose(
    key: Array,
    images: Array,
    labels: Array,
    threshold: Array,
    num_items: int | None,
    canvas_size: int,
    max_tries: int,
    allow_overlap: bool,
) -> Canvas:
    choice_key, place_key, grid_key = jax.random.split(key, 3)
    if num_items is not None:
        chosen = jax.random.randint(choice_key, (num_items,), 0, images.shape[0])
        images, labels = images[chosen], labels[chosen]
    spare = canvas_size - jnp.array(images.shape[1:3])
    count = images.shape[0]
    if allow_overlap:
        corners = _corners(jax.random.uniform(place_key, (count, 2)), spare)
    else:
        # the last number of each item is for its place in a cell
        numbers = jax.random.uniform(place_key, (count, max_tries + 1, 2))
        corners = _apart(grid_key, numbers, spare, canvas_size)

    def paste(image: Array, corner: Array) -> Array:
        canvas = jnp.zeros((canvas_size, canvas_size, *image.shape[2:]), image.dtype)
        start = (*corner, *(0 for _ in image.shape[2:]))
        return jax.lax.dynamic_update_slice(canvas, image, start)

    layers = jax.vmap(paste)(images, corners)
    intensity = layers if layers.ndim == 3 else layers.max(axis=-1)
    brightest = jnp.argmax(intensity, axis=0)
    classes = class_of(labels)[brightest]
    # in 8 bits the threshold would wrap
    lit = intensity.max(axis=0).astype(jnp.promote_types(intensity.dtype, jnp.float32)) > threshold
    return Canvas(layers.max(axis=0), jnp.where(lit, classes, 0))


def _apart(
    key: Array, numbers: Float[Array, "k tries 2"], spare: Int[Array, "2"], side: int
) -> Int[Array, "k 2"]:
    """For each item the first of its draws where it overlaps no earlier one, or cells of a grid."""
    count = numbers.shape[0]
    draws = _corners(numbers[:, :-1], spare)

    def place(taken: Array, item: tuple[Array, Array]) -> tuple[Array, Array]:
        number, tries = item
        apart = jnp.any(jnp.abs(taken[:, None] - tries) >= side - spare, axis=-1)
        free = jnp.all(apart, axis=0)
        return taken.at[number].set(tries[jnp.argmax(free)]), jnp.any(free)

    nowhere = 0 * draws[:, 0] - 2 * side
    corners, placed = jax.lax.scan(place, nowhere, (jnp.arange(count), draws))

    cells = _cells(count)
    cell = jax.random.permutation(key, cells**2)[:count]
    start = jnp.stack([cell // cells, cell % cells], axis=-1) * (side // cells)
    within = _corners(numbers[:, -1], side // cells - side + spare)
    return jnp.where(jnp.all(placed), corners, start + within)


def _corners(numbers: Float[Array, "..."], spare: Int[Array, "2"]) -> Int[Array, "..."]:
    """Uniform in ``0 … spare``, of numbers uniform in [0, 1)."""
    return jnp.floor(numbers * (spare + 1)).astype(jnp.int32)


def _cells(count: int) -> int:
    """``⌈√count⌉``."""
    return math.isqrt(count - 1) + 1
