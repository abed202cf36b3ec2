"""Trees of another day against walks followed by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.graph_algorithms.trees import evaluate_tree, tree_from_potentials
from jaxlab.graphs import digraph_from_arcs, in_arcs
from tests.graph_algorithms import path_oracle as oracle
from tests.helpers import to_device

evaluate = jax.jit(jax.vmap(lambda graph, parent: evaluate_tree(graph, parent, 0)))


def walked(graph, parent):
    """Length of each vertex's walk, infinite where it has none."""
    lengths = []
    for vertex in range(oracle.NODES):
        at, length = vertex, 0
        for _ in range(oracle.NODES + 1):
            if at == 0 or length == oracle.INFINITE:
                break
            before = int(parent[at])
            edge = graph.get_edge_data(before, at)
            length = oracle.INFINITE if edge is None else length + edge["weight"]
            at = before
        lengths.append(length if at == 0 else oracle.INFINITE)
    return lengths


def test_any_pointers_are_evaluated():
    rng = np.random.default_rng(3)
    garbage = rng.integers(-3, oracle.NODES + 3, (oracle.COUNT, oracle.NODES))
    for number, instance in enumerate(oracle.instances()):  # half of them mostly arcs
        if number % 2 and len(instance.arcs):
            garbage[number, instance.arcs[:, 1]] = instance.arcs[:, 0]
    result = jax.device_get(evaluate(oracle.stack(), to_device(garbage, np.int32)))
    reached = 0
    for number, instance in enumerate(oracle.instances()):
        expected = walked(instance.digraph, garbage[number])
        np.testing.assert_array_equal(result.dist[number], expected)
        used = np.asarray(expected) < oracle.INFINITE
        used[0] = False
        np.testing.assert_array_equal(result.parent[number][used], garbage[number][used])
        assert (np.asarray(result.parent[number])[1:][~used[1:]] == -1).all()
        reached += used.sum()
    assert reached > 200

    def by_table(graph, parent):
        return evaluate_tree(graph, parent, 0, in_arcs=in_arcs(graph, width=oracle.ARCS))

    tabled = jax.jit(jax.vmap(by_table))(oracle.stack(), to_device(garbage, np.int32))
    np.testing.assert_array_equal(tabled.dist, result.dist)
    np.testing.assert_array_equal(tabled.parent, result.parent)


def test_distances_imply_arcs_on_shortest_paths():
    potentials = np.zeros((oracle.COUNT, oracle.NODES), np.int32)
    for number, instance in enumerate(oracle.instances()):
        potentials[number] = 0 if instance.dist is None else instance.dist[: oracle.NODES]
    implied = jax.jit(jax.vmap(lambda graph, y: tree_from_potentials(graph, y, 0)))
    parents = np.asarray(implied(oracle.stack(), to_device(potentials)))
    for number, instance in enumerate(oracle.instances()):
        assert parents[number, 0] == 0
        if instance.dist is None:
            continue
        graph = instance.digraph
        for vertex in range(1, instance.n):
            if instance.dist[vertex] < oracle.INFINITE:
                before = parents[number, vertex]
                step = graph[before][vertex]["weight"]
                assert instance.dist[before] + step == instance.dist[vertex]
            elif not graph.in_degree(vertex):
                assert parents[number, vertex] == -1


def test_parents_of_numpy_that_jax_would_cut_are_no_vertices(bad_input):
    graph = digraph_from_arcs([[0, 1], [0, 2]], 3)
    parent = np.array([-1, -(2**63), 2**32])  # their last 32 bits are 0
    assert (evaluate_tree(graph, parent, 0).parent[1:] == -1).all()
    assert (evaluate_tree(graph, np.zeros(3, int), 0).parent[1:] == 0).all()


def test_other_sizes_are_refused(bad_input):
    graph = jax.tree.map(lambda leaf: leaf[0], oracle.stack())
    with pytest.raises(ValueError, match=r"parent: expected shape \[12\]"):
        evaluate_tree(graph, jnp.zeros(3, jnp.int32), 0)
    with pytest.raises(ValueError, match=r"parent: expected dtype integer"):
        evaluate_tree(graph, jnp.zeros(12), 0)
    with pytest.raises(ValueError, match=r"potentials: expected shape \[12\]"):
        tree_from_potentials(graph, jnp.zeros(3), 0)
    with pytest.raises(ValueError, match=r"potentials: expected numbers that are not NaN"):
        tree_from_potentials(graph, jnp.full(12, jnp.nan), 0)
    traced = jax.jit(functools.partial(tree_from_potentials, source=0))
    np.testing.assert_array_equal(
        traced(graph, jnp.full(12, jnp.nan)), traced(graph, jnp.zeros(12))
    )
