"""What leverage scores say of angles: deficit, bounds on sines and tangents, number of columns."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxlab.checks import check_dtype, check_integer, check_scalar, check_shape, require
from jaxlab.leverage._inputs import check_rank, subset_mask
from jaxlab.leverage._pairs import matmul
from jaxlab.leverage.decomposition import orthonormal_basis
from jaxlab.leverage.types import SVD, AngleBounds

__all__ = ["angle_bounds", "columns_needed", "leverage_deficit"]


def leverage_deficit(
    scores: Float[Array, " n"], columns_mask: Bool[Array, " n"], k: Any
) -> Float[Array, ""]:
    """What the scores of some columns lack to their largest possible sum.

    ``ε(S) = k − Σ_{j ∈ S} ℓ_j``

    Args:
        scores: one for each column.
        columns_mask: the columns ``S``.
        k: what all scores sum to, the number of singular vectors.

    Returns:
        The deficit in [0, k].

    Raises:
        ValueError: shapes that differ; scores that are not floating; ``k`` that is negative.

    Cost:
        O(n).

    Example:
        >>> print(leverage_deficit(jnp.array([0.5, 0.25, 0.25]), jnp.arange(3) < 2, 1))
        0.25
    """
    check_shape("scores", scores, ("n",))
    check_dtype("scores", scores, "floating")
    check_shape("columns_mask", columns_mask, scores.shape)
    check_dtype("columns_mask", columns_mask, "bool")
    check_scalar("k", k, minimum=0)
    return _deficit(scores, columns_mask, k)


def angle_bounds(decomposition: SVD, subset: Any, columns_mask: Bool[Array, " n"]) -> AngleBounds:
    """Bounds on the principal angles between columns and left singular vectors (P2 to P4).

    With ``C`` the columns in ``S``, ``θ_i`` the angles between the spans of ``C`` and ``U_R``,
    ``M = (V_R)_Sᵀ (V_R)_S`` with eigenvalues ``μ_i``, ``λ = min μ_i`` and ``ε = Σ (1 − μ_i)``::

        ε / (σ_{R,max}² ‖(A⁺)ᵀ_S̄‖²)  ≤  Σ sin² θ_i  ≤  ‖A_S̄ (V_R)_S̄ Σ_R⁻¹‖_F²
                                                   ≤  σ_max(A_S̄)² ε / σ_{R,min}²
        Σ tan² θ_i  ≤  (σ_{R̄,max} / σ_{R,min})² Σ (1/μ_i − 1)
        tan θ_max   ≤  (σ_{R̄,max} / σ_{R,min}) √(1/λ − 1)

    The first, lower bound needs full column rank.

    Args:
        decomposition: complete, with all ``min(m, n)`` vectors; bounds are of the matrix that it
            stands for, without what it takes for rounding.
        subset: the singular vectors ``R``: indices (static or an array) or a mask.
        columns_mask: the columns ``S``; there may be fewer than singular vectors.

    Returns:
        The bounds, and ``Σ sin² θ_i`` between them.

    Raises:
        ValueError: a truncated decomposition; a mask that does not fit; a subset that is empty, has
            duplicates or exceeds the numerical rank.

    Cost:
        Five decompositions of ``r × n``: O(n r²); no more passes over the matrix.

    Source:
        P2, P3, P4 of this library. In short: ``C (V_R)_S Σ_R⁻¹`` approximates ``U_R`` with error
        ``A_S̄ (V_R)_S̄ Σ_R⁻¹`` (P2); the span of ``C`` contains
        ``U_R + U_R̄ Σ_R̄ (V_R̄)_Sᵀ ((V_R)_Sᵀ)⁺ Σ_R⁻¹`` (P3) and, within that of ``A``, its complement
        is spanned by ``(A⁺)ᵀ_S̄`` (P4).

    Example:
        >>> from jaxlab.leverage import svd
        >>> decomposition = svd(jnp.diag(jnp.array([3.0, 2.0, 1.0])))
        >>> bounds = angle_bounds(decomposition, (1,), jnp.array([True, False, False]))
        >>> float(bounds.lower), float(bounds.sum_sin2), float(bounds.upper_refined)
        (0.25, 1.0, 1.0)
    """
    u, s, vt, rank = decomposition
    smaller = min(u.shape[-2], vt.shape[-1])
    require(
        s.shape[-1] == smaller,
        "decomposition",
        s,
        f"a complete decomposition of {smaller} singular vectors",
    )
    check_shape("columns_mask", columns_mask, vt.shape[-1:])
    check_dtype("columns_mask", columns_mask, "bool")
    mask = subset_mask(subset, smaller)
    check_rank(mask, rank)
    return _angle_bounds(decomposition, mask, columns_mask)


def columns_needed(k: int, eps: float, eta: float) -> int:
    """How many columns leave a small deficit when scores decay as a power law (P7).

    If ``ℓ_(j) ≤ ℓ_(1) j^{−(1+η)}`` in descending order, the leverage deficit is at most ``ε`` with
    ``c = max{k, ⌈(2k/ε)^{1/(1+η)} − 1⌉, ⌈(2k/(ηε))^{1/η} − 1⌉}`` columns of the largest scores.

    Args:
        k: number of singular vectors.
        eps: deficit ``ε`` in (0, k).
        eta: rate of decay ``η > 0``.

    Returns:
        The number of columns ``c``.

    Raises:
        ValueError: ``k`` below 1, ``eps`` outside of (0, k), or ``eta`` not above 0 or so small
            that the number overflows.

    Cost:
        O(1), on the host.

    Source:
        Papailiopoulos, Kyrillidis, Boutsidis 2014, for leading vectors.

    Example:
        >>> columns_needed(5, 0.5, 1.0)
        19
    """
    check_integer("k", k, minimum=1)
    check_scalar("eps", eps, above=0)
    require(eps < k, "eps", eps, f"epsilon below k = {k}")
    check_scalar("eta", eta, above=0)
    try:
        one = math.ceil((2 * k / eps) ** (1 / (1 + eta)) - 1)
        other = math.ceil((2 * k / (eta * eps)) ** (1 / eta) - 1)
    except OverflowError:
        require(False, "eta", eta, "a decay with which the number of columns is finite")
    return max(k, one, other)


@jax.jit
def _deficit(scores: Array, columns_mask: Array, k: Any) -> Array:
    return jnp.maximum(k - jnp.sum(jnp.where(columns_mask, scores, 0)), 0).astype(scores.dtype)


@jax.jit
def _angle_bounds(decomposition: SVD, mask: Array, columns_mask: Array) -> AngleBounds:
    """All in the coordinates of ``U``, where ``A`` is ``Σ Vᵀ`` and ``U_R`` unit vectors."""
    _, s, vt, rank = decomposition
    n = vt.shape[1]
    alive = jnp.arange(s.shape[0]) < rank
    chosen = mask & alive
    inverse = jnp.where(alive, 1 / jnp.where(alive, s, 1), 0)
    largest = jnp.max(jnp.where(chosen, s, 0))
    smallest = jnp.min(jnp.where(chosen, s, jnp.inf))
    largest_other = jnp.max(jnp.where(chosen, 0, s))

    inside = jnp.where(columns_mask, vt, 0)
    outside = jnp.where(columns_mask, 0, vt)
    both = jnp.stack(
        [matmul(chosen[:, None] * one, (chosen[:, None] * one).T) for one in (inside, outside)]
    )
    # eigenvalues μ and 1 − μ from a matrix each: neither loses digits where the other is near 1
    beyond = jnp.stack([jnp.diag(jnp.where(chosen, 0, value)) for value in (2.0, -1.0)])
    eigenvalues = jnp.linalg.eigvalsh(both + beyond.astype(s.dtype))
    kept, lost = jnp.clip(eigenvalues[0], 0, 2), jnp.clip(eigenvalues[1][::-1], 0, 1)
    counted = jnp.arange(s.shape[0]) < chosen.sum()
    deficit = jnp.sum(jnp.where(counted, lost, 0))
    lambda_min = jnp.minimum(kept[0], 1)
    invertible = lambda_min > s.shape[0] * jnp.finfo(s.dtype).eps
    tangents = jnp.where(counted, lost / jnp.where(kept > 0, kept, 1), 0)
    ratio = largest_other / smallest

    basis, _ = orthonormal_basis(s[:, None] * inside)
    missed = jnp.diag(chosen.astype(s.dtype)) - matmul(basis, jnp.where(chosen, basis.T, 0))
    sum_sin2 = jnp.sum(jnp.where(chosen, missed * missed, 0))
    remainder = matmul(s[:, None] * outside, outside.T) * jnp.where(chosen, inverse, 0)
    norms = jnp.linalg.norm(
        jnp.stack([s[:, None] * outside, inverse[:, None] * outside]), 2, (1, 2)
    )
    sharpness = largest * norms[1]
    lower = jnp.where(rank == n, deficit / jnp.where(sharpness > 0, sharpness**2, 1), 0)
    return AngleBounds(
        sum_sin2=sum_sin2,
        lower=lower,
        upper_linear=(norms[0] / smallest) ** 2 * deficit,
        upper_refined=jnp.sum(remainder * remainder),
        tan_max_bound=jnp.where(invertible, ratio * jnp.sqrt(tangents[0]), jnp.inf),
        sum_tan2_bound=jnp.where(invertible, ratio**2 * jnp.sum(tangents), jnp.inf),
        lambda_min=lambda_min,
    )
