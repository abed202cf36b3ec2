"""Bellman–Ford against networkx, and its start from known walks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.graph_algorithms.flow import min_cost_flow_01
from jaxlab.graph_algorithms.label_correcting import bellman_ford
from jaxlab.graph_algorithms.label_setting import dijkstra
from jaxlab.graph_algorithms.negative_cycles import find_negative_cycle
from jaxlab.graph_algorithms.path_types import ShortestPaths
from jaxlab.graph_algorithms.policy_iteration import policy
from jaxlab.graph_algorithms.potentials import feasible_potentials, reduced_weights
from jaxlab.graph_algorithms.single_source import shortest_paths
from jaxlab.graph_algorithms.status import LIMIT, NEGATIVE_CYCLE, NO_SOURCE, OK, OVERFLOW
from jaxlab.graph_algorithms.trees import evaluate_tree
from jaxlab.graphs import (
    digraph_from_arcs,
    graph_from_edges,
    in_arcs,
    pad_graph,
    stack_graphs,
    to_digraph,
)
from tests.graph_algorithms import path_oracle as oracle

solve = jax.jit(jax.vmap(lambda graph: bellman_ford(graph, 0)))


def lane(result, number):
    return jax.tree.map(lambda leaf: leaf[number], result)


def test_equals_networkx_on_random_digraphs():
    result = solve(oracle.stack())
    oracle.check_paths(result)
    settled = np.asarray(result.status) == OK
    assert (np.asarray(result.rounds)[settled] <= oracle.NODES).all()
    assert 50 < settled.sum() < oracle.COUNT - 50


def test_the_table_gives_what_the_list_gives():
    def by_table(graph):
        return bellman_ford(graph, 0, in_arcs=in_arcs(graph, width=oracle.ARCS))

    listed, tabled = solve(oracle.stack()), jax.jit(jax.vmap(by_table))(oracle.stack())
    oracle.check_paths(tabled)
    np.testing.assert_array_equal(listed.rounds, tabled.rounds)
    lane_alone = bellman_ford(lane(oracle.stack(), 4), 0)  # eager: the layout is its own choice
    np.testing.assert_array_equal(lane_alone.dist, listed.dist[4])
    assert lane_alone.rounds == listed.rounds[4]


def test_a_start_from_known_walks_is_exact_and_a_good_one_done_at_once():
    graphs = oracle.stack()
    cold = solve(graphs)
    warm = jax.jit(jax.vmap(lambda graph, init: bellman_ford(graph, 0, init=init)))
    again = warm(graphs, cold)
    oracle.check_paths(again._replace(status=jnp.maximum(again.status, cold.status)))
    settled = np.asarray(cold.status) == OK
    assert (np.asarray(again.rounds)[settled] == 1).all()


def test_a_long_negative_cycle_is_noticed_long_before_n_rounds():
    n = 1000
    path = np.stack([np.arange(n - 1), np.arange(1, n)], 1)
    arcs = np.concatenate([path, [[3, 1]]])
    weights = np.concatenate([np.ones(n - 1), [-3]]).astype(np.int32)
    graph = digraph_from_arcs(arcs, n, weights=weights)
    result = bellman_ford(graph, 0)
    assert (int(result.status), int(result.rounds)) == (NEGATIVE_CYCLE, 64)
    forgiving = bellman_ford(graph.replace(weights=graph.weights.at[-1].set(-2)), 0)
    assert (int(forgiving.status), int(forgiving.rounds)) == (OK, n)
    np.testing.assert_array_equal(forgiving.dist, np.arange(n))


def test_limit_on_rounds():
    graph = digraph_from_arcs([[0, 1], [1, 2], [2, 3]], 4)
    capped = bellman_ford(graph, 0, max_rounds=2)
    assert (int(capped.status), int(capped.rounds)) == (LIMIT, 2)
    assert capped.dist.tolist() == [0, 1, 2, oracle.INFINITE]
    assert bellman_ford(graph, 0).dist.tolist() == [0, 1, 2, 3]


def test_padding_changes_nothing_and_loops_may_be_negative():
    graph = digraph_from_arcs([[0, 1], [1, 1]], 3, weights=[4, -1])
    small = bellman_ford(graph, 0)
    padded = bellman_ford(pad_graph(graph, node_capacity=6, edge_capacity=5), 0)
    assert small.status == padded.status == NEGATIVE_CYCLE
    zero = graph.replace(weights=graph.weights.at[1].set(0))
    small = bellman_ford(zero, 0)
    padded = bellman_ford(pad_graph(zero, node_capacity=6, edge_capacity=5), 0)
    assert small.dist.tolist() == padded.dist[:3].tolist() == [0, 4, oracle.INFINITE]
    assert small.parent.tolist() == padded.parent[:3].tolist() == [0, 0, -1]
    assert small.rounds == padded.rounds
    assert (np.asarray(padded.dist[3:]) == oracle.INFINITE).all()


def test_float_lengths():
    graph = digraph_from_arcs([[0, 1], [0, 2], [2, 1]], 4, weights=np.float32([1.5, 0.25, -0.5]))
    result = bellman_ford(graph, 0)
    assert result.dist.tolist() == [0, -0.25, 0.25, np.inf]


def test_a_start_of_floats_that_is_no_tree():
    # two vertices that are each other's parent, of a day when this was a negative cycle
    graph = digraph_from_arcs([[0, 1], [1, 2], [2, 1]], 3, weights=np.float32([5, 1, -2]))
    found = bellman_ford(graph, 0)
    assert (int(found.status), found.parent.tolist()) == (NEGATIVE_CYCLE, [0, 2, 1])
    graph = graph.replace(weights=graph.weights.at[2].set(2))
    again = bellman_ford(graph, 0, init=found)
    assert (int(again.status), again.dist.tolist(), again.parent.tolist()) == (
        0,
        [0, 5, 6],
        [0, 0, 1],
    )
    assert int(bellman_ford(graph, 0, init=found, max_rounds=2).status) == LIMIT


def test_labels_of_floats_that_leave_their_type():
    # round a cycle of length 0 at -inf there is nothing that rounding errors could be told from
    graph = digraph_from_arcs([[0, 1], [1, 2], [2, 1]], 3, weights=np.float32([-3e38, -3e38, 3e38]))
    assert int(bellman_ford(graph, 0).status) == OVERFLOW


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
@pytest.mark.parametrize("tabled", [False, True])
def test_lengths_that_are_no_numbers_are_a_status_inside_jit(bad, tabled):
    arcs = [[0, 1], [0, 2], [2, 1], [1, 3]]
    base = digraph_from_arcs(arcs, 4, weights=np.float32([5, 4, 2, 1]))
    table = in_arcs(base, width=2) if tabled else None
    solvers = (*SOLVERS, dijkstra, functools.partial(evaluate_tree, parent=jnp.array([0, 0, 0, 1])))
    finders = [functools.partial(solver, source=0) for solver in solvers]

    def statuses(weights, mask):
        graph = base.replace(weights=weights, mask=mask)
        found = [find(graph, in_arcs=table) for find in (*finders, find_negative_cycle)]
        found.append(feasible_potentials(graph, in_arcs=table))
        found += [
            min_cost_flow_01(graph, jnp.array([1, -1, 0, 0]), method=method)
            for method in ("ssp", "reduction")
        ]
        return [result.status for result in found]

    weights = base.weights.at[2].set(bad)
    assert set(map(int, jax.jit(statuses)(weights, base.mask))) == {OVERFLOW}
    assert set(map(int, jax.jit(statuses)(weights, base.mask.at[2].set(False)))) == {OK}


SOLVERS = [bellman_ford, policy, functools.partial(shortest_paths, method="bellman_ford")]


@pytest.mark.parametrize("method", SOLVERS)
@pytest.mark.parametrize("tabled", [False, True])
def test_cycles_of_floats_are_negative_only_beyond_rounding_errors(method, tabled):
    n, lanes = 6, 200
    rng = np.random.default_rng(5)
    ring = np.stack([np.arange(n), np.roll(np.arange(n), -1)], 1)
    arcs = np.concatenate([ring, ring[:, ::-1]])
    length = (rng.random((lanes, n)) - 0.5).astype(np.float32)
    # either way along an arc and back makes 0 exactly, all around it is positive
    lengths = np.concatenate([length, -length], axis=1)
    lengths[:, n - 1] += 9
    lengths[:, -1] += 9

    def solve(weights):
        graph = digraph_from_arcs(arcs, n).replace(weights=weights)
        table = in_arcs(digraph_from_arcs(arcs, n), width=2) if tabled else None
        return method(graph, 0, in_arcs=table)

    solve = jax.jit(jax.vmap(solve))
    found = solve(jnp.asarray(lengths))
    assert (found.status == OK).all()
    exact = np.concatenate([np.zeros((lanes, 1)), length[:, :-1].cumsum(axis=1)], axis=1)
    np.testing.assert_allclose(found.dist, exact, atol=1e-5)
    lengths[:, 2] -= 1e-4
    assert (solve(jnp.asarray(lengths)).status == NEGATIVE_CYCLE).all()


@pytest.mark.parametrize("tabled", [False, True])
def test_floats_whose_sums_are_exact_give_exact_labels(tabled):
    n = 300
    one, two = np.stack([np.arange(1, n - 1), np.arange(2, n)], 1), np.arange(1, n - 2)
    two = np.stack([two, two + 2], 1)
    arcs = np.concatenate([[[0, 1]], one, two])
    quarters = np.concatenate([[2_000_000], np.full(len(one), 4), np.full(len(two), 10)])
    graph = digraph_from_arcs(arcs, n, weights=quarters.astype(np.float32) / 4)
    table = in_arcs(graph, width=2) if tabled else None
    for method in (*SOLVERS, dijkstra):
        found = method(graph, 0, in_arcs=table)
        expected = np.concatenate([[0], 5e5 + np.arange(n - 1)])
        np.testing.assert_array_equal(found.dist, expected)
        assert found.status == OK
    supply = jnp.zeros(n, jnp.int32).at[jnp.array([0, -1])].set(jnp.array([1, -1]))
    assert min_cost_flow_01(graph, supply).cost == expected[-1]
    downhill = np.concatenate([[-2_000_000], np.full(len(one), -4), np.full(len(two), -6)])
    downhill = graph.replace(weights=jnp.asarray(downhill / 4, jnp.float32))
    for method in SOLVERS:
        found = method(downhill, 0, in_arcs=table)
        np.testing.assert_array_equal(found.dist, -expected)
    repaired = feasible_potentials(downhill, in_arcs=table)
    assert repaired.status == OK
    assert reduced_weights(downhill, repaired.potentials).min() == 0


@pytest.mark.parametrize("tabled", [False, True])
def test_a_small_negative_cycle_of_floats_is_one_beside_large_labels(tabled):
    arcs = [[0, 1], [1, 2], [2, 1], [2, 3], [3, 2]]
    graph = digraph_from_arcs(arcs, 4, weights=np.float32([5e5, 1, -1.5, 0.3, -0.3]))
    table = in_arcs(graph, width=2) if tabled else None
    for method in SOLVERS:
        assert method(graph, 0, in_arcs=table).status == NEGATIVE_CYCLE
    found = find_negative_cycle(graph, in_arcs=table)
    assert (found.vertices.tolist(), float(found.length)) == ([2, 1, -1, -1], -0.5)


@pytest.mark.usefixtures("x64")
def test_wide_lengths():
    graph = digraph_from_arcs([[0, 1], [1, 2]], 3, weights=np.int64([2**40, -(2**41)]))
    assert bellman_ford(graph, 0).dist.tolist() == [0, 2**40, -(2**40)]


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.int8, jnp.uint8])
def test_narrow_lengths(dtype):
    weights = jnp.array([100, 100, 100], dtype)
    graph = digraph_from_arcs([[0, 1], [1, 2], [2, 3]], 4).replace(weights=weights)
    assert bellman_ford(graph, 0).dist.tolist() == [0, 100, 200, 300]
    assert jax.jit(bellman_ford)(graph, 0).dist.dtype.itemsize == 4


def test_a_source_that_is_no_vertex_is_a_status_inside_jit():
    graph = digraph_from_arcs([[0, 1]], 2, node_capacity=4)
    by_tree = functools.partial(evaluate_tree, parent=jnp.zeros(4, jnp.int32))
    for method in (bellman_ford, policy, dijkstra, by_tree):
        inside = jax.jit(lambda source, method=method: method(graph, source=source))
        for source, status in [(0, OK), (2, NO_SOURCE), (99, NO_SOURCE), (-1, NO_SOURCE)]:
            assert inside(source).status == status


def test_what_is_no_digraph_with_real_lengths_is_refused(bad_input):
    graph = graph_from_edges([[0, 1]], 2, weights=[3])
    for refused, got in [
        (graph, "graph: expected a Digraph: see to_digraph, got 'Graph'"),
        (stack_graphs([to_digraph(graph)] * 2), "graph: expected one graph; for a stack use"),
        (to_digraph(graph).replace(weights=jnp.ones(2, bool)), "graph.weights: expected signed"),
        (to_digraph(graph).replace(weights=jnp.ones(2, complex)), "graph.weights: expected signed"),
        (to_digraph(graph).replace(weights=jnp.ones(2, jnp.uint32)), "graph.weights: expected"),
    ]:
        for method in (bellman_ford, jax.jit(bellman_ford)):
            with pytest.raises(ValueError, match=got):
                method(refused, 0)
    with pytest.raises(ValueError, match="source: expected dtype integer"):
        jax.jit(bellman_ford)(to_digraph(graph), 1.7)


def test_lengths_that_could_overflow_are_a_status_inside_jit(bad_input):
    graph = digraph_from_arcs([[0, 1]], 2, weights=[2**28])
    assert int(jax.jit(functools.partial(bellman_ford, source=0))(graph).status) == OVERFLOW
    assert int(bellman_ford(graph.replace(weights=graph.weights - 1), 0).status) == OK
    with pytest.raises(ValueError, match=r"graph.weights: expected lengths of at most"):
        bellman_ford(graph, 0)
    with pytest.raises(ValueError, match=r"graph.weights: expected lengths"):
        bellman_ford(graph.replace(weights=jnp.array([-(2**31)])), 0)
    with pytest.raises(ValueError, match=r"graph.weights: expected numbers above -inf"):
        bellman_ford(graph.replace(weights=jnp.array([jnp.nan])), 0)
    graph = graph.replace(weights=jnp.array([1]))
    with pytest.raises(ValueError, match=r"source: expected a vertex, from 0 to n_node - 1 = 1"):
        bellman_ford(graph, 2)
    with pytest.raises(ValueError, match=r"max_rounds"):
        bellman_ford(graph, 0, max_rounds=-1)
    short = ShortestPaths(*[jnp.zeros(3, jnp.int32)] * 4)
    with pytest.raises(ValueError, match=r"init.dist: expected shape \[2\]"):
        bellman_ford(graph, 0, init=short)
    table = jax.jit(functools.partial(in_arcs, width=0))(graph)
    with pytest.raises(ValueError, match=r"in_arcs.dropped"):
        bellman_ford(graph, 0, in_arcs=table)
