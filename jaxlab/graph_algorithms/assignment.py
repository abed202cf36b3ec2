"""Minimum-weight assignment, exact, started from predicted duals."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Num, Shaped

from jaxlab.checks import check_bool, check_choice, check_integer, check_shape, concrete, require
from jaxlab.graph_algorithms._auction import auction
from jaxlab.graph_algorithms._phase import augment_in_phases
from jaxlab.graph_algorithms._problem import (
    Problem,
    empty_result,
    feasible_start,
    pose,
    result_of,
)
from jaxlab.graph_algorithms._sap import shortest_augmenting_paths
from jaxlab.graph_algorithms._start import greedy_matching, reduce_rows
from jaxlab.graph_algorithms._state import (
    State,
    Work,
    column_bits,
    proof_tolerance,
    small_unit,
    tolerance,
)
from jaxlab.graph_algorithms.cardinality import maximum_cardinality_matching
from jaxlab.graph_algorithms.duals import check_problem, cold_duals, reduced_costs, working_dtype
from jaxlab.graph_algorithms.rounding import ROUNDINGS
from jaxlab.graph_algorithms.status import OVERFLOW
from jaxlab.graph_algorithms.types import AssignmentResult, Duals

__all__ = ["is_optimal_certificate", "linear_sum_assignment"]

INITIALS = ("greedy", "maximum")
METHODS = ("auto", "sap", "phase", "auction")
KEYS = ("auto", "packed", "two_pass")
COUNTABLE = 2**31 - 1  # steps are counted in int32


class Options(NamedTuple):
    """What is static about a solve."""

    maximize: bool
    rounding: str
    initial: str
    method: str
    row_reduction_rounds: int
    packed: bool
    max_steps: int | None


def linear_sum_assignment(
    cost: Num[Array, "n m"],
    duals: Duals | None = None,
    *,
    mask: Bool[Array, "n m"] | None = None,
    maximize: bool = False,
    rounding: str = "c_transform",
    initial: str = "greedy",
    method: str = "auto",
    row_reduction_rounds: int = 0,
    key: str = "auto",
    max_steps: int | None = None,
) -> AssignmentResult:
    """Assignment of least cost, ``min Σ c_ij x_ij`` over matchings of ``min(n, m)`` edges.

    Predicted duals are made feasible, rows and columns are matched along tight edges, and what is
    left free is matched along shortest augmenting paths. A prediction changes the work, never the
    cost (of floats: see below): the nearer to optimal duals, the less is left, and with
    ``rounding="cover"`` and ``initial="maximum"`` there are at most ``3 ‖ŷ − y*‖₀`` augmentations.

    It can be called under ``jit`` and ``vmap`` (see
    :func:`~jaxlab.graph_algorithms.batch.linear_sum_assignment_batch`). Only outside of them can
    it look at the numbers: there, bad values raise, and ``key="auto"`` solves again in two
    passes what overflowed packed keys. Inside, both leave the status ``OVERFLOW``.

    Integers are exact, in int32, or int64 where that is given. Floats are solved in their own
    dtype, and ``OK`` means an optimum up to rounding errors: those of the costs, and of what costs
    exceed the least of their row by (of square problems, then of their column), however far from
    zero they lie. With ``"cover"`` and ``"greedy"`` a prediction far larger than the costs that
    matter leaves fewer of their digits, or none; ``"c_transform"`` drops one that is worth less
    than zeros. :func:`~jaxlab.graph_algorithms.quantization.quantize_costs` is faster and has a
    bound.

    Args:
        cost: of the edges; positive infinity forbids one (negative, where ``maximize``).
        duals: prediction, of integers or floats; None for a cold start. Those of another problem's
            result may be given as they are.
        mask: which edges are there; None for all.
        maximize: look for the largest cost. Duals then satisfy ``u_i + v_j >= c_ij``.
        rounding: how the prediction is made feasible, see
            :func:`~jaxlab.graph_algorithms.rounding.round_duals`.
        initial: matching of tight edges to start from: ``"greedy"``, or one of ``"maximum"``
            cardinality.
        method: ``"sap"`` augments one row at a time by Dijkstra's algorithm, fastest on one CPU;
            ``"phase"`` all free rows at once, for accelerators and batches; ``"auto"`` takes the
            first on CPUs, else the second. ``"auction"`` has free rows bid under ε-scaling, for
            integers with ``range · (n + 1) < 2^28`` (``n`` times less where edges are missing).
        row_reduction_rounds: rounds in which rows bid for columns before that; 8 to 16 halve the
            later work where reduced costs are cheap, on accelerators.
        key: ``"packed"`` compares distance and index in one integer, which needs
            ``range · 2^(⌈log2 n⌉ + 1) < 2^30``; ``"two_pass"`` one after the other.
        max_steps: most columns closed, phases, or rounds of bids before giving up; None for no
            limit.

    Returns:
        The matching, its cost, optimal duals, a status and the work done.

    Raises:
        ValueError: the cost is not a matrix, or the shapes of duals or mask differ from it; an
            unknown choice; ``key="packed"`` with floats, or too many columns for it; outside
            ``jit`` also for costs or duals that are NaN, infinite gains, and a range too wide for
            ``key="packed"``; costs of edges, or duals, of NumPy that do not fit the type jax gives
            them.

    Cost:
        With ``k = max(n, m)``, after passes over the ``k²`` costs: ``O(k² a)`` time for ``a``
        augmentations by ``"sap"``, ``O(k²)`` for each of ``stats.rounds`` by the others;
        ``initial="maximum"`` adds that of a maximum matching. Memory for two to four copies of a
        matrix of ``k²`` costs, of floats up to six. So it is of rectangles that are padded to
        squares; a cold start by ``"sap"`` pads nothing, and takes ``O(n m)`` where the others take
        ``O(k²)``.

    Source:
        Chen et al. 2022, section on matching; Dinitz et al. 2021.

    Example:
        >>> cost = jnp.array([[8, 4, 7], [5, 2, 3], [9, 6, 7], [9, 4, 8]])
        >>> cold = linear_sum_assignment(cost)
        >>> cold.cost, cold.col_for_row
        (Array(15, dtype=int32), Array([ 0,  2, -1,  1], dtype=int32))
        >>> warm = linear_sum_assignment(cost + 1, cold.duals)
        >>> warm.cost
        Array(18, dtype=int32)
    """
    check_bool("maximize", maximize)
    check_problem(cost, duals, mask)
    check_choice("rounding", rounding, ROUNDINGS)
    check_choice("initial", initial, INITIALS)
    check_choice("method", method, METHODS)
    check_choice("key", key, KEYS)
    check_integer("row_reduction_rounds", row_reduction_rounds, minimum=0)
    if max_steps is not None:
        check_integer("max_steps", max_steps, minimum=0)
    check_values(cost, duals, mask, maximize)
    floats = jnp.issubdtype(cost.dtype, jnp.floating)
    require(not (floats and method == "auction"), "method", method, "another for costs of floats")
    packed = packs(cost, mask, key)
    options = Options(maximize, rounding, initial, method, row_reduction_rounds, packed, max_steps)
    result = solve(cost, duals, mask, options=options)
    if packed and key == "auto":
        status = concrete(result.status)
        if status is not None and np.any(status == OVERFLOW):
            result = solve(cost, duals, mask, options=options._replace(packed=False))
    return result


@functools.partial(jax.jit, static_argnames=("options",))
def solve(
    cost: Num[Array, "n m"],
    duals: Duals | None,
    mask: Bool[Array, "n m"] | None,
    *,
    options: Options,
) -> AssignmentResult:
    """:func:`linear_sum_assignment`, with all that is static decided."""
    if 0 in cost.shape:
        return empty_result(cost)
    if options.method == "auto":
        on_cpus, elsewhere = (
            functools.partial(solve, options=options._replace(method=method))
            for method in ("sap", "phase")
        )
        return jax.lax.platform_dependent(cost, duals, mask, cpu=on_cpus, default=elsewhere)
    square = duals is not None or options.method != "sap"
    problem = pose(cost, duals, mask, maximize=options.maximize, square=square)
    state = feasible_start(problem, rounding=options.rounding)
    state = match_tight(problem, state, maximum=options.initial == "maximum")
    if options.row_reduction_rounds:
        state = reduce_rows(problem.cost, problem.mask, state, rounds=options.row_reduction_rounds)
    free_rows = jnp.sum(state.col_for_row < 0, dtype=jnp.int32)
    state, work = augment(problem, state, options)
    return result_of(problem, state, work, free_rows, cost=cost, maximize=options.maximize)


def is_optimal_certificate(
    cost: Num[Array, "n m"],
    result: AssignmentResult,
    *,
    mask: Bool[Array, "n m"] | None = None,
    maximize: bool = False,
) -> Bool[Array, ""]:
    """Whether a result's duals prove its matching optimal.

    They do when no reduced cost is negative, those of the matched edges are zero, all of
    ``min(n, m)`` edges are there, and on the longer side no dual is positive and those of what is
    not matched are zero. Each is seen independently of how the result was found.

    Args:
        cost: of the edges; of integers, below a quarter of what their dtype holds.
        result: of a solver, for this cost and mask.
        mask: which edges are there.
        maximize: whether the largest cost was looked for.

    Returns:
        True for an optimum. For floats, what has to be zero may be off by the most that
        ``16 ε (s + min(n, m) s')`` is on a matched edge, and a reduced cost may be below zero by
        that and its own edge's bound together. Here ``s = |c| + |u| + |v|``, and ``s'`` is the same
        once the least of each row (of each column where they are fewer, of each of both where they
        are as many) is subtracted from costs and duals.

    Raises:
        ValueError: shapes that do not fit the cost; numbers of NumPy that do not fit the type jax
            gives them.

    Cost:
        O(n m).

    Example:
        >>> cost = jnp.array([[3, 5], [4, 1]])
        >>> result = linear_sum_assignment(cost)
        >>> is_optimal_certificate(cost, result)
        Array(True, dtype=bool)
        >>> is_optimal_certificate(cost.at[0, 0].set(9), result)
        Array(False, dtype=bool)
    """
    check_bool("maximize", maximize)
    check_problem(cost, result.duals, mask)
    rows, columns = cost.shape
    check_shape("result.col_for_row", result.col_for_row, (rows,))
    check_shape("result.row_for_col", result.row_for_col, (columns,))
    return _proves(cost, result, mask, maximize=maximize)


@functools.partial(jax.jit, static_argnames=("maximize",))
def _proves(cost: Array, result: AssignmentResult, mask: Array | None, *, maximize: bool) -> Array:
    rows, columns = cost.shape
    if rows > columns:
        turned = result._replace(
            col_for_row=result.row_for_col,
            row_for_col=result.col_for_row,
            duals=Duals(result.duals.col, result.duals.row),
        )
        return _proves(cost.T, turned, None if mask is None else mask.T, maximize=maximize)
    if 0 in cost.shape:
        return jnp.all(result.col_for_row < 0) & jnp.all(result.row_for_col < 0)
    cost = cost.astype(working_dtype(cost.dtype))
    there = jnp.abs(cost) < jnp.inf if mask is None else mask & (jnp.abs(cost) < jnp.inf)
    sign = -1 if maximize else 1
    u, v = sign * result.duals.row, sign * result.duals.col
    cost = jnp.where(there, sign * cost, 0)
    each: Array | int = 0
    if jnp.issubdtype(cost.dtype, jnp.floating):
        unit = small_unit(jnp.max(jnp.abs(cost)))
        cost, u, v = cost / unit, u / unit, v / unit
        # what is as large as the costs is rounded once, what they differ by in each step of a path
        row, col = cold_duals(cost, there)
        moved = tolerance(reduced_costs(cost, Duals(row, col)), Duals(u - row, v - col))
        each = tolerance(cost, Duals(u, v)) + rows * moved
    column, row = jnp.maximum(result.col_for_row, 0), jnp.maximum(result.row_for_col, 0)
    matched, taken = result.col_for_row >= 0, result.row_for_col >= 0
    index = jnp.arange(rows)
    reduced = reduced_costs(cost, Duals(u, v))
    slack, rounding = proof_tolerance(each, matched, column)
    tight = there[index, column] & (jnp.abs(reduced[index, column]) <= rounding)
    proved = jnp.all((reduced >= -slack) | ~there) & jnp.all(tight | ~matched)
    proved &= jnp.all(~matched | (taken[column] & (result.row_for_col[column] == index)))
    proved &= jnp.all(~taken | (matched[row] & (result.col_for_row[row] == jnp.arange(columns))))
    proved &= jnp.all(matched)
    if rows < columns:
        proved &= jnp.all(v <= rounding) & jnp.all(taken | (jnp.abs(v) <= rounding))
    return proved


def match_tight(problem: Problem, state: State, *, maximum: bool) -> State:
    """A matching of tight edges: greedy, or of maximum cardinality."""
    duals = Duals(state.u, state.v)
    tight = reduced_costs(problem.cost, duals) <= tolerance(problem.cost, duals)
    if problem.mask is not None:
        tight &= problem.mask
    state = greedy_matching(tight, state)
    if maximum:
        col_for_row, row_for_col, _ = maximum_cardinality_matching(tight, state.col_for_row)
        state = state._replace(col_for_row=col_for_row, row_for_col=row_for_col)
    return state


def augment(problem: Problem, state: State, options: Options) -> tuple[State, Work]:
    """Match the rows that are free."""
    size = problem.cost.shape[0]
    enough = size * size + 1
    if options.method == "auction":
        # each round raises a price by ε at least, and a stage none by more than some n times that,
        # but for the first: it raises ε each n rounds, until that holds there too
        enough = 200 * size * size + 1000
    most = min(enough if options.max_steps is None else options.max_steps, COUNTABLE)
    limits: dict[str, Any] = {"packed": options.packed, "max_steps": most}
    sap = functools.partial(shortest_augmenting_paths, **limits)
    phase = functools.partial(augment_in_phases, **limits)
    arguments = problem.cost, problem.mask, state
    if options.method == "auction":
        return auction(*arguments, low=problem.low, high=problem.high, max_steps=most)
    return {"sap": sap, "phase": phase}[options.method](*arguments)


def packs(cost: Array, mask: Array | None, key: str) -> bool:
    """Whether keys are packed."""
    dtype = working_dtype(cost.dtype)
    integral = not jnp.issubdtype(dtype, jnp.floating)
    if key != "packed":
        return key == "auto" and integral and _spare_bits(cost) > 8
    require(integral, "key", key, "'auto' or 'two_pass' for costs that are floats")
    columns = f"too many columns for a packed {dtype} key"
    require(_spare_bits(cost) > 0, "key", key, f"'auto' or 'two_pass': {columns}")
    values = concrete(cost)
    if values is not None and values.size:
        there = None if mask is None else concrete(mask)
        values = values if there is None else values[there]
        spread = int(values.max()) - int(values.min()) if values.size else 0
        fits = spread < 2 ** _spare_bits(cost)
        require(fits, "key", key, f"'auto' or 'two_pass' for costs that range over {spread}")
    return True


def _spare_bits(cost: Array) -> int:
    """Bits that a packed key leaves for distances."""
    wide = int(jnp.iinfo(working_dtype(cost.dtype)).bits) - 2
    return wide - column_bits(max(*cost.shape, 1)) - 1


def check_values(
    cost: Shaped[Array, "*b n m"],
    duals: Duals | None,
    mask: Bool[Array, "*b n m"] | None,
    maximize: bool,
) -> None:
    """Refuse, where they can be seen, costs that are NaN or infinite gains, and duals of NaN."""
    if jnp.issubdtype(cost.dtype, jnp.floating):
        values, there = concrete(cost), None if mask is None else concrete(mask)
        if values is not None and (mask is None or there is not None):
            wrong = np.isnan(values) | (values == (np.inf if maximize else -np.inf))
            wrong = wrong if there is None else wrong & there
            name = "no NaN, and no infinity but those that forbid an edge"
            require(not wrong.any(), "cost", "invalid entries", name)
    for part in duals or ():
        numbers = concrete(part)
        if numbers is not None and jnp.issubdtype(part.dtype, jnp.floating):
            require(not np.isnan(numbers).any(), "duals", "NaN", "numbers")
