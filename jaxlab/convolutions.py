"""Convolutions in the layout that XLA's compiler for CPUs is fast at, inside of loops too.

The compiler brings convolutions into the form ``[batch, pixels…, channels]`` by itself, but in a
program's outermost computation only. In the body of a loop or a branch, one that is written in
another form runs ten to fifty times slower; that of a derivative with respect to a kernel always
is, because jax transposes a convolution by exchanging batch and channels.
"""

import functools
import math
import operator
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax.extend import core
from jaxtyping import Array

__all__ = [
    "canonical_convolutions",
    "has_sharding",
    "in_place_of",
    "retraced",
    "trace_canonical",
    "with_equations",
]

T = TypeVar("T")


def canonical_convolutions(function: Callable[..., T]) -> Callable[..., T]:
    """``function``, on CPUs with every convolution in canonical form between two transposes.

    Derivatives are to be taken inside ``function``: those that are taken of the result have
    convolutions of their own. Left as they are: convolutions that canonical form makes slower,
    which are those between few channels (up to sixteen pairs of them, or groups of fewer than
    eight, such as depthwise ones); those with a sharding of their own; and all that is inside of a
    ``shard_map`` in ``function``.

    Args:
        function: takes arrays, in PyTrees, by position, and returns arrays.

    Returns:
        A function of the same values, which runs under every transformation that ``function`` does.

    Cost: mostly that of ``function`` or less; one more pass over its equations when it is traced.

    Example:
        >>> import jax.numpy as jnp
        >>> def gradient(x):
        ...     loss = lambda kernel: jnp.sum(jax.lax.conv(x, kernel, (1, 1), "SAME"))
        ...     return jax.grad(loss)(jnp.ones((1, 1, 1, 1))).sum()
        >>> batches = jnp.ones((3, 2, 1, 8, 8))
        >>> canonical_convolutions(lambda x: jax.lax.map(gradient, x))(batches).tolist()
        [128.0, 128.0, 128.0]
    """

    @functools.wraps(function)
    def canonical(*arguments: Any) -> T:
        return trace_canonical(function, *arguments)(*arguments)

    return canonical


def trace_canonical(function: Callable[..., T], *like: Any) -> Callable[..., T]:
    """:func:`canonical_convolutions`, traced once, for arguments of the types of ``like``.

    Args:
        function: as there; on other devices than CPUs it comes back as it is.
        like: arrays, in PyTrees.

    Returns:
        The function of such arguments.

    Cost: one trace of ``function``.

    Example:
        >>> import jax.numpy as jnp
        >>> kernel = jnp.ones((1, 1, 3))
        >>> images = jnp.ones((1, 1, 4))
        >>> smooth = trace_canonical(lambda x: jax.lax.conv(x, kernel, (1,), "SAME"), images)
        >>> smooth(images).tolist()
        [[[2.0, 3.0, 3.0, 2.0]]]
    """
    if jax.default_backend() != "cpu":
        return function
    return retraced(function, lambda closed: _rewritten(closed, {}), *like)


def retraced(
    function: Callable[..., T], rewrite: Callable[[core.ClosedJaxpr], core.ClosedJaxpr], *like: Any
) -> Callable[..., T]:
    """``function``, traced for arguments of the types of ``like``, as its rewritten jaxpr says.

    Args:
        function: takes arrays, in PyTrees, by position, and returns arrays.
        rewrite: from the jaxpr to one of the same inputs and outputs.
        like: arrays, in PyTrees.
    """
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(*like)
    flat = core.jaxpr_as_fun(rewrite(closed))

    def run(*arguments: Any) -> T:
        results = flat(*jax.tree.leaves(arguments))
        result: T = jax.tree.unflatten(jax.tree.structure(shapes), results)
        return result

    return run


def with_equations(jaxpr: Any, steps: list[core.JaxprEqn]) -> Any:
    """The jaxpr with these equations; itself where they are its own."""
    same = len(steps) == len(jaxpr.eqns) and all(map(operator.is_, steps, jaxpr.eqns))
    return jaxpr if same else jaxpr.replace(eqns=steps)


def _rewritten(value: Any, done: dict[int, Any]) -> Any:
    """A jaxpr, or several, with canonical convolutions; the value itself where nothing changes.

    What stands in several places is rewritten once, and stays one.
    """
    if isinstance(value, tuple | list):  # branches; the parts of a linear solve
        parts = [_rewritten(part, done) for part in value]
        if all(new is old for new, old in zip(parts, value, strict=True)):
            return value
        return value._make(parts) if hasattr(value, "_make") else type(value)(parts)
    if not isinstance(value, core.ClosedJaxpr | core.Jaxpr):
        return value
    if id(value) not in done:
        done[id(value)] = _rewritten_jaxpr(value, done)
    return done[id(value)]


def _rewritten_jaxpr(jaxpr: Any, done: dict[int, Any]) -> Any:
    body = getattr(jaxpr, "jaxpr", jaxpr)
    if body is not jaxpr:  # closed over constants; from jax 0.12 on every jaxpr is
        new = _rewritten(body, done)
        return jaxpr if new is body else jaxpr.replace(jaxpr=new)
    return with_equations(
        jaxpr, [step for equation in jaxpr.eqns for step in _equations(equation, done)]
    )


def _equations(equation: core.JaxprEqn, done: dict[int, Any]) -> list[core.JaxprEqn]:
    """What stands in place of one equation."""
    if _is_to_do(equation):
        return in_place_of(equation, functools.partial(_convolution, equation.params))
    if equation.primitive.name == "shard_map":
        return [equation]
    changed = {
        name: new
        for name, old in equation.params.items()
        if (new := _rewritten(old, done)) is not old
    }
    return [equation.replace(params={**equation.params, **changed}) if changed else equation]


def in_place_of(equation: core.JaxprEqn, function: Callable[..., Any]) -> list[core.JaxprEqn]:
    """The equations of ``function`` on what one equation reads, and with its results.

    Args:
        equation: of a jaxpr.
        function: takes arrays and returns arrays of the types that the equation has; it must not
            close over arrays.
    """
    closed = jax.make_jaxpr(function)(*[atom.aval for atom in equation.invars])
    ends = zip(
        [*closed.jaxpr.invars, *closed.jaxpr.outvars],
        [*equation.invars, *equation.outvars],
        strict=True,
    )
    names: dict[Any, Any] = dict(ends)

    def named(atom: Any) -> Any:
        return atom if isinstance(atom, core.Literal) else names.get(atom, atom)

    return [
        step.replace(
            invars=[named(atom) for atom in step.invars],
            outvars=[names.get(variable, variable) for variable in step.outvars],
        )
        for step in closed.jaxpr.eqns
    ]


def _is_to_do(equation: core.JaxprEqn) -> bool:
    if equation.primitive is not jax.lax.conv_general_dilated_p:
        return False
    given = equation.params["dimension_numbers"]
    if given == _canonical(len(given.out_spec)) or has_sharding(equation):
        return False
    return not _is_narrow(equation)


def has_sharding(equation: core.JaxprEqn) -> bool:
    """Whether a convolution says how its result is sharded, along explicit axes of a mesh."""
    sharding = equation.params.get("out_sharding")
    return sharding is not None and jax.sharding.AxisType.Explicit in sharding.mesh.axis_types


def _is_narrow(equation: core.JaxprEqn) -> bool:
    """Whether the channels are so few that the canonical form is the slower one."""
    given: Any = equation.params["dimension_numbers"]
    kernel: Any = equation.invars[1].aval
    found: Any = equation.outvars[0].aval
    outputs, inputs, *taps = (kernel.shape[axis] for axis in given.rhs_spec)
    batch, _, *pixels = (found.shape[axis] for axis in given.out_spec)
    # a derivative with respect to a kernel has an image for kernel, and channels for a batch
    of_kernel = math.prod(taps) >= math.prod(pixels)
    if equation.params["feature_group_count"] > 1:
        return inputs < 8 and not of_kernel
    if equation.params["batch_group_count"] > 1:
        return False
    return outputs * (batch if of_kernel else inputs) <= 16


def _canonical(ndim: int) -> jax.lax.ConvDimensionNumbers:
    """``[batch, pixels…, channels]`` with ``[taps…, channels, outputs]``."""
    images = (0, ndim - 1, *range(1, ndim - 1))
    return jax.lax.ConvDimensionNumbers(
        lhs_spec=images, rhs_spec=(ndim - 1, ndim - 2, *range(ndim - 2)), out_spec=images
    )


def _convolution(params: dict[str, Any], images: Array, kernel: Array) -> Array:
    """The convolution that ``params`` describe, in canonical form between transposes."""
    given = params["dimension_numbers"]
    batch, channels, *pixels = given.lhs_spec
    outputs, inputs, *taps = given.rhs_spec
    found = jax.lax.conv_general_dilated(
        images.transpose(batch, *pixels, channels),
        kernel.transpose(*taps, inputs, outputs),
        **{**params, "dimension_numbers": _canonical(images.ndim)},
    )
    batch, channels, *pixels = given.out_spec
    return found.transpose(*np.argsort((batch, *pixels, channels)))
