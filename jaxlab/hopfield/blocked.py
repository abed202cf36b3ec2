"""Soft retrieval from banks too large for a matrix of all scores: softmax in one pass over blocks.

The weights of a softmax are known only once every score has been seen. The online softmax keeps,
per query, the largest logit so far, the sum of exponentials relative to it, and the weighted sum of
the projection's rows; when a later block brings a larger logit, both sums are scaled down. The
derivative recomputes each block's weights from the logarithm of the final sum, so that nothing of
size ``n`` is kept for it either.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Shaped

from jaxlab.checks import check_number, check_shape, uncut
from jaxlab.hopfield._blocks import Block, Blocks, check_blockable, for_each_block
from jaxlab.hopfield._declare import check_broadcasts, float_dtype, output_dtype, present_rows
from jaxlab.hopfield.types import Number, Similarity
from jaxlab.varying import vary_like

__all__ = ["logsumexp_blocked", "retrieve_blocked"]

BLOCK_SIZE = 1024

Score = Callable[..., Array]
AxisName = str | tuple[str, ...]


@functools.partial(uncut, whole=("query",))
def retrieve_blocked(
    query: Shaped[Array, "*b d"],
    memories: Shaped[Array, "n c"],
    projection: Shaped[Array, "n p"] | None = None,
    *,
    similarity: Similarity,
    beta: Number | Shaped[Array, "..."],
    block_size: int = BLOCK_SIZE,
    mask: Bool[Array, " n"] | None = None,
    axis_name: AxisName | None = None,
) -> Float[Array, "*b p"]:
    """Softmax retrieval ``z = Pᵀ softmax(β sim(q, M))`` without the ``[*b, n]`` scores.

    Equal to the output of :func:`jaxlab.hopfield.retrieve` with ``softmax(beta)``, up to rounding,
    for every ``block_size``. With every memory masked the output is 0.

    Differentiable in query, memories, projection, ``beta``, and whatever floating arrays the
    similarity closes over (it must not close over traced integers); the derivative too works block
    by block, and is good to ``ε β`` times the projection's size, which is coarse only where a
    single memory has nearly all the weight and the derivative is about 0. Forward-mode
    differentiation is refused by jax (the derivative is a custom one); reverse over reverse works.

    Memories sharded over devices: call it inside ``jax.shard_map`` or ``jax.pmap`` with one
    device's rows of ``memories``, ``projection`` and ``mask``, and the ``axis_name`` of the mesh
    axis. Each device does its share, and three collectives whose size does not depend on ``n`` give
    all of them the retrieval from the whole bank. Banks that do not divide evenly are padded and
    masked. Queries may be sharded over another axis. Under ``pmap`` and ``check_vma=False`` sums
    over devices transpose to sums: differentiate inside with the loss divided by the axis size, or
    differentiate the mapped function from outside.

    Args:
        query: query patterns; leading axes are independent queries, and may be empty.
        memories: stored patterns ``M``, one a row.
        projection: what each memory retrieves, ``P``; default ``memories``.
        similarity: scores each memory by itself; static.
        beta: inverse temperature, >= 0; may be traced. An array broadcasts against the leading axes
            of the query.
        block_size: most memories looked at at once; static.
        mask: which memories are there.
        axis_name: mesh axis, or axes, over which the memories are sharded; static.

    Returns:
        Output in the floating dtype common to query and projection.

    Raises:
        ValueError: feature sizes of query and memories differ; projection and memories differ in
            rows; the bank is empty; ``mask`` is not boolean of shape ``[n]``; ``beta`` is known and
            not a finite number >= 0; ``block_size < 1``; the similarity looks at all memories at
            once (``reciprocal``, ``sum_normalized``); numbers of NumPy that do not fit the type jax
            gives them.

    Cost:
        That of the similarity and ``2 Q n p``; backward twice that and more. Temporary memory
        ``O(Q (block + p) + block (c + p))``, independent of ``n``, forward and backward.

    Source:
        Millidge et al. 2022, section 3 (softmax separation); Milakov and Gimelshein 2018, *Online
        normalizer calculation for softmax*, algorithm 3; Rabe and Staats 2021, *Self-attention does
        not need O(n²) memory*.

    Example:
        >>> from jaxlab.hopfield.similarity import dot_product
        >>> query, memories = jnp.array([0.8, 0.3]), jnp.eye(2)
        >>> output = retrieve_blocked(
        ...     query, memories, similarity=dot_product, beta=2.0, block_size=1
        ... )
        >>> output.tolist()
        [0.731..., 0.268...]
    """
    check_number("beta", beta, minimum=0)
    return _retrieve_blocked(
        query, memories, projection, beta, mask, similarity, block_size, axis_name
    )[0]


@functools.partial(uncut, whole=("query",))
def logsumexp_blocked(
    query: Shaped[Array, "*b d"],
    memories: Shaped[Array, "n c"],
    *,
    similarity: Similarity,
    beta: Number | Shaped[Array, "..."],
    block_size: int = BLOCK_SIZE,
    mask: Bool[Array, " n"] | None = None,
    axis_name: AxisName | None = None,
) -> Float[Array, "*b"]:
    """Logarithm of the softmax's denominator, ``log Σ_j exp(β sim(q, M)_j)``, block by block.

    Divided by ``−β`` it is the part of a modern Hopfield network's energy that depends on the
    memories; its gradient in the scores is ``β`` times the softmax weights. With every memory
    masked it is −inf.

    Args:
        query: query patterns.
        memories: stored patterns, one a row.
        similarity: scores each memory by itself; static.
        beta: inverse temperature, >= 0; may be traced, and one per query.
        block_size: most memories looked at at once; static.
        mask: which memories are there.
        axis_name: mesh axis, or axes, over which the memories are sharded; static.

    Returns:
        One number per query, in float32 or wider.

    Raises:
        ValueError: as :func:`retrieve_blocked`.

    Cost:
        That of the similarity; ``O(block (Q + c))`` temporary memory.

    Source:
        Ramsauer et al. 2021, equation 2 (energy of the modern Hopfield network).

    Example:
        >>> from jaxlab.hopfield.similarity import dot_product
        >>> float(logsumexp_blocked(jnp.zeros(2), jnp.eye(2), similarity=dot_product, beta=1.0))
        0.693...
    """
    check_number("beta", beta, minimum=0)
    nothing = jnp.zeros_like(memories, shape=(memories.shape[0], 0))
    return _retrieve_blocked(
        query, memories, nothing, beta, mask, similarity, block_size, axis_name
    )[1]


@functools.partial(jax.jit, static_argnames=("similarity", "block_size", "axis_name"))
def _retrieve_blocked(
    query: Array,
    memories: Array,
    projection: Array | None,
    beta: Any,
    mask: Array | None,
    similarity: Similarity,
    block_size: int,
    axis_name: AxisName | None,
) -> tuple[Array, Array]:
    """Output and log-sum-exp."""
    check_blockable(query, memories, mask, similarity, block_size)
    if projection is not None:
        check_shape("projection", projection, (memories.shape[0], "p"))
    batch = query.shape[:-1]
    rows = query.reshape(math.prod(batch), query.shape[-1])
    scores = jax.eval_shape(similarity, rows, memories)
    dtype = jnp.promote_types(scores.dtype, jnp.float32)  # may be wider than the patterns
    check_broadcasts("beta", beta, batch)
    beta = jnp.broadcast_to(jnp.asarray(beta, dtype), batch).reshape(-1)
    blocks = Blocks.of(memories.shape[0], block_size)
    together = vary_like((rows, memories, projection, beta, mask), scores)
    rows, memories, projection, beta, mask = together
    # arrays that the similarity closes over become arguments, so that they get their derivative
    score, constants = jax.closure_convert(similarity, rows, memories[: blocks.size])
    output, logsumexp = _attend(
        score, blocks, rows, memories, projection, beta, mask, tuple(constants)
    )
    if axis_name is not None:
        output, logsumexp = _merge_devices(output, logsumexp, axis_name)
    common = output_dtype(query, memories if projection is None else projection)
    output = output.reshape(*batch, output.shape[-1]).astype(common)
    return output, logsumexp.reshape(batch)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _attend(
    score: Score,
    blocks: Blocks,
    query: Array,
    memories: Array,
    projection: Array | None,
    beta: Array,
    mask: Array | None,
    constants: Sequence[Array],
) -> tuple[Array, Array]:
    """Output ``[q, p]`` and log-sum-exp ``[q]``; ``projection`` None stands for the memories."""
    values = memories if projection is None else projection
    dtype = beta.dtype
    accumulate = jnp.promote_types(dtype, float_dtype(values))

    def step(carry: tuple[Array, Array, Array], block: Block) -> tuple[Array, Array, Array]:
        largest, total, output = carry
        scores = score(query, block.rows(memories), *constants)
        present = block.present(mask)
        logits = _logits(scores, beta, present)
        new = jnp.maximum(largest, jnp.max(logits, axis=-1))
        shift = jnp.where(new == -jnp.inf, 0, new)  # -inf - -inf is NaN
        weights = jnp.exp(logits - shift[:, None])
        decay = jnp.exp(largest - shift)
        value_rows = present_rows(block.rows(values), present)
        retrieved = jnp.matmul(weights, value_rows, preferred_element_type=accumulate)
        total = decay * total + jnp.sum(weights, axis=-1)
        return new, total, decay[:, None] * output + retrieved

    # made from the query, which under shard_map has been declared to vary wherever scores do
    rows = (query.shape[0],)
    nothing = jnp.full_like(query, -jnp.inf, dtype=dtype, shape=rows)
    start = (
        nothing,
        jnp.zeros_like(nothing),
        jnp.zeros_like(query, dtype=accumulate, shape=(*rows, values.shape[1])),
    )
    largest, total, output = for_each_block(blocks, start, step)
    return _normalized(output, total, largest)


def _attend_forward(score: Score, blocks: Blocks, *arrays: Any) -> tuple[Any, Any]:
    output, logsumexp = _attend(score, blocks, *arrays)
    return (output, logsumexp), (arrays, output, logsumexp)


def _attend_backward(score: Score, blocks: Blocks, residuals: Any, cotangents: Any) -> Any:
    (query, memories, projection, beta, mask, constants), output, logsumexp = residuals
    gradient, gradient_logsumexp = cotangents
    values = memories if projection is None else projection
    # the weights' sum is fixed: what all of them have in common does not move them
    offset = jnp.sum(gradient * output, axis=-1) - gradient_logsumexp
    shift = jnp.where(logsumexp == -jnp.inf, 0, logsumexp)

    def step(carry: Any, block: Block) -> Any:
        d_query, d_memories, d_projection, d_beta, d_constants = carry
        present = block.present(mask)
        value_rows = present_rows(block.rows(values), present)
        scores, pull_back = jax.vjp(score, query, block.rows(memories), *constants)
        weights = jnp.exp(_logits(scores, beta, present) - shift[:, None])
        d_values = jnp.matmul(weights.T, gradient, preferred_element_type=gradient.dtype)
        d_weights = jnp.matmul(gradient, value_rows.T, preferred_element_type=gradient.dtype)
        d_logits = (weights * (d_weights - offset[:, None])).astype(scores.dtype)
        d_rows, d_block, *d_closed = pull_back(d_logits * beta[:, None].astype(scores.dtype))
        if d_query is not None:
            d_query = d_query + d_rows.astype(d_query.dtype)
        if d_memories is not None:
            d_block = d_block + d_values if projection is None else d_block
            d_memories = block.add(d_memories, d_block)
        if d_projection is not None:
            d_projection = block.add(d_projection, d_values)
        return (
            d_query,
            d_memories,
            d_projection,
            d_beta + jnp.sum(jnp.where(weights == 0, 0, d_logits * scores), axis=-1),
            tuple(total + part for total, part in zip(d_constants, d_closed, strict=True)),
        )

    start = (
        _slope(query, float_dtype(query)),
        _slope(memories),
        _slope(projection),
        _slope(beta),
        tuple(jnp.zeros_like(constant) for constant in constants),
    )
    d_query, *d_arrays, d_constants = for_each_block(blocks, start, step)
    d_query = None if d_query is None else d_query.astype(query.dtype)
    return d_query, *d_arrays, None, d_constants


_attend.defvjp(_attend_forward, _attend_backward)


def _slope(array: Array | None, dtype: Any = None) -> Array | None:
    """Zeros to add a derivative to; None where there is none, as of whole numbers."""
    if array is None or not jnp.issubdtype(array.dtype, jnp.floating):
        return None
    return jnp.zeros_like(array, dtype=dtype)


def _logits(scores: Array, beta: Array, present: Array | None) -> Array:
    logits = scores * beta[:, None].astype(scores.dtype)
    return logits if present is None else jnp.where(present, logits, -jnp.inf)


def _merge_devices(output: Array, logsumexp: Array, axis_name: AxisName) -> tuple[Array, Array]:
    """Weigh each device's retrieval by its share of the softmax's denominator."""
    largest = jax.lax.pmax(jax.lax.stop_gradient(logsumexp), axis_name)
    largest = jnp.where(largest == -jnp.inf, 0, largest)
    share = jnp.exp(logsumexp - largest)
    total = jax.lax.psum(share, axis_name)
    output = jax.lax.psum(share[:, None] * output, axis_name)
    return _normalized(output, total, largest)


def _normalized(output: Array, total: Array, largest: Array) -> tuple[Array, Array]:
    """Output and log-sum-exp, 0 and −inf where no memory is there."""
    nothing = total == 0
    total = jnp.where(nothing, 1, total)
    return output / total[:, None], jnp.where(nothing, -jnp.inf, largest + jnp.log(total))
