"""Training with any loss in function space, as an ordinary differential equation."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from jaxlab.checks import check_integer, check_scalar, require
from jaxlab.ntk._dormand_prince import integrate
from jaxlab.ntk._layout import as_axes
from jaxlab.ntk._mse import Predictions, as_times
from jaxlab.ntk._rows import Rows, as_matrix, check_square, matmul
from jaxlab.ntk.status import NOT_CONVERGED, NOT_FINITE, OK
from jaxlab.varying import vary_like

__all__ = ["gradient_descent"]


def gradient_descent(
    loss: Callable[[Array, Array], Array],
    k_train_train: Float[Array, "..."],
    y_train: Shaped[Array, "..."],
    t: int | float | Shaped[Array, "..."],
    *,
    f_train_0: int | float | Float[Array, "..."] = 0.0,
    f_test_0: int | float | Float[Array, "..."] | None = None,
    k_test_train: Float[Array, "..."] | None = None,
    learning_rate: int | float | Float[Array, ""] = 1.0,
    momentum: int | float | Float[Array, ""] | None = None,
    trace_axes: tuple[int, ...] = (-1,),
    rtol: int | float = 1e-6,
    atol: int | float = 1e-6,
    max_steps: int = 10_000,
) -> Predictions:
    """Outputs after ``t`` steps of gradient descent on any loss, in the limit of small steps.

    ``df/dt = −η Θ ∂L/∂f``; with momentum ``μ``, in the time ``s = √η t``:

        df/ds = q,    dq/ds = −Θ ∂L/∂f + ((μ − 1)/√η) q,    q(0) = 0.

    Only the train outputs and ``∫ ∂L/∂f`` are integrated (Dormand–Prince, adaptive); the test
    outputs follow from the latter, so that test examples cost nothing per step.

    Differentiable in forward mode, by the steps that were chosen for the outputs alone. Where these
    stand still to the last bit, because the loss is stationary at the start or has been for long,
    steps grow without bound: outputs are right, and derivatives may be wrong by any factor.

    Args:
        loss: ``(outputs, targets) -> scalar``, both of the shape of ``y_train``; static.
        k_train_train: kernel ``[N, N, o, o, ...]`` without the ``trace_axes``.
        y_train: targets, ``[N, ...]``.
        t: numbers of steps, >= 0, finite and in any order; need not be whole.
        f_train_0: outputs on the training set at ``t = 0``; a number stands for all.
        f_test_0: the same on the test set; None is 0 where ``k_test_train`` is given.
        k_test_train: kernel ``[M, N, o, o, ...]``; None predicts no test outputs.
        learning_rate: ``η``, > 0.
        momentum: ``μ`` in [0, 1], or None for plain gradient descent.
        trace_axes: axes of ``y_train`` that the kernels lack: they are ``K ⊗ I`` there; static.
        rtol: error allowed per step, relative to the state; static.
        atol: the same in the units of the outputs, > 0, as the integral begins at zero; static.
        max_steps: most steps of the integrator for all times together; static.

    Returns:
        Train and test outputs with the axes of ``t`` in front, and a status for each time:
        ``OK``, ``NOT_CONVERGED`` (the outputs are then those of the last time reached) or
        ``NOT_FINITE``.

    Raises:
        ValueError: kernels and targets do not fit, or there is no example; ``f_test_0`` without
            ``k_test_train``; a time is negative or infinite, ``momentum`` outside [0, 1],
            ``learning_rate <= 0``, ``rtol < 0``, ``atol <= 0`` or ``max_steps < 1``; ``loss`` does
            not return a real scalar.

    Cost:
        Six gradients of the loss and six products ``K v`` a step, ``O(n² c)``. Steps are no longer
        than a few ``1/(λ_max ℓ)`` in units of ``η t``, with ``ℓ`` the curvature of the loss, so
        that long times need many. ``O(T n c)`` memory.

    Source:
        Lee et al. 2019, *Wide neural networks of any depth evolve as linear models under gradient
        descent*, section 2.2; with momentum the appendix on the dynamics of momentum.

    Example:
        >>> cross_entropy = lambda f, y: -jnp.mean(y * jax.nn.log_softmax(f))
        >>> after = gradient_descent(cross_entropy, jnp.eye(2), jnp.eye(2), 100.0)
        >>> bool(after.train[0, 0] > after.train[0, 1]), after.status.item() == OK
        (True, True)
    """
    dtype = as_matrix("k_train_train", k_train_train).dtype
    times = as_times(t, dtype, finite=True)
    check_scalar("learning_rate", learning_rate, above=0)
    if momentum is not None:
        check_scalar("momentum", momentum, minimum=0, maximum=1)
    check_scalar("rtol", rtol, minimum=0)
    check_scalar("atol", atol, above=0)
    check_integer("max_steps", max_steps, minimum=1)
    return _predict(
        loss,
        k_train_train,
        y_train,
        times,
        f_train_0,
        f_test_0,
        k_test_train,
        learning_rate,
        momentum,
        trace_axes=as_axes("trace_axes", trace_axes),
        rtol=float(rtol),
        atol=float(atol),
        max_steps=max_steps,
    )


@functools.partial(jax.jit, static_argnames=("loss", "trace_axes", "rtol", "atol", "max_steps"))
def _predict(
    loss: Callable[[Array, Array], Array],
    k_train_train: Array,
    y_train: Array,
    times: Array,
    f_train_0: Any,
    f_test_0: Any,
    k_test_train: Array | None,
    learning_rate: Any,
    momentum: Any,
    *,
    trace_axes: tuple[int, ...],
    **integrator: Any,
) -> Predictions:
    kernel = as_matrix("k_train_train", k_train_train)
    check_square("k_train_train", k_train_train)
    require(kernel.shape[0] > 0, "k_train_train", k_train_train, "at least one training example")
    dtype = kernel.dtype
    rows, targets = Rows.of("y_train", y_train, trace_axes, kernel.shape[0], dtype)
    y = rows.restore(targets)
    value = jax.eval_shape(loss, y, y)
    scalar = getattr(value, "shape", None) == () and jnp.issubdtype(value.dtype, jnp.floating)
    require(scalar, "loss", value, "a function that returns one real number")

    start = rows.initial("f_train_0", f_train_0, dtype)
    rate = jnp.asarray(learning_rate, dtype)
    friction = None
    if momentum is not None:
        rate = jnp.sqrt(rate)
        friction = (jnp.asarray(momentum, dtype) - 1) / rate
    # a derivative at outputs that all devices share would be summed over the devices
    start, kernel, times, rate, friction = vary_like(
        (start, kernel, times, rate, friction), targets, value
    )
    order = jnp.argsort(times.reshape(-1))
    back = jnp.argsort(order)
    train, pushes, reached = (
        part[back]
        for part in _flow(
            lambda outputs: rows.flatten(jax.grad(loss)(rows.restore(outputs), y)),
            kernel,
            start,
            times.reshape(-1)[order] * rate,
            friction,
            **integrator,
        )
    )
    finite = jnp.all(jnp.isfinite(train) & jnp.isfinite(pushes), axis=(1, 2))
    finite &= jnp.all(jnp.isfinite(kernel)) & jnp.all(jnp.isfinite(targets))
    test = None
    if k_test_train is not None or f_test_0 is not None:
        kept, across = rows.test_matrix("k_test_train", k_test_train, dtype)
        first = rows.initial("f_test_0", 0.0 if f_test_0 is None else f_test_0, dtype, kept)
        outputs = first - matmul(across, pushes)
        finite &= jnp.all(jnp.isfinite(outputs), axis=(1, 2))
        test = rows.restore(outputs, kept, times.shape)
    status = jnp.where(finite, jnp.where(reached, OK, NOT_CONVERGED), NOT_FINITE)
    status = status.astype(jnp.int32)
    return Predictions(rows.restore(train, None, times.shape), test, status.reshape(times.shape))


def _flow(
    slope: Callable[[Array], Array],
    kernel: Array,
    start: Array,
    times: Array,
    friction: Array | None,
    **integrator: Any,
) -> tuple[Array, Array, Array]:
    """Train outputs, ``∫ ∂L/∂f`` and whether it got there, at ascending times."""
    # the integral is carried in the units of the outputs, in which the tolerances are given
    unit = jnp.mean(jnp.diagonal(kernel))
    unit = jnp.where(unit > 0, unit, 1)

    def force(outputs: Array) -> Array:
        gradient = slope(outputs)
        return jnp.stack([-matmul(kernel, gradient), unit * gradient])

    def plain(state: Array) -> Array:
        return force(state[0])

    def with_momentum(state: Array) -> Array:
        position, velocity = state
        return jnp.stack([velocity, force(position[0]) + friction * velocity])

    state = jnp.stack([start, jnp.zeros_like(start)])
    if friction is None:
        states, reached = integrate(plain, state, times, **integrator)
    else:
        state = jnp.stack([state, jnp.zeros_like(state)])
        states, reached = integrate(with_momentum, state, times, **integrator)
        states = states[:, 0]
    return states[:, 0], states[:, 1] / unit, reached
