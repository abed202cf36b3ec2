"""The capacity curve: how much of what is stored is still recalled, as the store fills up.

One compilation serves a whole curve: all ``n`` memories are there from the start and the number of
stored ones varies by mask. What a memory scores by itself does not depend on how many are stored,
so it is computed once per query; what is made of these scores, masks and normalisation among it,
once per count.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxlab.checks import check_dtype, check_integer, check_number, check_shape
from jaxlab.hopfield import metrics
from jaxlab.hopfield.retrieval import Retrieval, retrieve
from jaxlab.hopfield.types import Separation, Similarity

__all__ = [
    "BaselineScores",
    "CapacityCurve",
    "Memory",
    "baseline_scores",
    "capacity_curve",
]

Activation = Callable[[Array], Array]


class Memory(NamedTuple):
    """The functions that make an associative memory, static in every jitted function.

    Attributes:
        similarity: scores of the memories for a query.
        separation: weights from scores.
        normalize_scores: divide the scores by their sum before the separation.
        normalize_weights: divide the weights by their sum after it.
        activation: applied to the output, such as a sign; None for none.
    """

    similarity: Similarity
    separation: Separation
    normalize_scores: bool = False
    normalize_weights: bool = False
    activation: Activation | None = None


class CapacityCurve(NamedTuple):
    """Result of :func:`capacity_curve`.

    Attributes:
        correct: share of the stored patterns whose squared error is at most a threshold,
            ``[counts, thresholds]``, in [0, 1].
        recalled: share of the stored patterns whose largest weight is their own, ``[counts]``.
    """

    correct: Float[Array, "counts thresholds"]
    recalled: Float[Array, " counts"]


class BaselineScores(NamedTuple):
    """Result of :func:`baseline_scores`, shares of the stored patterns in [0, 1].

    Attributes:
        mean: the answer is the mean of the stored patterns, whatever the query,
            ``[levels, thresholds]``.
        pca: the answer is the query's projection on the principal components of the stored
            patterns, a linear auto-associator that denoises and picks no memory,
            ``[levels, thresholds]``.
    """

    mean: Float[Array, "levels thresholds"]
    pca: Float[Array, "levels thresholds"]


def capacity_curve(
    queries: Float[Array, "n d"],
    memories: Float[Array, "n d"],
    projection: Float[Array, "n p"],
    counts: Int[Array, " counts"],
    thresholds: Float[Array, " thresholds"],
    *,
    memory: Memory,
    tile: int = 128,
) -> CapacityCurve:
    """Recall of the first N patterns from a memory that stores the first N patterns, for every N.

    For each N of ``counts``, query ``i < N`` is put to the memory of the rows ``0 … N−1``. Its
    answer ``z_i`` is correct when ``‖z_i − projection_i‖² ≤ threshold``, and it is recalled when
    its largest weight is ``w_i``.

    Args:
        queries: corrupted patterns, row ``i`` from memory ``i``.
        memories: all patterns that are ever stored.
        projection: what is to be recalled; ``memories`` itself for auto-association.
        counts: numbers of stored patterns, each in ``[1, n]``; may be traced.
        thresholds: squared errors up to which an answer is correct; may be traced.
        memory: static; similarity, separation and normalisation.
        tile: static; how many queries are scored at once.

    Returns:
        A :class:`CapacityCurve`.

    Raises:
        ValueError: shapes that do not fit together; counts outside ``[1, n]``; a ``tile`` below 1.

    Cost: one score per pair of query and memory, and ``O(N·n·(c + p))`` per count N for the
    separation (``c`` its cost per score) and the projection; memory ``O(tile·n + n·p)``. A
    similarity that looks at all memories at once is computed for every count, unless it is
    ``reciprocal`` or ``sum_normalized`` of one that does not.

    Source: Millidge et al. 2022, the curves of retrieval against stored patterns.

    Example:
        >>> from jaxlab.hopfield.separation import maximum
        >>> from jaxlab.hopfield.similarity import manhattan
        >>> patterns = jnp.eye(4)
        >>> capacity_curve(
        ...     0.6 * patterns,
        ...     patterns,
        ...     patterns,
        ...     jnp.array([2, 4]),
        ...     jnp.array([0.1]),
        ...     memory=Memory(manhattan, maximum()),
        ... ).recalled
        Array([1., 1.], dtype=float32)
    """
    check_shape("memories", memories, ("n", "d"))
    check_number("counts", counts, minimum=1, maximum=memories.shape[0])
    return _capacity_curve(
        queries, memories, projection, counts, thresholds, memory=memory, tile=tile
    )


@functools.partial(jax.jit, static_argnames=("memory", "tile"))
def _capacity_curve(
    queries: Array,
    memories: Array,
    projection: Array,
    counts: Array,
    thresholds: Array,
    *,
    memory: Memory,
    tile: int,
) -> CapacityCurve:
    n, d = memories.shape
    check_shape("queries", queries, (n, d))
    check_shape("projection", projection, (n, "p"))
    check_shape("counts", counts, ("counts",))
    check_dtype("counts", counts, "integer")
    check_shape("thresholds", thresholds, ("thresholds",))
    check_integer("tile", tile, minimum=1)

    tile = min(tile, n)
    tiles = -(-n // tile)
    pad = tiles * tile - n
    # padded queries have indices >= n, beyond every count, and so are never counted
    tiled_queries = jnp.pad(queries, ((0, pad), (0, 0))).reshape(tiles, tile, d)
    targets = jnp.pad(projection, ((0, pad), (0, 0))).reshape(tiles, tile, -1)
    indices = jnp.arange(tiles * tile).reshape(tiles, tile)

    def of_tile(part: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        query, target, index = part
        similarity = _scored_once(memory.similarity, query, memories)

        def judged(count: Array) -> tuple[Array, Array]:
            found = retrieve(
                query,
                memories,
                projection,
                similarity=similarity,
                separation=memory.separation,
                mask=jnp.arange(n) < count,
                normalize_scores=memory.normalize_scores,
                normalize_weights=memory.normalize_weights,
            )
            return _judge(found, target, index, count, thresholds, memory.activation)

        def nothing(_count: Array) -> tuple[Array, Array]:
            return jnp.zeros(thresholds.shape, jnp.int32), jnp.int32(0)

        # a tile that starts beyond the stored patterns has nothing to recall
        return jax.lax.map(
            lambda count: jax.lax.cond(index[0] < count, judged, nothing, count), counts
        )

    correct, recalled = jax.lax.map(of_tile, (tiled_queries, targets, indices))
    return CapacityCurve(
        jnp.sum(correct, axis=0) / counts[:, None], jnp.sum(recalled, axis=0) / counts
    )


def _scored_once(similarity: Similarity, query: Array, memories: Array) -> Similarity:
    """The similarity of these patterns: what each memory scores by itself is computed here."""
    alone, remake = getattr(similarity, "made_of", (similarity, lambda same: same))
    if getattr(alone, "takes_where", False):
        return similarity
    scores = alone(query, memories)

    def known_scores(_query: Array, _memories: Array) -> Array:
        return scores

    if hasattr(alone, "score_range"):  # one without declares nothing
        known_scores.score_range = alone.score_range  # type: ignore[attr-defined]
    return remake(known_scores)


def _judge(
    found: Retrieval,
    target: Float[Array, "t p"],
    index: Int[Array, " t"],
    count: Int[Array, ""],
    thresholds: Float[Array, " thresholds"],
    activation: Activation | None,
) -> tuple[Int[Array, " thresholds"], Int[Array, ""]]:
    """How many of the stored patterns of one tile are correct, per threshold, and recalled."""
    stored = index < count
    output = found.output if activation is None else activation(found.output)
    close = metrics.squared_error(output, target)[:, None] <= thresholds
    own = metrics.picks(found.weights, index)
    return _count(close & stored[:, None]), _count(own & stored)


def _count(right: Bool[Array, " t *rest"]) -> Int[Array, "*rest"]:
    return jnp.sum(right, axis=0, dtype=jnp.int32)


@functools.partial(jax.jit, static_argnames=("explained",))
def baseline_scores(
    queries: Float[Array, "levels n d"],
    stored: Float[Array, "n d"],
    thresholds: Float[Array, " thresholds"],
    *,
    explained: float = 0.9,
) -> BaselineScores:
    """What answers that pick no memory score under the same thresholds.

    Args:
        queries: corrupted patterns at several levels of corruption; row ``i`` from pattern ``i``.
        stored: the stored patterns.
        thresholds: squared errors up to which an answer is correct.
        explained: static; share of the stored patterns' variance that the principal components
            span.

    Returns:
        A :class:`BaselineScores`.

    Cost: an eigendecomposition of size ``min(n, d)``.

    Source: not in the paper.

    Example:
        >>> stored = jnp.array([[0.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
        >>> scores = baseline_scores((stored + 0.1)[None], stored, jnp.array([0.1]))
        >>> scores.mean.round(3), scores.pca.round(3)
        (Array([[0.333]], dtype=float32), Array([[1.]], dtype=float32))
    """
    mean = jnp.mean(stored, axis=0)
    axes = _principal_axes(stored - mean, explained)
    projected = mean + (queries - mean) @ axes.T @ axes

    def share(output: Array) -> Array:
        error = metrics.squared_error(output, jnp.broadcast_to(stored, output.shape))
        return jnp.mean(error[..., None] <= thresholds, axis=-2)

    return BaselineScores(share(jnp.broadcast_to(mean, queries.shape)), share(projected))


def _principal_axes(centred: Float[Array, "n d"], explained: float) -> Float[Array, "k d"]:
    """Orthonormal rows spanning ``explained`` of the variance; the rows beyond are zero."""
    n, d = centred.shape
    wide = n < d
    values, vectors = jnp.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    values, vectors = jnp.maximum(values[::-1], 0), vectors[:, ::-1]
    before = jnp.cumsum(values) - values
    # 1e-6: eigenvalues that are rounding errors of zero
    used = (before < explained * jnp.sum(values)) & (values > 1e-6 * values[0])
    if wide:
        axes = (centred.T @ vectors) / jnp.sqrt(jnp.where(used, values, 1))
    else:
        axes = vectors
    return jnp.where(used, axes, 0).T
