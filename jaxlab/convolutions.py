"""Convolutions in the layout that XLA's compiler for CPUs is fast at, inside of loops too.

The compiler brings convolutions into the form ``[batch, pixels…, channels]`` by itself, but in a
program's outermost computation only. In the body of a loop or a branch, one that is written in
another form runs ten to fifty times slower; that of a derivative with respect to a kernel always
is, because jax transposes a convolution by exchanging batch and channels.
"""

import functools
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
    convolutions of their own.

    Args:
        function: takes arrays, in PyTrees, by position, and returns arrays.

    Returns:
        A function of the same values, which runs under every transformation that ``function`` does.

    Cost: that of ``function``; one more pass over its equations when it is traced.

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
    if isinstance(value, tuple | list):  # branches
        return type(value)(map(_rewritten, value))
    body = getattr(value, "jaxpr", value)
    if body is not value:  # closed over constants; from jax 0.12 on every jaxpr is
        return value.replace(jaxpr=_rewritten(body))
    return value.replace(eqns=[_equation(equation) for equation in value.eqns])


def _equation(equation: core.JaxprEqn) -> core.JaxprEqn:
    if _is_to_do(equation):
        convolution = jax.jit(functools.partial(_convolution, equation.params))
        (call,) = jax.make_jaxpr(convolution)(*[atom.aval for atom in equation.invars]).eqns
        return call.replace(invars=equation.invars, outvars=equation.outvars)
    params = {name: _rewritten(value) for name, value in equation.params.items()}
    return equation.replace(params=params)


def _has_work(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(map(_has_work, value))
    return isinstance(value, core.ClosedJaxpr | core.Jaxpr) and any(
        _is_to_do(equation) or any(map(_has_work, equation.params.values()))
        for equation in value.eqns
    )


def _is_to_do(equation: core.JaxprEqn) -> bool:
    if equation.primitive is not jax.lax.conv_general_dilated_p:
        return False
    given = equation.params["dimension_numbers"]
    return given != _canonical(len(given.out_spec))


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
