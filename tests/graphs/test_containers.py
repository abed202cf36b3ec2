"""Containers: what is refused, where padding stands, one program for all sizes."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.graphs.components import graph_components, largest_component
from jaxlab.graphs.containers import (
    compact_graph,
    digraph_from_arcs,
    graph_from_edges,
    pad_graph,
)
from jaxlab.graphs.degree import degrees, in_degrees, out_degrees
from jaxlab.graphs.dense import to_dense, to_digraph
from jaxlab.graphs.layouts import csr, in_arcs
from jaxlab.graphs.traversal import breadth_first_search
from jaxlab.graphs.triangles import count_triangles


def edges_of(graph):
    mask = np.asarray(graph.mask)
    return np.stack([graph.senders, graph.receivers], axis=1)[mask].tolist()


def test_edges_keep_their_order_and_padding_stands_past_the_last_vertex():
    graph = graph_from_edges([[3, 1], [0, 2]], 4, weights=[7, 8], node_capacity=6, edge_capacity=5)
    assert edges_of(graph) == [[1, 3], [0, 2]]
    assert graph.senders.dtype == graph.receivers.dtype == graph.n_node.dtype == jnp.int32
    assert graph.senders[2:].tolist() == graph.receivers[2:].tolist() == [6, 6, 6]
    assert graph.weights.tolist() == [7, 8, 0, 0, 0]
    assert (graph.node_capacity, graph.edge_capacity, int(graph.n_node)) == (6, 5, 4)


def test_jax_tells_graphs_from_digraphs():
    room = {"weights": [3], "node_capacity": 2, "edge_capacity": 2}
    graph, digraph = graph_from_edges([[0, 1]], 2, **room), digraph_from_arcs([[0, 1]], 2, **room)
    assert jax.tree.structure(graph) != jax.tree.structure(digraph)
    assert (graph.directed, digraph.directed) == (False, True)


def test_arcs_keep_direction_loops_and_parallels():
    arcs = [[2, 0], [0, 0], [2, 0]]
    assert edges_of(digraph_from_arcs(arcs, 3)) == arcs


@pytest.mark.parametrize("make", [graph_from_edges, digraph_from_arcs])
def test_graphs_without_edges_or_vertices(make):
    for n_node in (0, 3):
        graph = make([], n_node)
        assert graph.edge_capacity == 0
        assert pad_graph(graph, node_capacity=3, edge_capacity=2).mask.tolist() == [False, False]


def test_more_room_is_the_room_asked_for_at_once():
    edges = [[0, 1], [1, 2]]
    grown = pad_graph(graph_from_edges(edges, 3, edge_capacity=3), node_capacity=5, edge_capacity=6)
    at_once = graph_from_edges(edges, 3, node_capacity=5, edge_capacity=6)
    chex.assert_trees_all_equal(grown, at_once)
    assert jax.tree.structure(grown) == jax.tree.structure(at_once)


def test_graphs_of_equal_capacity_stack_and_share_a_program():
    traces = []

    @jax.jit
    def degrees(graph):
        traces.append(graph)
        ends = jnp.concatenate([graph.senders, graph.receivers])
        return jnp.zeros(graph.node_capacity, jnp.int32).at[ends].add(1, mode="drop")

    room = {"node_capacity": 4, "edge_capacity": 3}
    graphs = [graph_from_edges([[0, 1], [1, 2]], 3, **room), graph_from_edges([[0, 3]], 4, **room)]
    expected = [[1, 2, 1, 0], [1, 0, 0, 1]]
    assert [degrees(graph).tolist() for graph in graphs] == expected
    assert len(traces) == 1
    stack = jax.tree.map(lambda *leaves: jnp.stack(leaves), *graphs)
    assert jax.vmap(degrees)(stack).tolist() == expected


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize(
    ("edges", "options", "message"),
    [
        ([[0, 3]], {}, r"edges: expected vertices from 0 to n_node - 1 = 2, got \[\[0, 3\]\]"),
        ([[-1, 2]], {}, "edges: expected vertices from 0"),
        ([[1, 1]], {}, r"edges: expected no edge from a vertex to itself, got \[\[1, 1\]\]"),
        ([[0, 1], [1, 0]], {}, r"edges: expected each edge once.*got \[\[0, 1\]\]"),
        ([[2, 1], [2, 0], [1, 2], [0, 2]], {}, r"edges: expected each edge once.*got \[\[0, 2\]\]"),
        ([[0, 1, 2]], {}, r"edges: expected shape \[m, 2\]"),
        ([[0.0, 1.0]], {}, "edges: expected dtype integer"),
        ([[0, 1]], {"weights": [1, 2]}, r"weights: expected shape \[1\]"),
        ([[0, 1]], {"weights": [2**40 + 5]}, r"weights: expected numbers that fit int32, got \[10"),
        ([[0, 1]], {"weights": [1e300]}, r"weights: expected numbers that fit float32, got \[1e\+"),
        ([[0, 1]], {"weights": ["a"]}, "weights: expected real numbers"),
        ([[0, 1]], {"weights": [1j]}, "weights: expected real numbers"),
        ([[0, 1]], {"node_capacity": 2}, "node_capacity: expected an integer"),
        ([[0, 1]], {"edge_capacity": 0}, "edge_capacity: expected an integer"),
    ],
)
def test_bad_edges_are_refused(edges, options, message):
    with pytest.raises(ValueError, match=message):
        graph_from_edges(edges, 3, **options)
    if "itself" not in message and "once" not in message:
        with pytest.raises(ValueError, match=message.replace("edges:", "arcs:")):
            digraph_from_arcs(edges, 3, **options)


@pytest.mark.usefixtures("bad_input")
def test_more_vertices_than_int32_numbers_are_refused():
    for n_node in (2**31, 2**63):
        with pytest.raises(ValueError, match="node_capacity: expected what int32 can number"):
            graph_from_edges([[0, 1]], n_node)


@pytest.mark.usefixtures("bad_input")
def test_less_room_is_refused():
    with pytest.raises(ValueError, match="edge_capacity: expected an integer >= 2"):
        pad_graph(graph_from_edges([[0, 1], [1, 2]], 3), node_capacity=3, edge_capacity=1)


def test_edges_move_in_front_of_the_padding():
    room = {"node_capacity": 4, "edge_capacity": 5}
    graph = graph_from_edges([[0, 1], [1, 2], [0, 3]], 4, weights=[5, 6, 7], **room)
    order = jnp.array([3, 2, 0, 4, 1])
    strewn = jax.tree.map(lambda leaf: leaf[order] if leaf.ndim else leaf, graph)
    compact = compact_graph(strewn)
    assert edges_of(compact) == [[0, 3], [0, 1], [1, 2]]
    assert compact.weights.tolist() == [7, 5, 6]
    assert compact.edge_capacity == 3
    assert compact_graph(strewn, edge_capacity=4).senders.tolist() == [0, 0, 1, 4]
    inside = jax.jit(lambda graph: compact_graph(graph, edge_capacity=5))(strewn)
    wanted = pad_graph(compact, **room)
    chex.assert_trees_all_equal(inside, wanted)


@pytest.mark.usefixtures("bad_input")
def test_edges_without_room_are_refused():
    graph = graph_from_edges([[0, 1], [1, 2]], 3)
    with pytest.raises(ValueError, match="edge_capacity: expected an integer >= 2, got 1"):
        compact_graph(graph, edge_capacity=1)
    with pytest.raises(ValueError, match="edge_capacity: expected a number, for a graph inside"):
        jax.jit(compact_graph)(graph)


@pytest.mark.usefixtures("x64")
def test_wide_weights():
    assert graph_from_edges([[0, 1]], 2, weights=[2**40 + 5]).weights.tolist() == [2**40 + 5]


@pytest.mark.usefixtures("bad_input")
def test_kinds_and_stacks():
    graph, digraph = graph_from_edges([[0, 1]], 2), digraph_from_arcs([[0, 1]], 2)
    one, undirected, directed = "one graph; for a stack use jax.vmap", "a Graph", "a Digraph: see"
    stack = jax.tree.map(lambda leaf: leaf[None], graph)
    arcs = jax.tree.map(lambda leaf: leaf[None], digraph)
    for refused, expected, *functions in [
        (stack, one, degrees, to_dense, to_digraph, csr, graph_components, compact_graph),
        (stack, one, lambda g: pad_graph(g, node_capacity=2, edge_capacity=2)),
        (stack, one, lambda g: breadth_first_search(g, 0), largest_component),
        (arcs, one, in_degrees, out_degrees),
        (digraph, undirected, degrees, to_digraph, count_triangles),
        (graph, directed, in_degrees, out_degrees),
    ]:
        for function in functions:
            with pytest.raises(ValueError, match=f"graph: expected {expected}"):
                function(refused)


def test_no_edges_and_room_for_some():
    graph = digraph_from_arcs([], 2)
    assert compact_graph(graph, edge_capacity=2).senders.tolist() == [2, 2]
    assert in_arcs(graph, width=2).index.tolist() == [[2, 2], [2, 2]]
    nobody = breadth_first_search(digraph_from_arcs([], 0, edge_capacity=1), 0)
    assert (nobody.distances.shape, int(nobody.levels)) == ((0,), 0)
