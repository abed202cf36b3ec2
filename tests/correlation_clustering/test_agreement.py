"""The offline algorithm against sets, on instances whose clusters are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.correlation_clustering import (
    agreement_clustering,
    agreement_mask,
    common_neighbors,
    disagreements,
    heavy_mask,
    ratio,
)
from jaxlab.graphs import graph_from_edges
from tests.correlation_clustering import oracles
from tests.correlation_clustering.instances import clique, padded, random_graphs, stacked


def test_against_sets():
    for rng, edges, n in random_graphs(3, 200):
        graph = padded(edges, n)
        beta, lam = rng.choice([0.05, 0.1, 0.2, 0.3, 0.4, 0.5], 2)
        method = str(rng.choice(["dense", "bitset"]))
        strict = bool(rng.integers(2))
        expected, _ = oracles.agreement(edges, n, beta, lam, strict)
        found = np.asarray(agreement_clustering(graph, beta, lam, method=method, strict=strict))
        assert found[:n].tolist() == expected
        assert found[n:].tolist() == list(range(n, 24))


@pytest.mark.parametrize("method", ["dense", "bitset", "triangles"])
def test_known_clusters(method):
    def clusters(edges, n, beta=0.2):
        graph = graph_from_edges(edges, n)
        labels = agreement_clustering(graph, beta, method=method)
        return labels.tolist(), int(disagreements(graph, labels))

    apart = clique(range(4)) + clique(range(4, 6)) + clique(range(6, 9))
    assert clusters(apart, 10) == ([0] * 4 + [4] * 2 + [6] * 3 + [9], 0)
    assert clusters(np.zeros((0, 2), int), 3) == ([0, 1, 2], 0)
    assert clusters([(0, 1), (0, 2), (0, 3)], 4) == ([0, 1, 2, 3], 3)  # a star
    assert clusters([(0, 1), (1, 2)], 3) == ([0, 1, 2], 2)
    assert clusters(clique(range(10))[1:], 10) == ([0] * 10, 1)  # without one edge


def test_joined_cliques_stay_apart():
    for size in (6, 8):
        edges = clique(range(size)) + clique(range(size, 2 * size)) + [(size - 1, size)]
        labels = agreement_clustering(graph_from_edges(edges, 2 * size))
        assert labels.tolist() == [0] * size + [size] * size


def test_a_tie_is_agreement():
    # d = 5 and 4 with a difference of 1: exactly 0.2 · 5
    edges = [*clique(range(4)), (0, 4)]
    graph = graph_from_edges(edges, 5)
    common = common_neighbors(graph)
    index = edges.index((0, 1))
    assert agreement_mask(graph, common, 0.2)[index]
    assert not agreement_mask(graph, common, 0.2, strict=True)[index]
    assert not agreement_mask(graph, common, 0.19)[index]
    # a vertex of d = 5 with a = 3 disagrees with one: exactly 0.2 · 5
    agree = agreement_mask(graph, common, 0.2)
    assert heavy_mask(graph, agree, 0.2)[0]
    assert not heavy_mask(graph, agree, 0.19)[0]


def test_renaming_vertices_renames_clusters():
    for rng, edges, n in random_graphs(4, 20):
        name = rng.permutation(n)
        labels = agreement_clustering(padded(edges, n))[:n]
        renamed = agreement_clustering(padded(name[edges], n))[:n]
        assert oracles.equal_partitions(labels.tolist(), np.asarray(renamed)[name].tolist())


def test_grids_and_stacks():
    graphs = [padded(edges, n) for _, edges, n in random_graphs(5, 3)]
    betas, lams = [0.1, 0.2, 0.4], [0.3, 0.2, 0.1]
    grid = jax.vmap(lambda beta, lam: agreement_clustering(graphs[0], beta, lam))(
        ratio(betas), ratio(lams)
    )
    for row, beta, lam in zip(grid, betas, lams, strict=True):
        np.testing.assert_array_equal(row, agreement_clustering(graphs[0], beta, lam))
    together = jax.vmap(lambda graph: agreement_clustering(graph, method="bitset"))(stacked(graphs))
    for row, graph in zip(together, graphs, strict=True):
        np.testing.assert_array_equal(row, agreement_clustering(graph))
    floats = jax.jit(lambda beta: agreement_clustering(graphs[0], beta, 0.3))(0.37)
    np.testing.assert_array_equal(floats, agreement_clustering(graphs[0], 0.37, 0.3))


@pytest.mark.parametrize("room", [0, 2])
def test_no_vertices(room):
    nothing = graph_from_edges(np.zeros((0, 2), int), 0, edge_capacity=room)
    assert agreement_clustering(nothing).shape == (0,)
    assert not agreement_mask(nothing, common_neighbors(nothing), 0.2).any()
    assert heavy_mask(nothing, jnp.zeros(room, bool), 0.2).shape == (0,)


def test_bad_input(bad_input):
    graph = graph_from_edges([[0, 1]], 3)
    with pytest.raises(ValueError, match=r"beta: expected a number in \(0, 1\), got 1.5"):
        agreement_clustering(graph, 1.5)
    with pytest.raises(ValueError, match=r"lam: expected a number in \(0, 1\), got 0"):
        heavy_mask(graph, jnp.array([True]), 0)
    with pytest.raises(ValueError, match="common: expected shape"):
        agreement_mask(graph, jnp.zeros(2, int), 0.2)
    with pytest.raises(ValueError, match="agree: expected dtype bool"):
        heavy_mask(graph, jnp.zeros(1, int), 0.2)
    with pytest.raises(ValueError, match="strict: expected True or False"):
        agreement_clustering(graph, strict=1)
    with pytest.raises(ValueError, match="strict: expected True or False"):
        agreement_mask(graph, jnp.zeros(1, int), 0.2, strict=1)
