"""Loops over as many windows of a fixed width as there is work, and lists of what is marked."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.varying import vary_like

__all__ = ["PADDING", "at_most_once", "compact", "for_windows", "window"]

#: lists of edges end with so much padding, so that no window of them is cut off
PADDING = 1024
WORD = 32


def for_windows(
    start: Array, stop: Array, width: int, body: Callable[[Array, Any], Any], carry: Any
) -> Any:
    """``carry = body(position, carry)`` at ``start``, ``start + width``, … below ``stop``."""

    def step(state: tuple[Array, Any]) -> tuple[Array, Any]:
        position, carry = state
        return position + width, body(position, carry)

    state = vary_like((jnp.asarray(start, jnp.int32), carry), stop)
    return jax.lax.while_loop(lambda state: state[0] < stop, step, state)[1]


def window(array: Array, start: Array, width: int) -> Array:
    """``width`` entries from ``start`` on, which must be there: a slice near the end is moved."""
    return jax.lax.dynamic_slice_in_dim(array, start, width)


def at_most_once(needed: Array, body: Callable[[Any], Any], carry: Any) -> Any:
    """``body(carry)`` where ``needed``, else ``carry``.

    As a loop, this hands large arrays through without copying them where nothing is to be done, and
    under ``vmap`` the body does not run at all unless some lane needs it.
    """

    def once(state: tuple[Array, Any]) -> tuple[Array, Any]:
        return vary_like((jnp.zeros_like(needed), body(state[1])), state)

    return jax.lax.while_loop(lambda state: state[0], once, vary_like((needed, carry)))[1]


def compact(mask: Array, size: int) -> tuple[Array, Array]:
    """Indices of the first ``size`` entries that are set, then the mask's length; their number.

    Entries are packed into words and counted, so that the work on single indices grows with
    ``size`` and not with the length of the mask.
    """
    n = mask.shape[0]
    words_count = max(-(-n // WORD), 1)
    bits = jnp.pad(mask, (0, words_count * WORD - n)).reshape(words_count, WORD)
    weights = jnp.left_shift(jnp.uint32(1), jnp.arange(WORD, dtype=jnp.uint32))
    words = jnp.sum(jnp.where(bits, weights, 0), axis=1, dtype=jnp.uint32)
    counts = jax.lax.population_count(words).astype(jnp.int32)
    ends = jnp.cumsum(counts, dtype=jnp.int32)
    number = jnp.arange(size, dtype=jnp.int32)
    index = jnp.searchsorted(ends, number, side="right", method="scan_unrolled").astype(jnp.int32)
    index = jnp.minimum(index, words_count - 1)
    rank = number - (ends[index] - counts[index])
    word, bit = words[index], jnp.zeros(size, jnp.int32)
    for half in (16, 8, 4, 2, 1):  # the rank-th set bit of the word, by bisection
        low = word & jnp.uint32((1 << half) - 1)
        below = jax.lax.population_count(low).astype(jnp.int32)
        upper = rank >= below
        rank = jnp.where(upper, rank - below, rank)
        word = jnp.where(upper, word >> half, low)
        bit = jnp.where(upper, bit + half, bit)
    total = ends[-1]
    return jnp.where(number < total, index * WORD + bit, n), total
