"""Degree-constrained subgraphs against HiGHS, and the maps of the reduction."""

import functools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from jaxlab.graph_algorithms.degree_constrained import dcs_reduction, degree_constrained_subgraph
from jaxlab.graph_algorithms.duals import dual_objective, feasibility_violation
from jaxlab.graph_algorithms.status import OK, OVERFLOW
from jaxlab.graph_algorithms.types import Duals
from tests.helpers import to_device

LEFT, RIGHT, EDGES, COUNT = 4, 5, 14, 80


def instances(seed=0):
    """Parallel edges, padding, and degrees that often nothing meets."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(COUNT):
        mask = np.arange(EDGES) < rng.integers(0, EDGES + 1)
        senders, receivers = rng.integers(0, LEFT, EDGES), rng.integers(0, RIGHT, EDGES)
        cost = rng.integers(-20, 20, EDGES)
        chosen = mask & (rng.random(EDGES) < 0.5)
        wanted = np.bincount(senders[chosen], minlength=LEFT)
        if number % 3:
            takes = np.bincount(receivers[chosen], minlength=RIGHT)
        else:  # the right sum, on vertices that have the edges
            takes, stubs = np.zeros(RIGHT, int), receivers[mask]
            np.add.at(takes, rng.permutation(stubs)[: chosen.sum()], 1)
        made.append((senders, receivers, cost, wanted, takes, mask))
    return made


def optimum(senders, receivers, cost, left, right, mask):
    """By mixed-integer programming; None where infeasible."""
    rows = np.stack([senders == v for v in range(LEFT)] + [receivers == v for v in range(RIGHT)])
    degrees = np.concatenate([left, right])
    solved = milp(
        cost,
        constraints=LinearConstraint(rows.astype(float), degrees, degrees),
        integrality=np.ones(EDGES),
        bounds=Bounds(0, mask.astype(float)),
    )
    return None if solved.x is None else round(solved.fun)


@jax.jit
@jax.vmap
def solve(senders, receivers, cost, left, right, mask, duals):
    return degree_constrained_subgraph(
        senders, receivers, cost, left, right, mask=mask, duals=duals, method="phase"
    )


@jax.jit
@jax.vmap
def mapped(senders, receivers, cost, left, right, mask, duals):
    reduction = dcs_reduction(senders, receivers, cost, left, right, mask=mask)
    image = reduction.map_prediction(duals)
    violation = feasibility_violation(reduction.instance.cost, image, mask=reduction.instance.mask)
    return violation, dual_objective(image), reduction.map_duals(image), image, reduction.lipschitz


def stacked(made):
    columns = [np.stack(column) for column in zip(*made, strict=True)]
    return [to_device(x, np.int32) for x in columns[:5]] + [to_device(columns[5])]


def garbage(seed, most):
    rng = np.random.default_rng(seed)
    return Duals(
        *(to_device(rng.integers(-most, most, (COUNT, k)), np.int32) for k in (LEFT, RIGHT))
    )


def value(instance, row, col):
    senders, receivers, cost, left, right, mask = instance
    edge = np.minimum(0, cost - row[senders] - col[receivers])[mask]
    return left @ row + right @ col + edge.sum()


def test_equals_highs_and_duals_prove_it():
    made = instances()
    problems = stacked(made)
    guesses = garbage(1, 30), garbage(2, 10**9)
    results = [jax.device_get(solve(*problems, guess)) for guess in guesses]
    infeasible = 0
    for number, instance in enumerate(made):
        senders, receivers, cost, left, right, mask = instance
        best = optimum(*instance)
        for result in results:
            assert result.status[number] == (best is None)
            if best is None:
                infeasible += 1
                continue
            chosen = np.asarray(result.chosen[number])
            assert not chosen[~mask].any()
            np.testing.assert_array_equal(np.bincount(senders[chosen], minlength=LEFT), left)
            np.testing.assert_array_equal(np.bincount(receivers[chosen], minlength=RIGHT), right)
            assert cost[chosen].sum() == result.cost[number] == best
            duals = (np.asarray(y[number]) for y in result.duals)
            assert value(instance, *duals) == best
    assert 5 < infeasible < COUNT


def test_predictions_are_feasible_as_they_are_and_keep_their_value():
    made = instances()
    first, second = garbage(3, 30), garbage(4, 30)
    found = jax.device_get(mapped(*stacked(made), first))
    violation, objective, back, image, lipschitz = found
    other = jax.device_get(mapped(*stacked(made), second)[3])
    first, second = jax.device_get((first, second))
    assert (np.asarray(violation) == 0).all()
    for number, instance in enumerate(made):
        before = value(instance, np.asarray(first.row[number]), np.asarray(first.col[number]))
        assert objective[number] == before
        after = value(instance, np.asarray(back.row[number]), np.asarray(back.col[number]))
        assert after >= before
        error, change = (
            np.abs(
                np.concatenate([np.asarray(p[number]) - np.asarray(q[number]) for p, q in pairs])
            )
            for pairs in (zip(first, second, strict=True), zip(image, other, strict=True))
        )
        assert change.sum() <= error.sum() * int(lipschitz.l1[number])
        assert change.max() <= error.max() * int(lipschitz.linf[number])


def test_exact_duals_leave_nothing_to_do():
    made = instances()
    first = solve(*stacked(made), garbage(1, 30))
    again = solve(*stacked(made), first.duals)
    solved = np.asarray(first.status) == 0
    np.testing.assert_array_equal(again.cost[solved], first.cost[solved])
    assert (np.asarray(again.stats.augmentations)[solved] == 0).all()
    assert np.asarray(first.stats.augmentations)[solved].sum() > 20


def test_eager_calls_size_the_assignment_themselves():
    senders, receivers, cost = jnp.array([0, 0, 1]), jnp.array([0, 1, 1]), jnp.array([5, 2, 3])
    degrees = jnp.array([1, 1]), jnp.array([1, 1])
    result = degree_constrained_subgraph(senders, receivers, cost, *degrees)
    assert (result.chosen.tolist(), int(result.cost)) == ([True, False, True], 8)
    floats = degree_constrained_subgraph(senders, receivers, cost / 2, *degrees)
    assert float(floats.cost) == 4


def test_a_known_graph_inside_jit():
    senders, receivers, cost = jnp.array([0, 0, 1]), jnp.array([0, 1, 1]), jnp.array([5, 2, 3])
    one = jnp.array([1, 1])
    solve = jax.jit(
        lambda cost: degree_constrained_subgraph(senders, receivers, cost, one, one).chosen
    )
    assert solve(cost).tolist() == [True, False, True]
    two = jnp.array([2, 2])
    with pytest.raises(ValueError, match=r"degree_left: expected at most as many as there are edg"):
        jax.jit(lambda cost: dcs_reduction(senders, receivers, cost, two, two).feasible)(cost)


def test_costs_too_wide_for_packed_keys_inside_jit():
    rng = np.random.default_rng(0)
    senders, receivers = jnp.arange(120) % 20, to_device(rng.integers(0, 20, 120))
    cost = to_device(rng.integers(1, 20_000_000, 120), np.int32)
    degrees = (jnp.bincount(ends[:36], length=20) for ends in (senders, receivers))
    solve = functools.partial(degree_constrained_subgraph, senders, receivers, cost, *degrees)
    expected = solve()
    assert int(expected.status) == OK
    assert int(jax.jit(solve)().status) == OVERFLOW
    found = jax.jit(functools.partial(solve, key="two_pass"))()
    assert (int(found.status), int(found.cost)) == (OK, int(expected.cost))


def test_costs_of_numpy_are_taken_without_a_warning(bad_input):
    ends, one = (np.array([0, 0, 1]), np.array([0, 1, 1])), np.array([1, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for dtype in (np.int64, np.float64):
            result = degree_constrained_subgraph(*ends, np.array([5, 2, 3], dtype), one, one)
            assert int(result.cost) == 8


def test_narrow_ends_and_degrees(bad_input):
    degrees = np.zeros(300, int)
    degrees[[0, 200]] = 1
    ends, cost = np.array([0, 200, 0]), jnp.array([5, 3, 2])
    mask = jnp.array([True, True, False])
    for dtype in (np.uint8, np.uint32):
        vertices, wanted = to_device(ends, dtype), to_device(degrees, dtype)
        found = degree_constrained_subgraph(vertices, vertices, cost, wanted, wanted, mask=mask)
        assert (int(found.status), int(found.cost)) == (0, 8)
    # 130 edges at one vertex are more than int8 counts
    star, leaves = jnp.zeros(130, jnp.int32), jnp.arange(130)
    one, rest = jnp.array([1], jnp.int8), jnp.zeros(130, jnp.int8).at[7].set(1)
    found = degree_constrained_subgraph(star, leaves, leaves, one, rest)
    assert (int(found.status), np.flatnonzero(found.chosen).tolist()) == (0, [7])


def test_bad_input(bad_input):
    senders, receivers, cost = jnp.array([0, 0, 1]), jnp.array([0, 1, 1]), jnp.array([5, 2, 3])
    one = jnp.array([1, 1])
    with pytest.raises(ValueError, match=r"degree_left: expected at most as many as there are edg"):
        degree_constrained_subgraph(senders, receivers, cost, jnp.array([0, 2]), one)
    with pytest.raises(ValueError, match=r"degree_right: expected the sum on the left, 2, got 1"):
        degree_constrained_subgraph(senders, receivers, cost, one, jnp.array([0, 1]))
    with pytest.raises(ValueError, match=r"degree_left: expected no negative number"):
        degree_constrained_subgraph(senders, receivers, cost, jnp.array([-1, 1]), one)
    with pytest.raises(ValueError, match=r"receivers: expected vertices from 0 to 1, got 2"):
        degree_constrained_subgraph(senders, receivers + 1, cost, one, one)
    with pytest.raises(ValueError, match=r"size: expected an integer >= 1"):
        dcs_reduction(senders, receivers, cost, one, one, size=0)
    with pytest.raises(ValueError, match=r"cost: expected shape \[3\]"):
        dcs_reduction(senders, receivers, cost[:2], one, one)
