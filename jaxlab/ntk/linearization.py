"""Networks replaced by their Taylor polynomial in the parameters.

The first-order one is the model whose training the neural tangent kernel describes exactly. Its
derivative is that of reverse mode, which training uses and custom rules define.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from jaxlab.checks import check_integer, require
from jaxlab.ntk.types import ApplyFn
from jaxlab.varying import vary_arrays, vary_like

__all__ = ["linearize", "taylor_expand"]


def linearize(apply_fn: ApplyFn, params: PyTree) -> ApplyFn:
    """The network's tangent at ``params``, ``f_lin(θ, x) = f(θ₀, x) + J(θ₀, x)(θ − θ₀)``.

    Args:
        apply_fn: ``(params, x) -> outputs``; outputs may be a PyTree.
        params: ``θ₀``. Only leaves of floating dtype are parameters; the others stay as they are
            here, whatever the returned function is given.

    Returns:
        ``(params, x) -> outputs``, affine in the parameters.

    Raises:
        ValueError: no leaf of ``params`` is floating; and on the call: parameters of another
            structure or shapes, outputs that are not floating, or a network that reverse mode
            cannot differentiate.

    Cost:
        About two to three times the network in time; memory as reverse mode takes it, which keeps
        what every step of a scan computes.

    Source:
        Lee et al. 2019, *Wide neural networks of any depth evolve as linear models under gradient
        descent*, section 2.2.

    Example:
        >>> square = linearize(lambda w, x: w**2 * x, 3.0)
        >>> square(4.0, jnp.ones(1))  # 9 + 2·3·(4 − 3)
        Array([15.], dtype=float32)
    """
    return taylor_expand(apply_fn, params, 1)


def taylor_expand(apply_fn: ApplyFn, params: PyTree, degree: int) -> ApplyFn:
    """Taylor polynomial of the network at ``params``, ``Σ_k D^k f(θ₀, x)[Δ, …, Δ] / k!``.

    ``Δ = θ − θ₀``, and ``k`` runs from 0 to ``degree``.

    Args:
        apply_fn: ``(params, x) -> outputs``; outputs may be a PyTree.
        params: ``θ₀``. Only leaves of floating dtype are parameters; the others stay as they are
            here, whatever the returned function is given.
        degree: of the polynomial, >= 0; static.

    Returns:
        ``(params, x) -> outputs``, a polynomial in the parameters.

    Raises:
        ValueError: ``degree < 0``; no leaf of ``params`` is floating; and on the call: parameters
            of another structure or shapes, outputs that are not floating, or a network that
            reverse mode cannot differentiate.

    Cost:
        Time of the network and memory of reverse mode through it, which keeps what every step of a
        scan computes, doubled with every degree (the transpose of reverse mode, in nested forward
        mode).

    Example:
        >>> cube = taylor_expand(lambda w, x: w**3 * x, 1.0, 2)
        >>> cube(3.0, jnp.ones(1))  # 1 + 3·2 + 3·2²
        Array([19.], dtype=float32)
    """
    check_integer("degree", degree, minimum=0)
    structure: Any
    leaves, structure = jax.tree.flatten(params)
    moving = [i for i, leaf in enumerate(leaves) if _is_floating(leaf)]
    require(bool(moving), "params", params, "at least one leaf of floating dtype")
    origin = [jnp.asarray(leaves[i]) for i in moving]

    def polynomial(params: PyTree, x: Any) -> PyTree:
        given, found = jax.tree.flatten(params)
        require(found == structure, "params", found, f"the structure expanded at, {structure}")
        shapes = [jnp.shape(given[i]) for i in moving]
        expected = [leaf.shape for leaf in origin]
        require(shapes == expected, "params", shapes, f"leaves of the shapes {expected}")
        step = [
            (given[i] - leaf).astype(leaf.dtype) for i, leaf in zip(moving, origin, strict=True)
        ]
        constants, x = vary_arrays((leaves, x), step)
        step = vary_like(step, constants, x)

        def network(point: list[Array]) -> tuple[PyTree, ...]:
            merged = list(constants)
            for i, leaf in zip(moving, point, strict=True):
                merged[i] = leaf
            outputs = apply_fn(jax.tree.unflatten(structure, merged), x)
            fits = all(_is_floating(output) for output in jax.tree.leaves(outputs))
            require(fits, "apply_fn", outputs, "a function whose outputs are floating")
            return (outputs,)

        derivatives = network
        for k in range(degree):
            derivatives = _with_next(derivatives, step, _pushed if k == 0 else jax.jvp)
        terms = derivatives(vary_like(origin, step, x))
        return jax.tree.map(
            lambda *parts: sum(part / float(math.factorial(k)) for k, part in enumerate(parts)),
            *terms,
        )

    return polynomial


def _with_next(derivatives: Any, step: list[Array], jvp: Callable[..., Any]) -> Any:
    """``(f, Df[Δ], …, D^k f[Δ…])`` as a function of the point, with the next one appended."""

    def extended(point: list[Array]) -> tuple[PyTree, ...]:
        values, changes = jvp(derivatives, (point,), (step,))
        return (*values, changes[-1])

    return extended


def _pushed(function: Any, point: tuple[list[Array]], step: tuple[list[Array]]) -> Any:
    """``jax.jvp`` of a network, also where only reverse mode has a rule.

    A custom reverse-mode rule is the derivative that training follows, and forward mode refuses it:
    the tangent is the transpose of reverse mode, and only higher degrees need forward mode, of it.
    """
    outputs, pull = jax.vjp(function, *point)
    (changes,) = jax.linear_transpose(pull, outputs)(step)
    return outputs, changes


def _is_floating(leaf: Any) -> bool:
    return bool(jnp.issubdtype(jnp.result_type(leaf), jnp.floating))
