"""Canonical correlations against numpy, scikit-learn and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.cross_decomposition

from jaxlab.leverage import cca
from tests.leverage import targets
from tests.leverage.targets import put


def test_halves_of_wine(x64):
    a, b = targets.wine_views()
    found = cca(*put(a, b))
    qa, qb = targets.basis(a), targets.basis(b)
    expected = np.linalg.svd(qa.T @ qb, compute_uv=False)
    np.testing.assert_allclose(found.correlations, expected, rtol=1e-10)
    known = [0.902935, 0.730155, 0.516675, 0.409410, 0.239633, 0.126098]
    np.testing.assert_allclose(found.correlations, known, atol=1e-6)
    x, y = a @ np.asarray(found.loadings_a), b @ np.asarray(found.loadings_b)
    np.testing.assert_allclose(x.T @ x, np.eye(6), atol=1e-10)
    np.testing.assert_allclose(y.T @ y, np.eye(6), atol=1e-10)
    np.testing.assert_allclose(x.T @ y, np.diag(expected), atol=1e-10)
    peer = sklearn.cross_decomposition.CCA(2, max_iter=5000, tol=1e-12).fit(a, b)
    x, y = peer.transform(a, b)
    theirs = [np.corrcoef(x[:, i], y[:, i])[0, 1] for i in range(2)]
    np.testing.assert_allclose(found.correlations[:2], theirs, atol=1e-6)


def test_in_float32():
    a, b = targets.wine_views()
    found = cca(*put(a.astype(np.float32), b.astype(np.float32)))
    known = [0.902935, 0.730155, 0.516675, 0.409410, 0.239633, 0.126098]
    np.testing.assert_allclose(found.correlations, known, atol=1e-4)


def test_constant_columns_change_nothing_in_float32():
    """0.1 is no binary fraction: the mean of it is off by rounding."""
    a, b = (
        np.random.default_rng(seed).normal(size=(1000, 3)).astype(np.float32) for seed in (0, 1)
    )
    a[:, 2], b[:, 2] = 0.1, 0.3
    found = cca(*put(a, b)).correlations
    np.testing.assert_allclose(found, [*cca(*put(a[:, :2], b[:, :2])).correlations, 0], atol=1e-6)
    for scale in (1e20, 1e-21):
        other = cca(*put(a * np.float32(scale), b)).correlations
        np.testing.assert_allclose(other, found, atol=1e-6)


def test_small_differences_of_large_numbers_are_differences():
    """A rare event beside 2¹⁸, every number exact in single precision."""
    rare = (np.arange(1000) % 200 == 0).astype(np.float32)
    other = np.random.default_rng(0).normal(size=1000).astype(np.float32) / 10 + rare
    found = cca(*put(rare[:, None] + 2.0**18, other[:, None])).correlations
    np.testing.assert_allclose(found[0], np.corrcoef(rare, other)[0, 1], rtol=1e-3)


def test_dependent_and_constant_columns_change_nothing(x64):
    a, b = targets.wine_views()
    more = np.column_stack([a[:, :3], 3 * a[:, 2] - a[:, 0], a[:, 1] * 0 + 5, a[:, 0] * 1e-3])
    expected = np.linalg.svd(targets.basis(a[:, :3]).T @ targets.basis(b), compute_uv=False)
    found = cca(*put(more, b))
    np.testing.assert_allclose(found.correlations, [*expected, 0, 0, 0], atol=1e-9)
    assert bool(jnp.all(jnp.isfinite(found.loadings_a)))


def test_ridge_is_the_generalised_eigenproblem(x64):
    a, b = targets.wine_views()
    found = cca(*put(a, b), ridge=40.0)
    left = np.linalg.cholesky(a.T @ a + 40 * np.eye(6))
    right = np.linalg.cholesky(b.T @ b + 40 * np.eye(7))
    product = np.linalg.solve(right, np.linalg.solve(left, a.T @ b).T)
    expected = np.linalg.svd(product, compute_uv=False)
    np.testing.assert_allclose(found.correlations, expected, rtol=1e-9)


@pytest.mark.parametrize("ridge", [0.0, 40.0])
def test_derivatives_are_those_of_finite_differences(x64, ridge):
    a, b = targets.wine_views()
    rng = np.random.default_rng(0)
    towards_a, towards_b = put(*(rng.normal(size=x.shape) * x.std(axis=0) for x in (a, b)))

    def found(t):
        moved = a + t[0] * towards_a, b + t[1] * towards_b
        return cca(*moved, ridge=ridge + t[2]).correlations

    targets.assert_derivative(found, 3)


def test_loadings_are_constants_to_differentiation(x64):
    a, b = put(*targets.wine_views())

    def loadings(a, b, ridge):
        found = cca(a, b, ridge=ridge)
        return jnp.sum(found.loadings_a) + jnp.sum(found.loadings_b)

    for slope in jax.grad(loadings, (0, 1, 2))(a, b, 40.0):
        assert not np.any(slope)


def test_chosen_columns(x64):
    a, b = put(*targets.wine_views())
    found = cca(a, b, columns_a=jnp.array([5]), columns_b=jnp.array([0]))
    np.testing.assert_allclose(found.correlations, [0.8646], atol=5e-5)
    wide = cca(a[:1], b[:1])  # a row is all mean
    np.testing.assert_array_equal(wide.correlations, 0)


def test_without_centring_the_spans_are_those_of_the_columns_as_they_are(x64):
    rng = np.random.default_rng(2)
    a, b = rng.normal([3, 0, 1], size=(20, 3)), rng.normal([2, -1], size=(20, 2))
    found = cca(*put(a, b), center=False)
    expected = np.linalg.svd(targets.basis(a).T @ targets.basis(b), compute_uv=False)
    np.testing.assert_allclose(found.correlations, expected, rtol=1e-10)
    assert found.correlations[0] > 0.5 > cca(*put(a, b)).correlations[0]
    ones = np.ones((20, 1))
    np.testing.assert_allclose(cca(*put(ones, ones), center=False).correlations, 1)


def test_bad_input(bad_input):
    a = jnp.ones((3, 2))
    with pytest.raises(ValueError, match="ridge: expected a finite number >= 0"):
        cca(a, a, ridge=-1.0)
    with pytest.raises(ValueError, match="q: expected a number of columns from 1 to 2"):
        cca(a, a, q=3)
