"""Reverse mode in which a convolution's derivative with respect to its kernel is a product.

jax makes a convolution of it whose kernel is as large as an image and, where each example has a
derivative of its own, has a group for each example. Patches times cotangents are the same numbers,
on CPUs up to three times faster, for one and a half times the memory; and where arrays are sharded
over examples, XLA's partitioner gets such groups wrong.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import jax
from jax.extend import core

from jaxlab.convolutions import has_sharding, in_place_of, retraced, with_equations
from jaxlab.ntk._patches import convolution_by_product
from jaxlab.ntk._steps import scan_counts

__all__ = ["with_products_for_kernels"]

T = TypeVar("T")


def with_products_for_kernels(pull: Callable[..., T]) -> Callable[..., T]:
    """``pull``, with products in place of convolutions whose kernel depends on its arguments.

    Args:
        pull: a linear function, the result of ``jax.vjp`` or ``jax.linear_transpose``.
    """

    def rewritten(*arguments: Any) -> T:
        linear = (True,) * len(jax.tree.leaves(arguments))
        products = retraced(pull, lambda closed: _rewritten(closed, linear, {}), *arguments)
        return products(*arguments)

    return rewritten


def _rewritten(jaxpr: Any, linear: tuple[bool, ...], done: dict[Any, Any]) -> Any:
    """A jaxpr with products for kernels, given which of its inputs are linear.

    What stands in several places is rewritten once, and stays one.
    """
    key = id(jaxpr), linear
    if key not in done:
        body = getattr(jaxpr, "jaxpr", jaxpr)
        if body is not jaxpr:  # closed over constants; from jax 0.12 on every jaxpr is
            new = _rewritten(body, linear, done)
            done[key] = jaxpr if new is body else jaxpr.replace(jaxpr=new)
        else:
            done[key] = with_equations(jaxpr, _steps(jaxpr, linear, done))
    return done[key]


def _steps(jaxpr: Any, linear: tuple[bool, ...], done: dict[Any, Any]) -> list[core.JaxprEqn]:
    found = {variable for variable, flag in zip(jaxpr.invars, linear, strict=True) if flag}
    steps: list[core.JaxprEqn] = []
    for equation in jaxpr.eqns:
        flags = tuple(
            not isinstance(atom, core.Literal) and atom in found for atom in equation.invars
        )
        if any(flags):
            found.update(equation.outvars)
        if _is_of_kernel(equation, flags):
            product = functools.partial(convolution_by_product, equation.params)
            steps.extend(in_place_of(equation, product))
        else:
            steps.append(_within(equation, flags, done) if any(flags) else equation)
    return steps


def _is_of_kernel(equation: core.JaxprEqn, linear: tuple[bool, ...]) -> bool:
    return (
        equation.primitive is jax.lax.conv_general_dilated_p
        and linear == (False, True)
        and not has_sharding(equation)
    )


def _within(
    equation: core.JaxprEqn, linear: tuple[bool, ...], done: dict[Any, Any]
) -> core.JaxprEqn:
    """The equation with what it calls rewritten."""
    name, params = equation.primitive.name, equation.params
    if name == "shard_map":
        return equation
    if name == "cond":  # the first input is the number of the branch
        branches = [_rewritten(branch, linear[1:], done) for branch in params["branches"]]
        changed = {"branches": type(params["branches"])(branches)}
    else:
        if name == "scan":  # what an iteration hands on to the next
            constants, carried = scan_counts(equation)
            linear = linear[:constants] + (True,) * carried + linear[constants + carried :]
        changed = {
            key: _rewritten(value, linear, done)
            for key, value in params.items()
            if isinstance(value, core.ClosedJaxpr | core.Jaxpr)
            and len(getattr(value, "jaxpr", value).invars) == len(linear)
        }
    same = all(value is params[key] for key, value in changed.items())
    return equation if same else equation.replace(params=params | changed)
