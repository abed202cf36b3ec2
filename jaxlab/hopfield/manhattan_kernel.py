"""Manhattan scores of all pairs as one Pallas kernel.

A sum of absolute differences is no matrix product: a matrix unit cannot help, and the work is bound
by how often operands and sums travel. The kernel keeps a tile ``[queries, memories]`` of sums close
to the arithmetic while it walks over all features once, and writes it once. Both operands come
transposed, so that one feature of a tile is a contiguous row.

The jnp form, :func:`jaxlab.hopfield.similarity.manhattan`, is its reference and the faster of the
two on CPU, where the kernel is interpreted. On an NVIDIA H200 (64 queries, 50,000 memories of 784
features; ``tests/benchmarks/accelerator.md``) the kernel takes a seventeenth of its time. It is
lowered for TPU (Mosaic) and CUDA (Triton) in the tests; its tile sizes have not been tuned.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.hopfield._declare import NONPOSITIVE, float_dtype, similarity_function
from jaxlab.hopfield.similarity import manhattan
from jaxlab.varying import vary_like

__all__ = ["manhattan_scores"]

FEATURES = 4096  # of one pass: its operands' tiles, twice, fit the fast memory of a TPU core
TPU_TILE = 128  # the lane width
GPU_TILE = 64  # 4096 sums are 32 registers for each of 128 threads


@similarity_function(NONPOSITIVE)
def manhattan_scores(
    query: Float[Array, "*b d"], memories: Float[Array, "n d"]
) -> Float[Array, "*b n"]:
    """Negated Manhattan distance ``s_j = −Σ_i |q_i − m_ji|`` by a Pallas kernel.

    A similarity like :func:`~jaxlab.hopfield.similarity.manhattan`, with the same values up to the
    order of summation, and its derivatives. Compiled on GPU and TPU, interpreted on CPU,
    where ``jax.shard_map`` needs ``check_vma=False`` for it.

    Args:
        query: query patterns.
        memories: stored patterns.

    Returns:
        Scores at most 0, accumulated in float32 or wider.

    Raises:
        ValueError: the feature sizes differ, the bank is empty, or a dtype is not floating.

    Cost:
        ``3 Q n d`` operations; transposed copies of both operands beside the scores. Queries and
        memories are padded to tiles of 128 (TPU) or 64 (GPU), so few queries waste most of it.

    Source:
        None in the paper.

    Example:
        >>> manhattan_scores(jnp.array([0.75, 0.25]), jnp.eye(2))
        Array([-0.5, -1.5], dtype=float32)
    """
    rows = query.reshape(math.prod(query.shape[:-1]), query.shape[-1])
    if rows.shape[0] == 0:
        return jnp.zeros((*query.shape[:-1], memories.shape[0]), float_dtype(query, memories))
    return _scores(rows, memories).reshape(*query.shape[:-1], memories.shape[0])


@jax.custom_jvp
def _scores(query: Array, memories: Array) -> Array:
    dtype = float_dtype(query, memories)
    total = jnp.zeros((), dtype)
    for first in range(0, query.shape[1], FEATURES):
        features = slice(first, first + FEATURES)
        operands = [x[:, features].astype(dtype).T for x in (query, memories)]
        total += jax.lax.platform_dependent(
            *operands,
            cpu=functools.partial(_tiled, tile=TPU_TILE, interpret=True),
            tpu=functools.partial(_tiled, tile=TPU_TILE),
            default=_tiled_for_gpu,
        )
    return -total


@_scores.defjvp
def _scores_jvp(primals: Any, tangents: Any) -> tuple[Array, Array]:
    # the scores are piecewise linear; the reference has the derivative, and XLA drops its value
    return _scores(*primals), jax.jvp(manhattan, primals, tangents)[1]


def _tiled_for_gpu(query: Array, memories: Array) -> Array:
    from jax.experimental.pallas import triton  # slow to import

    return _tiled(query, memories, tile=GPU_TILE, compiler_params=triton.CompilerParams())


def _tiled(query: Array, memories: Array, *, tile: int, **options: Any) -> Array:
    """Distances ``[q, n]`` of ``query [d, q]`` and ``memories [d, n]``, tile by tile."""
    from jax.experimental import pallas as pl  # slow to import

    features = query.shape[0]
    sizes = query.shape[1], memories.shape[1]
    tiles = tuple(math.ceil(size / tile) for size in sizes)
    padded = [
        jnp.pad(x, ((0, 0), (0, count * tile - x.shape[1])))
        for x, count in zip(vary_like((query, memories)), tiles, strict=True)
    ]
    shape = jax.ShapeDtypeStruct(
        tuple(count * tile for count in tiles),
        query.dtype,
        manual_axis_type=jax.typeof(padded[0]).manual_axis_type,
    )
    distances = pl.pallas_call(
        _accumulate,
        grid=tiles,
        in_specs=[
            pl.BlockSpec((features, tile), lambda row, column: (0, row)),
            pl.BlockSpec((features, tile), lambda row, column: (0, column)),
        ],
        out_specs=pl.BlockSpec((tile, tile), lambda row, column: (row, column)),
        out_shape=shape,
        **options,
    )(*padded)
    return distances[: sizes[0], : sizes[1]]


def _accumulate(query: Any, memories: Any, distances: Any) -> None:
    """One tile: references to ``[d, tile]``, ``[d, tile]`` and ``[tile, tile]``."""

    def add(feature: Array, total: Array) -> Array:
        return total + jnp.abs(query[feature, :][:, None] - memories[feature, :][None, :])

    start = jnp.zeros(distances.shape, distances.dtype)
    distances[...] = jax.lax.fori_loop(0, query.shape[0], add, start)
