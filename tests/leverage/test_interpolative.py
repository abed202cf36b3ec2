"""Interpolative decompositions against least squares."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.leverage import interpolative
from tests.leverage import targets
from tests.leverage.targets import put


def test_is_least_squares(x64):
    rng = np.random.default_rng(0)
    a = rng.normal(size=(14, 8)) * 10 ** rng.uniform(-2, 1, 8)
    columns = np.array([5, 0, 3])
    found = interpolative(*put(a, columns))
    expected = np.linalg.lstsq(a[:, columns], a, rcond=None)[0]
    np.testing.assert_allclose(found.coefficients, expected, atol=1e-10)
    np.testing.assert_allclose(found.coefficients[:, columns], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(found.residual, targets.residual(a, a, columns), rtol=1e-10)
    a[:, 3] = 2 * a[:, 5]  # dependent columns give the same approximation
    found = interpolative(*put(a, columns))
    np.testing.assert_allclose(found.residual, targets.residual(a, a, [5, 0]), rtol=1e-10)
    np.testing.assert_allclose(a[:, columns] @ found.coefficients[:, 3], a[:, 3], atol=1e-9)
    lengths = np.linalg.norm(a[:, columns], axis=0)
    least = np.linalg.pinv(a[:, columns] / lengths) @ a / lengths[:, None]
    np.testing.assert_allclose(found.coefficients, least, atol=1e-9)


def test_scale_changes_nothing():
    a = np.random.default_rng(1).normal(size=(14, 8)).astype(np.float32)
    known = interpolative(*put(a, np.array([5, 0, 3])))
    for scale in (1e20, 1e-20):
        found = interpolative(*put(a * np.float32(scale), np.array([5, 0, 3])))
        np.testing.assert_allclose(found.coefficients, known.coefficients, atol=1e-5)
        np.testing.assert_allclose(found.residual / np.float32(scale), known.residual, rtol=1e-5)


def test_a_row():
    found = interpolative(jnp.array([[1.0, -2.0, 4.0]]), jnp.array([2]))
    np.testing.assert_allclose(found.coefficients, [[0.25, -0.5, 1]], rtol=1e-6)
    np.testing.assert_allclose(found.residual, 0, atol=1e-6)


def test_bad_input(bad_input):
    with pytest.raises(ValueError, match="columns: expected indices of columns from 0 to 1"):
        interpolative(jnp.eye(2), jnp.array([2]))
    with pytest.raises(ValueError, match="columns"):
        interpolative(jnp.eye(2), jnp.array([0.5]))
