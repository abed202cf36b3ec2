"""Memories of ±1 patterns in one step: Hopfield network, dense memory, sparse distributed memory.

Each is one call of :func:`~jaxlab.hopfield.retrieval.retrieve`, followed by the sign.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Real

from jaxlab.checks import check_bool, check_choice, check_dtype, check_scalar
from jaxlab.hopfield._declare import (
    EXACT,
    as_bipolar,
    cached,
    float_dtype,
    output_dtype,
    power_of_two,
    separation_function,
)
from jaxlab.hopfield.retrieval import Retrieval, retrieve
from jaxlab.hopfield.separation import identity, polynomial, rectified_polynomial, threshold
from jaxlab.hopfield.similarity import bipolar_hamming, dot_product
from jaxlab.hopfield.types import Number, Separation

__all__ = [
    "bipolar_sign",
    "dense_associative_memory",
    "hopfield_network",
    "sparse_distributed_memory",
]

EXACT_POWERS = 24  # binary digits of float32: even 3 has fewer powers that fit


@jax.jit
def bipolar_sign(x: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
    """Sign with values −1 and +1: zero counts as +1, NaN stays NaN.

    Args:
        x: fields of the neurons, ``[*b, d]``.

    Returns:
        States of the shape and dtype of ``x``.

    Cost: O(size of x).

    Source: the convention of this package; the official ``sign(sign(x) − ½)`` sends 0 to −1.

    Example:
        >>> bipolar_sign(jnp.array([-2.0, 0.0, 3.0]))
        Array([-1.,  1.,  1.], dtype=float32)
    """
    check_dtype("x", x, "floating")
    return jnp.where(x >= 0, jnp.ones_like(x), jnp.where(x < 0, -jnp.ones_like(x), x))


def hopfield_network(
    query: Real[Array, "*b d"],
    memories: Real[Array, "n d"],
    *,
    zero_diagonal: bool = False,
    mask: Bool[Array, " n"] | None = None,
) -> Retrieval:
    """One step of the classical Hopfield network, ``z = sign(Mᵀ M q)``, without making ``MᵀM``.

    With ``zero_diagonal`` the self-connections are left out: ``z = sign(Mᵀ M q − diag(MᵀM) q)``,
    which for bipolar memories subtracts ``n q``.

    Args:
        query: bipolar states, ``[*b, d]``.
        memories: bipolar patterns, ``[n, d]``.
        zero_diagonal: leave out the self-connections.
        mask: which memories are there, ``[n]``; default all.

    Returns:
        A :class:`~jaxlab.hopfield.retrieval.Retrieval` with bipolar output; a zero field gives +1.

    Raises:
        ValueError: boolean patterns; otherwise as :func:`~jaxlab.hopfield.retrieval.retrieve`.

    Cost: two matrix products, ``4 Q n d``; O(Q n) memory.

    Source: Hopfield 1982; Millidge et al. 2022, section 3.1.

    Example:
        >>> memories = jnp.array([[1.0, 1.0, -1.0, -1.0], [1.0, -1.0, 1.0, -1.0]])
        >>> hopfield_network(memories[0], memories, zero_diagonal=True).output
        Array([ 1.,  1., -1., -1.], dtype=float32)
    """
    check_bool("zero_diagonal", zero_diagonal)
    query, memories = as_bipolar("query", query), as_bipolar("memories", memories)
    # as sums of whole numbers: rounded to a short dtype, the subtraction below would miss its sign
    wide = memories.astype(float_dtype(query, memories))
    found = retrieve(
        query,
        memories,
        wide,
        similarity=dot_product,
        separation=identity,
        mask=mask,
        precision=EXACT,
    )
    field = found.output
    if zero_diagonal:
        present = wide if mask is None else jnp.where(mask[:, None], wide, 0)
        field = field - jnp.sum(jnp.square(present), axis=0) * query
    return found._replace(output=bipolar_sign(field).astype(output_dtype(query, memories)))


def dense_associative_memory(
    query: Real[Array, "*b d"],
    memories: Real[Array, "n d"],
    *,
    power: Number,
    negative: str = "signed",
    mask: Bool[Array, " n"] | None = None,
) -> Retrieval:
    """One step of the dense associative memory, ``z = sign(Mᵀ F(M q))`` with ``F(s) = s^power``.

    Beware the order: an energy ``−Σ_μ (m_μ·v)^k`` updates with the power ``k − 1``. It is ``power``
    that stands here, with a capacity growing as ``d^power``; 1 is the classical network with its
    diagonal.

    Args:
        query: bipolar states, ``[*b, d]``.
        memories: bipolar patterns, ``[n, d]``.
        power: separation power, > 0.
        negative: what a negative score becomes: ``−|s|^power`` (``"signed"``) or 0
            (``"rectified"``).
        mask: which memories are there, ``[n]``; default all.

    Returns:
        A :class:`~jaxlab.hopfield.retrieval.Retrieval` with bipolar output; a zero field gives +1.
        The weights of a query share a positive factor, which keeps any power within float32.

    Raises:
        ValueError: ``power`` known and not a finite number > 0; unknown ``negative``; boolean
            patterns; otherwise as :func:`~jaxlab.hopfield.retrieval.retrieve`.

    Cost: two matrix products.

    Source: Krotov and Hopfield 2016; Millidge et al. 2022, section 3.3.

    Example:
        >>> memories = jnp.array([[1.0, 1.0, -1.0, -1.0], [1.0, -1.0, 1.0, -1.0]])
        >>> query = jnp.array([1.0, 1.0, -1.0, 1.0])
        >>> dense_associative_memory(query, memories, power=2, negative="rectified").output
        Array([ 1.,  1., -1., -1.], dtype=float32)
    """
    query, memories = as_bipolar("query", query), as_bipolar("memories", memories)
    found = retrieve(
        query,
        memories,
        similarity=dot_product,
        separation=_high_power(power, negative),
        mask=mask,
        precision=EXACT,
    )
    return found._replace(output=bipolar_sign(found.output))


def sparse_distributed_memory(
    query: Real[Array, "*b d"],
    memories: Real[Array, "n d"],
    projection: Real[Array, "n p"] | None = None,
    *,
    radius: Number,
    mask: Bool[Array, " n"] | None = None,
) -> Retrieval:
    """Single-stage sparse distributed memory: the majority of all patterns within ``radius``.

    ``z = sign(Σ_μ 1[hamming(q, m_μ) ≤ radius] p_μ)``: every pattern is its own hard location. With
    hard locations as ``memories`` and their counters as ``projection`` it is
    :func:`~jaxlab.hopfield.sparse_distributed_memory.sdm_read`, the two-stage memory.

    Args:
        query: bipolar addresses, ``[*b, d]``.
        memories: bipolar patterns, ``[n, d]``.
        projection: bipolar values or counters, ``[n, p]``; default ``memories``.
        radius: largest Hamming distance at which a pattern is active, >= 0.
        mask: which memories are there, ``[n]``; default all.

    Returns:
        A :class:`~jaxlab.hopfield.retrieval.Retrieval` with bipolar output and 0/1 weights. Where
        the weights sum to 0 nothing was in reach, and the output is +1 everywhere.

    Raises:
        ValueError: ``radius`` known and negative; boolean patterns; otherwise as
            :func:`~jaxlab.hopfield.retrieval.retrieve`.

    Cost: two matrix products.

    Source: Kanerva 1988; Millidge et al. 2022, section 3.2.

    Example:
        >>> memories = jnp.array([[1.0, 1.0, -1.0, -1.0], [1.0, -1.0, 1.0, -1.0]])
        >>> query = jnp.array([1.0, 1.0, -1.0, 1.0])
        >>> sparse_distributed_memory(query, memories, radius=1).output
        Array([ 1.,  1., -1., -1.], dtype=float32)
    """
    check_scalar("radius", radius, minimum=0)
    query, memories = as_bipolar("query", query), as_bipolar("memories", memories)
    if projection is not None:
        projection = as_bipolar("projection", projection)
    found = retrieve(
        query,
        memories,
        projection,
        similarity=bipolar_hamming,
        separation=threshold(-1.0 * radius),  # as a float: an unsigned one would wrap around
        mask=mask,
        precision=EXACT,
    )
    return found._replace(output=bipolar_sign(found.output))


@cached
def _high_power(power: Number, negative: str) -> Separation:
    """A power of the scores over a number near the largest of those that have any weight."""
    check_choice("negative", negative, ("signed", "rectified"))
    signed = negative == "signed"
    separation = polynomial(power, signed=True) if signed else rectified_polynomial(power)

    @separation_function(mask_value=0.0)
    def high_power(scores: Float[Array, "*b n"]) -> Float[Array, "*b n"]:
        sizes = jnp.abs(scores) if signed else jnp.maximum(scores, 0)
        largest = jax.lax.stop_gradient(jnp.max(sizes, axis=-1, keepdims=True))
        # a power of two changes no digit, so that ties among sums of powers stay ties; where these
        # are rounded anyway, the largest score itself keeps its own power from vanishing
        scale = jnp.where(jnp.asarray(power) > EXACT_POWERS, largest, power_of_two(largest))
        return separation(scores / jnp.where(largest == 0, 1, scale))

    return high_power
