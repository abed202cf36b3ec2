"""Separations that raise scores to a power: dense associative memories.

A power ``p`` here is a *separation* power: a dense associative memory with energy ``Σ F(ξ·v)``,
``F(x) = x^n``, updates with ``F'``, which is separation power ``n − 1``. "Order n, capacity
``d^(n−1)``" in the literature is power ``n − 1`` here, and capacity ``d^p``.
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.checks import check_bool, check_scalar, concrete
from jaxlab.hopfield._declare import cached, separation_function
from jaxlab.hopfield.types import Number, Separation

__all__ = ["polynomial", "rectified_polynomial"]


@cached
def polynomial(power: Number, signed: bool = False) -> Separation:
    """A power, ``w = s^power``, or ``sign(s) |s|^power`` if ``signed``.

    Even powers lose the sign of a score: on bipolar patterns use ``signed`` or
    :func:`rectified_polynomial`. A negative score to a power that is not whole is NaN unless
    ``signed``; ``retrieve`` refuses a similarity whose scores are declared negative there.

    Args:
        power: exponent, > 0; may be traced.
        signed: keep the score's sign.

    Returns:
        A separation with mask value 0.

    Raises:
        ValueError: ``power`` is not one number, or known and not finite or not > 0.

    Cost:
        ``n`` powers per query.

    Source:
        Millidge et al. 2022, section 5 (powers ½, 2, 3, 4, 10).

    Example:
        >>> polynomial(2)(jnp.array([3.0, -2.0]))
        Array([9., 4.], dtype=float32)
        >>> polynomial(2, signed=True)(jnp.array([3.0, -2.0]))
        Array([ 9., -4.], dtype=float32)
    """
    check_bool("signed", signed)
    check_scalar("power", power, above=0)
    whole = _whole(power)

    @separation_function(mask_value=0.0, nonnegative_scores=whole is None and not signed)
    def polynomial_separation(scores: Float[Array, "*b n"]) -> Float[Array, "*b n"]:
        if not signed or (whole is not None and whole % 2 == 1):
            return _raise(scores, power)
        return jnp.sign(scores) * _raise(jnp.abs(scores), power)

    return polynomial_separation


@cached
def rectified_polynomial(power: Number) -> Separation:
    """A power of the positive part, ``w = max(s, 0)^power``: dense associative memory.

    Args:
        power: exponent, > 0; may be traced.

    Returns:
        A separation with mask value 0.

    Raises:
        ValueError: ``power`` is not one number, or known and not finite or not > 0.

    Cost:
        ``n`` powers per query.

    Source:
        Krotov and Hopfield 2016; Millidge et al. 2022, section 3.

    Example:
        >>> rectified_polynomial(3)(jnp.array([2.0, -2.0]))
        Array([8., 0.], dtype=float32)
    """
    check_scalar("power", power, above=0)

    @separation_function(mask_value=0.0)
    def rectified_polynomial_separation(scores: Float[Array, "*b n"]) -> Float[Array, "*b n"]:
        return _raise(jnp.maximum(scores, 0), power)

    return rectified_polynomial_separation


def _whole(power: Any) -> int | None:
    """``power`` as a Python integer if it is a known whole number."""
    value = concrete(power)
    if value is None or value.ndim or float(value) != int(value):
        return None
    return int(value)


def _raise(base: Array, power: Any) -> Array:
    """``base^power``; for a power that is not whole, the derivative at 0 is taken as 0."""
    whole = _whole(power)
    if whole is not None:
        return base**whole
    there = base != 0
    return jnp.where(there, jnp.where(there, base, 1) ** jnp.asarray(power, base.dtype), 0)
