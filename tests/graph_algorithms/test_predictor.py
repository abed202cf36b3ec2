"""The network's predictions: symmetries, feasibility, and that it learns."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxlab.graph_algorithms.assignment import linear_sum_assignment
from jaxlab.graph_algorithms.duals import dual_objective, feasibility_violation
from jaxlab.graph_algorithms.learning import canonicalize
from jaxlab.graph_algorithms.predictor import DualPredictor, column_features, predict_duals
from jaxlab.graph_algorithms.types import Duals
from tests.graph_algorithms.oracle import optimal_duals
from tests.helpers import to_device

RNG = np.random.default_rng(14)
MODEL = DualPredictor(hidden=(16,), smallest=4)
apply = jax.jit(MODEL.apply)


def test_columns_are_seen_one_by_one():
    cost = to_device(RNG.integers(0, 100, (8, 9)), np.int32)
    params = MODEL.init(jax.random.key(0), cost)
    col = apply(params, cost)
    order = RNG.permutation(9)
    np.testing.assert_allclose(apply(params, cost[:, order]), col[order], rtol=1e-4)
    np.testing.assert_allclose(apply(params, cost[::-1]), col, rtol=1e-4)
    np.testing.assert_allclose(apply(params, 10 * cost + 7), 10 * col, rtol=1e-3)
    assert MODEL.apply(params, cost[:5, :6]).shape == (6,)
    features = column_features(cost, smallest=3)
    spread = np.asarray(cost).std()
    expected = (np.sort(cost, axis=0)[:3] - np.asarray(cost).mean()) / spread
    np.testing.assert_allclose(features[:, :3], expected.T, rtol=1e-3, atol=1e-5)
    assert np.isfinite(column_features(jnp.ones((3, 3)), smallest=3)).all()


def test_whatever_it_says_becomes_feasible():
    for dtype in (jnp.int32, jnp.float32):
        cost = to_device(RNG.integers(0, 100, (8, 8)), dtype)
        duals = predict_duals(cost, to_device(50 * RNG.normal(size=8), np.float32))
        assert duals.col.dtype == dtype
        assert feasibility_violation(cost, duals) <= (0 if dtype == jnp.int32 else 1e-4)
        assert linear_sum_assignment(cost, duals).status == 0


@pytest.mark.parametrize("dtype", [np.int64, np.float64, np.uint8])
def test_costs_of_numpy(dtype, bad_input):
    cost = np.array([[3, 5], [4, 1]], dtype)
    for col in (np.array([2, 1]), np.array([2.0, 1.0])):
        duals = predict_duals(cost, col)
        assert duals.row.tolist() == [1, 0]
        assert duals.col.tolist() == [2, 1]
        assert duals.col.dtype == linear_sum_assignment(jnp.asarray(cost)).duals.col.dtype


def test_training_brings_the_duals_nearer_to_the_optimum():
    difficulty = RNG.uniform(0, 60, (24, 1, 12))  # columns differ in how dear they are
    costs = (difficulty + RNG.uniform(0, 40, (24, 12, 12))).astype(np.int32)
    best = [canonicalize(optimal_duals(cost)) for cost in costs]
    targets = jnp.stack([duals.col for duals in best])
    costs = to_device(costs)
    params = MODEL.init(jax.random.key(1), costs[0])
    optimizer = optax.adam(3e-2)

    def loss(params):
        guesses = jax.vmap(lambda cost: MODEL.apply(params, cost))(costs[:20])
        guesses -= guesses.mean(axis=1, keepdims=True)
        return jnp.mean(jnp.abs(guesses - targets[:20]))

    @jax.jit
    def train(params):
        def step(carry, _):
            params, state = carry
            updates, state = optimizer.update(jax.grad(loss)(params), state)
            return (optax.apply_updates(params, updates), state), None

        return jax.lax.scan(step, (params, optimizer.init(params)), length=150)[0][0]

    trained = train(params)
    assert loss(trained) < 0.3 * loss(params)

    def value(guess, cost):
        return int(dual_objective(predict_duals(cost, guess)))

    gains = [value(apply(trained, cost), cost) - value(jnp.zeros(12), cost) for cost in costs[20:]]
    assert np.mean(gains) > 0  # on problems it has not seen


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    with pytest.raises(ValueError, match="smallest: expected at most 3 rows"):
        column_features(jnp.ones((3, 4)), smallest=5)
    with pytest.raises(ValueError, match="cost: expected a matrix"):
        column_features(jnp.ones(3))
    with pytest.raises(ValueError, match=r"duals.col: expected shape \[4\]"):
        predict_duals(jnp.ones((3, 4)), jnp.ones(3))
    with pytest.raises(ValueError, match="cost: expected a matrix"):
        predict_duals(jnp.ones(3), jnp.ones(3))
    assert isinstance(predict_duals(jnp.ones((3, 4)), jnp.ones(4)), Duals)
