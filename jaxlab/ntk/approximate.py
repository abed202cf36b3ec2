"""Approximations of the neural tangent kernel: one output for all, and random projections.

Neither is the kernel. The pseudo-kernel is a different kernel that is ``O²`` times cheaper; the
sketch is an unbiased estimate whose error falls as ``dim^-1/2``.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray, PyTree

from jaxlab.checks import check_integer, check_key
from jaxlab.convolutions import canonical_convolutions
from jaxlab.ntk._precision import at_precision, check_precision
from jaxlab.ntk._problem import check_example_axis, prepare
from jaxlab.ntk._push import push_forward
from jaxlab.ntk.kernel import ntk_fn
from jaxlab.ntk.types import ApplyFn, Implementation, KernelFn, StructuredOptions, VmapAxes
from jaxlab.varying import vary_arrays, vary_like

__all__ = ["pseudo_ntk_fn", "sketched_ntk"]


def pseudo_ntk_fn(
    apply_fn: ApplyFn,
    *,
    vmap_axes: int | VmapAxes | None = None,
    implementation: Implementation = "structured",
    precision: str | None = "highest",
    options: StructuredOptions = StructuredOptions(),  # noqa: B008 (immutable)
) -> KernelFn:
    """The pseudo-NTK: the kernel of the network ``g = Σ_o f_o / √O``, one number per example.

    ``Θ̂(x₁, x₂) = (1/O) Σ_{o,p} Θ_op(x₁, x₂)``. For a wide network with a randomly initialised last
    layer ``Θ ≈ Θ̂ ⊗ I_O``, with a relative error that falls as ``width^-1/2``.

    Args:
        apply_fn: ``(params, x) -> outputs``, an array or a PyTree of them.
        vmap_axes: axis of the examples, as :func:`jaxlab.ntk.kernel.ntk_fn` takes it; None treats
            the outputs' axis 0 as that of the examples, which may interact.
        implementation: as for :func:`jaxlab.ntk.kernel.ntk_fn`.
        precision: of matrix products.
        options: as for :func:`jaxlab.ntk.kernel.ntk_fn`.

    Returns:
        ``(x1, x2, params) -> kernel [N₁, N₂]``, for each leaf of the output.

    Raises:
        ValueError: as :func:`jaxlab.ntk.kernel.ntk_fn`.

    Cost:
        That of the kernel of a network with one output, a factor ``O²`` below that of ``Θ``.

    Source:
        Mohamadi, Bae and Sutherland 2023, *A fast, well-founded approximation to the empirical
        neural tangent kernel*, section 3.

    Example:
        >>> x = jnp.array([[1.0, 2.0], [0.0, 3.0]])
        >>> kernel = pseudo_ntk_fn(lambda w, x: x @ w)(x, None, jnp.ones((2, 4)))
        >>> kernel.tolist()  # x xᵀ
        [[5.0, 6.0], [6.0, 9.0]]
    """
    axis = vmap_axes.out_axes if isinstance(vmap_axes, VmapAxes) else vmap_axes or 0

    def average(output: Any) -> Any:
        check_example_axis(axis, jnp.ndim(output))
        rows = jnp.moveaxis(output, axis, 0)
        rows = rows.reshape(rows.shape[0], math.prod(rows.shape[1:]))
        return jnp.sum(rows, axis=1) / math.sqrt(max(rows.shape[1], 1))

    def averaged(params: PyTree, x: PyTree) -> PyTree:
        return jax.tree.map(average, apply_fn(params, x))

    axes = None
    if vmap_axes is not None:
        axes = VmapAxes(
            vmap_axes.in_axes if isinstance(vmap_axes, VmapAxes) else vmap_axes, out_axes=0
        )
    return ntk_fn(
        averaged,
        vmap_axes=axes,
        implementation=implementation,
        precision=precision,
        options=options,
    )


def sketched_ntk(
    key: PRNGKeyArray,
    apply_fn: ApplyFn,
    x1: PyTree,
    x2: PyTree | None,
    params: PyTree,
    *,
    dim: int,
    trace_axes: tuple[int, ...] = (),
    diagonal_axes: tuple[int, ...] = (),
    precision: str | None = "highest",
) -> PyTree:
    """Unbiased estimate of the kernel from ``dim`` random projections of the Jacobians.

    ``Θ̃ = (1/dim) Σ_k (J₁ g_k)(J₂ g_k)ᵀ`` with independent random signs ``g_k ∈ {±1}^P``, each
    projection one product with each Jacobian. ``E Θ̃ = Θ``, and an entry between gradients ``a`` and
    ``b`` has variance ``(‖a‖²‖b‖² + (a·b)² − 2 Σ_i a_i² b_i²) / dim``. The rank is at most
    ``dim``; with ``x2=None`` the estimate is positive semi-definite.

    Args:
        key: of the projections.
        apply_fn: ``(params, x) -> outputs``, an array or a PyTree of them.
        x1: first batch.
        x2: second batch, or None for the first.
        params: PyTree of parameters.
        dim: number of projections; static.
        trace_axes: axes of the output that are averaged over; static.
        diagonal_axes: axes of the output that appear once; static.
        precision: of matrix products.

    Returns:
        Kernel ``[N₁, N₂, o₁, o₁, …]`` for each leaf of the output.

    Raises:
        ValueError: ``dim < 1``; an unknown ``precision``; axes, parameters or outputs that
            :func:`jaxlab.ntk.kernel.ntk_fn` refuses.

    Cost:
        ``dim`` passes over both batches at the cost of forward mode and ``2 N² O² dim`` operations;
        memory for the projections ``N O dim`` and the activations of the batches. Outside of
        ``jit`` its loops are compiled anew in every call.

    Source:
        Johnson and Lindenstrauss 1984; Achlioptas 2003 (random signs). An approximation.

    Example:
        >>> x = jnp.array([[3.0], [2.0]])
        >>> sketched_ntk(
        ...     jax.random.key(0), lambda w, x: x @ w, x, None, jnp.ones(1), dim=2
        ... ).tolist()
        [[9.0, 6.0], [6.0, 4.0]]
    """
    check_key("key", key)
    check_integer("dim", dim, minimum=1)
    check_precision(precision)
    params, x1, x2 = vary_arrays((params, x1, x2), key)
    problems, structure = prepare(
        apply_fn,
        x1,
        x2,
        params,
        trace_axes=trace_axes,
        diagonal_axes=diagonal_axes,
        vmap_axes=None,
    )
    keys = jax.random.split(key, dim)
    kernels = []
    with at_precision(precision):
        for problem in problems:

            def project(x: PyTree, problem: Any = problem) -> Any:
                leaves = problem.leaves  # which differ wherever the inputs do, and so the keys
                push = push_forward(lambda leaves: problem.apply(leaves, x), leaves)
                loop = functools.partial(
                    jax.lax.map, lambda k: push((vary_like(_signs(k, leaves), leaves),))[0]
                )
                return canonical_convolutions(loop)(keys)

            left = project(problem.x1)
            right = left if problem.symmetric else project(problem.x2)
            layout = problem.layout
            kernel = jnp.einsum(
                f"Z{layout.left},Z{layout.right}->{layout.result}",
                left,
                right,
                preferred_element_type=problem.dtype,
            )
            scale = dim * max(layout.traced_size(problem.shape1), 1)
            kernels.append(kernel / scale)
    return jax.tree.unflatten(structure, kernels)


def _signs(key: PRNGKeyArray, leaves: list[Any]) -> list[Any]:
    keys = jax.random.split(key, len(leaves))
    return [
        jax.random.rademacher(one, leaf.shape, leaf.dtype)
        for one, leaf in zip(keys, leaves, strict=True)
    ]
