"""Pivoted QR against LAPACK by way of scipy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from jaxlab.leverage import pivoted_qr
from tests.leverage.matrices import TALL, WIDE, rank_of, stack


@functools.partial(jax.jit, static_argnums=1)
def factored(matrices, k):
    return jax.vmap(lambda a: pivoted_qr(a, k))(matrices)


@pytest.mark.parametrize("shape", [TALL, WIDE])
def test_against_scipy(shape, x64):
    matrices = stack(shape, seed=1)
    found = jax.device_get(factored(jax.device_put(matrices), 6))
    for a, q, r, pivots in zip(matrices, *found, strict=True):
        rank = rank_of(a)
        expected = scipy.linalg.qr(a, pivoting=True, mode="economic")
        assert pivots[:rank].tolist() == expected[2][:rank].tolist()
        assert sorted(set(pivots.tolist())) == sorted(pivots.tolist())
        scale = np.linalg.norm(a)
        np.testing.assert_allclose(q @ r, a, atol=1e-13 * scale)
        np.testing.assert_allclose(q.T @ q, np.diag(np.arange(6) < rank), atol=1e-13)
        triangle = r[:, pivots]
        assert not np.tril(triangle, -1).any()
        diagonal = np.diag(triangle)
        np.testing.assert_allclose(diagonal, np.abs(np.diag(expected[1])), atol=1e-13 * scale)
        assert (np.diff(diagonal) <= 1e-12 * scale).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_once_all_columns_are_in_the_span_the_least_indices_are_taken(dtype):
    with jax.enable_x64(dtype == np.float64):
        rng = np.random.default_rng(3)
        low = rng.normal(size=(24, 20, 2)) @ rng.normal(size=(24, 2, 8))
        found = jax.device_get(factored(jax.device_put(low.astype(dtype)), 6))
    for q, r, pivots in zip(*found, strict=True):
        first = pivots[:2].tolist()
        assert pivots[2:].tolist() == [j for j in range(8) if j not in first][:4]
        assert not q[:, 2:].any()
        assert not r[2:].any()


def test_norms_that_lose_their_digits_are_recomputed():
    """Columns that differ from a large common one by little: what is left decides the order."""
    rng = np.random.default_rng(2)
    small = rng.normal(size=TALL)
    small[0] = 0
    a = 1e-3 * small
    a[0] = 1
    expected = scipy.linalg.qr(a, pivoting=True)[2]
    pivots = pivoted_qr(jnp.asarray(a * 1e20, jnp.float32), 6)[2]
    assert pivots.tolist() == expected.tolist()


@pytest.mark.parametrize("tall", [True, False])
def test_short_columns_of_a_long_matrix_are_no_rounding(tall):
    rng = np.random.default_rng(0)
    a = rng.normal(size=(100_000, 8)) * [1, 0.5, 0.1, 0.007, 0.008, 0.0095, 0.009, 0.006]
    a = (a if tall else a.T).astype(np.float32)
    expected = scipy.linalg.qr(a.astype(float), pivoting=True, mode="r")[1][:8]
    q, r, pivots = pivoted_qr(jnp.asarray(a), 8)
    assert pivots.tolist() == expected.tolist()
    np.testing.assert_allclose(q.T @ q, np.eye(8), atol=1e-5)
    np.testing.assert_allclose(q @ r, a, atol=1e-5)


def test_a_long_matrix_of_low_rank():
    rng = np.random.default_rng(4)
    low = rng.normal(size=(100_000, 2)) @ rng.normal(size=(2, 6)) * [1, 1, 1e-3, 1, 1e-4, 1]
    q, r, pivots = pivoted_qr(jnp.asarray(low, jnp.float32), 5)
    assert pivots[2:].tolist() == [j for j in range(6) if j not in pivots[:2].tolist()][:3]
    assert not q[:, 2:].any()
    assert not r[2:].any()


def test_single_rows_and_columns():
    q, r, pivots = pivoted_qr(jnp.array([[1.0, -3.0, 2.0]]), 1)
    assert (q.tolist(), r.tolist(), pivots.tolist()) == ([[-1.0]], [[-1.0, 3.0, -2.0]], [1])
    q, r, pivots = pivoted_qr(jnp.zeros((3, 3)), 3)
    assert not q.any()
    assert pivots.tolist() == [0, 1, 2]


def test_bad_input(bad_input):
    a = jnp.eye(3)
    for k in (0, 4):
        with pytest.raises(ValueError, match="k: expected"):
            pivoted_qr(a, k)
    for bad, words in ((a[0], "2-D"), (a[:0], "empty"), (a / 0, "finite")):
        with pytest.raises(ValueError, match=words):
            pivoted_qr(bad, 1)
