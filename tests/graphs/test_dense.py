"""Dense matrices: round trips for stacks of graphs, and what cannot be known inside jit."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.graphs.containers import graph_from_edges
from jaxlab.graphs.dense import graph_from_dense, to_dense, to_digraph
from tests.graphs.instances import (
    NODES,
    edges_of,
    matrix_of,
    numpy,
    random_digraph,
    random_graph,
    shuffled,
    stacked,
)

RNG = np.random.default_rng(29)


def test_dense():
    for make, directed in ((random_graph, False), (random_digraph, True)):
        for weights in (False, True):
            graphs = [shuffled(RNG, make(RNG, weights=weights)[0]) for _ in range(30)]
            found = numpy(jax.vmap(to_dense)(stacked(graphs)))
            assert found.dtype == (jnp.int32 if weights else bool)
            for lane, graph in enumerate(graphs):
                wanted = matrix_of(graph, directed)
                wanted = wanted if weights else wanted > 0
                np.testing.assert_array_equal(found[lane], wanted)


def test_dense_round_trip_in_and_out_of_jit():
    graphs = [random_graph(RNG, weights=True)[0] for _ in range(30)]
    matrices = jax.vmap(to_dense)(stacked(graphs))
    sizes = jnp.stack([graph.n_node for graph in graphs])

    def back(matrix, n_node):
        return graph_from_dense(matrix, n_node=n_node, weighted=True)

    stack = numpy(jax.vmap(back)(matrices, sizes))
    matrices = np.asarray(matrices)
    for lane, graph in enumerate(graphs):
        again = jax.tree.map(lambda leaf, lane=lane: leaf[lane], stack)
        assert edges_of(again) == edges_of(graph)
        assert again.n_node == graph.n_node
        if lane < 5:
            outside = back(jnp.asarray(matrices[lane]), int(graph.n_node))
            chex.assert_trees_all_equal(again, outside)
        assert (again.senders[~again.mask] == NODES).all()
    matrix = jnp.asarray(matrices[0])
    tight = graph_from_dense(matrix, edge_capacity=30)
    assert edges_of(tight) == edges_of(graph_from_dense(matrix))
    assert tight.edge_capacity == 30


@pytest.mark.parametrize("weighted", [False, True])
def test_no_vertices_and_room_for_edges(weighted):
    empty = graph_from_dense(jnp.zeros((0, 0)), weighted=weighted, edge_capacity=2)
    assert empty.mask.tolist() == [False, False]
    assert empty.weights is None if not weighted else empty.weights.tolist() == [0, 0]
    assert to_dense(empty).shape == (0, 0)


@pytest.mark.parametrize("entry", [2**32, 3_000_000_000, 1e-300, 1e300])
def test_an_entry_that_jax_narrows_is_an_edge(entry, bad_input):
    graph = graph_from_dense(np.array([[0, entry, 0], [entry, 0, 0], [0, 0, 0]]))
    assert (graph.senders.tolist(), graph.receivers.tolist()) == ([0, 3, 3], [1, 3, 3])


def test_weights_that_jax_narrows(bad_input):
    for entry in (2**32, 3_000_000_000, 1e300):
        with pytest.raises(ValueError, match=r"adjacency: expected numbers that fit (int|float)32"):
            graph_from_dense(np.array([[0, entry], [entry, 0]]), weighted=True)
    padding = np.zeros((3, 3), np.int64)
    padding[0, 1] = padding[1, 0] = 5
    padding[2, 2] = 2**40
    assert graph_from_dense(padding, n_node=2, weighted=True).weights.tolist() == [5, 0, 0]
    tiny = graph_from_dense(np.array([[0, 1e-300], [1e-300, 0]]), weighted=True)
    assert (tiny.mask.tolist(), tiny.weights.tolist()) == ([True], [0.0])
    edge = np.array([[0, 1], [1, 0]])
    for dtype in (bool, np.uint8, np.int64, np.float64, jnp.bfloat16, np.complex128):
        assert graph_from_dense(edge.astype(dtype), weighted=True).weights.tolist() == [1]
    with jax.enable_x64(True):
        assert graph_from_dense(edge * 2**40, weighted=True).weights.tolist() == [2**40]


def test_two_arcs_an_edge():
    graph = graph_from_edges([[2, 0], [1, 2]], 3, weights=[5, 6], node_capacity=4, edge_capacity=3)
    arcs = to_digraph(graph)
    assert arcs.senders.tolist() == [0, 1, 4, 2, 2, 4]
    assert arcs.receivers.tolist() == [2, 2, 4, 0, 1, 4]
    assert arcs.weights.tolist() == [5, 6, 0, 5, 6, 0]
    np.testing.assert_array_equal(to_dense(arcs), to_dense(graph))


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    edge = jnp.array([[0, 1], [1, 0]])
    with pytest.raises(ValueError, match=r"adjacency: expected shape \[2, 2\]"):
        graph_from_dense(jnp.zeros((2, 3)))
    with pytest.raises(ValueError, match="adjacency: expected a symmetric matrix"):
        graph_from_dense(jnp.array([[0, 1], [0, 0]]))
    with pytest.raises(ValueError, match="adjacency: expected a symmetric matrix"):
        graph_from_dense(jnp.eye(2))
    with pytest.raises(ValueError, match="edge_capacity: expected room for 1 edges, got 0"):
        graph_from_dense(edge, edge_capacity=0)
    with pytest.raises(ValueError, match="edge_capacity: expected at least 1"):
        jax.jit(lambda matrix: graph_from_dense(matrix, edge_capacity=0))(edge)
    with pytest.raises(ValueError, match="n_node: expected a number of vertices from 0 to 2"):
        graph_from_dense(jnp.zeros((2, 2)), n_node=3)
    with pytest.raises(ValueError, match="n_node: expected dtype integer"):
        graph_from_dense(jnp.zeros((2, 2)), n_node=1.5)
