"""Jacobian contraction: the kernel as a product of two Jacobians.

With ``J = ∂f/∂θ`` in one piece per parameter leaf ``l``::

    Θ  =  Σ_l  J₁ˡ J₂ˡᵀ

This is the definition, and the implementation to compare with. It asks nothing of the network and
is the cheapest one where an output has few entries and parameters are few.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.ntk._layout import Layout
from jaxlab.ntk._problem import Problem
from jaxlab.ntk._transpose import with_products_for_kernels
from jaxlab.varying import vary, varying

__all__ = ["contract_jacobians", "jacobian_contraction"]


def jacobian_contraction(problem: Problem) -> Float[Array, "..."]:
    """The kernel by instantiating both Jacobians, ``Σ_l J₁ˡ J₂ˡᵀ``.

    With independent examples, the Jacobian of each example is taken on its own, by reverse mode.

    Args:
        problem: what ``jaxlab.ntk._problem.prepare`` made.

    Returns:
        Kernel of shape ``problem.kernel_shape`` and dtype ``problem.dtype``.

    Cost: ``NO[FP] + N²O²P`` operations, ``N²O² + NO(Y + P)`` numbers, for ``N`` examples of ``O``
    outputs, ``P`` parameters and ``Y`` intermediate values of one example, in which the inputs of
    convolutions count once for each of up to 16 taps; ``[FP]`` is one forward pass. Section 3.1 of
    the paper.

    Example:
        >>> from jaxlab.ntk._problem import prepare
        >>> def linear(w, x):
        ...     return x @ w
        >>> x = jnp.array([[1.0, 2.0], [0.0, 3.0]])
        >>> problems, _ = prepare(
        ...     linear, x, None, jnp.ones((2, 1)), trace_axes=(-1,), diagonal_axes=(), vmap_axes=0
        ... )
        >>> jacobian_contraction(problems[0]).tolist()
        [[5.0, 6.0], [6.0, 9.0]]
    """
    left = _jacobians(problem, problem.x1)
    right = left if problem.symmetric else _jacobians(problem, problem.x2)
    total = contract_jacobians(problem.layout, left, right, problem.dtype)
    return total / problem.layout.traced_size(problem.shape1)


def contract_jacobians(
    layout: Layout,
    left: list[Float[Array, "..."]],
    right: list[Float[Array, "..."]],
    dtype: Any,
) -> Float[Array, "..."]:
    """``Σ_l J₁ˡ J₂ˡᵀ`` with the output axes paired by ``layout``; traced axes are summed.

    Args:
        layout: how the output axes pair.
        left: one Jacobian for each leaf, ``[*output axes of the first side, size of the leaf]``.
        right: the same for the second side.
        dtype: in what to multiply and add.

    Returns:
        The sum over leaves and traced axes, not yet divided by the size of the traced axes.

    Cost: ``N²O²P`` operations.

    Example:
        >>> layout = Layout(2, trace=(1,))
        >>> jacobian = jnp.array([[[1.0, 0.0], [0.0, 2.0]]])  # one example, two outputs
        >>> contract_jacobians(layout, [jacobian], [jacobian], jnp.float32).tolist()
        [[5.0]]
    """
    subscripts = f"{layout.left}z,{layout.right}z->{layout.result}"
    products = (
        jnp.einsum(subscripts, one.astype(dtype), two.astype(dtype))
        for one, two in zip(left, right, strict=True)
    )
    return functools.reduce(jnp.add, products)


def _jacobians(problem: Problem, x: Any) -> list[Array]:
    """One Jacobian for each leaf, ``[*output axes, size of the leaf]``."""
    if problem.layout.batch is None:
        jacobians = _jacobian(lambda leaves: problem.apply(leaves, x), problem.leaves)
    else:
        by_example = problem.over_examples(
            lambda leaves, x: _jacobian(lambda leaves: problem.one_example(leaves, x), leaves)
        )(problem.leaves, x)
        jacobians = [jnp.moveaxis(each, 0, problem.layout.batch) for each in by_example]
    return [
        jacobian.reshape(*jacobian.shape[: problem.layout.ndim], leaf.size)
        for jacobian, leaf in zip(jacobians, problem.leaves, strict=True)
    ]


def _jacobian(network: Callable[[list[Array]], Array], leaves: list[Array]) -> list[Array]:
    """``[*output axes, *axes of the leaf]`` for each leaf, by reverse mode."""
    output, pull = jax.vjp(network, leaves)
    basis = vary(jnp.eye(output.size, dtype=output.dtype), varying(output))
    (jacobians,) = jax.vmap(with_products_for_kernels(pull))(basis.reshape(-1, *output.shape))
    return [jacobian.reshape(*output.shape, *jacobian.shape[1:]) for jacobian in jacobians]
