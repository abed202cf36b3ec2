"""Similarities made from another similarity: other scores of it, or of codes.

``reciprocal`` and ``sum_normalized`` look at all of a query's scores at once, so a memory that is
only padding would change the others' scores. Their functions therefore take a keyword ``where``
with the memories that are there; ``retrieve`` hands its mask on to them.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from jaxlab.checks import require
from jaxlab.hopfield._declare import ANY, NONPOSITIVE, cached, check_bank, declare
from jaxlab.hopfield.types import Similarity

__all__ = ["embedded", "reciprocal", "sum_normalized"]


@cached
def reciprocal(similarity: Similarity) -> Similarity:
    """Reciprocal-distance scores of a negated distance, ``s_j = D_min / D_j``.

    ``D = −similarity`` and ``D_min`` is the smallest distance of the query to any memory, with
    ``0/0 = 1`` and ``s_j = 0`` where ``D_min = 0 < D_j``. After sum normalisation this equals the
    ``1/D_j`` of the paper's experiments wherever that is finite, and it stays finite where the
    query is a stored pattern. A negative ``D`` (rounding, or the ``ε`` of the Kullback-Leibler
    family) counts as 0.

    Args:
        similarity: one whose scores are negated distances.

    Returns:
        A similarity with scores in [0, 1] and the keyword ``where``.

    Raises:
        ValueError: the similarity's scores are declared not to be negated distances.

    Cost:
        That of the similarity.

    Source:
        The score convention of the paper's experiments (accompanying code); the convention at zero
        distance is jaxlab's.

    Example:
        >>> from jaxlab.hopfield.similarity import manhattan
        >>> reciprocal(manhattan)(jnp.array([0.75, 0.25]), jnp.eye(2)).round(4)
        Array([1.    , 0.3333], dtype=float32)
    """
    _, highest = getattr(similarity, "score_range", NONPOSITIVE)
    require(highest <= 0, "similarity", similarity, "negated distances as scores")

    def reciprocal_similarity(
        query: ArrayLike, memories: ArrayLike, *, where: Bool[Array, " n"] | None = None
    ) -> Float[Array, "*b n"]:
        distance = jnp.maximum(-scores_of(similarity, query, memories, where), 0)
        candidates = distance if where is None else jnp.where(where, distance, jnp.inf)
        nearest = jnp.min(candidates, axis=-1, keepdims=True)
        nearest = jnp.where(nearest == jnp.inf, 0, nearest)  # nothing is there
        zero = distance <= 0
        return jnp.where(zero, 1, nearest / jnp.where(zero, 1, distance))

    made = _declare_as(reciprocal_similarity, similarity, (0.0, 1.0))
    return declare(made, made_of=(similarity, reciprocal))


@cached
def sum_normalized(similarity: Similarity) -> Similarity:
    """Scores over their sum, ``s_j / Σ_k s_k``; where the sum is 0, all are 0.

    The same step as ``normalize_scores=True`` of :func:`jaxlab.hopfield.retrieve`. Scores of mixed
    sign can sum to nearly nothing; use it for scores that are not negative.

    Args:
        similarity: one whose scores are not negated distances: dividing by a negative sum would
            turn their order around.

    Returns:
        A similarity with the keyword ``where``.

    Raises:
        ValueError: the similarity's scores are declared never to be positive.

    Cost:
        That of the similarity.

    Source:
        Millidge et al. 2022, section 5.

    Example:
        >>> from jaxlab.hopfield.similarity import dot_product
        >>> sum_normalized(dot_product)(jnp.array([3.0, 1.0]), jnp.eye(2))
        Array([0.75, 0.25], dtype=float32)
    """
    check_normalizable(similarity)

    def sum_normalized_similarity(
        query: ArrayLike, memories: ArrayLike, *, where: Bool[Array, " n"] | None = None
    ) -> Float[Array, "*b n"]:
        return divide_by_sum(scores_of(similarity, query, memories, where), where)

    lowest, _ = getattr(similarity, "score_range", ANY)
    score_range = (0.0, 1.0) if lowest >= 0 else ANY
    made = _declare_as(sum_normalized_similarity, similarity, score_range)
    return declare(made, made_of=(similarity, sum_normalized))


@cached
def embedded(
    similarity: Similarity, encoder: Callable[[Float[Array, "*b d"]], Float[Array, "*b c"]]
) -> Similarity:
    """A similarity of codes, ``s_j = similarity(encoder(q), e_j)`` with ``e_j = encoder(m_j)``.

    What is passed as ``memories`` are the codes ``E = encoder(M)``, computed once; the patterns
    themselves go to :func:`jaxlab.hopfield.retrieve` as ``projection``.

    Args:
        similarity: compares codes.
        encoder: maps patterns to codes over leading axes; may close over traced parameters.

    Returns:
        A similarity between patterns and codes.

    Cost:
        The encoder on the queries and the similarity on codes.

    Source:
        Salvatori et al. 2023 (ECAI), associative memories in feature space.

    Example:
        >>> from jaxlab.hopfield.similarity import manhattan
        >>> codes = jnp.array([[1.0], [5.0]])
        >>> total = lambda x: x.sum(-1, keepdims=True)
        >>> embedded(manhattan, total)(jnp.array([1.0, 1.0, 1.0]), codes)
        Array([-2., -2.], dtype=float32)
    """

    def embedded_similarity(
        query: ArrayLike, memories: ArrayLike, *, where: Bool[Array, " n"] | None = None
    ) -> Float[Array, "*b n"]:
        check_bank(memories)
        return scores_of(similarity, encoder(jnp.asarray(query)), memories, where)

    score_range = getattr(similarity, "score_range", ANY)
    direct = getattr(similarity, "direct", None)
    return declare(
        _declare_as(embedded_similarity, similarity, score_range),
        encodes_query=True,
        takes_where=getattr(similarity, "takes_where", False),
        direct=direct and (lambda query: direct(encoder(jnp.asarray(query)))),
    )


def check_normalizable(similarity: Similarity) -> None:
    """Refuse a similarity whose order a division by the sum would turn around."""
    _, highest = getattr(similarity, "score_range", ANY)
    require(
        highest > 0,
        "similarity",
        similarity,
        "scores that can be positive for sum normalisation, such as reciprocal(similarity)",
    )


def divide_by_sum(
    numbers: Float[Array, "*b n"], where: Bool[Array, " n"] | None = None
) -> Float[Array, "*b n"]:
    """Divide by the sum of the entries that are there; by 1 where that is 0, giving zeros."""
    present = numbers if where is None else jnp.where(where, numbers, 0)
    total = jnp.sum(present, axis=-1, keepdims=True)
    there = total != 0
    return jnp.where(there, numbers / jnp.where(there, total, 1), 0)


def scores_of(
    similarity: Similarity, query: ArrayLike, memories: ArrayLike, where: Array | None
) -> Float[Array, "*b n"]:
    """Call ``similarity``, telling it which memories are there if it wants to know."""
    if where is not None and getattr(similarity, "takes_where", False):
        return similarity(query, memories, where=where)
    return similarity(query, memories)


def _declare_as(
    function: Similarity, similarity: Similarity, score_range: tuple[float, float]
) -> Similarity:
    return declare(
        function,
        score_range=score_range,
        takes_where=True,
        encodes_query=getattr(similarity, "encodes_query", False),
    )
