"""Assignments whose dearest edge is cheapest."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Num

from jaxlab.graph_algorithms._problem import empty_result
from jaxlab.graph_algorithms.cardinality import maximum_cardinality_matching
from jaxlab.graph_algorithms.duals import check_problem, working_dtype
from jaxlab.graph_algorithms.status import INFEASIBLE, OK, OVERFLOW
from jaxlab.graph_algorithms.types import AssignmentResult, AssignmentStats, Duals
from jaxlab.varying import vary_like

__all__ = ["bottleneck_assignment"]


class Bisection(NamedTuple):
    """Ranks of thresholds: ``below`` is too low, ``above`` is not, or is past the last.

    Counted are the searches and the thresholds tried.
    """

    below: Array
    above: Array
    seed: Array
    col_for_row: Array
    row_for_col: Array
    phases: Array
    rounds: Array


def bottleneck_assignment(
    cost: Num[Array, "n m"], *, mask: Bool[Array, "n m"] | None = None
) -> AssignmentResult:
    """Assignment of ``min(n, m)`` edges whose largest cost is least, ``min max c_ij``.

    Bisection over the costs, with a maximum matching of the edges that are cheap enough; each
    search continues the best matching of a lower threshold.

    Args:
        cost: of the edges; positive infinity forbids one.
        mask: which edges are there; None for all.

    Returns:
        The matching; ``cost`` is that of its dearest edge. There are no duals of this problem:
        those fields are zeros. The status is ``OK``, ``INFEASIBLE`` where no assignment exists, or
        ``OVERFLOW`` where a cost is NaN; ``stats.phases`` counts searches, ``stats.rounds`` the
        thresholds tried.

    Raises:
        ValueError: the cost is not a matrix; the mask has another shape; costs of NumPy that do not
            fit the type jax gives them.

    Cost:
        A sort of the ``n m`` costs, and ``log2(n m)`` maximum matchings.

    Example:
        >>> result = bottleneck_assignment(jnp.array([[3, 5], [9, 7]]))
        >>> result.cost, result.col_for_row
        (Array(7, dtype=int32), Array([0, 1], dtype=int32))
    """
    check_problem(cost, None, mask)
    return _solve(cost, mask)


@jax.jit
def _solve(cost: Array, mask: Array | None) -> AssignmentResult:
    rows, columns = cost.shape
    if 0 in cost.shape:
        return empty_result(cost)
    cost, mask = vary_like((cost.astype(working_dtype(cost.dtype)), mask))
    there = jnp.ones(cost.shape, bool) if mask is None else mask
    valid = jnp.bool_(True)
    if jnp.issubdtype(cost.dtype, jnp.floating):
        valid = ~jnp.any(there & jnp.isnan(cost))
        there = there & (cost < jnp.inf)
        cost = jnp.where(there, cost, jnp.inf)  # no edge is as cheap as NaN
    thresholds = jnp.sort(cost.ravel())
    many = thresholds.shape[0]

    def narrow(_: Array, at: Bisection) -> Bisection:
        middle = (at.below + at.above) // 2
        cheap = there & (cost <= thresholds[jnp.clip(middle, 0, many - 1)])
        # an answer found already is kept: what is searched then is a matching that exists
        tried = at.above - at.below > 1
        found = maximum_cardinality_matching(cheap & tried, jnp.where(tried, at.seed, -1))
        enough = jnp.sum(found.col_for_row >= 0) == min(rows, columns)
        success, failure = tried & enough, tried & ~enough
        return Bisection(
            jnp.where(failure, middle, at.below),
            jnp.where(success, middle, at.above),
            jnp.where(failure, found.col_for_row, at.seed),
            jnp.where(success, found.col_for_row, at.col_for_row),
            jnp.where(success, found.row_for_col, at.row_for_col),
            at.phases + jnp.where(tried, found.phases, 0),
            at.rounds + tried,
        )

    nobody = jnp.full_like(cost[:, 0], -1, jnp.int32)
    zero = jnp.zeros_like(nobody[0])
    start = Bisection(
        zero - 1, zero + many, nobody, nobody, jnp.full_like(cost[0], -1, jnp.int32), zero, zero
    )
    end = jax.lax.fori_loop(0, many.bit_length(), narrow, start)
    result = _result(cost, thresholds, end)
    return result._replace(status=jnp.where(valid, result.status, OVERFLOW).astype(jnp.int32))


def _result(cost: Array, thresholds: Array, end: Bisection) -> AssignmentResult:
    rows, columns = cost.shape
    many = thresholds.shape[0]
    zero = jnp.zeros_like(end.phases)
    matched = jnp.sum(end.col_for_row >= 0, dtype=jnp.int32)
    stats = AssignmentStats(zero + min(rows, columns), matched, zero, end.phases, end.rounds)
    status = jnp.where(end.above < many, OK, INFEASIBLE).astype(jnp.int32)
    value = thresholds[jnp.minimum(end.above, many - 1)]
    zeros = Duals(jnp.zeros_like(cost[:, 0]), jnp.zeros_like(cost[0]))
    return AssignmentResult(end.col_for_row, end.row_for_col, value, zeros, status, stats)
