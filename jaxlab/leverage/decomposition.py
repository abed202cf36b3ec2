"""Singular value decompositions, four ways, with a numerical rank.

Every way returns an :class:`~jaxlab.leverage.SVD` that is zero beyond the rank. ``exact`` and
``qr`` see singular values down to some ``eps σ₀``, and take for rounding what is not above
``min(max(m, n), 4 (min(m, n) + √max(m, n))) eps σ₀``: by ``max(m, n)`` alone, as is usual, real
directions of long matrices would be lost. ``gram`` squares the condition number and sees them down
to ``√eps σ₀``; ``randomized`` finds the leading ones only.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32, Key

from jaxlab.checks import check_choice, check_integer, check_key, check_scalar, require
from jaxlab.leverage._inputs import check_matrix, check_rank, subset_mask
from jaxlab.leverage._pairs import matmul, scaled
from jaxlab.leverage.types import SVD

__all__ = ["METHODS", "orthonormal_basis", "randomized_svd", "relative_gap", "svd"]

#: how a decomposition is computed
METHODS = ("auto", "exact", "gram", "qr", "randomized")


def svd(
    a: Float[Array, "m n"],
    *,
    method: str = "auto",
    rank: int | None = None,
    key: Key[Array, ""] | None = None,
    rtol: Any = None,
    oversample: int = 10,
    power_iters: int = 2,
) -> SVD:
    """Thin singular value decomposition with a numerical rank.

    ``A = U Σ Vᵀ``, where vectors with ``σ ≤ rtol σ₀`` are replaced by zeros.

    Derivatives are finite: they leave out how vectors turn whose ``σ²`` differ by no more than
    ``√eps σ₀²``, which is right for all that depends on the span of such vectors only. Those of
    ``"randomized"`` are of its own steps.

    Args:
        a: the matrix.
        method: ``"exact"`` (LAPACK), ``"qr"`` (of the triangular factor of the long side),
            ``"gram"`` (eigenvectors of ``AᵀA`` or ``AAᵀ``, whichever is smaller), ``"randomized"``,
            or ``"auto"``: ``"qr"`` when one side is at least four times the other, else
            ``"exact"``; static.
        rank: keep the leading ``rank`` vectors; needed for ``"randomized"``; static.
        key: PRNG key, for ``"randomized"`` only.
        rtol: relative to ``σ₀``, what counts as zero. Default: the lesser of ``max(m, n) eps`` and
            ``4 (min(m, n) + √max(m, n)) eps``, since rounding grows no faster with the long side,
            and ``√eps`` for ``"gram"``, whose smaller singular values are noise.
        oversample: as of :func:`randomized_svd`; static.
        power_iters: as of :func:`randomized_svd`; static.

    Returns:
        ``min(m, n)`` or ``rank`` vectors, and how many of them count.

    Raises:
        ValueError: ``a`` not 2-D, empty or not finite; an unknown method; ``rank`` above
            ``min(m, n)``; ``"randomized"`` without ``rank`` or ``key``.

    Cost:
        With ``n ≤ m``: ``"exact"`` and ``"qr"`` O(m n²); ``"gram"`` 2 m n² flops and O(n³), the
        fastest for tall matrices; memory of one copy of the matrix.

    Example:
        >>> decomposition = svd(jnp.array([[3.0, 0.0], [0.0, 2.0], [0.0, 0.0]]))
        >>> decomposition.s.tolist(), int(decomposition.rank)
        ([3.0, 2.0], 2)
    """
    check_matrix("a", a)
    check_choice("method", method, METHODS)
    smaller = min(a.shape)
    if rank is not None:
        check_integer("rank", rank, minimum=1)
        require(rank <= smaller, "rank", rank, f"at most min(m, n) = {smaller}")
    if rtol is not None:
        check_scalar("rtol", rtol, minimum=0)
    if method == "randomized":
        require(rank is not None, "rank", rank, 'a rank for method="randomized"')
        require(key is not None, "key", key, 'a PRNG key for method="randomized"')
        assert key is not None
        assert rank is not None
        return randomized_svd(
            key, a, rank, oversample=oversample, power_iters=power_iters, rtol=rtol
        )
    return decompose(a, rtol, resolved(method, a.shape), rank)


def randomized_svd(
    key: Key[Array, ""],
    a: Float[Array, "m n"],
    rank: int,
    *,
    oversample: int = 10,
    power_iters: int = 2,
    rtol: Any = None,
) -> SVD:
    """Leading singular vectors from a random projection and power iterations.

    ``Y = (A Aᵀ)^q A Ω`` with Gaussian ``Ω``, orthonormalised between products; ``Q = orth(Y)``, and
    the decomposition of ``Qᵀ A``.

    Args:
        key: PRNG key; the same key gives the same vectors.
        a: the matrix.
        rank: number of vectors ``r``; static.
        oversample: how many more columns ``Ω`` has, as far as the matrix allows; static.
        power_iters: ``q``; static.
        rtol: relative to ``σ₀``, what counts as zero; default as of ``"exact"`` in :func:`svd`.

    Returns:
        ``rank`` vectors. Only these are known: subsets must lie among them.

    Raises:
        ValueError: ``a`` not 2-D, empty or not finite; ``rank`` outside of 1 to ``min(m, n)``.

    Cost:
        O(m n (r + oversample) (2 q + 2)) time, O((m + n) (r + oversample)) memory.

    Source:
        Halko, Martinsson, Tropp 2011, algorithms 4.4 and 5.1.

    Example:
        >>> a = jnp.diag(jnp.array([4.0, 2.0, 1.0]))
        >>> randomized_svd(jax.random.key(0), a, 2).s.round(4).tolist()
        [4.0, 2.0]
    """
    check_key("key", key)
    check_matrix("a", a)
    check_integer("rank", rank, minimum=1)
    require(rank <= min(a.shape), "rank", rank, f"at most min(m, n) = {min(a.shape)}")
    check_integer("oversample", oversample, minimum=0)
    check_integer("power_iters", power_iters, minimum=0)
    if rtol is not None:
        check_scalar("rtol", rtol, minimum=0)
    return _randomized(key, a, rtol, rank, min(rank + oversample, *a.shape), power_iters)


def relative_gap(decomposition: SVD, subset: Any) -> Float[Array, ""]:
    """How well separated the chosen singular values are from all others.

    ``min |σ_r − σ_s| / σ₀`` over ``r ∈ R`` and ``s ∉ R``, the null space of ``A`` (``σ = 0``)
    included. Scores change by O(noise / gap); a degenerate value inside of ``R`` does no harm.

    Args:
        decomposition: of the matrix. In a truncated one the singular values left out are only known
            to be no larger than the last: the gap is then a lower bound, 0 when the last is in
            ``R``.
        subset: which singular vectors: indices (static or an array) or a mask.

    Returns:
        The gap in [0, 1]; inf when there is nothing outside of ``R``.

    Raises:
        ValueError: a subset that is empty, has duplicates or exceeds the numerical rank.

    Cost:
        O(r²).

    Example:
        >>> float(relative_gap(svd(jnp.diag(jnp.array([4.0, 3.0, 1.0]))), (1,)))
        0.25
    """
    mask = subset_mask(subset, decomposition.s.shape[-1])
    check_rank(mask, decomposition.rank)
    return _relative_gap(decomposition, mask)


def orthonormal_basis(
    x: Float[Array, "m k"], *, rtol: Any = None
) -> tuple[Float[Array, "m r"], Int32[Array, ""]]:
    """Orthonormal basis of the span of columns that may depend on each other.

    Left singular vectors ``U`` of ``X``, so that ``U Uᵀ = X X⁺``. The derivative is of the span:
    ``dU = (I − U Uᵀ) dX X⁺ U``, which is right, and finite, for all that depends on ``U Uᵀ`` only,
    whatever the singular values are.

    Args:
        x: the columns.
        rtol: relative to the largest singular value, what counts as zero; default as of
            ``"qr"`` in :func:`svd`.

    Returns:
        The basis, ``[m, min(m, k)]`` with zero columns beyond the rank, and the rank.

    Raises:
        ValueError: ``x`` not 2-D, empty or not finite; a negative ``rtol``.

    Cost:
        O(m k²).

    Example:
        >>> basis, rank = orthonormal_basis(jnp.array([[1.0, 2.0], [0.0, 0.0]]))
        >>> jnp.abs(basis).tolist(), int(rank)
        ([[1.0, 0.0], [0.0, 0.0]], 1)
    """
    check_matrix("x", x)
    if rtol is None:
        rtol = default_rtol(x.shape, x.dtype, "qr")
    else:
        check_scalar("rtol", rtol, minimum=0)
    return _basis(x, rtol)


def resolved(method: str, shape: tuple[int, ...]) -> str:
    """What ``"auto"`` stands for."""
    if method != "auto":
        return method
    return "qr" if max(shape) >= 4 * min(shape) else "exact"


def default_rtol(shape: tuple[int, ...], dtype: Any, method: str) -> float:
    """What counts as zero relative to the largest singular value."""
    # NumPy's float64 is worked on in float32 where jax has no other
    eps = float(jnp.finfo(jax.dtypes.canonicalize_dtype(dtype)).eps)
    if method == "gram":
        return float(np.sqrt(eps))
    short, long = sorted(shape[-2:])
    return min(long, 4 * (short + float(np.sqrt(long)))) * eps


def truncated(u: Array, s: Array, vt: Array, rtol: Any) -> SVD:
    """Zeros for all that is not above ``rtol σ₀``."""
    keep = s > rtol * s[0]
    rank = keep.sum(dtype=jnp.int32)
    zero = jnp.zeros((), s.dtype)
    return SVD(
        jnp.where(keep, u, zero), jnp.where(keep, s, zero), jnp.where(keep[:, None], vt, zero), rank
    )


@functools.partial(jax.jit, static_argnames=("method", "rank"))
def decompose(a: Array, rtol: Any, method: str, rank: int | None) -> SVD:
    """:func:`svd` without checks."""
    check_choice("method", method, ("exact", "gram", "qr"))
    rtol = default_rtol(a.shape, a.dtype, method) if rtol is None else rtol
    u, s, vt = _thin(a, method)
    return truncated(u[:, :rank], s[:rank], vt[:rank], rtol)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _thin(a: Array, method: str) -> tuple[Array, Array, Array]:
    if a.shape[0] < a.shape[1]:
        v, s, ut = _tall(a.T, method)
        return ut.T, s, v.T
    return _tall(a, method)


@_thin.defjvp
def _thin_jvp(method: str, primals: tuple[Array], tangents: tuple[Array]) -> Any:
    """Vectors of equal singular values do not turn into each other, which would be a NaN."""
    (a,), (da,) = primals, tangents
    u, s, vt = _thin(a, method)
    eps = jnp.finfo(s.dtype).eps
    positive = s > default_rtol(a.shape, a.dtype, "exact") * s[0]
    inverse = jnp.where(positive, 1 / jnp.where(positive, s, 1), 0)
    turned = matmul(matmul(u.T, da), vt.T)
    relative, weight = inverse_differences(s, jnp.sqrt(eps))
    left = weight * (turned * relative[None, :] + relative[:, None] * turned.T)
    right = weight * (relative[:, None] * turned + turned.T * relative[None, :])
    towards_u, towards_v = matmul(da, vt.T * inverse), matmul(da.T, u * inverse)
    du = matmul(u, left) + towards_u - matmul(u, matmul(u.T, towards_u))
    dv = matmul(vt.T, right) + towards_v - matmul(vt.T, matmul(vt, towards_v))
    return (u, s, vt), (du, jnp.diagonal(turned), dv.T)


def inverse_differences(s: Array, least: Any) -> tuple[Array, Array]:
    """``s / unit`` and ``unit / (s_j² − s_i²)``, 0 where that is of no more than ``least s_0²``.

    The unit is near ``s_0``, so that squares are in the range of the dtype.
    """
    s, unit = scaled(s)
    apart = (s[None, :] - s[:, None]) * (s[None, :] + s[:, None])
    distinct = jnp.abs(apart) > least * s[0] * s[0]
    return s, jnp.where(distinct, 1 / jnp.where(distinct, apart, 1), 0) / unit


def _tall(a: Array, method: str) -> tuple[Array, Array, Array]:
    """Thin decomposition of a matrix with no more columns than rows."""
    if method == "exact":
        u, s, vt = jnp.linalg.svd(a, full_matrices=False)
        return u, s, vt
    if method == "qr":
        q, r = jnp.linalg.qr(a)
        u, s, vt = jnp.linalg.svd(r, full_matrices=False)
        return matmul(q, u), s, vt
    a, scale = scaled(a)
    _, vectors = jnp.linalg.eigh(matmul(a.T, a))
    v = vectors[:, ::-1]
    av = matmul(a, v)
    # the norms of A v lose far less than the roots of the eigenvalues, but may swap ties
    s = jnp.linalg.norm(av, axis=0)
    order = jnp.argsort(-s, stable=True)
    s = s[order]
    return av[:, order] / jnp.where(s > 0, s, 1), scale * s, v[:, order].T


@functools.partial(jax.jit, static_argnames=("rank", "width", "power_iters"))
def _randomized(key: Array, a: Array, rtol: Any, rank: int, width: int, power_iters: int) -> SVD:
    rtol = default_rtol(a.shape, a.dtype, "exact") if rtol is None else rtol

    def iterate(_: Array, y: Array) -> Array:
        q = jnp.linalg.qr(y)[0]
        return matmul(a, jnp.linalg.qr(matmul(a.T, q))[0])

    y = matmul(a, jax.random.normal(key, (a.shape[1], width), a.dtype))
    q = jnp.linalg.qr(jax.lax.fori_loop(0, power_iters, iterate, y))[0]
    u, s, vt = jnp.linalg.svd(matmul(q.T, a), full_matrices=False)
    return truncated(matmul(q, u[:, :rank]), s[:rank], vt[:rank], rtol)


@jax.jit
def _relative_gap(decomposition: SVD, mask: Array) -> Array:
    s = decomposition.s
    size, smaller = s.shape[0], min(decomposition.u.shape[0], decomposition.vt.shape[1])
    chosen = mask & (jnp.arange(size) < decomposition.rank)
    # beyond the rank lies the null space, with σ = 0; what was cut off is at most the last value
    beyond = s[-1] if size < smaller else jnp.zeros((), s.dtype)
    exists = size < smaller or decomposition.vt.shape[1] > size
    values = jnp.append(s, beyond)
    outside = jnp.append(~chosen, exists)
    apart = jnp.abs(s[:, None] - values[None, :])
    gaps = jnp.where(chosen[:, None] & outside[None, :], apart, jnp.inf)
    return gaps.min() / jnp.where(s[0] > 0, s[0], 1)


@jax.custom_jvp
@jax.jit
def _basis(x: Array, rtol: Any) -> tuple[Array, Array]:
    decomposition = decompose(x, rtol, "qr", None)
    return decomposition.u, decomposition.rank


@_basis.defjvp
def _basis_jvp(primals: tuple[Array, Any], tangents: tuple[Array, Any]) -> Any:
    u, s, vt, rank = decompose(*primals, "qr", None)
    lifted = matmul(tangents[0], vt.T / jnp.where(s > 0, s, 1))
    du = lifted - matmul(u, matmul(u.T, lifted))
    return (u, rank), (du, np.zeros(rank.shape, jax.dtypes.float0))
