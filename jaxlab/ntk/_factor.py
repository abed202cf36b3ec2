"""Train kernels decomposed once, for every prediction that is made with them."""

import functools
import math
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
        eigenvalues: of ``K`` as computed, ascending, each with the shift added; or None.
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

    Rounding moves the eigenvalues of ``K`` by up to ``2√n ε λ_max``, most by a few ``ε λ_max``.
    Those of ``K + ρ I`` that are at most ``2√n ε λ_max`` count as zero, and make the kernel
    singular, unless the ridge stands out of rounding by itself: ``ρ > 8 ε λ_max`` and
    ``ρ > −2 λ_min``, where both are of ``K``. (``"cholesky"``: it is singular when the square of
    its smallest pivot is at most ``n ε max(diag)``, or the decomposition fails.)

    Derivatives with respect to ``diag_reg`` go through either; those with respect to the kernel
    through ``"cholesky"``. Through ``"eigh"`` they are not finite where eigenvalues of ``K``
    coincide, and wrong where they nearly do, as the smallest of a kernel of low rank: in float32 by
    any factor, in float64 by half of the digits.

    Args:
        k_train_train: kernel ``[N, N, o, o, ...]`` of the training examples, symmetric.
        diag_reg: what to add to the diagonal, >= 0: in units of its mean, or of the kernel.
        absolute: whether ``diag_reg`` is in units of the kernel; static.
        method: ``"eigh"`` serves every prediction; ``"cholesky"`` is about twenty times cheaper,
            in single precision ten to a hundred times more accurate for ill-conditioned kernels, of
            which the other drops what is close to rounding errors, and
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
    cholesky = eigenvalues = eigenvectors = None
    if method == "cholesky":
        shifted = kernel + shift * jnp.eye(n, dtype=dtype)
        cholesky = jnp.linalg.cholesky(shifted)
        smallest = jnp.min(jnp.square(jnp.diagonal(cholesky)))
        bound = n * jnp.finfo(dtype).eps * jnp.max(jnp.diagonal(shifted))
        status = jnp.where(smallest > bound, OK, SINGULAR)  # which NaN is too
    else:
        eigenvalues, eigenvectors = jnp.linalg.eigh(kernel)
        eigenvalues = eigenvalues + shift
        bound = _zero(eigenvalues, shift)
        status = jnp.where(eigenvalues[0] > bound, OK, SINGULAR)
        status = jnp.where(eigenvalues[0] < -bound, INDEFINITE, status)
    finite = jnp.all(jnp.isfinite(kernel)) & jnp.isfinite(shift)
    status = jnp.where(finite, status, NOT_FINITE).astype(jnp.int32)
    return Factor(cholesky, eigenvalues, eigenvectors, shift, status)


def _zero(eigenvalues: Array, shift: Array) -> Array:
    """What is zero to working precision among eigenvalues that have been shifted."""
    shift = jax.lax.stop_gradient(shift)
    values = jax.lax.stop_gradient(eigenvalues) - shift
    rounding = jnp.finfo(values.dtype).eps * jnp.max(jnp.abs(values))
    clear = shift > 2 * jnp.maximum(4 * rounding, -jnp.min(values))
    return jnp.where(clear, 0, 2 * math.sqrt(values.size) * rounding)


def _null(factor: Factor) -> tuple[Array, Array]:
    """Which eigenvalues are zero to working precision, and what that is."""
    assert factor.eigenvalues is not None
    zero = _zero(factor.eigenvalues, factor.shift)
    return factor.eigenvalues <= zero, zero


def forever(factor: Factor, time: Array) -> Array:
    """Which times tell a null eigenvalue from zero: infinity, and what is ``1/zero`` or more."""
    if factor.cholesky is not None:
        return jnp.ones(time.shape, bool)
    return jnp.isinf(time) | (time * _null(factor)[1] >= 1)


def decay(factor: Factor, time: Array) -> Array:
    """``e^{−λτ}`` as ``[T, n]`` for times ``[T]``; forever the null space stays where it was."""
    null, infinite, time, values = _spectrum(factor, time)
    return jnp.where(infinite & ~null, 0, jnp.exp(-values * time))


def gain(factor: Factor, time: Array) -> Array:
    """``(1 − e^{−λτ})/λ`` as ``[T, n]``: ``τ`` where ``λ = 0``, and the pseudo-inverse forever.

    Forever the null space is left out: test kernels have no part in it, so that this is the limit,
    where ``τ`` would multiply their rounding errors.
    """
    null, infinite, time, values = _spectrum(factor, time)
    # the series where λ may be zero, or rounding would be more than the quotient's slope
    early = values * time < jnp.cbrt(jnp.finfo(values.dtype).eps)
    exponent = jnp.where(early, values * time, 0)
    series = time * (1 - exponent / 2 + jnp.square(exponent) / 6)
    finite = jnp.where(early, series, -jnp.expm1(-values * time) / jnp.where(early, 1, values))
    return jnp.where(infinite & ~null, 1 / jnp.where(null, 1, values), finite)


def _spectrum(factor: Factor, time: Array) -> tuple[Array, Array, Array, Array]:
    """The spectrum at times ``[T]``, without what would give a number that is none.

    Null eigenvalues act as all others while ``zero·τ <= 1``. Later on, when rounding alone would
    make them act, what they did is taken back as ``1/τ``: at infinite time they have done nothing.

    Returns:
        Which eigenvalues are null, ``[n]``; which times are infinite, ``[T, 1]``; how long each
        eigenvalue has acted, finite, ``[T, n]``; the eigenvalues, none below zero, ``[n]``.
    """
    null, zero = _null(factor)
    values = factor.eigenvalues
    assert values is not None
    values = values - jax.lax.stop_gradient(jnp.minimum(values, 0))  # as steep at zero as above
    infinite = jnp.isinf(time)[:, None]
    time = jnp.where(infinite, 0, time[:, None])  # it would multiply derivatives that are zero
    late = jnp.maximum(1, time * zero)
    return null, infinite, jnp.where(null, time / late / late, time), values


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
    null = _null(factor)[0][:, None]
    return rows - matmul(vectors, jnp.where(null, matmul(vectors.T, rows), 0))


def whiten(factor: Factor, rows: Array) -> Array:
    """``W`` with ``Wᵀ W = rowsᵀ (K + shift·I)^{−1} rows``, of a Cholesky factor."""
    assert factor.cholesky is not None
    return jax.scipy.linalg.solve_triangular(factor.cholesky, rows, lower=True)
