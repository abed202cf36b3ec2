"""Pivot in rounds against Pivot one vertex after the other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.correlation_clustering import disagreements, pivot_clustering, pivot_sequential
from jaxlab.graphs import graph_from_edges
from tests.correlation_clustering import oracles
from tests.correlation_clustering.instances import N, clique, padded, random_graphs, stacked


def test_rounds_give_the_sequential_clusters():
    for rng, edges, n in random_graphs(10, 100):
        graph, ranks = padded(edges, n), rng.permutation(N)
        expected = oracles.pivot(edges, n, ranks)
        found = pivot_clustering(graph, jnp.asarray(ranks))
        assert found[:n].tolist() == expected
        assert found[n:].tolist() == list(range(n, N))
        np.testing.assert_array_equal(pivot_sequential(graph, jnp.asarray(ranks)), found)


def test_on_a_large_sparse_graph():
    rng = np.random.default_rng(11)
    pairs = np.unique(np.sort(rng.integers(0, 2000, (6000, 2)), axis=1), axis=0)
    edges = pairs[pairs[:, 0] < pairs[:, 1]]
    ranks = rng.permutation(2000)
    found = pivot_clustering(graph_from_edges(edges, 2000), jnp.asarray(ranks))
    assert found.tolist() == oracles.pivot(edges.tolist(), 2000, ranks)


def test_cliques_and_a_path_cost_what_they_must():
    # the optimum of the path costs 1, and so does Pivot in any order
    path = graph_from_edges([[0, 1], [1, 2]], 3)
    apart = graph_from_edges(clique(range(3)) + clique(range(3, 8)), 8)
    for seed in range(5):
        ranks = jax.random.permutation(jax.random.key(seed), 8)
        assert disagreements(apart, pivot_clustering(apart, ranks)) == 0
        assert disagreements(path, pivot_clustering(path, jnp.argsort(ranks[:3]))) == 1


@pytest.mark.parametrize("function", [pivot_clustering, pivot_sequential])
def test_narrow_ranks(function, bad_input):
    rng = np.random.default_rng(5)
    pairs = np.unique(np.sort(rng.integers(0, 256, (500, 2)), axis=1), axis=0)
    edges = pairs[pairs[:, 0] < pairs[:, 1]]
    ranks = rng.permutation(256)
    found = function(graph_from_edges(edges, 256), jnp.asarray(ranks, jnp.uint8))
    assert found.tolist() == oracles.pivot(edges.tolist(), 256, ranks)


@pytest.mark.parametrize("room", [0, 2])
@pytest.mark.parametrize("function", [pivot_clustering, pivot_sequential])
def test_no_vertices(function, room):
    nothing = graph_from_edges(np.zeros((0, 2), int), 0, edge_capacity=room)
    assert function(nothing, jnp.zeros(0, jnp.int32)).shape == (0,)


def test_vmap_is_a_loop():
    cases = [(padded(edges, n), rng.permutation(N)) for rng, edges, n in random_graphs(12, 4)]
    graphs, ranks = stacked([case[0] for case in cases]), np.stack([case[1] for case in cases])
    together = jax.vmap(pivot_clustering)(graphs, jnp.asarray(ranks))
    for row, (graph, rank) in zip(together, cases, strict=True):
        np.testing.assert_array_equal(row, pivot_clustering(graph, jnp.asarray(rank)))


def test_bad_input(bad_input):
    graph = graph_from_edges([[0, 1]], 3)
    for ranks in (jnp.array([0, 1, 1]), jnp.array([1, 2, 3])):
        with pytest.raises(ValueError, match="ranks: expected a permutation of 0 to 2"):
            pivot_clustering(graph, ranks)
    with pytest.raises(ValueError, match="ranks: expected dtype integer"):
        pivot_sequential(graph, jnp.zeros(3))
