"""Common neighbours: three ways, and sets."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.correlation_clustering import common_neighbors
from jaxlab.graphs import graph_from_edges
from jaxlab.graphs.triangles import list_triangles
from tests.correlation_clustering import oracles
from tests.correlation_clustering.instances import E, padded, random_graphs

METHODS = ("dense", "bitset", "triangles", "auto")


def test_methods_count_the_same():
    for _, edges, n in random_graphs(0, 60):
        near = oracles.neighborhoods(edges, n)
        graph = padded(edges, n)
        triangles = list_triangles(graph).edges
        listed = np.full((3000, 3), E, np.int32)
        listed[: len(triangles)] = triangles
        expected = [len(near[u] & near[v]) for u, v in edges]
        for method in METHODS:
            given = jnp.asarray(listed) if method == "triangles" else None
            found = np.asarray(common_neighbors(graph, method=method, triangles=given))
            assert found[: len(edges)].tolist() == expected, method
            assert not found[len(edges) :].any()


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_narrow_triangles(dtype, bad_input):
    graph = padded([[0, 1], [0, 2], [1, 2], [2, 3]], 4)
    triangles = jnp.asarray(list_triangles(graph).edges, dtype)
    found = common_neighbors(graph, method="triangles", triangles=triangles)
    assert graph.edge_capacity > 256
    assert found[:5].tolist() == [3, 3, 3, 2, 0]


def test_several_words_and_blocks():
    rng = np.random.default_rng(1)
    edges = np.argwhere(np.triu(rng.random((100, 100)) < 0.3, 1))
    assert len(edges) > 1024
    graph = graph_from_edges(edges, 100)
    first, *others = (common_neighbors(graph, method=method) for method in METHODS)
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_without_edges():
    for method in METHODS:
        for n in (0, 3):
            graph = graph_from_edges(np.zeros((0, 2), int), n)
            assert common_neighbors(graph, method=method).shape == (0,)
    padding = padded(np.zeros((0, 2), int), 0, capacity=0, edge_capacity=2)
    assert common_neighbors(padding, method="bitset").tolist() == [0, 0]


def test_bad_input(bad_input):
    graph = graph_from_edges([[0, 1]], 3)
    with pytest.raises(ValueError, match=r"method: expected one of .*did you mean 'bitset'"):
        common_neighbors(graph, method="bitsets")
    with pytest.raises(ValueError, match="at most 1073741824 bytes"):
        common_neighbors(graph_from_edges([[0, 1]], 16_385), method="dense")
    with pytest.raises(ValueError, match="triangles: expected the triangles of a traced graph"):
        jax.jit(lambda graph: common_neighbors(graph, method="triangles"))(graph)
    with pytest.raises(ValueError, match=r"triangles: expected shape \[t, 3\]"):
        common_neighbors(graph, triangles=jnp.zeros((2, 2), int))
