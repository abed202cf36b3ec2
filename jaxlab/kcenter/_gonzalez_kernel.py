"""Farthest-first traversal with one pass over the points for every pick, as a Pallas kernel.

A step is bound by memory. The kernel reads a block of coordinates once, and with it the block's
values and labels; it writes these anew, with the block's largest value. The jnp form computes the
maximum in a second pass; on an NVIDIA H200 (a million points in four dimensions, 32 centers;
``tests/benchmarks/accelerator.md``) XLA fuses it so well that both take the same time. The kernel
is lowered for TPU (Mosaic) and CUDA (Triton) in the tests; its block size has not been tuned.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.kcenter._order import Order
from jaxlab.kcenter.metrics import type_of_sums
from jaxlab.varying import vary_like

__all__ = ["traverse_by_kernel"]

BLOCK = 1024
TILE = 128  # least width of what a TPU core writes


def traverse_by_kernel(points: Array, k: int, first: Array, present: Array) -> Order:
    """Farthest-first order by squared Euclidean distances."""
    n = points.shape[0]
    blocks = -(-n // BLOCK)
    padding = blocks * BLOCK - n
    coordinates = jnp.pad(points, ((0, padding), (0, 0))).T
    value = jnp.where(present, jnp.asarray(jnp.inf, points.dtype), -1)
    value = jnp.pad(value, (0, padding), constant_values=-1)

    def step(i: Array, state: tuple[Array, Array, Order]) -> tuple[Array, Array, Order]:
        value, pick, order = state
        chosen = jnp.maximum(pick, 0)
        center = jax.lax.dynamic_slice_in_dim(coordinates, chosen, 1, axis=1)
        counter = jnp.where(pick >= 0, jnp.stack([i, pick]), -1).astype(jnp.int32)[None]
        value, labels, largest = jax.lax.platform_dependent(
            coordinates,
            center,
            counter,
            value[None],
            order.labels[None],
            cpu=functools.partial(_pass, interpret=True),
            tpu=_pass,
            default=_pass_on_gpu,
        )
        value, labels, largest = value[0], labels[0], largest[0, ::TILE]
        block = jnp.argmax(largest).astype(jnp.int32)
        within = jax.lax.dynamic_slice_in_dim(value, block * BLOCK, BLOCK)
        far = block * BLOCK + jnp.argmax(within).astype(jnp.int32)
        order = order.record(i, pick, value[far], far, labels[far])._replace(labels=labels)
        return value, jnp.where(value[far] >= 0, far, -1), order

    pick = jnp.where(present[first], first, -1)
    state = value, pick, Order.empty(k, value, pick)
    value, _, order = jax.lax.fori_loop(0, k, step, state)
    return order._replace(values=jnp.maximum(value[:n], 0), labels=order.labels[:n])


def _pass_on_gpu(*operands: Array) -> Any:
    from jax.experimental.pallas import triton  # slow to import

    return _pass(*operands, compiler_params=triton.CompilerParams())


def _pass(
    coordinates: Array, center: Array, counter: Array, value: Array, labels: Array, **options: Any
) -> Any:
    """New values and labels, and the largest value of each block, repeated in a tile."""
    from jax.experimental import pallas as pl  # slow to import

    operands = vary_like((coordinates, center, counter, value, labels))
    kind = jax.typeof(operands[0]).manual_axis_type
    shape = functools.partial(jax.ShapeDtypeStruct, manual_axis_type=kind)
    d, n = coordinates.shape
    of_points = pl.BlockSpec((1, BLOCK), lambda block: (0, block))
    return pl.pallas_call(
        _step,
        grid=(n // BLOCK,),
        in_specs=[
            pl.BlockSpec((d, BLOCK), lambda block: (0, block)),
            pl.BlockSpec((d, 1), lambda block: (0, 0)),
            pl.BlockSpec((1, 2), lambda block: (0, 0)),
            of_points,
            of_points,
        ],
        out_specs=[of_points, of_points, pl.BlockSpec((1, TILE), lambda block: (0, block))],
        out_shape=[
            shape(value.shape, value.dtype),
            shape(labels.shape, labels.dtype),
            shape((1, n // BLOCK * TILE), value.dtype),
        ],
        **options,
    )(*operands)


def _step(
    coordinates: Any,
    center: Any,
    counter: Any,
    value: Any,
    labels: Any,
    new_value: Any,
    new_labels: Any,
    largest: Any,
) -> None:
    """One block: references to ``[d, block]``, ``[d, 1]``, ``[1, 2]`` and rows of the block."""
    from jax.experimental import pallas as pl  # slow to import

    old = value[...]
    kind = type_of_sums(old)

    def add(feature: Array, total: Array) -> Array:
        one = pl.ds(feature, 1)
        return total + jnp.square(coordinates[one, :].astype(kind) - center[one, :].astype(kind))

    zeros = jnp.zeros(old.shape, kind)
    squares = jax.lax.fori_loop(0, coordinates.shape[0], add, zeros).astype(old.dtype)
    number, pick = counter[:, 0:1], counter[:, 1:2]
    closer = (number >= 0) & (squares < old)
    position = pl.program_id(0) * BLOCK + jax.lax.broadcasted_iota(jnp.int32, old.shape, 1)
    picked = position == pick
    updated = jnp.where(picked, -1, jnp.where(closer, squares, old)).astype(old.dtype)
    new_value[...] = updated
    # at an infinite distance from the picks so far it is nearest to the first of them
    first = (number >= 0) & (labels[...] < 0) & (old >= 0)
    new_labels[...] = jnp.where(picked | closer | first, number, labels[...])
    # one axis at a time: Triton's lowering of a maximum over two flattens the block
    largest[...] = jnp.broadcast_to(jnp.max(updated, axis=1, keepdims=True), largest.shape)
