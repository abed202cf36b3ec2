r"""Leverage scores of columns or rows with respect to chosen singular vectors.

``ℓ_j^R = Σ_{r ∈ R} V_{jr}²``: how much of the span of the singular vectors in ``R`` lies on
coordinate ``j``. It is the diagonal of the projector ``V_R V_Rᵀ`` and is differentiated as such:

    d(V_R V_Rᵀ) = Σ_{r ∈ R, s ∉ R} (v_sᵀ dG v_r) / (σ_r² − σ_s²) (v_s v_rᵀ + v_r v_sᵀ),   G = AᵀA

Pairs inside of ``R`` do not occur, so equal singular values there do no harm.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlab.checks import check_bool, check_choice, check_integer, check_scalar, require
from jaxlab.leverage._inputs import check_matrix, check_rank, subset_mask
from jaxlab.leverage._pairs import matmul
from jaxlab.leverage.decomposition import (
    METHODS,
    decompose,
    default_rtol,
    inverse_differences,
    orthonormal_basis,
    resolved,
    svd,
    truncated,
)
from jaxlab.leverage.types import SVD

__all__ = [
    "generalized_leverage_scores",
    "leverage_scores",
    "ridge_leverage_scores",
    "subspace_leverage_scores",
]

AXES = ("columns", "rows")


def leverage_scores(
    a: Float[Array, "m n"] | SVD, k: int, *, axis: str = "columns", **svd_options: Any
) -> Float[Array, " scores"]:
    """Classical scores: of the leading ``k`` singular vectors, as many as the rank has.

    ``ℓ_j = Σ_{r < k} V_{jr}²``

    Args:
        a: the matrix, or its decomposition.
        k: number of leading vectors; static.
        axis: ``"columns"`` scores columns by right singular vectors, ``"rows"`` rows by left ones;
            static.
        svd_options: as of :func:`svd`, when ``a`` is a matrix.

    Returns:
        A score in [0, 1] for each column or row; they sum to ``min(k, rank)``.

    Raises:
        ValueError: ``k`` outside of 1 to the number of vectors; options with a decomposition; as
            :func:`svd`.

    Cost:
        The decomposition, and O(n r) for its ``r`` vectors.

    Example:
        >>> leverage_scores(jnp.diag(jnp.array([3.0, 2.0, 1.0])), 2).tolist()
        [1.0, 1.0, 0.0]
    """
    check_integer("k", k, minimum=1)
    whole = svd_options.keys() <= {"method", "rtol"} and svd_options.get("method") != "randomized"
    if isinstance(a, SVD) or not whole:
        decomposition = _decomposed(a, svd_options)
        require(k <= decomposition.s.shape[-1], "k", k, _at_most(decomposition.s.shape[-1]))
        return _of_decomposition(decomposition, jnp.arange(decomposition.s.shape[-1]) < k, axis)
    check_matrix("a", a)
    require(k <= min(a.shape), "k", k, _at_most(min(a.shape)))
    leading = jnp.arange(min(a.shape)) < k
    return _of_matrix(a, leading, axis, **svd_options)[0]


def generalized_leverage_scores(
    a: Float[Array, "m n"] | SVD,
    subset: Any,
    *,
    axis: str = "columns",
    method: str = "auto",
    rtol: Any = None,
) -> Float[Array, " scores"]:
    """Scores with respect to any singular vectors.

    ``ℓ_j^R = ‖(V_R)_j‖² = Σ_{r ∈ R} V_{jr}²``

    The derivative with respect to a matrix is that of the projector, without NaN for singular
    values that are equal within ``R``. When one in ``R`` equals one outside, scores are no function
    of the matrix (:func:`relative_gap` is 0), and that pair is left out. Through a
    decomposition, the derivative is as :func:`svd` says.

    Args:
        a: the matrix, or its decomposition, which many subsets can share.
        subset: the singular vectors ``R``, 0 for the largest: a static sequence of indices, an
            array of them, or a mask of ``r``, over which ``jax.vmap`` goes. Under ``jit``, vectors
            beyond the rank contribute 0; ``SVD.rank`` says how many there are.
        axis: ``"columns"`` scores columns by right singular vectors, ``"rows"`` rows by left ones;
            static.
        method: of the decomposition: as of :func:`svd`, but not ``"randomized"``, whose result is
            to be passed as ``a``; static.
        rtol: as of :func:`svd`.

    Returns:
        A score in [0, 1] for each column or row; they sum to the number of vectors.

    Raises:
        ValueError: a subset that is empty, has duplicates or exceeds the numerical rank; ``a`` not
            2-D, empty or not finite; an unknown ``axis`` or method; a negative ``rtol``.

    Cost:
        The decomposition, and O(n r) for each subset.

    Source:
        Ordozgoiti, Matakos, Gionis 2022, the definition of generalized leverage scores.

    Example:
        >>> a = jnp.diag(jnp.array([3.0, 2.0, 1.0]))
        >>> generalized_leverage_scores(a, (1,)).tolist()
        [0.0, 1.0, 0.0]
        >>> masks = jnp.eye(3, dtype=bool)
        >>> jax.vmap(lambda mask: generalized_leverage_scores(svd(a), mask))(masks)[2].tolist()
        [0.0, 0.0, 1.0]
    """
    if isinstance(a, SVD):
        require(
            method == "auto" and rtol is None, "method", method, "no options with a decomposition"
        )
        mask = subset_mask(subset, a.s.shape[-1])
        check_rank(mask, a.rank)
        return _of_decomposition(a, mask, axis)
    check_matrix("a", a)
    mask = subset_mask(subset, min(a.shape))
    scores, rank = _of_matrix(a, mask, axis, method, rtol)
    check_rank(mask, rank)
    return scores


def subspace_leverage_scores(
    basis: Float[Array, "n k"], *, orthonormal: bool = False
) -> Float[Array, " n"]:
    """Scores with respect to any subspace.

    ``ℓ_j = ‖X_j‖²`` for an orthonormal basis ``X``, the diagonal of the projector on its span.

    Args:
        basis: columns that span the subspace; they may depend on each other.
        orthonormal: that they are orthonormal already, which is not checked; static.

    Returns:
        A score in [0, 1] for each coordinate; they sum to the dimension of the subspace.

    Raises:
        ValueError: ``basis`` not 2-D, empty or not finite.

    Cost:
        O(n k), and O(n k²) to orthonormalise.

    Example:
        >>> subspace_leverage_scores(jnp.array([[2.0], [2.0], [0.0]])).round(4).tolist()
        [0.5, 0.5, 0.0]
    """
    check_matrix("basis", basis)
    check_bool("orthonormal", orthonormal)
    if not orthonormal:
        basis, _ = orthonormal_basis(basis)
    return row_squares(basis)


def ridge_leverage_scores(
    a: Float[Array, "m n"], lam: Any, *, axis: str = "columns", method: str = "auto"
) -> Float[Array, " scores"]:
    """Scores that fade out small singular values instead of cutting them off.

    ``ℓ_j(λ) = (Aᵀ (A Aᵀ + λ I)⁻¹ A)_{jj} = Σ_r V_{jr}² σ_r² / (σ_r² + λ)``

    Only where ``λ`` is too small to fade out what :func:`svd` takes for rounding, ``√λ ≤ rtol σ₀``,
    that is cut off; with ``"gram"`` it always is.

    Args:
        a: the matrix.
        lam: ``λ ≥ 0``, in squared units of the matrix; for 0, the scores of all singular vectors.
        axis: as of :func:`generalized_leverage_scores`; static.
        method: as of :func:`generalized_leverage_scores`; static.

    Returns:
        A score in [0, 1] for each column or row; they sum to the effective dimension. Derivatives
        with respect to ``a`` and ``lam`` are exact whatever the singular values are.

    Raises:
        ValueError: negative ``lam``; ``a`` not 2-D, empty or not finite.

    Cost:
        The decomposition, and O(n min(m, n)).

    Source:
        Alaoui, Mahoney 2015, *Fast randomized kernel ridge regression with statistical guarantees*.

    Example:
        >>> print(ridge_leverage_scores(jnp.diag(jnp.array([3.0, 1.0])), 1.0))
        [0.9 0.5]
    """
    check_matrix("a", a)
    check_scalar("lam", lam, minimum=0)
    check_choice("axis", axis, AXES)
    _check_method(method)
    dtype = jax.dtypes.canonicalize_dtype(a.dtype)
    return _ridge_scores(a, jnp.asarray(lam, dtype), axis, method)


def _at_most(size: int) -> str:
    return f"at most {size}, the number of vectors"


def _decomposed(a: Array | SVD, options: dict[str, Any]) -> SVD:
    if isinstance(a, SVD):
        require(not options, "svd_options", options, "no options with a decomposition")
        return a
    return svd(a, **options)


def _check_method(method: str) -> None:
    check_choice("method", method, [name for name in METHODS if name != "randomized"])


def _of_decomposition(decomposition: SVD, mask: Array, axis: str) -> Array:
    check_choice("axis", axis, AXES)
    return masked_squares(decomposition, mask, axis)


def _of_matrix(
    a: Array, mask: Array, axis: str, method: str = "auto", rtol: Any = None
) -> tuple[Array, Array]:
    """Scores and rank, differentiated through the projector."""
    check_choice("axis", axis, AXES)
    _check_method(method)
    if rtol is not None:
        check_scalar("rtol", rtol, minimum=0)
    method = resolved(method, a.shape)
    rtol = default_rtol(a.shape, a.dtype, method) if rtol is None else rtol
    return _projector_scores(a, mask, rtol, axis, method)


@functools.partial(jax.jit, static_argnames=("axis",))
def masked_squares(decomposition: SVD, mask: Array, axis: str) -> Array:
    """``Σ V_{jr}²`` over the singular vectors in the mask."""
    vectors = decomposition.vt if axis == "columns" else decomposition.u.T
    return jnp.sum(jnp.where(mask[:, None], vectors * vectors, 0), axis=0)


@jax.jit
def row_squares(basis: Array) -> Array:
    """Squared norms of rows."""
    return jnp.sum(basis * basis, axis=1)


@functools.partial(jax.jit, static_argnames=("axis", "method"))
def _projector_scores(
    a: Array, mask: Array, rtol: Any, axis: str, method: str
) -> tuple[Array, Array]:
    return _diagonal(a if axis == "columns" else a.T, mask, rtol, method)


@functools.partial(jax.custom_jvp, nondiff_argnums=(3,))
def _diagonal(a: Array, mask: Array, rtol: Any, method: str) -> tuple[Array, Array]:
    decomposition = decompose(a, rtol, method, None)
    return masked_squares(decomposition, mask, "columns"), decomposition.rank


@_diagonal.defjvp
def _diagonal_jvp(method: str, primals: Any, tangents: Any) -> Any:
    a, mask, rtol = primals
    da = tangents[0]
    u, s, vt, rank = decompose(a, rtol, method, None)
    chosen = (mask & (s > 0)).astype(s.dtype)
    # column r: how v_r turns, towards the other vectors and towards the null space
    turned = matmul(matmul(u.T, da), vt.T)
    across = (1 - chosen)[:, None] * chosen[None, :] * (s > 0)[:, None]
    relative, weight = inverse_differences(s, 0)
    weight = jnp.where(across > 0, weight, 0)
    turns = weight * (relative[:, None] * turned + relative[None, :] * turned.T)
    within = matmul(vt.T, turns)
    towards = matmul(da.T, u * (chosen / jnp.where(s > 0, s, 1)))
    outside = towards - matmul(vt.T, matmul(vt, towards))
    dscores = 2 * jnp.sum(vt.T * chosen * (within + outside), axis=1)
    scores = jnp.sum(vt * vt * chosen[:, None], axis=0)
    return (scores, rank), (dscores, _no_tangent(rank))


@functools.partial(jax.jit, static_argnames=("axis", "method"))
def _ridge_scores(a: Array, lam: Array, axis: str, method: str) -> Array:
    return _ridge(a if axis == "columns" else a.T, lam, resolved(method, a.shape))


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _ridge(a: Array, lam: Array, method: str) -> Array:
    _, s, vt, _ = _for_ridge(a, lam, method)
    return jnp.sum(vt * vt * _shrunk(s, lam)[:, None], axis=0)


@_ridge.defjvp
def _ridge_jvp(method: str, primals: Any, tangents: Any) -> Any:
    """``d(G (G + λ)⁻¹) = λ (G + λ)⁻¹ dG (G + λ)⁻¹ − dλ G (G + λ)⁻²``: no differences of ``σ``."""
    (a, lam), (da, dlam) = primals, tangents
    u, s, vt, _ = _for_ridge(a, lam, method)
    kept = _shrunk(s, lam)
    inverse = jnp.where(s > 0, kept / jnp.where(s > 0, s, 1), 0)
    solved = matmul(u * inverse, vt)  # A (G + λ)⁻¹
    faded = da - matmul(matmul(da, vt.T) * kept, vt)  # dA λ (G + λ)⁻¹
    dscores = 2 * jnp.sum(solved * faded, axis=0)
    dscores -= dlam * jnp.sum(vt * vt * (inverse * inverse)[:, None], axis=0)
    return jnp.sum(vt * vt * kept[:, None], axis=0), dscores


def _for_ridge(a: Array, lam: Array, method: str) -> SVD:
    """All that ``λ`` fades out is kept, rounding included."""
    u, s, vt, _ = decompose(a, 0.0, method, None)
    rtol = default_rtol(a.shape, a.dtype, method)
    faded = (method != "gram") & (jnp.sqrt(lam) > rtol * s[0])
    return truncated(u, s, vt, jnp.where(faded, 0, rtol))


def _shrunk(s: Array, lam: Array) -> Array:
    """``σ² / (σ² + λ)``, 0 for ``σ = 0``."""
    ratio = jnp.sqrt(lam) / jnp.where(s > 0, s, 1)
    return jnp.where(s > 0, 1 / (1 + ratio * ratio), 0)


def _no_tangent(integer: Array) -> Any:
    return np.zeros(integer.shape, jax.dtypes.float0)
