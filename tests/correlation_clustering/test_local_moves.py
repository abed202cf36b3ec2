"""Moves never raise the cost, keep to the budget, and end where no vertex would gain."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.correlation_clustering import disagreements, local_moves
from jaxlab.correlation_clustering.local_moves import _sorted_pairs
from jaxlab.graphs import graph_from_edges
from tests.correlation_clustering import oracles
from tests.correlation_clustering.instances import N, clique, padded, random_graphs, stacked


def best_gain(edges, labels, vertex):
    """Cost now less the least cost after a move of one vertex."""
    others = set(np.delete(labels, vertex).tolist()) | {-1}
    costs = []
    for label in others:
        moved = np.array(labels)
        moved[vertex] = label
        costs.append(oracles.cost(edges, moved))
    return oracles.cost(edges, labels) - min(costs)


def test_costs_never_rise_and_end_at_a_local_optimum():
    for number, (rng, edges, n) in enumerate(random_graphs(30, 30, largest=12)):
        graph = padded(edges, n)
        start = jnp.asarray(rng.integers(-2, 5, N), jnp.int32)
        found = jax.device_get(local_moves(jax.random.key(number), graph, start, rounds=24))
        labels = found.labels[:n]
        costs = [oracles.cost(edges, np.asarray(start)[:n].tolist()), *found.cost.tolist()]
        assert (np.diff(costs) <= 0).all()
        assert costs[-1] == oracles.cost(edges, labels.tolist())
        assert found.converged
        assert all(best_gain(edges, labels, vertex) <= 0 for vertex in range(n))
        assert found.labels[n:].tolist() == list(range(n, N))
        assert not found.moves[n:].any()


def test_budget():
    for number, (_, edges, n) in enumerate(random_graphs(31, 20)):
        graph = padded(edges, n)
        for budget in (0, 1):
            found = local_moves(
                jax.random.key(number), graph, jnp.arange(N), rounds=24, budget=budget
            )
            assert found.moves.max() <= budget
            if budget == 0:
                assert found.labels.tolist() == list(range(N))
                assert found.converged


def test_budget_of_each_vertex():
    for number, (rng, edges, n) in enumerate(random_graphs(33, 10)):
        graph, key, start = padded(edges, n), jax.random.key(number), jnp.arange(N)
        limits = rng.integers(0, 3, N)
        found = local_moves(key, graph, start, rounds=24, budget=jnp.asarray(limits))
        moves, labels = np.asarray(found.moves), np.asarray(found.labels)[:n]
        assert (moves <= limits).all()
        free = np.flatnonzero(moves < limits)
        assert found.converged
        assert all(best_gain(edges, labels, vertex) <= 0 for vertex in free[free < n])
        alike = local_moves(key, graph, start, rounds=24, budget=jnp.ones(N, jnp.int8))
        one = local_moves(key, graph, start, rounds=24, budget=1)
        jax.tree.map(np.testing.assert_array_equal, alike, one)


@pytest.mark.parametrize("room", [0, 2])
def test_no_vertices(room):
    nothing = graph_from_edges(np.zeros((0, 2), int), 0, edge_capacity=room)
    found = local_moves(jax.random.key(0), nothing, jnp.zeros(0, jnp.int32), rounds=2)
    assert found.labels.shape == found.moves.shape == (0,)
    assert found.cost.tolist() == [0, 0]
    assert found.converged


def test_cliques_are_found_from_anywhere():
    graph = graph_from_edges(clique(range(9)) + clique(range(9, 20)) + [(0, 19)], 20)
    for start in (jnp.arange(20), jnp.zeros(20, int)):
        found = local_moves(jax.random.key(0), graph, start, rounds=60)
        assert disagreements(graph, found.labels) == 1
        assert found.converged


@pytest.mark.parametrize("most", [7, 2**16 - 1, 2**16])
def test_pairs_in_order(most):
    first, second = np.random.default_rng(0).integers(0, [[4], [most + 1]], (2, 500))
    first[0] = most
    found = _sorted_pairs(jnp.asarray(first, jnp.int32), jnp.asarray(second, jnp.int32), most)
    order = np.lexsort((second, first))
    np.testing.assert_array_equal(found, [first[order], second[order]])


def test_vmap_is_a_loop():
    graphs = [padded(edges, n) for _, edges, n in random_graphs(32, 3)]
    keys = jax.random.split(jax.random.key(5), 3)
    start = jnp.arange(N)
    together = jax.vmap(lambda key, graph: local_moves(key, graph, start, rounds=24))(
        keys, stacked(graphs)
    )
    for number, graph in enumerate(graphs):
        alone = local_moves(keys[number], graph, start, rounds=24)
        np.testing.assert_array_equal(together.labels[number], alone.labels)
        np.testing.assert_array_equal(together.cost[number], alone.cost)


def test_bad_input(bad_input):
    graph = graph_from_edges([[0, 1]], 3)
    with pytest.raises(ValueError, match="rounds: expected an integer >= 1"):
        local_moves(jax.random.key(0), graph, jnp.arange(3), rounds=0)
    for match, budget in {
        "budget: expected dtype integer": 0.5,
        "budget: expected a finite number >= 0": -1,
        "budget: expected a finite number >= 0 and <= 2147483647": 2**31,
        r"budget: expected shape \[3\]": jnp.ones(2, int),
    }.items():
        with pytest.raises(ValueError, match=match):
            local_moves(jax.random.key(0), graph, jnp.arange(3), rounds=1, budget=budget)
    with pytest.raises(ValueError, match=r"labels: expected shape \[3\]"):
        local_moves(jax.random.key(0), graph, jnp.arange(4), rounds=1)
