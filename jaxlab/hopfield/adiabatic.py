"""The limit of infinitely fast memory neurons: two-layer dynamics become one-shot retrieval.

With ``τ_h → 0`` the memory neurons are ``h = S(g)`` at all times, and with linear features the
visible neurons settle where ``v = J_S(v)ᵀ f(S(v)) + I``. Iterating this map with the dot product
and softmax is the modern continuous Hopfield network, whose own energy is here too.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.checks import check_dtype, check_scalar, require
from jaxlab.hopfield._declare import check_patterns, float_dtype, inner
from jaxlab.hopfield._network import check_bias, score_feedback
from jaxlab.hopfield.lagrangians import Lagrangian
from jaxlab.hopfield.types import Number, Similarity

__all__ = ["adiabatic_update", "modern_hopfield_energy"]


@functools.partial(jax.jit, static_argnames=("similarity", "hidden"))
def adiabatic_update(
    v: Float[Array, "*b d"],
    memories: Float[Array, "n d"],
    *,
    similarity: Similarity,
    hidden: Lagrangian,
    bias: Float[Array, "..."] | None = None,
) -> Float[Array, "*b d"]:
    """The limit of infinitely fast memory neurons and linear features: ``v ← J_S(v)ᵀ f(S(v)) + I``.

    With dot product and softmax this is the update of the modern Hopfield network. With
    ``−½‖v − m‖²`` the Jacobian ``m − v`` and the leak together halve the fixed point;
    :func:`~jaxlab.hopfield.similarity.biased_dot_product`, equal to it under softmax, gives the
    mean shift ``v ← Mᵀ softmax(β(Mv − ½‖m‖²))``.

    Args:
        v: visible neurons, ``[*b, d]``.
        memories: stored patterns, ``[n, d]``.
        similarity: scores ``S``, differentiable, static.
        hidden: Lagrangian of the memory neurons, whose output separates the scores; static.
        bias: input ``I``, broadcasting to ``v``; default none.

    Returns:
        The next visible neurons, ``[*b, d]``.

    Raises:
        ValueError: shapes or dtypes that do not fit; ``hidden`` not a Lagrangian.

    Cost: one similarity and its vector-Jacobian product.

    Source: Krotov and Hopfield 2021, section 3; Millidge et al. 2022, section 3.4.

    Example:
        >>> from jaxlab.hopfield.lagrangians import softmax_lagrangian
        >>> from jaxlab.hopfield.similarity import dot_product
        >>> v, hidden = jnp.array([0.8, 0.3]), softmax_lagrangian(2.0)
        >>> adiabatic_update(v, jnp.eye(2), similarity=dot_product, hidden=hidden).tolist()
        [0.731..., 0.268...]
    """
    require(isinstance(hidden, Lagrangian), "hidden", hidden, "a Lagrangian")
    check_patterns(v, memories)
    check_dtype("v", v, "floating")
    if bias is not None:
        check_bias(bias, v)
    _, feedback = score_feedback(similarity, v, memories, hidden.output(similarity(v, memories)))
    return feedback if bias is None else feedback + bias


def modern_hopfield_energy(
    v: Float[Array, "*b d"], memories: Float[Array, "n d"], *, beta: Number
) -> Float[Array, "*b"]:
    """Energy of the modern continuous Hopfield network, between 0 and ``2 max‖m‖²`` in its hull.

    ``E(v) = −log Σ_μ exp(β m_μ·v)/β + ½‖v‖² + log(n)/β + ½ max_μ‖m_μ‖²``. The update
    ``v ← Mᵀ softmax(βMv)`` never raises it.

    Args:
        v: states, ``[*b, d]``.
        memories: stored patterns, ``[n, d]``.
        beta: inverse temperature, > 0; may be traced.

    Returns:
        Energies ``[*b]``, at least 0.

    Raises:
        ValueError: shapes that do not fit, ``beta`` known and not > 0.

    Cost: one matrix product.

    Source: Ramsauer et al. 2021, equation 2 and theorem 1.

    Example:
        >>> modern_hopfield_energy(jnp.zeros(2), jnp.eye(2), beta=1.0)
        Array(0.5, dtype=float32)
    """
    check_patterns(v, memories, discrete=False)
    check_scalar("beta", beta, above=0)
    return _modern_hopfield_energy(v, memories, beta)


@jax.jit
def _modern_hopfield_energy(v: Array, memories: Array, beta: Number) -> Array:
    dtype = float_dtype(v, memories)
    v, memories, beta = v.astype(dtype), memories.astype(dtype), jnp.asarray(beta, dtype)
    attraction = _log_mean_exp(inner(v, memories), beta)
    largest = jnp.max(jnp.sum(jnp.square(memories), axis=-1))
    return 0.5 * jnp.sum(jnp.square(v), axis=-1) + 0.5 * largest - attraction


def _log_mean_exp(scores: Array, beta: Array) -> Array:
    """``log(mean exp(βs)) / β`` over the last axis; towards small ``β`` the mean score."""
    largest = jax.lax.stop_gradient(jnp.max(scores, axis=-1, keepdims=True))
    gaps = beta * (scores - largest)
    # a mean near 1 keeps its digits only without the 1, a small one only with it
    excess = jnp.mean(jnp.expm1(gaps), axis=-1)
    near = excess > -0.5
    close = jnp.log1p(jnp.where(near, excess, 0))  # where it is not taken, with a finite derivative
    apart = jax.nn.logsumexp(gaps, axis=-1) - math.log(scores.shape[-1])
    return largest[..., 0] + jnp.where(near, close, apart) / beta
