"""Canonical correlation analysis, of whole views or of chosen columns."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxlab.checks import check_bool, check_scalar
from jaxlab.leverage._inputs import check_columns
from jaxlab.leverage._pairs import (
    Whitened,
    centred_columns,
    check_indices,
    check_pair,
    matmul,
    whiten,
    whiten_gram,
)
from jaxlab.leverage.types import Cca

__all__ = ["cca"]


def cca(
    a: Float[Array, "m n"],
    b: Float[Array, "m p"],
    *,
    columns_a: Int[Array, " ca"] | None = None,
    columns_b: Int[Array, " cb"] | None = None,
    ridge: Any = 0.0,
    q: int | None = None,
    center: bool = True,
) -> Cca:
    """Combinations of columns of two views with the largest correlations.

    Weights ``w_i``, ``v_i`` maximise ``w_iᵀ Aᵀ B v_i`` under ``w_iᵀ (AᵀA + ridge I) w_j = δ_ij``
    and ``v_iᵀ (BᵀB + ridge I) v_j = δ_ij``: the singular vectors of ``Q_aᵀ Q_b``, with orthonormal
    bases ``Q`` of the spans of the columns. Dependent columns have the weights that are of least
    norm in terms of the columns at unit length.

    The correlations have first derivatives in the views and in ``ridge``, for fixed columns and
    where they are simple; in a ridge of 0 where columns are independent. The loadings are constants
    to differentiation.

    Args:
        a: first view, ``[m, n]``.
        b: second view, ``[m, p]``.
        columns_a: the only columns of the first view to use; all by default.
        columns_b: the only columns of the second view to use; all by default.
        ridge: added to the diagonals of ``AᵀA`` and ``BᵀB``, in their units, at least 0.
        q: number of pairs, by default and at most the lesser number of columns; static.
        center: subtract the mean of every column, which makes those of a single value 0; static.

    Returns:
        Correlations in [0, 1] (0 beyond the rank) and loadings of the columns used.

    Raises:
        ValueError: matrices as of :func:`~jaxlab.leverage.gcss`; columns outside of a view; a
            negative ridge; ``q`` out of range.

    Cost:
        ``O(m (n² + p²) + n³ + p³)`` for all columns.

    Source:
        Hotelling 1936; Björck, Golub 1973 for the computation by QR.

    Example:
        >>> x = jnp.array([[0.0], [1.0], [2.0], [3.0]])
        >>> y = jnp.array([[0.0, 1.0], [2.0, 1.0], [4.0, 5.0], [6.0, 3.0]])
        >>> round(float(cca(x, y).correlations[0]), 4)
        1.0
    """
    a, b = check_pair(a, b)
    if columns_a is not None:
        a = a[:, check_indices("columns_a", columns_a, a.shape[1])]
    if columns_b is not None:
        b = b[:, check_indices("columns_b", columns_b, b.shape[1])]
    check_scalar("ridge", ridge, minimum=0)
    check_bool("center", center)
    most = min(a.shape[1], b.shape[1])
    q = most if q is None else q
    check_columns("q", q, most)
    return _cca(a, b, ridge, q=q, center=center)


@functools.partial(jax.jit, static_argnames=("q", "center"))
def _cca(a: Array, b: Array, ridge: Array, *, q: int, center: bool) -> Cca:
    if center:
        a, b = centred_columns(a), centred_columns(b)
    return cca_on_columns(a, b, ridge, q=q)


def cca_on_columns(a: Float[Array, "m ca"], b: Float[Array, "m cb"], ridge: Any, *, q: int) -> Cca:
    """Canonical correlations of centred views, differentiable; loadings are constants."""
    ridge = jnp.asarray(ridge, a.dtype)
    fixed_a, fixed_b, fixed_ridge = jax.lax.stop_gradient((a, b, ridge))
    basis_a, white_a = whiten(fixed_a, fixed_ridge)
    basis_b, white_b = whiten(fixed_b, fixed_ridge)
    found = canonical(matmul(basis_a.T, basis_b), white_a, white_b, q=q)
    # d ρ = wᵀ d(AᵀB) v − ρ/2 (wᵀ d(AᵀA + ridge I) w + vᵀ d(BᵀB + ridge I) v):
    # no derivative of a decomposition is needed
    w, v = found.loadings_a, found.loadings_b
    x, y = matmul(a, w), matmul(b, v)
    # not ridge * (w * w), which may be 0 times a square that overflows
    lengths = jnp.sum(x * x + y * y, axis=0)
    lengths += jnp.sum(ridge * w * w, axis=0) + jnp.sum(ridge * v * v, axis=0)
    rate = jnp.sum(x * y, axis=0) - found.correlations / 2 * lengths
    correlations = found.correlations + (rate - jax.lax.stop_gradient(rate))
    return Cca(correlations, found.loadings_a, found.loadings_b)


def cca_on_gram(
    gram_a: Float[Array, "ca ca"],
    gram_b: Float[Array, "cb cb"],
    cross: Float[Array, "ca cb"],
    ridge: Any,
    *,
    q: int,
) -> Cca:
    """Canonical correlations from ``AᵀA``, ``BᵀB`` and ``AᵀB``."""
    white_a, white_b = whiten_gram(gram_a, ridge), whiten_gram(gram_b, ridge)
    product = matmul(matmul(white_a.weights.T, cross), white_b.weights)
    return canonical(product, white_a, white_b, q=q)


def canonical(
    product: Float[Array, "ca cb"], white_a: Whitened, white_b: Whitened, *, q: int
) -> Cca:
    """Correlations and loadings from the product of two bases."""
    u, s, vt = jnp.linalg.svd(product, full_matrices=False)
    return Cca(
        jnp.clip(s[:q], 0, 1),
        matmul(white_a.weights, u[:, :q]),
        matmul(white_b.weights, vt[:q].T),
    )
