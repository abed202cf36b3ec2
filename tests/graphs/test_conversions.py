"""Conversions: round trips, what networkx and SciPy see, and what is refused."""

import chex
import networkx
import numpy as np
import pytest
import scipy.sparse

from jaxlab.graphs import conversions as conv
from jaxlab.graphs.containers import digraph_from_arcs, graph_from_edges, pad_graph
from tests.graphs.instances import (
    EDGES,
    NODES,
    edges_of,
    matrix_of,
    random_digraph,
    random_graph,
    shuffled,
    stacked,
)

RNG = np.random.default_rng(23)
ROOM = {"node_capacity": NODES, "edge_capacity": EDGES}


@pytest.mark.parametrize("weights", [False, True])
def test_undirected_round_trips(weights):
    for _ in range(30):
        graph = shuffled(RNG, random_graph(RNG, weights=weights)[0])
        n = int(graph.n_node)
        matrix = conv.to_scipy(graph)
        np.testing.assert_array_equal(matrix.toarray(), matrix_of(graph, False)[:n, :n])
        again = conv.graph_from_scipy(matrix, weighted=weights, **ROOM)
        assert edges_of(again) == edges_of(graph)
        assert (again.weights is None) == (not weights)
        listed = {frozenset(edge) for edge in conv.to_edges(graph).tolist()}
        seen = conv.to_networkx(graph)
        assert listed == {frozenset(edge) for edge in seen.edges}
        assert (seen.number_of_nodes(), seen.is_directed()) == (n, False)
        again = conv.from_networkx(seen, weight="weight" if weights else None, **ROOM)
        assert edges_of(again) == edges_of(graph)


@pytest.mark.parametrize("weights", [False, True])
def test_directed_round_trips(weights):
    for _ in range(30):
        graph = shuffled(RNG, random_digraph(RNG, weights=weights)[0])
        n = int(graph.n_node)
        matrix = conv.to_scipy(graph)
        np.testing.assert_array_equal(matrix.toarray(), matrix_of(graph, True)[:n, :n])
        again = conv.to_scipy(conv.digraph_from_scipy(matrix, **ROOM))
        assert (again != matrix).nnz == 0
        seen = conv.to_networkx(graph)
        parallel = len({tuple(arc[:2]) for arc in edges_of(graph)}) < len(edges_of(graph))
        assert seen.is_directed()
        assert seen.is_multigraph() == parallel
        again = conv.from_networkx(seen, weight="weight" if weights else None, **ROOM)
        assert edges_of(again) == edges_of(graph)


def test_named_vertices_and_matrices_in_other_forms():
    named = networkx.DiGraph([("b", "a"), ("a", "c")])
    assert edges_of(conv.from_networkx(named)) == [[0, 1, 1], [1, 2, 1]]
    twice = scipy.sparse.coo_array(([1, 2, 4], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    assert edges_of(conv.digraph_from_scipy(twice)) == [[0, 1, 3], [1, 0, 4]]
    assert edges_of(conv.graph_from_scipy(twice, weighted=False)) == [[0, 1, 1]]
    adjacency = scipy.sparse.csr_array(np.array([[False, True], [True, False]]))
    for convert in (conv.graph_from_scipy, conv.digraph_from_scipy):
        weights = convert(adjacency).weights
        assert (weights.dtype, set(weights.tolist())) == (np.int32, {1})
    roomy = conv.graph_from_scipy(twice, weighted=False, node_capacity=5, edge_capacity=4)
    wanted = pad_graph(graph_from_edges([[0, 1]], 2), node_capacity=5, edge_capacity=4)
    chex.assert_trees_all_equal(roomy, wanted)


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    with pytest.raises(ValueError, match="matrix: expected a SciPy sparse matrix"):
        conv.graph_from_scipy(np.eye(2))
    with pytest.raises(ValueError, match=r"matrix: expected shape \[2, 2\]"):
        conv.digraph_from_scipy(scipy.sparse.csr_array(np.ones((2, 3))))
    with pytest.raises(ValueError, match=r"matrix: expected no entry on the diagonal.*\[\[1, 1\]"):
        conv.graph_from_scipy(scipy.sparse.csr_array(np.diag([0, 1])))
    lopsided = scipy.sparse.csr_array(np.array([[0, 1], [2, 0]]))
    with pytest.raises(ValueError, match="matrix: expected a symmetric matrix"):
        conv.graph_from_scipy(lopsided)
    with pytest.raises(ValueError, match="weight: expected an attribute of every edge"):
        conv.from_networkx(networkx.path_graph(3), weight="length")
    with pytest.raises(ValueError, match="edges: expected no edge from a vertex to itself"):
        conv.from_networkx(networkx.Graph([(0, 0)]))
    graph = digraph_from_arcs([[0, 1]], 2)
    with pytest.raises(ValueError, match="graph: expected one graph, outside of jit"):
        conv.to_scipy(stacked([graph, graph]))
