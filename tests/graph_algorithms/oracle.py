"""Assignment problems and what is known about their solutions, in numpy and scipy."""

import itertools

import jax
import numpy as np
from scipy.optimize import linear_sum_assignment

from jaxlab.graph_algorithms.types import Duals
from tests.helpers import to_device


def brute_force(cost):
    """Least cost of an assignment of all rows, by trying them all."""
    rows, columns = cost.shape
    choices = itertools.permutations(range(columns), rows)
    return min(cost[np.arange(rows), list(choice)].sum() for choice in choices)


def scipy_cost(cost, mask=None, maximize=False):
    """scipy's optimum; None where every assignment needs an edge that is not there."""
    cost = np.asarray(cost, np.float64)
    if mask is not None:
        cost = np.where(mask, cost, -np.inf if maximize else np.inf)
    try:
        rows, columns = linear_sum_assignment(cost, maximize)
    except ValueError:
        return None
    return cost[rows, columns].sum()


def scipy_matching(cost):
    """Rows and columns of scipy's optimum."""
    return linear_sum_assignment(np.asarray(cost))


def optimal_duals(cost):
    """Optimal integer duals, by shortest paths from the optimal matching (Bellman-Ford)."""
    cost = np.asarray(cost, np.int64)
    rows, columns = linear_sum_assignment(cost)
    column_of = np.empty_like(columns)
    column_of[rows] = columns
    own = cost[np.arange(len(cost)), column_of]
    row = np.zeros(len(cost), np.int64)  # distance of a row in the residual graph
    while True:
        col = (row[:, None] + cost).min(axis=0)
        nearer = np.minimum(row, col[column_of] - own)
        if (nearer == row).all():
            return Duals(to_device(-row, np.int32), to_device(col, np.int32))
        row = nearer


def random_cost(rng, shape, trial):
    """Integers of few or many values, negative too, with ties; every fifth is constant."""
    high = [0, 2, 10, 100, 10_000][trial % 5]
    return (rng.integers(-high, high + 1, shape) + rng.integers(-5, 5)).astype(np.int32)


def random_costs(rng, shape, count):
    """A stack of them."""
    return np.stack([random_cost(rng, shape, trial) for trial in range(count)])


def garbage(rng, shape, count):
    """Predictions that have nothing to do with the costs, small, large and near overflow."""
    sizes = np.array([10, 10**4, 10**9])[np.arange(count) % 3, None]
    parts = (rng.integers(-sizes, sizes, (count, k)) for k in shape)
    return Duals(*(to_device(part, np.int32) for part in parts))


def assert_matchings(results, costs, masks=None):
    """In a stack of results both halves of each matching agree, and it costs what is claimed."""
    shape = costs.shape[1:]
    for k, cost in enumerate(costs):
        col_for_row, row_for_col = results.col_for_row[k], results.row_for_col[k]
        matched = np.flatnonzero(col_for_row >= 0)
        assert len(matched) == min(shape) == (row_for_col >= 0).sum()
        assert (row_for_col[col_for_row[matched]] == matched).all()
        total = cost[matched, col_for_row[matched]].sum()
        np.testing.assert_allclose(results.cost[k], total, rtol=1e-4, atol=1e-4)
        if masks is not None:
            assert masks[k][matched, col_for_row[matched]].all()


def assert_solved(results, costs, masks=None, maximize=False):
    """Results of a stack are optimal by their duals and by scipy; else infeasible by both.

    Returns:
        How many of them are infeasible.
    """
    optima = [
        scipy_cost(cost, None if masks is None else masks[k], maximize)
        for k, cost in enumerate(costs)
    ]
    feasible = np.array([optimum is not None for optimum in optima])
    np.testing.assert_array_equal(results.status, np.where(feasible, 0, 1))
    solved = jax.tree.map(lambda x: x[feasible], results)
    costs, masks = costs[feasible], None if masks is None else masks[feasible]
    assert_matchings(solved, costs, masks)
    expected = np.array([optimum for optimum in optima if optimum is not None])
    np.testing.assert_allclose(solved.cost, expected, rtol=1e-4, atol=1e-4)
    if costs.dtype.kind == "i":
        np.testing.assert_array_equal(solved.cost, expected)
    u, v = solved.duals.row, solved.duals.col
    slack = (costs - u[:, :, None] - v[:, None]) * (-1 if maximize else 1)
    there = np.isfinite(costs) if masks is None else masks & np.isfinite(costs)
    tolerance = 0 if costs.dtype.kind == "i" else 1e-4 * np.abs(costs[there]).max(initial=0)
    assert slack[there].min(initial=0) >= -tolerance
    if costs.dtype.kind == "i":
        np.testing.assert_array_equal(u.sum(axis=1) + v.sum(axis=1), solved.cost)
    return int((~feasible).sum())
