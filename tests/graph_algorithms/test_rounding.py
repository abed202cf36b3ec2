"""Rounded predictions are feasible, and no further from any optimal dual than is promised."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.graph_algorithms.duals import feasibility_violation
from jaxlab.graph_algorithms.rounding import ROUNDINGS, round_duals
from jaxlab.graph_algorithms.types import Duals
from tests.graph_algorithms.oracle import optimal_duals
from tests.helpers import to_device

RNG = np.random.default_rng(11)
N = 40


def perturbed(duals, how):
    """A prediction some way off: few coordinates, or all of them a little."""
    both = np.concatenate([duals.row, duals.col])
    if how == "few":
        where = RNG.choice(2 * N, RNG.integers(0, N), replace=False)
        both[where] += RNG.integers(-500, 500, len(where))
    else:
        both += RNG.integers(-(10 ** RNG.integers(1, 4)), 10 ** RNG.integers(1, 4), 2 * N)
    return Duals(to_device(both[:N]), to_device(both[N:]))


def distance(a, b, norm):
    return np.linalg.norm(np.concatenate([a.row - b.row, a.col - b.col]).astype(float), norm)


@pytest.mark.parametrize("how", ["few", "all"])
def test_guarantees_on_random_integer_instances(how):
    for trial in range(200):
        cost = RNG.integers(-50, 50 if trial % 2 else -45, (N, N)).astype(np.int32)
        best = optimal_duals(cost)
        guess = perturbed(best, how)
        for method in ROUNDINGS:
            rounded = round_duals(to_device(cost), guess, method=method)
            assert feasibility_violation(to_device(cost), rounded) == 0
            if method == "c_transform":
                moved = np.abs(rounded.row - best.row).max()
                assert moved <= np.abs(guess.col - best.col).max()
            elif method == "cover":
                wrong = distance(guess, best, 0)
                assert distance(rounded, best, 0) <= 3 * wrong
                # the cover has at most two vertices for each wrong coordinate
                assert distance(rounded, guess, 0) <= 2 * wrong
            else:
                off = distance(guess, best, 1)
                assert distance(rounded, best, 1) <= 3 * off
                assert distance(rounded, guess, 1) <= 2 * off
                assert (rounded.row <= guess.row).all()
                assert (rounded.col <= guess.col).all()


@pytest.mark.parametrize("method", ROUNDINGS)
def test_optimal_duals_stay_and_masked_or_rectangular_ones_become_feasible(method):
    cost = to_device(RNG.integers(0, 100, (N, N)), np.int32)
    best = optimal_duals(cost)
    chex.assert_trees_all_equal(round_duals(cost, best, method=method), best)
    for _ in range(20):
        shape = (9, 6)
        cost = to_device(RNG.integers(-30, 30, shape), np.int32)
        mask = to_device(RNG.random(shape) < 0.4)
        guess = Duals(*(to_device(RNG.integers(-99, 99, k), np.int32) for k in shape))
        rounded = round_duals(cost, guess, method=method, mask=mask)
        assert feasibility_violation(cost, rounded, mask=mask) == 0


def test_cover_takes_any_value_where_every_column_is_in_the_cover():
    cost = jnp.array([[1, 2], [3, 4]], jnp.int32)
    guess = Duals(jnp.array([50, 50], jnp.int32), jnp.array([7, 9], jnp.int32))
    rounded = round_duals(cost, guess, method="cover")
    assert feasibility_violation(cost, rounded) == 0
    assert (rounded.row == jnp.array([1 - 9, 3 - 9])).all()


@pytest.mark.parametrize("method", ROUNDINGS)
def test_stacks_and_floats(method):
    costs = to_device(RNG.normal(size=(4, 6, 6)), np.float32)
    guesses = Duals(*(to_device(RNG.normal(size=(4, 6)), np.float32) for _ in range(2)))
    together = jax.vmap(lambda c, y: round_duals(c, y, method=method))(costs, guesses)
    for k in range(4):
        guess = jax.tree.map(lambda y, k=k: y[k], guesses)
        alone = round_duals(costs[k], guess, method=method)
        one = jax.tree.map(lambda y, k=k: y[k], together)
        chex.assert_trees_all_close(one, alone, rtol=1e-7)
        assert feasibility_violation(costs[k], alone) < 1e-6


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    zeros = Duals(jnp.zeros(2, jnp.int32), jnp.zeros(2, jnp.int32))
    with pytest.raises(
        ValueError, match="method: expected one of 'c_transform', 'cover', 'greedy'"
    ):
        round_duals(jnp.zeros((2, 2), jnp.int32), zeros, method="ceiling")
    with pytest.raises(ValueError, match=r"duals.row: expected shape \[3\]"):
        round_duals(jnp.zeros((3, 2), jnp.int32), zeros)
