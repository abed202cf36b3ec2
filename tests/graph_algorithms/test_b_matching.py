"""Transportation by assignment against HiGHS, and the maps of the reduction."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

from jaxlab.graph_algorithms.assignment import linear_sum_assignment
from jaxlab.graph_algorithms.b_matching import b_matching_reduction
from jaxlab.graph_algorithms.types import Duals
from tests.helpers import to_device

ROWS, COLUMNS, SIZE, COUNT = 4, 5, 12, 60


def instances(seed=0):
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(COUNT):
        total = int(rng.integers(1, SIZE + 1))
        supply = np.bincount(rng.integers(0, ROWS, total), minlength=ROWS)
        demand = np.bincount(rng.integers(0, COLUMNS, total), minlength=COLUMNS)
        cost = rng.integers(-20, 20, (ROWS, COLUMNS))
        mask = rng.random((ROWS, COLUMNS)) < 0.8
        made.append((cost, supply, demand, mask))
    return made


def optimum(cost, supply, demand, mask):
    """Of the linear program, whose basic solutions are integral; None where infeasible."""
    rows = np.kron(np.eye(ROWS), np.ones(COLUMNS))
    columns = np.kron(np.ones(ROWS), np.eye(COLUMNS))
    bounds = [(0, None if edge else 0) for edge in mask.ravel()]
    solved = linprog(
        cost.ravel(),
        A_eq=np.concatenate([rows, columns]),
        b_eq=np.concatenate([supply, demand]),
        bounds=bounds,
    )
    return None if solved.status == 2 else round(solved.fun)


@jax.jit
@jax.vmap
def solve(cost, supply, demand, mask, prediction):
    reduction = b_matching_reduction(cost, supply, demand, mask=mask, size=SIZE)
    problem = reduction.instance
    predicted = reduction.map_prediction(prediction)
    result = linear_sum_assignment(problem.cost, predicted, mask=problem.mask, method="phase")
    return reduction.map_solution(result), result, reduction.map_duals(result.duals)


def test_costs_and_a_mask_of_numpy_are_taken_without_a_warning(bad_input):
    mask = np.array([[True, False], [True, True]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for dtype in (np.int64, np.float64):
            cost = np.array([[4, 1], [2, 3]], dtype)
            reduction = b_matching_reduction(cost, np.array([2, 1]), np.array([1, 2]), mask=mask)
            assert reduction.instance.cost.tolist() == [[4, 1, 1], [4, 1, 1], [2, 3, 3]]
            assert reduction.instance.mask.astype(int).sum(axis=1).tolist() == [1, 1, 3]


def test_equals_highs_and_duals_come_back_with_the_same_value():
    made = instances()
    *numbers, masks = (np.stack(column) for column in zip(*made, strict=True))
    stacked = [*(to_device(x, np.int32) for x in numbers), to_device(masks)]
    rng = np.random.default_rng(1)
    prediction = Duals(
        to_device(rng.integers(-30, 30, (COUNT, ROWS)), np.int32),
        to_device(rng.integers(-30, 30, (COUNT, COLUMNS)), np.int32),
    )
    units, result, duals = jax.device_get(solve(*stacked, prediction))
    infeasible = 0
    for number, (cost, supply, demand, mask) in enumerate(made):
        best = optimum(cost, supply, demand, mask)
        if best is None:
            infeasible += 1
            assert result.status[number] == 1
            continue
        assert result.status[number] == 0
        flow = np.asarray(units[number])
        np.testing.assert_array_equal(flow.sum(1), supply)
        np.testing.assert_array_equal(flow.sum(0), demand)
        assert not flow[~mask].any()
        assert (flow * cost).sum() == result.cost[number] == best
        row, col = np.asarray(duals.row[number]), np.asarray(duals.col[number])
        assert (cost - row[:, None] - col)[mask].min() >= 0
        assert supply @ row + demand @ col == best
    assert 3 < infeasible < COUNT // 2


def test_prediction_map_is_lipschitz_and_inverse_to_the_dual_map():
    rng = np.random.default_rng(2)
    for cost, supply, demand, _ in instances()[:8]:
        reduction = b_matching_reduction(
            to_device(cost), to_device(supply), to_device(demand), size=SIZE
        )
        pair = [rng.integers(-30, 30, ROWS + COLUMNS) for _ in range(2)]
        first, second = (
            reduction.map_prediction(Duals(to_device(y[:ROWS]), to_device(y[ROWS:]))) for y in pair
        )
        error = np.abs(pair[0] - pair[1])
        image = np.abs(np.concatenate(first) - np.concatenate(second))
        assert image.sum() <= error.sum() * int(reduction.lipschitz.l1)
        assert image.max() <= error.max() * int(reduction.lipschitz.linf)
        back = jax.device_get(reduction.map_duals(first))
        np.testing.assert_array_equal(back.row[supply > 0], pair[0][:ROWS][supply > 0])
        np.testing.assert_array_equal(back.col[demand > 0], pair[0][ROWS:][demand > 0])


def test_bad_input(bad_input):
    cost, supply, demand = jnp.zeros((2, 2)), jnp.array([1, 2]), jnp.array([2, 1])
    with pytest.raises(ValueError, match=r"demand: expected as many units as are supplied, 3"):
        b_matching_reduction(cost, supply, jnp.array([2, 2]))
    with pytest.raises(ValueError, match=r"supply: expected no negative number"):
        b_matching_reduction(cost, jnp.array([4, -1]), demand)
    with pytest.raises(ValueError, match=r"size: expected an integer >= 3"):
        b_matching_reduction(cost, supply, demand, size=2)
    with pytest.raises(ValueError, match=r"demand: expected shape \[2\]"):
        b_matching_reduction(cost, supply, jnp.array([3]))
    with pytest.raises(ValueError, match=r"size: expected a number, where supply and demand are"):
        jax.jit(b_matching_reduction)(cost, supply, demand)
    with pytest.raises(ValueError, match=r"mask: expected dtype bool"):
        b_matching_reduction(cost, supply, demand, mask=cost)
    traced = jax.jit(lambda *args: b_matching_reduction(*args, size=3).feasible)
    assert traced(cost, supply, demand)
    assert not traced(cost, supply, jnp.array([2, 2]))
