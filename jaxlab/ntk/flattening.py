"""Kernels as matrices and back, for linear algebra."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.checks import check_integer, check_shape, require

__all__ = ["flatten_kernel", "unflatten_kernel"]


def flatten_kernel(kernel: Float[Array, "..."]) -> Float[Array, "rows columns"]:
    """A kernel as a matrix: ``(N₁, N₂, o₁, o₁, …)`` becomes ``(N₁·o₁·…, N₂·o₁·…)``.

    Axes 0, 2, 4, … belong to the rows and axes 1, 3, 5, … to the columns, in this order: all
    outputs of the first example come first. Traced axes are absent from a kernel and so from the
    matrix. An axis in ``diagonal_axes`` appears once and belongs to neither: there is one matrix
    for each of its entries, ``jax.vmap(flatten_kernel, in_axes=axis)``.

    Args:
        kernel: array from :func:`jaxlab.ntk.ntk_fn` without diagonal axes.

    Returns:
        The matrix.

    Raises:
        ValueError: an odd number of axes, which a kernel with a diagonal axis has.

    Cost: one copy of the kernel.

    Example:
        >>> flatten_kernel(jnp.zeros((2, 3, 5, 5))).shape
        (10, 15)
    """
    shape = jnp.shape(kernel)
    require(
        len(shape) % 2 == 0,
        "kernel",
        kernel,
        "an even number of axes, two for each axis of the output (map over diagonal axes)",
    )
    order = (*range(0, len(shape), 2), *range(1, len(shape), 2))
    return jnp.transpose(kernel, order).reshape(math.prod(shape[::2]), math.prod(shape[1::2]))


def unflatten_kernel(
    matrix: Float[Array, "rows columns"],
    shape1: Sequence[int],
    shape2: Sequence[int] | None = None,
) -> Float[Array, "..."]:
    """The kernel of which ``matrix`` is the matrix: the inverse of :func:`flatten_kernel`.

    Args:
        matrix: ``(N₁·o₁·…, N₂·o₁·…)``.
        shape1: ``(N₁, o₁, …)``, the shape of the outputs on the first batch without traced axes.
        shape2: the same for the second batch; None means ``shape1``.

    Returns:
        Array of shape ``(N₁, N₂, o₁, o₁, …)``.

    Raises:
        ValueError: shapes of different lengths, or that do not multiply to those of ``matrix``.

    Cost: one copy of the kernel.

    Example:
        >>> unflatten_kernel(jnp.zeros((10, 15)), (2, 5), (3, 5)).shape
        (2, 3, 5, 5)
    """
    shape1 = tuple(shape1)
    shape2 = shape1 if shape2 is None else tuple(shape2)
    require(len(shape1) == len(shape2), "shape2", shape2, f"{len(shape1)} sizes, as in shape1")
    for size in (*shape1, *shape2):
        check_integer("shape1 and shape2", size, minimum=0)
    check_shape("matrix", matrix, (math.prod(shape1), math.prod(shape2)))
    ndim = len(shape1)
    order = [axis for pair in zip(range(ndim), range(ndim, 2 * ndim), strict=True) for axis in pair]
    return jnp.reshape(matrix, shape1 + shape2).transpose(order)
