"""jaxlab.graph_algorithms against scipy, lap, optax and igraph; every result is checked as well.

Assignment: costs are floored distances between points drawn from 500 + 500 clusters in three
dimensions, the duals of 20 earlier draws give the prediction. Shortest paths: a grid of 40,000
vertices with a third of its lengths negative, which change by 5 % from day to day; 15 earlier days
give the prediction. Peers that know only floats are given the same integers.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import linear_sum_assignment as scipy_assignment
from scipy.sparse.csgraph import dijkstra

from jaxlab.graph_algorithms import (
    Duals,
    bellman_ford,
    fit_duals,
    geometric_instances,
    hiding_potentials,
    linear_sum_assignment,
    linear_sum_assignment_batch,
    perturbed_potential_graph,
    policy,
)
from jaxlab.graphs import grid_graph, in_arcs, to_digraph, to_scipy
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
        costs = problems(200, BATCH)
        rows, columns = time_jaxlab(
            benchmark,
            jax.vmap(optax.assignment.hungarian_algorithm),
            costs.astype(jnp.float32),
            implementation="optax",
            package="optax",
            target=0.1,
            rounds=5,
            **BATCHED,
        )
        paid = np.asarray(costs)[np.arange(BATCH)[:, None], rows, columns].sum(axis=1)
        np.testing.assert_array_equal(paid, [optimum(cost) for cost in costs])


@pytest.mark.parametrize("start", ["cold", "warm"])
class TestTwiceTheRows:
    """A cold start takes its time in shortest paths, a warm one in passes over the costs."""

    @pytest.mark.parametrize("k", [500, 250])
    def test_growth(self, benchmark, start, k):
        cost, duals = learned(k)
        half = {
            "implementation": "itself at k=250",
            "target": {"cold": 7.0, "warm": 4.5}[start],
        }
        result = time_jaxlab(
            benchmark,
            linear_sum_assignment,
            *((cost,) if start == "cold" else (cost, duals)),
            group=GROUP.format(f"{start} at twice the rows"),
            workload="k=500, int32",
            **(half if k == 250 else {}),
        )
        assert result.cost == optimum(cost)


def test_learning(benchmark):
    samples = Duals(*np.random.default_rng(0).integers(-999, 999, (2, TRAINING, 1000), np.int32))
    fitted = time_jaxlab(
        benchmark,
        fit_duals,
        jax.tree.map(jnp.asarray, samples),
        group="graph_algorithms/median of duals",
        workload=f"{TRAINING} samples of 2 x 1000",
    )
    shift = np.floor(samples.col.mean(axis=1, keepdims=True)).astype(np.int32)
    middle = (TRAINING - 1) // 2
    np.testing.assert_array_equal(fitted.row, np.sort(samples.row + shift, axis=0)[middle])
    np.testing.assert_array_equal(fitted.col, np.sort(samples.col - shift, axis=0)[middle])


PATHS = {"group": "graph_algorithms/shortest paths", "workload": "grid 200², σ=.05, int32"}


@functools.cache
def streets():
    """Arcs laid out, lengths of today, what earlier days predict, and the distances of today."""
    base = to_digraph(grid_graph(200, 200))
    lengths = np.random.default_rng(0).integers(100, 1001, base.edge_capacity)
    base = base.replace(weights=jnp.asarray(lengths, jnp.int32))
    arcs, key = in_arcs(base), jax.random.key(0)
    hidden = hiding_potentials(key, base, negative=0.3)

    def day(number):
        key_today = jax.random.fold_in(key, number)
        return perturbed_potential_graph(key_today, base, 0.05, potentials=hidden)

    past = [bellman_ford(day(number), 0, in_arcs=arcs) for number in range(15)]
    potentials = jnp.median(jnp.stack([result.dist for result in past]), axis=0)
    today = day(15)
    # SciPy's Dijkstra on the lengths without the potentials
    positive = today.replace(
        weights=today.weights - hidden[today.senders] + hidden[today.receivers]
    )
    exact = dijkstra(to_scipy(positive), indices=0) + np.asarray(hidden[0] - hidden)
    return arcs, today, jnp.round(potentials).astype(jnp.int32), past[0].parent, exact


class TestShortestPaths:
    def test_jaxlab(self, benchmark):
        arcs, today, potentials, tree, exact = streets()
        result = time_jaxlab(
            benchmark,
            lambda arcs, today, potentials, tree: policy(
                today, 0, potentials=potentials, tree=tree, in_arcs=arcs
            ),
            arcs,
            today,
            potentials,
            tree,
            **PATHS,
        )
        np.testing.assert_array_equal(result.dist, exact)

    def test_cold(self, benchmark):
        arcs, today, *_, exact = streets()
        result = time_jaxlab(
            benchmark,
            lambda arcs, today: bellman_ford(today, 0, in_arcs=arcs),
            arcs,
            today,
            implementation="our Bellman-Ford, cold",
            target=1 / 2.5,
            **PATHS,
        )
        np.testing.assert_array_equal(result.dist, exact)

    def test_igraph(self, benchmark):
        igraph = pytest.importorskip("igraph")
        _, today, *_, exact = streets()
        ends = np.stack([today.senders, today.receivers], 1)[np.asarray(today.mask)]
        weights = np.asarray(today.weights)[np.asarray(today.mask)].tolist()
        graph = igraph.Graph(n=int(today.n_node), edges=ends.tolist(), directed=True)
        found = time_peer(
            benchmark,
            lambda: graph.distances(0, weights=weights, algorithm="bellman_ford"),
            implementation="igraph, Bellman-Ford",
            package="igraph",
            target=1 / 4,
            **PATHS,
        )
        np.testing.assert_array_equal(found[0], exact)
