"""Compare every query with every memory, feature by feature, without ever holding ``[Q, n, d]``.

What is not a matrix product (Manhattan, Minkowski, Chebyshev, Jensen-Shannon, Hamming) goes through
:func:`pairwise`. It walks over tiles of queries and memories, and inside a tile over chunks of
features, accumulating a ``[queries, memories]`` tile that stays in the processor's cache. Memories
lie along the fast axis there, so that the compiler vectorises across them and needs no horizontal
sum; chunks are unrolled so that the accumulator is read and written once per chunk, not per
feature.
"""

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
        term: elementwise function of two broadcasting arrays.
        combine: associative and commutative, such as ``jnp.add`` or ``jnp.maximum``.

    Returns:
        One number per pair, accumulated in float32 or wider.

    Cost:
        ``Q n d`` terms; ``O(QUERY_TILE * tile + d * tile)`` memory beside the result. Reverse-mode
        differentiation computes each tile again instead of keeping its terms.
    """
    *batch, features = query.shape
    dtype = float_dtype(query, memories)
    rows = query.reshape(-1, features)
    height = min(max(rows.shape[0], 1), QUERY_TILE)
    width = max(min(TILE_ENTRIES // height, BLOCK_ENTRIES // features), CHUNK)

    def tile(queries: Array, block: Array) -> Array:
        return _accumulate(queries.astype(dtype).T, block.astype(dtype).T, term, combine)

    tile = jax.checkpoint(tile)

    def row(queries: Array) -> Array:
        def column(block: Array) -> Array:
            return tile(queries, block).T

        return _map_blocks(column, memories, width).T

    return _map_blocks(row, rows, height).reshape(*batch, memories.shape[0])


def _map_blocks(function: Callable[[Array], Array], rows: Array, size: int) -> Array:
    """``function`` of consecutive blocks of ``rows``, a shorter one last, joined on axis 0."""
    whole = rows.shape[0] // size
    if whole <= 1 and rows.shape[0] == whole * size:
        return function(rows)
    parts = []
    if whole:
        blocks = rows[: whole * size].reshape(whole, size, *rows.shape[1:])
        results = jax.lax.map(function, blocks)
        parts.append(results.reshape(whole * size, *results.shape[2:]))
    if rows.shape[0] > whole * size:
        parts.append(function(rows[whole * size :]))
    return jnp.concatenate(parts) if len(parts) > 1 else parts[0]


def _accumulate(queries: Array, block: Array, term: Term, combine: Term) -> Array:
    """The tile ``[q, m]`` of ``queries [d, q]`` against ``block [d, m]``."""
    features = queries.shape[0]

    def chunk(left: Array, right: Array) -> Array:
        total = term(left[0][:, None], right[0][None, :])
        for feature in range(1, left.shape[0]):
            total = combine(total, term(left[feature][:, None], right[feature][None, :]))
        return total

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
