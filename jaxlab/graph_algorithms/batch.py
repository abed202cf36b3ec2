"""Many assignment problems of one size."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Num

from jaxlab.checks import check_choice, check_dtype, check_shape, concrete, require
from jaxlab.graph_algorithms.assignment import check_values, linear_sum_assignment
from jaxlab.graph_algorithms.duals import check_numbers
from jaxlab.graph_algorithms.status import OVERFLOW
from jaxlab.graph_algorithms.types import AssignmentResult, Duals

__all__ = ["linear_sum_assignment_batch"]

BATCHINGS = ("auto", "map", "vmap")


def linear_sum_assignment_batch(
    cost: Num[Array, "b n m"],
    duals: Duals | None = None,
    *,
    mask: Bool[Array, "b n m"] | None = None,
    batching: str = "auto",
    method: str = "auto",
    key: str = "auto",
    **options: Any,
) -> AssignmentResult:
    """Assignments of least cost for a stack of problems, each exact as if it were alone.

    Instances do not interact. On several devices, shard the leading axis with ``jax.shard_map``
    around a call of this function: nothing is communicated.

    Args:
        cost: of the edges of each problem.
        duals: a prediction for each problem, or one (without the leading axis) for all of them.
        mask: which edges are there.
        batching: ``"map"`` solves one after the other, which CPUs do faster; ``"vmap"`` all
            together, until the last is done; ``"auto"`` takes the first on CPUs.
        method: as for :func:`~jaxlab.graph_algorithms.assignment.linear_sum_assignment`; ``"auto"``
            is ``"sap"`` for ``"map"`` and ``"phase"`` for ``"vmap"``.
        key: as there. Outside ``jit``, all are solved again where one overflowed.
        **options: further ones of that function.

    Returns:
        Results, stacked.

    Raises:
        ValueError: as that function, but for the range of costs that is too wide for
            ``key="packed"``, which is a status; an unknown ``batching``; stacks of different
            lengths.

    Cost:
        That of each problem, ``b`` times; with ``"vmap"`` all take as many steps as the slowest.

    Example:
        >>> cost = jnp.array([[[3, 5], [4, 1]], [[2, 0], [0, 9]]])
        >>> linear_sum_assignment_batch(cost).cost
        Array([4, 0], dtype=int32)
    """
    check_choice("batching", batching, BATCHINGS)
    require(jnp.ndim(cost) == 3, "cost", cost, "a stack of matrices")
    count, rows, columns = cost.shape
    if mask is not None:
        check_shape("mask", mask, (count, rows, columns))
        check_dtype("mask", mask, "bool")
    check_numbers(cost, duals, mask)
    if duals is not None:
        duals = Duals(
            *(
                jnp.broadcast_to(part, (count, size)) if jnp.ndim(part) == 1 else part
                for part, size in zip(duals, (rows, columns), strict=True)
            )
        )
        check_shape("duals.row", duals.row, (count, rows))
        check_shape("duals.col", duals.col, (count, columns))
    check_values(cost, duals, mask, bool(options.get("maximize", False)))
    chosen = tuple(sorted({**options, "method": method, "key": key}.items()))
    result = _solve(cost, duals, mask, batching=batching, options=chosen)
    if key == "auto":
        status = concrete(result.status)
        if status is not None and np.any(status == OVERFLOW):
            chosen = tuple(sorted({**options, "method": method, "key": "two_pass"}.items()))
            result = _solve(cost, duals, mask, batching=batching, options=chosen)
    return result


@functools.partial(jax.jit, static_argnames=("batching", "options"))
def _solve(
    cost: Array,
    duals: Duals | None,
    mask: Array | None,
    *,
    batching: str,
    options: tuple[tuple[str, Any], ...],
) -> AssignmentResult:
    chosen = dict(options)

    def one(method: str) -> Callable[..., AssignmentResult]:
        kwargs = {**chosen, "method": method if chosen["method"] == "auto" else chosen["method"]}

        def solve(problem: tuple[Array, Duals | None, Array | None]) -> AssignmentResult:
            matrix, guess, there = problem
            return linear_sum_assignment(matrix, guess, mask=there, **kwargs)

        return solve

    def mapped(*problems: Any) -> AssignmentResult:
        return jax.lax.map(one("sap"), problems)

    def together(*problems: Any) -> AssignmentResult:
        return jax.vmap(one("phase"))(problems)

    if batching == "map":
        return mapped(cost, duals, mask)
    if batching == "vmap":
        return together(cost, duals, mask)
    return jax.lax.platform_dependent(cost, duals, mask, cpu=mapped, default=together)
