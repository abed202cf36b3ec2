"""A matrix and its target, and columns of it: checks, products and orthonormal bases."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxlab.checks import concrete, require
from jaxlab.leverage._inputs import check_matrix

__all__ = [
    "Whitened",
    "centred",
    "centred_columns",
    "check_indices",
    "check_pair",
    "column_norms",
    "matmul",
    "resolution",
    "scaled",
    "top",
    "unit_columns",
    "whiten",
    "whiten_gram",
]

#: products of Gram matrices and bases lose half of their digits to a lower precision
matmul = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)


def check_pair(a: Any, b: Any) -> tuple[Array, Array]:
    """Refuse matrices that cannot be columns and target; both in one type."""
    check_matrix("a", a)
    check_matrix("b", b)
    require(
        a.shape[0] == b.shape[0], "b", b, f"the same number of rows as a, which is {a.shape[0]}"
    )
    dtype = jax.dtypes.canonicalize_dtype(jnp.promote_types(a.dtype, b.dtype))
    return jnp.asarray(a, dtype), jnp.asarray(b, dtype)


def check_indices(argument: str, indices: Any, n: int, *, distinct: bool = False) -> Array:
    """Refuse what are not indices of some of ``n`` columns, or not ``distinct`` ones."""
    if not isinstance(indices, jax.Array):
        indices = np.asarray(indices)
    fits = indices.ndim == 1 and indices.shape[0] >= 1
    fits = fits and bool(np.issubdtype(indices.dtype, np.integer))
    values = concrete(indices) if fits else None
    fits = fits and (values is None or bool(np.all((values >= 0) & (values < n))))
    require(fits, argument, indices, f"indices of columns from 0 to {n - 1}")
    if distinct and values is not None:
        require(np.unique(values).size == values.size, argument, values.tolist(), "no duplicates")
    return jnp.asarray(indices, jnp.int32)


def column_norms(matrix: Float[Array, "m n"]) -> Float[Array, " n"]:
    """Euclidean length of each column, without overflow; of zeros, with derivative 0."""
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(matrix), axis=0))
    nothing = largest == 0  # not "> 0": NaN stays NaN
    scale = jnp.where(nothing, 1, largest)
    squares = jnp.sum((matrix / scale) ** 2, axis=0)
    return jnp.where(nothing, 0, scale * jnp.sqrt(jnp.where(nothing, 1, squares)))


def unit_columns(matrix: Float[Array, "m n"]) -> Float[Array, "m n"]:
    """Columns divided by their lengths; those of zeros stay."""
    norms = column_norms(matrix)
    return matrix / jnp.where(norms > 0, norms, 1)


def scaled(array: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Float[Array, ""]]:
    """The array divided by a power of two near its largest entry, so that squares are finite."""
    limits = jnp.finfo(array.dtype)
    exponent = jnp.frexp(jnp.maximum(jnp.max(jnp.abs(array)), limits.tiny))[1] - 1
    exponent = jnp.minimum(exponent, -limits.minexp)  # the inverse of a larger one may be cut to 0
    scale = jnp.ldexp(jnp.ones((), array.dtype), exponent)
    return array / scale, scale


def centred(
    a: Float[Array, "m n"], mask: Bool[Array, " m"] | None = None
) -> tuple[Float[Array, "m n"], Float[Array, " n"]]:
    """Rows about their mean, and the mean."""
    there = True if mask is None else mask[:, None]
    rows = a.shape[0] if mask is None else jnp.maximum(jnp.sum(mask), 1).astype(a.dtype)
    rough = jnp.sum(jnp.where(there, a / rows, 0), axis=0)
    a = jnp.where(there, a - rough, 0)
    # the rough mean is off by rounding of large numbers; what it leaves is a small one
    left = jnp.sum(a, axis=0) / rows
    a = jnp.where(there, a - left, 0)
    return a, rough + left


def centred_columns(a: Float[Array, "m n"]) -> Float[Array, "m n"]:
    """Columns about their means, those of a single value exactly 0.

    The mean of these is off by rounding, and what that leaves would be taken at unit length.
    """
    return jnp.where(jnp.max(a, axis=0) > jnp.min(a, axis=0), centred(a)[0], 0)


def top(scores: Float[Array, " n"], number: int) -> Array:
    """The largest scores' indices, the lowest first among equals."""
    return jnp.argsort(-scores, stable=True)[:number].astype(jnp.int32)


def resolution(m: int, c: int, dtype: Any) -> float:
    """What share of the largest singular value of ``c`` columns of unit length is rounding."""
    return 4 * (c + m**0.5) * float(jnp.finfo(dtype).eps)


class Whitened(NamedTuple):
    """An orthonormal basis of the span of columns, and the columns' weights that give it.

    Attributes:
        weights: ``W`` with ``Wᵀ (CᵀC + ridge I) W`` the identity on the rank, 0 beyond.
        values: singular values of the columns scaled to unit length, descending.
        kept: which of them are above rounding errors.
    """

    weights: Float[Array, "c q"]
    values: Float[Array, " q"]
    kept: Bool[Array, " q"]


def whiten(columns: Float[Array, "m c"], ridge: Any = 0.0) -> tuple[Float[Array, "m c"], Whitened]:
    """Basis ``C W`` of the span of columns, computed by QR and a small SVD, and ``W``.

    With a ridge the basis is that part of an orthonormal one of ``[C; √ridge I]``. The derivative
    is that of a basis which does not turn within the span, of a change that keeps the rank: right,
    and finite, for all that depends on ``C C⁺`` and ``C⁺`` only, whatever the singular values are.
    """
    c = columns.shape[1]
    below = jnp.sqrt(jnp.asarray(ridge, columns.dtype)) * jnp.eye(c, dtype=columns.dtype)
    lengths = column_norms(jnp.concatenate([columns, below]))
    lengths = jnp.where(lengths > 0, lengths, 1)
    basis, white = _whiten_units(columns / lengths, below / lengths)
    return basis, white._replace(weights=white.weights / lengths[:, None])


@jax.custom_jvp
def _whiten_units(columns: Array, below: Array) -> tuple[Array, Whitened]:
    """:func:`whiten` of ``N = [columns; below]`` with columns of unit length."""
    m, c = columns.shape
    q, r = jnp.linalg.qr(columns)
    u, s, vt = jnp.linalg.svd(jnp.concatenate([r, below]), full_matrices=False)
    kept = s > resolution(m, c, s.dtype) * s[0]
    basis = matmul(q, jnp.where(kept, u[: r.shape[0]], 0))
    return basis, Whitened(vt.T * _inverse(s, kept), s, kept)


@_whiten_units.defjvp
def _whiten_units_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> Any:
    """Of ``U = N W``: ``dU = (I − U Uᵀ) dN W``, and ``dW`` for which ``d(W Uᵀ) = dN⁺``.

    Neither is told by single singular vectors, so that second derivatives are right too.
    """
    (columns, below), (dcolumns, dbelow) = primals, tangents
    basis, white = _whiten_units(columns, below)
    weights = white.weights
    under = matmul(below, weights)
    inside = matmul(basis.T, columns) + matmul(under.T, below)  # UᵀN
    change = matmul(basis.T, dcolumns) + matmul(under.T, dbelow)  # UᵀdN
    turned = matmul(change, weights)
    dbasis = matmul(dcolumns, weights) - matmul(basis, turned)
    across = matmul(change.T, matmul(weights.T, weights))  # towards columns that depend on others
    dweights = across - matmul(weights, matmul(inside, across) + turned)
    return (basis, white), (dbasis, _tangents(white, dweights, turned))


def whiten_gram(gram: Float[Array, "c c"], ridge: Any = 0.0) -> Whitened:
    """``W`` of :func:`whiten` from ``CᵀC``, with derivatives for what depends on ``C W Wᵀ Cᵀ``."""
    c = gram.shape[0]
    gram = gram + jnp.asarray(ridge, gram.dtype) * jnp.eye(c, dtype=gram.dtype)
    square = jnp.diagonal(gram)
    lengths = jnp.sqrt(jnp.where(square > 0, square, 1))
    white = _whiten_unit_gram(gram / lengths / lengths[:, None])
    return white._replace(weights=white.weights / lengths[:, None])


@jax.custom_jvp
def _whiten_unit_gram(gram: Array) -> Whitened:
    """:func:`whiten_gram` of columns of unit length."""
    values, vectors = jnp.linalg.eigh(gram)
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = values > 4 * gram.shape[0] * jnp.finfo(values.dtype).eps * values[0]
    s = jnp.sqrt(jnp.maximum(values, 0))
    return Whitened(vectors * _inverse(s, kept), s, kept)


@_whiten_unit_gram.defjvp
def _whiten_unit_gram_jvp(primals: tuple[Array], tangents: tuple[Array]) -> Any:
    """Of ``Wᵀ G W = I``, with no turn of ``W`` within the span of its columns."""
    white = _whiten_unit_gram(*primals)
    rates = matmul(white.weights.T, matmul(tangents[0], white.weights)) / 2
    return white, _tangents(white, -matmul(white.weights, rates), rates)


def _tangents(white: Whitened, dweights: Array, rates: Array) -> Whitened:
    """With rates of singular values, relative to these, on the diagonal."""
    kept: Any = np.zeros(white.kept.shape, jax.dtypes.float0)
    return Whitened(dweights, jnp.diagonal(rates) * white.values, kept)


def _inverse(values: Array, kept: Array) -> Array:
    """Reciprocals of what is kept, 0 of the rest."""
    return jnp.where(kept, 1 / jnp.where(kept, values, 1), 0)
