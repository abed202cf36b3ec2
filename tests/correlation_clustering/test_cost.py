"""Costs against counting pair by pair, and the identity with the constant Potts model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.correlation_clustering import (
    agreement_clustering,
    common_neighbors,
    constant_potts_quality,
    disagreements,
    local_moves,
    pivot_clustering,
    pivot_sequential,
    sharded_agreement_clustering,
    singletons,
    triangle_packing_lower_bound,
    vertex_disagreements,
)
from jaxlab.graphs import digraph_from_arcs, graph_from_edges
from tests.correlation_clustering import oracles
from tests.correlation_clustering.instances import N, padded, random_graphs, stacked


def labelled(seed, count):
    for rng, edges, n in random_graphs(seed, count):
        labels = np.concatenate([rng.integers(-3, 4, n), rng.integers(-3, 4, N - n)])
        yield padded(edges, n), edges, n, jnp.asarray(labels, jnp.int32)


def test_cost_counts_every_pair():
    for graph, edges, n, labels in labelled(0, 100):
        chosen = np.asarray(labels)[:n]
        expected = oracles.cost(edges, chosen)
        assert disagreements(graph, labels) == expected
        assert disagreements(graph, singletons(graph)) == len(edges)
        joined = np.zeros((n, n), bool)
        joined[tuple(edges.T)] = joined[tuple(edges.T[::-1])] = True
        wrong = joined != (chosen[:, None] == chosen)
        np.fill_diagonal(wrong, False)
        found = np.asarray(vertex_disagreements(graph, labels))
        np.testing.assert_array_equal(found[:n], wrong.sum(axis=1))
        assert not found[n:].any()
        assert found.sum() == 2 * expected


def test_half_resolution_is_the_cost():
    for graph, edges, _, labels in labelled(1, 30):
        quality = constant_potts_quality(graph, labels)
        assert disagreements(graph, labels) == len(edges) - 2 * quality
    triangle = graph_from_edges([[0, 1], [0, 2], [1, 2]], 3)
    assert constant_potts_quality(triangle, jnp.zeros(3, int), 0.25) == 2.25


def test_vmap_is_a_loop_and_padding_is_nothing():
    cases = list(labelled(2, 5))
    graphs, labels = stacked([case[0] for case in cases]), jnp.stack([case[3] for case in cases])
    together = jax.vmap(disagreements)(graphs, labels)
    assert together.tolist() == [int(disagreements(case[0], case[3])) for case in cases]
    bare = [graph_from_edges(edges, n) for _, edges, n, _ in cases[:2]]
    for graph, (_, _, n, label), cost in zip(bare, cases[:2], together, strict=False):
        assert disagreements(graph, label[:n]) == cost


def test_no_vertices():
    labels = jnp.zeros(0, jnp.int32)
    for room in (0, 2):
        empty = graph_from_edges(np.zeros((0, 2), int), 0, edge_capacity=room)
        assert disagreements(empty, labels) == constant_potts_quality(empty, labels) == 0
        assert vertex_disagreements(empty, labels).shape == (0,)


def test_more_pairs_than_int32_counts(x64):
    large = graph_from_edges([[0, 1]], 70_000)
    assert disagreements(large, jnp.zeros(70_000, jnp.int32)) == 70_000 * 69_999 // 2 - 1


@pytest.mark.usefixtures("bad_input")
def test_kinds_and_stacks():
    one, undirected = "one graph; for a stack use jax.vmap", "a Graph, undirected"
    stack = jax.tree.map(lambda leaf: leaf[None], graph_from_edges([[0, 1]], 2))
    labels, none = jnp.arange(2), jnp.zeros((0, 3), int)
    functions = [
        lambda graph: disagreements(graph, labels),
        lambda graph: vertex_disagreements(graph, labels),
        lambda graph: constant_potts_quality(graph, labels),
        lambda graph: local_moves(jax.random.key(0), graph, labels, rounds=1),
        lambda graph: pivot_clustering(graph, labels),
        lambda graph: pivot_sequential(graph, labels),
        agreement_clustering,
        lambda graph: common_neighbors(graph, method="dense"),
        lambda graph: common_neighbors(graph, method="bitset"),
        lambda graph: common_neighbors(graph, triangles=none),
        lambda graph: sharded_agreement_clustering(graph, none, axis_name="parts"),
    ]
    for refused, expected in [(digraph_from_arcs([[0, 1]], 2), undirected), (stack, one)]:
        for function in functions:
            with pytest.raises(ValueError, match=f"graph: expected {expected}"):
                function(refused)
    with pytest.raises(ValueError, match=f"graph: expected {undirected}"):
        triangle_packing_lower_bound(digraph_from_arcs([[0, 1]], 2))


def test_bad_input(bad_input):
    graph = graph_from_edges([[0, 1]], 3)
    with pytest.raises(ValueError, match=r"labels: expected shape \[3\]"):
        disagreements(graph, jnp.zeros(2, int))
    with pytest.raises(ValueError, match="labels: expected dtype integer"):
        vertex_disagreements(graph, jnp.zeros(3))
    with pytest.raises(ValueError, match=r"resolution: expected shape \[\]"):
        constant_potts_quality(graph, jnp.zeros(3, int), jnp.ones(2))
    with pytest.raises(ValueError, match="at most 65536 vertices"):
        disagreements(graph_from_edges([[0, 1]], 65_537), jnp.zeros(65_537, jnp.int32))
    for function in (disagreements, vertex_disagreements, constant_potts_quality):
        with pytest.raises(ValueError, match="labels: expected numbers that fit int32"):
            function(graph, np.array([0, 2**32, 1]))
    assert disagreements(graph, np.array([5, 5, 9])) == 0  # what fits is as good as jax's own
