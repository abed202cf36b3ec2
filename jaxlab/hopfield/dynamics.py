"""Trajectories of the two-layer network, with the energy watched at every step.

The equations are in :mod:`jaxlab.hopfield.energy`. Exact trajectories never raise the energy; a
numerical one that does has too long a step (or a similarity with corners), and one that leaves the
finite numbers has an energy without a lower bound, or a step far too long. Both are reported in the
status.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxlab.checks import (
    check_choice,
    check_integer,
    check_scalar,
    require,
)
from jaxlab.hopfield._network import (
    Network,
    check_network,
    check_state,
    network_energy,
    network_forces,
)
from jaxlab.hopfield.lagrangians import Lagrangian
from jaxlab.hopfield.types import Number, Similarity
from jaxlab.varying import vary_like

__all__ = ["DIVERGED", "ENERGY_ROSE", "OK", "Trajectory", "simulate"]

OK, ENERGY_ROSE, DIVERGED = 0, 1, 2

State = tuple[Array, Array]
Carry = tuple[State, Array, Array]  # state, its energy, status so far
Field = Callable[[State], State]


class Trajectory(NamedTuple):
    """Result of :func:`simulate`. The first axis runs over the saved times, 0 included.

    Attributes:
        v: visible neurons, ``[saves, *b, d]``.
        h: memory neurons, ``[saves, *b, n]``.
        energy: energy of the saved states, ``[saves, *b]``.
        times: when they were saved, ``[saves]``, in units of ``dt``'s time.
        status: of each trajectory, ``[*b]`` int32. 0 (``OK``); 1 (``ENERGY_ROSE``): some step,
            saved or not, raised the energy by more than the tolerance; 2 (``DIVERGED``): the state
            or its energy left the finite numbers; from then on the last finite state is repeated.
    """

    v: Float[Array, "saves *b d"]
    h: Float[Array, "saves *b n"]
    energy: Float[Array, " saves *b"]
    times: Float[Array, " saves"]
    status: Int[Array, "*b"]


def simulate(
    v0: Float[Array, "*b d"],
    h0: Float[Array, "*b n"],
    memories: Float[Array, "n d"],
    *,
    similarity: Similarity,
    hidden: Lagrangian,
    visible: Lagrangian,
    bias: Float[Array, "..."] | None = None,
    dt: Number,
    num_steps: int,
    tau_v: Number = 1.0,
    tau_h: Number = 1.0,
    solver: str = "rk4",
    save_every: int = 1,
    tolerance: Number = 1e-5,
) -> Trajectory:
    """Integrate ``τ_v v̇ = J_S(g)ᵀ f − v + I``, ``τ_h ḣ = S(g) − h`` from ``(v0, h0)``.

    Every trajectory of a batch is on its own. Differentiable in all arrays and parameters.

    Args:
        v0: visible neurons at time 0, ``[*b, d]``.
        h0: memory neurons at time 0, ``[*b, n]``.
        memories: stored patterns, ``[n, d]``.
        similarity: differentiable; prefer ``smooth_manhattan`` to ``manhattan``, at whose corners
            explicit steps chatter. A scale-invariant one (``cosine``) pulls at right angles to the
            state, which then shrinks to 0 and has no fixed point. Static.
        hidden: Lagrangian of the memory neurons, static.
        visible: Lagrangian of the visible neurons, static.
        bias: input ``I``, broadcasting to ``v0``; default none.
        dt: length of a step, > 0, in the unit of ``tau_v`` and ``tau_h``; may be traced. Explicit
            steps need ``dt`` well below the smaller time constant, and smaller still where
            layer-norm or spherical features are close to constant or to 0.
        num_steps: number of steps, a multiple of ``save_every``, static.
        tau_v: time constant of the visible neurons, > 0.
        tau_h: time constant of the memory neurons, > 0.
        solver: ``"rk4"``, ``"heun"`` (order 2) or ``"euler"``, static.
        save_every: steps between saved states, static.
        tolerance: a step may raise the energy by ``tolerance · (1 + |E|)``, >= 0; rounding does so
            near a fixed point.

    Returns:
        A :class:`Trajectory` of ``num_steps / save_every + 1`` states.

    Raises:
        ValueError: shapes that do not fit; ``dt``, ``tau_v`` or ``tau_h`` known and not > 0; a
            ``num_steps`` that is not a multiple of ``save_every``; an unknown ``solver``.

    Cost: per step one energy and 4 (rk4), 2 (heun) or 1 (euler) forces, each two to three times the
        similarity; memory for the saved states.

    Source: Millidge et al. 2022, section 3.4 and appendix; Krotov and Hopfield 2021.

    Example:
        >>> from jaxlab.hopfield.lagrangians import quadratic_lagrangian, softmax_lagrangian
        >>> from jaxlab.hopfield.similarity import dot_product
        >>> path = simulate(
        ...     jnp.array([0.8, 0.3]),
        ...     jnp.zeros(2),
        ...     jnp.eye(2),
        ...     similarity=dot_product,
        ...     hidden=softmax_lagrangian(10.0),
        ...     visible=quadratic_lagrangian(),
        ...     dt=0.1,
        ...     num_steps=200,
        ...     save_every=100,
        ... )
        >>> path.v[-1].round(2), int(path.status), bool(path.energy[-1] < path.energy[0])
        (Array([1., 0.], dtype=float32), 0, True)
    """
    network = Network(similarity, hidden, visible)
    check_network(network)
    check_state(v0, h0, memories, bias, ("v0", "h0"))
    for name, value in (("dt", dt), ("tau_v", tau_v), ("tau_h", tau_h)):
        check_scalar(name, value, above=0)
    check_scalar("tolerance", tolerance, minimum=0)
    check_choice("solver", solver, STEPS)
    check_integer("save_every", save_every, minimum=1)
    check_integer("num_steps", num_steps, minimum=1)
    whole = num_steps % save_every == 0
    require(whole, "num_steps", num_steps, f"a multiple of save_every = {save_every}")
    numbers = (dt, tau_v, tau_h, tolerance)
    saves = num_steps // save_every
    return _simulate(network, v0, h0, memories, bias, numbers, saves, save_every, solver)


@functools.partial(jax.jit, static_argnames=("network", "saves", "save_every", "solver"))
def _simulate(
    network: Network,
    v0: Array,
    h0: Array,
    memories: Array,
    bias: Array | None,
    numbers: tuple[Any, Any, Any, Any],
    saves: int,
    save_every: int,
    solver: str,
) -> Trajectory:
    # One dtype for the whole state, so that float32 parameters do not widen bfloat16 neurons and
    # the scan's carry is stable.
    dtype = jnp.result_type(v0, h0, memories)
    v0, h0 = v0.astype(dtype), h0.astype(dtype)
    dt, tau_v, tau_h, tolerance = (jnp.asarray(number, dtype) for number in numbers)

    def field(state: State) -> State:
        dv, dh = network_forces(network, *state, memories, bias)
        return dv.astype(dtype) / tau_v, dh.astype(dtype) / tau_h

    def energy_of(state: State) -> Array:
        return network_energy(network, *state, memories, bias).astype(dtype)

    def step(carry: Carry, _: None) -> tuple[Carry, None]:
        state, energy, status = carry
        proposal = STEPS[solver](field, state, dt)
        new_energy = energy_of(proposal)
        moves = (status != DIVERGED) & _finite(proposal, new_energy)
        rose = new_energy - energy > tolerance * (1 + jnp.abs(energy))
        status = jnp.where(moves, jnp.where(rose, ENERGY_ROSE, status), DIVERGED)
        state = jax.tree.map(
            lambda new, old: jnp.where(moves[..., None], new, old), proposal, state
        )
        return (state, jnp.where(moves, new_energy, energy), status), None

    def save(carry: Carry, _: None) -> tuple[Carry, tuple[Array, Array, Array]]:
        carry = jax.lax.scan(step, carry, length=save_every)[0]
        (v, h), energy, _status = carry
        return carry, (v, h, energy)

    v0, h0 = vary_like((v0, h0), numbers, jax.eval_shape(field, (v0, h0)))
    energy0 = energy_of((v0, h0))
    status0 = jnp.where(_finite((v0, h0), energy0), OK, DIVERGED).astype(jnp.int32)
    carry, saved = jax.lax.scan(save, ((v0, h0), energy0, status0), length=saves)
    v, h, energy = (
        jnp.concatenate([first[None], later])
        for first, later in zip((v0, h0, energy0), saved, strict=True)
    )
    times = dt * save_every * jnp.arange(saves + 1, dtype=dtype)
    return Trajectory(v, h, energy, times, carry[2])


def _finite(state: State, energy: Array) -> Array:
    v, h = state
    return jnp.isfinite(v).all(-1) & jnp.isfinite(h).all(-1) & jnp.isfinite(energy)


def _euler(field: Field, state: State, dt: Array) -> State:
    return _shift(state, (dt, field(state)))


def _heun(field: Field, state: State, dt: Array) -> State:
    k1 = field(state)
    k2 = field(_shift(state, (dt, k1)))
    return _shift(state, (dt / 2, k1), (dt / 2, k2))


def _rk4(field: Field, state: State, dt: Array) -> State:
    k1 = field(state)
    k2 = field(_shift(state, (dt / 2, k1)))
    k3 = field(_shift(state, (dt / 2, k2)))
    k4 = field(_shift(state, (dt, k3)))
    return _shift(state, (dt / 6, k1), (dt / 3, k2), (dt / 3, k3), (dt / 6, k4))


def _shift(state: State, *terms: tuple[Array, State]) -> State:
    """``state + Σ weight · direction``."""
    v, h = state
    for weight, (dv, dh) in terms:
        v, h = v + weight * dv, h + weight * dh
    return v, h


STEPS = {"rk4": _rk4, "heun": _heun, "euler": _euler}
