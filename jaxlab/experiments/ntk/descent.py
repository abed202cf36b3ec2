"""Gradient descent inside one compiled loop, looked at after chosen numbers of steps."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxlab.checks import require

__all__ = ["half_mse", "log_steps", "observed_steps", "sgd_step"]

State = TypeVar("State")
Seen = TypeVar("Seen")


def observed_steps(
    step: Callable[[State], State],
    observe: Callable[[State], Seen],
    state: State,
    checkpoints: Sequence[int],
) -> tuple[State, Seen]:
    """Iterate ``step`` and apply ``observe`` after each number of steps in ``checkpoints``.

    Args:
        step: state to state.
        observe: what is kept of a state, a PyTree of arrays.
        state: where to begin.
        checkpoints: numbers of steps, increasing, from 0 on.

    Returns:
        The last state, and what was observed with an axis of the checkpoints in front.

    Raises:
        ValueError: checkpoints that do not increase.

    Example:
        >>> last, seen = observed_steps(lambda x: 2 * x, lambda x: -x, jnp.float32(1), (0, 1, 3))
        >>> seen.tolist()
        [-1.0, -2.0, -8.0]
    """
    lengths = np.diff(np.asarray([0, *checkpoints]))
    rising = (lengths[1:] > 0).all() and checkpoints[0] >= 0
    require(bool(rising), "checkpoints", checkpoints, "increasing numbers >= 0")

    def segment(state: State, length: Array) -> tuple[State, Seen]:
        state = jax.lax.fori_loop(0, length, lambda _, now: step(now), state)
        return state, observe(state)

    return jax.lax.scan(segment, state, jnp.asarray(lengths))


def sgd_step(loss: Callable[[Any], Array], rate: int | float | Array) -> Callable[[Any], Any]:
    """``θ ↦ θ − η ∇loss(θ)``."""

    def step(params: Any) -> Any:
        gradient = jax.grad(loss)(params)
        return jax.tree.map(lambda leaf, change: leaf - rate * change, params, gradient)

    return step


def half_mse(outputs: Array, targets: Array) -> Array:
    """``½ mean((f − y)²)`` over all entries, the loss of :mod:`jaxlab.ntk.predict`."""
    return jnp.mean(jnp.square(outputs - targets)) / 2


def log_steps(last: int, count: int) -> tuple[int, ...]:
    """0, 1, …, ``last``: at most ``count`` numbers above 0, evenly spaced on a logarithmic scale.

    Example:
        >>> log_steps(100, 5)
        (0, 1, 3, 10, 32, 100)
    """
    spaced = np.round(np.geomspace(1, last, count)).astype(int)
    return (0, *(int(step) for step in np.unique(spaced)))
