"""Corruptions against the official formulas, written here as loops over pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.hopfield import corruption
from tests.helpers import to_device

KEY = jax.random.key(7)


def noise_cases():
    """Every random corruption as ``(key, x, level) -> x``."""
    return {
        "gaussian_noise": corruption.gaussian_noise,
        "flip_bits": corruption.flip_bits,
        "salt_and_pepper": corruption.salt_and_pepper,
        "random_mask": lambda key, x, level: corruption.random_mask(key, x, level, (4, 3)),
    }


@pytest.mark.parametrize("sigma", [0.0, 0.3, 2.0])
def test_gaussian_noise_folds_and_clips_one_draw(sigma):
    x = jax.random.uniform(jax.random.key(0), (5, 12))
    draw = np.asarray(jax.random.normal(KEY, (5, 12)))
    plain = corruption.gaussian_noise(KEY, x, sigma, rectify=False)
    np.testing.assert_allclose(plain, np.asarray(x) + sigma * draw, atol=1e-6)
    expected = np.empty((5, 12))
    for i in range(5):
        for j in range(12):
            expected[i, j] = min(abs(float(x[i, j]) + sigma * float(draw[i, j])), 1.0)
    np.testing.assert_allclose(corruption.gaussian_noise(KEY, x, sigma), expected, atol=1e-6)


def test_gaussian_noise_brightens_black_pixels_by_the_stated_amount():
    noisy = corruption.gaussian_noise(KEY, jnp.zeros(200_000), 0.2)
    mean, error = 0.2 * np.sqrt(2 / np.pi), 0.2 * np.sqrt(1 - 2 / np.pi) / np.sqrt(200_000)
    assert abs(float(noisy.mean()) - mean) < 4 * error


def test_flip_bits_flips_exactly_the_stated_number():
    x = jax.random.rademacher(jax.random.key(0), (50, 21), dtype=jnp.int32)
    for fraction in (0.0, 0.1, 0.5, 1.0):
        distance = np.sum(np.asarray(corruption.flip_bits(KEY, x, fraction)) != np.asarray(x), -1)
        np.testing.assert_array_equal(distance, round(21 * fraction))
    one_each = np.asarray(corruption.flip_bits(KEY, x, 1 / 21)) != np.asarray(x)
    assert len(set(one_each.argmax(-1))) > 10  # every pattern has its own draw
    flags = x > 0
    np.testing.assert_array_equal(
        corruption.flip_bits(KEY, flags, 0.3), corruption.flip_bits(KEY, x, 0.3) > 0
    )


def test_flip_bits_chooses_every_place_equally_often():
    count = np.sum(np.asarray(corruption.flip_bits(KEY, jnp.ones((4000, 8)), 0.25)) < 0, axis=0)
    assert np.all(np.abs(count - 1000) < 4 * np.sqrt(4000 * 0.25 * 0.75))


def test_salt_and_pepper_rates():
    noisy = np.asarray(corruption.salt_and_pepper(KEY, jnp.full(40_000, 0.5), 0.3))
    assert set(np.unique(noisy)) == {0.0, 0.5, 1.0}
    for value in (0.0, 1.0):
        rate, error = np.mean(noisy == value), np.sqrt(0.15 * 0.85 / 40_000)
        assert abs(rate - 0.15) < 4 * error


@pytest.mark.parametrize("name", ["flip_bits", "salt_and_pepper", "random_mask"])
def test_corruptions_of_one_key_are_nested(name):
    corrupt = noise_cases()[name]
    x = jnp.full((3, 12), 0.5)
    previous = np.zeros((3, 12), bool)
    for level in (0.0, 0.2, 0.5, 0.8, 1.0):
        changed = np.asarray(corrupt(KEY, x, level)) != 0.5
        assert np.all(changed >= previous)
        previous = changed
    assert previous.all()


@pytest.mark.parametrize("name", noise_cases())
def test_level_zero_changes_nothing_and_transformations_agree(name):
    corrupt = noise_cases()[name]
    x = jax.random.uniform(jax.random.key(0), (3, 12))
    np.testing.assert_array_equal(corrupt(KEY, x, 0.0), x)
    np.testing.assert_allclose(
        jax.jit(corrupt)(KEY, x, 0.4), corrupt(KEY, x, 0.4), rtol=1e-6, atol=1e-7
    )
    levels = np.float32([0.1, 0.4, 0.9])
    curve = np.asarray(jax.jit(jax.vmap(lambda level: corrupt(KEY, x, level)))(levels))
    for row, level in zip(curve, levels, strict=True):
        np.testing.assert_allclose(row, corrupt(KEY, x, level), rtol=1e-6, atol=1e-7)
    keys = jax.random.split(KEY, 3)
    each = np.asarray(jax.jit(jax.vmap(lambda key, row: corrupt(key, row, 0.4)))(keys, x))
    for i in range(3):
        alone = jax.jit(corrupt)(keys[i], np.asarray(x)[i], 0.4)
        np.testing.assert_allclose(each[i], alone, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", noise_cases())
def test_dtypes_and_empty_batches_are_kept(name, x64):
    corrupt = noise_cases()[name]
    for dtype in (jnp.bfloat16, jnp.float16, jnp.float32, jnp.float64):
        shapes = jax.eval_shape(corrupt, KEY, to_device(np.ones((2, 12)), dtype), np.float32(0.3))
        assert (shapes.shape, shapes.dtype) == ((2, 12), dtype)
    assert corrupt(KEY, to_device(np.ones((0, 12))), 0.3).shape == (0, 12)


@pytest.mark.usefixtures("bad_input")
def test_bad_input():
    x = jnp.ones((2, 12))
    with pytest.raises(ValueError, match="sigma: expected a finite number >= 0"):
        corruption.gaussian_noise(KEY, x, -0.1)
    with pytest.raises(ValueError, match="sigma: expected a finite number >= 0"):
        corruption.gaussian_noise(KEY, x, float("nan"))
    with pytest.raises(ValueError, match=r"sigma: expected shape \[\]"):
        corruption.gaussian_noise(KEY, x, jnp.ones(3))
    with pytest.raises(ValueError, match="x: expected dtype floating"):
        corruption.gaussian_noise(KEY, jnp.ones((2, 12), int), 0.1)
    with pytest.raises(ValueError, match="x: expected a signed or boolean dtype"):
        corruption.flip_bits(KEY, jnp.ones((2, 12), jnp.uint8), 0.1)
    for corrupt in (corruption.flip_bits, corruption.salt_and_pepper):
        with pytest.raises(ValueError, match="fraction: expected a finite number >= 0 and <= 1"):
            corrupt(KEY, x, 1.5)
        with pytest.raises(ValueError, match=r"x: expected shape \[..., d\]"):
            corrupt(KEY, jnp.float32(1.0), 0.5)
