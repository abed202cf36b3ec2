"""Cut a linear program at its sites and pull the outputs back to them.

Every equation at which a leaf enters a site is cut: its output becomes an input, a *tap*. What
remains is a linear function of taps and of the leaves that are not cut, and jax itself transposes
it; so no primitive needs a transposition rule here, and unknown ones just work. Equations that
depend on parameters are traced, never executed.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core
from jaxtyping import Array

from jaxlab.ntk._choice import Choice
from jaxlab.ntk._plan import Survey, Use, survey
from jaxlab.ntk._program import Program, Value, linear_program
from jaxlab.ntk._transpose import with_products_for_kernels
from jaxlab.varying import vary, varying

__all__ = ["basis_of", "factors_of"]


def factors_of(
    function: Callable[[list[Array]], Array],
    leaves: list[Array],
    basis: Array,
    choose: Callable[[Survey], Sequence[Choice]],
    *,
    max_unroll: int,
    dtype: Any,
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Cotangents and operands at every site, and Jacobians of the materialised leaves.

    Args:
        function: ``(leaves) -> output`` on one example, or on a batch as a whole.
        leaves: parameters of floating dtype.
        basis: ``[k, output shape]``: what is pulled back.
        choose: what happens to each leaf, from the survey of the program.
        max_unroll: scans of at most this length are unrolled.
        dtype: of the operands that come back.

    Returns:
        One tuple ``(C [k, B, X, J], x [B, X, I])`` (lookup: ``(C [k, X, J], (index, valid))``; a
        Jacobian that is formed: ``(J [k, size],)``) per group in the order of the leaves; one tuple
        ``(J [k, size],)`` per leaf that is not cut.
    """
    output, program = linear_program(function, leaves, max_unroll)
    found = survey(program)
    choices = choose(found)
    whole = [i for i, choice in enumerate(choices) if choice.is_whole]
    cut = set(range(len(choices))).difference(whole)
    uses = [use for (leaf, _), part in found.uses.items() if leaf in cut for use in part]
    known = _known_values(program)
    cotangents, jacobians = _pull_back(
        program, found, uses, cut, whole, known, leaves, output, basis
    )
    groups = []
    for choice in choices:
        for group in choice.groups:
            pair = _side_by_side(found.uses[group.leaf, group.box], cotangents, known, dtype)
            groups.append((_formed(*pair),) if group.formed else pair)
    weights = [(_flat(jacobian),) for jacobian in jacobians]
    return groups, weights


def _read(environment: dict[int, Any], value: Value) -> Any:
    return value.val if isinstance(value, core.Literal) else environment[value]


def _known_values(program: Program) -> dict[int, Any]:
    """The values that depend on no parameter and that something linear reads."""
    known = [all(program.is_known(value) for value in step.inputs) for step in program.steps]
    needed: set[int] = set()
    for step, is_known in zip(reversed(program.steps), reversed(known), strict=True):
        if not is_known or needed.intersection(step.outputs):
            needed.update(value for value in step.inputs if isinstance(value, int))
    if isinstance(program.output, int):
        needed.add(program.output)
    values = dict(program.residuals)
    for step, is_known in zip(program.steps, known, strict=True):
        if is_known and needed.intersection(step.outputs):
            results = step.run([_read(values, value) for value in step.inputs])
            values.update(zip(step.outputs, results, strict=True))
    return values


def _pull_back(
    program: Program,
    found: Survey,
    uses: list[Use],
    cut: set[int],
    whole: list[int],
    known: dict[int, Any],
    leaves: list[Array],
    output: Array,
    basis: Array,
) -> tuple[dict[int, Array], list[Array]]:
    """Cotangent of every tap and of every leaf that is not cut, for each vector of ``basis``."""
    taps = {use.step: use.output for use in uses}
    skipped = {number for number, view in found.views.items() if view.leaf in cut}

    def remainder(tapped: dict[int, Array], weights: list[Array]) -> Array:
        environment = dict(known)
        for leaf, weight in zip(whole, weights, strict=True):
            environment[program.inputs[leaf]] = weight
        for index, step in enumerate(program.steps):
            if index in taps:
                environment[taps[index]] = tapped[index]
            elif all(program.is_known(value) for value in step.inputs):
                continue
            elif not skipped.issuperset(step.outputs):
                results = step.run([_read(environment, value) for value in step.inputs])
                environment.update(zip(step.outputs, results, strict=True))
        return _read(environment, program.output)

    if program.is_known(program.output) or not (taps or whole):
        k = basis.shape[0]
        return (
            {
                index: jnp.zeros((k, *program.types[number].shape), basis.dtype)
                for index, number in taps.items()
            },
            [jnp.zeros((k, *leaves[leaf].shape), basis.dtype) for leaf in whole],
        )
    axes = varying(output)
    shapes = {index: _abstract(program.types[number], axes) for index, number in taps.items()}
    weights = [_abstract(jax.typeof(leaves[leaf]), axes) for leaf in whole]
    pull = jax.linear_transpose(remainder, shapes, weights)
    return jax.vmap(with_products_for_kernels(pull))(vary(basis, axes))


def _abstract(kind: Any, axes: frozenset[str]) -> Any:
    """What ``linear_transpose`` is told of an input."""
    if axes:
        return vary(jnp.zeros(kind.shape, kind.dtype), axes)
    return jax.ShapeDtypeStruct(kind.shape, kind.dtype)


def _side_by_side(
    uses: list[Use], cotangents: dict[int, Array], known: dict[int, Any], dtype: Any
) -> tuple[Any, ...]:
    """All uses of one part of a leaf as a single site: their ``X`` axes joined."""
    of_outputs, operands = [], []
    for use in uses:
        cotangent = use.site.cotangent(cotangents[use.step]).astype(dtype)
        operand = use.site.operand([jnp.asarray(_read(known, value)) for value in use.others])
        scale: Any = use.view.sign
        for scalar, multiplies in use.view.scales:
            factor = jnp.asarray(_read(known, scalar), dtype)
            scale = scale * factor if multiplies else scale / factor
        scaled = use.view.scales or use.view.sign != 1
        if use.site.kind == "dense":
            operand = operand.astype(dtype)
            operands.append(operand * scale if scaled else operand)
            of_outputs.append(cotangent)
        else:
            operands.append(operand)
            of_outputs.append(cotangent * scale if scaled else cotangent)
    if len(uses) == 1:
        return of_outputs[0], operands[0]
    joined = jnp.concatenate(of_outputs, axis=-2)
    if uses[0].site.kind == "dense":
        return joined, jnp.concatenate(operands, axis=1)
    return joined, tuple(jnp.concatenate(parts) for parts in zip(*operands, strict=True))


def _formed(cotangent: Array, operand: Array) -> Array:
    """The Jacobian ``Σ_X x ⊗ C``, ``[k, size]``."""
    jacobian = jnp.einsum(
        "kbxj,bxi->kbij", cotangent, operand, preferred_element_type=operand.dtype
    )
    return _flat(jacobian)


def _flat(jacobian: Array) -> Array:
    """``[k, …]`` as ``[k, size]``; a -1 would not do for outputs or leaves without entries."""
    return jacobian.reshape(jacobian.shape[0], math.prod(jacobian.shape[1:]))


def basis_of(shape: tuple[int, ...], dtype: Any, axis: int | None, start: Any, size: int) -> Array:
    """Unit vectors of an output of this ``shape``, ``[k, shape]``.

    Args:
        shape: of the output.
        dtype: of the output.
        axis: axis along which only some entries have their vector; None: all have.
        start: first of these entries; may be traced.
        size: their number.
    """
    total = math.prod(shape)
    vectors = jnp.eye(total, dtype=dtype).reshape(*shape, *shape)
    if axis is not None:
        vectors = jax.lax.dynamic_slice_in_dim(vectors, start, size, axis)
    return vectors.reshape(math.prod(vectors.shape[: len(shape)]), *shape)
