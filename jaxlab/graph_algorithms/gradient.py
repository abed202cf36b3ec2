"""The optimal cost as a function that can be differentiated."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.checks import check_dtype
from jaxlab.graph_algorithms.assignment import linear_sum_assignment
from jaxlab.graph_algorithms.duals import check_problem
from jaxlab.graph_algorithms.status import OK
from jaxlab.graph_algorithms.types import Duals

__all__ = ["assignment_cost"]


def assignment_cost(
    cost: Float[Array, "n m"], duals: Duals | None = None, **options: Any
) -> Float[Array, ""]:
    """Least cost of an assignment, with its gradient: the permutation matrix of the optimum.

    ``∂ min_x ⟨c, x⟩ / ∂c = x*``; where several assignments are optimal it is one of them, a
    subgradient. The prediction has no influence on the value, and gradient zero.

    Args:
        cost: of the edges, floats.
        duals: prediction.
        **options: those of :func:`~jaxlab.graph_algorithms.assignment.linear_sum_assignment`.

    Returns:
        The cost; NaN unless an optimum was found, and then its gradient is NaN too, where it is
        asked for: not behind a ``jnp.where`` that takes another value.

    Raises:
        ValueError: costs that are not floats; what that function refuses.

    Cost:
        That of one solve; the gradient adds ``O(n m)``.

    Example:
        >>> cost = jnp.array([[3.0, 5.0], [4.0, 1.0]])
        >>> jax.grad(assignment_cost)(cost).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    check_dtype("cost", cost, "floating")
    mask = options.pop("mask", None)
    check_problem(cost, duals, mask)
    return _cost(tuple(sorted(options.items())), cost, duals, mask)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _cost(
    options: tuple[tuple[str, Any], ...], cost: Array, duals: Duals | None, mask: Array | None
) -> Array:
    return _forward(options, cost, duals, mask)[0]


def _forward(
    options: tuple[tuple[str, Any], ...], cost: Array, duals: Duals | None, mask: Array | None
) -> tuple[Array, tuple[Array, Array, Array]]:
    result = linear_sum_assignment(cost, duals, mask=mask, **dict(options))
    value = jnp.where(result.status == OK, result.cost, jnp.nan)
    return value.astype(cost.dtype), (result.col_for_row, cost, value)


def _backward(
    options: tuple[tuple[str, Any], ...], kept: tuple[Array, Array, Array], cotangent: Array
) -> tuple[Array, None, None]:
    col_for_row, cost, value = kept
    cotangent = jnp.where(jnp.isnan(value) & (cotangent != 0), jnp.nan, cotangent)
    columns = jnp.arange(cost.shape[1], dtype=col_for_row.dtype)
    return cotangent * (columns == col_for_row[:, None]).astype(cost.dtype), None, None


_cost.defvjp(_forward, _backward)
