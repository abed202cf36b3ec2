"""Kernel functions of a network: neural tangent kernel and NNGP kernel.

:func:`ntk_fn` turns ``apply_fn(params, x)`` into ``kernel(x1, x2, params)``. Where the network's
outputs have shape ``(N, o₁, …)``, a kernel has shape ``(N₁, N₂, o₁, o₁, …)``: the axes of both
sides zipped, first batch first. :func:`jaxlab.ntk.flatten_kernel` makes the matrix of it.
"""

from collections.abc import Callable
from typing import Any, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.checks import check_choice, require
from jaxlab.ntk._implementations import IMPLEMENTATIONS
from jaxlab.ntk._layout import Layout
from jaxlab.ntk._options import check_get, check_options
from jaxlab.ntk._precision import at_precision, check_precision
from jaxlab.ntk._problem import Problem, prepare
from jaxlab.ntk.cost import cheapest, kernel_peak
from jaxlab.ntk.types import (
    ApplyFn,
    Implementation,
    KernelFn,
    Kernels,
    StructuredOptions,
    VmapAxes,
)

__all__ = ["kernel_fn", "nngp_fn", "ntk_fn"]


def ntk_fn(
    apply_fn: ApplyFn,
    *,
    trace_axes: tuple[int, ...] = (),
    diagonal_axes: tuple[int, ...] = (),
    vmap_axes: int | VmapAxes | None = None,
    implementation: Implementation = "structured",
    precision: str | None = "highest",
    options: StructuredOptions = StructuredOptions(),  # noqa: B008 (immutable)
) -> KernelFn:
    """The finite-width neural tangent kernel ``Θ(x₁, x₂) = ∂f(θ,x₁)/∂θ (∂f(θ,x₂)/∂θ)ᵀ``.

    Args:
        apply_fn: ``(params, x) -> outputs``, a network on a batch. ``x`` and the outputs may be
            PyTrees; each output array has a kernel of its own, without cross terms.
        trace_axes: axes of the output that are contracted; the kernel is divided by their size, so
            that it is a mean over them.
        diagonal_axes: axes of the output that appear once: entries off that diagonal are not
            computed. Negative axes count from the end; axis 0 is usually the examples.
        vmap_axes: axis of the examples in ``x`` and in the outputs, where examples do not interact
            (:func:`jaxlab.ntk.independence.check_independence` tests that); cheaper. None makes no
            assumption.
        implementation: "structured", "vector_products", "jacobian", or "auto" for the one with
            fewest operations; they differ in cost only.
        precision: of matrix products, as in ``jax.default_matmul_precision``; with less than
            "highest" the kernel need not be positive semi-definite. None leaves it to jax.
        options: how much work and memory a kernel may take.

    Returns:
        ``kernel(x1, x2, params)``; ``x2=None`` means ``x2 = x1`` and makes the kernel exactly
        symmetric. Shape ``(N₁, N₂, o₁, o₁, …)`` for outputs of shape ``(N, o₁, …)``; float32, or
        float64 where parameters are. Leaves of ``params`` that are not floating are constants.
        Compile it by ``jax.jit``: outside of it, its loops are compiled anew in every call.

    Raises:
        ValueError: an unknown implementation or precision; and when the kernel is traced: axes out
            of range, in both tuples or of unequal sizes, example axes that do not fit, parameters
            that cannot be differentiated, outputs that are not real arrays, an estimated peak of
            memory above ``options.memory_limit``, options that are not integers or too small, a
            network that reverse mode cannot differentiate; for "auto" also one with a ``while``
            loop that depends on no parameter, whose operations cannot be counted.

    Cost: "jacobian": ``NO[FP] + N²O²P`` operations and the memory of ``NO`` sets of parameters;
    "vector_products": ``N²O[FP]`` and ``options.column_batch`` sets; for "structured" see
    :mod:`jaxlab.ntk.structured`. Section 3 of the paper.

    Example:
        >>> def linear(w, x):
        ...     return x @ w
        >>> x1, x2 = jnp.array([[1.0, 2.0]]), jnp.array([[0.0, 3.0], [1.0, 1.0]])
        >>> kernel = ntk_fn(linear, trace_axes=(-1,), vmap_axes=0)
        >>> kernel(x1, x2, jnp.ones((2, 5))).tolist()
        [[6.0, 3.0]]
    """
    check_choice("implementation", implementation, get_args(Implementation))
    check_precision(precision)

    def kernel(x1: Any, x2: Any, params: Any) -> Any:
        check_options(options)
        with at_precision(precision):
            problems, structure = prepare(
                apply_fn,
                x1,
                x2,
                params,
                trace_axes=trace_axes,
                diagonal_axes=diagonal_axes,
                vmap_axes=vmap_axes,
            )
            kernels = [
                _ntk(problem, implementation, options, apply_fn, output)
                for output, problem in enumerate(problems)
            ]
        return jax.tree.unflatten(structure, kernels)

    return kernel


def nngp_fn(
    apply_fn: ApplyFn,
    *,
    trace_axes: tuple[int, ...] = (),
    diagonal_axes: tuple[int, ...] = (),
    precision: str | None = "highest",
) -> KernelFn:
    """The kernel of the outputs themselves, ``f(θ, x₁) f(θ, x₂)ᵀ``.

    Its mean over random parameters is the NNGP kernel of the network.

    Args:
        apply_fn: ``(params, x) -> outputs``, a network on a batch.
        trace_axes: axes of the output that are averaged over.
        diagonal_axes: axes of the output that appear once.
        precision: of matrix products.

    Returns:
        ``kernel(x1, x2, params)`` with the conventions of :func:`ntk_fn`.

    Raises:
        ValueError: as :func:`ntk_fn`.

    Cost: two forward passes and ``N²O²`` operations.

    Example:
        >>> def linear(w, x):
        ...     return x @ w
        >>> x = jnp.array([[1.0, 2.0], [0.0, 3.0]])
        >>> nngp_fn(linear, trace_axes=(-1,))(x, None, jnp.ones((2, 5))).tolist()
        [[9.0, 9.0], [9.0, 9.0]]
    """
    check_precision(precision)

    def outer(problem: Problem) -> Array:
        layout = problem.layout
        left = problem.apply(problem.leaves, problem.x1).astype(problem.dtype)
        right = left
        if not problem.symmetric:
            right = problem.apply(problem.leaves, problem.x2).astype(problem.dtype)
        product = jnp.einsum(f"{layout.left},{layout.right}->{layout.result}", left, right)
        product = product / max(1, layout.traced_size(problem.shape1))
        return _symmetrised(product, layout) if problem.symmetric else product

    def kernel(x1: Any, x2: Any, params: Any) -> Any:
        with at_precision(precision):
            problems, structure = prepare(
                apply_fn,
                x1,
                x2,
                params,
                trace_axes=trace_axes,
                diagonal_axes=diagonal_axes,
                vmap_axes=None,
            )
            kernels = [outer(problem) for problem in problems]
        return jax.tree.unflatten(structure, kernels)

    return kernel


def kernel_fn(
    apply_fn: ApplyFn,
    *,
    get: tuple[str, ...] = ("nngp", "ntk"),
    trace_axes: tuple[int, ...] = (),
    diagonal_axes: tuple[int, ...] = (),
    vmap_axes: int | VmapAxes | None = None,
    implementation: Implementation = "structured",
    precision: str | None = "highest",
    options: StructuredOptions = StructuredOptions(),  # noqa: B008 (immutable)
) -> Callable[..., Kernels]:
    """Both kernels of a network in one function.

    Args:
        apply_fn: ``(params, x) -> outputs``, a network on a batch.
        get: which kernels to compute: "nngp", "ntk" or both.
        trace_axes: axes of the output that are averaged over, in both kernels.
        diagonal_axes: axes of the output that appear once, in both kernels.
        vmap_axes: as in :func:`ntk_fn`.
        implementation: as in :func:`ntk_fn`.
        precision: as in :func:`ntk_fn`.
        options: as in :func:`ntk_fn`.

    Returns:
        ``kernels(x1, x2, params)``, which returns :class:`~jaxlab.ntk.types.Kernels`; the kernel
        that was not asked for is None.

    Raises:
        ValueError: an unknown or no kernel in ``get``; as :func:`ntk_fn`.

    Cost: that of :func:`ntk_fn` and :func:`nngp_fn`.

    Example:
        >>> def linear(w, x):
        ...     return x @ w
        >>> x = jnp.array([[1.0, 2.0]])
        >>> kernels = kernel_fn(linear, trace_axes=(-1,), vmap_axes=0)(x, None, jnp.ones((2, 5)))
        >>> kernels.nngp.tolist(), kernels.ntk.tolist()
        ([[9.0]], [[5.0]])
    """
    check_get(get)
    nngp = nngp_fn(
        apply_fn, trace_axes=trace_axes, diagonal_axes=diagonal_axes, precision=precision
    )
    ntk = ntk_fn(
        apply_fn,
        trace_axes=trace_axes,
        diagonal_axes=diagonal_axes,
        vmap_axes=vmap_axes,
        implementation=implementation,
        precision=precision,
        options=options,
    )

    def kernels(x1: Any, x2: Any, params: Any) -> Kernels:
        return Kernels(
            nngp=nngp(x1, x2, params) if "nngp" in get else None,
            ntk=ntk(x1, x2, params) if "ntk" in get else None,
        )

    return kernels


def _ntk(
    problem: Problem,
    implementation: str,
    options: StructuredOptions,
    apply_fn: ApplyFn,
    output: int,
) -> Array:
    """The kernel of one output array, number ``output`` of ``apply_fn``."""
    if 0 in problem.shape1 + problem.shape2:
        return jnp.zeros(problem.kernel_shape, problem.dtype)
    try:
        if implementation == "auto":
            implementation = cheapest(problem, options, apply_fn=apply_fn, output=output)
        elif options.memory_limit is not None:
            _check_memory(problem, implementation, options)
        kernel = IMPLEMENTATIONS[implementation](problem, options)
    except ValueError as error:
        if "Reverse-mode differentiation does not work" not in str(error):
            raise
        raise ValueError(
            "apply_fn: expected a network that reverse mode can differentiate, got the primitive "
            "while_loop on values that depend on parameters; use jax.lax.scan, or "
            "jax.lax.fori_loop with a static number of trips"
        ) from error
    return _symmetrised(kernel, problem.layout) if problem.symmetric else kernel


def _check_memory(problem: Problem, implementation: str, options: StructuredOptions) -> None:
    assert options.memory_limit is not None
    peak = kernel_peak(problem, implementation, options)
    require(
        peak <= options.memory_limit,
        "options.memory_limit",
        options.memory_limit,
        f"at least the {peak} bytes that implementation {implementation!r} is estimated to need "
        f"at its peak for a kernel of shape {problem.kernel_shape} between outputs of shapes "
        f"{problem.shape1} and {problem.shape2}",
    )


def _symmetrised(kernel: Array, layout: Layout) -> Array:
    """``(K + Kᵀ)/2``, where the transpose swaps the two sides."""
    return (kernel + jnp.transpose(kernel, layout.mirror)) / 2
