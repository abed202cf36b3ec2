"""Loops of few turns, without a loop.

XLA on CPUs brings convolutions into the form that it is fast at, by an order of magnitude, outside
of loops only. What runs once needs no loop; what runs a few times can be unrolled, at the price of
memory, since the turns then stand side by side.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

__all__ = ["accumulate", "map_in_turns"]

UNROLLED = 8


def map_in_turns(
    function: Callable[[Array], Array], xs: Array, batch: int, *, unroll: bool = False
) -> Array:
    """``function`` over the entries of ``xs``, ``batch`` of them at once."""
    turns = -(-xs.size // batch)
    if 0 < turns <= (UNROLLED if unroll else 1):
        parts = [xs[start : start + batch] for start in range(0, xs.size, batch)]
        together = jax.jit(jax.vmap(function))  # traced once
        return jnp.concatenate([together(part) for part in parts])
    return jax.lax.map(function, xs, batch_size=batch)


def accumulate(function: Callable[[PyTree, Array], PyTree], total: PyTree, xs: Array) -> Any:
    """``total ← function(total, x)`` for each ``x`` in turn."""
    if xs.size == 1:
        return function(total, xs[0])
    return jax.lax.scan(lambda total, x: (function(total, x), None), total, xs)[0]
