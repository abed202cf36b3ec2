"""Triangles: every triple of a small graph, the trace of the cube of a larger one."""

import itertools
import math

import jax
import numpy as np
import pytest

from jaxlab.graphs import triangles
from jaxlab.graphs.containers import graph_from_edges, pad_graph
from jaxlab.graphs.triangles import count_triangles, list_triangles
from tests.graphs.instances import random_graph, shuffled, stacked

RNG = np.random.default_rng(2)


@pytest.mark.parametrize("chunk", [2, triangles.CHUNK])
def test_every_triple(monkeypatch, chunk):
    monkeypatch.setattr(triangles, "CHUNK", chunk)
    total = 0
    for _ in range(100):
        graph = shuffled(RNG, random_graph(RNG)[0])
        ends = np.stack([graph.senders, graph.receivers], axis=1).tolist()
        place = {tuple(pair): k for k, pair in enumerate(ends) if graph.mask[k]}
        vertices, edges = [], []
        for triple in itertools.combinations(range(graph.node_capacity), 3):
            pairs = list(itertools.combinations(triple, 2))
            if all(pair in place for pair in pairs):
                vertices.append(list(triple))
                edges.append([place[pair] for pair in pairs])
        found = list_triangles(graph)
        assert found.vertices.tolist() == vertices
        assert found.edges.tolist() == edges
        total += len(vertices)
    assert total > 200


def test_counts_of_a_graph_with_a_hub():
    n = 200
    adjacency = np.triu(RNG.random((n, n)) < 0.1, 1)
    adjacency[0, 1:] = True
    pairs = np.argwhere(adjacency)
    graph = pad_graph(graph_from_edges(pairs, n), node_capacity=n + 3, edge_capacity=len(pairs) + 2)
    whole = (adjacency | adjacency.T).astype(int)
    squared = whole @ whole
    found = count_triangles(graph)
    np.testing.assert_array_equal(found.edges[:-2], squared[pairs[:, 0], pairs[:, 1]])
    np.testing.assert_array_equal(found.vertices[:n], np.diagonal(squared @ whole) // 2)
    assert found.total == np.trace(squared @ whole) // 6
    assert found.edges[-2:].tolist() == [0, 0]


def test_none_and_all():
    for edges, n in (([], 0), ([], 3), ([[0, 1], [1, 2]], 3)):
        found = list_triangles(graph_from_edges(edges, n))
        assert found.vertices.shape == found.edges.shape == (0, 3)
    clique = graph_from_edges(list(itertools.combinations(range(12), 2)), 12)
    assert count_triangles(clique).total == math.comb(12, 3)


@pytest.mark.usefixtures("bad_input")
def test_one_graph_on_the_host():
    graph = graph_from_edges([[0, 1]], 2)
    with pytest.raises(ValueError, match="graph: expected one graph, outside of jit"):
        list_triangles(stacked([graph, graph]))
    with pytest.raises(ValueError, match="graph: expected one graph, outside of jit"):
        jax.jit(lambda graph: list_triangles(graph).vertices)(graph)
