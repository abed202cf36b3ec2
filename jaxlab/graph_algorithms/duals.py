"""Duals of the assignment problem: their value, their violation, and tightening.

A problem has costs ``c_ij`` of edges between rows and columns. Duals ``(u, v)`` are feasible when
all reduced costs ``r_ij = c_ij − u_i − v_j`` are nonnegative; their value ``Σu + Σv`` is then at
most the cost of any perfect matching, and equal for an optimal pair.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Num, Shaped

from jaxlab.checks import check_dtype, check_shape, check_uncut, require
from jaxlab.graph_algorithms.types import Duals

__all__ = ["dual_objective", "feasibility_violation", "tighten_duals"]


def dual_objective(duals: Duals) -> Num[Array, "*s"]:
    """Value of duals, ``Σ_i u_i + Σ_j v_j``.

    Args:
        duals: of one problem, or a stack of them.

    Returns:
        One number for each problem, in units of the cost.

    Raises:
        ValueError: numbers of NumPy that do not fit the type jax gives them.

    Cost:
        O(n + m).

    Example:
        >>> dual_objective(Duals(jnp.array([1, 2]), jnp.array([0, -1])))
        Array(2, dtype=int32)
    """
    check_duals(duals)
    return jnp.sum(duals.row, axis=-1) + jnp.sum(duals.col, axis=-1)


def feasibility_violation(
    cost: Num[Array, "n m"], duals: Duals, *, mask: Bool[Array, "n m"] | None = None
) -> Num[Array, ""]:
    """By how much duals are infeasible, ``max(0, max_ij u_i + v_j − c_ij)``.

    Args:
        cost: of the edges.
        duals: prices of rows and columns.
        mask: which edges are there; None for all.

    Returns:
        0 for feasible duals, in units of the cost.

    Raises:
        ValueError: the shapes of duals or mask do not fit the cost; numbers of NumPy that do not
            fit the type jax gives them.

    Cost:
        O(n m).

    Example:
        >>> cost = jnp.array([[3, 5], [4, 1]])
        >>> feasibility_violation(cost, Duals(jnp.array([3, 1]), jnp.array([2, 0])))
        Array(2, dtype=int32)
    """
    check_problem(cost, duals, mask)
    return _violation(cost, duals, mask)


@jax.jit
def _violation(cost: Array, duals: Duals, mask: Array | None) -> Array:
    cost, duals = widened(cost, duals)
    excess = -reduced_costs(cost, duals)
    if mask is not None:
        excess = jnp.where(mask, excess, 0)
    return jnp.max(excess, initial=0)


def tighten_duals(
    cost: Num[Array, "n m"], duals: Duals, mask: Bool[Array, "n m"] | None = None
) -> Duals:
    """Raise feasible duals until each row and each column has a tight edge.

    That is no start for problems that are not square, where what stays unmatched has the dual zero:
    :func:`~jaxlab.graph_algorithms.predictor.predict_duals` is.

    ``u_i ← u_i + min_j r_ij``, then ``v_j ← v_j + min_i r_ij``. Infeasible duals become feasible
    too, as the first step may lower ``u``.

    Args:
        cost: of the edges.
        duals: prices of rows and columns.
        mask: which edges are there; None for all. A row or column without an edge keeps its dual.

    Returns:
        Feasible duals, of at least the value of ``duals`` where those were feasible.

    Raises:
        ValueError: the shapes of duals or mask do not fit the cost; numbers of NumPy that do not
            fit the type jax gives them.

    Cost:
        O(n m).

    Source:
        Dinitz et al., *Faster Matchings via Learned Duals*, NeurIPS 2021, whose code tightens the
        rows only.

    Example:
        >>> cost = jnp.array([[3, 5], [4, 1]])
        >>> tighten_duals(cost, Duals(jnp.array([0, 0]), jnp.array([0, 0])))
        Duals(row=Array([3, 1], dtype=int32), col=Array([0, 0], dtype=int32))
    """
    check_problem(cost, duals, mask)
    return _tighten(cost, duals, mask)


@jax.jit
def _tighten(cost: Array, duals: Duals, mask: Array | None) -> Duals:
    cost, duals = widened(cost, duals)
    if 0 in cost.shape:
        return duals
    row = smallest(cost - duals.col[None], mask, axis=1, otherwise=duals.row)
    col = smallest(cost - row[:, None], mask, axis=0, otherwise=duals.col)
    return Duals(row, col)


@jax.jit
def tighten_for_assignment(
    cost: Num[Array, "n m"], duals: Duals, mask: Bool[Array, "n m"] | None = None
) -> Duals:
    """Feasible duals from those of columns, whose value bounds the cost of an assignment.

    That of square problems is :func:`tighten_duals`. Otherwise something on the longer side stays
    unmatched: duals are at most zero there.
    """
    cost, duals = widened(cost, duals)
    rows, columns = cost.shape
    if rows == columns or 0 in cost.shape:
        return tighten_duals(cost, duals, mask)
    col = jnp.minimum(duals.col, 0) if rows < columns else duals.col
    row = smallest(cost - col[None], mask, axis=1, otherwise=duals.row)
    row = row if rows < columns else jnp.minimum(row, 0)
    col = smallest(cost - row[:, None], mask, axis=0, otherwise=col)
    return Duals(row, jnp.minimum(col, 0) if rows < columns else col)


def cold_duals(cost: Num[Array, "n m"], mask: Bool[Array, "n m"] | None = None) -> Duals:
    """Those of no prediction: of columns' duals zero."""
    zeros = Duals(*(jnp.zeros_like(cost, shape=(size,)) for size in cost.shape))
    return tighten_for_assignment(cost, zeros, mask)


def working_dtype(dtype: jnp.dtype) -> jnp.dtype:
    """int32 or float32 for the narrow dtypes, for the wide ones what jax makes of them."""
    dtype = jax.dtypes.canonicalize_dtype(dtype)
    kind = jnp.float32 if jnp.issubdtype(dtype, jnp.floating) else jnp.int32
    return jnp.promote_types(dtype, kind)


def widened(cost: Array, duals: Duals) -> tuple[Array, Duals]:
    """Costs and duals in dtypes whose sums of a few do not wrap."""
    cost, row, col = (jnp.asarray(x).astype(working_dtype(x.dtype)) for x in (cost, *duals))
    return cost, Duals(row, col)


def reduced_costs(cost: Num[Array, "n m"], duals: Duals) -> Num[Array, "n m"]:
    """``r_ij = c_ij − u_i − v_j``."""
    return cost - duals.row[:, None] - duals.col[None]


def smallest(
    values: Num[Array, "n m"],
    mask: Bool[Array, "n m"] | None,
    *,
    axis: int,
    otherwise: Num[Array, " k"],
) -> Num[Array, " k"]:
    """Minimum over an axis of the entries that are there; ``otherwise`` where none is."""
    if mask is None:
        return jnp.min(values, axis=axis)
    least = jnp.min(jnp.where(mask, values, largest(values.dtype)), axis=axis)
    return jnp.where(jnp.any(mask, axis=axis), least, otherwise)


def largest(dtype: jnp.dtype) -> int | float:
    """A number above all others of a dtype."""
    return jnp.inf if jnp.issubdtype(dtype, jnp.floating) else int(jnp.iinfo(dtype).max)


def check_problem(
    cost: Shaped[Array, "..."], duals: Duals | None, mask: Shaped[Array, "..."] | None
) -> None:
    """Refuse what is not a matrix of numbers, and duals or a mask of other shapes.

    Unsigned integers of 32 bits or more too: the solvers work in the signed type of that width; and
    numbers of NumPy that do not fit the type jax gives them.
    """
    require(jnp.ndim(cost) == 2, "cost", cost, "a matrix")
    require(cost.dtype != jnp.bool_, "cost", cost, "numbers")
    wide = cost.dtype in (jnp.uint32, jnp.uint64)
    require(not wide, "cost", cost, "signed integers, or narrower ones, or floats")
    rows, columns = cost.shape
    if duals is not None:
        check_shape("duals.row", duals.row, (rows,))
        check_shape("duals.col", duals.col, (columns,))
    if mask is not None:
        check_shape("mask", mask, (rows, columns))
        check_dtype("mask", mask, "bool")
    check_numbers(cost, duals, mask)


def check_numbers(
    cost: Shaped[Array, "..."], duals: Duals | None, mask: Shaped[Array, "..."] | None
) -> None:
    """Refuse costs of edges, and duals, that :func:`check_uncut` refuses."""
    check_uncut("cost", cost, mask)
    if duals is not None:
        check_duals(duals)


def check_duals(duals: Duals, name: str = "duals") -> None:
    """Refuse duals, or samples of them, that :func:`check_uncut` refuses."""
    check_uncut(f"{name}.row", duals.row)
    check_uncut(f"{name}.col", duals.col)
