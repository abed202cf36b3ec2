"""What the exact solvers share: the state they advance, and the numbers of their dtypes."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32, Num

from jaxlab.graph_algorithms.types import Duals

__all__ = [
    "State",
    "Work",
    "at",
    "column_bits",
    "far",
    "proof_tolerance",
    "put",
    "small_unit",
    "tolerance",
]


class State(NamedTuple):
    """Feasible duals, and a matching of tight edges."""

    u: Num[Array, " n"]
    v: Num[Array, " m"]
    col_for_row: Int32[Array, " n"]
    row_for_col: Int32[Array, " m"]


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


def tolerance(cost: Num[Array, "n m"], duals: Duals) -> Num[Array, "n m"] | int:
    """Up to this a reduced cost counts as zero: rounding errors of floats, nothing for integers.

    One for each edge: a large cost elsewhere must not hide what small ones differ by.
    """
    if not jnp.issubdtype(cost.dtype, jnp.floating):
        return 0
    sizes = jnp.abs(cost) + jnp.abs(duals.row)[:, None] + jnp.abs(duals.col)
    return 16 * jnp.finfo(cost.dtype).eps * sizes


def proof_tolerance(
    each: Num[Array, "n m"] | int, matched: Bool[Array, " n"], column: Int32[Array, " n"]
) -> tuple[Num[Array, "n m"] | int, Num[Array, ""] | int]:
    """Of a proof: what matched edges may be off by, the worst of them, and any edge besides it."""
    if isinstance(each, int):
        return 0, 0
    worst = jnp.max(jnp.where(matched, each[jnp.arange(each.shape[0]), column], 0))
    return each + worst, worst


def small_unit(largest: Num[Array, ""]) -> Num[Array, ""]:
    """The power of two that numbers up to ``largest`` are divided by; 1 for those above 1."""
    _, exponent = jnp.frexp(jnp.where(largest > 0, largest, 1))
    least = jnp.finfo(largest.dtype).minexp
    return jnp.ldexp(jnp.ones_like(largest), jnp.clip(exponent, least, 0))


def at(x: Array, index: Array) -> Array:
    """``x[index]`` for one index in bounds: a slice, which fuses where a gather would not."""
    return jax.lax.dynamic_index_in_dim(x, index, keepdims=False)


def put(x: Array, index: Array, value: Array) -> Array:
    """``x`` with ``x[index] = value`` for one index in bounds."""
    return jax.lax.dynamic_update_index_in_dim(x, value, index, 0)
