"""Training with the mean squared error: closed forms in the eigenbasis of the kernel."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Shaped

from jaxlab.checks import check_integer, check_number, check_scalar, concrete, require
from jaxlab.ntk._factor import (
    Factor,
    decay,
    forever,
    gain,
    project,
    solve,
)
from jaxlab.ntk._layout import as_axes
from jaxlab.ntk._rows import Rows, as_matrix, check_square, matmul
from jaxlab.ntk.status import NOT_FINITE, OK, SINGULAR

__all__ = [
    "Predictions",
    "Ridge",
    "as_times",
    "check_times",
    "flow_times",
    "gradient_descent_mse",
    "kernel_ridge",
    "max_learning_rate",
    "status_at",
]


class Predictions(NamedTuple):
    """Outputs of a trained network.

    Attributes:
        train: on the training set, with the axes of the times in front.
        test: on the test set, likewise; None without a test kernel.
        status: one for each time.
    """

    train: Float[Array, "..."]
    test: Float[Array, "..."] | None
    status: Int[Array, "..."]


class Ridge(NamedTuple):
    """A kernel regression, made by :func:`kernel_ridge`.

    Attributes:
        coefficients: ``α``, of the shape of the targets.
        train: fitted targets ``K α``.
        test: ``k_* α``, or None without a test kernel.
        status: ``OK``, ``SINGULAR``, ``INDEFINITE`` or ``NOT_FINITE``.
    """

    coefficients: Float[Array, "..."]
    train: Float[Array, "..."]
    test: Float[Array, "..."] | None
    status: Int[Array, ""]


def gradient_descent_mse(
    factor: Factor,
    y_train: Shaped[Array, "..."],
    t: int | float | Shaped[Array, "..."] | None = None,
    *,
    f_train_0: int | float | Float[Array, "..."] = 0.0,
    f_test_0: int | float | Float[Array, "..."] | None = None,
    k_test_train: Float[Array, "..."] | None = None,
    learning_rate: int | float | Float[Array, ""] = 1.0,
    trace_axes: tuple[int, ...] = (-1,),
) -> Predictions:
    """Outputs after ``t`` steps of gradient descent on ``½ mean((f − y)²)``, for small steps.

    With ``K = U Λ Uᵀ``, ``n = y.size`` and ``Q = U e^{−Λ η t/n} Uᵀ``:

        f_t = y + Q (f₀ − y),    f_t(x*) = f₀(x*) + k_* K^{−1} (I − Q) (y − f₀).

    The second is ``U diag((1 − e^{−λτ})/λ) Uᵀ`` with ``τ = ηt/n``, which is ``τ`` for ``λ = 0``: at
    finite time a singular kernel does no harm. At infinite time its null space keeps the initial
    outputs, and the status is ``SINGULAR``; with a Cholesky factor there are no finite values then.

    Let ``δ`` be the largest that counts as zero (:func:`~jaxlab.ntk.predict.factorize`). Rounding
    makes a zero eigenvalue act as one of up to ``δ``, which by the time ``τ`` moves the outputs by
    up to the fraction ``δτ`` of their distance from the targets. From ``τ = 1/δ`` on it cannot be
    told which eigenvalues are zero: the status is ``SINGULAR``, and along those that count as zero
    the outputs return, as ``1/τ``, to where infinite time leaves them.

    Args:
        factor: of the train kernel ``[N, N, o, o, ...]`` without the ``trace_axes``
            (:func:`~jaxlab.ntk.predict.factorize`).
        y_train: targets, ``[N, ...]``.
        t: numbers of steps, >= 0, which need not be whole; None is infinity.
        f_train_0: outputs on the training set at ``t = 0``; a number stands for all.
        f_test_0: the same on the test set; None is 0 where ``k_test_train`` is given.
        k_test_train: kernel ``[M, N, o, o, ...]``; None predicts no test outputs.
        learning_rate: ``η``, > 0.
        trace_axes: axes of ``y_train`` that the kernels lack: they are ``K ⊗ I`` there; static.

    Returns:
        Train and test outputs with the axes of ``t`` in front, and a status for each time.

    Raises:
        ValueError: kernels and targets do not fit; ``f_test_0`` without ``k_test_train``; a time is
            negative, or given with a Cholesky factor; ``learning_rate <= 0``.

    Cost:
        ``O(n² c)``, and ``O(n² c)`` for each time; ``c`` is the size of the traced axes.

    Source:
        Lee et al. 2019, *Wide neural networks of any depth evolve as linear models under gradient
        descent*, section 2.2.

    Example:
        >>> from jaxlab.ntk.predict import factorize
        >>> factor = factorize(jnp.array([[1.0]]))
        >>> after = gradient_descent_mse(factor, jnp.array([[2.0]]), jnp.log(2.0))
        >>> after.train
        Array([[1.]], dtype=float32)
    """
    times = check_times(factor, t, learning_rate)
    return _gradient_descent_mse(
        factor,
        y_train,
        times,
        f_train_0,
        f_test_0,
        k_test_train,
        learning_rate,
        as_axes("trace_axes", trace_axes),
    )


@functools.partial(jax.jit, static_argnames="trace_axes")
def _gradient_descent_mse(
    factor: Factor,
    y_train: Array,
    times: Array,
    f_train_0: Any,
    f_test_0: Any,
    k_test_train: Array | None,
    learning_rate: Any,
    trace_axes: tuple[int, ...],
) -> Predictions:
    dtype = factor.dtype
    rows, targets = Rows.of("y_train", y_train, trace_axes, factor.size, dtype)
    tau = flow_times(times, learning_rate, targets)
    rest = targets - rows.initial("f_train_0", f_train_0, dtype)
    if factor.cholesky is not None:
        train, dual = targets[None], solve(factor, rest)[None]
    else:
        modes = matmul(factor.matrix.T, rest)
        # what has decayed to nothing leaves the targets to the last bit
        train = targets - matmul(factor.matrix, decay(factor, tau)[..., None] * modes)
        dual = matmul(factor.matrix, gain(factor, tau)[..., None] * modes)
    train = rows.restore(train, None, times.shape)
    test = None
    if k_test_train is not None or f_test_0 is not None:
        kept, across = rows.test_matrix("k_test_train", k_test_train, dtype)
        first = rows.initial("f_test_0", 0.0 if f_test_0 is None else f_test_0, dtype, kept)
        test = rows.restore(first + matmul(across, dual), kept, times.shape)
    return Predictions(train, test, status_at(factor, times, tau, train, test))


def kernel_ridge(
    factor: Factor,
    y_train: Shaped[Array, "..."],
    k_test_train: Float[Array, "..."] | None = None,
    *,
    trace_axes: tuple[int, ...] = (-1,),
) -> Ridge:
    """Kernel ridge regression, ``α = (K + ρ I)^{−1} y``, ``f = K α``, ``f(x*) = k_* α``.

    The ridge ``ρ`` is what the kernel was factorised with. Without one a singular kernel gives the
    solution of least norm from an ``"eigh"`` factor, and the status ``SINGULAR``.

    Args:
        factor: of the train kernel ``[N, N, o, o, ...]`` without the ``trace_axes``
            (:func:`~jaxlab.ntk.predict.factorize`).
        y_train: targets, ``[N, ...]``.
        k_test_train: kernel ``[M, N, o, o, ...]``; None predicts no test outputs.
        trace_axes: axes of ``y_train`` that the kernels lack: they are ``K ⊗ I`` there; static.

    Returns:
        Coefficients, fitted targets, predictions and the status.

    Raises:
        ValueError: kernels and targets do not fit; ``factor`` is not what ``factorize`` returns.

    Cost:
        ``O(n² c)``, and ``O(m n c)`` for ``m`` test rows.

    Example:
        >>> from jaxlab.ntk.predict import factorize
        >>> factor = factorize(jnp.eye(2), diag_reg=1.0)
        >>> kernel_ridge(factor, jnp.array([[2.0], [4.0]]), jnp.array([[1.0, 1.0]])).test
        Array([[3.]], dtype=float32)
    """
    check_factor(factor)
    return _kernel_ridge(factor, y_train, k_test_train, as_axes("trace_axes", trace_axes))


@functools.partial(jax.jit, static_argnames="trace_axes")
def _kernel_ridge(
    factor: Factor, y_train: Array, k_test_train: Array | None, trace_axes: tuple[int, ...]
) -> Ridge:
    rows, targets = Rows.of("y_train", y_train, trace_axes, factor.size, factor.dtype)
    dual = solve(factor, targets)
    test = None
    if k_test_train is not None:
        kept, across = rows.test_matrix("k_test_train", k_test_train, factor.dtype)
        test = rows.restore(matmul(across, dual), kept)
    train = rows.restore(project(factor, targets) - factor.shift * dual)
    infinity = jnp.asarray(jnp.inf, factor.dtype)
    status = status_at(factor, infinity, infinity, train, test)
    return Ridge(rows.restore(dual), train, test, status)


def max_learning_rate(
    k_train_train: Float[Array, "..."],
    *,
    y_size: int | None = None,
    momentum: int | float | Float[Array, ""] = 0.0,
) -> Float[Array, ""]:
    """Largest rate at which gradient descent on ``½ mean((f − y)²)`` is stable.

    ``η_max = 2 (1 + μ) n / λ_max(Θ)`` with ``n = y.size``.

    Args:
        k_train_train: kernel ``[N, N, o, o, ...]``.
        y_size: number of target entries ``n``, which for a kernel without its trace axes is
            more than its rows; None takes the rows; static.
        momentum: ``μ`` in [0, 1].

    Returns:
        The rate; infinity for a zero kernel.

    Raises:
        ValueError: the axes of the kernel do not come in equal pairs; ``y_size < 1``; ``momentum``
            outside [0, 1].

    Cost:
        ``O(n³)`` for the eigenvalues.

    Source:
        Goh 2017, *Why momentum really works*, for quadratic losses such as this one.

    Example:
        >>> max_learning_rate(jnp.diag(jnp.array([1.0, 4.0])))
        Array(1., dtype=float32)
    """
    check_scalar("momentum", momentum, minimum=0, maximum=1)
    if y_size is not None:
        check_integer("y_size", y_size, minimum=1)
    return _max_learning_rate(k_train_train, momentum, y_size)


@functools.partial(jax.jit, static_argnames="y_size")
def _max_learning_rate(k_train_train: Array, momentum: Any, y_size: int | None) -> Array:
    kernel = as_matrix("k_train_train", k_train_train)
    check_square("k_train_train", jnp.asarray(k_train_train))
    require(kernel.shape[0] > 0, "k_train_train", k_train_train, "at least one training example")
    largest = jnp.maximum(jnp.linalg.eigvalsh(kernel)[-1], 0)
    return 2 * (1 + jnp.asarray(momentum, kernel.dtype)) * (y_size or kernel.shape[0]) / largest


def check_factor(factor: Factor) -> None:
    """Refuse a kernel, which has yet to be decomposed."""
    require(isinstance(factor, Factor), "factor", factor, "what factorize(k_train_train) returns")


def check_times(
    factor: Factor, t: int | float | Array | None, learning_rate: int | float | Array
) -> Float[Array, "..."]:
    """Times as an array, None as infinity; what is known of them and the rate is checked."""
    check_factor(factor)
    check_scalar("learning_rate", learning_rate, above=0)
    if factor.cholesky is not None:
        require(t is None, "factor", "a Cholesky factor", "method='eigh' for finite times")
    return as_times(np.inf if t is None else t, factor.dtype, finite=False)


def as_times(t: int | float | Array, dtype: Any, *, finite: bool) -> Float[Array, "..."]:
    """Times as an array, refused when known and negative, NaN or, if ``finite``, infinite."""
    known = concrete(t)
    if known is not None:
        real = np.issubdtype(known.dtype, np.floating) or np.issubdtype(known.dtype, np.integer)
        require(real, "t", t, "real numbers >= 0")
        allowed = known if finite else known[known != np.inf]
        check_number("t", allowed, minimum=0)
    return jnp.asarray(t, dtype)


def flow_times(times: Array, learning_rate: Any, targets: Array) -> Float[Array, " T"]:
    """``τ = ηt/n``; what is infinite does not depend on ``η``."""
    times = times.reshape(-1)
    infinite = jnp.isinf(times)
    tau = jnp.where(infinite, 0, times) * learning_rate / targets.size
    return jnp.where(infinite, times, tau)


def status_at(
    factor: Factor, times: Array, tau: Array, *outputs: Array | None
) -> Int[Array, "..."]:
    """The factor's status at each time: a singular kernel only matters forever."""
    harmless = (factor.status == SINGULAR) & ~forever(factor, tau).reshape(times.shape)
    status = jnp.where(harmless, OK, factor.status)
    for output in outputs:
        if output is not None:
            finite = jnp.all(jnp.isfinite(output), tuple(range(times.ndim, output.ndim)))
            status = jnp.where((status == OK) & ~finite, NOT_FINITE, status)
    return status.astype(jnp.int32)
