"""The gradient of the optimal cost is the permutation matrix of the optimum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment as scipy_assignment

from jaxlab.graph_algorithms.gradient import assignment_cost
from jaxlab.graph_algorithms.types import Duals
from tests.helpers import to_device

RNG = np.random.default_rng(9)


def permutation(cost):
    matrix = np.zeros(cost.shape)
    matrix[scipy_assignment(cost)] = 1
    return matrix


def test_value_and_gradient_of_a_stack_with_predictions():
    costs = RNG.normal(size=(4, 6, 8)).astype(np.float32)
    duals = Duals(*(to_device(RNG.normal(size=(4, k)), np.float32) for k in (6, 8)))
    value = jax.vmap(jax.value_and_grad(assignment_cost, argnums=(0, 1)))
    costs_found, (slope, of_duals) = jax.jit(value)(to_device(costs), duals)
    for k, cost in enumerate(costs):
        expected = permutation(cost)
        np.testing.assert_array_equal(slope[k], expected)
        np.testing.assert_allclose(costs_found[k], (expected * cost).sum(), rtol=1e-5)
    assert not np.any(np.concatenate([part.ravel() for part in of_duals]))
    scaled = jax.grad(lambda c: 3 * assignment_cost(c, maximize=True))(to_device(costs[0]))
    np.testing.assert_array_equal(scaled, 3 * permutation(-costs[0]))


def test_finite_differences_and_descent():
    cost = to_device(RNG.normal(size=(6, 8)), np.float32)
    direction = to_device(RNG.normal(size=(6, 8)), np.float32)
    value = jax.jit(assignment_cost)
    step = 1e-3
    difference = value(cost + step * direction) - value(cost - step * direction)
    expected = (permutation(cost) * direction).sum()
    np.testing.assert_allclose(difference / (2 * step), expected, rtol=1e-2, atol=1e-2)


def test_no_value_where_there_is_no_assignment():
    cost = jnp.ones((6, 8)).at[2].set(jnp.inf)
    value, slope = jax.value_and_grad(assignment_cost)(cost)
    assert jnp.isnan(value)
    assert jnp.isnan(slope).all()

    def masked(cost):
        value = assignment_cost(cost)
        return jnp.where(jnp.isnan(value), 0, value)

    assert not jax.grad(masked)(cost).any()
    mask = jnp.ones((6, 8), bool)
    assert assignment_cost(jnp.ones((6, 8)), mask=mask) == 6


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    with pytest.raises(ValueError, match="cost: expected dtype floating"):
        assignment_cost(jnp.ones((2, 2), jnp.int32))
    with pytest.raises(ValueError, match="method: expected one of"):
        assignment_cost(jnp.ones((2, 2)), method="sinkhorn")
