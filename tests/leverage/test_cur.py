"""CUR decompositions against pseudo-inverses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from jaxlab.leverage import cur, svd
from tests.leverage.targets import put


def test_joins_with_pseudo_inverses(x64):
    a = np.random.default_rng(0).normal(size=(14, 8))
    u, _, vt = np.linalg.svd(a, full_matrices=False)
    found = cur(*put(a), 3, 4)
    columns = np.argsort(-(vt[:3] ** 2).sum(axis=0))[:3]
    rows = np.argsort(-(u[:, :3] ** 2).sum(axis=1))[:4]
    assert found.columns.tolist() == columns.tolist()
    assert found.rows.tolist() == rows.tolist()
    np.testing.assert_array_equal(found.c, a[:, columns])
    np.testing.assert_array_equal(found.r, a[rows])
    expected = np.linalg.pinv(a[:, columns]) @ a @ np.linalg.pinv(a[rows])
    np.testing.assert_allclose(found.u, expected, atol=1e-10)


def test_given_scores_and_exactness_at_the_rank(x64):
    rng = np.random.default_rng(1)
    a = rng.normal(size=(14, 2)) @ rng.normal(size=(2, 8))
    scores = np.arange(8.0), np.arange(14.0)
    found = cur(*put(a), 3, 4, column_scores=put(*scores)[0], row_scores=put(*scores)[1])
    assert found.columns.tolist() == [7, 6, 5]
    assert found.rows.tolist() == [13, 12, 11, 10]
    np.testing.assert_allclose(found.c @ found.u @ found.r, a, atol=1e-10)


def test_derivatives_where_singular_values_are_equal(x64):
    """What depends on ``C⁺`` and ``R⁺`` only is smooth there."""
    rng = np.random.default_rng(2)
    a = np.concatenate([scipy.linalg.hadamard(8)[:, :3], rng.normal(size=(8, 3))], axis=1)
    a, weights = put(a, rng.normal(size=(8, 6)))
    scores = {"column_scores": -jnp.arange(6.0), "row_scores": -jnp.arange(8.0)}

    def found(a):
        return jnp.vdot(weights, jnp.matmul(*cur(a, 3, 3, **scores)[:2]) @ a[:3])

    def expected(a):
        u = jnp.linalg.pinv(a[:, :3]) @ a @ jnp.linalg.pinv(a[:3])
        return jnp.vdot(weights, a[:, :3] @ u @ a[:3])

    slope = jax.jit(jax.grad(found))(a)
    np.testing.assert_allclose(slope, jax.jit(jax.grad(expected))(a), atol=1e-9)


def test_numbers_of_numpy(bad_input):
    found = cur(jnp.eye(3), np.int64(2), np.int64(1))
    assert (found.columns.size, found.rows.size) == (2, 1)


def test_bad_input(bad_input):
    a = jnp.ones((3, 2))
    with pytest.raises(ValueError, match="c: expected a number of columns from 1 to 2"):
        cur(a, 3, 1)
    with pytest.raises(ValueError, match="r: expected a number of rows from 1 to 3"):
        cur(a, 1, 4)
    with pytest.raises(ValueError, match="column_scores: expected shape"):
        cur(a, 1, 1, column_scores=jnp.ones(3))
    for scores in (jnp.array([0, 5], jnp.uint32), jnp.array([False, True])):
        with pytest.raises(ValueError, match="column_scores: expected dtype floating"):
            cur(a, 1, 1, column_scores=scores)
    with pytest.raises(ValueError, match="row_scores: expected dtype floating"):
        cur(a, 1, 1, row_scores=jnp.arange(3))
    with pytest.raises(ValueError, match="decomposition: expected the decomposition of a"):
        cur(a, 1, 1, decomposition=svd(jnp.ones((4, 3))))
    with pytest.raises(ValueError, match="k: expected at most"):
        cur(a, 1, 1, k=3)
