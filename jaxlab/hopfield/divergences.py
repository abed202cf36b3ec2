"""Similarities of distributions: patterns are first divided by their sums.

Entries must not be negative: negative ones are refused where values are known and count as 0 inside
``jit``. A pattern whose sum is zero is normalised to zero. An all-zero pattern is no distribution:
a Kullback-Leibler score against one is finite but means nothing (an all-zero *memory* scores 0, the
best score of :func:`kl_divergence`); leave such patterns out or mask them.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.hopfield._declare import (
    ANY,
    EXACT,
    NONPOSITIVE,
    float_dtype,
    inner,
    similarity_function,
)
from jaxlab.hopfield._pairwise import pairwise

__all__ = [
    "jensen_shannon",
    "kl_divergence",
    "published_jensen_shannon",
    "reverse_kl_divergence",
    "symmetric_kl",
]

EPSILON = 1e-4  # inside every logarithm of the Kullback-Leibler family, as in the paper's code


@similarity_function(NONPOSITIVE, nonnegative=True)
def kl_divergence(
    query: Float[Array, "*b d"], memories: Float[Array, "n d"]
) -> Float[Array, "*b n"]:
    """Negated Kullback-Leibler divergence of the memory from the query.

    ``s_j = −Σ_i m̂_ji log((m̂_ji + ε)/(q̂_i + ε))`` with ``x̂ = x/Σx`` and ``ε = 1e-4``. The ``ε``
    keeps it finite where the query is 0, and lets it exceed 0 slightly for nearly equal patterns.
    It is a difference of entropies, good to about ``1e-6`` in float32: near duplicates closer than
    that come in any order. :func:`jensen_shannon` tells them apart.

    Args:
        query: query patterns with entries >= 0.
        memories: stored patterns with entries >= 0.

    Returns:
        Scores; at most 0 up to the effect of ``ε``.

    Raises:
        ValueError: the feature sizes differ, the bank is empty, a dtype is not floating, or a known
            entry is negative.

    Cost:
        One matrix product, ``m̂·log(q̂ + ε)``, and the memories' entropies.

    Source:
        Millidge et al. 2022, section 5; ``ε`` from the accompanying code.

    Example:
        >>> kl_divergence(jnp.array([1.0, 1.0]), jnp.array([[3.0, 3.0], [1.0, 0.0]])).round(3)
        Array([-0.   , -0.693], dtype=float32)
    """
    return -_kl(query, memories)


@similarity_function(NONPOSITIVE, nonnegative=True)
def reverse_kl_divergence(
    query: Float[Array, "*b d"], memories: Float[Array, "n d"]
) -> Float[Array, "*b n"]:
    """Negated Kullback-Leibler divergence of the query from the memory.

    ``s_j = −Σ_i q̂_i log((q̂_i + ε)/(m̂_ji + ε))``: :func:`kl_divergence` with the roles swapped.
    Rounding as there.

    Args:
        query: query patterns with entries >= 0.
        memories: stored patterns with entries >= 0.

    Returns:
        Scores; at most 0 up to the effect of ``ε``.

    Raises:
        ValueError: the feature sizes differ, the bank is empty, a dtype is not floating, or a known
            entry is negative.

    Cost:
        One matrix product and the queries' entropies.

    Source:
        Millidge et al. 2022, section 5.

    Example:
        >>> reverse_kl_divergence(jnp.array([1.0, 0.0]), jnp.array([[1.0, 1.0]])).round(3)
        Array([-0.693], dtype=float32)
    """
    return -_reverse_kl(query, memories)


@similarity_function(NONPOSITIVE, nonnegative=True)
def symmetric_kl(
    query: Float[Array, "*b d"], memories: Float[Array, "n d"]
) -> Float[Array, "*b n"]:
    """Negated mean of both Kullback-Leibler divergences (half of Jeffreys' divergence).

    ``s_j = −½ Σ_i (m̂_ji − q̂_i)(log(m̂_ji + ε) − log(q̂_i + ε))``, computed as that mean, with
    the rounding of :func:`kl_divergence`.

    Args:
        query: query patterns with entries >= 0.
        memories: stored patterns with entries >= 0.

    Returns:
        Scores at most 0, up to rounding.

    Raises:
        ValueError: the feature sizes differ, the bank is empty, a dtype is not floating, or a known
            entry is negative.

    Cost:
        Two matrix products.

    Example:
        >>> symmetric_kl(jnp.array([1.0, 3.0]), jnp.array([[1.0, 3.0], [3.0, 1.0]])).round(2)
        Array([-0.  , -0.55], dtype=float32)
    """
    return -0.5 * (_kl(query, memories) + _reverse_kl(query, memories))


@similarity_function(NONPOSITIVE, nonnegative=True)
def jensen_shannon(
    query: Float[Array, "*b d"], memories: Float[Array, "n d"]
) -> Float[Array, "*b n"]:
    """Negated Jensen-Shannon divergence: the true one, without any ``ε``.

    ``s_j = −½ KL(m̂_j‖a) − ½ KL(q̂‖a)`` with ``a = ½(m̂_j + q̂)`` and ``0 log 0 = 0``, in nats. It is
    not the curve of that name in the paper: that is :func:`published_jensen_shannon`. It tells near
    duplicates apart: no large numbers cancel. Where only one of both entries is 0, its derivative,
    which is infinite, is taken as 0.

    Args:
        query: query patterns with entries >= 0.
        memories: stored patterns with entries >= 0.

    Returns:
        Scores in [−log 2, 0].

    Raises:
        ValueError: the feature sizes differ, the bank is empty, a dtype is not floating, or a known
            entry is negative.

    Cost:
        ``2 Q n d`` logarithms in tiles; one tile of memory beside the scores.

    Example:
        >>> jensen_shannon(jnp.array([1.0, 0.0]), jnp.eye(2)).round(4)
        Array([-0.    , -0.6931], dtype=float32)
    """
    return -pairwise(_distribution(query), _distribution(memories), _divergence_from_mean)


@similarity_function(ANY, nonnegative=True)
def published_jensen_shannon(
    query: Float[Array, "*b d"], memories: Float[Array, "n d"]
) -> Float[Array, "*b n"]:
    """What the paper's experiments call Jensen-Shannon divergence; it is not one.

    ``s_j = 1 / (½/KL(m̂_j‖q̂) + ½/KL(q̂‖m̂_j))``, the harmonic mean of both divergences (with their
    ``ε``). The accompanying code averages two scores that are already reciprocal and takes the
    reciprocal again, so the score *grows* with the distance and its maximum is the least similar
    memory. It is here, under its own name, so that the published curve can be reproduced; for the
    divergence itself use :func:`jensen_shannon`.

    Args:
        query: query patterns with entries >= 0.
        memories: stored patterns with entries >= 0.

    Returns:
        Scores, larger for the *less* similar; 0 where both divergences are 0.

    Raises:
        ValueError: the feature sizes differ, the bank is empty, a dtype is not floating, or a known
            entry is negative.

    Cost:
        Two matrix products.

    Source:
        Millidge et al. 2022, section 5; ``Jensen_Shannon_divergence`` of the accompanying code.

    Example:
        >>> published_jensen_shannon(jnp.array([1.0, 3.0]), jnp.array([[1.0, 3.0], [3.0, 1.0]]))[
        ...     1
        ... ] > 0
        Array(True, dtype=bool)
    """
    forward, backward = _kl(query, memories), _reverse_kl(query, memories)
    total = forward + backward
    there = total != 0
    return jnp.where(there, 2 * forward * backward / jnp.where(there, total, 1), 0)


def _kl(query: Array, memories: Array) -> Array:
    query, memories = _distribution(query), _distribution(memories)
    return _sum(memories * jnp.log(memories + EPSILON)) - _cross(jnp.log(query + EPSILON), memories)


def _reverse_kl(query: Array, memories: Array) -> Array:
    query, memories = _distribution(query), _distribution(memories)
    own = _sum(query * jnp.log(query + EPSILON))
    return own[..., None] - _cross(query, jnp.log(memories + EPSILON))


def _cross(query: Array, memories: Array) -> Array:
    return inner(query, memories, precision=EXACT)


def _distribution(patterns: Array) -> Array:
    """The pattern over its sum, in float32 or wider; a zero pattern stays zero."""
    patterns = jnp.maximum(patterns.astype(float_dtype(patterns)), 0)
    total = jnp.sum(patterns, axis=-1, keepdims=True)
    return patterns / jnp.where(total == 0, 1, total)


@jax.custom_jvp
def _divergence_from_mean(query: Array, memory: Array) -> Array:
    """``½ q log(q/a) + ½ m log(m/a)`` with ``a = ½(q + m)``, of each feature by itself.

    As ``½ a (φ(q/a) + φ(m/a))`` with ``φ(x) = x log x − x + 1``, where ``q/a + m/a = 2`` cancels
    the linear parts: ``φ`` is flat at 1, so that what rounds ``q/a`` hardly changes it.
    """
    mean, query, memory = _over_mean(query, memory)
    # rounding may carry it below zero
    return 0.5 * mean * jnp.maximum(_above_tangent(query) + _above_tangent(memory), 0)


@_divergence_from_mean.defjvp
def _divergence_from_mean_jvp(
    primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    _, query, memory = _over_mean(*primals)
    slope = 0.5 * (_log(query) * tangents[0] + _log(memory) * tangents[1])
    return _divergence_from_mean(*primals), slope


def _over_mean(query: Array, memory: Array) -> tuple[Array, Array, Array]:
    """The mean of both and what both are over it; over 1 where it is as good as zero."""
    mean = 0.5 * (query + memory)
    there = mean >= jnp.finfo(mean.dtype).tiny
    scale = 1 / jnp.where(there, mean, 1)
    return mean, query * scale, memory * scale


def _above_tangent(x: Array) -> Array:
    return x * _log(x) - (x - 1)


def _log(x: Array) -> Array:
    """The logarithm, and 0 at 0."""
    return jnp.log(jnp.where(x > 0, x, 1))


def _sum(numbers: Array) -> Array:
    return jnp.sum(numbers, axis=-1)
