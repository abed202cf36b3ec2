"""Energy of the two-layer network of visible and memory neurons, for any similarity.

Visible neurons ``v``, memory neurons ``h``, outputs ``g = ∇L_v(v)`` and ``f = ∇L_h(h)``, scores
``S(g) = sim(g, M)``, input ``I``::

    E(v, h) = Σ_i (v_i − I_i) g_i − L_v(v) + Σ_μ h_μ f_μ − L_h(h) − Σ_μ f_μ S_μ(g)

    τ_v dv/dt = J_S(g)ᵀ f − v + I
    τ_h dh/dt = S(g) − h
    dE/dt     = −τ_v v̇ᵀ ∇²L_v v̇ − τ_h ḣᵀ ∇²L_h ḣ  ≤ 0

The last line is exact. (The input and ``v_i`` are multiplied by the *output* ``g_i``; with ``v_i``
there, it would hold for linear features only.) :mod:`jaxlab.hopfield.lagrangians` defines the
Lagrangians, :mod:`jaxlab.hopfield.dynamics` the trajectories, and :mod:`jaxlab.hopfield.adiabatic`
the limit of fast memory neurons; all are found here too.

An energy that goes down need not be bounded below. Identity, power and exponential Lagrangians of
the memory neurons with linear features and the dot product have no minimum, and trajectories
diverge; :func:`simulate` then says so in its status.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.checks import check_scalar
from jaxlab.hopfield._network import (
    Network,
    check_network,
    check_state,
    network_energy,
    network_forces,
)
from jaxlab.hopfield.adiabatic import adiabatic_update, modern_hopfield_energy
from jaxlab.hopfield.dynamics import DIVERGED, ENERGY_ROSE, OK, Trajectory, simulate
from jaxlab.hopfield.lagrangians import (
    Lagrangian,
    exponential_lagrangian,
    identity_lagrangian,
    layer_norm_lagrangian,
    log_cosh_lagrangian,
    max_lagrangian,
    quadratic_lagrangian,
    rectified_power_lagrangian,
    softmax_lagrangian,
    spherical_lagrangian,
)
from jaxlab.hopfield.types import Number, Similarity

__all__ = [
    "DIVERGED",
    "ENERGY_ROSE",
    "OK",
    "Lagrangian",
    "Trajectory",
    "adiabatic_update",
    "energy",
    "energy_rate",
    "exponential_lagrangian",
    "identity_lagrangian",
    "layer_norm_lagrangian",
    "log_cosh_lagrangian",
    "max_lagrangian",
    "modern_hopfield_energy",
    "quadratic_lagrangian",
    "rectified_power_lagrangian",
    "simulate",
    "softmax_lagrangian",
    "spherical_lagrangian",
    "vector_field",
]


@functools.partial(jax.jit, static_argnames=("similarity", "hidden", "visible"))
def energy(
    v: Float[Array, "*b d"],
    h: Float[Array, "*b n"],
    memories: Float[Array, "n d"],
    *,
    similarity: Similarity,
    hidden: Lagrangian,
    visible: Lagrangian,
    bias: Float[Array, "..."] | None = None,
) -> Float[Array, "*b"]:
    """Energy ``E(v, h)`` of the module's first display.

    Args:
        v: visible neurons, ``[*b, d]``.
        h: memory neurons, ``[*b, n]``.
        memories: stored patterns, ``[n, d]``.
        similarity: scores ``S``, static.
        hidden: Lagrangian of the memory neurons, static.
        visible: Lagrangian of the visible neurons, static.
        bias: input ``I``, broadcasting to ``v``; default none.

    Returns:
        Energies ``[*b]``.

    Raises:
        ValueError: shapes or dtypes that do not fit; a layer that is not a Lagrangian.

    Cost: one similarity, O(n + d) beside it.

    Source: Millidge et al. 2022, section 3.4; Krotov and Hopfield 2021, equation 2, for the dot
        product.

    Example:
        >>> from jaxlab.hopfield.similarity import dot_product
        >>> options = dict(similarity=dot_product, hidden=identity_lagrangian())
        >>> v, h = jnp.array([1.0, 2.0]), jnp.array([1.0, 0.0])
        >>> energy(v, h, jnp.eye(2), visible=quadratic_lagrangian(), **options)
        Array(2., dtype=float32)
    """
    network = Network(similarity, hidden, visible)
    check_network(network)
    check_state(v, h, memories, bias, ("v", "h"))
    return network_energy(network, v, h, memories, bias)


def vector_field(
    v: Float[Array, "*b d"],
    h: Float[Array, "*b n"],
    memories: Float[Array, "n d"],
    *,
    similarity: Similarity,
    hidden: Lagrangian,
    visible: Lagrangian,
    bias: Float[Array, "..."] | None = None,
    tau_v: Number = 1.0,
    tau_h: Number = 1.0,
) -> tuple[Float[Array, "*b d"], Float[Array, "*b n"]]:
    """Time derivatives ``(dv/dt, dh/dt)`` of the module's second display.

    A similarity that is a sum over features keeps it local: the synapse ``(μ, i)`` needs ``g_i``,
    ``f_μ`` and ``M_μi`` only.

    Args:
        v: visible neurons, ``[*b, d]``.
        h: memory neurons, ``[*b, n]``.
        memories: stored patterns, ``[n, d]``.
        similarity: scores ``S``, differentiable, static.
        hidden: Lagrangian of the memory neurons, static.
        visible: Lagrangian of the visible neurons, static.
        bias: input ``I``, broadcasting to ``v``; default none.
        tau_v: time constant of the visible neurons, > 0; may be traced.
        tau_h: time constant of the memory neurons, > 0; may be traced.

    Returns:
        ``(dv/dt [*b, d], dh/dt [*b, n])``, per unit of time.

    Raises:
        ValueError: as :func:`energy`; a time constant known and not > 0.

    Cost: one similarity and its vector-Jacobian product.

    Source: Millidge et al. 2022, section 3.4; Krotov and Hopfield 2021, equation 1, for the dot
        product, where ``J_Sᵀ f = Mᵀ f``.

    Example:
        >>> from jaxlab.hopfield.similarity import dot_product
        >>> options = dict(similarity=dot_product, hidden=identity_lagrangian())
        >>> v, h = jnp.array([1.0, 2.0]), jnp.array([1.0, 0.0])
        >>> vector_field(v, h, jnp.eye(2), visible=quadratic_lagrangian(), **options)
        (Array([ 0., -2.], dtype=float32), Array([0., 2.], dtype=float32))
    """
    _check_time_constants(tau_v, tau_h)
    return _vector_field(Network(similarity, hidden, visible), v, h, memories, bias, tau_v, tau_h)


@functools.partial(jax.jit, static_argnames=("network",))
def _vector_field(
    network: Network,
    v: Array,
    h: Array,
    memories: Array,
    bias: Array | None,
    tau_v: Number,
    tau_h: Number,
) -> tuple[Array, Array]:
    check_network(network)
    check_state(v, h, memories, bias, ("v", "h"))
    dv, dh = network_forces(network, v, h, memories, bias)
    return dv / jnp.asarray(tau_v, dv.dtype), dh / jnp.asarray(tau_h, dh.dtype)


def energy_rate(
    v: Float[Array, "*b d"],
    h: Float[Array, "*b n"],
    memories: Float[Array, "n d"],
    *,
    similarity: Similarity,
    hidden: Lagrangian,
    visible: Lagrangian,
    bias: Float[Array, "..."] | None = None,
    tau_v: Number = 1.0,
    tau_h: Number = 1.0,
) -> Float[Array, "*b"]:
    """How fast the energy falls, ``dE/dt = −τ_v v̇ᵀ∇²L_v v̇ − τ_h ḣᵀ∇²L_h ḣ``, never positive.

    This is the closed form; the derivative of :func:`energy` along :func:`vector_field` equals it.

    Args:
        v: visible neurons, ``[*b, d]``.
        h: memory neurons, ``[*b, n]``.
        memories: stored patterns, ``[n, d]``.
        similarity: scores ``S``, differentiable, static.
        hidden: Lagrangian of the memory neurons, twice differentiable, static.
        visible: Lagrangian of the visible neurons, twice differentiable, static.
        bias: input ``I``, broadcasting to ``v``; default none.
        tau_v: time constant of the visible neurons, > 0; may be traced.
        tau_h: time constant of the memory neurons, > 0; may be traced.

    Returns:
        Rates ``[*b]``, energy per unit of time.

    Raises:
        ValueError: as :func:`vector_field`.

    Cost: that of :func:`vector_field`, and one Hessian-vector product of each Lagrangian.

    Source: Krotov and Hopfield 2021, equation 4, here for any similarity.

    Example:
        >>> from jaxlab.hopfield.similarity import dot_product
        >>> options = dict(similarity=dot_product, hidden=identity_lagrangian())
        >>> v, h = jnp.array([1.0, 2.0]), jnp.array([1.0, 0.0])
        >>> energy_rate(v, h, jnp.eye(2), visible=quadratic_lagrangian(), **options)
        Array(-8., dtype=float32)
    """
    _check_time_constants(tau_v, tau_h)
    return _energy_rate(Network(similarity, hidden, visible), v, h, memories, bias, tau_v, tau_h)


@functools.partial(jax.jit, static_argnames=("network",))
def _energy_rate(
    network: Network,
    v: Array,
    h: Array,
    memories: Array,
    bias: Array | None,
    tau_v: Number,
    tau_h: Number,
) -> Array:
    dv, dh = _vector_field(network, v, h, memories, bias, tau_v, tau_h)
    _, curved_v = jax.jvp(network.visible.output, (v,), (dv.astype(v.dtype),))
    _, curved_h = jax.jvp(network.hidden.output, (h,), (dh.astype(h.dtype),))
    visible = tau_v * jnp.sum(dv * curved_v, axis=-1)
    return -visible - tau_h * jnp.sum(dh * curved_h, axis=-1)


def _check_time_constants(tau_v: Number, tau_h: Number) -> None:
    for name, value in (("tau_v", tau_v), ("tau_h", tau_h)):
        check_scalar(name, value, above=0)
