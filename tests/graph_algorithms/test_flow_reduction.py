"""Maps of the flow reduction, and difference constraints against their definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.graph_algorithms.degree_constrained import dcs_reduction
from jaxlab.graph_algorithms.flow_reduction import difference_constraints, flow_reduction
from jaxlab.graph_algorithms.potentials import feasible_potentials
from jaxlab.graphs import digraph_from_arcs
from tests.graph_algorithms import path_oracle
from tests.helpers import to_device


def test_rows_of_the_assignment_for_each_arc():
    def rows(graph, supply):
        problem = flow_reduction(graph, supply).instance
        ends = problem.senders, problem.receivers, problem.cost
        degrees = problem.degree_left, problem.degree_right
        return dcs_reduction(*ends, *degrees, mask=problem.mask).instance.cost[:, 0]

    apart = digraph_from_arcs([[0, 1], [2, 3], [4, 5]], 6)  # no vertex has arcs both in and out
    full = jnp.array([1, -1, 1, -1, 1, -1])
    assert rows(apart, full).shape == (7 * 3,)
    assert jax.eval_shape(rows, apart, full).shape == (10 * 3,)


def test_degrees_fit_the_edges_and_values_stay():
    rng = np.random.default_rng(0)

    @jax.jit
    def reduce(graph, supply, *predictions):
        reduction = flow_reduction(graph, supply, slack_capacity=64)
        images = [reduction.map_prediction(y) for y in predictions]
        return reduction, images, reduction.map_duals(images[0])

    for _ in range(20):
        arcs = rng.integers(0, 6, (15, 2))
        cost = rng.integers(-9, 9, 15)
        used = rng.random(15) < 0.4
        supply = np.bincount(arcs[used, 0], minlength=6) - np.bincount(arcs[used, 1], minlength=6)
        graph = digraph_from_arcs(arcs, 6, weights=cost.astype(np.int32))
        pair = [rng.integers(-20, 20, 6) for _ in range(2)]
        reduction, images, back = reduce(graph, *(to_device(y) for y in (supply, *pair)))
        problem = jax.tree.map(np.asarray, reduction.instance)
        assert reduction.feasible
        there = problem.mask
        problem = problem._replace(
            senders=problem.senders[there],
            receivers=problem.receivers[there],
            cost=problem.cost[there],
        )
        left = np.bincount(problem.senders, minlength=6)
        right = np.bincount(problem.receivers, minlength=6)
        assert (problem.degree_left <= left).all()
        assert (problem.degree_right <= right).all()
        assert problem.degree_left.sum() == problem.degree_right.sum()
        row, col = (np.asarray(y) for y in images[0])
        edge = np.minimum(0, problem.cost - row[problem.senders] - col[problem.receivers])
        value = problem.degree_left @ row + problem.degree_right @ col + edge.sum()
        reduced = cost + pair[0][arcs[:, 0]] - pair[0][arcs[:, 1]]
        assert value == -supply @ pair[0] + np.minimum(0, reduced).sum()
        np.testing.assert_array_equal(back, pair[0])
        error = np.abs(pair[0] - pair[1])
        change = np.abs(np.concatenate(images[0]) - np.concatenate(images[1]))
        assert change.sum() <= error.sum() * int(reduction.lipschitz.l1)
        assert change.max() <= error.max() * int(reduction.lipschitz.linf)


def test_difference_constraints_are_met_or_a_negative_cycle():
    graphs = path_oracle.stack()

    @jax.jit
    @jax.vmap
    def solve(graph, prediction):
        reduction = difference_constraints(
            graph.senders, graph.receivers, graph.weights, path_oracle.NODES, mask=graph.mask
        )
        found = feasible_potentials(reduction.instance, reduction.map_prediction(prediction))
        return reduction.map_solution(found), found.status

    values, status = solve(graphs, to_device(path_oracle.garbage(6)))
    for number, instance in enumerate(path_oracle.instances()):
        assert status[number] == instance.negative
        if not instance.negative:
            x, (u, v) = np.asarray(values[number]), instance.arcs.T
            assert (x[v] - x[u] <= instance.weights).all()


def test_narrow_unknowns(bad_input):
    tails, heads = jnp.array([0, 1], jnp.uint8), jnp.array([1, 0], jnp.uint8)
    mask = jnp.array([True, False])
    graph = difference_constraints(tails, heads, jnp.array([-2, 1]), 256, mask=mask).instance
    assert (graph.senders.tolist(), graph.receivers.tolist()) == ([0, 256], [1, 256])


def test_bad_input(bad_input):
    graph = digraph_from_arcs([[0, 1]], 2, weights=[3])
    with pytest.raises(ValueError, match=r"slack_capacity: expected an integer >= 4"):
        flow_reduction(graph, jnp.array([1, -1]), slack_capacity=3)
    with pytest.raises(ValueError, match=r"supply: expected at most as many units as arcs"):
        flow_reduction(graph, jnp.array([-1, 1]))
    traced = jax.jit(lambda supply: flow_reduction(graph, supply).feasible)
    assert traced(jnp.array([1, -1]))
    assert not traced(jnp.array([-1, 1]))
    assert not traced(jnp.array([1, 0]))
    vertices = jnp.array([0, 1])
    with pytest.raises(ValueError, match=r"receivers: expected unknowns from 0 to 1,"):
        difference_constraints(vertices, vertices + 1, vertices, 2)
    with pytest.raises(ValueError, match=r"bounds: expected shape \[2\]"):
        difference_constraints(vertices, vertices, vertices[:1], 2)
    with pytest.raises(ValueError, match=r"n: expected an integer >= 0"):
        difference_constraints(vertices, vertices, vertices, -1)
