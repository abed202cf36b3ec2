"""Scores of rows, exact and from a sketch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.leverage import row_leverage_scores


def tall(dtype=np.float32):
    rng = np.random.default_rng(0)
    a = rng.normal(size=(1000, 5)) * rng.lognormal(0, 1, (1000, 1))
    a[:, 4] = a[:, 0] - a[:, 1]  # of rank 4
    expected = np.sum(np.linalg.svd(a, full_matrices=False)[0][:, :4] ** 2, axis=1)
    return jax.device_put(a.astype(dtype)), expected


def test_exact_scores():
    a, expected = tall()
    np.testing.assert_allclose(row_leverage_scores(a), expected, atol=1e-5)


def test_short_columns_of_a_long_matrix_count():
    a = (np.random.default_rng(2).normal(size=(100_000, 2)) * [1, 0.01]).astype(np.float32)
    expected = np.sum(np.linalg.qr(a.astype(float))[0] ** 2, axis=1)
    np.testing.assert_allclose(row_leverage_scores(jnp.asarray(a)), expected, atol=1e-8)


def test_gradient(x64):
    a, _ = tall(np.float64)
    a = a[:, :4]
    rng = np.random.default_rng(1)
    weights, direction = jax.device_put((rng.normal(size=1000), rng.normal(size=(1000, 4))))
    total = jax.jit(lambda a: jnp.vdot(weights, row_leverage_scores(a)))
    h = 1e-6
    difference = float(total(a + h * direction) - total(a - h * direction)) / (2 * h)
    slope = float(jnp.vdot(jax.grad(total)(a), direction))
    assert slope == pytest.approx(difference, abs=1e-6)


def test_sketch_is_within_a_fifth():
    a, expected = tall()
    sketch = jax.jit(
        jax.vmap(lambda key: row_leverage_scores(a, method="sketch", key=key, sketch_size=400))
    )
    found = sketch(jax.random.split(jax.random.key(0), 20))
    error = np.abs(np.asarray(found) / expected - 1)
    assert np.mean(error.max(axis=1) <= 0.5) == 1
    assert np.mean(error <= 0.2) >= 0.95
    # no bias beyond what twenty sketches leave
    assert abs(np.mean(np.asarray(found).sum(axis=1)) - 4) < 0.1


def test_a_sketch_not_much_wider_than_the_columns_of_a_matrix_of_low_rank():
    rng = np.random.default_rng(3)
    a = rng.normal(size=(2000, 4)) @ rng.normal(size=(4, 20))
    expected = np.sum(np.linalg.svd(a, full_matrices=False)[0][:, :4] ** 2, axis=1)
    a = jax.device_put(a.astype(np.float32))
    sketch = jax.jit(
        jax.vmap(lambda key: row_leverage_scores(a, method="sketch", key=key, sketch_size=40))
    )
    found = np.asarray(sketch(jax.random.split(jax.random.key(0), 40)))
    np.testing.assert_allclose(np.median(found / expected), 1, atol=0.1)
    np.testing.assert_allclose(np.mean(found.sum(axis=1)), 4, rtol=0.1)


def test_a_sketch_has_the_rank_of_the_matrix():
    """Of a long matrix rounding leaves more than of its sketch."""
    first, other = np.random.default_rng(4).normal(size=(2, 20_000, 1))
    a = jnp.asarray(np.hstack([first, first + 5e-5 * other]), jnp.float32)
    expected = row_leverage_scores(a)
    np.testing.assert_allclose(expected.sum(), 1, rtol=1e-5)
    found = row_leverage_scores(a, method="sketch", key=jax.random.key(0), sketch_size=400)
    np.testing.assert_allclose(found, expected, rtol=0.2)


def test_projections_lose_little():
    a, expected = tall()
    found = row_leverage_scores(
        a, method="sketch", key=jax.random.key(1), sketch_size=400, projections=3
    )
    ratio = np.asarray(found) / expected
    assert 0.7 < np.mean(ratio) < 1.3
    assert np.std(ratio) < 1  # √(2/3), and what the sketch adds


def test_a_sketch_that_saves_nothing_is_not_made():
    a, _ = tall()
    found = row_leverage_scores(a[:90], method="sketch", key=jax.random.key(2))
    np.testing.assert_array_equal(found, row_leverage_scores(a[:90]))


def test_bad_input(bad_input):
    a = jnp.ones((4, 2))
    with pytest.raises(ValueError, match="unknown method"):
        row_leverage_scores(a, method="svd")
    with pytest.raises(ValueError, match="key: expected a PRNG key"):
        row_leverage_scores(a, method="sketch")
    with pytest.raises(ValueError, match="sketch_size: expected an integer >= 3"):
        row_leverage_scores(a, method="sketch", key=jax.random.key(0), sketch_size=2)
    with pytest.raises(ValueError, match="2-D"):
        row_leverage_scores(a[0])
