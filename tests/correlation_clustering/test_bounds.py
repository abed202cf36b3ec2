"""Optimum, relaxation and packing: each below the next, on graphs whose optimum is known."""

import jax
import numpy as np
import pytest

from jaxlab.correlation_clustering import (
    agreement_clustering,
    brute_force_optimum,
    disagreements,
    lp_lower_bound,
    triangle_packing_lower_bound,
)
from jaxlab.graphs import graph_from_edges
from tests.correlation_clustering import oracles
from tests.correlation_clustering.instances import clique, padded, random_graphs

BELL = (1, 1, 2, 5, 15, 52, 203, 877, 4140)


def matrix(edges, n):
    joined = np.zeros((n, n), bool)
    for u, v in edges:
        joined[u, v] = joined[v, u] = True
    return joined


def partitions(n):
    if n == 0:
        yield []
        return
    for labels in partitions(n - 1):
        for label in range(max(labels, default=-1) + 2):
            yield [*labels, label]


def test_optimum_is_the_least_of_all_partitions():
    assert tuple(sum(1 for _ in partitions(n)) for n in range(9)) == BELL
    for _, edges, n in random_graphs(20, 4, largest=6):
        best = brute_force_optimum(matrix(edges, n))
        assert best.cost == min(oracles.cost(edges, labels) for labels in partitions(n))
        assert best.cost == oracles.cost(edges, best.labels)


def test_chain_of_bounds():
    for _, edges, n in random_graphs(21, 40, largest=8):
        graph, joined = padded(edges, n), matrix(edges, n)
        packing, relaxed = triangle_packing_lower_bound(graph), lp_lower_bound(joined)
        optimum = brute_force_optimum(joined).cost
        assert packing <= relaxed + 1e-6
        assert relaxed <= optimum + 1e-6
        assert optimum <= disagreements(graph, agreement_clustering(graph))


def test_known_optima():
    # a star of r leaves: its leaves' pairs are worth ⌊r/2⌋ disjoint bad triangles, the optimum
    # keeps one edge
    star = [(0, v) for v in range(1, 6)]
    assert brute_force_optimum(matrix(star, 6)).cost == 4
    assert triangle_packing_lower_bound(graph_from_edges(star, 6)) == 2
    assert lp_lower_bound(matrix(star, 6)) == pytest.approx(2.5)
    apart = clique(range(3)) + clique(range(3, 7))
    assert brute_force_optimum(matrix(apart, 7)).labels.tolist() == [0] * 3 + [1] * 4
    assert lp_lower_bound(matrix(apart, 7)) == pytest.approx(0)
    assert triangle_packing_lower_bound(graph_from_edges(apart, 7)) == 0
    assert brute_force_optimum(np.zeros((0, 0))).cost == lp_lower_bound(np.zeros((1, 1))) == 0


def test_bad_input(bad_input):
    for function, size in ((brute_force_optimum, 11), (lp_lower_bound, 41)):
        with pytest.raises(ValueError, match="adjacency: expected at most"):
            function(np.zeros((size, size)))
        with pytest.raises(ValueError, match="adjacency: expected a symmetric matrix"):
            function(np.triu(np.ones((3, 3))))
        for entry in (-1, 0.5, np.nan):
            with pytest.raises(ValueError, match="adjacency: expected zeros and ones"):
                function(np.where(np.eye(3), 1, entry))
        with pytest.raises(ValueError, match=r"adjacency: expected shape \[3, 3\]"):
            function(np.ones((3, 2)))
    with pytest.raises(ValueError, match="graph: expected one graph, outside of jit"):
        jax.jit(triangle_packing_lower_bound)(graph_from_edges([[0, 1]], 2))
