"""Integers that stand for floats, and what solving them instead costs at most."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.graph_algorithms.quantization import quantize_costs
from tests.graph_algorithms.oracle import scipy_cost, scipy_matching
from tests.helpers import to_device

RNG = np.random.default_rng(6)


@pytest.mark.parametrize("bits", [4, 20, 22, 24])
def test_rounding_and_the_bound_on_the_optimum(bits):
    for exponent in (-3, 0, 6):
        costs = RNG.normal(size=(20, 20)).astype(np.float32) * 10.0**exponent + 7
        quantized = jax.jit(quantize_costs, static_argnames=("bits",))(to_device(costs), bits=bits)
        assert quantized.cost.min() == 0
        assert 2**bits - 2 <= quantized.cost.max() < 2**bits  # 24 bits are as many as float32 has
        levels, scale, offset = (np.asarray(part, np.float64) for part in quantized)
        half = scale / 2 + 4 * np.finfo(np.float32).eps * np.abs(costs).max()
        assert np.abs(offset + scale * levels - costs).max() <= half
        rows, columns = scipy_matching(quantized.cost)
        assert costs[rows, columns].sum() <= scipy_cost(costs) + 20 * 2 * half


def test_constant_infinite_and_stacked_costs():
    constant = quantize_costs(jnp.full((3, 3), 2.5))
    assert (constant.cost == 0).all()
    assert constant.offset == 2.5
    some = quantize_costs(jnp.array([[jnp.inf, 1.0], [2.0, -jnp.inf]]), bits=3)
    assert some.cost.tolist() == [[7, 0], [7, 7]]
    stack = quantize_costs(jnp.array([[[0.0, 1.0]], [[2.0, 3.0]]]), bits=2)
    assert stack.cost.tolist() == [[[0, 1]], [[2, 3]]]
    assert quantize_costs(jnp.zeros((0, 2))).cost.shape == (0, 2)


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    for arguments, message in [
        ((jnp.ones((2, 2), jnp.int32),), "cost: expected dtype floating"),
        ((jnp.ones(2),), "cost: expected a matrix"),
        ((jnp.ones((2, 2)), 0), "bits: expected an integer >= 1"),
        ((jnp.ones((2, 2)), 30), "bits: expected at most 24"),
    ]:
        with pytest.raises(ValueError, match=message):
            quantize_costs(*arguments)


@pytest.mark.parametrize("cost", [[0, 1e-35], [-3e38, 3e38], [1e-45, 3e-38]])
def test_extreme_costs(cost):
    quantized = quantize_costs(jnp.array([cost], jnp.float32))
    assert 0 < quantized.scale < np.inf
    apart = np.float64(quantized.cost[0, 1]) * np.float64(quantized.scale)
    wanted = np.float64(np.float32(cost[1])) - np.float64(np.float32(cost[0]))
    np.testing.assert_allclose(apart, wanted, rtol=1e-6, atol=float(quantized.scale) / 2)
