"""How the axes of two outputs pair up in a kernel."""

import math
import string
from collections.abc import Collection
from typing import NamedTuple

from jaxlab.checks import check_integer, require

__all__ = ["Layout", "as_axes", "normalise_axes"]


class Layout(NamedTuple):
    """How the axes of two outputs pair up in the kernel.

    Attributes:
        ndim: axes of the output of the network, examples included.
        trace: axes that are contracted; the kernel is divided by their size.
        diagonal: axes that appear once.
        batch: axis that enumerates independent examples, or None when examples may interact.
    """

    ndim: int
    trace: tuple[int, ...] = ()
    diagonal: tuple[int, ...] = ()
    batch: int | None = None

    @classmethod
    def of(
        cls,
        ndim: int,
        trace_axes: tuple[int, ...],
        diagonal_axes: tuple[int, ...],
        batch: int | None = None,
    ) -> "Layout":
        """The layout for axes as users give them, refused where they do not fit."""
        trace = normalise_axes("trace_axes", trace_axes, ndim)
        diagonal = normalise_axes("diagonal_axes", diagonal_axes, ndim)
        both = set(trace) & set(diagonal)
        require(
            not both, "diagonal_axes", tuple(diagonal_axes), "no axis that is in trace_axes too"
        )
        return cls(ndim, trace, diagonal, batch)

    @property
    def left(self) -> str:
        """One letter for each output axis of the first side: ``abc…``."""
        return string.ascii_lowercase[: self.ndim]

    @property
    def right(self) -> str:
        """The same for the second side, ``ABC…``; a shared letter where the axes are shared."""
        shared = {*self.trace, *self.diagonal}
        return "".join(
            letter if axis in shared else letter.upper() for axis, letter in enumerate(self.left)
        )

    @property
    def result(self) -> str:
        """Letters of the kernel: axes zipped, first side first."""
        kept = ""
        for axis, (left, right) in enumerate(zip(self.left, self.right, strict=True)):
            if axis not in self.trace:
                kept += left if left == right else left + right
        return kept

    @property
    def mirror(self) -> tuple[int, ...]:
        """Order of the kernel's axes in which the two sides have changed places."""
        letters = self.result
        return tuple(
            letters.index(letter.swapcase()) if letter.swapcase() in letters else axis
            for axis, letter in enumerate(letters)
        )

    def traced_size(self, shape: tuple[int, ...]) -> int:
        """Number of entries that the trace averages over."""
        return math.prod(shape[axis] for axis in self.trace)

    def kernel_shape(self, shape1: tuple[int, ...], shape2: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the kernel between outputs of these shapes."""
        sizes = dict(zip(self.left, shape1, strict=True)) | dict(
            zip(self.right, shape2, strict=True)
        )
        return tuple(sizes[letter] for letter in self.result)


def as_axes(argument: str, axes: Collection[int]) -> tuple[int, ...]:
    """``axes`` as a tuple; a single axis, and what can be read once only, is refused."""
    require(isinstance(axes, Collection), argument, axes, "a tuple of axes")
    return tuple(axes)


def normalise_axes(argument: str, axes: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """``axes`` as sorted non-negative integers, refused when out of range or repeated."""
    axes, found = as_axes(argument, axes), []
    for axis in axes:
        check_integer(argument, axis)
        require(-ndim <= axis < ndim, argument, axis, f"an axis of an output with {ndim} axes")
        found.append(axis % ndim)
    require(len(set(found)) == len(found), argument, axes, "each axis at most once")
    return tuple(sorted(found))
