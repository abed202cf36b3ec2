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


def test_eight_devices_are_one(devices):
    mesh, split = Mesh(np.array(devices), ("parts",)), P("parts")
    specs = Graph(split, split, split, None, P(), N)

    @jax.jit
    def clusters(graph, triangles):
        def part(graph, triangles):
            found = sharded_agreement_clustering(graph, triangles, 0.3, 0.2, axis_name="parts")
            return found[None]

        return jax.shard_map(part, mesh=mesh, in_specs=(specs, split), out_specs=split)(
            graph, triangles
        )

    def one(graph, triangles):
        return sharded_agreement_clustering(graph, triangles, 0.3, 0.2, axis_name="parts")

    parts = jax.pmap(one, axis_name="parts", in_axes=(Graph(0, 0, 0, None, None, N), 0))
    for number, (rng, edges, n) in enumerate(random_graphs(40, 30)):
        graph = padded(rng.permutation(edges), n, edge_capacity=EDGES)
        triangles = np.full((TRIANGLES, 3), EDGES)
        listed = list_triangles(graph).edges
        triangles[rng.permutation(TRIANGLES)[: len(listed)]] = listed
        found = clusters(graph, jnp.asarray(triangles))
        expected = agreement_clustering(graph, 0.3, 0.2, method="dense")
        np.testing.assert_array_equal(found, np.tile(expected, (8, 1)))
        if number == 0:
            cut = jax.tree.map(lambda part: part.reshape(8, -1) if part.ndim else part, graph)
            by_pmap = parts(cut, jnp.asarray(triangles.reshape(8, -1, 3)))
            np.testing.assert_array_equal(by_pmap, found)


def test_bad_input(bad_input):
    graph = padded([[0, 1]], 2)
    with pytest.raises(ValueError, match=r"triangles: expected shape \[t, 3\]"):
        sharded_agreement_clustering(graph, jnp.zeros((2, 2), int), axis_name="parts")
    with pytest.raises(ValueError, match="beta: expected a number in"):
        sharded_agreement_clustering(graph, jnp.zeros((2, 3), int), 2, axis_name="parts")
