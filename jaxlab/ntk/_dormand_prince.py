"""An adaptive explicit Runge–Kutta method that says whether it arrived.

Our own because jax's experimental ``odeint`` returns a state without a word when it runs out of
steps, and the predictions owe their caller a status. Differentiable in forward mode.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxlab.varying import vary_like

__all__ = ["integrate"]

# Dormand and Prince 1980, table 2: rows of stages 2 to 7, the last of which are the weights of the
# fifth-order solution; and their difference to those of the embedded fourth-order one.
STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
)
EMBEDDED = (5179 / 57600, 0.0, 7571 / 16695, 393 / 640, -92097 / 339200, 187 / 2100, 1 / 40)
ERROR = np.subtract((*STAGES[-1], 0.0), EMBEDDED)


class _Run(NamedTuple):
    time: Float[Array, ""]
    state: Float[Array, "..."]
    slope: Float[Array, "..."]
    step: Float[Array, ""]
    taken: Int[Array, ""]
    stuck: Bool[Array, ""]


def integrate(
    derivative: Callable[[Array], Array],
    state: Float[Array, "..."],
    times: Float[Array, " T"],
    *,
    rtol: int | float,
    atol: int | float,
    max_steps: int,
) -> tuple[Float[Array, "T ..."], Bool[Array, " T"]]:
    """States of ``dy/dt = derivative(y)``, ``y(0) = state`` at ascending ``times`` >= 0.

    The root mean square of ``error / (atol + rtol·|y|)`` is kept at most 1 in every step. Returns
    the states and which times were reached within ``max_steps`` steps altogether; for the others
    the state is the last one that was. The sizes of steps are constants to derivatives.
    """
    dtype = state.dtype

    def size(vector: Array, tolerance: Array) -> Array:
        vector = vector / tolerance
        largest = jnp.max(jnp.abs(vector), initial=0)  # whose square may overflow
        largest = jnp.where((largest > 0) & (largest < jnp.inf), largest, 1)
        return largest * jnp.sqrt(jnp.mean(jnp.square(vector / largest)))

    slope = derivative(state)
    tolerance = atol + rtol * jnp.abs(state)
    # a first step that moves the state by a hundredth of itself, or of the tolerance where it is
    # zero: whatever the unit of time is, a few accepted steps find the right size
    first = 0.01 * jnp.maximum(size(state, tolerance), 1) / size(slope, tolerance)
    first = jnp.minimum(first, jnp.finfo(dtype).max)  # a fixed point has slope zero
    run = _Run(
        jnp.zeros((), dtype),
        state,
        slope,
        jax.lax.stop_gradient(first.astype(dtype)),
        jnp.zeros((), jnp.int32),
        jnp.zeros((), bool),
    )

    def advance(run: _Run, end: Array) -> _Run:
        last = run.step >= end - run.time
        step = jnp.where(last, end - run.time, run.step)
        slopes = [run.slope]
        for weights in STAGES:
            move = sum(w * k for w, k in zip(weights, slopes, strict=True) if w)
            after = run.state + step * move
            slopes.append(derivative(after))
        error = step * sum(w * k for w, k in zip(ERROR, slopes, strict=True) if w)
        tolerance = atol + rtol * jnp.maximum(jnp.abs(run.state), jnp.abs(after))
        ratio = size(error, tolerance)
        accept = ratio <= 1  # false for NaN, which shrinks the step until it is stuck
        shrunk = jnp.clip(0.9 * ratio ** (-1 / 5), 0.2, 5.0)
        factor = jnp.where(jnp.isfinite(ratio), shrunk, 0.2)
        time = jnp.where(last, end, run.time + step)
        # a step cut short to meet its end says little about longer ones
        proposed = jnp.where(accept & last, jnp.maximum(run.step, step * factor), step * factor)
        return _Run(
            jnp.where(accept, time, run.time),
            jnp.where(accept, after, run.state),
            jnp.where(accept, slopes[-1], run.slope),
            jax.lax.stop_gradient(jnp.minimum(proposed, jnp.finfo(dtype).max).astype(dtype)),
            run.taken + 1,
            ~(time > run.time),
        )

    def until(run: _Run, end: Array) -> tuple[_Run, tuple[Array, Array]]:
        def unfinished(run: _Run) -> Array:
            return (run.time < end) & (run.taken < max_steps) & ~run.stuck

        run = jax.lax.while_loop(unfinished, lambda run: advance(run, end), run)
        return run, (run.state, run.time == end)

    _, (states, reached) = jax.lax.scan(until, vary_like(run, times), times)
    return states, reached
