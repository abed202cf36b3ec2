"""Penalised matrix decomposition: bounds met, known limits, no NaN."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.leverage import pmd_sparse_cca
from tests.leverage import targets
from tests.leverage.targets import put


def test_bounds_hold_and_limits_are_known(x64):
    a, b = targets.wine_views()
    bounds = jnp.array([1.0, 1.2, 1.5, 7**0.5])
    found = jax.vmap(lambda bound: pmd_sparse_cca(*put(a, b), bound, bound))(bounds)
    for u in (found.loadings_a, found.loadings_b):
        np.testing.assert_allclose(jnp.linalg.norm(u, axis=1), 1, rtol=1e-12)
        assert bool(jnp.all(jnp.abs(u).sum(axis=1) <= bounds + 1e-7))
    a, b = a / np.linalg.norm(a, axis=0), b / np.linalg.norm(b, axis=0)
    z = a.T @ b
    # a bound of 1 leaves the largest correlation, none the leading singular vectors
    np.testing.assert_allclose(found.objective[0], np.abs(z).max(), rtol=1e-9)
    np.testing.assert_allclose(found.correlation[0], 0.8646, atol=5e-5)
    np.testing.assert_allclose(found.objective[-1], np.linalg.norm(z, 2), rtol=1e-9)
    assert bool(jnp.all(jnp.diff(found.objective) > 0))
    for u, v, said in zip(found.loadings_a, found.loadings_b, found.correlation, strict=True):
        np.testing.assert_allclose(said, np.corrcoef(a @ u, b @ v)[0, 1], rtol=1e-9)


def test_columns_of_their_own_lengths(x64):
    """The objective is then in the units of both views, and long columns count for more."""
    a, b = targets.wine_views()
    z = a.T @ b  # centred already
    loose = pmd_sparse_cca(*put(a + 5, b), 6**0.5, 7**0.5, standardize=False)
    np.testing.assert_allclose(loose.objective, np.linalg.norm(z, 2), rtol=1e-9)
    found = pmd_sparse_cca(*put(a, b), 1.2, 1.5, standardize=False)
    u, v = np.asarray(found.loadings_a), np.asarray(found.loadings_b)
    np.testing.assert_allclose(found.objective, u @ z @ v, rtol=1e-9)
    np.testing.assert_allclose(found.correlation, np.corrcoef(a @ u, b @ v)[0, 1], rtol=1e-9)
    longer = pmd_sparse_cca(*put(1000 * a, b / 7), 1.2, 1.5, standardize=False)
    np.testing.assert_allclose(longer.loadings_a, u, atol=1e-9)
    np.testing.assert_allclose(longer.objective, found.objective * 1000 / 7, rtol=1e-9)


def test_equal_and_constant_columns(x64):
    a, b = targets.wine_views()
    same = np.repeat(a[:, :1], 6, axis=1)
    for left in (same, 0 * a):
        found = pmd_sparse_cca(*put(left, b), 1.0, 1.0)
        assert all(bool(jnp.all(jnp.isfinite(field))) for field in found)
    np.testing.assert_allclose(jnp.linalg.norm(found.loadings_a), 1)
    assert found.correlation == 0


def test_constant_columns_in_float32():
    a, b = (
        np.random.default_rng(seed).normal(size=(1000, 3)).astype(np.float32) for seed in (0, 1)
    )
    a[:, 2], b[:, 2] = 0.1, 0.3
    found = pmd_sparse_cca(*put(a, b), 1.5, 1.5)
    assert (found.loadings_a[2], found.loadings_b[2]) == (0, 0)
    assert jnp.abs(found.correlation) < 0.2


def test_bad_input(bad_input):
    with pytest.raises(ValueError, match="l1_a: expected a finite number >= 1"):
        pmd_sparse_cca(jnp.ones((3, 2)), jnp.ones((3, 2)), 0.5, 1.0)
