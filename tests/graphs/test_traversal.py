"""Breadth-first search: SciPy's distances, and what makes a parent one."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from jaxlab.graphs.containers import Graph, graph_from_edges, pad_graph
from jaxlab.graphs.traversal import breadth_first_search
from tests.graphs.instances import (
    NODES,
    dtypes,
    numpy,
    random_digraph,
    random_graph,
    shuffled,
    stacked,
)

RNG = np.random.default_rng(17)
LANES = 150


@pytest.mark.parametrize("make", [random_graph, random_digraph])
def test_random_graphs(make):
    graphs = [shuffled(RNG, make(RNG, edges=16)[0]) for _ in range(LANES)]
    listed = RNG.integers(-1, NODES + 2, (LANES, 3))
    found = jax.vmap(breadth_first_search)(stacked(graphs), jnp.asarray(listed))
    as_mask = (listed[:, :, None] == np.arange(NODES)).any(axis=1)
    again = jax.vmap(breadth_first_search)(stacked(graphs), jnp.asarray(as_mask))
    chex.assert_trees_all_equal(found, again)
    found = numpy(found)
    for lane, graph in enumerate(graphs):
        tails, heads, mask = numpy((graph.senders, graph.receivers, graph.mask))
        shape = (NODES, NODES)
        adjacency = coo_array((np.ones(mask.sum()), (tails[mask], heads[mask])), shape=shape)
        dense = adjacency.toarray() > 0
        if isinstance(graph, Graph):
            dense |= dense.T
        sources = np.flatnonzero(as_mask[lane] & (np.arange(NODES) < graph.n_node))
        distances = np.full(NODES, np.inf)
        if sources.size:
            distances = dijkstra(dense, unweighted=True, indices=sources).min(axis=0)
        distances = np.where(np.isfinite(distances), distances, -1)
        np.testing.assert_array_equal(found.distances[lane], distances)
        assert found.levels[lane] == distances.max() + 1
        for vertex in range(NODES):
            before = (distances == distances[vertex] - 1) & dense[:, vertex] & (distances >= 0)
            wanted = np.flatnonzero(before)[0] if before.any() else -1
            assert found.parents[lane, vertex] == wanted
    assert len(np.unique(found.levels)) > 4


def test_one_source_and_padding():
    graph = graph_from_edges([[3, 1], [1, 0], [4, 2]], 5)
    plain = breadth_first_search(graph, 3)
    padded = breadth_first_search(pad_graph(graph, node_capacity=8, edge_capacity=6), 3)
    assert plain.distances.tolist() == padded.distances[:5].tolist() == [2, 1, -1, 0, -1]
    assert plain.parents.tolist() == padded.parents[:5].tolist() == [1, 3, -1, -1, -1]
    assert padded.distances[5:].tolist() == padded.parents[5:].tolist() == [-1, -1, -1]
    empty = breadth_first_search(graph_from_edges([], 0), jnp.zeros(0, bool))
    assert empty.distances.shape == (0,)
    assert empty.levels == 0


@pytest.mark.parametrize("n", [256, 300])
def test_narrow_sources(n, bad_input):
    path = graph_from_edges(np.stack([np.arange(n - 1), np.arange(1, n)], axis=1), n)
    for sources in (np.array([3, 255], np.uint8), np.array([3, -1], np.int8)):
        found = breadth_first_search(path, jnp.asarray(sources))
        same = breadth_first_search(path, jnp.asarray(sources, jnp.int32))
        np.testing.assert_array_equal(found.distances, same.distances)
        assert found.distances[3] == 0


def test_only_the_mask_differs_between_devices(devices):
    graph = graph_from_edges([[0, 1], [1, 2], [2, 3]], 4)

    def part(mask):
        found = breadth_first_search(graph.replace(mask=mask[0]), 0)
        return jax.tree.map(lambda leaf: leaf[None], found)

    mesh, split = Mesh(np.array(devices), ("parts",)), P("parts")
    masks = np.arange(3) < np.arange(8)[:, None]
    found = jax.jit(jax.shard_map(part, mesh=mesh, in_specs=split, out_specs=split))(masks)
    assert found.levels.tolist() == [1, 2, 3, 4, 4, 4, 4, 4]


@pytest.mark.usefixtures("x64")
def test_integers_stay_int32():
    found = breadth_first_search(graph_from_edges([[0, 1]], 2), jnp.array([0]))
    assert dtypes(found) == {"int32"}


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    graph = graph_from_edges([[0, 1]], 2)
    with pytest.raises(ValueError, match=r"sources: expected shape \[2\]"):
        breadth_first_search(graph, jnp.ones(3, bool))
    with pytest.raises(ValueError, match="sources: expected dtype integer"):
        breadth_first_search(graph, 0.5)
    with pytest.raises(ValueError, match="sources: expected one vertex or a list of them"):
        breadth_first_search(graph, jnp.zeros((2, 2), int))
    with pytest.raises(ValueError, match="sources: expected numbers that fit int32"):
        breadth_first_search(graph, np.array([2**32]))
    with pytest.raises(ValueError, match="sources: expected numbers that fit int32"):
        breadth_first_search(graph, np.int64(2**32))
