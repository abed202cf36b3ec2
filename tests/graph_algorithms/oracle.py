"""Assignment problems and what is known about their solutions, in numpy and scipy."""

import itertools

import jax.numpy as jnp
import numpy as np
from scipy.optimize import linear_sum_assignment

from jaxlab.graph_algorithms.types import Duals

FORBIDDEN = 10**6


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
            return Duals(jnp.asarray(-row, jnp.int32), jnp.asarray(col, jnp.int32))
        row = nearer


def assert_matching(result, cost, mask=None):
    """The two halves of the matching agree, and it costs what is claimed."""
    cost = np.asarray(cost)
    col_for_row, row_for_col = np.asarray(result.col_for_row), np.asarray(result.row_for_col)
    matched = np.flatnonzero(col_for_row >= 0)
    assert len(matched) == min(cost.shape) == (row_for_col >= 0).sum()
    assert (row_for_col[col_for_row[matched]] == matched).all()
    total = cost[matched, col_for_row[matched]].sum()
    np.testing.assert_allclose(result.cost, total, rtol=1e-5)
    if mask is not None:
        assert np.asarray(mask)[matched, col_for_row[matched]].all()
