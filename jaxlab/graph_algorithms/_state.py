"""What the exact solvers share: the state they advance, and the numbers of their dtypes."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int32, Num

__all__ = ["State", "Work", "at", "column_bits", "far", "put", "tolerance"]


class State(NamedTuple):
    """Feasible duals of a square problem, and a matching of tight edges."""

    u: Num[Array, " n"]
    v: Num[Array, " n"]
    col_for_row: Int32[Array, " n"]
    row_for_col: Int32[Array, " n"]


class Work(NamedTuple):
    """What a solver counted, int32 scalars, and whether it met its limit on steps."""

    augmentations: Int32[Array, ""]
    steps: Int32[Array, ""]
    phases: Int32[Array, ""]
    rounds: Int32[Array, ""]
    limited: Array


def column_bits(n: int) -> int:
    """Bits that number ``n`` columns, at least one."""
    return max(1, (n - 1).bit_length())


def far(dtype: jnp.dtype) -> int | float:
    """A distance above all that are allowed; twice as much still fits."""
    if jnp.issubdtype(dtype, jnp.floating):
        return jnp.inf
    return 2 ** (jnp.iinfo(dtype).bits - 2)


def tolerance(cost: Num[Array, "n m"]) -> Num[Array, ""] | int:
    """Reduced costs up to this count as zero: rounding errors of floats, nothing for integers."""
    if not jnp.issubdtype(cost.dtype, jnp.floating):
        return 0
    sizes = jnp.where(jnp.isfinite(cost), jnp.abs(cost), 0)
    return 16 * jnp.finfo(cost.dtype).eps * jnp.max(sizes, initial=0)


def at(x: Array, index: Array) -> Array:
    """``x[index]`` for one index in bounds: a slice, which fuses where a gather would not."""
    return jax.lax.dynamic_index_in_dim(x, index, keepdims=False)


def put(x: Array, index: Array, value: Array) -> Array:
    """``x`` with ``x[index] = value`` for one index in bounds."""
    return jax.lax.dynamic_update_index_in_dim(x, value, index, 0)
