"""Learning duals while problems arrive: a prediction before each, its optimal duals after it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.checks import check_choice, check_integer, check_scalar, check_shape
from jaxlab.graph_algorithms.learning import LOSSES, as_floats, fit_duals
from jaxlab.graph_algorithms.types import Duals

__all__ = ["OnlineLearner", "median_learner", "online_learner", "regret"]


class OnlineLearner(NamedTuple):
    """A pair of functions, in the way of optax's transformations.

    Attributes:
        init: ``init(duals) -> state`` from a first prediction.
        update: ``update(sample, state) -> (prediction, state)``: the prediction for the next
            problem, once the optimal duals of this one are known.
    """

    init: Callable[[Duals], Any]
    update: Callable[[Duals, Any], tuple[Duals, Any]]


def online_learner(
    loss: str = "l1", learning_rate: int | float = 1.0, radius: int | float = jnp.inf
) -> OnlineLearner:
    """Projected online gradient descent, ``y ← clip(y − η g, −C, C)``.

    ``g`` is a subgradient of ``‖y − y_t‖`` at the prediction: the signs of the deviations for ℓ1;
    the deviations for ℓ2 (half the square); the sign at the largest one for ℓ∞. For ℓ1 in ``d``
    coordinates, ``η = 2C/√T`` keeps the regret after ``T`` rounds below ``2 C d √T``.

    Args:
        loss: ``"l1"``, ``"l2"`` or ``"linf"``.
        learning_rate: ``η``, in units of the duals.
        radius: ``C``.

    Returns:
        The learner; its state is its prediction, in float32, as which samples are read.

    Raises:
        ValueError: another loss, or numbers that are not positive.

    Cost:
        O(n) a round.

    Source:
        Khodak, Balcan, Talwalkar and Vassilvitskii 2022, *Learning predictions for algorithms with
        predictions* (arXiv 2202.09312).

    Example:
        >>> learner = online_learner("l1", learning_rate=2.0)
        >>> state = learner.init(Duals(jnp.zeros(2), jnp.zeros(2)))
        >>> guess, state = learner.update(Duals(jnp.array([5.0, 0.0]), jnp.zeros(2)), state)
        >>> guess.row
        Array([2., 0.], dtype=float32)
    """
    check_choice("loss", loss, ("l1", "l2", "linf"))
    check_scalar("learning_rate", learning_rate, above=0)
    if radius != jnp.inf:
        check_scalar("radius", radius, above=0)

    def init(duals: Duals) -> Duals:
        return Duals(*(jnp.array(part, jnp.float32) for part in duals))  # shares no memory

    def update(sample: Duals, state: Duals) -> tuple[Duals, Duals]:
        apart = jax.tree.map(lambda y, s: y - jnp.asarray(s, y.dtype), state, sample)
        if loss == "l1":
            slope = jax.tree.map(jnp.sign, apart)
        elif loss == "l2":
            slope = apart
        else:
            size = jnp.abs(jnp.concatenate(apart))
            count = size.shape[0]
            index = jnp.arange(count)
            largest = size == jnp.max(size, initial=0)
            first = jnp.min(jnp.where(largest, index, count), initial=count)
            steepest = jnp.where(index == first, jnp.sign(jnp.concatenate(apart)), 0)
            rows = apart.row.shape[0]
            slope = Duals(steepest[:rows], steepest[rows:])

        def moved(y: Array, g: Array) -> Array:
            # numbers of NumPy may be wider than the state
            return jnp.clip(y - learning_rate * g, -radius, radius).astype(y.dtype)

        prediction = jax.tree.map(moved, state, slope)
        return prediction, prediction

    return OnlineLearner(init, update)


class MedianState(NamedTuple):
    """What :func:`median_learner` remembers.

    Attributes:
        row: rows' duals of past samples, ``[horizon, n]``; infinity where none is yet.
        col: columns' duals.
        seen: how many samples there were.
    """

    row: Array
    col: Array
    seen: Array


def median_learner(horizon: int) -> OnlineLearner:
    """Follow the median: predict the lower median of each coordinate of the samples so far.

    Args:
        horizon: samples to remember; later ones take the place of the oldest.

    Returns:
        The learner, which works in float32. Samples should be in one gauge, see
        :func:`~jaxlab.graph_algorithms.learning.canonicalize`.

    Raises:
        ValueError: ``horizon`` is not positive.

    Cost:
        A sort of ``horizon`` numbers for each coordinate, a round.

    Source:
        The online experiment of Dinitz et al. 2021.

    Example:
        >>> learner = median_learner(5)
        >>> state = learner.init(Duals(jnp.zeros(1), jnp.zeros(1)))
        >>> for number in (4.0, 8.0, 6.0):
        ...     guess, state = learner.update(Duals(jnp.full(1, number), jnp.zeros(1)), state)
        >>> guess.row
        Array([6.], dtype=float32)
    """
    check_integer("horizon", horizon, minimum=1)

    def init(duals: Duals) -> MedianState:
        row, col = (jnp.full((horizon, *jnp.shape(part)), jnp.inf, jnp.float32) for part in duals)
        return MedianState(row, col, jnp.int32(0))

    def update(sample: Duals, state: MedianState) -> tuple[Duals, MedianState]:
        place = state.seen % horizon
        row, col = (
            jnp.asarray(part).at[place].set(jnp.asarray(new, part.dtype))
            for part, new in ((state.row, sample.row), (state.col, sample.col))
        )
        seen = state.seen + 1
        middle = (jnp.minimum(seen, horizon) - 1) // 2
        guess = Duals(*(jnp.sort(part, axis=0)[middle] for part in (row, col)))
        return guess, MedianState(row, col, seen)

    return OnlineLearner(init, update)


def regret(predictions: Duals, samples: Duals, loss: str = "l1") -> Float[Array, ""]:
    """What a sequence of predictions lost more than the best fixed one would have.

    ``Σ_t ‖y_t − s_t‖ − min_y Σ_t ‖y − s_t‖``, the squared norm for ℓ2.

    Args:
        predictions: one for each round, stacked.
        samples: the optimal duals of each round, stacked, in the same gauge.
        loss: norm of the difference, over rows and columns together.

    Returns:
        The regret; for ``"linf"`` the comparator is found iteratively.

    Raises:
        ValueError: an unknown loss; stacks of different shapes; samples of NumPy that do not fit
            the type jax gives them.

    Cost:
        That of :func:`~jaxlab.graph_algorithms.learning.fit_duals`.

    Example:
        >>> samples = Duals(jnp.array([[1.0], [3.0], [3.0]]), jnp.zeros((3, 1)))
        >>> regret(Duals(jnp.zeros((3, 1)), jnp.zeros((3, 1))), samples)
        Array(5., dtype=float32)
    """
    check_choice("loss", loss, LOSSES)
    check_shape("predictions.row", predictions.row, jnp.shape(samples.row))
    check_shape("predictions.col", predictions.col, jnp.shape(samples.col))
    best = fit_duals(samples, loss, "none")

    def total(guesses: Duals) -> Array:
        if loss == "l0":
            wrong = [jnp.sum(g != s) for g, s in zip(guesses, samples, strict=True)]
            return as_floats(sum(wrong, start=jnp.zeros((), jnp.int32)))
        apart = jnp.concatenate(
            [as_floats(g) - as_floats(s) for g, s in zip(guesses, samples, strict=True)], axis=1
        )
        if loss == "l2":
            return jnp.sum(jnp.square(apart))
        size = jnp.abs(apart)
        return jnp.sum(size) if loss == "l1" else jnp.sum(jnp.max(size, axis=1, initial=0))

    return total(predictions) - total(best)
