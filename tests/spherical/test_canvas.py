"""Canvases of several items: where items lie, and what is drawn there."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.spherical.canvas import Canvas, compose_canvas

KEYS = jax.random.split(jax.random.key(0), 200)


def compose(images, labels, **options):
    """One canvas for each key; one by one, which compiles faster than a batch of random draws."""
    make = jax.jit(functools.partial(compose_canvas, images=images, labels=labels, **options))
    canvases = [make(key) for key in KEYS]
    return Canvas(*(np.stack(field) for field in zip(*canvases, strict=True)))


def test_items_do_not_overlap_and_all_are_there():
    values = np.array([1, 2, 3], np.uint8)
    images = values[:, None, None, None] * np.ones((2, 3, 1), np.uint8) * np.array([1, 0], np.uint8)
    labels = jnp.array([5, -1, 0])
    make = functools.partial(
        compose_canvas, images=images, labels=labels, canvas_size=7, threshold=1
    )
    canvas = jax.vmap(make)(KEYS)
    assert canvas.image.dtype == jnp.uint8
    assert not canvas.image[..., 1].any()
    image = np.asarray(canvas.image[..., 0])
    for value in values:
        where = image == value
        np.testing.assert_array_equal(where.sum((1, 2)), 6)
        assert (where.any(2).sum(1) == 2).all()  # a box of two rows
        assert (where.any(1).sum(1) == 3).all()
        assert where.any(0).all()  # that lies everywhere, some time
    np.testing.assert_array_equal((image == 0).sum((1, 2)), 49 - 18)
    np.testing.assert_array_equal(canvas.label_map, np.array([0, 0, -1, 1])[image])


def test_a_full_canvas_falls_back_to_the_grid():
    images = jnp.stack([jnp.full((2, 2), float(value)) for value in range(1, 5)])
    options = {"canvas_size": 4, "max_tries": 1}
    canvas = compose(images, jnp.arange(4), **options)
    corners = np.asarray(canvas.image[:, ::2, ::2]).reshape(len(KEYS), 4)
    np.testing.assert_array_equal(np.sort(corners), np.tile(np.arange(1, 5), (len(KEYS), 1)))
    tiled = np.repeat(np.repeat(canvas.image[:, ::2, ::2], 2, axis=1), 2, axis=2)
    np.testing.assert_array_equal(canvas.image, tiled)
    assert len(np.unique(corners, axis=0)) == 24  # in every order


def test_overlaps_take_the_brighter_item():
    images = jnp.stack([jnp.ones((3, 3)), jnp.full((3, 3), 2.0), jnp.zeros((3, 3))])
    canvas = compose(images, jnp.array([0, 1, 2]), canvas_size=4, allow_overlap=True)
    assert ((canvas.image == 2).sum((1, 2)) == 9).all()
    ones = (canvas.image == 1).sum((1, 2))
    assert ones.min() == 0
    assert ones.max() == 5
    np.testing.assert_array_equal(canvas.label_map, canvas.image)  # classes 1 and 2, and darkness
    corner = (canvas.image == 2).reshape(len(KEYS), 16).argmax(axis=1)
    places, counts = np.unique(corner, return_counts=True)
    np.testing.assert_array_equal(places, [0, 1, 4, 5])
    np.testing.assert_allclose(counts, 50, atol=4 * np.sqrt(50))


@pytest.mark.usefixtures("bad_input")  # not of the annotated type
def test_sizes_of_8_bits_do_not_wrap():
    images = jnp.ones((9, 30, 30))
    canvas = compose_canvas(KEYS[0], images, jnp.arange(9), canvas_size=np.uint8(90))
    assert canvas.image.sum() == 9 * 30 * 30


def test_items_are_drawn_from_the_stock():
    stock = jnp.arange(1.0, 5.0)[:, None, None] * jnp.ones((3, 3))
    canvas = compose(stock, jnp.arange(4), num_items=2, canvas_size=3, allow_overlap=True)
    # both lie on the same place, and the brighter one hides the other
    brightest, counts = np.unique(canvas.image[:, 1, 1], return_counts=True)
    np.testing.assert_array_equal(brightest, [1, 2, 3, 4])
    expected = len(KEYS) * np.array([1, 3, 5, 7]) / 16
    np.testing.assert_allclose(counts, expected, atol=4 * np.sqrt(100))
    np.testing.assert_array_equal(canvas.label_map, canvas.image)


@pytest.mark.parametrize(
    ("kind", "value", "threshold", "lit"),
    [("uint8", 200, 300, False), ("uint8", 200, -1, True), ("int8", 100, 200, False)],
)
def test_thresholds_beyond_8_bits(kind, value, threshold, lit):
    images = jnp.full((1, 2, 2), value, kind)
    canvas = compose_canvas(KEYS[0], images, jnp.array([3]), canvas_size=2, threshold=threshold)
    np.testing.assert_array_equal(canvas.label_map, 4 * lit)


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"images": jnp.ones((3, 2))}, "images"),
        ({"images": jnp.ones((0, 2, 2)), "labels": jnp.zeros(0, int)}, "images"),
        ({"labels": jnp.zeros((3, 2, 2), int)}, "labels"),
        ({"num_items": 0}, "num_items"),
        ({"canvas_size": 1}, "canvas_size"),
        ({"canvas_size": 3}, "canvas_size"),
        ({"max_tries": 0}, "max_tries"),
        ({"threshold": jnp.ones(2)}, "threshold"),
        ({"allow_overlap": 1}, "allow_overlap"),
        ({"labels": jnp.array([0, 1, 2**31 - 1])}, "labels"),
    ],
)
def test_what_is_refused(arguments, named):
    good = {"images": jnp.ones((3, 2, 2)), "labels": jnp.arange(3), "canvas_size": 8}
    with pytest.raises(ValueError, match=f"^{named}: expected"):
        compose_canvas(KEYS[0], **good | arguments)
