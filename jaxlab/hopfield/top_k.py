"""The k most similar memories, from banks too large for a matrix of all scores.

The best ``k`` so far are carried from block to block; each block contributes its own best, and the
two lists are merged. The carried list stands first in every merge, and ``lax.top_k`` prefers the
earlier of two equal scores, so that ties go to the lower index whatever the blocks are.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int8, Int32, Shaped

from jaxlab.checks import (
    check_bool,
    check_choice,
    check_integer,
    check_number,
    check_shape,
    require,
    uncut,
)
from jaxlab.hopfield._blocks import Block, Blocks, check_blockable, for_each_block
from jaxlab.hopfield._declare import check_bank, float_dtype, nan_first
from jaxlab.hopfield.blocked import BLOCK_SIZE, AxisName
from jaxlab.hopfield.manhattan_kernel import manhattan_scores
from jaxlab.hopfield.similarity import manhattan
from jaxlab.hopfield.types import Similarity
from jaxlab.varying import vary_like

__all__ = ["QuantizedMemories", "TopK", "quantize_memories", "top_k_memories"]

IMPLEMENTATIONS = ("jnp", "pallas")


class TopK(NamedTuple):
    """What :func:`top_k_memories` returns.

    Attributes:
        scores: the ``k`` largest scores of each query, descending; −inf where fewer than ``k``
            memories are there.
        indices: the memories' row numbers (over all devices), −1 where the score is −inf.
    """

    scores: Float[Array, "*b k"]
    indices: Int32[Array, "*b k"]


class QuantizedMemories(NamedTuple):
    """A bank in eight bits, ``values[j] * scale[j]``, made by :func:`quantize_memories`.

    Attributes:
        values: whole numbers from −127 to 127.
        scale: what a unit of each row's values is worth.
    """

    values: Int8[Array, "n d"]
    scale: Float[Array, " n"]


@jax.jit
def quantize_memories(memories: Float[Array, "n d"]) -> QuantizedMemories:
    """Round every row to eight bits, ``values = round(m / scale)``, ``scale = max|m| / 127``.

    A quarter of float32's memory, for an error of at most half of ``scale`` in every feature.

    Args:
        memories: stored patterns.

    Returns:
        Values and one scale per row.

    Raises:
        ValueError: the bank is empty.

    Cost:
        ``O(n d)``.

    Example:
        >>> bank = quantize_memories(jnp.array([[0.5, -1.0], [0.0, 0.0]]))
        >>> bank.values.tolist()
        [[64, -127], [0, 0]]
    """
    check_bank(memories)
    largest = jnp.max(jnp.abs(memories), axis=1).astype(float_dtype(memories))
    scale = largest / 127
    values = jnp.round(memories / jnp.where(scale > 0, scale, 1)[:, None])
    return QuantizedMemories(values.astype(jnp.int8), scale)


@functools.partial(uncut, whole=("query",))
@functools.partial(
    jax.jit,
    static_argnames=(
        "k",
        "similarity",
        "block_size",
        "approximate",
        "recall_target",
        "rerank",
        "implementation",
        "axis_name",
    ),
)
def top_k_memories(
    query: Shaped[Array, "*b d"],
    memories: Shaped[Array, "n c"],
    *,
    k: int,
    similarity: Similarity,
    block_size: int = BLOCK_SIZE,
    mask: Bool[Array, " n"] | None = None,
    scale: Float[Array, " n"] | None = None,
    approximate: bool = False,
    recall_target: float = 0.95,
    rerank: bool = True,
    implementation: str = "jnp",
    axis_name: AxisName | None = None,
) -> TopK:
    """The ``k`` largest scores ``sim(q, M)`` of each query and where they are.

    Equal scores are ordered by index, lowest first, for every ``block_size`` and number of devices
    (where the selection is approximate, in any order). Scores that are NaN come before all others.

    The Euclidean similarities and Mahalanobis', also of codes
    (:func:`~jaxlab.hopfield.similarity.embedded`), are computed by an expanded square, which loses
    the small distances among near duplicates. With ``rerank`` a few more than ``k`` candidates are
    kept and compared once more by direct differences (in float64 where that is enabled), and the
    scores returned are those. Scores of other similarities are left as they are.

    Memories sharded over devices: as for :func:`~jaxlab.hopfield.scale.retrieve_blocked`. Each
    device sends its ``k`` best; indices count rows over all devices, in the order of the axis.

    Args:
        query: query patterns; leading axes are independent queries, and may be empty.
        memories: stored patterns, one a row; int8 with ``scale``.
        k: how many; static.
        similarity: scores each memory by itself; static.
        block_size: most memories looked at at once; static.
        mask: which memories are there.
        scale: worth of a unit in each row of ``memories`` (:func:`quantize_memories`).
        approximate: select within a block by ``lax.approx_max_k`` on TPU, where it is faster;
            elsewhere the selection stays exact; static.
        recall_target: expected share of the true best that an approximate selection finds; static.
        rerank: compare the candidates of such a similarity once more; static.
        implementation: ``"jnp"``, or ``"pallas"``: the kernel for Manhattan scores, which runs
            compiled on GPU and TPU and interpreted, slowly, on CPU, where ``jax.shard_map`` needs
            ``check_vma=False`` for it; static.
        axis_name: mesh axis over which the memories are sharded; static.

    Returns:
        Scores in float32 or wider, and indices.

    Raises:
        ValueError: ``k < 1`` or ``k > n``; feature sizes differ; the bank is empty; ``mask`` is not
            boolean of shape ``[n]``; ``scale`` is not of shape ``[n]``; ``block_size < 1``;
            ``recall_target`` not in (0, 1]; unknown ``implementation``, or ``"pallas"`` without
            ``manhattan``; the similarity looks at all memories at once; numbers of NumPy that do
            not fit the type jax gives them.

    Cost:
        That of the similarity, and a selection per block. ``O(Q (block + k) + block c)`` temporary
        memory, independent of ``n``; with ``rerank`` ``O(Q k)`` rows are read once more.

    Source:
        Exhaustive search as in Johnson, Douze and Jégou 2019, *Billion-scale similarity search with
        GPUs*, section 3.

    Example:
        >>> from jaxlab.hopfield.similarity import manhattan
        >>> memories = jnp.array([[0.0], [4.0], [1.0], [2.0]])
        >>> best = top_k_memories(jnp.array([1.25]), memories, k=2, similarity=manhattan)
        >>> best.scores.tolist(), best.indices.tolist()
        ([-0.25, -0.75], [2, 3])
    """
    check_bool("approximate", approximate)
    check_bool("rerank", rerank)
    n = memories.shape[0] if memories.ndim else 0
    _check_arguments(query, memories, k, similarity, block_size, mask, scale, axis_name)
    check_number("recall_target", recall_target, above=0, maximum=1)
    check_choice("implementation", implementation, IMPLEMENTATIONS)
    if implementation == "pallas":
        fits = similarity is manhattan
        require(fits, "similarity", similarity, "manhattan with implementation='pallas'")
        similarity = manhattan_scores

    batch = query.shape[:-1]
    rows = query.reshape(math.prod(batch), query.shape[-1])
    scored = jax.eval_shape(similarity, rows, _patterns(memories[:1], scale))
    rows, memories, mask, scale = vary_like((rows, memories, mask, scale), scored)
    direct = getattr(similarity, "direct", None) if rerank else None
    here = min(k, n)  # sharded, a device may hold fewer than k
    candidates = min(n, k + max(k, 8)) if direct is not None else here

    def select(scores: Array) -> tuple[Array, Array]:
        count = min(candidates, scores.shape[-1])

        def exactly(scores: Array) -> tuple[Array, Array]:
            best, where = jax.lax.top_k(scores, count)
            return best, where

        def about(scores: Array) -> tuple[Array, Array]:
            best, where = jax.lax.approx_max_k(scores, count, recall_target=recall_target)
            return best, where

        if approximate:  # elsewhere approx_max_k is exact, but takes equal scores in any order
            return jax.lax.platform_dependent(scores, tpu=about, default=exactly)
        return exactly(scores)

    def step(carry: TopK, block: Block) -> TopK:
        patterns = _patterns(block.rows(memories), None if scale is None else block.rows(scale))
        scores = nan_first(similarity(rows, patterns))
        present = block.present(mask)
        if present is not None:
            scores = jnp.where(present, scores, -jnp.inf)
        best, where = select(scores)
        return _merge(carry, TopK(best, where + block.start), candidates)

    shape = (rows.shape[0], candidates)
    start = TopK(
        jnp.full_like(rows, -jnp.inf, dtype=scored.dtype, shape=shape),
        jnp.full_like(rows, -1, dtype=jnp.int32, shape=shape),
    )
    found = for_each_block(Blocks.of(n, block_size), start, step)
    if direct is not None:
        found = _rerank(direct(rows), memories, scale, found)
    found = TopK(found.scores[:, :here], found.indices[:, :here])
    if axis_name is not None:
        found = _merge_devices(found, n, k, axis_name)
    indices = jnp.where(found.scores == -jnp.inf, -1, found.indices)
    return TopK(found.scores.reshape(*batch, k), indices.reshape(*batch, k))


def _patterns(rows: Array, scale: Array | None) -> Array:
    if scale is None:
        return rows
    return rows.astype(scale.dtype) * scale[: rows.shape[0], None]


def _merge(first: TopK, second: TopK, count: int) -> TopK:
    """The best ``count`` of two lists; of equal scores, those of ``first`` come first."""
    scores = jnp.concatenate([first.scores, second.scores], axis=-1)
    indices = jnp.concatenate([first.indices, second.indices], axis=-1)
    scores, where = jax.lax.top_k(scores, count)
    return TopK(scores, jnp.take_along_axis(indices, where, axis=-1))


def _rerank(
    direct: Callable[[Array], Array], memories: Array, scale: Array | None, found: TopK
) -> TopK:
    """Scores by direct differences, one candidate per query at a time, and a new order."""

    def score(candidate: Array) -> Array:
        return direct(_patterns(memories[candidate], None if scale is None else scale[candidate]))

    scores = jax.lax.map(score, jnp.maximum(found.indices, 0).T).T
    scores = nan_first(jnp.where(found.indices < 0, -jnp.inf, scores))
    places = jnp.where(jnp.isnan(scores), -jnp.inf, -scores)
    _, indices, scores = jax.lax.sort((places, found.indices, scores), num_keys=2)
    return TopK(scores.astype(found.scores.dtype), indices)


def _merge_devices(found: TopK, n: int, k: int, axis_name: AxisName) -> TopK:
    """The best ``k`` over all devices, on each of them."""
    devices = jax.lax.axis_size(axis_name)
    this = jax.lax.axis_index(axis_name)
    indices = jnp.where(found.indices < 0, -1, found.indices + this * n)

    def gather(part: Array) -> Array:
        # by a sum, whose result is typed as equal on all devices, as that of all_gather is not
        placed = jnp.zeros_like(part, shape=(devices, *part.shape)).at[this].set(part)
        together = jax.lax.psum(placed, axis_name)
        return jnp.moveaxis(together, 0, 1).reshape(part.shape[0], devices * part.shape[1])

    # devices are in the order of their indices, so top_k still prefers the lower one
    scores, where = jax.lax.top_k(gather(found.scores), k)
    return TopK(scores, jnp.take_along_axis(gather(indices), where, axis=-1))


def _check_arguments(
    query: Array,
    memories: Array,
    k: int,
    similarity: Similarity,
    block_size: int,
    mask: Array | None,
    scale: Array | None,
    axis_name: AxisName | None,
) -> None:
    check_blockable(query, memories, mask, similarity, block_size)
    if scale is not None:
        check_shape("scale", scale, (memories.shape[0],))
    check_integer("k", k, minimum=1)
    total = memories.shape[0] * (1 if axis_name is None else jax.lax.axis_size(axis_name))
    require(k <= total, "k", k, f"at most the number of memories, {total}")
