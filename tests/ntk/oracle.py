"""The kernel from its definition, and cases small enough to be computed by hand.

Jacobians come from ``jax.jacrev`` of the whole batch; everything after is numpy.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from tests.ntk.nets import NETS

__all__ = [
    "EXACT",
    "Exact",
    "brute_force",
    "from_jacobians",
    "jacobians",
    "net_jacobians",
    "net_kernel",
    "to_matrix",
]


def jacobians(apply_fn: Callable[..., Any], x: Any, params: Any) -> Any:
    """For every output leaf an array (output shape, P): derivatives by all parameters at once."""
    leaves, structure = jax.tree_util.tree_flatten(params)
    inexact = [jnp.issubdtype(np.asarray(leaf).dtype, jnp.floating) for leaf in leaves]

    def apply(trained):
        trained = iter(trained)
        merged = [
            next(trained) if is_inexact else leaf
            for leaf, is_inexact in zip(leaves, inexact, strict=True)
        ]
        return apply_fn(jax.tree_util.tree_unflatten(structure, merged), x)

    trained = [jnp.asarray(leaf) for leaf, keep in zip(leaves, inexact, strict=True) if keep]
    shapes = jax.eval_shape(apply, trained)
    # Compiled once and run once: XLA's optimisations cost more than they save.
    options = {"xla_backend_optimization_level": 0}
    jacobian = jax.jit(jax.jacrev(apply)).lower(trained).compile(options)(trained)

    def flatten(shape, blocks):
        return np.concatenate(
            [np.asarray(b, np.float64).reshape((*shape.shape, -1)) for b in blocks], -1
        )

    # Below each output leaf sits a list with one block per parameter leaf.
    return jax.tree_util.tree_map(flatten, shapes, jacobian)


def from_jacobians(
    j1: np.ndarray,
    j2: np.ndarray,
    trace_axes: tuple[int, ...] = (),
    diagonal_axes: tuple[int, ...] = (),
) -> np.ndarray:
    """``j1 j2ᵀ`` with axes zipped, then diagonals and means taken pair by pair."""
    ndim = j1.ndim - 1
    kernel = np.tensordot(j1, j2, (ndim, ndim))
    kernel = kernel.transpose([i + side for i in range(ndim) for side in (0, ndim)])
    trace = {axis % ndim for axis in trace_axes}
    diagonal = {axis % ndim for axis in diagonal_axes}
    for axis in reversed(range(ndim)):  # from the back: earlier pairs keep their positions
        if axis in trace:
            kernel = np.trace(kernel, axis1=2 * axis, axis2=2 * axis + 1) / j1.shape[axis]
        elif axis in diagonal:
            kernel = np.diagonal(kernel, axis1=2 * axis, axis2=2 * axis + 1)
            kernel = np.moveaxis(kernel, -1, 2 * axis)
    return kernel


def brute_force(
    apply_fn: Callable[..., Any],
    x1: Any,
    x2: Any,
    params: Any,
    trace_axes: tuple[int, ...] = (),
    diagonal_axes: tuple[int, ...] = (),
) -> Any:
    """Kernel of every output leaf in float64; ``x2=None`` means ``x2 = x1``."""
    j1 = jacobians(apply_fn, x1, params)
    j2 = j1 if x2 is None else jacobians(apply_fn, x2, params)
    return jax.tree_util.tree_map(
        lambda one, two: from_jacobians(one, two, trace_axes, diagonal_axes), j1, j2
    )


@functools.cache
def net_jacobians(name: str) -> tuple[Any, Any]:
    """Float64 Jacobians of a network of ``NETS`` on ``x1`` and on ``x2``, computed once."""
    net = NETS[name]
    with jax.enable_x64(True):
        if not net.independent:
            return tuple(jacobians(net.apply_fn, x, net.params) for x in (net.x1, net.x2))
        both = jax.tree_util.tree_map(lambda *xs: np.concatenate(xs), net.x1, net.x2)
        found = jacobians(net.apply_fn, both, net.params)
    return tuple(
        jax.tree_util.tree_map(lambda j, part=part: j[part], found)
        for part in (slice(0, 3), slice(3, 5))
    )


def net_kernel(
    name: str,
    trace_axes: tuple[int, ...] = (),
    diagonal_axes: tuple[int, ...] = (),
    symmetric: bool = False,
) -> Any:
    """Brute-force kernel of a network of ``NETS``: of ``x1`` with ``x2``, or with itself."""
    j1, j2 = net_jacobians(name)
    return jax.tree_util.tree_map(
        lambda one, two: from_jacobians(one, two, trace_axes, diagonal_axes),
        j1,
        j1 if symmetric else j2,
    )


def to_matrix(kernel: np.ndarray) -> np.ndarray:
    """A kernel without shared axes as ``(N1 O, N2 O)``, the first example's outputs first."""
    ndim = kernel.ndim // 2
    kernel = kernel.transpose([*range(0, 2 * ndim, 2), *range(1, 2 * ndim, 2)])
    return kernel.reshape(int(np.prod(kernel.shape[:ndim])), -1)


# --- Cases computed by hand --------------------------------------------------------------------


class Exact(NamedTuple):
    """Integers in, integers out.

    Attributes:
        apply_fn: ``(params, x) -> outputs``.
        params: float64 arrays with integer entries.
        x1: first batch.
        x2: second batch.
        out1: outputs on the first batch.
        out2: outputs on the second batch.
        kernel: kernel between the two, in the zipped convention.
        traced: kernel with ``trace_axes=(-1,)``.
    """

    apply_fn: Callable[..., Any]
    params: Any
    x1: np.ndarray
    x2: np.ndarray
    out1: np.ndarray
    out2: np.ndarray
    kernel: np.ndarray
    traced: np.ndarray


def _array(*rows: Any) -> np.ndarray:
    return np.array(rows, np.float64)


def _patch_products(params: Any, x: Any) -> Any:
    out = lax.conv_general_dilated(
        x, params, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return out.reshape(x.shape[0], 4)


_IMAGE = (np.arange(16.0) % 5).reshape(1, 4, 4, 1)

EXACT: dict[str, Exact] = {
    "mlp": Exact(
        lambda params, x: jax.nn.relu(x @ params["w1"]) @ params["w2"],
        {"w1": _array([1, 2], [-1, 1]), "w2": _array([1, 0, 2], [3, -1, 1])},
        _array([2, 1], [1, -1]),
        _array([1, 3]),
        _array([16, -5, 7], [5, -1, 5]),
        _array([15, -5, 5]),
        _array(
            [[[70, -15, 15], [-15, 30, -5], [15, -5, 30]]],
            [[[-13, 6, -6], [6, 3, 2], [-6, 2, 3]]],
        ),
        _array([130 / 3], [-7 / 3]),
    ),
    # Gram matrix of the four patches.
    "convolution": Exact(
        _patch_products,
        _array([1, 0, -1], [2, 1, 0], [0, 1, 1]).reshape(3, 3, 1, 1),
        _IMAGE,
        _IMAGE,
        _array([10, 0, 20, 10]),
        _array([10, 0, 20, 10]),
        _array([[[47, 22, 32, 47], [22, 36, 23, 22], [32, 23, 71, 32], [47, 22, 32, 47]]]),
        _array([(47 + 36 + 71 + 47) / 4]),
    ),
    "row_lookup": Exact(
        lambda params, x: params[x].sum(1) ** 2,
        _array([1, 0], [0, 2], [3, 1]),
        np.array([[0, 1, 1]], np.int32),
        np.array([[1, 2, 0]], np.int32),
        _array([1, 16]),
        _array([16, 9]),
        _array([[[48, 0], [0, 144]]]),
        _array([96]),
    ),
    # Both cross terms count, and the kernel is not symmetric in its outputs.
    "tied": Exact(
        lambda params, x: x @ params @ params.T,
        _array([1, 2], [0, 1]),
        _array([1, 1]),
        _array([2, -1]),
        _array([7, 3]),
        _array([8, 3]),
        _array([[[38, 16], [-2, 12]]]),
        _array([25]),
    ),
    "linear": Exact(
        lambda params, x: x @ params,
        _array([1, -2, 0], [3, 1, 1]),
        _array([1, 2], [0, 3]),
        _array([2, -1]),
        _array([7, 0, 2], [9, 3, 3]),
        _array([-1, -5, -1]),
        _array([0 * np.eye(3)], [-3 * np.eye(3)]),
        _array([0], [-3]),
    ),
}
