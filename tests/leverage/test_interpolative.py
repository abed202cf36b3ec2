"""Interpolative decompositions against least squares."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from jaxlab.leverage import interpolative
from tests.leverage import targets
from tests.leverage.targets import put

CHOSEN = [5, 0, 3]


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


def on_chosen(a):
    return interpolative(a, jnp.array(CHOSEN))


@functools.partial(jax.jit, static_argnums=3)
def derivatives(a, weights, direction, function):
    """The slope of weighed coefficients and residual, and how it changes along a direction."""

    def weighed(a):
        coefficients, residual = function(a)
        return jnp.vdot(weights, coefficients) + residual

    return jax.jvp(jax.grad(weighed), (a,), (direction,))


def by_pseudo_inverse(a):
    coefficients = jnp.linalg.pinv(a[:, CHOSEN]) @ a
    return coefficients, jnp.linalg.norm(a - a[:, CHOSEN] @ coefficients)


@pytest.mark.parametrize("near", [0, 1e-9])
@pytest.mark.parametrize("one_hot", [True, False])
def test_derivatives_where_singular_values_are_equal(x64, one_hot, near):
    """What depends on ``A_S⁺`` only is smooth there."""
    rng = np.random.default_rng(2)
    a = rng.normal(size=(8, 6))
    a[:, CHOSEN] = (np.eye(8) if one_hot else scipy.linalg.hadamard(8))[:, :3] + near * a[:, :3]
    given = put(a, rng.normal(size=(3, 6)), rng.normal(size=a.shape))
    found = derivatives(*given, on_chosen)
    for mine, other in zip(found, derivatives(*given, by_pseudo_inverse), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-8)


def test_derivatives_where_columns_stay_dependent(x64):
    rng = np.random.default_rng(3)
    a, direction = rng.normal(size=(2, 8, 6))
    for matrix in (a, direction):
        matrix[:, 3] = matrix[:, 5] - 2 * matrix[:, 0]
    h = 1e-6
    ends = [on_chosen(*put(a + t * direction)).coefficients for t in (-h, h)]
    slope = jax.jvp(lambda a: on_chosen(a).coefficients, put(a), put(direction))[1]
    np.testing.assert_allclose(slope, (ends[1] - ends[0]) / (2 * h), atol=1e-7)


def test_derivatives_are_finite_where_a_column_is_zero():
    a = jnp.ones((4, 3)).at[2, 1].set(3).at[:, 0].set(0)
    slope = jax.grad(lambda a: interpolative(a, jnp.array([0, 1])).residual)(a)
    assert np.isfinite(slope).all()
    assert slope.any()


def test_a_row():
    found = interpolative(jnp.array([[1.0, -2.0, 4.0]]), jnp.array([2]))
    np.testing.assert_allclose(found.coefficients, [[0.25, -0.5, 1]], rtol=1e-6)
    np.testing.assert_allclose(found.residual, 0, atol=1e-6)


def test_bad_input(bad_input):
    with pytest.raises(ValueError, match="columns: expected indices of columns from 0 to 1"):
        interpolative(jnp.eye(2), jnp.array([2]))
    with pytest.raises(ValueError, match="columns"):
        interpolative(jnp.eye(2), jnp.array([0.5]))
