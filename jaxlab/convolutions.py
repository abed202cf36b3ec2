"""Convolutions in the layout that XLA's compiler for CPUs is fast at, inside of loops too.

The compiler brings convolutions into the form ``[batch, pixels…, channels]`` by itself, but in a
program's outermost computation only. In the body of a loop or a branch, one that is written in
another form runs ten to fifty times slower; that of a derivative with respect to a kernel always
is, because jax transposes a convolution by exchanging batch and channels.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax.extend import core
from jaxtyping import Array

__all__ = ["canonical_convolutions"]

T = TypeVar("T")


def canonical_convolutions(function: Callable[..., T]) -> Callable[..., T]:
    """``function``, on CPUs with every convolution in canonical form between two transposes.

    Derivatives are to be taken inside ``function``: those that are taken of the result have
    convolutions of their own. Left as they are: convolutions in groups of fewer than eight
    channels, such as depthwise ones, which are slower in canonical form; and all that is inside of
    a ``shard_map`` in ``function``.

    Args:
        function: takes arrays, in PyTrees, by position, and returns arrays.

    Returns:
        A function of the same values, which runs under every transformation that ``function`` does.

    Cost: that of ``function``, or less; one more pass over its equations when it is traced.

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
        if jax.default_backend() != "cpu":
            return function(*arguments)
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(*arguments)
        results = core.jaxpr_as_fun(_rewritten(closed))(*jax.tree.leaves(arguments))
        result: T = jax.tree.unflatten(jax.tree.structure(shapes), results)
        return result

    return canonical


def _rewritten(value: Any) -> Any:
    """A jaxpr, or several, with canonical convolutions; any other parameter as it is."""
    if not _has_work(value):
        return value
    if isinstance(value, tuple | list):  # branches; the parts of a linear solve
        parts = map(_rewritten, value)
        return value._make(parts) if hasattr(value, "_make") else type(value)(parts)
    body = getattr(value, "jaxpr", value)
    if body is not value:  # closed over constants; from jax 0.12 on every jaxpr is
        return value.replace(jaxpr=_rewritten(body))
    return value.replace(eqns=[new for old in value.eqns for new in _equations(old)])


def _equations(equation: core.JaxprEqn) -> list[core.JaxprEqn]:
    """What stands in place of one equation."""
    if not _is_to_do(equation):
        parts = {name: _rewritten(value) for name, value in _parts(equation).items()}
        return [equation.replace(params={**equation.params, **parts})]
    convolution = functools.partial(_convolution, equation.params)
    closed = jax.make_jaxpr(convolution)(*[atom.aval for atom in equation.invars])
    ends = zip(
        [*closed.jaxpr.invars, *closed.jaxpr.outvars],
        [*equation.invars, *equation.outvars],
        strict=True,
    )
    names: dict[Any, Any] = dict(ends)
    return [
        step.replace(
            invars=[names.get(atom, atom) for atom in step.invars],
            outvars=[names.get(variable, variable) for variable in step.outvars],
        )
        for step in closed.jaxpr.eqns
    ]


def _has_work(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(map(_has_work, value))
    return isinstance(value, core.ClosedJaxpr | core.Jaxpr) and any(
        _is_to_do(equation) or any(map(_has_work, _parts(equation).values()))
        for equation in value.eqns
    )


def _parts(equation: core.JaxprEqn) -> dict[str, Any]:
    """Parameters of an equation that may have convolutions in them."""
    return {} if equation.primitive.name == "shard_map" else equation.params


def _is_to_do(equation: core.JaxprEqn) -> bool:
    if equation.primitive is not jax.lax.conv_general_dilated_p:
        return False
    given = equation.params["dimension_numbers"]
    return given != _canonical(len(given.out_spec)) and not _has_narrow_groups(equation)


def _has_narrow_groups(equation: core.JaxprEqn) -> bool:
    """Whether it is depthwise, or nearly so.

    Not meant are derivatives of single examples, each of which is a group, with a kernel as large
    as the image.
    """
    given: Any = equation.params["dimension_numbers"]
    kernel: Any = equation.invars[1].aval
    found: Any = equation.outvars[0].aval
    _, channels, *taps = (kernel.shape[axis] for axis in given.rhs_spec)
    _, _, *pixels = (found.shape[axis] for axis in given.out_spec)
    groups: int = equation.params["feature_group_count"]
    return groups > 1 and channels < 8 and math.prod(taps) < math.prod(pixels)


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
