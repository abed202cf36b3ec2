"""Distributions over outputs: Gaussian processes, and ensembles of trained networks."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Shaped

from jaxlab.checks import require
from jaxlab.ntk._factor import Factor, gain, solve, whiten
from jaxlab.ntk._layout import as_axes
from jaxlab.ntk._mse import check_times, flow_times, status_at
from jaxlab.ntk._rows import Rows, as_kernels, matmul

__all__ = ["Gaussian", "Prior", "gp_inference", "gradient_descent_mse_ensemble"]


class Gaussian(NamedTuple):
    """Mean and covariance of test outputs.

    Attributes:
        mean: with the axes of the times in front.
        covariance: in the kernel convention ``[M, M, o, o, ...]``, likewise; None if not asked for.
        status: one for each time.
    """

    mean: Float[Array, "..."]
    covariance: Float[Array, "..."] | None
    status: Int[Array, "..."]


class Prior(NamedTuple):
    """Covariance of the outputs at initialisation: NNGP kernels without the trace axes.

    Attributes:
        train_train: ``[N, N, o, o, ...]``.
        test_train: ``[M, N, o, o, ...]``.
        test_test: ``[M, M, o, o, ...]``.
    """

    train_train: Float[Array, "..."]
    test_train: Float[Array, "..."]
    test_test: Float[Array, "..."]


def gp_inference(
    factor: Factor,
    y_train: Shaped[Array, "..."],
    k_test_train: Float[Array, "..."],
    k_test_test: Float[Array, "..."] | None = None,
    t: int | float | Shaped[Array, "..."] | None = None,
    *,
    learning_rate: int | float | Float[Array, ""] = 1.0,
    trace_axes: tuple[int, ...] = (-1,),
) -> Gaussian:
    """Posterior of a Gaussian process with kernel ``K`` and observation noise ``ρ``.

        mean = k_* (K + ρ I)^{−1} y,    cov = k_** − k_* (K + ρ I)^{−1} k_*ᵀ

    The noise is what the kernel was factorised with. With the NNGP kernel it is the posterior of an
    infinitely wide Bayesian network, with the NTK that of the "NTKGP". At a finite ``t`` the
    inverse becomes ``(1 − e^{−λτ})/λ`` in the mean and ``(1 − e^{−2λτ})/λ`` in the covariance, with
    ``τ = ηt/n``: the ensemble of networks whose last layer was trained for ``t`` steps. Eigenvalues
    that count as zero are treated as by :func:`~jaxlab.ntk.predict.gradient_descent_mse`, in the
    covariance at the time ``2τ``.

    Args:
        factor: of the train kernel ``[N, N, o, o, ...]`` without the ``trace_axes``
            (:func:`~jaxlab.ntk.predict.factorize`).
        y_train: targets, ``[N, ...]``.
        k_test_train: kernel ``[M, N, o, o, ...]``.
        k_test_test: kernel ``[M, M, o, o, ...]``; None asks for the mean alone.
        t: numbers of steps, >= 0; None is infinity, which is the posterior.
        learning_rate: ``η``, > 0.
        trace_axes: axes of ``y_train`` that the kernels lack: they are ``K ⊗ I`` there; static.

    Returns:
        Mean and covariance with the axes of ``t`` in front, and a status for each time.

    Raises:
        ValueError: kernels and targets do not fit; ``k_test_train`` is None; a time is negative, or
            given with a Cholesky factor; ``learning_rate <= 0``.

    Cost:
        ``O(n² (c + m))`` for ``m`` test rows, ``O(m² n)`` for the covariance; for each time.

    Source:
        Lee et al. 2019, *Wide neural networks of any depth evolve as linear models under gradient
        descent*, section 2.3; He, Lakshminarayanan and Teh 2020, *Bayesian deep ensembles via
        the neural tangent kernel*, for the NTKGP.

    Example:
        >>> from jaxlab.ntk.predict import factorize
        >>> factor = factorize(jnp.eye(2), diag_reg=1.0)
        >>> targets = jnp.array([[2.0], [4.0]])
        >>> posterior = gp_inference(factor, targets, jnp.ones((1, 2)), jnp.array([[3.0]]))
        >>> f"{posterior.mean.item():.3f}, {posterior.covariance.item():.3f}"
        '3.000, 2.000'
    """
    times = check_times(factor, t, learning_rate)
    return _gp_inference(
        factor,
        y_train,
        k_test_train,
        k_test_test,
        times,
        learning_rate,
        as_axes("trace_axes", trace_axes),
    )


@functools.partial(jax.jit, static_argnames="trace_axes")
def _gp_inference(
    factor: Factor,
    y_train: Array,
    k_test_train: Array,
    k_test_test: Array | None,
    times: Array,
    learning_rate: Any,
    trace_axes: tuple[int, ...],
) -> Gaussian:
    rows, targets = Rows.of("y_train", y_train, trace_axes, factor.size, factor.dtype)
    tau = flow_times(times, learning_rate, targets)
    kept, across = rows.test_matrix("k_test_train", k_test_train, factor.dtype)
    if factor.cholesky is not None:
        mean = matmul(across, solve(factor, targets))[None]
        white = whiten(factor, across.T)
        known = matmul(white.T, white)[None]
    else:
        modes = matmul(across, factor.matrix)
        mean = matmul(modes, gain(factor, tau)[..., None] * matmul(factor.matrix.T, targets))
        known = matmul(modes * gain(factor, 2 * tau)[:, None, :], modes.T)
    mean = rows.restore(mean, kept, times.shape)
    covariance, latest = None, tau
    if k_test_test is not None:
        latest = 2 * tau
        prior = rows.square_matrix("k_test_test", k_test_test, kept, factor.dtype)
        covariance = as_kernels(prior - known, times.shape, kept)
    return Gaussian(mean, covariance, status_at(factor, times, latest, mean, covariance))


def gradient_descent_mse_ensemble(
    factor: Factor,
    y_train: Shaped[Array, "..."],
    k_test_train: Float[Array, "..."],
    prior: Prior | None = None,
    t: int | float | Shaped[Array, "..."] | None = None,
    *,
    learning_rate: int | float | Float[Array, ""] = 1.0,
    trace_axes: tuple[int, ...] = (-1,),
) -> Gaussian:
    """Distribution of an infinite ensemble of wide networks, each trained on its own.

    The outputs start as a Gaussian with covariance ``k`` (the NNGP kernel) and follow
    ``f_t(x*) = f₀(x*) + A (y − f₀)``, with ``A = Θ_* Θ^{−1} (I − e^{−Θ η t/n})``:

        mean = A y,    cov = k_** + A k Aᵀ − (A k_*ᵀ + k_* Aᵀ).

    An ensemble that trains only the last layer has ``Θ = k``: :func:`gp_inference` at time ``t``.
    Eigenvalues that count as zero are treated as by
    :func:`~jaxlab.ntk.predict.gradient_descent_mse`.

    Args:
        factor: of the NTK ``Θ``, ``[N, N, o, o, ...]`` without the ``trace_axes``
            (:func:`~jaxlab.ntk.predict.factorize`).
        y_train: targets, ``[N, ...]``.
        k_test_train: the NTK ``Θ_*``, ``[M, N, o, o, ...]``.
        prior: NNGP kernels ``k``, ``k_*`` and ``k_**``; None asks for the mean alone.
        t: numbers of steps, >= 0; None is infinity.
        learning_rate: ``η``, > 0.
        trace_axes: axes of ``y_train`` that the kernels lack: they are ``K ⊗ I`` there; static.

    Returns:
        Mean and covariance with the axes of ``t`` in front, and a status for each time.

    Raises:
        ValueError: kernels and targets do not fit; ``k_test_train`` is None; a time is negative, or
            given with a Cholesky factor; ``learning_rate <= 0``.

    Cost:
        ``O(n² (c + m) + m² n)`` for ``m`` test rows, for each time.

    Source:
        Lee et al. 2019, *Wide neural networks of any depth evolve as linear models under gradient
        descent*, section 2.3.

    Example:
        >>> from jaxlab.ntk.predict import factorize
        >>> factor = factorize(jnp.array([[2.0]]))
        >>> one = jnp.array([[1.0]])
        >>> after = gradient_descent_mse_ensemble(factor, one, one, Prior(one, one, one))
        >>> after.mean, after.covariance
        (Array([[0.5]], dtype=float32), Array([[0.25]], dtype=float32))
    """
    times = check_times(factor, t, learning_rate)
    return _ensemble(
        factor,
        y_train,
        k_test_train,
        prior,
        times,
        learning_rate,
        as_axes("trace_axes", trace_axes),
    )


@functools.partial(jax.jit, static_argnames="trace_axes")
def _ensemble(
    factor: Factor,
    y_train: Array,
    k_test_train: Array,
    prior: Prior | None,
    times: Array,
    learning_rate: Any,
    trace_axes: tuple[int, ...],
) -> Gaussian:
    rows, targets = Rows.of("y_train", y_train, trace_axes, factor.size, factor.dtype)
    tau = flow_times(times, learning_rate, targets)
    kept, across = rows.test_matrix("k_test_train", k_test_train, factor.dtype)
    if factor.cholesky is not None:
        pull = solve(factor, across.T).T[None]
    else:
        modes = matmul(across, factor.matrix) * gain(factor, tau)[:, None, :]
        pull = matmul(modes, factor.matrix.T)
    mean = rows.restore(matmul(pull, targets), kept, times.shape)
    covariance = None
    if prior is not None:
        first = rows.square_matrix("prior.train_train", prior.train_train, rows.kept, factor.dtype)
        last = rows.square_matrix("prior.test_test", prior.test_test, kept, factor.dtype)
        other, mixed = rows.test_matrix("prior.test_train", prior.test_train, factor.dtype)
        require(other == kept, "prior.test_train", other, f"test axes {kept}, as k_test_train has")
        mixed = matmul(pull, mixed.T)
        spread = matmul(matmul(pull, first), jnp.swapaxes(pull, -1, -2))
        total = last + spread - mixed - jnp.swapaxes(mixed, -1, -2)
        covariance = as_kernels(total, times.shape, kept)
    return Gaussian(mean, covariance, status_at(factor, times, tau, mean, covariance))
