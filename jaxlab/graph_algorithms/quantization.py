"""Floating costs as integers, for exact and fast solvers."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

from jaxlab.checks import check_dtype, check_integer, require

__all__ = ["QuantizedCosts", "quantize_costs"]


class QuantizedCosts(NamedTuple):
    """Integers that stand for costs, ``c ≈ offset + scale · cost``.

    Attributes:
        cost: integers from 0 to ``2^bits − 1``.
        scale: what one of them is worth.
        offset: what 0 stands for.
    """

    cost: Int32[Array, "*s n m"]
    scale: Float[Array, ""]
    offset: Float[Array, ""]


def quantize_costs(cost: Float[Array, "*s n m"], bits: int = 20) -> QuantizedCosts:
    """Round costs to ``2^bits`` equally spaced values between the least and the largest.

    Each is off by at most half of ``scale`` and ``4 ε max |c|`` for rounding errors, so an
    assignment that is optimal for the integers costs at most ``n (scale + 8 ε max |c|)`` more than
    the optimum does. In float32 the two parts are alike at some 20 bits.

    Args:
        cost: of the edges, of one problem or a stack that shares the scale. Entries that are not
            finite become ``2^bits − 1`` and must be masked.
        bits: of the integers; packed keys for ``n`` columns leave ``29 − ⌈log2 n⌉``.

    Returns:
        Integers, scale and offset.

    Raises:
        ValueError: costs that are not floats or not a matrix; ``bits`` outside 1 to 24.

    Cost:
        O(n m).

    Example:
        >>> quantized = quantize_costs(jnp.array([[0.5, 1.0], [2.0, 1.5]]), bits=2)
        >>> quantized.cost.tolist(), float(quantized.scale), float(quantized.offset)
        ([[0, 1], [3, 2]], 0.5, 0.5)
    """
    check_dtype("cost", cost, "floating")
    require(jnp.ndim(cost) >= 2, "cost", cost, "a matrix")
    check_integer("bits", bits, minimum=1)
    require(bits <= 24, "bits", bits, "at most 24, which is what float32 tells apart")
    cost = cost.astype(jnp.promote_types(cost.dtype, jnp.float32))
    finite = jnp.isfinite(cost)
    low = jnp.min(jnp.where(finite, cost, jnp.inf), initial=jnp.inf)
    high = jnp.max(jnp.where(finite, cost, -jnp.inf), initial=-jnp.inf)
    steps = 2**bits - 1
    some = high > low
    # halves, since the difference of large costs is infinite
    half = jnp.maximum((high / 2 - low / 2) / steps, jnp.finfo(cost.dtype).tiny)
    half = jnp.where(some, half, 0.5)
    offset = jnp.where(jnp.isfinite(low), low, 0)
    levels = jnp.where(finite, jnp.round((cost / 2 - offset / 2) / half), steps)
    return QuantizedCosts(jnp.clip(levels, 0, steps).astype(jnp.int32), 2 * half, offset)
