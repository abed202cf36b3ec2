"""Learned duals against numpy, scipy's mode and a linear program; gauges; the sample bound."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.optimize import brentq, linprog
from scipy.stats import mode

from jaxlab.graph_algorithms.assignment import linear_sum_assignment
from jaxlab.graph_algorithms.duals import cold_duals, dual_objective, feasibility_violation
from jaxlab.graph_algorithms.learning import (
    GAUGES,
    LOSSES,
    _onto_l1_ball,
    canonicalize,
    fit_duals,
    predict_or_fallback,
    sample_complexity,
)
from jaxlab.graph_algorithms.online import online_learner, regret
from jaxlab.graph_algorithms.predictor import predict_duals
from jaxlab.graph_algorithms.types import Duals
from tests.helpers import to_device

RNG = np.random.default_rng(12)


def samples(count, n=5, high=6):
    return Duals(*(to_device(RNG.integers(-high, high, (count, n)), np.int32) for _ in range(2)))


@pytest.mark.parametrize("gauge", GAUGES)
def test_gauges_keep_the_value_and_do_not_see_a_shift(gauge):
    duals = samples(7)
    floats = jax.tree.map(lambda x: x.astype(jnp.float32), duals)
    for given in (duals, floats):
        moved = canonicalize(given, gauge)
        assert moved.col.dtype == given.col.dtype
        np.testing.assert_allclose(dual_objective(moved), dual_objective(given), atol=1e-5)
        shifted = canonicalize(Duals(given.row + 3, given.col - 3), gauge)
        if gauge != "none":
            np.testing.assert_allclose(shifted.col, moved.col, atol=1e-5)
        one = canonicalize(jax.tree.map(lambda x: x[2], given), gauge)
        np.testing.assert_allclose(one.row, moved.row[2], atol=1e-5)
    col = np.asarray(canonicalize(floats, gauge).col)
    if gauge == "mean":
        np.testing.assert_allclose(col.mean(axis=1), 0, atol=1e-5)
        assert (np.abs(np.asarray(canonicalize(duals, gauge).col).mean(axis=1)) < 1).all()
    elif gauge == "max":
        assert (col.max(axis=1) == 0).all()
    elif gauge == "first":
        assert (col[:, 0] == 0).all()
    large = Duals(jnp.zeros(3, jnp.int32), jnp.full(3, 2**30, jnp.int32))
    if gauge != "none":
        assert (canonicalize(large, gauge).col == 0).all()


@pytest.mark.parametrize("gauge", ["mean", "max", "first"])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.float16])
def test_gauges_of_narrow_duals_do_not_wrap(gauge, dtype):
    given = np.array([100, 1]), np.array([50, 90])
    narrow, wide = (
        canonicalize(Duals(*(to_device(part, kind) for part in given)), gauge)
        for kind in (dtype, np.result_type(dtype, np.int32 if dtype != np.float16 else np.float32))
    )
    chex.assert_trees_all_equal(narrow, wide)
    assert dual_objective(narrow) == 241
    samples = Duals(*(to_device(np.stack([part] * 3), dtype) for part in given))
    chex.assert_trees_all_equal(fit_duals(samples, "l1", gauge), wide)


@pytest.mark.parametrize("n", [2999, 70_000])
@pytest.mark.parametrize("high", [1, 10**6, 2**30])
def test_the_mean_of_many_or_large_integers_is_exact(n, high):
    col = RNG.integers(-high, high + 1, (2, n))
    col[:, 0] = high, -high
    row = to_device(np.zeros((2, n)), np.int32)
    found = canonicalize(Duals(row, to_device(col, np.int32)))
    np.testing.assert_array_equal(found.col, col - np.floor_divide(col.sum(1), n)[:, None])


@pytest.mark.parametrize("count", [1, 4, 9, 20])
def test_medians_modes_and_means(count):
    duals = samples(count)
    for part in ("row", "col"):
        given = np.asarray(getattr(duals, part))
        found = {loss: getattr(fit_duals(duals, loss, "none"), part) for loss in ("l0", "l1", "l2")}
        lower = np.percentile(given, 50, axis=0, method="lower")
        np.testing.assert_array_equal(found["l1"], lower)
        np.testing.assert_array_equal(found["l0"], mode(given, axis=0).mode)
        np.testing.assert_allclose(found["l2"], given.mean(axis=0), rtol=1e-6)
        assert found["l1"].dtype == found["l0"].dtype == jnp.int32
    shifted = Duals(duals.row + 9, duals.col - 9)
    chex.assert_trees_all_equal(fit_duals(duals, "l1"), fit_duals(shifted, "l1"))


@pytest.mark.parametrize("loss", LOSSES)
def test_duals_of_empty_problems(loss):
    empty = Duals(jnp.zeros((3, 0)), jnp.zeros((3, 0)))
    fitted = fit_duals(empty, loss, "none")
    assert fitted.row.shape == fitted.col.shape == (0,)
    assert regret(empty, empty, loss) == 0
    if loss != "l0":
        learner = online_learner(loss, 0.1)
        one = Duals(jnp.zeros(0), jnp.zeros(0))
        chex.assert_trees_all_equal(learner.update(one, learner.init(one))[0], one)


def test_least_largest_deviation_by_linear_programming():
    for count, high in [(3, 5), (8, 1000)]:
        duals = samples(count, high=high)
        given = np.concatenate([duals.row, duals.col], axis=1).astype(float)
        d = given.shape[1]
        # minimise Σ t_s subject to |y − y_s| <= t_s in every coordinate
        each, one = np.tile(np.eye(d), (count, 1)), np.repeat(np.eye(count), d, axis=0)
        upper = np.block([[each, -one], [-each, -one]])
        bound = np.concatenate([given.ravel(), -given.ravel()])
        cost = np.concatenate([np.zeros(d), np.ones(count)])
        best = linprog(cost, upper, bound, bounds=(None, None)).fun
        fitted = np.concatenate(fit_duals(duals, "linf", "none"))
        found = np.abs(fitted - given).max(axis=1).sum()
        assert best - 1e-3 * high <= found <= best * 1.01
    same = Duals(jnp.full((4, 2), 7), jnp.full((4, 2), 7))
    np.testing.assert_allclose(fit_duals(same, "linf", "none").row, 7)


@pytest.mark.parametrize("radius", [1e-3, 1.0, 7.0, 1e3])
def test_projection_onto_the_ball_of_the_sum_norm(radius):
    points = np.concatenate([RNG.normal(size=(5, 40)), np.zeros((1, 40)), np.full((1, 40), 3.0)])
    points = points.astype(np.float32)
    found = np.asarray(_onto_l1_ball(jnp.asarray(points), jnp.float32(radius)))
    for given, point in zip(points.astype(np.float64), found, strict=True):

        def excess(t, given=given):
            return np.maximum(np.abs(given) - t, 0).sum() - radius

        threshold = brentq(excess, 0, 9) if excess(0) > 0 else 0
        expected = np.sign(given) * np.maximum(np.abs(given) - threshold, 0)
        np.testing.assert_allclose(point, expected, atol=1e-5)


def test_derivatives_of_the_projection():
    points, radius = to_device(RNG.normal(size=(2, 9)), np.float32), jnp.float32(2)
    check_grads(lambda x: _onto_l1_ball(jnp.asarray(x), radius), (points,), order=1, rtol=1e-2)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("loss", ["l2", "linf"])
def test_wide_integers_keep_their_digits(loss):
    same = Duals(jnp.full((2, 3), 10**12 + 1), jnp.full((2, 1), 5))
    assert fit_duals(same, loss, "none").row.tolist() == 3 * [10**12 + 1.0]


def test_a_second_fit_of_equal_shapes_compiles_nothing(caplog):
    samples = Duals(to_device(np.eye(3, dtype=np.float32)), to_device(np.eye(3, dtype=np.float32)))
    with jax.log_compiles():
        for steps, compiled in [(7, True), (7, False)]:
            caplog.clear()
            fit_duals(samples, "linf", steps=steps)
            assert any("Compiling" in record.getMessage() for record in caplog.records) == compiled


def test_fallback_is_never_worse_than_a_cold_start():
    chosen = set()
    for trial in range(30):
        cost = to_device(RNG.integers(0, 20, (6, 6)), np.int32)
        guess = RNG.integers(-5, 5, 6) * (trial % 3)
        guess = Duals(jnp.zeros(6, jnp.int32), to_device(guess, np.int32))
        duals = predict_or_fallback(cost, guess)
        assert feasibility_violation(cost, duals) == 0
        cold = np.asarray(cost).min(axis=1)
        value = cold.sum() + (np.asarray(cost) - cold[:, None]).min(axis=0).sum()
        assert dual_objective(duals) >= value
        chosen.add(bool(dual_objective(duals) > value))
    assert chosen == {True, False}


@pytest.mark.parametrize("shape", [(30, 50), (50, 30)])
def test_fallback_and_prediction_of_rectangles(shape):
    cost = to_device(RNG.integers(0, 1000, shape), np.int32)
    optimum = linear_sum_assignment(cost)
    col = np.asarray(optimum.duals.col)
    least = cost.min(axis=np.argmax(shape)).sum()
    cold = linear_sum_assignment(cost, Duals(*(jnp.zeros(size, jnp.int32) for size in shape)))
    guesses = {
        "optimal": col,
        "near": col + RNG.integers(-3, 4, shape[1]),
        "garbage": RNG.integers(-100_000, 100_000, shape[1]),
    }
    for name, guess in guesses.items():
        guess = to_device(guess, np.int32)
        duals = Duals(jnp.zeros(shape[0], jnp.int32), guess)
        for start in (predict_or_fallback(cost, duals), predict_duals(cost, guess)):
            assert feasibility_violation(cost, start) == 0
            assert dual_objective(start) <= optimum.cost
        start = predict_or_fallback(cost, duals)
        value = dual_objective(start)
        assert value >= max(least, dual_objective(predict_duals(cost, guess)))
        if name == "optimal":
            assert value == optimum.cost > least
        assert linear_sum_assignment(cost, start).stats.steps < 3 * cold.stats.steps


@pytest.mark.parametrize("shape", [(100, 1100), (1100, 100), (100, 100)])
@pytest.mark.parametrize("far", [-2_200_000, 2_200_000, -(2**31), 2**31 - 1])
def test_fallback_from_predictions_whose_value_would_wrap(shape, far):
    cost = to_device(RNG.integers(0, 1000, shape), np.int32)
    col = to_device(np.where(np.arange(shape[1]) % 9, far, 0), np.int32)
    for columns in (col, jnp.full_like(col, far)):
        duals = predict_or_fallback(cost, Duals(jnp.zeros(shape[0], jnp.int32), columns))
        row, col = (np.asarray(part, np.int64) for part in duals)
        assert (row[:, None] + col <= np.asarray(cost)).all()
        cold = np.asarray(cold_duals(cost).row).sum() + np.asarray(cold_duals(cost).col).sum()
        assert row.sum() + col.sum() >= cold


def test_sample_bound():
    d, c, eps, delta = 7, 3.0, 0.5, 0.05
    cover = d * np.log(8 * c * d / eps + 1) + np.log(2 / delta)
    assert sample_complexity(d, c, eps, delta) == np.ceil(8 * (2 * c * d / eps) ** 2 * cover)
    cover = d * np.log(8 * c / eps + 1) + np.log(2 / delta)
    expected = np.ceil(8 * (2 * c / eps) ** 2 * cover)
    assert sample_complexity(d, c, eps, delta, "linf") == expected


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    duals = samples(3)
    one = Duals(duals.row[0], duals.col[0])
    for call, message in [
        (lambda: canonicalize(duals, "median"), "gauge: expected one of 'mean'"),
        (lambda: canonicalize(Duals(one.row, one.col[1:])), "duals.col: expected shape"),
        (lambda: fit_duals(Duals(duals.row, duals.col[:, 1:])), "duals.col: expected shape"),
        (lambda: fit_duals(duals, "l3"), "loss: expected one of 'l0'"),
        (lambda: fit_duals(one), "samples.row: expected at least one sample"),
        (lambda: fit_duals(Duals(duals.row, duals.col[:2])), r"samples.col: expected shape \[3"),
        (lambda: sample_complexity(3, 1, 1, 2), "delta: expected a finite number"),
        (lambda: sample_complexity(3, 1, 1, 0.5, "l2"), "loss: expected one of 'l1', 'linf'"),
        (lambda: predict_or_fallback(jnp.zeros((2, 2)), one), "duals.row: expected shape"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
