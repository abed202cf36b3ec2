"""NTK-vector products: the kernel one column at a time, without a Jacobian.

A reverse-mode pass through the network on the second batch, then a forward-mode pass on the first::

    Θ v  =  J₁ (J₂ᵀ v)

need memory for one set of parameters. The kernel's columns are the products with the columns of
the identity.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxlab.checks import check_integer, require
from jaxlab.convolutions import canonical_convolutions, trace_canonical
from jaxlab.ntk._precision import at_precision, check_precision
from jaxlab.ntk._problem import Problem, check_outputs, differentiable
from jaxlab.ntk._push import push_forward
from jaxlab.ntk.types import ApplyFn
from jaxlab.varying import vary, vary_arrays, vary_like, varying

__all__ = ["ntk_vp"]


def ntk_vector_products(
    problem: Problem, *, column_batch: int | None = None
) -> Float[Array, "..."]:
    """The kernel from its products with unit vectors, ``Θ e = J₁ (J₂ᵀ e)``.

    The first side is linearised once, the second once for each example. What a trace or a diagonal
    does not keep is dropped column by column; where the examples themselves are paired so, only
    matching examples meet.

    Args:
        problem: what ``jaxlab.ntk._problem.prepare`` made.
        column_batch: columns that are computed at once; None takes one example's outputs.

    Returns:
        Kernel of shape ``problem.kernel_shape`` and dtype ``problem.dtype``.

    Raises:
        ValueError: ``column_batch`` below one.

    Cost: ``N²O[FP]`` operations (``NO[FP]`` where examples are paired), and memory for
    ``column_batch`` sets of parameters beside activations and kernel. Section 3.2 of the paper.

    Example:
        >>> from jaxlab.ntk._problem import prepare
        >>> def linear(w, x):
        ...     return x @ w
        >>> x = jnp.array([[1.0, 2.0], [0.0, 3.0]])
        >>> problems, _ = prepare(
        ...     linear, x, None, jnp.ones((2, 1)), trace_axes=(-1,), diagonal_axes=(), vmap_axes=0
        ... )
        >>> ntk_vector_products(problems[0], column_batch=1).tolist()
        [[5.0, 6.0], [6.0, 9.0]]
    """
    layout, batch, leaves = problem.layout, problem.layout.batch, problem.leaves
    shared = {*layout.trace, *layout.diagonal}
    every = tuple(range(layout.ndim))
    axes = tuple(axis for axis in every if axis != batch)  # of a unit vector
    outputs = tuple(problem.shape2[axis] for axis in axes)
    if column_batch is None:
        column_batch = math.prod(outputs[1:] if batch is None else outputs)
    check_integer("column_batch", column_batch, minimum=1)

    def columns(push: Callable[..., Any], pull: Callable[..., Any], kept: tuple[int, ...]) -> Array:
        """Axes of the unit vectors, then those of the first side (``kept``) without shared ones."""

        def column(number: Array) -> Array:
            unit = jnp.zeros(math.prod(outputs), dtype).at[number].set(1).reshape(outputs)
            (product,) = push(pull(vary(unit, varying(leaves))))
            place = dict(zip(axes, jnp.unravel_index(number, outputs), strict=True))
            return product[tuple(place[axis] if axis in shared else slice(None) for axis in kept)]

        found = jax.lax.map(column, jnp.arange(math.prod(outputs)), batch_size=column_batch)
        return found.reshape(*outputs, *found.shape[1:])

    def block(index: Array) -> Array:
        """The columns of one example of the second batch."""
        example = problem.example(problem.x2, index)
        _, pull = jax.vjp(lambda leaves: problem.one_example(leaves, example), leaves)
        if batch not in shared:
            return columns(push, pull, every)
        partner = problem.example(problem.x1, index)
        return columns(
            push_forward(lambda leaves: problem.one_example(leaves, partner), leaves), pull, axes
        )

    dtype = jax.eval_shape(problem.apply, leaves, problem.x2).dtype
    if batch not in shared:
        push = push_forward(lambda leaves: problem.apply(leaves, problem.x1), leaves)
    if batch is None:
        _, pull = jax.vjp(lambda leaves: problem.apply(leaves, problem.x2), leaves)
        found = canonical_convolutions(lambda: columns(push, pull, every))()
        leading = layout.right
    else:
        at_once = max(1, column_batch // max(1, math.prod(outputs)))
        loop = functools.partial(jax.lax.map, block, batch_size=at_once)
        found = canonical_convolutions(loop)(jnp.arange(problem.shape2[batch]))
        leading = layout.right[batch] + "".join(layout.right[axis] for axis in axes)
    kept = "".join(layout.left[axis] for axis in every if axis not in shared)
    kernel = jnp.einsum(f"{leading}{kept}->{layout.result}", found.astype(problem.dtype))
    return kernel / layout.traced_size(problem.shape1)


def ntk_vp(
    apply_fn: ApplyFn,
    x1: PyTree,
    x2: PyTree | None,
    params: PyTree,
    *,
    precision: str | None = "highest",
) -> Callable[[PyTree], PyTree]:
    """The product of the kernel with a vector, ``v ↦ J₁ (J₂ᵀ v)``, linearised once.

    Args:
        apply_fn: ``(params, x) -> outputs``.
        x1: first batch.
        x2: second batch; None means ``x1``.
        params: parameters; leaves of floating dtype are differentiated.
        precision: of matrix products, as :func:`jaxlab.ntk.kernel.ntk_fn` takes it.

    Returns:
        ``matvec(v)``: takes what has the shapes of ``apply_fn(params, x2)`` and returns what has
        those of ``apply_fn(params, x1)``. Where outputs are PyTrees, it is the product with the
        kernel of all of them together. The kernel is not divided by anything.

    Raises:
        ValueError: parameters that cannot be differentiated; outputs that are not real arrays; an
            unknown ``precision``; ``v`` of another structure or shape than the outputs on ``x2``.

    Cost: each product is one reverse-mode and one forward-mode pass; memory for one set of
    parameters and the activations of both batches. Section 3.2 of the paper.

    Example:
        >>> def linear(w, x):
        ...     return x @ w
        >>> x = jnp.array([[1.0, 2.0], [0.0, 3.0]])
        >>> matvec = ntk_vp(linear, x, None, jnp.ones((2, 1)))
        >>> matvec(jnp.array([[1.0], [1.0]])).tolist()  # the kernel is [[5, 6], [6, 9]]
        [[11.0], [15.0]]
    """
    check_precision(precision)
    params, x1, x2 = vary_arrays((params, x1, x2))
    x2 = x1 if x2 is None else x2

    def linearised(*data: Any) -> tuple[PyTree, Callable[[PyTree], PyTree]]:
        """The network where every array also differs wherever ``data`` do."""
        at, left, right = vary_arrays((params, x1, x2), *data)
        leaves, _, merge = differentiable(at)
        leaves = vary_like(leaves, at, left, right, *data)  # numbers among them are arrays now
        with at_precision(precision):
            outputs, pull = jax.vjp(lambda leaves: apply_fn(merge(leaves), right), leaves)
            check_outputs(outputs)
            push = push_forward(lambda leaves: apply_fn(merge(leaves), left), leaves)
            product = trace_canonical(lambda v: push(pull(v))[0], outputs)
        return outputs, product

    once = linearised()
    shapes = jax.tree.map(jnp.shape, once[0])

    def cotangent(value: Any, like: Array) -> Array:
        return vary(jnp.asarray(value, like.dtype), varying(like))

    def matvec(v: PyTree) -> PyTree:
        given = jax.tree.map(jnp.shape, v)
        require(given == shapes, "v", given, f"the shapes of the outputs on x2, {shapes}")
        more = varying(v) - varying((params, x1, x2))  # devices share the kernel, not the vector
        outputs, product = linearised(v) if more else once
        with at_precision(precision):
            return product(jax.tree.map(cotangent, v, outputs))

    return matvec
