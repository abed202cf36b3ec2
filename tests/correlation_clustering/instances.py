"""Small graphs for the tests, padded to one size so that a function is compiled once."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.graphs import graph_from_edges
from tests.correlation_clustering import oracles

N, E = 24, 276


def padded(edges, n, capacity=N, edge_capacity=E):
    return graph_from_edges(edges, n, node_capacity=capacity, edge_capacity=edge_capacity)


def random_graphs(seed, count, largest=N):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        n = int(rng.integers(1, largest + 1))
        if rng.random() < 0.5:
            edges = oracles.cliques_and_noise(rng, n)
        else:
            edges = np.argwhere(np.triu(rng.random((n, n)) < rng.random(), 1))
        yield rng, edges, n


def clique(vertices):
    vertices = list(vertices)
    return [(u, v) for i, u in enumerate(vertices) for v in vertices[i + 1 :]]


def stacked(trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
