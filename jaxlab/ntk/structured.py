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
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxlab.checks import check_integer, require
from jaxlab.ntk._choice import Choice, Group, choose
from jaxlab.ntk._contraction import Kind, contract_factors
from jaxlab.ntk._factors import basis_of, factors_of
from jaxlab.ntk._plan import Survey, survey
from jaxlab.ntk._problem import Layout, Problem, axes_of_leaves, normalise_axes, prepare
from jaxlab.ntk._program import linear_program
from jaxlab.ntk._sites import Call, Site, register_site_rule
from jaxlab.ntk.types import ApplyFn, StructuredOptions, VmapAxes

__all__ = [
    "Call",
    "Factors",
    "Site",
    "Term",
    "choices_of",
    "contract",
    "factors",
    "register_site_rule",
    "structured_derivatives",
]


@dataclasses.dataclass(frozen=True)
class Term:
    """One summand of the kernel.

    Attributes:
        leaf: index of the parameter leaf.
        kind: ``"dense"``, ``"lookup"``, or ``"weights"`` for a materialised Jacobian.
        part: first and last-plus-one index along each axis of the part of the leaf, or None for
            all of it.
    """

    leaf: int
    kind: Kind
    part: tuple[tuple[int, int], ...] | None = None


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Factors:
    """What one batch contributes to its kernels: a PyTree, one tuple of arrays per term.

    Attributes:
        arrays: per term ``(C, x)``, ``(C, (row index, validity))`` or ``(J,)``; leading axes are
            the examples (where they are independent), then the output axes.
        terms: what each tuple belongs to.
        output_shape: shape of the network's output on the batch.
        batch: axis of the independent examples in it, or None.
    """

    arrays: list[tuple[Any, ...]]
    terms: tuple[Term, ...] = dataclasses.field(metadata={"static": True})
    output_shape: tuple[int, ...] = dataclasses.field(metadata={"static": True})
    batch: int | None = dataclasses.field(metadata={"static": True})


def structured_derivatives(problem: Problem, options: StructuredOptions) -> Array:
    """The kernel of ``problem`` by structured derivatives.

    Cost: one forward and one reverse pass per output of each example, and one contraction per
    parameter leaf, which never counts more operations than contracting Jacobians. Memory: the
    kernel, and the cotangents of one layer at a time where XLA can free them.

    Args:
        problem: network, parameters and batches.
        options: ``max_unroll``, ``memory_limit`` (bounds intermediate arrays where there is a
            choice of orders) and ``output_batch`` are heeded.
    """
    limit = _limit(options, problem.dtype)
    joined = None if problem.symmetric else _joined(problem)
    if problem.symmetric or joined is not None:
        choices = None  # both sides are one program: choose when it is traced
    else:
        one = _survey(problem, problem.x1, options)
        two = _survey(problem, problem.x2, options)
        choices = _choose(problem, one, two, limit)

    def side(x: Any, shape: tuple[int, ...], rows: Any = None) -> Factors:
        return _side(problem, x, shape, options, choices, limit, rows)

    axis = _chunked_axis(problem, options)
    if joined is not None and axis is None:
        assert problem.layout.batch is not None
        count = problem.shape1[problem.layout.batch]
        both = side(joined, _with_batch(problem, count + problem.shape2[problem.layout.batch]))
        left = dataclasses.replace(
            both, arrays=jax.tree.map(lambda a: a[:count], both.arrays), output_shape=problem.shape1
        )
        right = dataclasses.replace(
            both, arrays=jax.tree.map(lambda a: a[count:], both.arrays), output_shape=problem.shape2
        )
        kernel = _contract(left, right, problem.layout, problem.dtype, limit)
    elif axis is None:
        left = side(problem.x1, problem.shape1)
        right = left if problem.symmetric else side(problem.x2, problem.shape2)
        kernel = _contract(left, right, problem.layout, problem.dtype, limit)
    else:
        right = side(problem.x2, problem.shape2)
        kernel = _in_chunks(problem, options, axis, side, right, limit)
    return kernel / problem.layout.traced_size(problem.shape1)


def choices_of(problem: Problem, options: StructuredOptions) -> list[Choice]:
    """What structured derivatives would do with every leaf of ``problem``; nothing is computed."""
    one = _survey(problem, problem.x1, options)
    two = one if problem.symmetric else _survey(problem, problem.x2, options)
    return _choose(problem, one, two, _limit(options, problem.dtype))


def factors(
    apply_fn: ApplyFn,
    params: PyTree,
    x: PyTree,
    *,
    vmap_axes: int | VmapAxes | None = None,
    like: Factors | None = None,
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
        options: see :class:`StructuredOptions`.

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
    problems, _ = prepare(
        apply_fn, x, None, params, trace_axes=(), diagonal_axes=(), vmap_axes=vmap_axes
    )
    require(len(problems) == 1, "apply_fn", len(problems), "a function that returns one array")
    problem = problems[0]
    choices = None if like is None else _in_form_of(like, _survey(problem, x, options))
    limit = _limit(options, problem.dtype)
    return _side(problem, x, problem.shape1, options, choices, limit, None)


def contract(
    left: Factors,
    right: Factors,
    *,
    trace_axes: tuple[int, ...] = (),
    diagonal_axes: tuple[int, ...] = (),
) -> Float[Array, "..."]:
    """The kernel between two batches of which the factors are known.

    Args:
        left: factors of the first batch.
        right: factors of the second batch.
        trace_axes: output axes that are averaged over.
        diagonal_axes: output axes that appear once.

    Returns:
        The kernel, axes zipped, as :func:`jaxlab.ntk.ntk_fn` returns it.

    Raises:
        ValueError: the factors are not of one network in one form, or axes do not fit.

    Cost: the contraction alone, ``N² O² min(Y, P)``-like per leaf.
    """
    require(
        left.terms == right.terms and left.batch == right.batch,
        "right",
        right.terms,
        "factors of the same network in the form of left's (argument like of factors)",
    )
    ndim = len(left.output_shape)
    trace = normalise_axes("trace_axes", trace_axes, ndim)
    diagonal = normalise_axes("diagonal_axes", diagonal_axes, ndim)
    layout = Layout(ndim, trace, diagonal, left.batch)
    for axis in (*trace, *diagonal):
        require(
            left.output_shape[axis] == right.output_shape[axis],
            "right",
            right.output_shape,
            f"outputs of size {left.output_shape[axis]} along axis {axis}",
        )
    dtype = jnp.result_type(*jax.tree.leaves([pair[0] for pair in left.arrays]), jnp.float32)
    kernel = _contract(left, right, layout, dtype, None)
    return kernel / layout.traced_size(left.output_shape)


def _limit(options: StructuredOptions, dtype: Any) -> int | None:
    """Largest number of entries that an intermediate array may have."""
    if options.memory_limit is None:
        return None
    return max(1, options.memory_limit // jnp.dtype(dtype).itemsize)


def _output_shape(problem: Problem, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the output of what is linearised: one example, or the whole batch."""
    batch = problem.layout.batch
    return shape if batch is None else shape[:batch] + shape[batch + 1 :]


def _with_batch(problem: Problem, count: int) -> tuple[int, ...]:
    batch = problem.layout.batch
    assert batch is not None
    return (*problem.shape1[:batch], count, *problem.shape1[batch + 1 :])


def _over(problem: Problem, function: Callable[..., Any]) -> Callable[..., Any]:
    """``function(network on what is linearised, leaves, x)``, mapped over independent examples."""
    if problem.layout.batch is None:
        return lambda leaves, x: function(lambda values: problem.apply(values, x), leaves)
    return problem.over_examples(
        lambda leaves, x: function(lambda values: problem.one_example(values, x), leaves)
    )


def _survey(problem: Problem, x: Any, options: StructuredOptions) -> Survey:
    """How the network uses its leaves on ``x``; traced, not computed."""
    found: list[Survey] = []

    def look(network: Callable[[list[Array]], Array], leaves: list[Array]) -> Array:
        output, program = linear_program(network, leaves, options.max_unroll)
        found.append(survey(program))
        return output

    jax.eval_shape(_over(problem, look), problem.leaves, x)
    return found[-1]


def _choose(problem: Problem, one: Survey, two: Survey, limit: int | None) -> list[Choice]:
    return choose(
        one,
        two,
        problem.layout,
        problem.shape1,
        problem.shape2,
        symmetric=problem.symmetric,
        limit=limit,
    )


def _side(
    problem: Problem,
    x: Any,
    shape: tuple[int, ...],
    options: StructuredOptions,
    choices: list[Choice] | None,
    limit: int | None,
    rows: tuple[int, Any, int] | None,
) -> Factors:
    """Factors of one batch; ``rows`` are the axis, start and number of outputs pulled back."""
    output_shape = _output_shape(problem, shape)
    kept: list[list[Choice]] = []

    def chosen(found: Survey) -> list[Choice]:
        kept.append(choices if choices is not None else _choose(problem, found, found, limit))
        return kept[-1]

    axis, start, size = (None, 0, 0) if rows is None else rows
    leading = list(output_shape)
    if axis is not None:
        leading[axis] = size

    def one(network: Callable[[list[Array]], Array], leaves: list[Array]) -> list[tuple[Any, ...]]:
        kind = jax.eval_shape(network, leaves)
        groups, weights = factors_of(
            network,
            leaves,
            basis_of(output_shape, kind.dtype, axis, start, size),
            chosen,
            max_unroll=options.max_unroll,
            dtype=problem.dtype,
        )
        return [
            (first.reshape(*leading, *first.shape[1:]), *others)
            for first, *others in [*groups, *weights]
        ]

    arrays = _over(problem, one)(problem.leaves, x)
    return Factors(arrays, _terms(kept[-1]), shape, problem.layout.batch)


def _terms(choices: Sequence[Choice]) -> tuple[Term, ...]:
    groups: list[Group] = [group for choice in choices for group in choice.groups]
    return tuple(Term(group.leaf, group.kind, group.box) for group in groups) + tuple(
        Term(leaf, "weights")
        for leaf, choice in enumerate(choices)
        if choice.strategy == "materialised"
    )


def _in_form_of(like: Factors, found: Survey) -> list[Choice]:
    """The choices that lead to the terms of ``like``."""
    choices = []
    for leaf in range(len(found.shapes)):
        own = [term for term in like.terms if term.leaf == leaf]
        if not own:
            used = leaf in found.obstacles or any(of == leaf for of, _ in found.uses)
            require(not used, "like", leaf, "factors of a network that uses the same parameters")
            choices.append(Choice("unused", "enters no output", (0, 0)))
        elif own[0].kind == "weights":
            choices.append(Choice("materialised", "as in the other factors", (0, 0)))
        else:
            fits = leaf not in found.obstacles and all(
                (leaf, term.part) in found.uses for term in own
            )
            require(fits, "like", own, "factors of a network that uses its parameters alike")
            groups = tuple(Group(leaf, term.part, term.kind) for term in own)  # type: ignore[arg-type]
            choices.append(Choice("structured", "as in the other factors", (0, 0), groups))
    return choices


def _contract(
    left: Factors, right: Factors, layout: Layout, dtype: Any, limit: int | None
) -> Array:
    terms = zip(left.terms, left.arrays, right.arrays, strict=True)
    parts = [
        contract_factors(layout, term.kind, one, two, dtype=dtype, limit=limit)
        for term, one, two in terms
    ]
    if not parts:
        return jnp.zeros(layout.kernel_shape(left.output_shape, right.output_shape), dtype)
    return functools.reduce(jnp.add, parts)


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
        values.append(jnp.concatenate([a, b], axis))
    return jax.tree.unflatten(structure, values)


def _chunked_axis(problem: Problem, options: StructuredOptions) -> int | None:
    """Axis of the linearised output along which the basis is taken in pieces, if it is."""
    shape = _output_shape(problem, problem.shape1)
    if options.output_batch is None:
        return None
    check_integer("options.output_batch", options.output_batch, minimum=1)
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
    shape = _output_shape(problem, problem.shape1)
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
        return _contract(left, other, layout, problem.dtype, limit)

    whole = count // size
    pieces = jax.lax.map(lambda start: rows(start, size), size * jnp.arange(whole))
    rest = rows(whole * size, count - whole * size) if count % size else None
    if letter not in layout.result:
        return pieces.sum(0) + (0 if rest is None else rest)
    at = layout.result.index(letter)
    pieces = jnp.moveaxis(pieces, 0, at)
    together = pieces.reshape(*pieces.shape[:at], whole * size, *pieces.shape[at + 2 :])
    return together if rest is None else jnp.concatenate([together, rest], at)
