"""Repair of predicted potentials against networkx's verdicts."""

import functools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.graph_algorithms.potentials import feasible_potentials, reduced_weights
from jaxlab.graphs import digraph_from_arcs
from tests.graph_algorithms import path_oracle as oracle
from tests.helpers import to_device

repair = jax.jit(jax.vmap(feasible_potentials))


def test_feasible_or_a_negative_cycle_whatever_the_prediction():
    graphs = oracle.stack()
    negative = np.array([instance.negative for instance in oracle.instances()])
    for most in (30, 10**9):
        result = repair(graphs, to_device(oracle.garbage(0, most)))
        np.testing.assert_array_equal(result.status, negative)
        reduced = np.asarray(jax.vmap(reduced_weights)(graphs, result.potentials))
        assert (reduced.min(axis=1) >= 0)[~negative].all()
        if most > oracle.INFINITE // 4:  # was clipped
            continue
        # a feasible prediction stays
        again = repair(graphs, result.potentials)
        np.testing.assert_array_equal(again.potentials[~negative], result.potentials[~negative])
        assert (np.asarray(again.rounds)[~negative] == 1).all()
    assert 50 < negative.sum() < oracle.COUNT - 50


def test_reduced_weights_by_their_definition():
    potentials = oracle.garbage(1)
    reduced = np.asarray(jax.vmap(reduced_weights)(oracle.stack(), to_device(potentials)))
    for number, instance in enumerate(oracle.instances()):
        tails, heads = instance.arcs.T
        expected = instance.weights + potentials[number][tails] - potentials[number][heads]
        count = len(instance.arcs)
        np.testing.assert_array_equal(reduced[number, :count], expected)
        assert (reduced[number, count:] == 0).all()


def test_no_repair_moves_more_than_it_must():
    # the repair is the greatest feasible point below the prediction
    graph = digraph_from_arcs([[0, 1], [1, 2], [3, 0]], 4, weights=[2, -1, 0])
    result = feasible_potentials(graph, jnp.array([0.0, 9.0, 4.0, 1.0]))
    assert result.potentials.tolist() == [0, 2, 1, 1]


@pytest.mark.parametrize("far", [1e9, np.inf, -1e9, -np.inf])
def test_floats_far_beyond_the_lengths(far):
    cycle = digraph_from_arcs([[0, 1], [1, 0]], 2, weights=np.float32([-5, 2]))
    path = digraph_from_arcs([[0, 1], [1, 2], [0, 2]], 3, weights=np.float32([-5, 2, 7]))
    for other in (0, 1e9):
        for order in (np.array, np.flip):
            prediction = jnp.float32(order([other, far]))
            assert int(feasible_potentials(cycle, prediction).status) == 1
            prediction = jnp.append(prediction, 3)
            found = feasible_potentials(path, prediction)
            assert int(found.status) == 0
            assert (np.asarray(reduced_weights(path, found.potentials)) >= 0).all()


def test_rounding_errors_of_reduced_lengths_are_no_negative_cycle():
    # lengths of 0 to 0.2 behind potentials of 1000, which are predicted to 0.1
    n, count = 12, 200
    rng = np.random.default_rng(1)
    arcs = rng.integers(0, n, (40, 2))
    arcs = np.concatenate([arcs, arcs[:, ::-1]])
    base = digraph_from_arcs(arcs, n)
    hidden = rng.random((count, n)) * 1000
    short = np.tile(rng.integers(0, 3, (count, 40)), 2) / 10
    lengths = to_device(short + hidden[:, arcs[:, 1]] - hidden[:, arcs[:, 0]], np.float32)
    near = to_device(hidden + 0.1 * rng.standard_normal(hidden.shape), np.float32)
    graphs = jax.vmap(lambda w: base.replace(weights=w))(lengths)
    found = repair(graphs, near)
    assert (np.asarray(found.status) == 0).all()
    reduced = jax.vmap(reduced_weights)(graphs, found.potentials)
    assert np.asarray(reduced).min() > -0.01
    negative = graphs.replace(weights=jnp.where(jnp.arange(80) < 2, -1001, lengths))
    loop = negative.replace(senders=negative.senders.at[:, 0].set(negative.receivers[:, 0]))
    assert (np.asarray(repair(loop, near).status) == 1).all()


def test_floats_that_are_feasible_or_near_are_not_moved():
    graph = digraph_from_arcs([[0, 1], [1, 2]], 3, weights=np.float32([2, -1]))
    for given in ([1e9, 1e9, 1e8], [-2e9, -3e9, -np.inf]):
        found = feasible_potentials(graph, jnp.float32(given))
        np.testing.assert_array_equal(
            found.potentials, np.maximum(np.float32(given), -3.4028235e38)
        )
        assert int(found.rounds) == 1
    assert feasible_potentials(graph, jnp.float32([1, 2, 3])).potentials.tolist() == [1, 2, 1]


def test_narrow_potentials_do_not_wrap():
    graph = digraph_from_arcs([[0, 1], [1, 0]], 2, weights=[3, 4])
    for dtype in (np.uint8, np.int8, np.float16):
        for y in ([0, 100], [100, 0], [1, 127]):
            found = reduced_weights(graph, to_device(np.array(y), dtype))
            assert found.tolist() == [3 + y[0] - y[1], 4 + y[1] - y[0]]
    far = reduced_weights(graph, to_device(np.array([-100, 100]), np.int8))
    assert far.tolist() == [-197, 204]


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.float32, np.float64])
def test_reduced_weights_by_potentials_of_numpy(dtype, bad_input):
    graph = digraph_from_arcs([[0, 1], [1, 0]], 2, weights=[3, 4])
    assert reduced_weights(graph, np.array([0, 100], dtype)).tolist() == [-97, 104]


@pytest.mark.parametrize("large", [np.array([2**40 + 1, 0]), np.array([2**63, 0], np.uint64)])
def test_predictions_of_numpy_are_clipped_not_cut(large, bad_input):
    graph = digraph_from_arcs([[0, 1]], 2, weights=[3])
    found = feasible_potentials(graph, large).potentials
    assert found[0] >= 2**27
    assert found[1] - found[0] <= 3


def test_bad_predictions(bad_input):
    graph = digraph_from_arcs([[0, 1]], 2, weights=[-3])
    with pytest.raises(ValueError, match=r"potentials: expected numbers that are not NaN"):
        feasible_potentials(graph, jnp.array([0, jnp.nan]))
    traced = jax.jit(feasible_potentials)(graph, jnp.array([0, jnp.nan]))
    assert (int(traced.status), traced.potentials.tolist()) == (0, [0, -3])
    with pytest.raises(ValueError, match=r"potentials: expected shape \[2\]"):
        feasible_potentials(graph, jnp.zeros(3))
    with pytest.raises(ValueError, match=r"potentials: expected shape \[2\]"):
        reduced_weights(graph, jnp.zeros(3, jnp.int32))
    with pytest.raises(ValueError, match=r"potentials: expected numbers that fit int32"):
        reduced_weights(graph, np.array([0, 2**32]))
    with pytest.raises(ValueError, match=r"method: expected one of 'bellman_ford', 'goldberg'"):
        feasible_potentials(graph, method="dijkstra")
    narrow = jnp.array([jnp.inf, -jnp.inf], jnp.float16)
    with warnings.catch_warnings(action="error"):
        assert int(feasible_potentials(graph, narrow).status) == 0
    long = graph.replace(weights=jnp.array([2**29]))
    assert int(jax.jit(feasible_potentials)(long).status) == 2


def test_methods_agree_and_there_may_be_no_vertices():
    graph = digraph_from_arcs([[0, 1], [1, 2]], 3, weights=[-5, 4])
    by_name = functools.partial(feasible_potentials, method="goldberg")
    assert (np.asarray(reduced_weights(graph, by_name(graph).potentials)) >= 0).all()
    nothing = digraph_from_arcs([], 0)
    assert feasible_potentials(nothing).potentials.shape == (0,)
    assert int(by_name(nothing).status) == 0
    for empty in (nothing, digraph_from_arcs([], 0, node_capacity=3, edge_capacity=2)):
        assert [int(find(empty).status) for find in (feasible_potentials, by_name)] == [0, 0]
