"""Principal angles against scipy, against known angles of all sizes, and of dependent columns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from jaxlab.leverage import principal_angles

ANGLES = np.array([1e-6, 1e-3, 0.7, np.pi / 2 - 1e-5])


def planes(dtype):
    """Two subspaces of nine dimensions with these very angles, in bases that are skew."""
    rng = np.random.default_rng(0)
    frame = np.linalg.qr(rng.normal(size=(9, 9)))[0]
    x = frame[:, :4]
    y = x * np.cos(ANGLES) + frame[:, 4:8] * np.sin(ANGLES)
    mix = np.linalg.qr(rng.normal(size=(4, 4)))[0] + 0.2 * rng.normal(size=(4, 4))
    return jnp.asarray(x @ mix, dtype), jnp.asarray(y @ mix.T, dtype)


def test_small_and_large_angles_in_single_precision():
    x, y = planes(jnp.float32)
    for one, other in ((x, y), (y, x)):
        np.testing.assert_allclose(principal_angles(one, other), ANGLES, atol=1e-6)


def test_against_scipy(x64):
    x, y = planes(jnp.float64)
    np.testing.assert_allclose(principal_angles(x, y), ANGLES, atol=1e-13)
    rng = np.random.default_rng(1)
    for _ in range(20):
        one, other = rng.normal(size=(9, 4)), rng.normal(size=(9, 4))
        other[:, : rng.integers(4)] = 0
        other[:, -1] = one[:, 0]  # a direction in common
        expected = scipy.linalg.subspace_angles(one, other[:, other.any(axis=0)])[::-1]
        found = principal_angles(jnp.asarray(one), jnp.asarray(other))
        np.testing.assert_allclose(found[: expected.size], expected, atol=1e-7)
        np.testing.assert_allclose(found[expected.size :], np.pi / 2)


def test_dependent_columns_and_more_columns_than_rows(x64):
    x = np.random.default_rng(2).normal(size=(3, 2))
    twice = jnp.asarray(np.concatenate([x, x], axis=1))
    right = np.pi / 2
    np.testing.assert_allclose(principal_angles(twice, twice), [0, 0, right, right], atol=1e-15)
    some = principal_angles(twice, jnp.asarray(x[:, :1]))
    np.testing.assert_allclose(some, [0], atol=1e-15)
    np.testing.assert_allclose(principal_angles(twice * 0, twice), right)


def test_gradient_and_transformations(x64):
    rng = np.random.default_rng(3)
    x, y, direction = jax.device_put(tuple(rng.normal(size=(3, 9, 4))))
    angles = jax.jit(principal_angles)
    slope = jax.jit(lambda x, d: jax.jvp(lambda x: principal_angles(x, y), (x,), (d,))[1])
    h = 1e-6
    difference = (angles(x + h * direction, y) - angles(x - h * direction, y)) / (2 * h)
    np.testing.assert_allclose(slope(x, direction), difference, atol=1e-6)
    # orthonormal columns: all singular values of the basis are equal
    flat = jnp.linalg.qr(x)[0]
    difference = (angles(flat + h * direction, y) - angles(flat - h * direction, y)) / (2 * h)
    np.testing.assert_allclose(slope(flat, direction), difference, atol=1e-6)
    both = jax.vmap(principal_angles)(jnp.stack([x, y]), jnp.stack([y, direction]))
    np.testing.assert_allclose(both[0], angles(x, y), atol=1e-13)
    np.testing.assert_allclose(both[1], angles(y, direction), atol=1e-13)
    np.testing.assert_allclose(principal_angles(x, y), angles(x, y), atol=1e-13)


def test_bad_input(bad_input):
    x = jnp.ones((3, 2))
    for bad, words in ((jnp.ones(3), "2-D"), (jnp.ones((3, 0)), "empty"), (x / 0, "finite")):
        with pytest.raises(ValueError, match=words):
            principal_angles(bad, x)
        with pytest.raises(ValueError, match=words):
            principal_angles(x, bad)
    with pytest.raises(ValueError, match="the same number of rows as x, 3"):
        principal_angles(x, jnp.ones((4, 2)))
    with pytest.raises(ValueError, match="rtol: expected a finite number >= 0"):
        principal_angles(x, x, rtol=-1.0)


def test_memory_grows_with_the_columns_not_with_the_square_of_the_rows():
    shape = jax.ShapeDtypeStruct((4000, 6), jnp.float32)
    compiled = jax.jit(principal_angles).lower(shape, shape).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 20 * 4 * 4000 * 6
