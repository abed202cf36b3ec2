"""jaxlab.graph_algorithms against scipy, lap and optax; the optimum is checked as well as timed.

Costs are floored distances between points drawn from 500 + 500 clusters in three dimensions, the
duals of 20 earlier draws give the prediction. Peers that know only floats are given the same
integers.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import linear_sum_assignment as scipy_assignment

from jaxlab.graph_algorithms import (
    fit_duals,
    geometric_instances,
    linear_sum_assignment,
    linear_sum_assignment_batch,
)
from tests.benchmarks.timing import time_jaxlab, time_peer

TRAINING, BATCH = 20, 64
TARGETS = {
    "cold": {"scipy": 1.3, "optax": None, "lap": None},
    "warm": {"scipy": 0.5, "optax": 0.1, "lap": 1.0},
}
GROUP = "graph_algorithms/assignment {}"
BATCHED = {"group": GROUP.format("batch"), "workload": f"k=200, {BATCH} problems, int32"}


@functools.cache
def problems(k, count):
    """Draws from one pair of sets of ``k`` clusters."""
    generator = np.random.default_rng(0)
    centers = generator.normal(0, 80, (2 * k, 1, 3))
    points = (centers + generator.normal(0, 4, (2 * k, 20, 3))).reshape(-1, 3)
    labels = np.repeat(np.arange(2 * k), 20)
    draw = jax.vmap(geometric_instances, (0, None, None, None, None))
    left, right = jnp.arange(k), jnp.arange(k, 2 * k)
    keys = jax.random.split(jax.random.key(0), count)
    return draw(keys, jnp.asarray(points, jnp.float32), jnp.asarray(labels), left, right)


@functools.cache
def learned(k):
    """Costs not seen in training, and the prediction."""
    costs = problems(k, TRAINING + 1)
    return costs[-1], fit_duals(linear_sum_assignment_batch(costs[:-1]).duals)


def optimum(cost):
    return np.asarray(cost)[scipy_assignment(np.asarray(cost))].sum()


@pytest.mark.parametrize("start", ["cold", "warm"])
class TestSingle:
    @pytest.fixture
    def case(self, start):
        cost, duals = learned(500)
        return {"group": GROUP.format(start), "workload": "k=500, int32"}, cost, duals

    def test_jaxlab(self, benchmark, case, start):
        about, cost, duals = case
        arguments = (cost,) if start == "cold" else (cost, duals)
        result = time_jaxlab(benchmark, linear_sum_assignment, *arguments, **about)
        assert (result.status, result.cost) == (0, optimum(cost))

    def test_scipy(self, benchmark, case, start):
        about, cost, _ = case
        matrix, about = np.asarray(cost), {**about, "target": TARGETS[start]["scipy"]}
        time_peer(
            benchmark,
            lambda: scipy_assignment(matrix),
            implementation="scipy",
            package="scipy",
            **about,
        )

    def test_lap(self, benchmark, case, start):
        lap = pytest.importorskip("lap")
        about, cost, _ = case
        matrix, about = np.asarray(cost, float), {**about, "target": TARGETS[start]["lap"]}
        value, *_ = time_peer(
            benchmark,
            lambda: lap.lapjv(matrix),
            implementation="lap",
            package="lap",
            **about,
        )
        assert value == optimum(cost)

    def test_optax(self, benchmark, case, start):
        about, cost, _ = case
        about = {**about, "target": TARGETS[start]["optax"]}
        rows, columns = time_jaxlab(
            benchmark,
            optax.assignment.hungarian_algorithm,
            cost.astype(jnp.float32),
            implementation="optax",
            package="optax",
            **about,
        )
        assert np.asarray(cost)[rows, columns].sum() == optimum(cost)


class TestBatch:
    def test_jaxlab(self, benchmark):
        costs = problems(200, BATCH)
        results = time_jaxlab(benchmark, linear_sum_assignment_batch, costs, **BATCHED)
        expected = [optimum(cost) for cost in costs]
        np.testing.assert_array_equal(results.cost, expected)

    def test_scipy(self, benchmark):
        costs = np.asarray(problems(200, BATCH))
        time_peer(
            benchmark,
            lambda: [scipy_assignment(cost) for cost in costs],
            implementation="scipy",
            package="scipy",
            target=1 / 1.5,
            **BATCHED,
        )

    def test_optax(self, benchmark):
        time_jaxlab(
            benchmark,
            jax.vmap(optax.assignment.hungarian_algorithm),
            problems(200, BATCH).astype(jnp.float32),
            implementation="optax",
            package="optax",
            target=0.1,
            rounds=5,
            **BATCHED,
        )
