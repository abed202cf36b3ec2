"""Flows of 0 or 1 unit an arc by both routes against HiGHS and networkx."""

import jax
import jax.numpy as jnp
import networkx
import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from jaxlab.graph_algorithms.flow import min_cost_flow_01
from jaxlab.graphs import digraph_from_arcs
from tests.helpers import to_device

NODES, ARCS, COUNT = 6, 14, 60


def instances(seed=0):
    """Parallel arcs, loops, negative cycles, disconnected supplies, vertices without arcs."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(COUNT):
        n = int(rng.integers(1, NODES + 1))
        m = int(rng.integers(0, ARCS + 1))
        arcs = rng.integers(0, n, (m, 2))
        cost = rng.integers(-5 if number % 2 else 0, 20, m)
        used = rng.random(m) < 0.4  # a flow to take supplies from, turned around in a third
        supply = np.zeros(NODES, int)
        np.add.at(supply, arcs[used, 0], 1)
        np.add.at(supply, arcs[used, 1], -1)
        made.append((arcs, cost, n, -supply if number % 3 == 0 else supply))
    return made


def optimum(arcs, cost, n, supply):
    """By mixed-integer programming; None where infeasible."""
    if not len(arcs):
        return None if supply.any() else 0
    incidence = np.stack([(arcs[:, 0] == v) * 1.0 - (arcs[:, 1] == v) for v in range(n)])
    solved = milp(
        cost,
        constraints=LinearConstraint(incidence, supply[:n], supply[:n]),
        integrality=np.ones(len(arcs)),
        bounds=Bounds(0, 1),
    )
    return None if solved.x is None else round(solved.fun)


def stack(made):
    graphs = [
        digraph_from_arcs(
            arcs, n, weights=cost.astype(np.int32), node_capacity=NODES, edge_capacity=ARCS
        )
        for arcs, cost, n, _ in made
    ]
    supplies = to_device(np.stack([supply for *_, supply in made]), np.int32)
    return jax.tree.map(lambda *leaves: to_device(np.stack(leaves)), *graphs), supplies


def check(made, result):
    infeasible, result = 0, jax.device_get(result)
    for number, (arcs, cost, n, supply) in enumerate(made):
        best = optimum(arcs, cost, n, supply)
        assert result.status[number] == (best is None), number
        if best is None:
            infeasible += 1
            continue
        flow = np.asarray(result.flow[number])
        assert not flow[len(arcs) :].any()
        flow = flow[: len(arcs)]
        balance = np.zeros(NODES, int)
        np.add.at(balance, arcs[flow, 0], 1)
        np.add.at(balance, arcs[flow, 1], -1)
        np.testing.assert_array_equal(balance, supply)
        assert cost[flow].sum() == result.cost[number] == best
        potentials = np.asarray(result.potentials[number])
        reduced = cost + potentials[arcs[:, 0]] - potentials[arcs[:, 1]]
        assert (reduced[flow] <= 0).all()
        assert (reduced[~flow] >= 0).all()
    return infeasible


@pytest.mark.parametrize("method", ["ssp", "reduction"])
def test_equals_highs_whatever_the_prediction(method):
    @jax.jit
    @jax.vmap
    def solve(graph, supply, potentials):
        return min_cost_flow_01(graph, supply, potentials=potentials, method=method)

    made = instances()
    graphs, supplies = stack(made)
    rng = np.random.default_rng(5)
    for most in (20, 10**9):
        garbage = to_device(rng.integers(-most, most, (COUNT, NODES)), np.int32)
        result = solve(graphs, supplies, garbage)
        assert 5 < check(made, result) < COUNT // 2
    again = solve(graphs, supplies, result.potentials)
    check(made, again)
    if method == "ssp":
        solved = np.asarray(result.status) == 0
        assert np.asarray(again.stats.free_rows)[solved].sum() < (
            np.asarray(result.stats.free_rows)[solved].sum() / 2
        )


def test_routes_agree_with_networkx_on_a_larger_flow():
    rng = np.random.default_rng(3)
    n, m = 15, 60
    arcs = np.unique(rng.integers(0, n, (m, 2)), axis=0)
    arcs = arcs[arcs[:, 0] != arcs[:, 1]]
    cost = rng.integers(0, 100, len(arcs))
    used = rng.random(len(arcs)) < 0.3
    supply = np.bincount(arcs[used, 0], minlength=n) - np.bincount(arcs[used, 1], minlength=n)
    network = networkx.DiGraph()
    network.add_nodes_from((v, {"demand": -int(s)}) for v, s in enumerate(supply))
    network.add_edges_from(
        (int(a), int(b), {"weight": int(c), "capacity": 1})
        for (a, b), c in zip(arcs, cost, strict=True)
    )
    expected = networkx.min_cost_flow_cost(network)
    graph = digraph_from_arcs(arcs, n, weights=cost.astype(np.int32))
    for method in ("ssp", "reduction"):
        result = min_cost_flow_01(graph, to_device(supply), method=method)
        assert (int(result.status), int(result.cost)) == (0, expected)
        warm = min_cost_flow_01(
            graph, to_device(supply), potentials=result.potentials, method=method
        )
        assert int(warm.cost) == expected
        assert int(result.stats.augmentations) > 4
        if method == "ssp":  # which goes on from the arcs that are tight, along paths of length 0
            np.testing.assert_array_equal(warm.potentials, result.potentials)
        else:
            assert int(warm.stats.augmentations) == 0


def test_many_paths_are_routed_in_one_phase():
    arcs = np.stack([np.arange(20), np.arange(20) + 20], 1)
    graph = digraph_from_arcs(arcs, 40)
    supply = to_device(np.repeat([1, -1], 20))
    result = min_cost_flow_01(graph, supply)
    assert (int(result.cost), int(result.stats.phases)) == (20, 1)
    assert int(result.stats.augmentations) == 20


def test_floats_whatever_the_prediction():
    made = instances(seed=1)
    rng = np.random.default_rng(2)
    # noise too small to make another solution the best, which the integers' optimum checks
    costs = [cost + rng.uniform(-1e-3, 1e-3, len(cost)) for _, cost, *_ in made]
    graphs, supplies = stack(made)
    padded = [np.pad(cost, (0, ARCS - len(cost))) for cost in costs]
    graphs = graphs.replace(weights=to_device(np.stack(padded), np.float32))
    solve = jax.jit(jax.vmap(lambda g, s, p: min_cost_flow_01(g, s, potentials=p)))
    for most in (20, 1e9, 1e38):
        garbage = to_device(rng.uniform(-most, most, (COUNT, NODES)), np.float32)
        result = jax.device_get(solve(graphs, supplies, garbage))
        for number, ((arcs, cost, n, supply), exact) in enumerate(zip(made, costs, strict=True)):
            best = optimum(arcs, cost, n, supply)
            assert result.status[number] == (best is None), number
            if best is not None:
                flow = np.asarray(result.flow[number])[: len(arcs)]
                assert cost[flow].sum() == best
                potentials = np.asarray(result.potentials[number])
                reduced = exact + potentials[arcs[:, 0]] - potentials[arcs[:, 1]]
                assert np.where(flow, reduced, -reduced).max(initial=0) < 1e-4


@pytest.mark.usefixtures("x64")
def test_costs_keep_their_type_in_float64():
    graph = digraph_from_arcs([[0, 1], [0, 2], [2, 1]], 3, weights=np.int32([5, 1, 2]))
    for weights in (graph.weights, graph.weights.astype(jnp.int64) * 2**40):
        result = min_cost_flow_01(
            graph.replace(weights=weights), jnp.array([1, -1, 0]), method="ssp"
        )
        assert int(result.cost) == int(weights[1] + weights[2])
        assert result.cost.dtype == result.potentials.dtype == weights.dtype
        assert all(count.dtype == jnp.int32 for count in result.stats)


def test_bad_input(bad_input):
    graph = digraph_from_arcs([[0, 1]], 2, weights=[3])
    with pytest.raises(ValueError, match=r"supply: expected supplies that sum to 0, got 1"):
        min_cost_flow_01(graph, jnp.array([1, 0]))
    with pytest.raises(ValueError, match=r"supply: expected at most as many units as arcs can"):
        min_cost_flow_01(graph, jnp.array([2, -2]), method="reduction")
    assert int(min_cost_flow_01(graph, jnp.array([2, -2]), method="ssp").status) == 1
    with pytest.raises(ValueError, match=r"supply: expected shape \[2\]"):
        min_cost_flow_01(graph, jnp.array([0]))
    with pytest.raises(ValueError, match=r"supply: expected numbers that fit int32"):
        min_cost_flow_01(graph, np.array([2**32, -(2**32)]))
    with pytest.raises(ValueError, match=r"supply: expected dtype integer"):
        min_cost_flow_01(graph, jnp.zeros(2))
    with pytest.raises(ValueError, match=r"method: expected one of 'ssp', 'reduction'"):
        min_cost_flow_01(graph, jnp.array([1, -1]), method="simplex")
    with pytest.raises(ValueError, match=r"potentials: expected shape \[2\]"):
        min_cost_flow_01(graph, jnp.array([1, -1]), potentials=jnp.zeros(3))
    large = graph.replace(weights=jnp.array([2**27]))
    assert int(min_cost_flow_01(large, jnp.array([1, -1]), method="ssp").status) == 2
