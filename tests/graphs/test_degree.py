"""Degrees: counted with NumPy on a hundred graphs with padding among their edges."""

import jax
import numpy as np
import pytest

from jaxlab.graphs.degree import degrees, in_degrees, out_degrees
from tests.graphs.instances import NODES, numpy, random_digraph, random_graph, shuffled, stacked

RNG = np.random.default_rng(11)


def count(vertices, weights=None):
    return np.bincount(np.asarray(vertices, int).ravel(), weights, minlength=NODES)


def test_undirected():
    made = [random_graph(RNG, weights=True) for _ in range(100)]
    stack = stacked([shuffled(RNG, graph) for graph, _ in made])
    plain = numpy(jax.vmap(degrees)(stack))
    heavy = numpy(jax.vmap(lambda graph: degrees(graph, weighted=True))(stack))
    for lane, (graph, edges) in enumerate(made):
        weights = np.asarray(graph.weights)[: len(edges)]
        np.testing.assert_array_equal(plain[lane], count(edges))
        np.testing.assert_array_equal(heavy[lane], count(edges, np.repeat(weights, 2)))
    np.testing.assert_array_equal(plain[5], degrees(made[5][0]))


def test_directed():
    made = [random_digraph(RNG, weights=True) for _ in range(100)]
    stack = stacked([shuffled(RNG, graph) for graph, _ in made])
    for function, end in ((out_degrees, 0), (in_degrees, 1)):
        plain, heavy = numpy(
            jax.vmap(lambda graph, count=function: (count(graph), count(graph, weighted=True)))(
                stack
            )
        )
        for lane, (graph, arcs) in enumerate(made):
            weights = np.asarray(graph.weights)[: len(arcs)]
            np.testing.assert_array_equal(plain[lane], count(arcs[:, end]))
            np.testing.assert_array_equal(heavy[lane], count(arcs[:, end], weights))


def test_weights_that_are_not_there():
    graph, _ = random_graph(RNG)
    with pytest.raises(ValueError, match="graph: expected a graph with weights"):
        degrees(graph, weighted=True)
