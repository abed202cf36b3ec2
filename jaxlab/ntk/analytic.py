r"""Kernels of infinitely wide fully connected networks in closed form.

In the NTK parametrisation a layer is ``h ↦ σ_w/√d W φ(h) + σ_b b`` with standard normal ``W, b``.
With ``q`` the variances of the pre-activations and ``K`` their covariance, a layer maps

    K ↦ σ_w² E[φ(u) φ(v)] + σ_b²,    Θ ↦ K + σ_w² E[φ'(u) φ'(v)] Θ

(with the new ``K``), where ``(u, v)`` is Gaussian with covariance ``[[q, K], [K, q']]``; the first
one is linear, ``K = Θ = σ_w² x·x'/d + σ_b²``.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlab.checks import (
    check_choice,
    check_dtype,
    check_integer,
    check_scalar,
    check_shape,
    require,
)
from jaxlab.ntk._options import check_get
from jaxlab.ntk._rows import matmul
from jaxlab.ntk.types import Kernels

__all__ = ["fully_connected"]


class _Moments(NamedTuple):
    """``E[φφ]`` across, ``E[φ'φ']`` across, and ``E[φ²]`` on each side."""

    across: Array
    slopes: Array
    left: Array
    right: Array


def fully_connected(
    x1: Float[Array, "n d"],
    x2: Float[Array, "m d"] | None = None,
    *,
    depth: int,
    activation: str = "relu",
    sigma_w: int | float | Float[Array, ""] = 2**0.5,
    sigma_b: int | float | Float[Array, ""] = 0.0,
    get: tuple[str, ...] = ("nngp", "ntk"),
) -> Kernels:
    """NNGP kernel and NTK of an infinitely wide fully connected network.

    ReLU, with ``c = K/√(q q')``: ``E[φφ] = ½√(q q') (√(1−c²) + c(π − arccos c))/π`` and
    ``E[φ'φ'] = ½(π − arccos c)/π``. Error function: ``E[φφ] = (2/π) arcsin(2K/√((1+2q)(1+2q')))``
    and ``E[φ'φ'] = (4/π)/√((1+2q)(1+2q') − 4K²)``. Identity: ``K`` and 1.

    Gradients are finite, also where ``q²`` is no number. The ReLU's NTK has a kink where two inputs
    are parallel, and its kernels have one at a zero input without biases: there the singular part
    is taken as 0. Near ``c = 1`` the ReLU's NTK is accurate to about the square root of the
    precision ``ε``, and that of the error function to about ``ε q``: where ``q`` comes near
    ``1/ε``, entries between nearly parallel inputs and their gradients are wrong, and the gradients
    not finite once ``q^{3/2}`` overflows. The diagonal with ``x2=None`` is exact.

    Args:
        x1: inputs.
        x2: inputs; None is ``x1``.
        depth: number of hidden layers, >= 0; static.
        activation: ``"relu"``, ``"erf"`` or ``"identity"``; static.
        sigma_w: scale ``σ_w`` of the weights, >= 0.
        sigma_b: scale ``σ_b`` of the biases, >= 0.
        get: which kernels: ``"nngp"``, ``"ntk"`` or both; static.

    Returns:
        Kernels ``[n, m]`` of one output, which stand for ``K ⊗ I`` over all outputs
        (``trace_axes=(-1,)``).

    Raises:
        ValueError: the feature sizes differ or are zero; a dtype is not floating; ``depth < 0``;
            a scale is known and negative; unknown activation or kernel.

    Cost:
        ``O(n m (d + depth))`` time, ``O(n m)`` memory.

    Source:
        Cho and Saul 2009, *Kernel methods for deep learning* (ReLU); Williams 1997, *Computing with
        infinite networks* (error function); Jacot, Gabriel and Hongler 2018, *Neural tangent
        kernel*, theorem 1.

    Example:
        >>> x = jnp.array([[1.0, -1.0], [-1.0, 1.0]])
        >>> kernels = fully_connected(x, depth=1, sigma_w=2.0)
        >>> kernels.nngp[0], kernels.ntk[0]
        (Array([8., 0.], dtype=float32), Array([16.,  0.], dtype=float32))
    """
    _check(x1, x2, depth, activation, get)
    check_scalar("sigma_w", sigma_w, minimum=0)
    check_scalar("sigma_b", sigma_b, minimum=0)
    return _kernels(x1, x2, sigma_w, sigma_b, depth, activation, tuple(get))


@functools.partial(jax.jit, static_argnames=("depth", "activation", "get"))
def _kernels(
    x1: Array,
    x2: Array | None,
    sigma_w: Any,
    sigma_b: Any,
    depth: int,
    activation: str,
    get: tuple[str, ...],
) -> Kernels:
    dtype = jnp.promote_types(x1.dtype if x2 is None else jnp.result_type(x1, x2), jnp.float32)
    weight, bias = (jnp.square(jnp.asarray(sigma, dtype)) for sigma in (sigma_w, sigma_b))
    first = x1.astype(dtype)
    second = first if x2 is None else x2.astype(dtype)
    d = x1.shape[1]
    # entries of the kernel between an input and itself, where c = 1 to the last bit
    same = jnp.eye(x1.shape[0], dtype=bool) if x2 is None else None

    def affine(moment: Array) -> Array:
        return weight * moment + bias

    def layer(carry: tuple[Array, ...], _: None) -> tuple[tuple[Array, ...], None]:
        nngp, ntk, left, right = carry
        moments = ACTIVATIONS[activation](nngp, left, right, same)
        left, right = affine(moments.left), affine(moments.right)
        nngp = _where(same, left[:, None], affine(moments.across))
        return (nngp, nngp + weight * moments.slopes * ntk, left, right), None

    left, right = (affine(jnp.sum(jnp.square(x), axis=1) / d) for x in (first, second))
    nngp = _where(same, left[:, None], affine(matmul(first, second.T) / d))
    # a loop, as compilers take a time that grows faster than the depth; shallow networks have none
    start: tuple[Array, ...] = (nngp, nngp, left, right)
    (nngp, ntk, _, _), _ = jax.lax.scan(layer, start, length=depth, unroll=4)
    return Kernels(nngp if "nngp" in get else None, ntk if "ntk" in get else None)


def _relu(k: Array, left: Array, right: Array, same: Array | None) -> _Moments:
    scale, cosine = _polar(k, left, right, same)
    return _Moments(scale * _arc1(cosine) / 2, _arc0(cosine) / 2, left / 2, right / 2)


def _erf(k: Array, left: Array, right: Array, same: Array | None) -> _Moments:
    _, cosine = _polar(k, left, right, same)
    q, root = left[:, None], 1 / jnp.sqrt(1 + 2 * right)
    # √((1+2q)(1+2q') − 4K²) over √(1+2q'), without cancellation and products that may overflow
    aside = (1 - cosine) * (1 + cosine)
    rest = jnp.sqrt(1 + 2 * q * root * root + 2 * q * (1 - root * root) * aside)

    def arcsine(sine: Array, cosine: Array) -> Array:
        return 2 / np.pi * jnp.arctan(sine / cosine)

    return _Moments(
        arcsine(2 * k * root, rest),
        4 / np.pi * root * (1 / rest),
        arcsine(2 * left, jnp.sqrt(1 + 4 * left)),
        arcsine(2 * right, jnp.sqrt(1 + 4 * right)),
    )


def _identity(k: Array, left: Array, right: Array, same: Array | None) -> _Moments:
    return _Moments(k, jnp.ones_like(k), left, right)


ACTIVATIONS: dict[str, Callable[..., _Moments]] = {
    "relu": _relu,
    "erf": _erf,
    "identity": _identity,
}


def _polar(k: Array, left: Array, right: Array, same: Array | None) -> tuple[Array, Array]:
    """``√(q q')`` and the cosine ``K/√(q q')``, which is 0 where a variance is."""
    scale = _safe_sqrt(left)[:, None] * _safe_sqrt(right)
    cosine = _cosine(k, scale)
    return scale, _where(same, jnp.ones_like(cosine), cosine)


@jax.custom_jvp
def _cosine(k: Array, scale: Array) -> Array:
    """``K/√(q q')``, whose derivative divides once: the square of the scale may be no number."""
    there = scale > 0
    return jnp.where(there, jnp.clip(k / jnp.where(there, scale, 1), -1, 1), 0)


@_cosine.defjvp
def _cosine_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    k, scale = primals
    change, stretch = tangents
    cosine = _cosine(k, scale)
    there = scale > 0
    slope = (change - cosine * stretch) / jnp.where(there, scale, 1)
    return cosine, jnp.where(there, slope, 0)


def _arc0(cosine: Array) -> Array:
    """``(π − arccos c)/π``, of slope 0 at ``c = ±1``, where it has none."""
    inside = jnp.abs(cosine) < 1
    angle = jnp.arccos(jnp.where(inside, cosine, 0))
    return jnp.where(inside, 1 - angle / np.pi, (cosine > 0).astype(cosine.dtype))


@jax.custom_jvp
def _arc1(cosine: Array) -> Array:
    """``(√(1−c²) + c(π − arccos c))/π``, whose derivative is :func:`_arc0`."""
    inside = jnp.abs(cosine) < 1  # elsewhere what is written here has no derivative
    c = jnp.where(inside, cosine, 0)
    arc = (jnp.sqrt((1 - c) * (1 + c)) + c * (np.pi - jnp.arccos(c))) / np.pi
    return jnp.where(inside, arc, jnp.maximum(cosine, 0))


@_arc1.defjvp
def _arc1_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Any]:
    (cosine,), (change,) = primals, tangents
    return _arc1(cosine), _arc0(cosine) * change


def _safe_sqrt(values: Array) -> Array:
    """Square root with slope 0 at 0."""
    positive = values > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, values, 1)), 0)


def _where(mask: Array | None, chosen: Array, other: Array) -> Array:
    return other if mask is None else jnp.where(mask, chosen, other)


def _check(x1: Array, x2: Array | None, depth: int, activation: str, get: tuple[str, ...]) -> None:
    for name, x in (("x1", x1), ("x2", x2)):
        if x is not None:
            check_dtype(name, x, "floating")
            check_shape(name, x, ("n", x1.shape[-1] if x1.ndim == 2 else "d"))
    require(x1.shape[1] > 0, "x1", x1, "inputs with at least one feature")
    check_integer("depth", depth, minimum=0)
    check_choice("activation", activation, tuple(ACTIVATIONS))
    check_get(get)
