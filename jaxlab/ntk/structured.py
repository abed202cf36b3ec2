"""Structured derivatives: the kernel without instantiating a Jacobian.

Linearise the network, cut it where parameters enter a matrix product, a convolution or a row
lookup, pull the outputs back to the cuts, and contract each parameter's factors in the cheapest
order. The sum runs over all pairs of uses of a parameter::

    Θ = Σ_l Σ_{k₁,k₂} (∂f₁/∂y₁^{k₁})(∂y₁^{k₁}/∂θ^l)(∂y₂^{k₂}/∂θ^l)ᵀ(∂f₂/∂y₂^{k₂})ᵀ

R. Novak, J. Sohl-Dickstein, S. S. Schoenholz, *Fast Finite Width Neural Tangent Kernel*, ICML 2022,
section 3.4. :func:`factors` and :func:`contract` are the two halves for those who keep factors of
many batches; :func:`register_site_rule` teaches the method another primitive.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxlab.checks import require
from jaxlab.convolutions import canonical_convolutions
from jaxlab.ntk._choice import Choice
from jaxlab.ntk._layout import Layout
from jaxlab.ntk._options import check_options
from jaxlab.ntk._precision import at_precision, check_precision
from jaxlab.ntk._problem import Problem, axes_of_leaves, prepare
from jaxlab.ntk._sides import (
    Factors,
    Term,
    choose_for,
    contract_sides,
    in_form_of,
    limit_of,
    output_shape,
    side_of,
    survey_of,
    with_batch,
)
from jaxlab.ntk._sites import Call, Site, register_site_rule
from jaxlab.ntk.types import ApplyFn, StructuredOptions, VmapAxes

__all__ = [
    "Call",
    "Factors",
    "Site",
    "Term",
    "contract",
    "factors",
    "register_site_rule",
]


def structured_derivatives(problem: Problem, options: StructuredOptions) -> Array:
    """The kernel of ``problem`` by structured derivatives.

    Cost: one forward and one reverse pass per output of each example, and one contraction per
    parameter leaf, which never counts more operations than contracting Jacobians. Memory: the
    kernel, the cotangents and inputs of one layer at a time where XLA can free them, inputs of
    convolutions once for each tap if the kernel is contracted at its sites or has up to 16; and
    what a contraction makes on its way: where writing that takes longer than the operations that
    it saves, the leaf's Jacobian is made instead.

    Args:
        problem: network, parameters and batches.
        options: ``max_unroll``, ``memory_limit`` (bounds intermediate arrays where there is a
            choice of orders) and ``output_batch`` are heeded.
    """
    limit = limit_of(options, problem.dtype)
    axis = _chunked_axis(problem, options)
    joined = None if problem.symmetric or axis is not None else _joined(problem)
    if axis is None and (problem.symmetric or joined is not None):
        choices = None  # both sides are one program: choose when it is traced
    else:
        choices = choices_of(problem, options)

    def side(x: Any, shape: tuple[int, ...], rows: Any = None) -> Factors:
        return side_of(problem, x, shape, options, choices, limit, rows)

    if joined is not None:
        assert problem.layout.batch is not None
        count = problem.shape1[problem.layout.batch]
        both = side(joined, with_batch(problem, count + problem.shape2[problem.layout.batch]))
        left = dataclasses.replace(
            both, arrays=jax.tree.map(lambda a: a[:count], both.arrays), output_shape=problem.shape1
        )
        right = dataclasses.replace(
            both, arrays=jax.tree.map(lambda a: a[count:], both.arrays), output_shape=problem.shape2
        )
        kernel = contract_sides(left, right, problem.layout, problem.dtype, limit)
    elif axis is None:
        left = side(problem.x1, problem.shape1)
        right = left if problem.symmetric else side(problem.x2, problem.shape2)
        kernel = contract_sides(left, right, problem.layout, problem.dtype, limit)
    else:
        right = side(problem.x2, problem.shape2)
        kernel = _in_chunks(problem, options, axis, side, right, limit)
    return kernel / problem.layout.traced_size(problem.shape1)


def choices_of(problem: Problem, options: StructuredOptions) -> list[Choice]:
    """What structured derivatives would do with every leaf of ``problem``; nothing is computed."""
    one = survey_of(problem, problem.x1, options)
    two = one if problem.symmetric else survey_of(problem, problem.x2, options)
    return choose_for(problem, one, two, limit_of(options, problem.dtype))


def factors(
    apply_fn: ApplyFn,
    params: PyTree,
    x: PyTree,
    *,
    vmap_axes: int | VmapAxes | None = None,
    like: Factors | None = None,
    precision: str | None = "highest",
    options: StructuredOptions = StructuredOptions(),  # noqa: B008 (immutable)
) -> Factors:
    """Cotangents and operands of one batch, from which :func:`contract` makes kernels.

    Factors that are to be contracted with each other must have one form. Without ``like`` the form
    is the one that is cheapest for the kernel of the batch with itself.

    Args:
        apply_fn: ``(params, x) -> array``.
        params: PyTree of parameters.
        x: a batch, a PyTree.
        vmap_axes: axis of the examples in ``x`` and the output, when the network does not let them
            interact; None when it may.
        like: factors of another batch of the same network, whose form is taken over.
        precision: of matrix products, as :func:`jaxlab.ntk.ntk_fn` takes it.
        options: see :class:`StructuredOptions`.

    Returns:
        The factors, which are a PyTree.

    Raises:
        ValueError: as for :func:`jaxlab.ntk.ntk_fn`; ``apply_fn`` returns more than one array; the
            batch cannot take the form of ``like``.

    Cost: one forward pass and one reverse pass per output; memory as the arrays that come back,
    ``N O Σ (cotangents of the sites)``.

    Example:
        >>> import jax.numpy as jnp
        >>> apply_fn = lambda params, x: jnp.tanh(x @ params["w"]) @ params["v"]
        >>> params = {"w": jnp.ones((2, 4)), "v": jnp.ones((4, 1))}
        >>> one = factors(apply_fn, params, jnp.array([[1.0, 0.0], [0.0, 2.0]]), vmap_axes=0)
        >>> two = factors(apply_fn, params, jnp.array([[0.5, 1.0]]), vmap_axes=0, like=one)
        >>> contract(one, two).shape
        (2, 1, 1, 1)
    """
    check_precision(precision)
    check_options(options)
    with at_precision(precision):
        problems, _ = prepare(
            apply_fn, x, None, params, trace_axes=(), diagonal_axes=(), vmap_axes=vmap_axes
        )
        require(len(problems) == 1, "apply_fn", len(problems), "a function that returns one array")
        problem = problems[0]
        if like is None:
            choices = choices_of(problem, options)
        else:
            choices = in_form_of(like, survey_of(problem, x, options))
        limit = limit_of(options, problem.dtype)
        return side_of(problem, x, problem.shape1, options, choices, limit, None)


def contract(
    left: Factors,
    right: Factors,
    *,
    trace_axes: tuple[int, ...] = (),
    diagonal_axes: tuple[int, ...] = (),
    precision: str | None = "highest",
) -> Float[Array, "..."]:
    """The kernel between two batches of which the factors are known.

    Args:
        left: factors of the first batch.
        right: factors of the second batch.
        trace_axes: output axes that are averaged over.
        diagonal_axes: output axes that appear once.
        precision: of matrix products, as :func:`jaxlab.ntk.ntk_fn` takes it.

    Returns:
        The kernel, axes zipped, as :func:`jaxlab.ntk.ntk_fn` returns it.

    Raises:
        ValueError: the factors are not of one network in one form; axes do not fit, or are in both
            tuples; an unknown ``precision``.

    Cost: the contraction alone, ``N² O² min(Y, P)``-like per leaf.

    Example:
        >>> apply_fn = lambda params, x: x @ params
        >>> one = factors(apply_fn, jnp.ones((2, 3)), jnp.array([[1.0, 0.0], [3.0, 2.0]]))
        >>> contract(one, one, trace_axes=(-1,)).tolist()
        [[1.0, 3.0], [3.0, 13.0]]
    """
    check_precision(precision)
    require(
        left.terms == right.terms and left.batch == right.batch,
        "right",
        right.terms,
        "factors of the same network in the form of left's (argument like of factors)",
    )
    layout = Layout.of(len(left.output_shape), trace_axes, diagonal_axes, left.batch)
    for axis in (*layout.trace, *layout.diagonal):
        require(
            left.output_shape[axis] == right.output_shape[axis],
            "right",
            right.output_shape,
            f"outputs of size {left.output_shape[axis]} along axis {axis}",
        )
    dtype = jnp.result_type(*jax.tree.leaves([pair[0] for pair in left.arrays]), jnp.float32)
    with at_precision(precision):
        kernel = contract_sides(left, right, layout, dtype, None)
    return kernel / max(1, layout.traced_size(left.output_shape))


def _joined(problem: Problem) -> Any:
    """Both batches as one, where their examples are alike; None where they are not."""
    if problem.layout.batch is None:
        return None
    if jax.tree.structure(problem.x1) != jax.tree.structure(problem.x2):  # type: ignore[operator]
        return None
    one, structure = jax.tree.flatten(problem.x1)
    two = jax.tree.leaves(problem.x2)
    values = []
    for a, b, axis in zip(one, two, axes_of_leaves(problem.in_axes, problem.x1), strict=True):
        if axis is None:
            if a is not b:
                return None
            values.append(a)
            continue
        example = [size for i, size in enumerate(jnp.shape(a)) if i != axis % jnp.ndim(a)]
        same = example == [size for i, size in enumerate(jnp.shape(b)) if i != axis % jnp.ndim(b)]
        if not same or jnp.result_type(a) != jnp.result_type(b):
            return None
        if jax.typeof(a).sharding.spec != jax.typeof(b).sharding.spec:  # along explicit axes
            return None
        values.append(jnp.concatenate([a, b], axis))
    return jax.tree.unflatten(structure, values)


def _chunked_axis(problem: Problem, options: StructuredOptions) -> int | None:
    """Axis of the linearised output along which the basis is taken in pieces, if it is."""
    shape = output_shape(problem, problem.shape1)
    if options.output_batch is None:
        return None
    if math.prod(shape) <= options.output_batch:
        return None
    return max(range(len(shape)), key=lambda axis: shape[axis])


def _in_chunks(
    problem: Problem,
    options: StructuredOptions,
    axis: int,
    side: Callable[..., Factors],
    right: Factors,
    limit: int | None,
) -> Array:
    """The kernel, with the first side's outputs pulled back a few at a time."""
    layout = problem.layout
    shape = output_shape(problem, problem.shape1)
    count = shape[axis]
    assert options.output_batch is not None
    size = max(1, min(count, options.output_batch * count // math.prod(shape)))
    place = axis + (layout.batch is not None and axis >= layout.batch)  # in the whole output
    position = axis + (layout.batch is not None)  # in the leading axes of a cotangent
    letter = layout.left[place]
    shared = letter == layout.right[place]

    def rows(start: Any, size: int) -> Array:
        left = side(problem.x1, problem.shape1, (axis, start, size))
        other = right
        if shared:
            other = dataclasses.replace(
                right,
                arrays=[
                    (jax.lax.dynamic_slice_in_dim(first, start, size, position), *others)
                    for first, *others in right.arrays
                ],
            )
        return contract_sides(left, other, layout, problem.dtype, limit)

    whole = count // size
    loop = functools.partial(jax.lax.map, lambda start: rows(start, size))
    pieces = canonical_convolutions(loop)(size * jnp.arange(whole))
    rest = rows(whole * size, count - whole * size) if count % size else None
    if letter not in layout.result:
        return pieces.sum(0) + (0 if rest is None else rest)
    at = layout.result.index(letter)
    pieces = jnp.moveaxis(pieces, 0, at)
    together = pieces.reshape(*pieces.shape[:at], whole * size, *pieces.shape[at + 2 :])
    return together if rest is None else jnp.concatenate([together, rest], at)
