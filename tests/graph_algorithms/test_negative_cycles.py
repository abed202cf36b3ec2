"""Negative cycles against networkx's verdicts, and followed arc by arc."""

import jax
import numpy as np

from jaxlab.graph_algorithms.negative_cycles import find_negative_cycle
from jaxlab.graphs import digraph_from_arcs
from tests.graph_algorithms import path_oracle as oracle


def test_found_exactly_where_there_is_one():
    result = jax.device_get(jax.jit(jax.vmap(find_negative_cycle))(oracle.stack()))
    longest = 0
    for number, instance in enumerate(oracle.instances()):
        vertices = np.asarray(result.vertices[number])
        count = (vertices >= 0).sum()
        assert (vertices[count:] == -1).all()
        assert result.status[number] == instance.negative == (count > 0)
        cycle = vertices[:count].tolist()
        assert len(set(cycle)) == count
        graph = instance.digraph
        steps = zip(cycle, cycle[1:] + cycle[:1], strict=True)
        assert result.length[number] == sum(graph[tail][head]["weight"] for tail, head in steps)
        assert (result.length[number] < 0) == instance.negative
        longest = max(longest, count)
    assert longest >= 4


def test_no_vertices_have_no_cycle():
    found = find_negative_cycle(digraph_from_arcs([], 0))
    assert (found.vertices.shape, int(found.length), int(found.status)) == ((0,), 0, 0)
    found = find_negative_cycle(digraph_from_arcs([], 0, node_capacity=3, edge_capacity=2))
    assert (found.vertices.tolist(), int(found.length), int(found.status)) == ([-1] * 3, 0, 0)


def test_a_cycle_of_length_zero_is_none():
    graph = digraph_from_arcs([[0, 1], [1, 0], [2, 2]], 3, weights=[-4, 4, 0])
    assert find_negative_cycle(graph).vertices.tolist() == [-1, -1, -1]
    loop = graph.replace(weights=graph.weights.at[2].set(-7))
    found = find_negative_cycle(loop)
    assert (found.vertices.tolist(), int(found.length)) == ([2, -1, -1], -7)
