"""Convex Lagrangians: one scalar function per layer, whose gradient is the layer's output.

Choosing a layer's activation function means choosing its Lagrangian. On hidden (memory) neurons the
gradient is the separation function; on visible neurons it is the nonlinearity of the features.

==========================  ===========================  ======================================
constructor                 value                        gradient
==========================  ===========================  ======================================
softmax_lagrangian(β)       ``log Σ exp(βx) / β``        softmax: modern Hopfield network
rectified_power_lagrangian  ``Σ max(x, 0)^{p+1}/(p+1)``  rectified power p: dense memory
identity_lagrangian         ``½ Σ x²``                   x: classical Hopfield network
exponential_lagrangian(β)   ``Σ exp(βx) / β``            exponential, not normalised
max_lagrangian              ``max x``                    one-hot of the largest (a subgradient)
quadratic_lagrangian        ``½ Σ x²``                   x: linear features
log_cosh_lagrangian(β)      ``Σ log cosh(βx) / β``       tanh(βx)
layer_norm_lagrangian(ε)    ``√(Σ (x − x̄)² + ε)``        layer normalisation, to length 1
spherical_lagrangian(ε)     ``√(Σ x² + ε)``              projection on the sphere
==========================  ===========================  ======================================
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.checks import check_scalar
from jaxlab.hopfield._declare import cached
from jaxlab.hopfield.types import Number
from jaxlab.varying import vary_like

__all__ = [
    "Lagrangian",
    "exponential_lagrangian",
    "identity_lagrangian",
    "layer_norm_lagrangian",
    "log_cosh_lagrangian",
    "max_lagrangian",
    "quadratic_lagrangian",
    "rectified_power_lagrangian",
    "softmax_lagrangian",
    "spherical_lagrangian",
]


class Lagrangian(NamedTuple):
    """A layer's Lagrangian: a hashable value, so that it can be a static argument.

    Attributes:
        value: convex, differentiable function ``[*b, k] -> [*b]`` of the neurons on the last axis.

    Example:
        >>> double = Lagrangian(lambda x: jnp.sum(x**2, axis=-1))
        >>> double.output(jnp.array([1.0, 3.0]))
        Array([2., 6.], dtype=float32)
    """

    value: Callable[[Float[Array, "*b k"]], Float[Array, "*b"]]

    def output(self, x: Float[Array, "*b k"]) -> Float[Array, "*b k"]:
        """The layer's output, ``∇L(x)``."""
        # A gradient in what all devices share would be summed over them.
        x = vary_like(x, jax.eval_shape(self.value, x))
        # The rows of a batch do not meet in `value`, so the gradient of the sum is each row's own.
        return jax.grad(lambda x: jnp.sum(self.value(x)))(x)


@cached
def softmax_lagrangian(beta: Number) -> Lagrangian:
    """``L(x) = log Σ_k exp(β x_k) / β``, whose gradient is ``softmax(βx)``.

    Args:
        beta: inverse temperature, > 0; may be traced.

    Returns:
        The hidden Lagrangian of the modern Hopfield network.

    Raises:
        ValueError: ``beta`` known and not a finite number > 0.

    Source: Krotov and Hopfield 2021, model B; Millidge et al. 2022, section 3.4.

    Example:
        >>> softmax_lagrangian(2.0).output(jnp.array([0.8, 0.3])).tolist()
        [0.731..., 0.268...]
    """
    check_scalar("beta", beta, above=0)

    def value(x: Float[Array, "*b k"]) -> Float[Array, "*b"]:
        return jax.nn.logsumexp(_number(beta, x) * x, axis=-1) / _number(beta, x)

    return Lagrangian(value)


@cached
def rectified_power_lagrangian(power: Number) -> Lagrangian:
    """``L(x) = Σ_k max(x_k, 0)^{p+1} / (p+1)``, whose gradient is ``max(x, 0)^p``.

    Args:
        power: ``p``, > 0; the separation's power, one less than the order of the energy. Twice
            differentiable for ``p > 1``. May be traced.

    Returns:
        The hidden Lagrangian of the dense associative memory.

    Raises:
        ValueError: ``power`` known and not a finite number > 0.

    Source: Krotov and Hopfield 2021, model A.

    Example:
        >>> rectified_power_lagrangian(3).output(jnp.array([-1.0, 0.0, 2.0]))
        Array([0., 0., 8.], dtype=float32)
    """
    check_scalar("power", power, above=0)

    def value(x: Float[Array, "*b k"]) -> Float[Array, "*b"]:
        order = _number(power, x) + 1
        off = x <= 0
        # A power's derivatives at exactly 0 would be 0·∞ for small p: keep the base away from it.
        base = jnp.where(off, jnp.ones_like(x), x)
        return jnp.sum(jnp.where(off, 0, base**order / order), axis=-1)

    return Lagrangian(value)


@cached
def identity_lagrangian() -> Lagrangian:
    """``L(x) = ½ Σ_k x_k²``, whose gradient is ``x``; for hidden neurons, the classical network.

    Returns:
        The same Lagrangian as :func:`quadratic_lagrangian`.

    Source: Krotov and Hopfield 2021.

    Example:
        >>> identity_lagrangian().output(jnp.array([1.0, -2.0]))
        Array([ 1., -2.], dtype=float32)
    """
    return quadratic_lagrangian()


@cached
def exponential_lagrangian(beta: Number) -> Lagrangian:
    """``L(x) = Σ_k exp(β x_k) / β``, whose gradient is ``exp(βx)``.

    Args:
        beta: inverse temperature, > 0; may be traced.

    Returns:
        The hidden Lagrangian of the exponential memory; overflows where ``βx > 88`` in float32.

    Raises:
        ValueError: ``beta`` known and not a finite number > 0.

    Source: Demircigil et al. 2017, in the form of Krotov and Hopfield 2021.

    Example:
        >>> exponential_lagrangian(1.0).output(jnp.array([0.0]))
        Array([1.], dtype=float32)
    """
    check_scalar("beta", beta, above=0)

    def value(x: Float[Array, "*b k"]) -> Float[Array, "*b"]:
        return jnp.sum(jnp.exp(_number(beta, x) * x), axis=-1) / _number(beta, x)

    return Lagrangian(value)


@cached
def max_lagrangian() -> Lagrangian:
    """``L(x) = max_k x_k``, with the one-hot subgradient, shared equally among ties.

    Returns:
        The hidden Lagrangian of nearest-pattern retrieval; not smooth where the winner changes.

    Source: the limit β → ∞ of :func:`softmax_lagrangian`.

    Example:
        >>> max_lagrangian().output(jnp.array([0.5, 2.0, 1.0]))
        Array([0., 1., 0.], dtype=float32)
    """

    def value(x: Float[Array, "*b k"]) -> Float[Array, "*b"]:
        return jnp.max(x, axis=-1)

    return Lagrangian(value)


@cached
def quadratic_lagrangian() -> Lagrangian:
    """``L(x) = ½ Σ_k x_k²``, whose gradient is ``x``; for visible neurons, linear features.

    Returns:
        The visible Lagrangian of the modern continuous Hopfield network.

    Source: Krotov and Hopfield 2021.

    Example:
        >>> quadratic_lagrangian().value(jnp.array([3.0, 4.0]))
        Array(12.5, dtype=float32)
    """

    def value(x: Float[Array, "*b k"]) -> Float[Array, "*b"]:
        return 0.5 * jnp.sum(jnp.square(x), axis=-1)

    return Lagrangian(value)


@cached
def log_cosh_lagrangian(beta: Number = 1.0) -> Lagrangian:
    """``L(x) = Σ_k log cosh(β x_k) / β``, whose gradient is ``tanh(βx)``.

    Args:
        beta: slope, > 0; may be traced. Large slopes approach the classical ±1 neurons.

    Returns:
        The visible Lagrangian of graded bipolar neurons.

    Raises:
        ValueError: ``beta`` known and not a finite number > 0.

    Source: Hopfield 1984, in the form of Krotov and Hopfield 2021.

    Example:
        >>> log_cosh_lagrangian(100.0).output(jnp.array([-3.0, 0.0, 3.0]))
        Array([-1.,  0.,  1.], dtype=float32)
    """
    check_scalar("beta", beta, above=0)

    def value(x: Float[Array, "*b k"]) -> Float[Array, "*b"]:
        scaled = _number(beta, x) * x
        # log cosh y = log(e^y + e^-y) - log 2, which does not overflow.
        log_cosh = jnp.logaddexp(scaled, -scaled) - jnp.log(jnp.asarray(2, x.dtype))
        return jnp.sum(log_cosh, axis=-1) / _number(beta, x)

    return Lagrangian(value)


@cached
def layer_norm_lagrangian(epsilon: Number = 1e-5) -> Lagrangian:
    """``L(x) = √(Σ_k (x_k − x̄)² + ε)``, whose gradient is the centred ``x`` at length below 1.

    Args:
        epsilon: keeps the root smooth at constant patterns, > 0; may be traced.

    Returns:
        A visible Lagrangian; its output times ``√k`` is the usual layer normalisation.

    Raises:
        ValueError: ``epsilon`` known and not a finite number > 0.

    Source: Krotov and Hopfield 2021, model C; Tang and Kopp 2021.

    Example:
        >>> layer_norm_lagrangian().output(jnp.array([5.0, 5.0])).tolist()
        [0.0, 0.0]
    """
    check_scalar("epsilon", epsilon, above=0)

    def value(x: Float[Array, "*b k"]) -> Float[Array, "*b"]:
        centred = x - jnp.mean(x, axis=-1, keepdims=True)
        return jnp.sqrt(jnp.sum(jnp.square(centred), axis=-1) + _number(epsilon, x))

    return Lagrangian(value)


@cached
def spherical_lagrangian(epsilon: Number = 1e-5) -> Lagrangian:
    """``L(x) = √(Σ_k x_k² + ε)``, whose gradient is ``x`` brought to length below 1.

    Args:
        epsilon: keeps the root smooth at 0, > 0; may be traced.

    Returns:
        A visible Lagrangian of features on the sphere.

    Raises:
        ValueError: ``epsilon`` known and not a finite number > 0.

    Source: Krotov and Hopfield 2021, model C.

    Example:
        >>> spherical_lagrangian().output(jnp.array([3.0, 4.0])).round(3)
        Array([0.6, 0.8], dtype=float32)
    """
    check_scalar("epsilon", epsilon, above=0)

    def value(x: Float[Array, "*b k"]) -> Float[Array, "*b"]:
        return jnp.sqrt(jnp.sum(jnp.square(x), axis=-1) + _number(epsilon, x))

    return Lagrangian(value)


def _number(value: Number, like: Array) -> Array:
    """``value`` in the dtype of the neurons, so that a float32 parameter does not widen them."""
    return jnp.asarray(value, like.dtype)
