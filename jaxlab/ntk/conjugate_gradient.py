"""Linear systems with a kernel that is never formed: preconditioned conjugate gradients."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Shaped

from jaxlab.checks import check_dtype, check_integer, check_scalar, check_shape, require
from jaxlab.ntk.operators import NTKOperator
from jaxlab.ntk.status import INDEFINITE, NOT_CONVERGED, NOT_FINITE, OK, STALLED
from jaxlab.varying import vary_like

__all__ = [
    "Solution",
    "jacobi_preconditioner",
    "solve",
]


class Solution(NamedTuple):
    """What :func:`solve` returns.

    Attributes:
        value: ``x`` with ``(Θ + λI) x ≈ b``; after a failure, the last iterate before it.
        residual_norm: ``‖b − (Θ + λI) x‖₂``, from a product of its own, in the units of ``b``.
        steps: products that the iteration took.
        status: ``OK``, ``INDEFINITE``, ``NOT_CONVERGED``, ``NOT_FINITE`` or ``STALLED`` of
            :mod:`jaxlab.ntk.status`.
    """

    value: Float[Array, "..."]
    residual_norm: Float[Array, ""]
    steps: Int[Array, ""]
    status: Int[Array, ""]


class _State(NamedTuple):
    value: Array
    residual: Array
    direction: Array
    descent: Array  # rᵀ M⁻¹ r
    norm: Array  # ‖r‖
    steps: Array
    failure: Array


def solve(
    operator: NTKOperator,
    b: Shaped[Array, "..."],
    *,
    ridge: int | float | Shaped[Array, ""] = 0.0,
    tol: int | float | Shaped[Array, ""] = 1e-5,
    max_steps: int = 1000,
    preconditioner: Callable[[Array], Array] | None = None,
) -> Solution:
    """Solve ``(Θ + λI) x = b`` by conjugate gradients.

    ``Θ`` need only be known by its products. Several right-hand sides are a ``jax.vmap`` over
    ``b``; each then stops at its own step. ``value`` is differentiable in ``b``, ``ridge`` and the
    operator's arrays, by another solve of the same kind (implicit differentiation); derivatives
    of the other fields are zero.

    Args:
        operator: symmetric positive semi-definite.
        b: right-hand side, of shape ``operator.shape``.
        ridge: ``λ >= 0``, in the units of the kernel; may be traced.
        tol: on the residual relative to ``‖b‖₂``; may be traced. The recursion aims at half of it
            and leaves the other half to rounding.
        max_steps: most products; static.
        preconditioner: ``r ↦ M⁻¹ r``, symmetric positive definite, on arrays of ``b``'s shape; a
            PyTree that can be called, as ``jax.tree_util.Partial`` or
            :func:`jacobi_preconditioner` make it.

    Returns:
        Solution with its true residual, steps and status.

    Raises:
        ValueError: ``b`` of another shape than the operator's, or not floating; a known ``ridge``
            negative or not finite; a known ``tol`` not positive; ``max_steps < 0``; a
            preconditioner that is not a PyTree.

    Cost:
        ``steps + 1`` products and memory for four vectors beside that of a product.

    Source:
        Hestenes and Stiefel 1952, *Methods of conjugate gradients for solving linear systems*.

    Example:
        >>> from jaxlab.ntk.operators import dense_operator
        >>> operator = dense_operator(jnp.array([[3.0, 1.0], [1.0, 2.0]]))
        >>> solution = solve(operator, jnp.array([5.0, 5.0]))
        >>> solution.value.round(4).tolist(), int(solution.steps), int(solution.status)
        ([1.0, 2.0], 2, 0)
    """
    check_shape("b", b, operator.shape)
    check_dtype("b", b, "floating")
    check_scalar("ridge", ridge, minimum=0)
    check_scalar("tol", tol, above=0)
    check_integer("max_steps", max_steps, minimum=0)
    require(
        preconditioner is None or not jax.tree_util.all_leaves([preconditioner]),
        "preconditioner",
        preconditioner,
        "a PyTree that can be called, such as jax.tree_util.Partial(function)",
    )
    return _solve(operator, b, ridge, tol, preconditioner, max_steps)


def jacobi_preconditioner(
    operator: NTKOperator, *, ridge: int | float | Shaped[Array, ""] = 0.0
) -> Callable[[Array], Array]:
    """Division by the diagonal of ``Θ + λI``, as a preconditioner for :func:`solve`.

    It helps where examples have gradients of very different norms. Zero entries of the diagonal
    are left alone.

    Args:
        operator: whose diagonal is computed, once.
        ridge: the ``λ`` that is solved with; may be traced.

    Returns:
        ``r ↦ r / (diag(Θ) + λ)``, a PyTree.

    Raises:
        ValueError: a known ``ridge`` negative or not finite.

    Cost:
        That of ``operator.diagonal()``: ``nO`` gradients for the kernel of a data set.

    Source:
        Saad 2003, *Iterative methods for sparse linear systems*, section 10.2.

    Example:
        >>> from jaxlab.ntk.operators import dense_operator
        >>> operator = dense_operator(jnp.diag(jnp.array([1.0, 4.0, 100.0])))
        >>> precondition = jacobi_preconditioner(operator)
        >>> int(solve(operator, jnp.ones(3), preconditioner=precondition).steps)
        1
    """
    check_scalar("ridge", ridge, minimum=0)
    diagonal = operator.diagonal() + ridge
    return jax.tree_util.Partial(_divide, jnp.where(diagonal > 0, diagonal, 1))


def _divide(diagonal: Array, residual: Array) -> Array:
    return residual / diagonal.astype(residual.dtype)


@functools.partial(jax.jit, static_argnames="max_steps")
def _solve(
    operator: NTKOperator,
    b: Array,
    ridge: Any,
    tol: Any,
    preconditioner: Callable[[Array], Array] | None,
    max_steps: int,
) -> Solution:
    dtype = jnp.promote_types(operator.dtype, b.dtype)
    # custom_linear_solve wants all that it takes and gives to vary over the same mesh axes
    given = (operator, b, jnp.asarray(ridge, dtype), jnp.asarray(tol, dtype), preconditioner)
    operator, b, ridge, tol, preconditioner = vary_like(given)

    def product(vector: Array) -> Array:
        return operator.matvec(vector).astype(dtype) + ridge * vector

    iterate = functools.partial(
        _iterate,
        operator=operator,
        tol=tol,
        max_steps=max_steps,
        preconditioner=preconditioner or (lambda residual: residual),
    )
    value, (norm, steps, status) = jax.lax.custom_linear_solve(
        product, b.astype(dtype), iterate, symmetric=True, has_aux=True
    )
    if operator.axis_name is not None:  # the same on all devices, and now typed so
        norm, steps, status = jax.lax.pmax(
            jax.lax.stop_gradient((norm, steps, status)), operator.axis_name
        )
    return Solution(value, norm, steps, status)


def _iterate(
    product: Callable[[Array], Array],
    b: Array,
    *,
    operator: NTKOperator,
    tol: Array,
    max_steps: int,
    preconditioner: Callable[[Array], Array],
) -> tuple[Array, tuple[Array, Array, Array]]:
    """``value, (true residual norm, steps, status)``."""
    dot = operator.dot
    # the iteration forms squares of b, which must neither vanish nor overflow
    magnitude = operator.magnitude(b)
    unit = b / magnitude
    target = tol * operator.norm(unit)

    def going(state: _State) -> Array:
        return (state.norm > target / 2) & (state.failure == OK) & (state.steps < max_steps)

    def step(state: _State) -> _State:
        image = product(state.direction)
        curvature = dot(state.direction, image)
        length = state.descent / curvature
        residual = state.residual - length * image
        conditioned = preconditioner(residual)
        descent = dot(residual, conditioned)
        norm = operator.norm(residual)
        # all of these are false for NaN; the residual may vanish exactly, and its products with it
        sound = (curvature > 0) & jnp.isfinite(norm) & ((descent > 0) | (norm == 0))
        after = _State(
            value=state.value + length * state.direction,
            residual=residual,
            direction=conditioned + descent / state.descent * state.direction,
            descent=descent,
            norm=norm,
            steps=state.steps + 1,
            failure=state.failure,
        )
        # without curvature the step is infinite, and so is what follows it
        finite = jnp.isfinite(norm) & jnp.isfinite(descent) | (curvature <= 0)
        failure = jnp.where(finite & jnp.isfinite(curvature), INDEFINITE, NOT_FINITE)
        before = state._replace(steps=state.steps + 1, failure=failure.astype(jnp.int32))
        return jax.tree.map(lambda new, old: jnp.where(sound, new, old), after, before)

    conditioned = preconditioner(unit)
    descent = dot(unit, conditioned)
    norm = operator.norm(unit)
    finite = jnp.isfinite(norm) & jnp.isfinite(descent)
    sound = finite & ((descent > 0) | (norm == 0))
    start = _State(
        value=jnp.zeros_like(b),
        residual=unit,
        direction=conditioned,
        descent=descent,
        norm=norm,
        steps=jnp.zeros_like(norm, dtype=jnp.int32),
        failure=jnp.where(sound, OK, jnp.where(finite, INDEFINITE, NOT_FINITE)).astype(jnp.int32),
    )
    end = jax.lax.while_loop(going, step, start)
    value = magnitude * end.value  # what overflows here shows in the residual
    true_norm = operator.norm((b - product(value)) / magnitude)
    missed = jnp.where(end.steps < max_steps, STALLED, NOT_CONVERGED)
    missed = jnp.where(end.failure == OK, missed, end.failure)
    missed = jnp.where(jnp.isfinite(true_norm), missed, NOT_FINITE)
    met = (end.failure == OK) & (true_norm <= target)
    status = jnp.where(met, OK, missed).astype(jnp.int32)
    return vary_like((value, (magnitude * true_norm, end.steps, status)))
