"""Metrics of recall against loops and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.hopfield import metrics
from tests.helpers import to_device


def patterns():
    both = np.random.default_rng(5).normal(size=(2, 2, 3, 7))
    return tuple(to_device(x, jax.dtypes.canonicalize_dtype(float)) for x in both)


def test_squared_error_and_fraction_correct_equal_loops():
    output, target = map(np.asarray, patterns())
    errors = np.zeros((2, 3))
    for i, j, k in np.ndindex(2, 3, 7):
        errors[i, j] += (float(output[i, j, k]) - float(target[i, j, k])) ** 2
    np.testing.assert_allclose(metrics.squared_error(output, target), errors, rtol=1e-5)
    for threshold in (0.0, 8.0, 15.0, 1e3):
        share = float(metrics.fraction_correct(output, target, threshold))
        assert share == pytest.approx(np.mean(errors <= threshold))
    valid = jnp.array([[True, False, True], [False, True, False]])
    share = float(metrics.fraction_correct(output, target, 15.0, valid))
    assert share == pytest.approx(np.mean(errors[np.asarray(valid)] <= 15.0))


def test_an_error_at_the_threshold_is_correct_and_nan_is_not():
    output = jnp.array([[1.0, 0.0], [jnp.nan, 0.0]])
    assert float(metrics.fraction_correct(output, jnp.zeros((2, 2)), 1.0)) == 0.5


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_errors_of_small_integers_do_not_wrap_around(dtype):
    output, target = np.array([[0, 100]], dtype), np.array([[100, 0]], dtype)
    error = metrics.squared_error(output, target)
    assert error.dtype == jnp.float32
    assert error.tolist() == [20000.0]


def test_no_valid_pattern_gives_zero():
    output, target = patterns()
    none = jnp.zeros((2, 3), bool)
    assert float(metrics.fraction_correct(output, target, 1e9, none)) == 0.0
    assert float(metrics.fraction_correct(output[:0], target[:0], 1e9)) == 0.0
    assert float(metrics.index_recall(output, jnp.zeros((2, 3), int), none)) == 0.0


def test_index_recall_counts_the_first_of_equal_weights_and_refuses_nan():
    weights = jnp.array([[0.2, 0.8], [0.5, 0.5], [0.5, 0.5], [jnp.nan, 0.9]])
    hits = [metrics.index_recall(weights[i], jnp.array(i % 2)) for i in range(3)]
    assert [float(hit) for hit in hits] == [0.0, 0.0, 1.0]
    assert float(metrics.index_recall(weights[3], jnp.array(0))) == 0.0
    assert float(metrics.index_recall(weights[3], jnp.array(1))) == 0.0
    valid = jnp.array([False, False, True, True])
    assert float(metrics.index_recall(weights, jnp.zeros(4, int), valid)) == 0.5


def test_scaled_threshold_both_ways():
    assert metrics.scaled_threshold(dim=784) == 50.0
    assert metrics.scaled_threshold(dim=64) == pytest.approx(50 * 64 / 784)
    # the official normalisation, quoted with the CIFAR-10 and Tiny ImageNet sizes
    assert metrics.scaled_threshold(60.0, 3072, dim=784) == pytest.approx(15.3, abs=0.02)
    assert metrics.scaled_threshold(60.0, 12288, dim=784) == pytest.approx(3.83, abs=0.01)


def test_separation_margin_equals_a_loop():
    scores = np.random.default_rng(5).normal(size=(4, 6)).astype(np.float32)
    index = np.array([0, 5, 2, 2])
    expected = [scores[i, t] - max(np.delete(scores[i], t)) for i, t in enumerate(index)]
    margin = metrics.separation_margin(scores, index)
    np.testing.assert_allclose(margin, expected, rtol=1e-6)


def test_separation_margin_of_masked_and_single_memories():
    scores = jnp.array([1.0, -jnp.inf, 0.5])
    assert float(metrics.separation_margin(scores, jnp.array(0))) == 0.5
    assert float(metrics.separation_margin(jnp.array([3.0]), jnp.array(0))) == np.inf
    assert float(metrics.separation_margin(jnp.array([3.0, -jnp.inf]), jnp.array(0))) == np.inf
    assert float(metrics.separation_margin(jnp.array([3.0, 3.0]), jnp.array(1))) == 0.0
    none = metrics.separation_margin(jnp.ones((2, 3)), jnp.array([-1, 3]))
    assert np.isnan(none).all()


@pytest.mark.parametrize("count", [1, 2, 7, 8])
def test_basin_radius_finds_every_edge_of_every_grid(count):
    levels = to_device(np.linspace(0.1, 0.9, count), np.float32)
    for edge in range(count + 1):  # recall is 1 below the edge and 0.5 from there on
        limit = 1.0 if edge == count else float(levels[edge])

        def recall_at(level, limit=limit):
            return jnp.where(level < limit, 1.0, 0.5)

        basin = metrics.basin_radius(recall_at, levels)
        assert int(basin.level) == edge - 1
        if edge:
            assert float(basin.radius) == pytest.approx(float(levels[edge - 1]))
            assert float(basin.rate) == 1.0
        else:
            assert float(basin.radius) == 0.0
            assert np.isnan(float(basin.rate))


def test_basin_radius_asks_logarithmically_often():
    asked = []

    def recall_at(level):
        jax.debug.callback(lambda value: asked.append(float(value)), level)
        return jnp.where(level <= 0.625, 1.0, 0.0)

    basin = metrics.basin_radius(recall_at, jnp.arange(1, 128) / 128)
    jax.effects_barrier()
    assert float(basin.radius) == 0.625
    assert len(asked) == 7


def test_transformations_agree(x64):
    wide, goal = patterns()
    assert metrics.squared_error(wide, goal).dtype == jnp.float64
    np.testing.assert_allclose(
        jax.jit(jax.vmap(metrics.squared_error))(wide, goal),
        metrics.squared_error(wide, goal),
        rtol=1e-12,
    )
    index = to_device([[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(
        jax.jit(jax.vmap(metrics.separation_margin))(wide, index),
        metrics.separation_margin(wide, index),
    )
    with jax.disable_jit():
        eager = metrics.separation_margin(wide, index), metrics.index_recall(wide, index)
    np.testing.assert_allclose(eager[0], metrics.separation_margin(wide, index), rtol=1e-12)
    np.testing.assert_allclose(eager[1], metrics.index_recall(wide, index), rtol=1e-6)
    slope = jax.jit(jax.grad(lambda x: metrics.squared_error(x, goal).sum()))(wide)
    expected = 2 * (np.asarray(wide) - np.asarray(goal))
    np.testing.assert_allclose(slope, expected, rtol=1e-12)


@pytest.mark.usefixtures("bad_input")
def test_bad_input():
    x = jnp.ones((2, 3))
    with pytest.raises(ValueError, match=r"target: expected shape \[2, 3\]"):
        metrics.squared_error(x, jnp.ones((2, 4)))
    with pytest.raises(ValueError, match=r"output: expected shape \[..., d\]"):
        metrics.squared_error(jnp.float32(1), jnp.float32(1))
    with pytest.raises(ValueError, match=r"threshold: expected shape \[\]"):
        metrics.fraction_correct(x, x, jnp.ones(2))
    with pytest.raises(ValueError, match="valid: expected dtype bool"):
        metrics.fraction_correct(x, x, 1.0, jnp.ones(2))
    with pytest.raises(ValueError, match=r"valid: expected shape \[2\]"):
        metrics.fraction_correct(x, x, 1.0, jnp.ones(3, bool))
    with pytest.raises(ValueError, match="weights: expected at least one memory"):
        metrics.index_recall(jnp.ones((2, 0)), jnp.zeros(2, int))
    with pytest.raises(ValueError, match="target_index: expected dtype integer"):
        metrics.index_recall(x, jnp.zeros(2))
    for function in (metrics.index_recall, metrics.separation_margin):
        with pytest.raises(ValueError, match="target_index: expected numbers that fit int32"):
            function(x, np.array([0, 2**32]))
    with pytest.raises(ValueError, match=r"target_index: expected shape \[2\]"):
        metrics.separation_margin(x, jnp.zeros(3, int))
    with pytest.raises(ValueError, match="scores: expected dtype floating"):
        metrics.separation_margin(x.astype(int), jnp.zeros(2, int))
    with pytest.raises(ValueError, match="base: expected a finite number >= 0"):
        metrics.scaled_threshold(-1.0, dim=784)
    with pytest.raises(ValueError, match="dim: expected an integer >= 1"):
        metrics.scaled_threshold(dim=0)
    with pytest.raises(ValueError, match="levels: expected at least one level"):
        metrics.basin_radius(lambda level: level, [])
    with pytest.raises(ValueError, match="levels: expected levels that increase"):
        metrics.basin_radius(lambda level: level, [0.2, 0.1])
    with pytest.raises(ValueError, match="required: expected a finite number >= 0 and <= 1"):
        metrics.basin_radius(lambda level: level, [0.1], required=2.0)
    with pytest.raises(ValueError, match=r"required: expected shape \[\]"):
        metrics.basin_radius(lambda level: level, [0.1], required=np.float32([0.5, 0.6]))
    with pytest.raises(ValueError, match=r"base: expected shape \[\]"):
        metrics.scaled_threshold(np.float32([50.0, 60.0]), dim=784)
