"""Compare every query with every memory, feature by feature, without ever holding ``[Q, n, d]``.

What is not a matrix product (Manhattan, Minkowski, Chebyshev, Jensen-Shannon, Hamming) goes through
:func:`pairwise`. It walks over tiles of queries and memories, and inside a tile over chunks of
features, accumulating a ``[queries, memories]`` tile that stays in the processor's cache. Memories
lie along the fast axis there, so that the compiler vectorises across them and needs no horizontal
sum; chunks are unrolled so that the accumulator is read and written once per chunk, not per
feature.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Num, Shaped

from jaxlab.hopfield._declare import float_dtype

CHUNK = 16  # features per step of the inner loop
QUERY_TILE = 256
TILE_ENTRIES = 2**16  # of the accumulator
BLOCK_ENTRIES = 2**20  # of one transposed block of memories

Term = Callable[[Array, Array], Array]


def pairwise(
    query: Shaped[Array, "*b d"],
    memories: Shaped[Array, "n d"],
    term: Term,
    combine: Callable[[Array, Array], Array] = jnp.add,
) -> Num[Array, "*b n"]:
    """``combine`` over the features ``i`` of ``term(query_i, memory_i)``, for all pairs.

    Args:
        query: the query patterns.
        memories: the stored patterns.
        term: elementwise function of two broadcasting arrays, which it gets in float32 or wider;
            of two integer arrays in their common integer dtype, so that large ones stay apart.
        combine: ``jnp.add`` or ``jnp.maximum``.

    Returns:
        One number per pair, accumulated in the dtype of ``term``'s result.

    Cost:
        ``Q n d`` terms; ``O(QUERY_TILE * tile + d * tile)`` memory beside the result. Reverse-mode
        differentiation computes each tile again instead of keeping its terms.
    """
    *batch, features = query.shape
    dtype = float_dtype(query, memories)
    common = jnp.promote_types(query.dtype, memories.dtype)
    operands = dtype if jnp.issubdtype(common, jnp.floating) else common
    if query.size == 0:
        return jnp.zeros((*batch, memories.shape[0]), dtype)
    rows = query.reshape(-1, features)
    height = min(rows.shape[0], QUERY_TILE)
    width = max(min(TILE_ENTRIES // height, BLOCK_ENTRIES // features), CHUNK)

    def tile(queries: Array, block: Array) -> Array:
        return _accumulate(queries.astype(operands).T, block.astype(operands).T, term, combine)

    tile = jax.checkpoint(tile)

    def row(queries: Array) -> Array:
        def column(block: Array) -> Array:
            return tile(queries, block).T

        return _map_blocks(column, memories, width).T

    return _map_blocks(row, rows, height).reshape(*batch, memories.shape[0])


def _map_blocks(function: Callable[[Array], Array], rows: Array, size: int) -> Array:
    """``function`` of consecutive blocks of at most ``size`` rows, joined on axis 0.

    The blocks are of one size, with fewer rows of padding than there are blocks, so that
    ``function`` is compiled once.
    """
    count = rows.shape[0]
    blocks = -(-count // size)
    if blocks <= 1:
        return function(rows)
    size = -(-count // blocks)
    padded = jnp.pad(rows, [(0, blocks * size - count), (0, 0)])
    results = jax.lax.map(function, padded.reshape(blocks, size, -1))
    return results.reshape(blocks * size, -1)[:count]


def _accumulate(queries: Array, block: Array, term: Term, combine: Term) -> Array:
    """The tile ``[q, m]`` of ``queries [d, q]`` against ``block [d, m]``."""
    features = queries.shape[0]

    def chunk(left: Array, right: Array) -> Array:
        return _fold(combine, term(left[:, :, None], right[:, None, :]))

    # the first chunk takes the remainder and starts the carry, so that the carry is derived from
    # the data (under shard_map it must vary over the same mesh axes)
    first = features % CHUNK or min(features, CHUNK)
    start = chunk(queries[:first], block[:first])
    if features == first:
        return start

    @jax.checkpoint
    def step(total: Array, pair: tuple[Array, Array]) -> tuple[Array, None]:
        return combine(total, chunk(*pair)), None

    chunks = [x[first:].reshape(-1, CHUNK, x.shape[1]) for x in (queries, block)]
    return jax.lax.scan(step, start, tuple(chunks))[0]


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _fold(combine: Term, terms: Array) -> Array:
    """``combine`` over the first axis, written out so that it fuses with what makes ``terms``."""
    return functools.reduce(combine, list(terms))


@_fold.defjvp
def _fold_jvp(combine: Term, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    """As one reduction: compiled in a fraction of the time of the derivative of ``_fold``."""
    reduce: Callable[..., Array] = jnp.sum if combine is jnp.add else jnp.max
    return jax.jvp(lambda terms: reduce(terms, axis=0), primals, tangents)
