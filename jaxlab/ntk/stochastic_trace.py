"""Trace and log-determinant of a kernel that is never formed, from random probes."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped

from jaxlab.checks import check_integer, check_key, check_scalar
from jaxlab.ntk.lanczos import random_vector, tridiagonalize
from jaxlab.ntk.operators import NTKOperator
from jaxlab.ntk.status import INDEFINITE, NOT_FINITE, OK

__all__ = ["LogDeterminant", "Trace", "logdet", "trace"]


class Trace(NamedTuple):
    """What :func:`trace` returns.

    Attributes:
        value: estimate, in the units of the kernel.
        standard_error: of the estimate, from the scatter of the probes; NaN if not finite.
    """

    value: Float[Array, ""]
    standard_error: Float[Array, ""]


class LogDeterminant(NamedTuple):
    """What :func:`logdet` returns.

    Attributes:
        value: estimate of the natural logarithm; NaN unless the status is ``OK``.
        standard_error: of the estimate, from the scatter of the probes; it does not see the error
            of the quadrature.
        status: ``OK``, ``INDEFINITE`` (a Ritz value of ``Θ + λI`` is not positive beyond
            rounding, ``ε`` times the largest) or ``NOT_FINITE``.
    """

    value: Float[Array, ""]
    standard_error: Float[Array, ""]
    status: Int[Array, ""]


def trace(key: PRNGKeyArray, operator: NTKOperator, probes: int = 32) -> Trace:
    """Estimate ``tr Θ = E[zᵀ Θ z]`` by probes ``z`` of independent signs (Hutchinson).

    Unbiased; its variance is ``2 Σ_{i≠j} Θ_ij² / probes``. Exact for a diagonal kernel. (The exact
    trace is the sum of ``operator.diagonal()``, at the price of ``nO`` gradients.)

    Args:
        key: of the probes, drawn row by row, so that they do not depend on the sharding.
        operator: symmetric.
        probes: products to make, at least two; static.

    Returns:
        Estimate and its standard error.

    Raises:
        ValueError: ``probes < 2``.

    Cost:
        ``probes`` products, one after the other.

    Source:
        Hutchinson 1990, *A stochastic estimator of the trace of the influence matrix*.

    Example:
        >>> from jaxlab.ntk.operators import dense_operator
        >>> operator = dense_operator(jnp.diag(jnp.array([1.0, 2.0, 4.0])))
        >>> trace(jax.random.key(0), operator, 8)._asdict()  # doctest: +ELLIPSIS
        {'value': Array(7., ...), 'standard_error': Array(0., ...)}
    """
    check_key("key", key)
    check_integer("probes", probes, minimum=2)
    return _trace(key, operator, probes)


def logdet(
    key: PRNGKeyArray,
    operator: NTKOperator,
    probes: int = 16,
    lanczos_steps: int = 32,
    *,
    ridge: int | float | Shaped[Array, ""] = 0.0,
) -> LogDeterminant:
    """Estimate ``log det(Θ + λI) = tr log(Θ + λI)`` by stochastic Lanczos quadrature.

    For a probe ``z`` of independent signs, ``zᵀ log(Θ + λI) z ≈ ‖z‖² Σ_i s_{1i}² log(θ_i + λ)``
    with Ritz values ``θ_i`` and first components ``s_{1i}`` of the eigenvectors of ``T``. The
    quadrature is exact once the steps reach the number of distinct eigenvalues; before that its
    error decays as ``exp(−4m/√κ)``.

    Args:
        key: of the probes, drawn row by row, so that they do not depend on the sharding.
        operator: symmetric positive semi-definite.
        probes: number of probes, at least two; static.
        lanczos_steps: products for each probe; static; never more than there are rows.
        ridge: ``λ >= 0``, in the units of the kernel; may be traced.

    Returns:
        Estimate, its standard error and status.

    Raises:
        ValueError: ``probes < 2``; ``lanczos_steps < 1``; a known ``ridge`` negative or not finite.

    Cost:
        ``probes · lanczos_steps`` products, and memory for ``lanczos_steps`` vectors.

    Source:
        Ubaru, Chen and Saad 2017, *Fast estimation of tr(f(A)) via stochastic Lanczos quadrature*.

    Example:
        >>> from jaxlab.ntk.operators import dense_operator
        >>> operator = dense_operator(jnp.diag(jnp.array([1.0, 2.0, 4.0])))
        >>> float(logdet(jax.random.key(0), operator, 4).value)  # log 8
        2.079...
    """
    check_key("key", key)
    check_integer("probes", probes, minimum=2)
    check_integer("lanczos_steps", lanczos_steps, minimum=1)
    check_scalar("ridge", ridge, minimum=0)
    return _logdet(key, operator, ridge, probes, min(lanczos_steps, max(operator.size, 1)))


@functools.partial(jax.jit, static_argnames="probes")
def _trace(key: Array, operator: NTKOperator, probes: int) -> Trace:
    def form(probe_key: Array) -> Array:
        probe = random_vector(probe_key, operator, jax.random.rademacher)
        return operator.dot(probe, operator.matvec(probe))

    return Trace(*_mean(jax.lax.map(form, jax.random.split(key, probes))))


@functools.partial(jax.jit, static_argnames=("probes", "lanczos_steps"))
def _logdet(
    key: Array, operator: NTKOperator, ridge: Any, probes: int, lanczos_steps: int
) -> LogDeterminant:
    if operator.size == 0:  # the determinant of an empty matrix is 1
        zero = jnp.zeros((), operator.dtype)
        return LogDeterminant(zero, zero, jnp.int32(OK))

    def form(probe_key: Array) -> tuple[Array, Array, Array]:
        probe = random_vector(probe_key, operator, jax.random.rademacher)
        krylov = tridiagonalize(operator, probe, lanczos_steps)
        values, vectors, there = krylov.eigenpairs()
        shifted = jnp.where(there, values + ridge, 1)
        largest = jnp.max(jnp.where(there, shifted, 0))
        positive = jnp.all(~there | (shifted > jnp.finfo(shifted.dtype).eps * largest))
        logarithms = jnp.log(jnp.where(shifted > 0, shifted, 1))
        weights = jnp.where(there, jnp.square(vectors[0]), 0)
        return operator.size * jnp.sum(weights * logarithms), positive, krylov.finite

    forms, positive, finite = jax.lax.map(form, jax.random.split(key, probes))
    status = jnp.where(jnp.all(positive), OK, INDEFINITE)
    status = jnp.where(jnp.all(finite), status, NOT_FINITE).astype(jnp.int32)
    value, error = _mean(forms)
    sound = status == OK
    return LogDeterminant(
        jnp.where(sound, value, jnp.nan), jnp.where(sound, error, jnp.nan), status
    )


def _mean(samples: Array) -> tuple[Array, Array]:
    """Mean and its standard error."""
    largest = jnp.max(jnp.abs(samples))
    largest = jnp.where(largest > 0, largest, 1)
    error = largest * jnp.std(samples / largest, ddof=1) / jnp.sqrt(samples.shape[0])
    return jnp.mean(samples), error
