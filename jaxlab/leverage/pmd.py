"""Penalised matrix decomposition: sparse canonical correlations under bounds on the l1 norms.

The baseline to compare with: it takes the columns of a view for uncorrelated.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from jaxlab.checks import check_bool, check_integer, check_scalar
from jaxlab.leverage._pairs import centred_columns, check_pair, matmul, scaled, unit_columns
from jaxlab.varying import vary_like

__all__ = ["PmdCca", "pmd_sparse_cca"]

BISECTIONS = 30


class PmdCca(NamedTuple):
    """What :func:`pmd_sparse_cca` finds.

    Attributes:
        loadings_a: weights ``u`` of the standardised columns of the first view, ``[n]``, of unit
            length.
        loadings_b: the same of the second view, ``[p]``.
        correlation: of ``A u`` and ``B v``, in [−1, 1]; 0 where one of them is constant.
        objective: ``uᵀ Z v``, the sum of products of the standardised combinations.
        rounds: number of rounds.
        converged: whether the last round left ``u`` and ``v`` as they were.
    """

    loadings_a: Float[Array, " n"]
    loadings_b: Float[Array, " p"]
    correlation: Float[Array, ""]
    objective: Float[Array, ""]
    rounds: Int32[Array, ""]
    converged: Bool[Array, ""]


def pmd_sparse_cca(
    a: Float[Array, "m n"],
    b: Float[Array, "m p"],
    l1_a: Any,
    l1_b: Any,
    *,
    max_rounds: int = 100,
    standardize: bool = True,
) -> PmdCca:
    """Unit vectors ``u``, ``v`` of bounded l1 norm that maximise ``uᵀ Z v``, one after the other.

    ``Z = AᵀB`` with standardised columns; from the leading right singular vector ``v``,
    ``u ← S(Z v, Δ) / ‖·‖`` and ``v ← S(Zᵀ u, Δ) / ‖·‖`` with soft thresholds ``Δ ≥ 0`` that just
    reach the bounds, found by bisection. Where only equal entries are left above a threshold, one
    is kept.

    Args:
        a: first view, ``[m, n]``.
        b: second view, ``[m, p]``.
        l1_a: bound on ``‖u‖₁``, from 1 (one entry) to ``√n`` (no bound); may be traced.
        l1_b: bound on ``‖v‖₁``, from 1 to ``√p``.
        max_rounds: at most so many rounds; static.
        standardize: divide the centred columns by their lengths; static.

    Returns:
        Weights and the correlation of the combinations.

    Raises:
        ValueError: matrices as of :func:`~jaxlab.leverage.gcss`; bounds below 1.

    Cost:
        ``O(m n p)`` once, an SVD of ``n × p``, ``O(n p)`` a round.

    Source:
        Witten, Tibshirani, Hastie 2009, *A penalized matrix decomposition*.

    Example:
        >>> a = jnp.array([[1.0, 0.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, 0.0]])
        >>> found = pmd_sparse_cca(a, a[:, :1], 1.0, 1.0)
        >>> found.loadings_a.tolist(), float(found.correlation)
        ([1.0, 0.0], 1.0)
    """
    a, b = check_pair(a, b)
    check_scalar("l1_a", l1_a, minimum=1)
    check_scalar("l1_b", l1_b, minimum=1)
    check_integer("max_rounds", max_rounds, minimum=1)
    check_bool("standardize", standardize)
    return _pmd(a, b, l1_a, l1_b, max_rounds=max_rounds, standardize=standardize)


@functools.partial(jax.jit, static_argnames=("max_rounds", "standardize"))
def _pmd(
    a: Array, b: Array, l1_a: Array, l1_b: Array, *, max_rounds: int, standardize: bool
) -> PmdCca:
    a, b = centred_columns(a), centred_columns(b)
    (a, scale_a), (b, scale_b) = scaled(a), scaled(b)
    if standardize:
        a, b = unit_columns(a), unit_columns(b)
        scale_a = scale_b = jnp.ones_like(scale_a)
    z = matmul(a.T, b)
    same = 10 * jnp.finfo(z.dtype).eps

    def more(state: tuple) -> Array:
        *_, rounds, converged = state
        return ~converged & (rounds < max_rounds)

    def once(state: tuple) -> tuple:
        u, v, rounds, _ = state
        new_u = _bounded(matmul(z, v), l1_a)
        new_v = _bounded(matmul(new_u, z), l1_b)
        change = jnp.maximum(jnp.max(jnp.abs(new_u - u)), jnp.max(jnp.abs(new_v - v)))
        return new_u, new_v, rounds + 1, change <= same

    leading = jnp.linalg.svd(z, full_matrices=False)[2][0]
    state = (jnp.zeros(z.shape[0], z.dtype), leading, jnp.int32(0), jnp.bool_(False))
    u, v, rounds, converged = jax.lax.while_loop(more, once, vary_like(state, z, l1_a, l1_b))
    x, y = matmul(a, u), matmul(b, v)
    lengths = jnp.linalg.norm(x) * jnp.linalg.norm(y)
    correlation = jnp.clip(jnp.sum(x * y) / _positive(lengths), -1, 1)
    return PmdCca(
        u, v, correlation, scale_a * (matmul(matmul(u, z), v) * scale_b), rounds, converged
    )


def _positive(lengths: Array) -> Array:
    return jnp.where(lengths > 0, lengths, 1)


def _bounded(x: Array, bound: Any) -> Array:
    """Unit vector along ``x`` after the least soft threshold with which its l1 norm fits."""
    size = jnp.abs(x)
    largest = jnp.max(size)

    def unit(threshold: Array) -> Array:
        kept = jnp.where(size > threshold, x - jnp.sign(x) * threshold, 0)
        return kept / _positive(jnp.linalg.norm(kept))

    def halve(_: Array, interval: tuple) -> tuple:
        low, high = interval
        middle = (low + high) / 2
        fits = jnp.sum(jnp.abs(unit(middle))) <= bound
        return jnp.where(fits, low, middle), jnp.where(fits, middle, high)

    _, high = jax.lax.fori_loop(0, BISECTIONS, halve, (jnp.zeros_like(largest), largest))
    first = jnp.argmax(size)
    single = jnp.zeros_like(x).at[first].set(jnp.where(x[first] < 0, -1, 1))
    plain = unit(jnp.zeros_like(largest))
    satisfied = (jnp.sum(jnp.abs(plain)) <= bound) & (largest > 0)
    shrunk = unit(high)
    return jnp.where(satisfied, plain, jnp.where(jnp.any(shrunk != 0), shrunk, single))
