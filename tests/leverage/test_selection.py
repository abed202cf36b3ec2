"""Order of selection, deficits and P6; sampling without bias and P8; vectors of a target."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.leverage import (
    leverage_scores,
    sample_columns,
    select_columns,
    select_singular_subset,
    svd,
)
from tests.leverage.matrices import TALL, stack


def test_order_is_stable_and_a_deficit_is_reached_exactly():
    scores = jnp.array([0.25, 0.5, 0.25, 0.75, 0.25])
    chosen = select_columns(scores, c=4)
    assert chosen.indices.tolist() == [3, 1, 0, 2]
    assert chosen.mask.tolist() == [True, True, True, True, False]
    assert (int(chosen.count), float(chosen.deficit)) == (4, 0.25)
    for epsilon, count in ((0.75, 2), (0.7, 3), (0.5, 3), (0.25, 4), (0.1, 5), (1.9, 1)):
        chosen = select_columns(scores, epsilon=epsilon, k=2)
        assert int(chosen.count) == count
        assert chosen.indices.tolist() == [3, 1, 0, 2, 4][:count] + [-1] * (5 - count)
        assert int(chosen.mask.sum()) == count
        assert float(chosen.deficit) <= epsilon


def test_fewest_columns_and_transformations():
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.full(5, 0.3), 30).astype(np.float32) * 2
    jitted = jax.jit(jax.vmap(lambda scores: select_columns(scores, epsilon=0.3, k=2)))
    together = jitted(jax.device_put(scores))
    for index, one in enumerate(scores):
        csum = np.cumsum(np.sort(one)[::-1])
        assert int(together.count[index]) == 1 + int((csum < np.float32(2) - np.float32(0.3)).sum())
        alone = select_columns(jax.device_put(one), epsilon=0.3, k=2)
        np.testing.assert_array_equal(together.indices[index], alone.indices)


def test_leading_scores_bound_the_error_of_approximation(x64):
    """P6 in the spectral and the Frobenius norm."""
    matrices = stack(TALL, count=60)
    checked = 0
    for a in matrices:
        scores = np.asarray(leverage_scores(jnp.asarray(a), 2))
        for c in (2, 3, 4):
            chosen = select_columns(jnp.asarray(scores), c=c, k=2)
            deficit = float(chosen.deficit)
            if deficit >= 1:
                continue
            basis = np.linalg.svd(a[:, np.asarray(chosen.indices)], full_matrices=False)[0]
            left = a - basis @ (basis.T @ a)
            s = np.linalg.svd(a, compute_uv=False)
            checked += 1
            slack = 1e-12 * s[0] ** 2
            assert np.linalg.norm(left, 2) ** 2 <= s[2] ** 2 / (1 - deficit) * (1 + 1e-9) + slack
            assert np.sum(left**2) <= np.sum(s[2:] ** 2) / (1 - deficit) * (1 + 1e-9) + slack
    assert checked > 50


@functools.partial(jax.jit, static_argnums=(2, 3))
def sampled_gram(keys, vectors, c, replace):
    scores = jnp.sum(vectors**2, axis=1)

    def one(key):
        columns, scale = sample_columns(key, scores, c, replace=replace)
        rows = vectors[columns] * scale[:, None]
        return rows.T @ rows, columns

    return jax.vmap(one)(keys)


@pytest.mark.parametrize("replace", [True, False])
def test_samples_are_unbiased_and_concentrate(replace):
    """P8: the Gram matrix of rescaled rows is the identity on average, and seldom far below."""
    rng = np.random.default_rng(1)
    vectors = np.linalg.qr(rng.normal(size=(20, 3)) * rng.lognormal(0, 1, (20, 1)))[0]
    vectors[0] = 0
    keys = jax.random.split(jax.random.key(0), 2000)
    c = 12
    grams, columns = jax.device_get(
        sampled_gram(keys, jax.device_put(vectors.astype(np.float32)), c, replace)
    )
    deviation = grams.std(axis=0) / np.sqrt(len(keys))
    expected = vectors.T @ vectors
    assert (np.abs(grams.mean(axis=0) - expected) <= 4 * deviation + 1e-5).all()
    assert not (columns == 0).any()
    if replace:
        least = np.linalg.eigvalsh(grams)[:, 0]
        for delta in (0.5, 0.7, 0.9):
            bound = 3 * np.exp(-c * delta**2 / (2 * 3))
            assert np.mean(least < 1 - delta) <= bound
    else:
        assert all(len(set(row)) == c for row in columns.tolist())


def test_no_column_of_score_0_is_drawn_however_the_sums_are_rounded():
    rng = np.random.default_rng(2)
    scores = np.where(rng.random(100_000) < 0.5, 0, rng.random(100_000)).astype(np.float32)
    columns, scale = sample_columns(jax.random.key(0), jnp.asarray(scores), 1_000_000)
    assert (scores[np.asarray(columns)] > 0).all()
    assert (np.asarray(scale) > 0).all()


def test_of_many_columns_of_small_scores_each_can_be_drawn():
    n = 1_000_000
    scores = np.full(n + 1, 0.01 / n, np.float32)
    scores[0] = 0.99  # the others are less of the sum than float32 tells apart
    columns = np.asarray(sample_columns(jax.random.key(0), jnp.asarray(scores), 1_000_000)[0])
    others = columns[columns > 0]
    assert len(others) == pytest.approx(10_000, rel=0.04)
    assert len(set(others.tolist())) / len(others) > 0.99  # 0.995 of so many draws are distinct
    assert np.mean(others) == pytest.approx(n / 2, rel=0.02)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_samples_by_scores_of_half_precision(dtype):
    columns, scale = sample_columns(jax.random.key(0), jnp.array([0, 3, 1, 0], dtype), 100)
    assert set(columns.tolist()) == {1, 2}
    assert scale.dtype == dtype
    expected = jnp.sqrt(jnp.array([0, 4 / 300, 4 / 100, 0]))[columns]
    np.testing.assert_allclose(scale.astype(jnp.float32), expected, rtol=0.01)


@pytest.mark.parametrize("scale", [1e-37, 1e38])
def test_samples_by_scores_of_any_scale(scale):
    scores = jnp.array([3.0, 0, 2, 3, 1])
    found, known = (sample_columns(jax.random.key(0), s, 9) for s in (scores * scale, scores))
    for one, other in zip(found, known, strict=True):
        np.testing.assert_array_equal(one, other)


def test_traced_scores_of_nothing_have_no_scale():
    columns, scale = jax.jit(lambda s: sample_columns(jax.random.key(0), s, 4))(jnp.zeros(5))
    assert set(columns.tolist()) <= set(range(5))
    assert not scale.any()


def test_samples_of_all_columns_and_of_too_few_with_scores():
    scores = jnp.array([0.0, 0.5, 0.25, 0.0])
    columns, scale = sample_columns(jax.random.key(1), scores, 4, replace=False)
    assert sorted(columns.tolist()) == [0, 1, 2, 3]
    assert set(columns[:2].tolist()) == {1, 2}
    assert scale.tolist() == [1, 1, 0, 0]
    again, _ = sample_columns(jax.random.key(1), scores, 4, replace=False)
    np.testing.assert_array_equal(columns, again)


def test_singular_vectors_of_a_target(x64):
    rng = np.random.default_rng(2)
    a, b = jnp.asarray(rng.normal(size=TALL)), jnp.asarray(rng.normal(size=(9, 2)))
    decomposition = svd(a)
    subset, energies = select_singular_subset(decomposition, b, 3)
    u = np.asarray(decomposition.u)
    np.testing.assert_allclose(energies, np.sum((u.T @ np.asarray(b)) ** 2, axis=1), rtol=1e-12)
    assert np.all(np.diff(np.asarray(energies)[subset]) <= 0)

    def left_over(some):  # of all spans of three vectors, it leaves the least
        return np.linalg.norm(b - u[:, list(some)] @ (u[:, list(some)].T @ b))

    best = min(itertools.combinations(range(6), 3), key=left_over)
    assert set(best) == set(subset.tolist())
    cut = float(decomposition.s[3] / decomposition.s[0])
    few, _ = select_singular_subset(decomposition, b, 4, rtol=cut)
    assert set(few[:3].tolist()) == {0, 1, 2}
    assert few[3] == 3
    nothing, energies = select_singular_subset(svd(a * 0), b, 2)
    assert nothing.tolist() == [0, 1]
    assert not energies.any()


def test_singular_vectors_of_a_target_at_any_scale():
    rng = np.random.default_rng(2)
    a, b = (rng.normal(size=shape).astype(np.float32) for shape in (TALL, (9, 2)))
    decomposition = svd(jnp.asarray(a))
    known, energies = select_singular_subset(decomposition, jnp.asarray(b), 3)
    for scale in (1e25, 1e-25, 1e15):
        scaled = jnp.asarray(b * np.float32(scale))
        assert select_singular_subset(decomposition, scaled, 3)[0].tolist() == known.tolist()
    found = select_singular_subset(decomposition, scaled, 3)[1]
    np.testing.assert_allclose(found, np.float32(1e30) * energies, rtol=1e-5)


def test_bad_input(bad_input):
    scores = jnp.array([0.5, 0.25, 0.25])
    for c in (0, 4, 1.0):
        with pytest.raises(ValueError, match="number of columns from 1 to 3"):
            select_columns(scores, c=c)
    for options in ({}, {"c": 1, "epsilon": 0.1}):
        with pytest.raises(ValueError, match="exactly one of"):
            select_columns(scores, **options)
    for epsilon in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="epsilon above 0 and below k"):
            select_columns(scores, epsilon=epsilon)
    for k in (-5, jnp.ones(3)):
        with pytest.raises(ValueError, match="k: expected"):
            select_columns(scores, c=1, k=k)
    with pytest.raises(ValueError, match=r"epsilon: expected shape \[\]"):
        select_columns(scores, epsilon=jnp.full(3, 0.1))
    with pytest.raises(ValueError, match="finite"):
        select_columns(scores * jnp.nan, c=1)
    for function in (select_columns, functools.partial(sample_columns, jax.random.key(0))):
        with pytest.raises(ValueError, match="scores: expected dtype floating"):
            function(jnp.arange(3), c=1)
    for bad in (-scores, scores * 0, scores * jnp.inf):
        with pytest.raises(ValueError, match="scores"):
            sample_columns(jax.random.key(0), bad, 1)
    with pytest.raises(ValueError, match="number of columns"):
        sample_columns(jax.random.key(0), scores, 4, replace=False)
    with pytest.raises(ValueError, match="c: expected an integer >= 1"):
        sample_columns(jax.random.key(0), scores, 0)
    decomposition = svd(jnp.eye(3))
    with pytest.raises(ValueError, match="same number of rows as the matrix, 3"):
        select_singular_subset(decomposition, jnp.ones((2, 1)), 1)
    with pytest.raises(ValueError, match="at most 3"):
        select_singular_subset(decomposition, jnp.ones((3, 1)), 4)
