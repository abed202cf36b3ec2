"""All methods for shortest paths against networkx."""

import jax
import jax.numpy as jnp
import pytest

from jaxlab.graph_algorithms.single_source import shortest_paths
from jaxlab.graphs import digraph_from_arcs
from tests.graph_algorithms import path_oracle as oracle
from tests.helpers import to_device


@pytest.mark.parametrize("method", ["bellman_ford", "goldberg"])
def test_equals_networkx_whatever_the_predictions(method):
    def solve(graph, potentials, tree):
        return shortest_paths(graph, 0, potentials=potentials, tree=tree, method=method)

    predictions, trees = (to_device(oracle.garbage(seed, 12)) for seed in (3, 4))
    oracle.check_paths(jax.jit(jax.vmap(solve))(oracle.stack(), predictions, trees))


def test_policy_is_the_default_and_a_negative_cycle_elsewhere_does_not_matter():
    arcs, weights = [[0, 1], [2, 3], [3, 2], [2, 1]], [4, -5, 1, -9]
    graph = digraph_from_arcs(arcs, 4, weights=weights)
    for method in ("policy", "bellman_ford", "goldberg"):
        found = shortest_paths(graph, 0, method=method)
        assert found.dist.tolist() == [0, 4, oracle.INFINITE, oracle.INFINITE]
        assert found.parent.tolist() == [0, 0, -1, -1]
        assert int(shortest_paths(graph, 2, method=method).status) == 1
    assert int(shortest_paths(graph, 0, potentials=jnp.array([0, 4, 99, 99])).rounds) == 1


def test_bad_input(bad_input):
    graph = digraph_from_arcs([[0, 1]], 2, weights=[0.5])
    with pytest.raises(ValueError, match=r"method: expected one of 'policy', 'bellman_ford'"):
        shortest_paths(graph, 0, method="bellman-ford")
    with pytest.raises(ValueError, match=r"graph.weights: expected dtype integer"):
        shortest_paths(graph, 0, method="goldberg")
    with pytest.raises(ValueError, match=r"tree: expected shape \[2\]"):
        shortest_paths(graph, 0, tree=jnp.zeros(3, jnp.int32), method="bellman_ford")
