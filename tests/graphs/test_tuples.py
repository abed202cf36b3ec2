"""GraphsTuples: what jraph sees of them, round trips, a message-passing step with padding."""

import chex
import jax
import jax.numpy as jnp
import jraph
import numpy as np
import pytest

from jaxlab.graphs.containers import digraph_from_arcs, graph_from_edges
from jaxlab.graphs.conversions import to_scipy
from jaxlab.graphs.dense import to_dense
from jaxlab.graphs.stacks import stack_graphs
from jaxlab.graphs.tuples import digraph_from_jraph, graph_from_jraph, to_jraph
from tests.graphs.instances import (
    EDGES,
    NODES,
    dtypes,
    edges_of,
    random_digraph,
    random_graph,
    shuffled,
    stacked,
)

RNG = np.random.default_rng(37)
ROOM = {"node_capacity": NODES, "edge_capacity": EDGES}


def tuple_of(graph):
    """Unpadded, made by hand."""
    arcs = np.asarray(edges_of(graph), np.int32).reshape(-1, 3)
    n = int(graph.n_node)
    return jraph.GraphsTuple(
        nodes=np.arange(n),
        edges=arcs[:, 2],
        senders=arcs[:, 0],
        receivers=arcs[:, 1],
        globals=None,
        n_node=np.array([n]),
        n_edge=np.array([len(arcs)]),
    )


def test_stack_is_the_batch_that_jraph_pads():
    graphs = [random_digraph(RNG, weights=True)[0] for _ in range(6)]
    # in lexicographic order, as the tuples made by hand
    graphs = [digraph_from_jraph(tuple_of(graph), **ROOM) for graph in graphs]
    nodes = jnp.tile(jnp.arange(NODES), (6, 1))
    found = to_jraph(stacked(graphs), nodes=nodes, num_nodes=80, num_edges=150)
    batch = jraph.batch_np([tuple_of(graph) for graph in graphs])
    wanted = jraph.pad_with_graphs(batch, n_node=80, n_edge=150, n_graph=7)
    chex.assert_trees_all_equal(found, wanted)
    inside = jax.jit(to_jraph)(stacked(graphs), nodes=nodes)
    assert inside.nodes.shape == (6 * NODES + 1,)
    again = jraph.unpad_with_graphs(inside)
    chex.assert_trees_all_equal(again, jraph.unpad_with_graphs(found))


@pytest.mark.parametrize("weights", [False, True])
def test_round_trips(weights):
    for _ in range(15):
        graph = shuffled(RNG, random_graph(RNG, weights=weights)[0])
        again = graph_from_jraph(to_jraph(graph), padded=True, **ROOM)
        assert edges_of(again) == edges_of(graph)
        assert again.n_node == graph.n_node
        graph = shuffled(RNG, random_digraph(RNG, weights=weights)[0])
        again = digraph_from_jraph(to_jraph(graph), padded=True, **ROOM)
        assert edges_of(again) == edges_of(graph)
        assert (again.weights is None) == (not weights)


def test_aggregation_over_a_stack():
    graphs = [random_graph(RNG)[0] for _ in range(4)]
    features = jnp.asarray(RNG.standard_normal((4, NODES, 2)), jnp.float32)
    made = to_jraph(stacked(graphs), nodes=features)
    messages = made.nodes[made.senders]
    sums = jraph.segment_sum(messages, made.receivers, made.nodes.shape[0])
    start = 0
    for graph, x in zip(graphs, features, strict=True):
        n = int(graph.n_node)
        wanted = (np.asarray(to_dense(graph)) @ np.asarray(x))[:n]
        np.testing.assert_allclose(sums[start : start + n], wanted, atol=1e-5)
        start += n


def test_empty_graphs():
    made = to_jraph(stack_graphs([graph_from_edges([], 0)] * 2))
    assert made.n_node.tolist() == [0, 0, 3]
    assert made.n_edge.tolist() == [0, 0, 4]
    assert made.senders.tolist() == [0, 0, 0, 0]
    assert graph_from_jraph(made, padded=True).n_node == 0


@pytest.mark.parametrize("weights", [None, np.zeros(0, np.float32)])
def test_no_edges_and_room_for_some(weights):
    made = to_jraph(graph_from_edges([], 1, weights=weights), num_edges=4)
    assert made.senders.tolist() == made.receivers.tolist() == [1, 1, 1, 1]
    assert (made.n_node.tolist(), made.n_edge.tolist()) == ([1, 1], [0, 4])
    assert made.edges is None if weights is None else made.edges.tolist() == [0, 0, 0, 0]
    assert made.edges is None or made.edges.dtype == jnp.float32


def test_features_of_no_vertices():
    made = to_jraph(graph_from_edges([], 0), nodes=jnp.zeros((0, 2)))
    assert made.nodes.tolist() == [[0, 0]]
    assert made.n_node.tolist() == [0, 1]


@pytest.mark.usefixtures("x64")
def test_integers_stay_int32():
    assert dtypes(to_jraph(graph_from_edges([[0, 1]], 2))) == {"int32"}


def test_weights_of_half_precision():
    graph = graph_from_edges([[0, 1], [1, 2]], 3).replace(weights=jnp.ones(2, jnp.bfloat16))
    again = graph_from_jraph(to_jraph(graph), padded=True)
    jax.tree.map(np.testing.assert_array_equal, again, graph)
    matrix = to_scipy(graph)
    assert (matrix.dtype, matrix.sum()) == (np.float32, 4)


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    graph = graph_from_edges([[0, 1], [1, 2]], 3)
    with pytest.raises(ValueError, match="num_nodes: expected room for 4, got 3"):
        to_jraph(graph, num_nodes=3)
    with pytest.raises(ValueError, match="num_edges: expected room for 4, got 3"):
        to_jraph(graph, num_edges=3)
    with pytest.raises(ValueError, match="num_edges: expected room for 4, got 3"):
        jax.jit(lambda graph: to_jraph(graph, num_edges=3))(graph)
    with pytest.raises(ValueError, match=r"nodes: expected shape \[3, ...\]"):
        to_jraph(graph, nodes=jnp.zeros((2, 5)))
    arcs = to_jraph(digraph_from_arcs([[0, 1]], 2))
    with pytest.raises(ValueError, match="graphs: expected with every arc the opposite one"):
        graph_from_jraph(arcs, padded=True)
    with pytest.raises(ValueError, match="graphs: expected a tuple outside of jit"):
        jax.jit(digraph_from_jraph)(arcs)
