"""Kernels as matrices, and targets as the rows that such a matrix acts on.

A kernel that lacks the axes ``trace_axes`` of the outputs stands for ``K ⊗ I`` over them: the axes
that it has are the rows, and every combination of the others is a column of its own.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.checks import check_dtype, require
from jaxlab.ntk._layout import normalise_axes
from jaxlab.ntk.flattening import flatten_kernel, unflatten_kernel

__all__ = ["Rows", "as_kernels", "as_matrix", "check_square", "matmul"]

matmul = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)


def as_matrix(argument: str, kernel: Array) -> Array:
    """The kernel as a matrix, examples slowest, in float32 or float64 (decompositions need it)."""
    kernel = jnp.asarray(kernel)
    check_dtype(argument, kernel, "floating")
    even = kernel.ndim > 0 and kernel.ndim % 2 == 0
    require(even, argument, kernel, "a kernel with axes in pairs, [N1, N2, o1, o1, ...]")
    return flatten_kernel(kernel).astype(jnp.promote_types(kernel.dtype, jnp.float32))


def as_kernels(matrices: Array, times: tuple[int, ...], kept: tuple[int, ...]) -> Array:
    """Matrices ``[T, m, m]`` as kernels with the axes ``times`` in front."""
    kernels = jax.vmap(lambda matrix: unflatten_kernel(matrix, kept))(matrices)
    return kernels.reshape(*times, *kernels.shape[1:])


def check_square(argument: str, kernel: Array) -> None:
    """Refuse a kernel that is not between a batch and itself."""
    same = kernel.shape[::2] == kernel.shape[1::2]
    require(same, argument, kernel, "a kernel of one batch with itself: equal axes in each pair")


class Rows(NamedTuple):
    """How outputs ``[N, ...]`` become rows, and the way back; hashable.

    Attributes:
        kept: sizes of the axes that the kernel has, examples among them.
        traced: sizes of those that it lacks.
        axes: which axes of the outputs those are, ascending.
    """

    kept: tuple[int, ...]
    traced: tuple[int, ...]
    axes: tuple[int, ...]

    @classmethod
    def of(
        cls, argument: str, y: Any, trace_axes: tuple[int, ...], size: int, dtype: Any
    ) -> tuple["Rows", Array]:
        """Rows for a train kernel with ``size`` rows that lacks ``trace_axes``; the targets."""
        y = jnp.asarray(y)
        real = not jnp.issubdtype(y.dtype, jnp.complexfloating)
        require(y.ndim > 0 and real, argument, y, "real targets [N, ...]")
        axes = normalise_axes("trace_axes", trace_axes, y.ndim)
        kept = tuple(n for axis, n in enumerate(y.shape) if axis not in axes)
        require(bool(kept), "trace_axes", tuple(trace_axes), "at least one axis not traced")
        rows = cls(kept, tuple(y.shape[axis] for axis in axes), axes)
        n = math.prod(kept)
        require(
            size == n,
            argument,
            y,
            f"{size} entries without the trace_axes {tuple(trace_axes)}, as the train kernel has "
            f"rows (got {n})",
        )
        return rows, rows.flatten(y).astype(dtype)

    def output_shape(self, kept: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """Shape of outputs whose kept axes have these sizes (by default those of the targets)."""
        sizes = list(self.kept if kept is None else kept)
        for axis, size in zip(self.axes, self.traced, strict=True):
            sizes.insert(axis, size)
        return tuple(sizes)

    def flatten(self, outputs: Array) -> Array:
        """Outputs, of any number of examples, as rows."""
        last = tuple(range(-len(self.axes), 0))
        kept = [size for axis, size in enumerate(outputs.shape) if axis not in self.axes]
        rows = jnp.moveaxis(outputs, self.axes, last)
        return rows.reshape(math.prod(kept), math.prod(self.traced))

    def restore(
        self, rows: Array, kept: tuple[int, ...] | None = None, times: tuple[int, ...] = ()
    ) -> Array:
        """Rows ``[T, n, c]`` (without times ``[n, c]``) as outputs ``[*times, N, ...]``."""
        kept = self.kept if kept is None else kept
        outputs = rows.reshape(*times, *kept, *self.traced)
        last = tuple(range(-len(self.axes), 0))
        return jnp.moveaxis(outputs, last, tuple(len(times) + axis for axis in self.axes))

    def test_matrix(self, argument: str, kernel: Any, dtype: Any) -> tuple[tuple[int, ...], Array]:
        """Sizes of the test outputs' kept axes, and the test-train kernel as a matrix."""
        require(kernel is not None, argument, None, "a kernel, to predict test outputs")
        kernel = jnp.asarray(kernel)
        matrix = as_matrix(argument, kernel)
        require(
            kernel.ndim == 2 * len(self.kept) and kernel.shape[1::2] == self.kept,
            argument,
            kernel,
            f"a kernel [M, N, ...] whose second axes have the sizes {self.kept} of y_train "
            "without its trace_axes",
        )
        return kernel.shape[::2], matrix.astype(dtype)

    def square_matrix(self, argument: str, kernel: Any, kept: tuple[int, ...], dtype: Any) -> Array:
        """The kernel between outputs with these kept axes as a matrix."""
        kernel = jnp.asarray(kernel)
        shape = tuple(size for size in kept for _ in range(2))
        require(kernel.shape == shape, argument, kernel, f"shape {list(shape)}")
        return as_matrix(argument, kernel).astype(dtype)

    def initial(
        self, argument: str, outputs: Any, dtype: Any, kept: tuple[int, ...] | None = None
    ) -> Array:
        """Outputs at time 0 as rows; a number stands for all of them."""
        shape = self.output_shape(kept)
        outputs = jnp.asarray(outputs)
        require(outputs.shape in ((), shape), argument, outputs, f"a number or {list(shape)}")
        return self.flatten(jnp.broadcast_to(outputs, shape)).astype(dtype)
