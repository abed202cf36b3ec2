"""Weights of the classical Hopfield network from its patterns: Hebb's rule and Storkey's."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Real

from jaxlab.checks import check_bool
from jaxlab.hopfield._declare import EXACT, as_bipolar, check_bank, check_mask, float_dtype
from jaxlab.varying import vary_like

__all__ = ["hebbian_weights", "storkey_weights"]


@functools.partial(jax.jit, static_argnames=("zero_diagonal",))
def hebbian_weights(
    memories: Real[Array, "n d"],
    zero_diagonal: bool = True,
    *,
    mask: Bool[Array, " n"] | None = None,
) -> Float[Array, "d d"]:
    """Hebb's rule ``W = MᵀM``, without self-connections unless asked for.

    Not divided by ``d`` or ``n``: signs of fields do not care, and sums of ±1 stay exact.

    Args:
        memories: bipolar patterns, ``[n, d]``.
        zero_diagonal: static; set ``W_ii = 0``.
        mask: which memories are there, ``[n]``; default all.

    Returns:
        Symmetric weights ``[d, d]`` in float32 or wider.

    Raises:
        ValueError: no memories, or boolean ones; ``mask`` not boolean of shape ``[n]``.

    Cost: one matrix product, ``2 n d²``.

    Source: Hopfield 1982, equation 2.

    Example:
        >>> hebbian_weights(jnp.array([[1.0, -1.0, 1.0]]))
        Array([[ 0., -1.,  1.],
               [-1.,  0., -1.],
               [ 1., -1.,  0.]], dtype=float32)
    """
    check_bool("zero_diagonal", zero_diagonal)
    patterns = _masked(memories, mask)
    weights = jnp.matmul(patterns.T, patterns, precision=EXACT)
    return _without_diagonal(weights) if zero_diagonal else weights


@jax.jit
def storkey_weights(
    memories: Real[Array, "n d"], *, mask: Bool[Array, " n"] | None = None
) -> Float[Array, "d d"]:
    """Storkey's local, incremental rule, whose capacity exceeds that of Hebb's.

    Patterns ``ξ`` are stored one after the other, from ``W = 0``, with ``W_ii = 0`` throughout::

        W_ij ← W_ij + (ξ_i ξ_j − ξ_i h_ji − h_ij ξ_j) / d,     h_ij = Σ_{k≠i,j} W_ik ξ_k

    Args:
        memories: bipolar patterns in the order of storing, ``[n, d]``.
        mask: which memories are there, ``[n]``; default all.

    Returns:
        Symmetric weights ``[d, d]`` with zero diagonal, in float32 or wider.

    Raises:
        ValueError: no memories, or boolean ones; ``mask`` not boolean of shape ``[n]``.

    Cost: O(n d²) time, O(d²) memory.

    Source: Storkey 1997, "Increasing the capacity of a Hopfield network without sacrificing
        functionality", equation 2.

    Example:
        >>> storkey_weights(jnp.array([[1.0, -1.0]]))
        Array([[ 0. , -0.5],
               [-0.5,  0. ]], dtype=float32)
    """
    patterns = _masked(memories, mask)
    dim = patterns.shape[1]

    def store(weights: Array, pattern: Array) -> tuple[Array, None]:
        # W_ii = 0, so of the excluded terms k = i, j only the second is there to subtract
        field = jnp.matmul(weights, pattern, precision=EXACT)
        local = field[:, None] - weights * pattern
        crosstalk = pattern[:, None] * local.T + local * pattern
        change = (jnp.outer(pattern, pattern) - crosstalk) / dim
        return _without_diagonal(weights + change), None

    start = vary_like(jnp.zeros((dim, dim), patterns.dtype), patterns)
    return jax.lax.scan(store, start, patterns)[0]


def _masked(memories: Array, mask: Array | None) -> Float[Array, "n d"]:
    check_bank(memories)
    patterns = as_bipolar("memories", memories)
    patterns = patterns.astype(float_dtype(patterns))
    check_mask(mask, (memories.shape[0],))
    return patterns if mask is None else jnp.where(mask[:, None], patterns, 0)


def _without_diagonal(weights: Array) -> Array:
    return jnp.where(jnp.eye(weights.shape[0], dtype=bool), 0, weights)
