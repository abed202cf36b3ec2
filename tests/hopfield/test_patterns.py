"""Synthetic patterns: their statistics within four standard errors, at a fixed seed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.hopfield import patterns

KEY = jax.random.key(11)


def test_random_bipolar_entries_are_fair_and_independent():
    made = np.asarray(patterns.random_bipolar(KEY, n=200, d=100))
    assert set(np.unique(made)) == {-1.0, 1.0}
    assert abs(made.mean()) < 4 / np.sqrt(made.size)
    overlaps = (made @ made.T)[np.triu_indices(200, 1)] / 100
    assert abs(overlaps.mean()) < 4 * 0.1 / np.sqrt(overlaps.size)
    assert overlaps.var() == pytest.approx(1 / 100, rel=0.05)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
def test_correlated_patterns_have_the_stated_correlation(p):
    made = patterns.correlated_bipolar(KEY, 300, 400, num_prototypes=3, flip_probability=p)
    x, prototypes = np.asarray(made.patterns), np.asarray(made.prototypes)
    index = np.asarray(made.prototype_index)
    assert np.bincount(index).tolist() == [100, 100, 100]
    flips = np.mean(x != prototypes[index])
    assert abs(flips - p) <= 4 * np.sqrt(p * (1 - p) / x.size)
    same = (x[index == 0] @ x[index == 0].T)[np.triu_indices(100, 1)] / 400
    assert same.mean() == pytest.approx((1 - 2 * p) ** 2, abs=0.02)


def test_spherical_gaussian_moments():
    made = np.asarray(patterns.spherical_gaussian(KEY, 500, 64, scale=0.3))
    assert abs(made.mean()) < 4 * 0.3 / np.sqrt(made.size)
    assert made.std() == pytest.approx(0.3, rel=4 / np.sqrt(2 * made.size))
    assert np.linalg.norm(made, axis=-1).mean() == pytest.approx(0.3 * 8, rel=0.02)


def test_traced_parameters_and_float64(x64):
    make = jax.jit(
        lambda p: patterns.correlated_bipolar(KEY, 5, 6, num_prototypes=2, flip_probability=p)
    )
    expected = patterns.correlated_bipolar(KEY, 5, 6, num_prototypes=2, flip_probability=0.3)
    np.testing.assert_array_equal(make(0.3).patterns, expected.patterns)
    assert expected.patterns.dtype == jnp.float64
    scales = jnp.array([0.5, 2.0])
    each = jax.vmap(lambda s: patterns.spherical_gaussian(KEY, 3, 4, scale=s))(scales)
    np.testing.assert_allclose(each[1], 4 * each[0], rtol=1e-12)


@pytest.mark.usefixtures("bad_input")
def test_bad_input():
    with pytest.raises(ValueError, match="n: expected an integer >= 1"):
        patterns.random_bipolar(KEY, n=0, d=3)
    with pytest.raises(ValueError, match="d: expected an integer >= 1"):
        patterns.spherical_gaussian(KEY, 3, 0)
    with pytest.raises(ValueError, match="scale: expected a finite number >= 0"):
        patterns.spherical_gaussian(KEY, 3, 3, scale=-1.0)
    with pytest.raises(ValueError, match="num_prototypes: expected an integer >= 1"):
        patterns.correlated_bipolar(KEY, 3, 3, num_prototypes=0, flip_probability=0.1)
    with pytest.raises(ValueError, match="flip_probability: expected a finite number"):
        patterns.correlated_bipolar(KEY, 3, 3, num_prototypes=1, flip_probability=1.1)
    with pytest.raises(ValueError, match=r"scale: expected shape \[\]"):
        patterns.spherical_gaussian(KEY, 3, 3, scale=np.ones(3))
    with pytest.raises(ValueError, match=r"flip_probability: expected shape \[\]"):
        patterns.correlated_bipolar(KEY, 3, 3, num_prototypes=1, flip_probability=np.zeros(3))
