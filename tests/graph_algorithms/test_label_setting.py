"""Dijkstra's algorithm in rounds against networkx."""

import functools

import jax
import numpy as np
import pytest

from jaxlab.graph_algorithms.label_correcting import bellman_ford
from jaxlab.graph_algorithms.label_setting import dijkstra
from jaxlab.graphs import digraph_from_arcs
from tests.graph_algorithms import path_oracle as oracle


def test_equals_networkx_where_no_length_is_negative():
    solve = jax.jit(jax.vmap(lambda graph: dijkstra(graph, 0)))
    result = jax.device_get(solve(oracle.stack()))
    solved = 0
    for number, instance in enumerate(oracle.instances()):
        if (instance.weights < 0).any():
            assert result.status[number] == 4
            continue
        solved += 1
        assert result.status[number] == 0
        np.testing.assert_array_equal(result.dist[number], instance.dist)
        oracle.check_tree(instance, np.asarray(result.dist[number]), result.parent[number])
    assert solved > 30


def test_many_vertices_are_settled_in_one_round():
    rng = np.random.default_rng(0)
    arcs = rng.integers(0, 300, (3000, 2))
    graph = digraph_from_arcs(arcs, 300, weights=rng.integers(50, 100, 3000).astype(np.int32))
    result = dijkstra(graph, 0)
    np.testing.assert_array_equal(result.dist, bellman_ford(graph, 0).dist)
    assert int(result.rounds) < 30


def test_negative_lengths_are_refused(bad_input):
    graph = digraph_from_arcs([[0, 1], [1, 0]], 2, weights=[3, -1])
    with pytest.raises(ValueError, match=r"graph.weights: expected no negative length, got -1"):
        dijkstra(graph, 0)
    assert int(jax.jit(functools.partial(dijkstra, source=0))(graph).status) == 4
    with pytest.raises(ValueError, match="source"):
        dijkstra(graph, -1)
