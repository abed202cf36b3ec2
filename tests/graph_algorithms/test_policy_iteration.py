"""Policy iteration against networkx, with predictions of any quality."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.graph_algorithms.label_correcting import bellman_ford
from jaxlab.graph_algorithms.perturbation import hiding_potentials, perturbed_potential_graph
from jaxlab.graph_algorithms.policy_iteration import policy
from jaxlab.graphs import digraph_from_arcs, in_arcs
from tests.graph_algorithms import path_oracle as oracle
from tests.graph_algorithms.test_goldberg import grid
from tests.helpers import to_device

solve = jax.jit(jax.vmap(lambda graph, y, tree: policy(graph, 0, potentials=y, tree=tree)))


def test_equals_networkx_whatever_the_predictions():
    trees = np.random.default_rng(7).integers(-3, 15, (oracle.COUNT, oracle.NODES))
    for number, instance in enumerate(oracle.instances()):
        if number % 2 and len(instance.arcs):
            trees[number, instance.arcs[:, 1]] = instance.arcs[:, 0]
    trees = to_device(trees, np.int32)
    for most in (30, 10**9):
        result = solve(oracle.stack(), to_device(oracle.garbage(8, most)), trees)
        oracle.check_paths(result)

    def by_table(graph):
        return policy(graph, 0, in_arcs=in_arcs(graph, width=oracle.ARCS))

    cold = jax.jit(jax.vmap(by_table))(oracle.stack())
    oracle.check_paths(cold)
    # exact predictions, among them lanes that are done at once: one round
    settled = np.asarray(cold.status) == 0
    again = solve(oracle.stack(), cold.dist, cold.parent)
    oracle.check_paths(again)
    assert (np.asarray(again.rounds)[settled] == 1).all()


def test_a_lane_does_not_depend_on_those_beside_it():
    trees = jnp.zeros((oracle.COUNT, oracle.NODES), jnp.int32)
    predictions = to_device(oracle.garbage(9))
    together = solve(oracle.stack(), predictions, trees)

    alone = jax.jit(lambda graph, y, tree: policy(graph, 0, potentials=y, tree=tree))
    for number in range(0, oracle.COUNT, 9):
        lane = jax.tree.map(lambda leaf: leaf[number], (oracle.stack(), predictions, trees))  # noqa: B023
        expected = jax.tree.map(lambda leaf: leaf[number], together)  # noqa: B023
        chex.assert_trees_all_equal(alone(*lane), expected)


def test_rounds_count_switches_and_not_arcs_on_a_path():
    base = grid(40)
    base = base.replace(weights=jnp.abs(base.weights) + 100)
    hidden = hiding_potentials(jax.random.key(0), base)
    days = [
        perturbed_potential_graph(jax.random.key(day), base, 0.02, potentials=hidden)
        for day in range(4)
    ]
    table = in_arcs(base)
    past = [bellman_ford(day, 0, in_arcs=table) for day in days]
    median = jnp.median(jnp.stack([result.dist for result in past[:3]]), axis=0)
    warm = policy(days[3], 0, potentials=median, tree=past[0].parent, in_arcs=table)
    np.testing.assert_array_equal(warm.dist, past[3].dist)
    assert int(past[3].rounds) >= 10 * int(warm.rounds)


def test_slow_policies_end_in_bellman_ford():
    # each round switches one vertex: arcs that skip one vertex look better until it is seen
    n = 200
    path = np.stack([np.arange(n - 1), np.arange(1, n)], 1)
    direct = np.stack([np.zeros(n - 1, int), np.arange(1, n)], 1)
    weights = np.concatenate([np.full(n - 1, -1), np.zeros(n - 1, int)]).astype(np.int32)
    graph = digraph_from_arcs(np.concatenate([path, direct]), n, weights=weights)
    result = policy(graph, 0, potentials=jnp.where(jnp.arange(n) == 0, -9, 0))
    np.testing.assert_array_equal(result.dist, bellman_ford(graph, 0).dist)
    cycle = np.concatenate([path, [[n - 1, 1]]])
    graph = digraph_from_arcs(cycle, n, weights=np.append(np.ones(n - 1), -n).astype(np.int32))
    found = policy(graph, 0, tree=jnp.arange(-1, n - 1))
    assert (int(found.status), int(found.rounds)) == (1, 1)


def test_bad_input(bad_input):
    graph = digraph_from_arcs([[0, 1]], 2)
    with pytest.raises(ValueError, match=r"tree: expected shape \[2\]"):
        policy(graph, 0, tree=jnp.zeros(3, jnp.int32))
    with pytest.raises(ValueError, match=r"tree: expected dtype integer"):
        policy(graph, 0, tree=jnp.zeros(2))
    with pytest.raises(ValueError, match=r"potentials: expected shape \[2\]"):
        policy(graph, 0, potentials=jnp.zeros(3))
