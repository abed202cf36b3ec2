"""Image masks against the official formulas, written here as loops over pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.hopfield import corruption, masking
from tests.helpers import to_device

KEY = jax.random.key(3)
SHAPES = [(28, 28), (7, 5), (6, 4, 3), (1, 1), (5, 8, 1)]
FRACTIONS = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0]
MASKS = {
    "top": lambda x, fraction, shape: masking.mask_rows(x, fraction, shape),
    "bottom": lambda x, fraction, shape: masking.mask_rows(x, fraction, shape, keep="bottom"),
    "border": masking.border_mask,
    "center": masking.center_mask,
}


def kept_by_the_official_formula(name, row, column, height, width, fraction):
    """Is this pixel left as it was?"""
    if name == "top":  # mask_continuous_img(frac) zeroes the rows from int(H (1 - frac)) on
        return row < int(height * (1 - fraction))
    if name == "bottom":  # reversed=True with 1 - frac zeroes the first int(H (1 - frac)) rows
        return row >= int(height * fraction)
    if name == "border":  # image_inpaint
        edge = int(height * fraction // 2)
        return edge <= row < height - edge and edge <= column < width - edge
    tall, wide = int(height * fraction), int(width * fraction)
    top, left = (height - tall) // 2, (width - wide) // 2
    return not (top <= row < top + tall and left <= column < left + wide)


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_masks_equal_the_official_formulas(name, shape):
    images = np.random.default_rng(3).uniform(0.1, 1, (2, *shape)).astype(np.float32)
    flat = to_device(images.reshape(2, -1))
    for fraction in FRACTIONS:
        expected = images.copy()
        for row in range(shape[0]):
            for column in range(shape[1]):
                if not kept_by_the_official_formula(name, row, column, *shape[:2], fraction):
                    expected[:, row, column] = 0
        masked = MASKS[name](flat, fraction, shape)
        np.testing.assert_array_equal(masked, expected.reshape(2, -1), err_msg=str(fraction))


@pytest.mark.parametrize("shape", [(10, 10), (20, 5), (1000, 1)], ids=str)
def test_counts_are_those_of_exact_arithmetic(shape):
    image = to_device(np.ones(int(np.prod(shape)), np.float32))
    call = jax.jit(lambda x, f: masking.mask_rows(x, f, shape))
    for tenths in range(11):
        kept = shape[0] * (10 - tenths) // 10
        rows = np.asarray(masking.mask_rows(image, tenths / 10, shape)).reshape(shape)[:, 0]
        assert rows.sum() == kept
        traced = np.asarray(call(image, np.float32(tenths / 10)))
        np.testing.assert_array_equal(traced.reshape(shape)[:, 0], rows)


@pytest.mark.parametrize("name", ["top", "bottom", "center"])
def test_fraction_zero_and_one(name):
    image = jnp.ones(35)
    np.testing.assert_array_equal(MASKS[name](image, 0.0, (7, 5)), image)
    np.testing.assert_array_equal(MASKS[name](image, 1, (7, 5)), jnp.zeros(35))


def test_border_of_an_odd_image_leaves_its_middle():
    image = jnp.ones(49)
    np.testing.assert_array_equal(masking.border_mask(image, 0.0, (7, 7)), image)
    assert np.flatnonzero(masking.border_mask(image, 1.0, (7, 7))).tolist() == [24]
    assert not masking.border_mask(jnp.ones(36), 1.0, (6, 6)).any()


@pytest.mark.parametrize("name", MASKS)
def test_transformations_agree(name):
    x = jax.random.uniform(KEY, (3, 35))
    fractions = np.float32([0.2, 0.5, 0.8])
    curve = np.asarray(jax.jit(jax.vmap(lambda f: MASKS[name](x, f, (7, 5))))(fractions))
    for row, fraction in zip(curve, fractions, strict=True):
        np.testing.assert_array_equal(row, MASKS[name](x, fraction, (7, 5)))
    each = jax.jit(jax.vmap(lambda row: MASKS[name](row, 0.4, (7, 5))))(x)
    np.testing.assert_array_equal(each, MASKS[name](x, 0.4, (7, 5)))


@pytest.mark.parametrize("name", MASKS)
def test_dtypes_and_empty_batches_are_kept(name, x64):
    for dtype in (jnp.bfloat16, jnp.float64, jnp.int8, jnp.bool_):
        assert MASKS[name](jnp.ones((2, 35), dtype), 0.3, (7, 5)).dtype == dtype
    assert MASKS[name](jnp.ones((0, 35)), 0.3, (7, 5)).shape == (0, 35)


@pytest.mark.parametrize("shared", [True, False])
def test_random_mask_zeroes_what_its_draw_says(shared):
    shape, fraction = (6, 4, 3), 0.4
    images = np.asarray(jax.random.uniform(jax.random.key(0), (2, *shape), minval=0.1))
    draws = np.asarray(jax.random.uniform(KEY, (2, 6, 4, 1 if shared else 3)))
    expected = images.copy()
    for b, row, column, channel in np.ndindex(2, *shape):
        if draws[b, row, column, 0 if shared else channel] <= fraction:
            expected[b, row, column, channel] = 0
    flat = to_device(images.reshape(2, -1))
    masked = masking.random_mask(KEY, flat, fraction, shape, shared)
    np.testing.assert_array_equal(masked, expected.reshape(2, -1))


def test_random_mask_rate_and_extremes():
    x = jnp.ones((100, 784))
    rate = float(jnp.mean(masking.random_mask(KEY, x, 0.3, (28, 28)) == 0))
    assert abs(rate - 0.3) < 4 * np.sqrt(0.3 * 0.7 / x.size)
    np.testing.assert_array_equal(masking.random_mask(KEY, x, 0.0, (28, 28)), x)
    assert not masking.random_mask(KEY, x, 1.0, (28, 28)).any()


def test_the_masks_are_found_among_the_corruptions():
    for name in masking.__all__:
        assert getattr(corruption, name) is getattr(masking, name)
        assert name in corruption.__all__


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize("name", [*MASKS, "random"])
def test_bad_input(name):
    def corrupt(x, fraction, shape):
        if name == "random":
            return masking.random_mask(KEY, x, fraction, shape)
        return MASKS[name](x, fraction, shape)

    x = jnp.ones((2, 12))
    for fraction in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="fraction: expected a finite number >= 0 and <= 1"):
            corrupt(x, fraction, (4, 3))
    with pytest.raises(ValueError, match=r"fraction: expected shape \[\]"):
        corrupt(x, jnp.ones(2), (4, 3))
    with pytest.raises(ValueError, match="image_shape: expected sizes that multiply to 12"):
        corrupt(x, 0.5, (4, 4))
    with pytest.raises(ValueError, match=r"image_shape: expected a tuple \(H, W\) or \(H, W, C\)"):
        corrupt(x, 0.5, (12,))
    with pytest.raises(ValueError, match="image_shape: expected an integer >= 1"):
        corrupt(x, 0.5, (0, 12))
    with pytest.raises(ValueError, match=r"x: expected shape \[..., d\]"):
        corrupt(jnp.float32(1.0), 0.5, (1, 1))
    if name == "top":
        with pytest.raises(ValueError, match="keep: expected one of 'top', 'bottom'"):
            masking.mask_rows(x, 0.5, (4, 3), keep="left")
