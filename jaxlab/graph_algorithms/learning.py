"""Learning duals from those of past problems.

The adjusted duals ``(u + t, v − t)`` are as good as ``(u, v)``, so samples are brought to one gauge
before they are averaged. What minimises the mean distance to the samples is a median of each
coordinate for the ℓ1 norm, the most frequent value for ℓ0, the mean for squared ℓ2; for ℓ∞ it is
the solution of a linear program, found here by the alternating direction method of multipliers.
"""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num

from jaxlab.checks import check_choice, check_integer, check_scalar, check_shape, require
from jaxlab.graph_algorithms._labels import as_prediction
from jaxlab.graph_algorithms.duals import (
    check_duals,
    check_problem,
    cold_duals,
    dual_objective,
    tighten_for_assignment,
    working_dtype,
)
from jaxlab.graph_algorithms.types import Duals

__all__ = [
    "canonicalize",
    "fit_duals",
    "predict_or_fallback",
    "sample_complexity",
]

LOSSES = ("l0", "l1", "l2", "linf")
GAUGES = ("mean", "none", "max", "first")


def canonicalize(duals: Duals, gauge: str = "mean") -> Duals:
    """The duals of equal value whose columns have mean, maximum or first entry zero.

    ``(u, v) ← (u + t, v − t)``.

    Args:
        duals: of one problem, or a stack of them; square problems only, since elsewhere the shift
            changes the value.
        gauge: ``"mean"`` (for integers, rounded down), ``"max"``, ``"first"``, or ``"none"`` to
            leave them.

    Returns:
        Shifted duals, in their dtype, or that of 32 bits; as they are for ``"none"``.

    Raises:
        ValueError: an unknown gauge; any but ``"none"`` for duals of a problem that is not square;
            numbers of NumPy that do not fit the type jax gives them.

    Cost:
        O(n).

    Example:
        >>> canonicalize(Duals(jnp.array([0, 1]), jnp.array([2, 4])))
        Duals(row=Array([3, 4], dtype=int32), col=Array([-1,  1], dtype=int32))
    """
    check_choice("gauge", gauge, GAUGES)
    check_duals(duals)
    row, col = jnp.asarray(duals.row), jnp.asarray(duals.col)
    if gauge == "none":
        return Duals(row, col)
    row, col = row.astype(working_dtype(row.dtype)), col.astype(working_dtype(col.dtype))
    check_shape("duals.col", col, row.shape)
    if col.shape[-1] == 0:
        return Duals(row, col)
    if gauge == "max":
        shift = jnp.max(col, axis=-1, keepdims=True)
    elif gauge == "first":
        shift = col[..., :1]
    elif jnp.issubdtype(col.dtype, jnp.floating):
        shift = jnp.mean(col, axis=-1, keepdims=True)
    else:
        shift = _mean_rounded_down(col)[..., None]
    return Duals(row + shift, col - shift)


@jax.jit
def _mean_rounded_down(values: Int[Array, "*s n"]) -> Int[Array, "*s"]:
    """Mean over the last axis, without sums that could wrap: of quotients by n, with a carry."""
    n = values.shape[-1]

    def add(one: tuple[Array, Array], other: tuple[Array, Array]) -> tuple[Array, Array]:
        rest = one[1] + other[1]
        return one[0] + other[0] + rest // n, rest % n

    zero = jnp.zeros((), values.dtype)
    mean, _ = jax.lax.reduce((values // n, values % n), (zero, zero), add, (values.ndim - 1,))
    return mean


def fit_duals(samples: Duals, loss: str = "l1", gauge: str = "mean", *, steps: int = 500) -> Duals:
    """Duals of least mean distance to samples, ``argmin_y Σ_s ‖y − y_s‖``.

    Args:
        samples: optimal duals of past problems, stacked on the leading axis.
        loss: ``"l1"`` gives the lower median of each coordinate; ``"l0"`` the most frequent value,
            the least of several; ``"l2"``, squared, the mean; ``"linf"`` a minimiser of the mean
            largest deviation over all coordinates.
        gauge: that the samples are brought to first, see :func:`canonicalize`.
        steps: iterations for ``"linf"``.

    Returns:
        One pair of duals; integers for integer samples under ``"l1"`` and ``"l0"``, else floats.

    Raises:
        ValueError: an unknown loss or gauge; no samples; stacks of different lengths; as
            :func:`canonicalize`.

    Cost:
        A sort of ``S`` samples for each coordinate; for ``"linf"`` ``steps`` iterations of some
        passes over all samples.

    Source:
        Dinitz et al. 2021 (medians); Chen et al. 2022 (other norms); Boyd et al. 2011,
        *Distributed optimization and statistical learning via ADMM*, for the iteration.

    Example:
        >>> samples = Duals(jnp.array([[1], [5], [2], [9]]), jnp.zeros((4, 1), int))
        >>> fit_duals(samples, "l1", "none").row
        Array([2], dtype=int32)
    """
    check_choice("loss", loss, LOSSES)
    count = jnp.shape(samples.row)[0] if jnp.ndim(samples.row) == 2 else 0
    require(count > 0, "samples.row", samples.row, "at least one sample, shape [S, n]")
    check_shape("samples.col", samples.col, (count, "m"))
    check_integer("steps", steps, minimum=1)
    check_duals(samples, "samples")
    row, col = canonicalize(samples, gauge)
    if loss == "linf":
        joined = as_floats(jnp.concatenate([row, col], axis=1))
        fitted = _least_largest_deviation(joined, steps)
        return Duals(fitted[: row.shape[1]], fitted[row.shape[1] :])
    fits: dict[str, Callable[[Array], Array]] = {
        "l0": _mode,
        "l1": lower_median,
        "l2": lambda x: jnp.mean(x, axis=0),
    }
    return Duals(fits[loss](row), fits[loss](col))


def as_floats(values: Num[Array, "..."]) -> Float[Array, "..."]:
    """Floats as they are, of float32 at least; integers in the type that their mean has."""
    return values.astype(jnp.promote_types(jnp.result_type(values, float), jnp.float32))


def lower_median(samples: Num[Array, "s n"]) -> Num[Array, " n"]:
    """Of each coordinate: the lower of the two middle ones for an even number of samples."""
    return jnp.sort(samples, axis=0)[(samples.shape[0] - 1) // 2]


def _mode(samples: Num[Array, "s n"]) -> Num[Array, " n"]:
    """Most frequent value of each coordinate, the least of several."""
    count = samples.shape[0]
    ordered = jnp.sort(samples, axis=0)
    place = jnp.arange(count)[:, None]
    new = jnp.concatenate([jnp.ones_like(ordered[:1], bool), ordered[1:] != ordered[:-1]])
    began = jax.lax.cummax(jnp.where(new, place, 0), axis=0)
    length = place - began  # how often the value stood before: largest at the end of its run
    longest = jnp.max(length, axis=0)
    last = jnp.min(jnp.where(length == longest, place, count), axis=0)
    return jnp.take_along_axis(ordered, last[None], axis=0)[0]


@functools.partial(jax.jit, static_argnames=("steps",))
def _least_largest_deviation(samples: Float[Array, "s n"], steps: int) -> Float[Array, " n"]:
    """``argmin_y Σ_s ‖y − y_s‖∞`` by ADMM on the splitting ``x_s = y − y_s``."""
    middle = jnp.mean(samples, axis=0)
    deviation = samples - middle
    scale = jnp.max(jnp.abs(deviation), initial=0)
    scale = jnp.where(scale > 0, scale, 1)
    target = deviation / scale
    # the penalty at which one step of the proximal map moves by about the size of the deviations
    radius = jnp.asarray(target.shape[1] ** 0.5, samples.dtype)

    def step(carry: tuple[Array, Array, Array], _: None) -> tuple[tuple[Array, Array, Array], None]:
        y, x, multiplier = carry
        y = jnp.mean(x + target - multiplier, axis=0)
        moved = y - target + multiplier
        x = moved - _onto_l1_ball(moved, radius)
        return (y, x, multiplier + y - target - x), None

    start = jnp.zeros_like(middle), -target, jnp.zeros_like(target)
    (y, _, _), _ = jax.lax.scan(step, start, length=steps)
    return middle + scale * y


def _onto_l1_ball(points: Float[Array, "s n"], radius: Float[Array, ""]) -> Float[Array, "s n"]:
    """Nearest points of sum of absolute values at most ``radius > 0``.

    All absolute values fall by a threshold, to no less than zero. Newton's steps to it are steps
    up, and come to an end: each finds the threshold for what was above the one before.
    """
    size = jnp.abs(points)
    fixed = jax.lax.stop_gradient(size)

    def step(sizes: Array, threshold: Array) -> Array:
        above = sizes > threshold[:, None]
        surplus = jnp.sum(jnp.where(above, sizes, 0), axis=1) - radius
        return jnp.maximum(surplus / jnp.maximum(jnp.sum(above, axis=1), 1), 0)

    def raised(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        threshold, _ = carry
        new = jnp.maximum(step(fixed, threshold), threshold)
        return new, jnp.any(new > threshold)

    low = jnp.zeros_like(fixed, shape=fixed.shape[:1])
    threshold, _ = jax.lax.while_loop(lambda carry: carry[1], raised, (low, low[0] == 0))
    return jnp.sign(points) * jnp.maximum(size - step(size, threshold)[:, None], 0)


def sample_complexity(
    dim: int, radius: int | float, eps: int | float, delta: int | float, loss: str = "l1"
) -> int:
    """Samples after which the fitted duals are within ``eps`` of the best, by a covering bound.

    With ``C`` the radius, ``⌈8 (2Cd)² ε⁻² (d ln(8Cd/ε + 1) + ln(2/δ))⌉`` for ℓ1 and, without the
    factors ``d`` beside ``C``, for ℓ∞: Hoeffding's inequality on a cover of the box. It is valid,
    not tight.

    Args:
        dim: number of coordinates ``d``.
        radius: largest absolute value of a dual, ``C``.
        eps: excess of the mean distance that is allowed.
        delta: probability that it is exceeded.
        loss: ``"l1"`` or ``"linf"``.

    Returns:
        A number of samples.

    Raises:
        ValueError: numbers out of range, or another loss.

    Cost:
        O(1), on the host.

    Example:
        >>> sample_complexity(10, 1.0, 1.0, 0.1, "linf")
        799
    """
    check_choice("loss", loss, ("l1", "linf"))
    check_integer("dim", dim, minimum=1)
    check_scalar("radius", radius, above=0)
    check_scalar("eps", eps, above=0)
    check_scalar("delta", delta, above=0, maximum=1)
    reach = radius * (dim if loss == "l1" else 1)
    cover = dim * math.log(8 * reach / eps + 1) + math.log(2 / delta)
    return math.ceil(8 * (2 * reach / eps) ** 2 * cover)


def predict_or_fallback(cost: Num[Array, "n m"], duals: Duals) -> Duals:
    """The better of a prediction and a cold start, by the value of the feasible duals they give.

    Those are what :func:`~jaxlab.graph_algorithms.predictor.predict_duals` makes of the columns.

    Args:
        cost: of the edges.
        duals: prediction; where costs are integers it is rounded, and clipped to what their sums
            have room for.

    Returns:
        Feasible duals: those of the prediction's columns unless ``v = 0`` does better.

    Raises:
        ValueError: the shapes of the duals do not fit the cost; where costs are integers, columns
            predicted to be NaN; numbers of NumPy that do not fit the type jax gives them.

    Cost:
        O(n m), one pass more than the prediction alone.

    Example:
        >>> cost = jnp.array([[3, 5], [4, 1]])
        >>> bad = Duals(jnp.array([0, 0]), jnp.array([90, 0]))
        >>> dual_objective(predict_or_fallback(cost, bad))
        Array(4, dtype=int32)
    """
    check_problem(cost, duals, None)
    cold = cold_duals(cost)
    dtype = cold.col.dtype
    if jnp.issubdtype(dtype, jnp.floating):
        predicted = tighten_for_assignment(cost, duals)
        better = dual_objective(predicted) >= dual_objective(cold)
    else:  # the value of a bad prediction may wrap, the sign of its mean gain does not
        columns = as_prediction("duals.col", duals.col, dtype)
        predicted = tighten_for_assignment(cost, duals._replace(col=columns))
        gains = jnp.concatenate(jax.tree.map(jnp.subtract, predicted, cold))
        better = _mean_rounded_down(gains) >= 0
    return Duals(*(jnp.where(better, *pair) for pair in zip(predicted, cold, strict=True)))
