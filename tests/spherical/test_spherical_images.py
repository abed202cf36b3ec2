"""Rescaled intensities and masks against their definitions in numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.spherical.grids import sphere_points
from jaxlab.spherical.projection import project_image, project_labels
from jaxlab.spherical.rotation import random_rotations
from jaxlab.spherical.spherical_images import make_spherical_batch, rescale_intensity

RNG = np.random.default_rng(1)
POINTS = sphere_points(3)
IMAGES = jnp.asarray(RNG.uniform(size=(3, 5, 5)), jnp.float32)
LABELS = jnp.array([2, -1, 0])
ROTATIONS = random_rotations(jax.random.key(0), 3)


def test_rescaled_intensities():
    x = RNG.normal(size=(6, 6))
    found = rescale_intensity(jnp.asarray(x, jnp.float32))
    exact = (x - x.min()) / (x.max() - x.min()) * 255
    clear = np.abs(exact - np.round(exact)) > 0.01  # where float32 cannot change the whole part
    np.testing.assert_array_equal(np.asarray(found)[clear], np.floor(exact)[clear])
    assert (found.min(), found.max()) == (0, 255)
    np.testing.assert_array_equal(rescale_intensity(3 * found + 7), found)

    for flat in (jnp.zeros((2, 2)), jnp.full((2, 2), 7.0), jnp.ones(1) + jnp.array([0, 9e-7])):
        np.testing.assert_array_equal(rescale_intensity(flat), 0)
    assert jnp.isnan(rescale_intensity(jnp.array([0.0, jnp.nan, 1.0]))).all()
    half = rescale_intensity(jnp.array([0.0, 0.5, 1.0], jnp.bfloat16))
    assert half.dtype == jnp.bfloat16
    np.testing.assert_array_equal(half.astype(jnp.float32), [0, 127, 255])
    assert rescale_intensity(jnp.zeros((0, 2))).shape == (0, 2)


def test_equal_intensities_stay_equal():
    # away from the border every point of a white image has the same brightness, to rounding
    batch = make_spherical_batch(jnp.full((3, 7, 7), 0.3), LABELS, ROTATIONS, sphere_points(8))
    inside = np.asarray(batch.x) > 200
    assert inside.any()
    np.testing.assert_array_equal(np.unique(np.asarray(batch.x)[np.asarray(batch.x) > 252]), 255)


def test_batch_sample_by_sample():
    found = make_spherical_batch(IMAGES, LABELS, ROTATIONS, POINTS, threshold=100)
    assert found.mask.dtype == jnp.int32
    for x, mask, image, label, R in zip(*found, IMAGES, LABELS, ROTATIONS, strict=True):
        np.testing.assert_array_equal(x, rescale_intensity(project_image(image, R, POINTS)))
        kind = -1 if label < 0 else label + 1
        np.testing.assert_array_equal(mask, np.where(x > 100, kind, 0))
        assert (mask == kind).any()
        assert (mask == 0).any()


def test_maps_of_classes_and_channels():
    maps = jnp.asarray(RNG.integers(-1, 4, (3, 5, 5)), jnp.int32)
    found = make_spherical_batch(IMAGES, maps, ROTATIONS, POINTS, threshold=100)
    nearest = jax.vmap(project_labels, in_axes=(0, 0, None))(
        maps, ROTATIONS, jnp.asarray(POINTS, jnp.float32)
    )
    np.testing.assert_array_equal(found.mask, np.where(found.x > 100, nearest, 0))

    colours = jnp.stack([IMAGES, IMAGES / 2], axis=-1)
    found = make_spherical_batch(colours, LABELS, ROTATIONS, POINTS)
    grey = make_spherical_batch(IMAGES, LABELS, ROTATIONS, POINTS)
    np.testing.assert_array_equal(found.x[..., 0], grey.x)
    assert found.x[..., 1].max() == 127  # one scale for all channels
    np.testing.assert_array_equal(found.mask, grey.mask)


def test_edge_cases():
    dark = make_spherical_batch(jnp.zeros((1, 4, 4)), LABELS[:1], ROTATIONS[:1], POINTS)
    assert not dark.x.any()
    assert not dark.mask.any()
    lost = make_spherical_batch(IMAGES[:1] * jnp.nan, LABELS[:1], ROTATIONS[:1], POINTS)
    assert jnp.isnan(lost.x).all()
    assert not lost.mask.any()
    none = make_spherical_batch(IMAGES[:0], LABELS[:0], ROTATIONS[:0], POINTS)
    assert none.x.shape == none.mask.shape == (0, 6, 6)
    strided = np.asarray(IMAGES).transpose(0, 2, 1)
    found = make_spherical_batch(strided, LABELS, ROTATIONS, POINTS)
    expected = make_spherical_batch(np.ascontiguousarray(strided), LABELS, ROTATIONS, POINTS)
    np.testing.assert_array_equal(found.x, expected.x)
    bytes_ = make_spherical_batch(
        np.asarray(255 * IMAGES, np.uint8), np.asarray(LABELS), np.asarray(ROTATIONS), POINTS
    )
    assert bytes_.x.dtype == jnp.float32
    wide = rescale_intensity(jnp.array([-3e38, 0.0, 3e38]))  # the range is no number of float32
    assert jnp.isnan(wide).all()
    last = make_spherical_batch(IMAGES[:1], np.array([127], np.int8), ROTATIONS[:1], POINTS)
    assert last.mask.max() == 128


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"images": IMAGES[0]}, "images"),
        ({"labels": LABELS[:2]}, "labels"),
        ({"labels": LABELS - 1}, "labels"),
        ({"labels": LABELS.astype(float)}, "labels"),
        ({"labels": jnp.zeros((3, 4, 4), int)}, "labels"),
        ({"rotations": ROTATIONS[0]}, "rotations"),
        ({"rotations": ROTATIONS + 0.1}, "rotations"),
        ({"threshold": jnp.ones(3)}, "threshold"),
        ({"interpolation": "linear"}, "interpolation"),
    ],
)
def test_what_is_refused(arguments, named):
    good = {"images": IMAGES, "labels": LABELS, "rotations": ROTATIONS, "points": POINTS}
    with pytest.raises(ValueError, match=f"^{named}: expected"):
        make_spherical_batch(**good | arguments)
