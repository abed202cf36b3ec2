"""Similarities that compare feature by feature, and are no matrix product.

All of them go through one tiled loop, so that no ``[Q, n, d]`` array is ever made: beside the
scores they need memory for one tile of queries and memories, whose size is chosen from the shapes.
"""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from jaxlab.checks import check_scalar
from jaxlab.hopfield._declare import (
    NONPOSITIVE,
    cached,
    float_dtype,
    inner,
    similarity_function,
)
from jaxlab.hopfield._pairwise import pairwise
from jaxlab.hopfield.types import Number, Similarity

__all__ = [
    "bipolar_hamming",
    "chebyshev",
    "hamming",
    "jaccard",
    "manhattan",
    "minkowski",
    "smooth_manhattan",
]


@similarity_function(NONPOSITIVE)
def manhattan(query: Float[Array, "*b d"], memories: Float[Array, "n d"]) -> Float[Array, "*b n"]:
    """Negated Manhattan distance, ``s_j = −Σ_i |q_i − m_ji|``.

    Args:
        query: query patterns.
        memories: stored patterns.

    Returns:
        Scores at most 0.

    Raises:
        ValueError: the feature sizes differ, the bank is empty, or a dtype is not floating.

    Cost:
        ``3 Q n d`` operations in tiles; one tile of memory beside the scores.

    Source:
        Millidge et al. 2022, section 5 (the best similarity of the capacity experiments).

    Example:
        >>> manhattan(jnp.array([0.75, 0.25]), jnp.eye(2))
        Array([-0.5, -1.5], dtype=float32)
    """
    return -_manhattan_distance(query, memories)


@cached
def smooth_manhattan(delta: Number) -> Similarity:
    """Manhattan similarity without its corner, ``s_j = −Σ_i √((q_i − m_ji)² + δ²)``.

    Explicit integrators chatter at the corner of the absolute value; this one is differentiable
    everywhere. A pattern's score with itself is ``−d δ``.

    Args:
        delta: width of the rounding, > 0, in units of the features; may be traced.

    Returns:
        A similarity with scores at most 0.

    Raises:
        ValueError: ``delta`` is not one number, or known and not finite or not > 0.

    Cost:
        ``Q n d`` square roots in tiles.

    Example:
        >>> smooth_manhattan(4.0)(jnp.array([3.0]), jnp.array([[0.0], [3.0]]))
        Array([-5., -4.], dtype=float32)
    """
    check_scalar("delta", delta, above=0)

    @similarity_function(NONPOSITIVE)
    def smooth_manhattan_similarity(
        query: Float[Array, "*b d"], memories: Float[Array, "n d"]
    ) -> Float[Array, "*b n"]:
        width = jnp.square(jnp.asarray(delta, float_dtype(query, memories)))
        return -pairwise(query, memories, lambda q, m: jnp.sqrt(jnp.square(q - m) + width))

    return smooth_manhattan_similarity


@cached
def minkowski(p: Number) -> Similarity:
    """Negated Minkowski distance, ``s_j = −(Σ_i |q_i − m_ji|^p)^{1/p}``.

    The powers are summed as they are: ``|q_i − m_ji|^p`` must fit the dtype. The gradient at
    distance zero is taken as 0. For ``p → ∞`` see :func:`chebyshev`.

    Args:
        p: order, a finite number >= 1; may be traced.

    Returns:
        A similarity with scores at most 0.

    Raises:
        ValueError: ``p`` is not one number, or known and not finite or below 1.

    Cost:
        ``Q n d`` powers in tiles.

    Example:
        >>> minkowski(3.0)(jnp.array([0.0, 0.0]), jnp.array([[1.0, 2.0]])).round(4)
        Array([-2.0801], dtype=float32)
    """
    check_scalar("p", p, minimum=1)

    @similarity_function(NONPOSITIVE)
    def minkowski_similarity(
        query: Float[Array, "*b d"], memories: Float[Array, "n d"]
    ) -> Float[Array, "*b n"]:
        total = pairwise(query, memories, lambda q, m: _power(jnp.abs(q - m), p))
        zero = total <= 0
        order = jnp.asarray(p, total.dtype)
        return -jnp.where(zero, 0, jnp.where(zero, 1, total) ** (1 / order))

    return minkowski_similarity


@similarity_function(NONPOSITIVE)
def chebyshev(query: Float[Array, "*b d"], memories: Float[Array, "n d"]) -> Float[Array, "*b n"]:
    """Negated Chebyshev distance, ``s_j = −max_i |q_i − m_ji|``.

    Args:
        query: query patterns.
        memories: stored patterns.

    Returns:
        Scores at most 0.

    Raises:
        ValueError: the feature sizes differ, the bank is empty, or a dtype is not floating.

    Cost:
        ``3 Q n d`` operations in tiles.

    Example:
        >>> chebyshev(jnp.array([0.75, 0.0]), jnp.eye(2))
        Array([-0.25, -1.  ], dtype=float32)
    """
    return -pairwise(query, memories, lambda q, m: jnp.abs(q - m), jnp.maximum)


@similarity_function(NONPOSITIVE, discrete=True)
def hamming(query: Shaped[Array, "*b d"], memories: Shaped[Array, "n d"]) -> Float[Array, "*b n"]:
    """Negated number of differing features, ``s_j = −#{i : q_i ≠ m_ji}``.

    For patterns over any alphabet, of any dtype. Boolean patterns take the matrix product
    ``2q·m_j − Σq − Σm_j``; for {−1, +1} see :func:`bipolar_hamming`. Its gradient is zero. NaN
    differs from everything, itself included.

    Args:
        query: query patterns.
        memories: stored patterns.

    Returns:
        Scores, whole numbers from −d to 0.

    Raises:
        ValueError: the feature sizes differ, or the bank is empty; integers of NumPy that do not
            fit the type jax gives them.

    Cost:
        ``2 Q n d`` comparisons in tiles; one matrix product for booleans.

    Source:
        Millidge et al. 2022, section 3 (sparse distributed memory).

    Example:
        >>> hamming(jnp.array([1, 2, 3]), jnp.array([[1, 2, 0], [3, 2, 1]]))
        Array([-1., -2.], dtype=float32)
    """
    if query.dtype == jnp.bool_ and memories.dtype == jnp.bool_:
        ones, bits = query.astype(jnp.float32), memories.astype(jnp.float32)
        return 2 * inner(ones, bits) - jnp.sum(ones, -1, keepdims=True) - jnp.sum(bits, -1)
    dtype = jnp.promote_types(query.dtype, memories.dtype)
    score_dtype = float_dtype(query, memories)
    # negated after counting: -0.0 must not appear for equal patterns
    return 0 - pairwise(
        query.astype(dtype), memories.astype(dtype), lambda q, m: (q != m).astype(score_dtype)
    )


@similarity_function(NONPOSITIVE, discrete=True)
def bipolar_hamming(
    query: Shaped[Array, "*b d"], memories: Shaped[Array, "n d"]
) -> Float[Array, "*b n"]:
    """:func:`hamming` of patterns over {−1, +1} as a matrix product, ``s_j = (q·m_j − d)/2``.

    Equal to :func:`hamming` on such patterns and on no others; unlike it, differentiable.

    Args:
        query: query patterns with entries ±1.
        memories: stored patterns with entries ±1.

    Returns:
        Scores, whole numbers from −d to 0.

    Raises:
        ValueError: the feature sizes differ, or the bank is empty.

    Cost:
        One matrix product.

    Example:
        >>> bipolar_hamming(jnp.array([1, -1, 1]), jnp.array([[1, 1, 1], [-1, 1, -1]]))
        Array([-1., -3.], dtype=float32)
    """
    dtype = float_dtype(query, memories)
    return (inner(query.astype(dtype), memories.astype(dtype)) - query.shape[-1]) / 2


@similarity_function((0.0, 1.0), discrete=True, nonnegative=True)
def jaccard(query: Shaped[Array, "*b d"], memories: Shaped[Array, "n d"]) -> Float[Array, "*b n"]:
    """Jaccard similarity in Ruzicka's form, ``s_j = Σ_i min(q_i, m_ji) / Σ_i max(q_i, m_ji)``.

    On {0, 1} it is the usual intersection over union. Two zero patterns score 1. Negative entries
    are refused where values are known and count as 0 inside ``jit``.

    Args:
        query: query patterns with entries >= 0.
        memories: stored patterns with entries >= 0.

    Returns:
        Scores in [0, 1].

    Raises:
        ValueError: the feature sizes differ, the bank is empty, or a known entry is negative.

    Cost:
        As :func:`manhattan`: with ``S = Σq + Σm`` and the Manhattan distance ``D``, the score is
        ``(S − D)/(S + D)``.

    Example:
        >>> jaccard(jnp.array([1.0, 1.0, 0.0]), jnp.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
        Array([0.5, 0. ], dtype=float32)
    """
    dtype = float_dtype(query, memories)
    query, memories = (jnp.maximum(x.astype(dtype), 0) for x in (query, memories))
    total = jnp.sum(query, axis=-1, keepdims=True) + jnp.sum(memories, axis=-1)
    distance = _manhattan_distance(query, memories)
    union = total + distance
    empty = union <= 0
    # rounding may carry the distance above the total
    overlap = jnp.maximum(total - distance, 0)
    return jnp.where(empty, 1, overlap / jnp.where(empty, 1, union))


def _manhattan_distance(query: Array, memories: Array) -> Array:
    return pairwise(query, memories, lambda q, m: jnp.abs(q - m))


def _power(base: Array, exponent: Number) -> Array:
    """``base^exponent``; whole Python exponents by multiplication."""
    if isinstance(exponent, int | float) and math.isfinite(exponent) and exponent == int(exponent):
        return base ** int(exponent)
    return base ** jnp.asarray(exponent, base.dtype)
