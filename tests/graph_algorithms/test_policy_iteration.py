"""Policy iteration against networkx, with predictions of any quality."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.graph_algorithms.label_correcting import bellman_ford
from jaxlab.graph_algorithms.perturbation import hiding_potentials, perturbed_potential_graph
from jaxlab.graph_algorithms.policy_iteration import policy
from jaxlab.graph_algorithms.single_source import shortest_paths
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


@pytest.mark.parametrize("method", ["policy", "bellman_ford"])
def test_walks_of_floats_that_rounding_closes(method):
    # to the other vertex and back makes 0, half a unit in the last place each way
    close = np.float32([1e6, 1e6 + 2**-4, -(2.0**-5), 2.0**-5])
    graph = digraph_from_arcs([[0, 1], [0, 2], [2, 1], [1, 2]], 3, weights=close)
    # the potentials name the walk 0, 2, 1, the tree 0, 1, 2: either makes one vertex look nearer
    predicted = {"potentials": jnp.float32([0, 1e9, -1e9]), "tree": jnp.array([0, 0, 1])}
    found = shortest_paths(graph, 0, method=method, **predicted)
    assert int(found.status) == 0
    np.testing.assert_allclose(found.dist, [0, 1e6, 1e6], atol=0.1)
    oracle.check_ends(found)


@pytest.mark.parametrize("method", ["policy", "bellman_ford"])
def test_floats_with_cycles_of_length_zero_whatever_the_predictions(method):
    # lengths in tenths, many of them 0, and potentials that hide them: cycles make 0 in words only
    n, count = 30, 120
    rng = np.random.default_rng(3)
    arcs = np.concatenate([np.stack([np.arange(n - 1), np.arange(1, n)], 1) for _ in range(2)])
    arcs = np.concatenate([arcs, rng.integers(0, n, (60, 2))])
    arcs = np.concatenate([arcs, arcs[:, ::-1]])
    base = digraph_from_arcs(arcs, n)
    hidden = rng.integers(-999, 999, (count, n))
    tenths = np.tile(rng.integers(0, 3, (count, len(arcs) // 2)), 2)
    tenths = tenths + hidden[:, arcs[:, 1]] - hidden[:, arcs[:, 0]]
    solve = functools.partial(shortest_paths, source=0, method=method)
    exact = jax.vmap(lambda w: bellman_ford(base.replace(weights=w), 0))(
        to_device(tenths, np.int32)
    )
    days = [
        jax.vmap(lambda w: bellman_ford(base.replace(weights=w), 0))(
            to_device((tenths + rng.random(tenths.shape)) / 10, np.float32)
        )
        for _ in range(2)
    ]
    found = jax.jit(jax.vmap(lambda w, y, t: solve(base.replace(weights=w), potentials=y, tree=t)))(
        to_device(tenths / 10, np.float32), days[0].dist, days[1].parent
    )
    assert (np.asarray(found.status) == 0).all()
    np.testing.assert_allclose(found.dist, np.asarray(exact.dist) / 10, atol=1e-3)
    for lane in range(count):
        oracle.check_ends(jax.tree.map(lambda leaf: leaf[lane], found))  # noqa: B023


def test_bad_input(bad_input):
    graph = digraph_from_arcs([[0, 1]], 2)
    with pytest.raises(ValueError, match=r"tree: expected shape \[2\]"):
        policy(graph, 0, tree=jnp.zeros(3, jnp.int32))
    with pytest.raises(ValueError, match=r"tree: expected dtype integer"):
        policy(graph, 0, tree=jnp.zeros(2))
    with pytest.raises(ValueError, match=r"potentials: expected shape \[2\]"):
        policy(graph, 0, potentials=jnp.zeros(3))
