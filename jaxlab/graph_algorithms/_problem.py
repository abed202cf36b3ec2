"""From what a caller poses to a minimisation with feasible duals, and back with a proof.

Maximisation is minimisation of the negated costs; a problem with more rows than columns is
transposed. With fewer, complementary slackness asks for unmatched columns to end at the largest of
the column duals. In a cold start that augments row by row they do by themselves: all begin at zero,
and only matched ones become cheaper. Elsewhere rows are added that cost the same everywhere, until
the problem is square.

Floats are posed as what the costs exceed the least of their row by, and then of their column: that
is what decides, and it has digits that costs far from zero would lose in every sum.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Num

from jaxlab.graph_algorithms._state import (
    State,
    Work,
    far,
    proof_tolerance,
    small_unit,
    tolerance,
)
from jaxlab.graph_algorithms.cardinality import search
from jaxlab.graph_algorithms.duals import (
    cold_duals,
    dual_objective,
    largest,
    reduced_costs,
    tighten_duals,
    working_dtype,
)
from jaxlab.graph_algorithms.rounding import round_duals
from jaxlab.graph_algorithms.status import INFEASIBLE, LIMIT, OK, OVERFLOW
from jaxlab.graph_algorithms.types import AssignmentResult, AssignmentStats, Duals
from jaxlab.varying import vary_like

__all__ = ["Problem", "empty_result", "feasible_start", "pose", "result_of"]


class Problem(NamedTuple):
    """An assignment problem with no more rows than columns, in a dtype the solvers work in.

    Attributes:
        cost: to be minimised.
        mask: which edges are there, None for all.
        duals: prediction within bounds, None for none.
        low: least cost of an edge.
        high: largest cost of an edge.
        valid: False where a cost is NaN or an infinite gain.
        unit: what 1 stands for: a power of two, of floats that are all small, so that differences
            and tolerances do not vanish.
        origin: what was subtracted from rows and columns, in that unit; None for integers.
    """

    cost: Num[Array, "k m"]
    mask: Bool[Array, "k m"] | None
    duals: Duals | None
    low: Num[Array, ""]
    high: Num[Array, ""]
    valid: Array
    unit: Num[Array, ""] | int
    origin: Duals | None


def pose(
    cost: Num[Array, "n m"],
    duals: Duals | None,
    mask: Bool[Array, "n m"] | None,
    *,
    maximize: bool,
    square: bool = True,
) -> Problem:
    """The problem that a caller's stands for; a ``square`` one, unless a cold start needs none."""
    dtype = working_dtype(cost.dtype)
    cost = cost.astype(dtype)
    if maximize:
        cost = -cost
        duals = None if duals is None else Duals(-duals.row, -duals.col)
    if cost.shape[0] > cost.shape[1]:
        cost = cost.T
        mask = None if mask is None else mask.T
        duals = None if duals is None else Duals(duals.col, duals.row)
    valid = jnp.ones_like(cost[0, 0], bool)
    if jnp.issubdtype(dtype, jnp.floating):
        mask = (cost != jnp.inf) if mask is None else mask & (cost != jnp.inf)
        valid = jnp.all(jnp.isfinite(cost) | ~mask)
        cost = jnp.where(jnp.isfinite(cost), cost, 0)
    limit = largest(dtype)
    low = jnp.min(cost if mask is None else jnp.where(mask, cost, limit))
    high = jnp.max(cost if mask is None else jnp.where(mask, cost, -limit))
    if mask is not None:
        low, high = jnp.minimum(low, high), jnp.maximum(low, high)  # no edge at all
        low, high = (jnp.where(jnp.any(mask), x, 0) for x in (low, high))
    if duals is not None:
        duals = _bounded(duals, low, high, max(cost.shape))
    rows, columns = cost.shape
    more = columns - rows
    if more and square:
        cost = jnp.concatenate([cost, jnp.full((more, columns), low, dtype)])
        if mask is not None:
            mask = jnp.concatenate([mask, jnp.ones((more, columns), bool)])
        if duals is not None:
            added = jnp.full((more,), low - jnp.max(duals.col), dtype)
            duals = Duals(jnp.concatenate([duals.row, added]), duals.col)
    if not jnp.issubdtype(dtype, jnp.floating):
        return Problem(cost, mask, duals, low, high, valid, 1, None)
    unit = small_unit(jnp.maximum(jnp.abs(low), jnp.abs(high)))
    cost, duals = jax.tree.map(lambda x: x / unit, (cost, duals))
    origin = cold_duals(cost, mask)
    cost = reduced_costs(cost, origin)
    cost = cost if mask is None else jnp.where(mask, cost, 0)
    valid &= jnp.all(jnp.isfinite(cost))  # differences of large costs may not be
    if duals is not None:
        duals = jax.tree.map(jnp.subtract, duals, origin)
    high = jnp.max(cost)
    return Problem(cost, mask, duals, jnp.zeros_like(high), high, valid, unit, origin)


def _bounded(duals: Duals, low: Array, high: Array, size: int) -> Duals:
    """The prediction in the dtype of the costs, moved and clipped so that no sum overflows.

    Adding a number to all columns and subtracting it from all rows changes nothing. The median of
    the columns is moved to 0, which a few wrong ones cannot spoil. Duals of an optimum then stay
    within the bounds: column duals differ by at most the range of the costs for each edge of an
    alternating path between them.
    """
    dtype = low.dtype
    row, col = (jnp.nan_to_num(part, nan=0) for part in duals)
    if jnp.issubdtype(dtype, jnp.floating):
        bound = size * (high - low)
        row, col = row.astype(dtype), col.astype(dtype)
    else:
        most = far(dtype) // 4
        spread = high.astype(jnp.float32) - low.astype(jnp.float32)
        bound = jnp.minimum(size * spread, most / 2).astype(dtype)
        # the bounds must fit what is clipped
        wide = (p.astype(dtype) if _is_narrower(p.dtype, dtype) else p for p in (row, col))
        integral = (jnp.round(jnp.clip(part, -2 * most, 2 * most)) for part in wide)
        row, col = (part.astype(dtype) for part in integral)
    middle = _lower_median(col)
    col = jnp.clip(col - middle, -bound, bound)
    return Duals(jnp.clip(row + middle - low, -2 * bound, 2 * bound) + low, col)


def _is_narrower(dtype: Any, than: Any) -> bool:
    """Whether an integer type has less room than another."""
    return jnp.issubdtype(dtype, jnp.integer) and jnp.iinfo(dtype).max < jnp.iinfo(than).max


def _lower_median(values: Array) -> Array:
    return jnp.sort(values)[(values.shape[0] - 1) // 2]


def feasible_start(problem: Problem, *, rounding: str) -> State:
    """Tight feasible duals, from the prediction where there is one, and an empty matching."""
    cost, mask, duals = problem.cost, problem.mask, problem.duals
    if duals is None:
        return _unmatched(_cold(problem))
    if rounding != "c_transform":  # tightening is the c-transform
        duals = round_duals(cost, duals, method=rounding, mask=mask)
    duals = tighten_duals(cost, duals, mask=mask)
    if jnp.issubdtype(cost.dtype, jnp.floating):
        # one column far above the others has moved them all up to it, where costs lose their digits
        duals = Duals(duals.row, duals.col - _lower_median(duals.col))
        duals = tighten_duals(cost, duals, mask=mask)
        if rounding == "c_transform":  # forced all rows to follow it: no prediction is a better one
            cold = _cold(problem)
            worse = dual_objective(duals) < dual_objective(cold)
            duals = jax.tree.map(lambda x, y: jnp.where(worse, x, y), cold, duals)
    return _unmatched(duals)


def _cold(problem: Problem) -> Duals:
    """The duals of no prediction; floats are posed relative to them."""
    if problem.origin is None:
        return cold_duals(problem.cost, problem.mask)
    zeros: Duals = vary_like(jax.tree.map(jnp.zeros_like, problem.origin), problem.origin)
    return zeros


def _unmatched(duals: Duals) -> State:
    return State(*duals, *(jnp.full_like(part, -1, jnp.int32) for part in duals))


def result_of(
    problem: Problem,
    state: State,
    work: Work,
    free_rows: Array,
    *,
    cost: Num[Array, "n m"],
    maximize: bool,
) -> AssignmentResult:
    """The answer to what was posed, and its status by the certificate."""
    rows, columns = min(cost.shape), max(cost.shape)
    col_for_row, u, v = state.col_for_row[:rows], state.u[:rows], state.v
    row_for_col = jnp.where(state.row_for_col < rows, state.row_for_col, -1)
    if rows < columns:  # columns without a row have the largest dual: the zero of the problem posed
        u, v = u + jnp.max(v), v - jnp.max(v)
    if problem.origin is not None:
        u, v = u + problem.origin.row[:rows], v + problem.origin.col
    u, v = problem.unit * u, problem.unit * v
    if cost.shape[0] > cost.shape[1]:
        u, v, col_for_row, row_for_col = v, u, row_for_col, col_for_row
    if maximize:
        u, v = -u, -v
    paid = cost[jnp.arange(cost.shape[0]), jnp.maximum(col_for_row, 0)].astype(u.dtype)
    total = jnp.sum(jnp.where(col_for_row >= 0, paid, 0), dtype=u.dtype)
    # a sum of floats that overflows is infinite
    proved = problem.valid & _proved(problem, state) & jnp.isfinite(total)
    status = jnp.where(proved, OK, jnp.where(work.limited, LIMIT, OVERFLOW)).astype(jnp.int32)
    if problem.mask is not None:
        hopeless = problem.valid & _hopeless(problem.mask, state)
        status = jnp.where(~proved & hopeless, INFEASIBLE, status)
    stats = AssignmentStats(free_rows, work.augmentations, work.steps, work.phases, work.rounds)
    return AssignmentResult(col_for_row, row_for_col, total, Duals(u, v), status, stats)


def _proved(problem: Problem, state: State) -> Array:
    """Whether the duals are feasible, the matching perfect and tight, and nothing overflowed.

    Columns without a row have the largest dual.
    """
    cost, size = problem.cost, problem.cost.shape[0]
    duals = Duals(state.u, state.v)
    reduced = reduced_costs(cost, duals)
    column = jnp.maximum(state.col_for_row, 0)
    index = jnp.arange(size)
    each = size * tolerance(cost, duals)
    slack, rounding = proof_tolerance(each, state.col_for_row >= 0, column)
    feasible = reduced >= -slack
    tight = jnp.abs(reduced[index, column]) <= rounding
    if problem.mask is not None:
        feasible |= ~problem.mask
        tight &= problem.mask[index, column]
    tight &= (state.col_for_row >= 0) & (state.row_for_col[column] == index)
    proved = jnp.all(feasible) & jnp.all(tight)
    proved &= jnp.all((state.row_for_col >= 0) | (state.v == jnp.max(state.v)))
    if jnp.issubdtype(cost.dtype, jnp.floating):
        return proved
    # integers wrap: in floating point, that no reduced cost, nor the sum, is as large
    low, high, u, v = (x.astype(jnp.float32) for x in (problem.low, problem.high, *state[:2]))
    widest = high - low + jnp.max(jnp.abs(u - low)) + jnp.max(jnp.abs(v))
    total = jnp.sum(jnp.abs(cost[index, column].astype(jnp.float32)))
    return proved & (widest < far(cost.dtype)) & (total < 1.9 * far(cost.dtype))


def _hopeless(mask: Array, state: State) -> Array:
    """Whether the first free row reaches no free column at all: then no matching is perfect."""
    size = mask.shape[0]
    index = jnp.arange(size, dtype=jnp.int32)
    first = jnp.min(jnp.where(state.col_for_row < 0, index, size))
    limit = jnp.full_like(first, size)
    _, level = search(
        mask, index == first, state.col_for_row, state.row_for_col, limit=limit, layered=True
    )
    return (first < size) & ~jnp.any((level > 0) & (state.row_for_col < 0))


def empty_result(cost: Num[Array, "n m"]) -> AssignmentResult:
    """Of a problem without rows or columns: nothing is matched, at no cost."""
    dtype, shape = working_dtype(cost.dtype), cost.shape
    rows, columns = (jnp.full((size,), -1, jnp.int32) for size in shape)
    zero = jnp.int32(0)
    zeros = Duals(*(jnp.zeros(size, dtype) for size in shape))
    stats = AssignmentStats(zero, zero, zero, zero, zero)
    return AssignmentResult(rows, columns, jnp.zeros((), dtype), zeros, zero, stats)
