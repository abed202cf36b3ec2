"""Train kernels decomposed once, for every prediction that is made with them."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxlab.checks import check_bool, check_choice, check_scalar, require
from jaxlab.ntk._rows import as_matrix, check_square, matmul
from jaxlab.ntk.status import INDEFINITE, NOT_FINITE, OK, SINGULAR

__all__ = [
    "Factor",
    "decay",
    "factorize",
    "forever",
    "gain",
    "project",
    "solve",
    "whiten",
]


class Factor(NamedTuple):
    """A decomposed train kernel, made by :func:`factorize`.

    Attributes:
        cholesky: lower triangle ``L`` with ``L Lᵀ = K + shift·I``, or None.
        eigenvalues: of ``K + shift·I``, ascending and as computed, or None.
        eigenvectors: one a column, or None.
        shift: what was added to the diagonal, in units of the kernel.
        status: ``OK``, ``SINGULAR``, ``INDEFINITE`` or ``NOT_FINITE``.
    """

    cholesky: Float[Array, "n n"] | None
    eigenvalues: Float[Array, " n"] | None
    eigenvectors: Float[Array, "n n"] | None
    shift: Float[Array, ""]
    status: Int[Array, ""]

    @property
    def size(self) -> int:
        """Number of rows of the kernel."""
        return self.matrix.shape[0]

    @property
    def matrix(self) -> Array:
        """``cholesky`` or ``eigenvectors``, whichever is there."""
        part = self.eigenvectors if self.cholesky is None else self.cholesky
        assert part is not None
        return part

    @property
    def dtype(self) -> Any:
        """In what predictions are made."""
        return self.matrix.dtype


def factorize(
    k_train_train: Float[Array, "..."],
    *,
    diag_reg: int | float | Float[Array, ""] = 0.0,
    absolute: bool = False,
    method: str = "eigh",
) -> Factor:
    """Decompose ``K + ρ I``, with ``ρ = diag_reg · mean(diag K)``, or ``ρ = diag_reg`` if absolute.

    A kernel is singular when its smallest eigenvalue is at most ``n ε λ_max`` (``"cholesky"``: when
    the square of its smallest pivot is at most ``n ε max(diag)``, or the decomposition fails).
    Derivatives with respect to the kernel go through ``"cholesky"``; those through ``"eigh"`` are
    not finite where eigenvalues coincide.

    Args:
        k_train_train: kernel ``[N, N, o, o, ...]`` of the training examples, symmetric.
        diag_reg: what to add to the diagonal, >= 0: in units of its mean, or of the kernel.
        absolute: whether ``diag_reg`` is in units of the kernel; static.
        method: ``"eigh"`` serves every prediction; ``"cholesky"`` is about twenty times cheaper and
            serves those at infinite time; static.

    Returns:
        The decomposition, to be passed to the predictions.

    Raises:
        ValueError: the axes of the kernel do not come in equal pairs; ``diag_reg`` is not a number
            >= 0; unknown ``method``.

    Cost:
        ``O(n³)`` time and ``O(n²)`` memory for ``n = N·O`` rows.

    Example:
        >>> factor = factorize(jnp.array([[2.0, 0.0], [0.0, 4.0]]), diag_reg=0.5)
        >>> [f"{value:.3f}" for value in factor.eigenvalues], factor.status.item() == OK
        (['3.500', '5.500'], True)
    """
    check_choice("method", method, ("eigh", "cholesky"))
    check_scalar("diag_reg", diag_reg, minimum=0)
    check_bool("absolute", absolute)
    return _factorize(k_train_train, diag_reg, absolute=absolute, method=method)


@functools.partial(jax.jit, static_argnames=("absolute", "method"))
def _factorize(k_train_train: Array, diag_reg: Any, *, absolute: bool, method: str) -> Factor:
    kernel = as_matrix("k_train_train", k_train_train)
    check_square("k_train_train", jnp.asarray(k_train_train))
    n, dtype = kernel.shape[0], kernel.dtype
    require(n > 0, "k_train_train", k_train_train, "at least one training example")
    shift = jnp.asarray(diag_reg, dtype)
    if not absolute:
        shift = shift * jnp.mean(jnp.diagonal(kernel))
    kernel = kernel + shift * jnp.eye(n, dtype=dtype)
    rounding = n * jnp.finfo(dtype).eps
    cholesky = eigenvalues = eigenvectors = None
    if method == "cholesky":
        cholesky = jnp.linalg.cholesky(kernel)
        smallest = jnp.min(jnp.square(jnp.diagonal(cholesky)))
        regular = smallest > rounding * jnp.max(jnp.diagonal(kernel))  # false for NaN too
        status = jnp.where(regular, OK, SINGULAR)
    else:
        eigenvalues, eigenvectors = jnp.linalg.eigh(kernel)
        bound = rounding * jnp.max(jnp.abs(eigenvalues))
        status = jnp.where(eigenvalues[0] > bound, OK, SINGULAR)
        status = jnp.where(eigenvalues[0] < -bound, INDEFINITE, status)
    status = jnp.where(jnp.all(jnp.isfinite(kernel)), status, NOT_FINITE).astype(jnp.int32)
    return Factor(cholesky, eigenvalues, eigenvectors, shift, status)


def _zero(factor: Factor) -> Array:
    """What is zero to working precision among the eigenvalues."""
    assert factor.eigenvalues is not None
    rounding = factor.size * jnp.finfo(factor.dtype).eps
    return rounding * jnp.max(jnp.abs(factor.eigenvalues))


def _null(factor: Factor) -> Array:
    """Which eigenvalues are zero to working precision."""
    assert factor.eigenvalues is not None
    return factor.eigenvalues <= _zero(factor)


def _safe(factor: Factor) -> tuple[Array, Array]:
    """Which eigenvalues are null, and the eigenvalues with 1 in their place."""
    assert factor.eigenvalues is not None
    null = _null(factor)
    return null, jnp.where(null, 1, factor.eigenvalues)


def forever(factor: Factor, time: Array) -> Array:
    """Which times tell a null eigenvalue from zero: infinity, and what is ``1/zero`` or more."""
    if factor.cholesky is not None:
        return jnp.ones(time.shape, bool)
    return jnp.isinf(time) | (time * _zero(factor) >= 1)


def decay(factor: Factor, time: Array) -> Array:
    """``e^{−λτ}`` as ``[T, n]`` for times ``[T]``; the null space stays where it is."""
    null, values = _safe(factor)
    infinite, time = _finite(time)
    return jnp.where(null, 1, jnp.where(infinite, 0, jnp.exp(-values * time)))


def gain(factor: Factor, time: Array) -> Array:
    """``(1 − e^{−λτ})/λ`` as ``[T, n]``: ``τ`` where ``λ = 0``, and the pseudo-inverse forever.

    Forever the null space is left out: test kernels have no part in it, so that this is the limit,
    where ``τ`` would multiply their rounding errors.
    """
    null, values = _safe(factor)
    linear = jnp.where(forever(factor, time), 0, time)
    infinite, time = _finite(time)
    gone = jnp.where(infinite, 1, -jnp.expm1(-values * time))
    return jnp.where(null, linear[:, None], gone / values)


def _finite(time: Array) -> tuple[Array, Array]:
    """Which times are infinite, and the times with 0 in their place, as ``[T, 1]``.

    An infinite time would multiply derivatives that are zero.
    """
    infinite = jnp.isinf(time)[:, None]
    return infinite, jnp.where(infinite, 0, time[:, None])


def solve(factor: Factor, rows: Array) -> Array:
    """``(K + shift·I)^{−1} rows``; the pseudo-inverse where eigenvalues are zero."""
    if factor.cholesky is not None:
        return jax.scipy.linalg.cho_solve((factor.cholesky, True), rows)
    inverse = gain(factor, jnp.full((1,), jnp.inf, factor.dtype))[0]
    vectors = factor.matrix
    return matmul(vectors, inverse[:, None] * matmul(vectors.T, rows))


def project(factor: Factor, rows: Array) -> Array:
    """The part of ``rows`` outside the kernel's null space."""
    if factor.cholesky is not None:
        return rows
    vectors = factor.matrix
    null = _null(factor)[:, None]
    return rows - matmul(vectors, jnp.where(null, matmul(vectors.T, rows), 0))


def whiten(factor: Factor, rows: Array) -> Array:
    """``W`` with ``Wᵀ W = rowsᵀ (K + shift·I)^{−1} rows``, of a Cholesky factor."""
    assert factor.cholesky is not None
    return jax.scipy.linalg.solve_triangular(factor.cholesky, rows, lower=True)
