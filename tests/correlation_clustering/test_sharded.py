"""Edges and triangles on eight devices give the clusters of one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxlab.correlation_clustering import agreement_clustering, sharded_agreement_clustering
from jaxlab.graphs import Graph
from jaxlab.graphs.triangles import list_triangles
from tests.correlation_clustering.instances import N, padded, random_graphs

EDGES, TRIANGLES = 280, 2048


@pytest.mark.parametrize("strict", [False, True])
def test_eight_devices_are_one(devices, strict):
    mesh, split = Mesh(np.array(devices), ("parts",)), P("parts")
    specs = Graph(split, split, split, None, P(), N)

    def one(graph, triangles):
        return sharded_agreement_clustering(
            graph, triangles, 0.25, 0.2, axis_name="parts", strict=strict
        )

    @jax.jit
    def clusters(graph, triangles):
        def part(graph, triangles):
            return one(graph, triangles)[None]

        return jax.shard_map(part, mesh=mesh, in_specs=(specs, split), out_specs=split)(
            graph, triangles
        )

    parts = jax.pmap(one, axis_name="parts", in_axes=(Graph(0, 0, 0, None, None, N), 0))
    ties = 0
    for number, (rng, edges, n) in enumerate(random_graphs(40, 30)):
        graph = padded(rng.permutation(edges), n, edge_capacity=EDGES)
        triangles = np.full((TRIANGLES, 3), EDGES)
        listed = list_triangles(graph).edges
        triangles[rng.permutation(TRIANGLES)[: len(listed)]] = listed
        found = clusters(graph, jnp.asarray(triangles))
        expected, other = (
            agreement_clustering(graph, 0.25, 0.2, method="dense", strict=below)
            for below in (strict, not strict)
        )
        np.testing.assert_array_equal(found, np.tile(expected, (8, 1)))
        ties += bool((expected != other).any())
        if number == 0:
            cut = jax.tree.map(lambda part: part.reshape(8, -1) if part.ndim else part, graph)
            by_pmap = parts(cut, jnp.asarray(triangles.reshape(8, -1, 3)))
            np.testing.assert_array_equal(by_pmap, found)
    assert ties


def test_narrow_triangles(devices, bad_input):
    mesh, split = Mesh(np.array(devices), ("parts",)), P("parts")
    cliques = [[u + k, v + k] for k in (0, 4) for u in range(4) for v in range(u + 1, 4)]
    graph = padded([*cliques, [3, 4]], 8, edge_capacity=EDGES)
    triangles = list_triangles(graph).edges
    assert len(triangles) == 8
    assert graph.edge_capacity > 127

    def part(graph, triangles):
        return sharded_agreement_clustering(graph, triangles, 0.3, 0.3, axis_name="parts")[None]

    specs = Graph(split, split, split, None, P(), N)
    cluster = jax.shard_map(part, mesh=mesh, in_specs=(specs, split), out_specs=split)
    found = jax.jit(cluster)(graph, jnp.asarray(triangles, jnp.int8))
    assert found[0, :8].tolist() == [0, 0, 0, 0, 4, 4, 4, 4]


def test_no_vertices(devices):
    mesh, split = Mesh(np.array(devices), ("parts",)), P("parts")
    empty = padded([], 0, capacity=0, edge_capacity=16)

    def part(graph, triangles):
        return sharded_agreement_clustering(graph, triangles, axis_name="parts")[None]

    specs = Graph(split, split, split, None, P(), 0)
    cluster = jax.shard_map(part, mesh=mesh, in_specs=(specs, split), out_specs=split)
    assert jax.jit(cluster)(empty, jnp.full((8, 3), 16)).shape == (8, 0)


def test_bad_input(bad_input):
    graph = padded([[0, 1]], 2)
    with pytest.raises(ValueError, match=r"triangles: expected shape \[t, 3\]"):
        sharded_agreement_clustering(graph, jnp.zeros((2, 2), int), axis_name="parts")
    with pytest.raises(ValueError, match="beta: expected a number in"):
        sharded_agreement_clustering(graph, jnp.zeros((2, 3), int), 2, axis_name="parts")
