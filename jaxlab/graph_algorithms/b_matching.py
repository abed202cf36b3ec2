"""Transportation and b-matching as assignment: a vertex becomes as many copies as it supplies."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Num

from jaxlab.checks import check_dtype, check_integer, check_shape, check_uncut, concrete, require
from jaxlab.graph_algorithms._labels import as_prediction, lengths_type
from jaxlab.graph_algorithms.duals import largest, smallest
from jaxlab.graph_algorithms.reduction import AssignmentProblem, Lipschitz, Reduction
from jaxlab.graph_algorithms.types import AssignmentResult, Duals

__all__ = ["b_matching_reduction"]


class _Copies(NamedTuple):
    """Vertex of each copy, one past the last for padding, and what the copies were made of."""

    row: Array
    col: Array
    cost: Array
    mask: Array


def b_matching_reduction(
    cost: Num[Array, "n m"],
    supply: Int[Array, " n"],
    demand: Int[Array, " m"],
    *,
    mask: Bool[Array, "n m"] | None = None,
    size: int | None = None,
) -> Reduction:
    """Transportation problem, ``min Σ c_ij x_ij`` with row sums and column sums, as assignment.

    Row ``i`` becomes ``supply_i`` copies and column ``j`` becomes ``demand_j``, which inherit its
    costs and its predicted dual. An edge can be used as often as its ends allow. Optimal duals of
    copies of one vertex are equal, and others are averaged on the way back.

    Args:
        cost: of one unit from row ``i`` to column ``j``.
        supply: units that leave each row.
        demand: units that each column takes, as many in all.
        mask: which pairs are edges; None for all.
        size: copies to make room for on either side; static. None for as many as there are, which
            has to be known: not inside ``jit``.

    Returns:
        The reduction. Its solutions are matrices of units ``[n, m]``, its predictions and duals
        :class:`~jaxlab.graph_algorithms.types.Duals` of rows and columns.

    Raises:
        ValueError: shapes or types do not fit; supply or demand is negative, or their sums differ;
            ``size`` is too small or cannot be known. Inside ``jit`` ``feasible`` is False instead.
            Costs of NumPy that do not fit the type jax gives them.

    Cost:
        O(size²) time and memory.

    Source:
        Chen et al. 2022, section on reductions.

    Example:
        >>> cost = jnp.array([[4, 1], [2, 3]])
        >>> reduction = b_matching_reduction(cost, jnp.array([2, 1]), jnp.array([1, 2]))
        >>> reduction.instance.cost.tolist()
        [[4, 1, 1], [4, 1, 1], [2, 3, 3]]
        >>> reduction.map_prediction(Duals(jnp.array([5, 6]), jnp.array([0, 1]))).row.tolist()
        [5, 5, 6]
    """
    check_shape("cost", cost, ("n", "m"))
    n, m = cost.shape
    for name, value, count in (("supply", supply, n), ("demand", demand, m)):
        check_shape(name, value, (count,))
        check_dtype(name, value, "integer")
    if mask is not None:
        check_shape("mask", mask, (n, m))
        check_dtype("mask", mask, "bool")
    check_uncut("cost", cost, mask)
    size = _size(supply, demand, size)
    cost = jnp.asarray(cost)
    cost = cost.astype(lengths_type(cost))
    mask = jnp.ones((n, m), bool) if mask is None else jnp.asarray(mask)

    row, col = copies(supply, size), copies(demand, size)
    real = (row < n)[:, None] & (col < m)
    padding = (row >= n)[:, None] & (col >= m)
    allowed = mask.at[row[:, None], col].get(mode="fill", fill_value=False)
    costs = jnp.where(real, cost.at[row[:, None], col].get(mode="fill", fill_value=0), 0)
    total = jnp.sum(supply)
    feasible = (
        (total == jnp.sum(demand))
        & (total <= size)
        & jnp.all(jnp.asarray(supply) >= 0)
        & jnp.all(jnp.asarray(demand) >= 0)
    )
    most = jnp.maximum(jnp.max(supply, initial=1), jnp.max(demand, initial=1))
    return Reduction(
        instance=AssignmentProblem(costs, (real & allowed) | padding),
        feasible=feasible,
        lipschitz=Lipschitz(most, jnp.ones_like(most)),
        data=_Copies(row, col, cost, mask),
        prediction_map=_prediction,
        solution_map=_solution,
        dual_map=_duals,
    )


def copies(counts: Any, size: int) -> Array:
    """Which vertex each of ``size`` copies is of; one past the last vertex for padding."""
    counts = jnp.maximum(jnp.asarray(counts, jnp.int32), 0)
    n = counts.shape[0]
    if n == 0:
        return jnp.zeros(size, jnp.int32)
    owner = jnp.repeat(jnp.arange(n, dtype=jnp.int32), counts, total_repeat_length=size)
    return jnp.where(jnp.arange(size) < jnp.sum(counts), owner, n)


def _size(supply: Any, demand: Any, size: int | None) -> int:
    sums = []
    for name, value in (("supply", supply), ("demand", demand)):
        numbers = concrete(value)
        if numbers is None:
            continue
        require(bool((numbers >= 0).all()), name, value, "no negative number")
        sums.append(int(numbers.astype(object).sum()))
    if len(sums) == 2:
        require(sums[0] == sums[1], "demand", sums[1], f"as many units as are supplied, {sums[0]}")
    if size is None:
        require(bool(sums), "size", size, "a number, where supply and demand are inside jit")
        size = sums[0]
    check_integer("size", size, minimum=max(sums, default=0))
    return size


def _prediction(data: _Copies, duals: Duals) -> Duals:
    check_shape("duals.row", duals.row, (data.cost.shape[0],))
    check_shape("duals.col", duals.col, (data.cost.shape[1],))
    row, col = (
        as_prediction(f"duals.{name}", value, data.cost.dtype)
        for name, value in zip(Duals._fields, duals, strict=True)
    )
    return Duals(
        row.at[data.row].get(mode="fill", fill_value=0),
        col.at[data.col].get(mode="fill", fill_value=0),
    )


def _solution(data: _Copies, result: AssignmentResult) -> Array:
    chosen = result.col_for_row
    col = jnp.where(chosen >= 0, data.col.at[chosen].get(mode="fill"), data.cost.shape[1])
    return jnp.zeros(data.cost.shape, jnp.int32).at[data.row, col].add(1, mode="drop")


def _duals(data: _Copies, duals: Duals) -> Duals:
    n, m = data.cost.shape
    (row, rows), (col, cols) = _average(duals.row, data.row, n), _average(duals.col, data.col, m)
    # a vertex without copies takes the largest dual that is feasible
    known = data.mask & cols
    row = jnp.where(rows, row, smallest(data.cost - col, known, axis=1, otherwise=row))
    col = jnp.where(cols, col, smallest(data.cost - row[:, None], data.mask, axis=0, otherwise=col))
    return Duals(row, col)


def _average(values: Array, owners: Array, n: int) -> tuple[Array, Array]:
    """Mean over the copies of each vertex, rounded down for integers, and whether it has any."""
    count = jnp.zeros(n, values.dtype).at[owners].add(1, mode="drop")
    least = jnp.full(n, largest(values.dtype), values.dtype).at[owners].min(values, mode="drop")
    least = jnp.where(count > 0, least, 0)
    # sums of differences cannot overflow where copies are nearly equal
    spread = values - least.at[owners].get(mode="fill", fill_value=0)
    total = jnp.zeros(n, values.dtype).at[owners].add(spread, mode="drop")
    divide = jnp.true_divide if jnp.issubdtype(values.dtype, jnp.floating) else jnp.floor_divide
    return least + divide(total, jnp.maximum(count, 1)), count > 0
