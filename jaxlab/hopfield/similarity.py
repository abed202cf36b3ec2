"""How alike are a query and each memory: every similarity of the room is found here.

A similarity is a plain function ``(query [*b, d], memories [n, d]) -> scores [*b, n]`` whose scores
are larger the more alike the two patterns are; distances and divergences come negated. Those that
are one matrix product are defined in this module, those that compare feature by feature in
:mod:`jaxlab.hopfield.distances`, those of distributions in :mod:`jaxlab.hopfield.divergences`, and
those made from another similarity in :mod:`jaxlab.hopfield.wrappers`.

Scores accumulate in float32, or float64 if the patterns have it, also for bfloat16 and float16
patterns. All are differentiable in both arguments.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.checks import check_shape, require
from jaxlab.hopfield._declare import (
    ANY,
    EXACT,
    NONPOSITIVE,
    cached,
    declare,
    float_dtype,
    inner,
    power_of_two,
    root,
    similarity_function,
)
from jaxlab.hopfield.distances import (
    bipolar_hamming,
    chebyshev,
    hamming,
    jaccard,
    manhattan,
    minkowski,
    smooth_manhattan,
)
from jaxlab.hopfield.divergences import (
    jensen_shannon,
    kl_divergence,
    published_jensen_shannon,
    reverse_kl_divergence,
    symmetric_kl,
)
from jaxlab.hopfield.types import Similarity
from jaxlab.hopfield.wrappers import embedded, reciprocal, sum_normalized

__all__ = [
    "biased_dot_product",
    "bipolar_hamming",
    "chebyshev",
    "cosine",
    "dot_product",
    "embedded",
    "euclidean",
    "hamming",
    "jaccard",
    "jensen_shannon",
    "kl_divergence",
    "mahalanobis",
    "manhattan",
    "minkowski",
    "normalized_dot_product",
    "published_jensen_shannon",
    "reciprocal",
    "reverse_kl_divergence",
    "smooth_manhattan",
    "squared_euclidean",
    "sum_normalized",
    "symmetric_kl",
]


@similarity_function(ANY)
def dot_product(query: Float[Array, "*b d"], memories: Float[Array, "n d"]) -> Float[Array, "*b n"]:
    """Dot product ``s_j = q·m_j``: the classical, dense and modern Hopfield networks.

    Args:
        query: query patterns.
        memories: stored patterns.

    Returns:
        Scores, any real number.

    Raises:
        ValueError: the feature sizes differ, the bank is empty, or a dtype is not floating.

    Cost:
        One matrix product, ``2 Q n d`` operations; no memory beside the scores.

    Source:
        Millidge et al. 2022, section 3 (Hopfield networks as instances).

    Example:
        >>> dot_product(jnp.array([0.8, 0.3]), jnp.eye(2))
        Array([0.8, 0.3], dtype=float32)
    """
    return inner(query, memories)


@similarity_function(ANY)
def biased_dot_product(
    query: Float[Array, "*b d"], memories: Float[Array, "n d"]
) -> Float[Array, "*b n"]:
    """Dot product with the memories' own bias, ``s_j = q·m_j − ½‖m_j‖²``.

    It differs from ``−½‖q − m_j‖²`` by ``½‖q‖²``, which is common to all memories, so softmax and
    maximum separations give the same weights; but its gradient in ``q`` is the memory itself, which
    makes the two-layer dynamics a mean shift without shrinkage.

    Args:
        query: query patterns.
        memories: stored patterns.

    Returns:
        Scores, any real number.

    Raises:
        ValueError: the feature sizes differ, the bank is empty, or a dtype is not floating.

    Cost:
        One matrix product.

    Source:
        The adiabatic limit of the two-layer dynamics (Millidge et al. 2022, section 4) for squared
        Euclidean similarity.

    Example:
        >>> biased_dot_product(jnp.array([0.75, 0.25]), jnp.eye(2))
        Array([ 0.25, -0.25], dtype=float32)
    """
    return inner(query, memories, precision=EXACT) - 0.5 * _squared_norm(memories)


@similarity_function(ANY)
def normalized_dot_product(
    query: Float[Array, "*b d"], memories: Float[Array, "n d"]
) -> Float[Array, "*b n"]:
    """Dot product of sum-normalised patterns, ``s_j = (q/Σq)·(m_j/Σm_j)``.

    The sum, not the Euclidean norm: this is the curve called "dot product" in the paper's figures.
    A pattern whose sum is zero is normalised to zero and scores 0. Sums of mixed-sign patterns can
    be negative or nearly zero; on such data the score means little.

    Args:
        query: query patterns.
        memories: stored patterns.

    Returns:
        Scores; at least 0 for non-negative patterns.

    Raises:
        ValueError: the feature sizes differ, the bank is empty, or a dtype is not floating.

    Cost:
        One matrix product.

    Source:
        Millidge et al. 2022, section 5 (capacity experiments), ``normalized_dot_product`` of the
        accompanying code.

    Example:
        >>> normalized_dot_product(jnp.array([0.75, 0.25]), 2 * jnp.eye(2))
        Array([0.75, 0.25], dtype=float32)
    """
    query, memories, products = _scaled(query, memories)
    return products * _inverse(_total(query))[..., None] * _inverse(_total(memories))


@similarity_function((-1.0, 1.0))
def cosine(query: Float[Array, "*b d"], memories: Float[Array, "n d"]) -> Float[Array, "*b n"]:
    """Cosine of the angle, ``s_j = q·m_j / (‖q‖ ‖m_j‖)``; a zero vector scores 0.

    Args:
        query: query patterns.
        memories: stored patterns.

    Returns:
        Scores in [−1, 1], up to rounding.

    Raises:
        ValueError: the feature sizes differ, the bank is empty, or a dtype is not floating.

    Cost:
        One matrix product.

    Example:
        >>> cosine(jnp.array([3.0, 4.0]), jnp.array([[1.0, 0.0], [0.0, 0.0]]))
        Array([0.6, 0. ], dtype=float32)
    """
    query, memories, products = _scaled(query, memories)
    return (
        products
        * _inverse_root(_squared_norm(query))[..., None]
        * _inverse_root(_squared_norm(memories))
    )


@similarity_function(NONPOSITIVE)
def squared_euclidean(
    query: Float[Array, "*b d"], memories: Float[Array, "n d"]
) -> Float[Array, "*b n"]:
    """Negated squared Euclidean distance, ``s_j = −‖q − m_j‖² = 2q·m_j − ‖m_j‖² − ‖q‖²``.

    The expanded square cancels: a squared distance is good to about ``1e-7 (‖q‖² + ‖m_j‖²)`` in
    float32. It is clamped at 0. For exact ranks of near duplicates, re-rank the best few
    (:func:`jaxlab.hopfield.scale.top_k_memories`).

    Args:
        query: query patterns.
        memories: stored patterns.

    Returns:
        Scores at most 0.

    Raises:
        ValueError: the feature sizes differ, the bank is empty, or a dtype is not floating.

    Cost:
        One matrix product in full precision on every device.

    Source:
        Millidge et al. 2022, section 3 (predictive-coding memory).

    Example:
        >>> squared_euclidean(jnp.array([3.0, 0.0]), jnp.eye(2))
        Array([ -4., -10.], dtype=float32)
    """
    return -_squared_distance(query, memories)


@similarity_function(NONPOSITIVE)
def euclidean(query: Float[Array, "*b d"], memories: Float[Array, "n d"]) -> Float[Array, "*b n"]:
    """Negated Euclidean distance, ``s_j = −‖q − m_j‖``.

    Its gradient at distance zero is taken as 0. Rounding as for :func:`squared_euclidean`.

    Args:
        query: query patterns.
        memories: stored patterns.

    Returns:
        Scores at most 0.

    Raises:
        ValueError: the feature sizes differ, the bank is empty, or a dtype is not floating.

    Cost:
        One matrix product in full precision on every device.

    Example:
        >>> euclidean(jnp.array([3.0, 4.0]), jnp.array([[0.0, 0.0], [3.0, 4.0]]))
        Array([-5., -0.], dtype=float32)
    """
    return -root(_squared_distance(query, memories))


@cached
def mahalanobis(factor: Float[Array, "d r"]) -> Similarity:
    """Negated squared Mahalanobis distance, ``s_j = −‖Lᵀ(q − m_j)‖²`` with a factor ``L``.

    ``L Lᵀ`` is the metric; a learned ``L`` with ``r < d`` compares in a linear code. Rounding as
    for :func:`squared_euclidean`, of the codes ``Lᵀq`` and ``Lᵀm_j``.

    Args:
        factor: ``L``, may be traced.

    Returns:
        A similarity with scores at most 0.

    Raises:
        ValueError: the factor is not a matrix, or its rows do not match the features.

    Cost:
        Matrix products with ``L`` and one of ``2 Q n r``.

    Example:
        >>> mahalanobis(jnp.array([[2.0], [0.0]]))(jnp.array([1.0, 5.0]), jnp.eye(2))
        Array([-0., -4.], dtype=float32)
    """
    check_shape("factor", factor, ("d", "r"))

    @similarity_function(NONPOSITIVE)
    def mahalanobis_similarity(
        query: Float[Array, "*b d"], memories: Float[Array, "n d"]
    ) -> Float[Array, "*b n"]:
        rows = factor.shape[0]
        require(rows == memories.shape[1], "factor", factor, f"{memories.shape[1]} rows")
        codes = (
            jnp.matmul(
                patterns,
                factor,
                precision=EXACT,
                preferred_element_type=float_dtype(patterns, factor),
            )
            for patterns in (query, memories)
        )
        return -_squared_distance(*codes)

    return declare(mahalanobis_similarity, direct=functools.partial(_direct, factor=factor))


def _scaled(query: Array, memories: Array) -> tuple[Array, Array, Array]:
    """Each pattern over a power of two near its largest entry, and the products of the two.

    So squares and sums neither overflow nor vanish. Of the memories no scaled copy is made: their
    factor is applied to the products, which are finite where twice the sum of a memory's absolute
    entries is. Scales are float32 or wider: half-precision division loses its smallest numbers.
    """
    query_dtype, dtype = query.dtype, float_dtype(query, memories)
    query_scale, scale = (
        power_of_two(jnp.max(jnp.abs(patterns), axis=-1, keepdims=True).astype(dtype))
        for patterns in (query, memories)
    )
    query = query / query_scale
    products = inner(query.astype(query_dtype), memories) / scale[:, 0]
    return query, memories / scale, products


def _squared_distance(query: Array, memories: Array) -> Array:
    products = inner(query, memories, precision=EXACT)
    norms = _squared_norm(query)[..., None] + _squared_norm(memories)
    return jnp.maximum(norms - 2 * products, 0)


def _direct(
    query: Array, *, factor: Array | None = None, distance: Callable[[Array], Array] = jnp.asarray
) -> Callable[[Array], Array]:
    """Of rows of memories, ``−distance(‖Lᵀ(q − m)‖²)`` of each query with its own.

    In float64 where that is enabled.
    """
    wide = jnp.result_type(float)

    def scores(memories: Array) -> Array:
        difference = query.astype(wide) - memories.astype(wide)
        if factor is not None:
            difference = jnp.matmul(difference, factor.astype(wide), precision=EXACT)
        return -distance(jnp.sum(jnp.square(difference), axis=-1))

    return scores


def _squared_norm(patterns: Array) -> Array:
    return jnp.sum(jnp.square(patterns.astype(float_dtype(patterns))), axis=-1)


def _total(patterns: Array) -> Array:
    return jnp.sum(patterns, axis=-1, dtype=float_dtype(patterns))


def _inverse(numbers: Array) -> Array:
    """``1/x``, and 0 for 0."""
    there = numbers != 0
    return jnp.where(there, 1 / jnp.where(there, numbers, 1), 0)


def _inverse_root(numbers: Array) -> Array:
    """``1/√x``, and 0 for 0."""
    zero = numbers <= 0
    return jnp.where(zero, 0, jax.lax.rsqrt(jnp.where(zero, 1, numbers)))


declare(squared_euclidean, direct=_direct)
declare(euclidean, direct=functools.partial(_direct, distance=root))
