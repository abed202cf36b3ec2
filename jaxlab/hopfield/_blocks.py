"""How a bank of memories is walked over in blocks without being copied.

The ``n`` rows are cut into ``number`` blocks of one size. When that size does not divide ``n`` the
last block starts earlier, so that it ends with the last row; the rows it shares with the block
before are marked as not fresh and do not count twice. Padding the bank instead would cost a second
copy of it. Sizes are balanced, so that at most ``number - 1`` rows are visited twice.
"""

import math
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from jaxlab.checks import check_integer, require
from jaxlab.hopfield._declare import check_comparable, check_mask
from jaxlab.hopfield.types import Similarity

__all__ = ["Block", "Blocks", "check_blockable", "for_each_block"]

Carry = TypeVar("Carry")


class Block(NamedTuple):
    """One block of consecutive memories.

    Attributes:
        start: index of its first row, traced.
        size: its number of rows.
        fresh: rows that no earlier block has; None when that is all of them.
    """

    start: Array | int
    size: int
    fresh: Bool[Array, " block"] | None

    def rows(self, array: Array) -> Array:
        """The block's rows of an array over all memories."""
        if isinstance(self.start, int):
            return array[self.start : self.start + self.size]
        return jax.lax.dynamic_slice_in_dim(array, self.start, self.size)

    def add(self, array: Array, rows: Array) -> Array:
        """``array`` with ``rows`` added to the block's rows."""
        total = self.rows(array) + rows.astype(array.dtype)
        return jax.lax.dynamic_update_slice_in_dim(array, total, self.start, 0)

    def present(self, mask: Bool[Array, " n"] | None) -> Bool[Array, " block"] | None:
        """Which of the block's rows count; None when all do."""
        if mask is None:
            return self.fresh
        masked = self.rows(mask)
        return masked if self.fresh is None else masked & self.fresh


class Blocks(NamedTuple):
    """A partition of ``n`` memories: ``number`` blocks of ``size`` rows."""

    n: int
    size: int
    number: int

    @classmethod
    def of(cls, n: int, block_size: int) -> "Blocks":
        """The fewest blocks of at most ``block_size`` rows, as equal as they can be."""
        number = math.ceil(n / block_size)
        return cls(n, math.ceil(n / number), number)

    def block(self, index: Array | int) -> Block:
        """The block with number ``index``."""
        if self.size * self.number == self.n:
            return Block(index * self.size, self.size, None)
        start = jnp.minimum(index * self.size, self.n - self.size)
        fresh = start + jnp.arange(self.size) >= index * self.size
        return Block(start, self.size, fresh)


def for_each_block(blocks: Blocks, carry: Carry, step: Callable[[Carry, Block], Carry]) -> Carry:
    """Fold ``step`` over the blocks in order; a single block makes no loop."""
    if blocks.number == 1:
        return step(carry, blocks.block(0))

    def body(carry: Carry, index: Array) -> tuple[Carry, None]:
        return step(carry, blocks.block(index)), None

    return jax.lax.scan(body, carry, jnp.arange(blocks.number, dtype=jnp.int32))[0]


def check_blockable(
    query: Array, memories: Array, mask: Array | None, similarity: Similarity, block_size: int
) -> None:
    """Refuse what cannot be looked at block by block."""
    check_comparable(similarity, query, memories)
    check_integer("block_size", block_size, minimum=1)
    check_mask(mask, (memories.shape[0],))
    require(
        not getattr(similarity, "takes_where", False),
        "similarity",
        similarity,
        "one that scores each memory by itself, whatever the others are",
    )
