"""Graphs with vertices but without room for an arc: as those with room and no arc in it."""

import inspect

import chex
import jax.numpy as jnp
import pytest

from jaxlab import graph_algorithms
from jaxlab.graphs import digraph_from_arcs, pad_graph

N = 3
ARGUMENTS = {
    "source": 0,
    "potentials": jnp.array([0, 2, 1]),
    "supply": jnp.zeros(N, jnp.int32),
    "parent": jnp.array([0, -1, -1]),
}
ON_DIGRAPHS = [
    "bellman_ford",
    "dijkstra",
    "evaluate_tree",
    "feasible_potentials",
    "find_negative_cycle",
    "goldberg_potentials",
    "min_cost_flow_01",
    "policy",
    "shortest_paths",
    "tree_from_potentials",
]


@pytest.mark.parametrize("name", ON_DIGRAPHS)
def test_no_room_for_arcs_is_as_room_without_arcs(name):
    function = getattr(graph_algorithms, name)
    taken = inspect.signature(function).parameters
    arguments = {key: value for key, value in ARGUMENTS.items() if key in taken}

    def solve(graph):
        return function(graph, **arguments)

    graph = digraph_from_arcs([], N)
    found = solve(graph)
    expected = solve(pad_graph(graph, node_capacity=N, edge_capacity=1))
    if name == "min_cost_flow_01":
        assert not expected.flow.any()
        expected = expected._replace(flow=expected.flow[:0])
    chex.assert_trees_all_equal(found, expected)
    assert int(getattr(found, "status", 0)) == 0
