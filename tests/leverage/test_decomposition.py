"""Every way to decompose against numpy; ranks, gaps, and what single precision can see."""

import functools
import warnings

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.leverage import (
    gcss,
    generalized_leverage_scores,
    leverage_scores,
    orthonormal_basis,
    principal_angles,
    randomized_svd,
    relative_gap,
    ridge_leverage_scores,
    row_leverage_scores,
    subspace_leverage_scores,
    svd,
)
from tests.leverage.matrices import TALL, WIDE, rank_of, stack


@functools.partial(jax.jit, static_argnums=1)
def decomposed(matrices, method):
    return jax.vmap(lambda a: svd(a, method=method))(matrices)


@pytest.mark.parametrize("method", ["exact", "qr", "gram"])
def test_against_numpy(method, x64):
    matrices = {shape: stack(shape) for shape in ((TALL, WIDE) if method == "gram" else (TALL,))}
    for given in matrices.values():
        found = jax.device_get(decomposed(jax.device_put(given), method))
        for a, u, s, vt, rank in zip(given, *found, strict=True):
            expected = np.linalg.svd(a, compute_uv=False)
            accuracy = np.sqrt(np.finfo(float).eps) * 1e-1 if method == "gram" else 1e-14
            assert rank == rank_of(a)
            np.testing.assert_allclose(s, expected, atol=accuracy * expected[0])
            assert not s[rank:].any()
            assert not u[:, rank:].any()
            assert not vt[rank:].any()
            np.testing.assert_allclose(u * s @ vt, a, atol=1e-12 * expected[0])
            # orthogonality of the long side, where small singular values lose digits
            loose = accuracy * expected[0] / expected[rank - 1] if method == "gram" else 1e-12
            short, long = (vt, u.T) if len(a) > a.shape[1] else (u.T, vt)
            np.testing.assert_allclose(short @ short.T, np.diag(s > 0), atol=1e-12)
            np.testing.assert_allclose(long @ long.T, np.diag(s > 0), atol=max(loose, 1e-12))


def test_single_precision_sees_small_singular_values_without_the_gram_matrix():
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.normal(size=shape))[0] for shape in (TALL, (6, 6)))
    s = np.logspace(0, -6, 6)
    a = jnp.asarray(left * s @ right.T, jnp.float32)
    exact, by_gram = svd(a, rtol=1e-7), svd(a, method="gram")
    # some forty eps, of which backends need different parts; the Gram matrix is off by 2e-5 and 0.2
    np.testing.assert_allclose(exact.s, s, rtol=0, atol=5e-6)
    np.testing.assert_allclose(exact.vt[:4] ** 2, right.T[:4] ** 2, rtol=0, atol=2e-2)
    # of the Gram matrix, what is below √eps = 3.5e-4 counts as noise
    assert by_gram.rank == 3
    np.testing.assert_allclose(by_gram.vt[:2] ** 2, right.T[:2] ** 2, atol=1e-3)


@pytest.mark.parametrize("tall", [True, False])
@pytest.mark.parametrize("method", ["exact", "qr"])
def test_of_a_long_matrix_rounding_is_cut_and_nothing_else(tall, method):
    a = np.random.default_rng(5).normal(size=(100_000, 4)) * [1, 0.01, 0.001, 0]
    a[:, 3] = a[:, 0] - a[:, 1]
    a = (a if tall else a.T).astype(np.float32)
    found = svd(jnp.asarray(a), method=method)
    assert found.rank == 3
    expected = np.linalg.svd(a.astype(float), compute_uv=False)
    np.testing.assert_allclose(found.s[:3], expected[:3], rtol=1e-3)


def test_randomized_finds_the_leading_vectors(x64):
    rng = np.random.default_rng(1)
    left, right = (np.linalg.qr(rng.normal(size=(size, 30)))[0] for size in (40, 30))
    s = 0.5 ** np.arange(30)
    a = jnp.asarray(left * s @ right.T)
    found = randomized_svd(jax.random.key(0), a, 5)
    np.testing.assert_allclose(found.s, s[:5], rtol=1e-8)
    np.testing.assert_allclose(found.vt**2, right.T[:5] ** 2, atol=1e-6)
    again = svd(a, method="randomized", rank=5, key=jax.random.key(0))
    chex.assert_trees_all_equal(found, again)
    # Halko, Martinsson, Tropp: in expectation, no power iterations, at most this much is missed
    rough = [
        randomized_svd(key, a, 5, power_iters=0) for key in jax.random.split(jax.random.key(1), 20)
    ]
    missed = [float(jnp.linalg.norm(a - (one.u * one.s) @ one.vt)) for one in rough]
    assert np.mean(missed) <= np.sqrt(1 + 5 / 9) * np.linalg.norm(s[5:]) * 1.05
    exact = svd(a, rank=5)
    assert exact.s.shape == (5,)
    assert float(jnp.linalg.norm(a - (exact.u * exact.s) @ exact.vt)) <= min(missed)


def test_gaps():
    full = svd(jnp.diag(jnp.array([4.0, 3.0, 1.0])))
    assert relative_gap(full, (0,)) == 0.25
    assert relative_gap(full, (0, 1)) == 0.5
    assert relative_gap(full, (2,)) == 0.5  # no null space: the next is the middle one
    assert relative_gap(full, (0, 1, 2)) == np.inf
    assert relative_gap(full, jnp.array([True, True, False])) == 0.5
    low = svd(jnp.diag(jnp.array([4.0, 3.0, 0.0])))
    assert relative_gap(low, (0, 1)) == 0.75
    tied = svd(jnp.diag(jnp.array([4.0, 4.0, 1.0])))
    assert relative_gap(tied, (0,)) == 0
    assert relative_gap(tied, (0, 1)) == 0.75
    wide = svd(jnp.eye(2, 3) * jnp.array([[4.0], [1.0]]))
    assert relative_gap(wide, (0, 1)) == 0.25  # to the null space
    cut = svd(jnp.diag(jnp.array([4.0, 3.0, 1.0])), rank=2)
    assert relative_gap(cut, (0,)) == 0.25
    assert relative_gap(cut, (1,)) == 0  # what comes next is not known


def test_basis_of_dependent_columns():
    x = np.random.default_rng(2).normal(size=TALL).astype(np.float32)
    x[:, 4], x[:, 5] = x[:, 0] - x[:, 1], 0
    basis, rank = orthonormal_basis(jnp.asarray(x))
    assert rank == 4
    projected = basis @ (basis.T @ x)
    np.testing.assert_allclose(projected, x, atol=1e-5)


def test_nothing_and_single_rows():
    nothing = svd(jnp.zeros((3, 3)))
    assert nothing.rank == 0
    assert not any(np.any(field) for field in nothing)
    for shape in ((1, 5), (5, 1)):
        one = svd(2 * jnp.ones(shape), method="gram")
        np.testing.assert_allclose(one.s, [2 * np.sqrt(5)], rtol=1e-6)


def test_scale_changes_nothing():
    a = np.random.default_rng(3).normal(size=TALL).astype(np.float32)
    known = svd(jnp.asarray(a), method="gram")
    for scale in (1e20, 1e-21):
        found = svd(jnp.asarray(a * np.float32(scale)), method="gram")
        assert found.rank == 6
        np.testing.assert_allclose(found.s / np.float32(scale), known.s, rtol=1e-5)
        np.testing.assert_allclose(found.vt**2, known.vt**2, atol=1e-5)


def test_the_rank_of_numpys_float64_is_that_of_the_precision_it_is_worked_on_in(bad_input):
    x = np.random.default_rng(3).normal(size=(50, 3))
    twice = np.concatenate([x, x], axis=1)
    assert orthonormal_basis(twice)[1] == 3
    assert svd(twice).rank == 3
    np.testing.assert_allclose(principal_angles(twice, x), 0, atol=1e-5)
    for scores in (
        leverage_scores(twice, 5),
        subspace_leverage_scores(twice),
        row_leverage_scores(twice),
    ):
        np.testing.assert_allclose(scores.sum(), 3, rtol=1e-5)
    with pytest.raises(ValueError, match="exceeds numerical rank"):
        generalized_leverage_scores(twice, (4,))


def test_numpys_float64_is_taken_without_a_warning(bad_input):
    a = np.random.default_rng(4).normal(size=(9, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ridge_leverage_scores(a, 0.1)
        gcss(a, a[:, :2], c=2)


def test_bad_input(bad_input):
    a = jnp.eye(3)
    for bad, words in ((jnp.ones(3), "2-D"), (jnp.ones((0, 2)), "empty"), (a * jnp.nan, "finite")):
        for function in (
            svd,
            orthonormal_basis,
            functools.partial(randomized_svd, jax.random.key(0), rank=1),
        ):
            with pytest.raises(ValueError, match=words):
                function(bad)
    with pytest.raises(ValueError, match="unknown method"):
        svd(a, method="power")
    with pytest.raises(ValueError, match="rank: expected a rank"):
        svd(a, method="randomized", key=jax.random.key(0))
    with pytest.raises(ValueError, match="key: expected a PRNG key"):
        svd(a, method="randomized", rank=1)
    with pytest.raises(ValueError, match=r"at most min\(m, n\) = 3"):
        svd(a, rank=4)
    with pytest.raises(ValueError, match="floating"):
        svd(jnp.eye(3, dtype=int))
    for function in (svd, orthonormal_basis):
        with pytest.raises(ValueError, match="rtol"):
            function(a, rtol=-1.0)
    low = svd(jnp.diag(jnp.array([4.0, 3.0, 0.0])))
    for subset in ((2,), jnp.array([True, False, True])):
        with pytest.raises(ValueError, match="exceeds numerical rank"):
            relative_gap(low, subset)
    with pytest.raises(ValueError, match="at least one singular vector"):
        relative_gap(low, jnp.zeros(3, bool))
