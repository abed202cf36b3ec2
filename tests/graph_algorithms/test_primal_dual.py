"""The Hungarian baseline: scipy's optimum, and rounds that a good prediction saves."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from jaxlab.graph_algorithms.primal_dual import primal_dual_matching
from jaxlab.graph_algorithms.status import LIMIT, OK
from jaxlab.graph_algorithms.types import Duals
from tests.graph_algorithms.oracle import (
    assert_solved,
    garbage,
    optimal_duals,
    random_costs,
    scipy_cost,
)
from tests.helpers import to_device

RNG = np.random.default_rng(8)
SIZE, COUNT = 30, 40


@functools.cache
def program(**options):
    def solve(problem):
        cost, duals, mask = problem
        return primal_dual_matching(cost, duals, mask=mask, **options)

    return jax.jit(lambda *stacks: jax.lax.map(solve, stacks))


@pytest.mark.parametrize("rounding", ["greedy", "cover"])
def test_any_prediction_gives_scipys_optimum(rounding):
    costs = random_costs(RNG, (SIZE, SIZE), COUNT)
    guesses = garbage(RNG, (SIZE, SIZE), COUNT)
    results = program(rounding=rounding)(to_device(costs), guesses, None)
    assert assert_solved(jax.tree.map(np.asarray, results), costs) == 0
    if rounding == "greedy":
        exact = [optimal_duals(cost) for cost in costs]
        exact = jax.tree.map(lambda *parts: jnp.stack(parts), *exact)
        known = program(rounding=rounding)(to_device(costs), exact, None)
        assert (known.stats.phases == 1).all()
        assert (known.stats.free_rows == 0).all()
        # a prediction that is a little off costs a few rounds, fewer than a cold start
        near = exact._replace(col=exact.col + to_device(RNG.integers(0, 2, (COUNT, SIZE))))
        cold = jax.tree.map(jnp.zeros_like, exact)
        rounds = [
            int(program(rounding=rounding)(to_device(costs), guess, None).stats.phases[4::5].sum())
            for guess in (near, cold)
        ]
        assert rounds[0] < rounds[1] / 2


def test_masks_and_rectangles():
    costs = random_costs(RNG, (20, 30), COUNT)
    masks = RNG.random(costs.shape) < np.array([0.9, 0.3, 0.06])[np.arange(COUNT) % 3, None, None]
    guesses = garbage(RNG, (20, 30), COUNT)
    results = program(maximize=True)(to_device(costs), guesses, to_device(masks))
    infeasible = assert_solved(jax.tree.map(np.asarray, results), costs, masks, maximize=True)
    assert 0 < infeasible < COUNT


def test_every_round_is_one_of_the_method():
    """Against the method written out in numpy, with a matching found by scipy in each round."""
    costs = random_costs(RNG, (SIZE, SIZE), COUNT)
    costs -= costs.min(axis=(1, 2), keepdims=True)  # so that zeros are feasible as they are
    found = program(rounding="greedy")(
        to_device(costs), Duals(*(jnp.zeros((COUNT, SIZE), jnp.int32),) * 2), None
    )
    for k in range(0, COUNT, 3):
        u = costs[k].min(axis=1)
        v = (costs[k] - u[:, None]).min(axis=0)
        rounds = 1
        while True:
            reduced = costs[k] - u[:, None] - v
            col_for_row = maximum_bipartite_matching(csr_array(reduced == 0), perm_type="column")
            rows = col_for_row < 0
            if not rows.any():
                break
            cols = np.zeros(SIZE, bool)
            while True:  # alternating paths
                reached = ((reduced == 0) & rows[:, None]).any(axis=0)
                more = rows | ((col_for_row >= 0) & reached[col_for_row])
                if (more == rows).all() and (reached == cols).all():
                    break
                rows, cols = more, reached
            step = reduced[np.ix_(rows, ~cols)].min()
            u, v = u + step * rows, v - step * cols
            rounds += 1
        assert found.stats.phases[k] == rounds


def test_limit_and_outside_jit():
    cost = to_device(RNG.integers(0, 100, (SIZE, SIZE)), np.int32)
    assert primal_dual_matching(cost, max_rounds=2).status == LIMIT
    assert primal_dual_matching(cost.astype(jnp.float32)).cost == scipy_cost(cost)
    tailed = cost.astype(jnp.float32).at[3, 5].set(1e10)
    found = primal_dual_matching(tailed)
    assert (found.status, found.cost) == (OK, scipy_cost(tailed))
    assert primal_dual_matching(jnp.zeros((0, 2), jnp.int32)).cost == 0


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    with pytest.raises(ValueError, match="cost: expected a matrix"):
        primal_dual_matching(jnp.zeros(2))
    with pytest.raises(ValueError, match="rounding: expected one of"):
        primal_dual_matching(jnp.zeros((2, 2)), rounding="up")
    with pytest.raises(ValueError, match="max_rounds: expected an integer >= 0"):
        primal_dual_matching(jnp.zeros((2, 2)), max_rounds=-1)
