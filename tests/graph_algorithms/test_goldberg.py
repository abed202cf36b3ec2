"""Goldberg's scaling against networkx's verdicts, and its bounds on scales and phases."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.graph_algorithms import goldberg
from jaxlab.graph_algorithms.goldberg import goldberg_potentials
from jaxlab.graph_algorithms.label_correcting import bellman_ford
from jaxlab.graph_algorithms.potentials import reduced_weights
from jaxlab.graphs import digraph_from_arcs, grid_graph, to_digraph
from tests.graph_algorithms import path_oracle as oracle
from tests.helpers import to_device

solve = jax.jit(jax.vmap(goldberg_potentials))


def grid(side, seed=0):
    """A grid with arcs both ways, some of negative length, and no negative cycle."""
    rng = np.random.default_rng(seed)
    streets = to_digraph(grid_graph(side, side))
    hidden = to_device(rng.integers(-500, 500, side * side), np.int32)
    lengths = to_device(rng.integers(1, 300, streets.edge_capacity), np.int32)
    return streets.replace(weights=lengths + hidden[streets.senders] - hidden[streets.receivers])


def test_verdict_and_feasibility_equal_networkx():
    graphs = oracle.stack()
    negative = np.array([instance.negative for instance in oracle.instances()])
    nodes = np.array([instance.n for instance in oracle.instances()])
    for most in (1, 30, 10**9):
        result = solve(graphs, to_device(oracle.garbage(2, most)))
        np.testing.assert_array_equal(result.status, negative)
        reduced = np.asarray(jax.vmap(reduced_weights)(graphs, result.potentials))
        assert (reduced.min(axis=1) >= 0)[~negative].all()
        bound = np.asarray(result.scales) * (2 * np.sqrt(nodes) + 1)
        assert (np.asarray(result.phases) <= bound).all()
    number = int(np.flatnonzero(~negative)[5])
    alone = goldberg_potentials(
        jax.tree.map(lambda leaf: leaf[number], graphs),
        to_device(oracle.garbage(2, most)[number]),
    )
    np.testing.assert_array_equal(alone.potentials, result.potentials[number])
    assert alone.phases == result.phases[number]


def test_scales_grow_with_the_logarithm_of_the_error():
    graph = grid(20)
    exact = bellman_ford(graph, 0).dist
    noise = np.random.default_rng(1).integers(-1, 2, 400)
    for error in (0, 1, 4, 16, 64, 256, 3000):
        result = goldberg_potentials(graph, exact + error * to_device(noise, np.int32))
        assert int(result.status) == 0
        assert (np.asarray(reduced_weights(graph, result.potentials)) >= 0).all()
        assert int(result.scales) <= np.ceil(np.log2(2 * error + 1)) + 1
        assert int(result.phases) <= int(result.scales) * (2 * np.sqrt(400) + 1)
        if error == 0:
            assert int(result.phases) == 0
            np.testing.assert_array_equal(result.potentials, exact)


def test_each_move_keeps_lengths_above_minus_two_and_fixes_the_root_of_the_heads():
    # many small layers ask for the elimination of a chain, a large one for a cut
    rng = np.random.default_rng(4)
    moves = {"cut": 0, "chain": 0}
    for case in range(20):
        n = 12
        hidden = np.sort(rng.integers(0, 12, n)) if case % 2 else rng.integers(0, 2, n)
        arcs = rng.integers(0, n, (40, 2))
        slack = rng.integers(0, 2, 40)
        weights = np.maximum(slack + hidden[arcs[:, 1]] * -1 + hidden[arcs[:, 0]], -1)
        graph = digraph_from_arcs(arcs, n, weights=weights.astype(np.int32))
        lengths = graph.weights
        change, status, _ = phase(graph)
        if int(status) != 0:
            continue
        after = np.asarray(lengths + change[graph.senders] - change[graph.receivers])
        assert after.min() >= -1
        assert not ((after < 0) & (weights >= 0)).any()
        before = len(set(arcs[weights < 0, 1].tolist()))
        left = len(set(arcs[after < 0, 1].tolist()))
        assert before - left >= np.sqrt(before) - 1e-9
        moves["chain" if int(np.unique(change).size) > 2 else "cut"] += before > 0
    assert moves["cut"] > 0
    assert moves["chain"] > 0


@jax.jit
def phase(graph):
    arcs = goldberg.incoming(graph, None)
    negative = graph.mask & (graph.weights < 0)
    return goldberg._phase(arcs, graph, graph.weights, negative, jnp.any(negative))


@pytest.mark.usefixtures("x64")
def test_wide_lengths():
    far = 2**40
    graph = digraph_from_arcs([[0, 1], [1, 2]], 3, weights=np.int64([-far, 3 * far]))
    result = goldberg_potentials(graph)
    assert (np.asarray(reduced_weights(graph, result.potentials)) >= 0).all()
    assert [int(result.status), int(result.scales)] == [0, 42]
    assert result.potentials.dtype == jnp.int64
    assert result.phases.dtype == result.rounds.dtype == result.status.dtype == jnp.int32


def test_float_lengths_are_refused(bad_input):
    with pytest.raises(ValueError, match=r"graph.weights: expected dtype integer"):
        goldberg_potentials(digraph_from_arcs([[0, 1]], 2, weights=[0.5]))
