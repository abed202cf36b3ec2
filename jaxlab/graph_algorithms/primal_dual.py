"""The Hungarian method with maximum matchings: the baseline of learned duals, round by round."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Num

from jaxlab.checks import check_bool, check_choice, check_integer
from jaxlab.graph_algorithms._problem import empty_result, feasible_start, pose, result_of
from jaxlab.graph_algorithms._state import State, Work, far, tolerance
from jaxlab.graph_algorithms.assignment import COUNTABLE, check_values, match_tight
from jaxlab.graph_algorithms.cardinality import maximum_cardinality_matching, search
from jaxlab.graph_algorithms.duals import check_problem, reduced_costs
from jaxlab.graph_algorithms.rounding import ROUNDINGS
from jaxlab.graph_algorithms.types import AssignmentResult, Duals

__all__ = ["primal_dual_matching"]


def primal_dual_matching(
    cost: Num[Array, "n m"],
    duals: Duals | None = None,
    *,
    mask: Bool[Array, "n m"] | None = None,
    maximize: bool = False,
    rounding: str = "greedy",
    max_rounds: int | None = None,
) -> AssignmentResult:
    """Assignment of least cost by the primal-dual method of the paper on learned duals.

    Repeat: a maximum matching of the tight edges; from its free rows, the rows ``L`` and columns
    that alternating paths reach; ``ε = min r_ij`` over edges from reached rows to other columns;
    ``u += ε`` on reached rows, ``v −= ε`` on reached columns. It is the baseline that
    :func:`~jaxlab.graph_algorithms.assignment.linear_sum_assignment` improves on.

    Args:
        cost: of the edges.
        duals: prediction; None for a cold start.
        mask: which edges are there; None for all.
        maximize: look for the largest cost.
        rounding: how the prediction is made feasible.
        max_rounds: most rounds before giving up; None for no limit.

    Returns:
        The matching, its cost, optimal duals and a status; ``stats.phases`` counts the rounds,
        the last one included, which finds a perfect matching, and ``stats.free_rows`` the rows
        that the first matching left free.

    Raises:
        ValueError: as :func:`~jaxlab.graph_algorithms.assignment.linear_sum_assignment`.

    Cost:
        ``O(k²)`` for each level of the searches of each round, ``k = max(n, m)``.

    Source:
        Dinitz et al., *Faster Matchings via Learned Duals*, NeurIPS 2021, algorithm 2.

    Example:
        >>> cost = jnp.array([[8, 4, 7], [5, 2, 3], [9, 4, 8]])
        >>> result = primal_dual_matching(cost)
        >>> result.cost
        Array(15, dtype=int32)
        >>> primal_dual_matching(cost, result.duals).stats.phases
        Array(1, dtype=int32)
    """
    check_bool("maximize", maximize)
    check_problem(cost, duals, mask)
    check_choice("rounding", rounding, ROUNDINGS)
    if max_rounds is not None:
        check_integer("max_rounds", max_rounds, minimum=0)
    check_values(cost, duals, mask, maximize)
    return _solve(cost, duals, mask, maximize=maximize, rounding=rounding, max_rounds=max_rounds)


@functools.partial(jax.jit, static_argnames=("maximize", "rounding", "max_rounds"))
def _solve(
    cost: Array,
    duals: Duals | None,
    mask: Array | None,
    *,
    maximize: bool,
    rounding: str,
    max_rounds: int | None,
) -> AssignmentResult:
    if 0 in cost.shape:
        return empty_result(cost)
    problem = pose(cost, duals, mask, maximize=maximize)
    state = match_tight(problem, feasible_start(problem, rounding=rounding), maximum=True)
    posed, mask = problem.cost, problem.mask
    size, never = posed.shape[0], far(posed.dtype)
    # a change of the duals reaches another column, and n columns reach a free one
    most = min(size * size + 1 if max_rounds is None else max_rounds, COUNTABLE)

    def tight(u: Array, v: Array) -> Array:
        duals = Duals(u, v)
        edges = reduced_costs(posed, duals) <= tolerance(posed, duals)
        return edges if mask is None else edges & mask

    def advance(carry: tuple[State, Array, Array]) -> tuple[State, Array, Array]:
        state, count, _ = carry
        reduced = reduced_costs(posed, Duals(state.u, state.v))
        free = state.col_for_row < 0
        limit = jnp.full_like(count, size)
        edges = tight(state.u, state.v)
        _, level = search(
            edges, free, state.col_for_row, state.row_for_col, limit=limit, layered=False
        )
        cols = level > 0
        rows = free | ((state.col_for_row >= 0) & cols[jnp.maximum(state.col_for_row, 0)])
        leaving = rows[:, None] & ~cols
        if mask is not None:
            leaving &= mask
        gap = jnp.min(jnp.where(leaving, reduced, never))
        found = gap < never
        step = jnp.where(found, gap, 0)
        u, v = state.u + jnp.where(rows, step, 0), state.v - jnp.where(cols, step, 0)
        col_for_row, row_for_col, _ = maximum_cardinality_matching(tight(u, v), state.col_for_row)
        return State(u, v, col_for_row, row_for_col), count + 1, found

    free_rows = jnp.sum(state.col_for_row < 0, dtype=jnp.int32)
    one = jnp.ones_like(free_rows)
    state, count, _ = jax.lax.while_loop(
        lambda carry: jnp.any(carry[0].col_for_row < 0) & carry[2] & (carry[1] < most),
        advance,
        (state, one, one > 0),
    )
    left = jnp.sum(state.col_for_row < 0, dtype=jnp.int32)
    zero = jnp.zeros_like(count)
    work = Work(free_rows - left, zero, count, zero, (left > 0) & (count >= most))
    return result_of(problem, state, work, free_rows, cost=cost, maximize=maximize)
