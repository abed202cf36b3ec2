"""Largest eigenvalues of a kernel that is never formed: Lanczos with full reorthogonalisation."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped

from jaxlab.checks import check_integer, check_key, check_scalar, require
from jaxlab.ntk.operators import NTKOperator
from jaxlab.ntk.status import EXHAUSTED, NOT_CONVERGED, NOT_FINITE, OK
from jaxlab.varying import vary_like

__all__ = [
    "Eigenpairs",
    "Tridiagonal",
    "random_vector",
    "top_eigenpairs",
    "tridiagonalize",
]


class Eigenpairs(NamedTuple):
    """What :func:`top_eigenpairs` returns.

    Attributes:
        values: largest eigenvalues, in descending order; NaN where there is none.
        vectors: unit eigenvectors in the shape of the operator's vectors; 0 where there is none.
        error_bounds: ``‖Θ u − λ u‖₂`` in exact arithmetic; an eigenvalue lies within it of ``λ``.
        steps: products made, as far as the Krylov space reaches.
        status: ``OK``, ``NOT_CONVERGED``, ``NOT_FINITE`` or ``EXHAUSTED`` of
            :mod:`jaxlab.ntk.status`.
    """

    values: Float[Array, " k"]
    vectors: Float[Array, "k ..."]
    error_bounds: Float[Array, " k"]
    steps: Int[Array, ""]
    status: Int[Array, ""]


class Tridiagonal(NamedTuple):
    """What :func:`tridiagonalize` returns: ``Θ Q = Q T + β_m q_{m+1} e_mᵀ``.

    Attributes:
        basis: orthonormal vectors ``Q``, one a row, in the shape of the operator's; 0 after the
            last step.
        diagonal: of ``T``; 0 after the last step.
        off_diagonal: ``β_j`` couples steps ``j`` and ``j + 1``; the last one is the remainder.
        steps: length of the recursion before the remainder vanished.
        finite: whether every product was finite.
    """

    basis: Float[Array, "m ..."]
    diagonal: Float[Array, " m"]
    off_diagonal: Float[Array, " m"]
    steps: Int[Array, ""]
    finite: Shaped[Array, ""]

    def eigenpairs(self) -> tuple[Array, Array, Array]:
        """Ritz values, ascending, vectors of ``T`` in columns, and which of them are there."""
        coupling = self.off_diagonal[:-1]
        reached = jnp.arange(self.diagonal.shape[0]) < self.steps
        scale = jnp.max(jnp.abs(self.diagonal), initial=0) + 2 * jnp.max(
            self.off_diagonal, initial=0
        )
        scale = jnp.where(scale > 0, scale, 1)
        # below the others where the recursion did not get to, and apart, for their derivatives
        filled = jnp.where(reached, self.diagonal / scale, -2 - jnp.arange(reached.shape[0]))
        coupling = jnp.where(reached[1:], coupling / scale, 0)
        matrix = jnp.diag(filled) + jnp.diag(coupling, 1) + jnp.diag(coupling, -1)
        values, vectors = jnp.linalg.eigh(matrix)
        return scale * values, vectors, reached[::-1]


def top_eigenpairs(
    key: PRNGKeyArray,
    operator: NTKOperator,
    k: int,
    *,
    steps: int | None = None,
    tol: int | float | Shaped[Array, ""] = 1e-3,
) -> Eigenpairs:
    """The ``k`` largest eigenvalues and their eigenvectors, ``Θ u_i = λ_i u_i``.

    A Krylov space of one vector holds one eigenvector of each eigenvalue: **multiplicities are not
    seen** (up to rounding). A kernel ``K ⊗ I`` of several outputs shows each eigenvalue once.

    Args:
        key: of the start vector, drawn row by row, so that it does not depend on the sharding.
        operator: symmetric.
        k: number of eigenpairs; static.
        steps: products to make; static; by default ``max(2k + 10, 20)``, never more than there are
            rows.
        tol: error bound, relative to the largest eigenvalue, up to which the status is
            ``OK``; the number of steps does not depend on it.

    Returns:
        Eigenpairs with error bounds and status.

    Raises:
        ValueError: ``k < 1`` or more than there are rows; ``steps < k``; a known ``tol`` not
            positive.

    Cost:
        ``steps`` products, ``4 steps² nO`` operations to reorthogonalise, and memory for ``steps``
        vectors.

    Source:
        Lanczos 1950; Parlett 1998, *The symmetric eigenvalue problem*, chapter 13 (error bounds
        ``|β_m s_mi|``).

    Example:
        >>> from jaxlab.ntk.operators import dense_operator
        >>> operator = dense_operator(jnp.diag(jnp.arange(1.0, 9.0)))
        >>> top = top_eigenpairs(jax.random.key(0), operator, 2)
        >>> [round(float(value), 3) for value in top.values]
        [8.0, 7.0]
    """
    check_key("key", key)
    check_integer("k", k, minimum=1)
    require(k <= operator.size, "k", k, f"at most the {operator.size} rows of the operator")
    if steps is None:
        steps = max(2 * k + 10, 20)
    check_integer("steps", steps, minimum=k)
    check_scalar("tol", tol, above=0)
    return _top_eigenpairs(key, operator, tol, k, min(steps, operator.size))


@functools.partial(jax.jit, static_argnames=("k", "steps"))
def _top_eigenpairs(
    key: Array, operator: NTKOperator, tol: Array, k: int, steps: int
) -> Eigenpairs:
    start = random_vector(key, operator, jax.random.normal)
    krylov = tridiagonalize(operator, start, steps)
    values, ritz, there = (part[..., ::-1] for part in krylov.eigenpairs())
    values, ritz, there = values[:k], ritz[:, :k], there[:k]
    last = jnp.maximum(krylov.steps - 1, 0)
    bounds = krylov.off_diagonal[last] * jnp.abs(ritz[last])
    vectors = jnp.tensordot(ritz.T, krylov.basis, 1, precision="highest")
    norms = jax.vmap(operator.norm)(vectors)
    norms = jnp.where(there, norms, 1)
    vectors = vectors / norms.reshape(-1, *[1] * (vectors.ndim - 1))
    met = jnp.all(jnp.where(there, bounds, 0) <= tol * jnp.max(jnp.abs(values)))
    status = jnp.where(met, OK, NOT_CONVERGED)
    status = jnp.where(jnp.all(there), status, EXHAUSTED)
    status = jnp.where(krylov.finite, status, NOT_FINITE).astype(jnp.int32)
    valid = there & krylov.finite
    return Eigenpairs(
        jnp.where(valid, values, jnp.nan),
        jnp.where(valid.reshape(-1, *[1] * (vectors.ndim - 1)), vectors, 0),
        jnp.where(valid, bounds, jnp.nan),
        krylov.steps,
        status,
    )


def tridiagonalize(operator: NTKOperator, start: Float[Array, "..."], steps: int) -> Tridiagonal:
    """Lanczos' recursion from ``start``, in which each vector is made orthogonal to all before.

    The recursion ends where the remainder is below ``10 ε ‖T‖`` (an invariant subspace), or not
    finite; the steps after that do nothing.

    Args:
        operator: symmetric.
        start: any vector but 0.
        steps: most steps; static.

    Returns:
        Basis, tridiagonal matrix and remainder.

    Raises:
        ValueError: ``steps < 1``.

    Cost:
        ``steps`` products, ``4 steps² nO`` operations to reorthogonalise, and memory for ``steps``
        vectors.

    Source:
        Parlett 1998, section 13.1; two passes of classical Gram–Schmidt are enough (Giraud et al.
        2005).

    Example:
        >>> from jaxlab.ntk.operators import dense_operator
        >>> operator = dense_operator(jnp.array([[2.0, 1.0], [1.0, 2.0]]))
        >>> krylov = tridiagonalize(operator, jnp.array([1.0, 0.0]), 2)
        >>> krylov.diagonal.tolist(), krylov.off_diagonal[0].tolist(), int(krylov.steps)
        ([2.0, 2.0], 1.0, 2)
    """
    check_integer("steps", steps, minimum=1)
    return _tridiagonalize(operator, start, steps)


@functools.partial(jax.jit, static_argnames=("steps",))
def _tridiagonalize(operator: NTKOperator, start: Array, steps: int) -> Tridiagonal:
    dtype = operator.dtype
    operator, start = vary_like((operator, start.astype(dtype)))
    norm = operator.norm(start)
    epsilon = jnp.finfo(dtype).eps

    def components(basis: Array, vector: Array) -> Array:
        return jax.vmap(lambda row: operator.dot(row, vector))(basis)

    def step(carry: tuple, index: Array) -> tuple[tuple, tuple[Array, Array, Array]]:
        basis, vector, going, finite, scale = carry
        basis = jax.lax.dynamic_update_index_in_dim(basis, vector, index, 0)
        image = operator.matvec(vector).astype(dtype)
        along = operator.dot(vector, image)
        for _ in range(2):
            image = image - jnp.tensordot(components(basis, image), basis, 1, precision="highest")
        remainder = operator.norm(image)
        finite &= ~going | (jnp.isfinite(along) & jnp.isfinite(remainder))
        scale = jnp.maximum(scale, jnp.where(finite, jnp.abs(along) + remainder, 0))
        made = going & finite
        further = made & (remainder > 10 * epsilon * scale)
        vector = jnp.where(further, image / jnp.where(further, remainder, 1), 0)
        row = (jnp.where(made, along, 0), jnp.where(made, remainder, 0), made)
        return (basis, vector, further, finite, scale), row

    first = jnp.where(norm > 0, start / jnp.where(norm > 0, norm, 1), 0)
    empty = jnp.zeros_like(start, shape=(steps, *start.shape))
    carry = (empty, first, norm > 0, jnp.isfinite(norm), jnp.zeros_like(norm))
    (basis, _, _, finite, _), (diagonal, off_diagonal, made) = jax.lax.scan(
        step, carry, jnp.arange(steps)
    )
    reached = jnp.sum(made.astype(jnp.int32))
    return Tridiagonal(basis, diagonal, off_diagonal, reached, finite)


def random_vector(
    key: PRNGKeyArray, operator: NTKOperator, sample: Callable[..., Array]
) -> Float[Array, "..."]:
    """A random vector for the operator, row by row: the same however its rows are sharded.

    Args:
        key: of the draw; row ``i`` of the whole data set uses ``fold_in(key, i)``.
        operator: whose shape, dtype and ``axis_name`` count.
        sample: ``(key, shape, dtype) -> array``, as ``jax.random.normal``; static.

    Returns:
        Array of shape ``operator.shape``.

    Cost:
        That of ``nO`` random numbers.

    Source:
        Counter-based random numbers: Salmon et al. 2011.

    Example:
        >>> from jaxlab.ntk.operators import dense_operator
        >>> operator = dense_operator(jnp.eye(3))
        >>> random_vector(jax.random.key(0), operator, jax.random.rademacher).shape
        (3,)
    """
    check_key("key", key)
    rows = jnp.arange(operator.shape[0])
    if operator.axis_name is not None:
        rows = rows + jax.lax.axis_index(operator.axis_name) * operator.shape[0]
    return jax.vmap(
        lambda row: sample(jax.random.fold_in(key, row), operator.shape[1:], operator.dtype)
    )(rows)
