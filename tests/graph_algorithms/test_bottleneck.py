"""Bottleneck assignments against brute force over thresholds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from jaxlab.graph_algorithms.bottleneck import bottleneck_assignment
from tests.graph_algorithms.oracle import random_costs
from tests.helpers import to_device

RNG = np.random.default_rng(10)
COUNT = 40


def least_threshold(cost, there):
    for threshold in np.unique(cost[there]):
        cheap = csr_array(there & (cost <= threshold))
        if (maximum_bipartite_matching(cheap) >= 0).sum() == min(cost.shape):
            return threshold
    return None


def thresholds_tried(many, answer):
    """Steps of a bisection over the ranks of ``many`` thresholds, of which ``answer`` is least."""
    below, above, steps = -1, many, 0
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (below, middle) if middle >= answer else (middle, above)
        steps += 1
    return steps


@pytest.mark.parametrize("shape", [(12, 12), (9, 14)])
def test_dearest_edge_is_cheapest(shape):
    costs = random_costs(RNG, shape, COUNT)
    masks = RNG.random(costs.shape) < np.array([1.1, 0.3, 0.15])[np.arange(COUNT) % 3, None, None]
    results = jax.jit(jax.vmap(lambda cost, mask: bottleneck_assignment(cost, mask=mask)))(
        to_device(costs), to_device(masks)
    )
    answers = [least_threshold(*problem) for problem in zip(costs, masks, strict=True)]
    assert 0 < sum(answer is None for answer in answers) < COUNT
    for k, answer in enumerate(answers):
        assert (results.status[k] == 0) == (answer is not None)
        if answer is not None:
            assert results.cost[k] == answer
            rows = np.flatnonzero(results.col_for_row[k] >= 0)
            chosen = np.asarray(results.col_for_row[k])[rows]
            assert len(set(chosen)) == min(shape)
            assert masks[k][rows, chosen].all()
            assert costs[k][rows, chosen].max() == answer


def test_thresholds_and_searches_are_counted():
    # one threshold, and the one search from the only row that shows it to be enough
    alone = bottleneck_assignment(jnp.array([[7]])).stats
    assert (alone.rounds, alone.phases) == (1, 1)
    costs = RNG.permuted(np.tile(np.arange(20, dtype=np.int32), (COUNT, 1)), axis=1)
    costs = costs.reshape(COUNT, 4, 5)
    masks = RNG.random(costs.shape) < np.array([1.1, 0.4])[np.arange(COUNT) % 2, None, None]
    solve = jax.jit(jax.vmap(lambda cost, mask: bottleneck_assignment(cost, mask=mask)))
    stats = solve(to_device(costs), to_device(masks)).stats
    answers = [least_threshold(*problem) for problem in zip(costs, masks, strict=True)]
    expected = [thresholds_tried(20, 20 if answer is None else answer) for answer in answers]
    assert len(set(expected)) > 1
    np.testing.assert_array_equal(stats.rounds, expected)
    assert (stats.phases >= stats.rounds).all()


def test_floats_infinities_and_nothing():
    cost = jnp.array([[1.5, jnp.inf], [0.5, jnp.inf]])
    assert bottleneck_assignment(cost).status == 1
    solved = bottleneck_assignment(cost.at[0, 1].set(4.5))
    assert (solved.cost, solved.status) == (4.5, 0)
    assert bottleneck_assignment(cost.at[0, 0].set(jnp.nan)).status == 2
    there = jnp.array([[False, True], [True, True]])
    masked = bottleneck_assignment(jnp.array([[jnp.nan, 1], [2, 3]]), mask=there)
    assert (masked.cost, masked.status) == (2, 0)
    for n in (3, 8):  # wherever the bisection looks, there are more of what is no number
        costs = jnp.where(jnp.eye(n, dtype=bool), jnp.arange(1.0, n + 1), jnp.nan)
        masked = bottleneck_assignment(costs, mask=~jnp.isnan(costs))
        assert (masked.cost, masked.status) == (n, 0)
    assert bottleneck_assignment(jnp.array([[7]])).cost == 7
    assert bottleneck_assignment(jnp.zeros((0, 3))).status == 0


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    with pytest.raises(ValueError, match="cost: expected a matrix"):
        bottleneck_assignment(jnp.zeros(3))
