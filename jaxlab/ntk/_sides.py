"""The factors of one side of a kernel, and what two sides make of each other.

A side is a batch whose network has been linearised, cut and pulled back
(:mod:`jaxlab.ntk._factors`), over examples where those are independent.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core
from jaxtyping import Array

from jaxlab.checks import require
from jaxlab.ntk._choice import Choice, Group, choose
from jaxlab.ntk._contraction import Kind, contract_factors
from jaxlab.ntk._factors import basis_of, factors_of
from jaxlab.ntk._layout import Layout
from jaxlab.ntk._plan import Survey, survey
from jaxlab.ntk._problem import Problem
from jaxlab.ntk._program import linear_program
from jaxlab.ntk.types import StructuredOptions

__all__ = [
    "Factors",
    "Term",
    "choose_for",
    "contract_sides",
    "in_form_of",
    "limit_of",
    "output_shape",
    "side_of",
    "survey_of",
    "with_batch",
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


def limit_of(options: StructuredOptions, dtype: Any) -> int | None:
    """Largest number of entries that an intermediate array may have."""
    if options.memory_limit is None:
        return None
    return max(1, options.memory_limit // jnp.dtype(dtype).itemsize)


def output_shape(problem: Problem, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the output of what is linearised: one example, or the whole batch."""
    batch = problem.layout.batch
    return shape if batch is None else shape[:batch] + shape[batch + 1 :]


def with_batch(problem: Problem, count: int) -> tuple[int, ...]:
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


def survey_of(problem: Problem, x: Any, options: StructuredOptions) -> Survey:
    """How the network uses its leaves on ``x``; traced, not computed."""
    found: list[Survey] = []

    def look(network: Callable[[list[Array]], Array], leaves: list[Array]) -> Array:
        output, program = linear_program(network, leaves, options.max_unroll)
        found.append(survey(program))
        return output

    jax.eval_shape(_over(problem, look), problem.leaves, x)
    return found[-1]


def choose_for(problem: Problem, one: Survey, two: Survey, limit: int | None) -> list[Choice]:
    return choose(
        one,
        two,
        problem.layout,
        problem.shape1,
        problem.shape2,
        symmetric=problem.symmetric,
        limit=limit,
    )


def side_of(
    problem: Problem,
    x: Any,
    shape: tuple[int, ...],
    options: StructuredOptions,
    choices: list[Choice] | None,
    limit: int | None,
    rows: tuple[int, Any, int] | None,
) -> Factors:
    """Factors of one batch; ``rows`` are the axis, start and number of outputs pulled back."""
    own_shape = output_shape(problem, shape)
    kept: list[list[Choice]] = []

    def chosen(found: Survey) -> list[Choice]:
        kept.append(choices if choices is not None else choose_for(problem, found, found, limit))
        return kept[-1]

    axis, start, size = (None, 0, 0) if rows is None else rows
    leading = list(own_shape)
    if axis is not None:
        leading[axis] = size

    def one(network: Callable[[list[Array]], Array], leaves: list[Array]) -> list[tuple[Any, ...]]:
        kind = jax.eval_shape(network, leaves)
        groups, weights = factors_of(
            network,
            leaves,
            basis_of(own_shape, kind.dtype, axis, start, size),
            chosen,
            max_unroll=options.max_unroll,
            dtype=problem.dtype,
        )
        return [
            (first.reshape(*leading, *first.shape[1:]), *others)
            for first, *others in [*groups, *weights]
        ]

    mapped = _over(problem, one)
    arrays = (mapped if choices is None else _traced(mapped))(problem.leaves, x)
    return Factors(arrays, _terms(kept[-1]), shape, problem.layout.batch)


def _traced(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` of tracers, as it was when a survey made the choices.

    Outside of ``jit`` an index into a parameter has a value, and the part of the parameter that it
    picks out is another use than a look-up.
    """

    def run(*arguments: Any) -> Any:
        program, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
        results = core.jaxpr_as_fun(program)(*jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(shapes), results)

    return run


def _terms(choices: Sequence[Choice]) -> tuple[Term, ...]:
    groups: list[Group] = [group for choice in choices for group in choice.groups]
    return tuple(
        Term(group.leaf, "weights" if group.formed else group.kind, group.box) for group in groups
    ) + tuple(Term(leaf, "weights") for leaf, choice in enumerate(choices) if choice.is_whole)


def in_form_of(like: Factors, found: Survey) -> list[Choice]:
    """The choices that lead to the terms of ``like``."""
    choices = []
    for leaf in range(len(found.shapes)):
        own = [term for term in like.terms if term.leaf == leaf]
        if not own:
            used = leaf in found.obstacles or any(of == leaf for of, _ in found.uses)
            require(not used, "like", leaf, "factors of a network that uses the same parameters")
            choices.append(Choice("unused", "enters no output", (0, 0)))
        elif own[0].part is None:
            choices.append(Choice("materialised", "as in the other factors", (0, 0)))
        else:
            groups = tuple(_group(found, term) for term in own)
            choices.append(Choice("structured", "as in the other factors", (0, 0), groups))
    return choices


def _group(found: Survey, term: Term) -> Group:
    assert term.part is not None
    uses = found.uses.get((term.leaf, term.part))
    fits = uses is not None and term.leaf not in found.obstacles
    require(fits, "like", term, "factors of a network that uses its parameters alike")
    assert uses is not None
    return Group(term.leaf, term.part, uses[0].site.kind, formed=term.kind == "weights")


def contract_sides(
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
