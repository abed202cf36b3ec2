"""How scores become weights: every separation of the room is found here.

A separation is a plain function ``scores [*b, n] -> weights [*b, n]`` that favours large scores.
The sharper it favours them, the more patterns a memory holds: identity a number proportional to the
dimension, power ``p`` its ``p``-th power up to logarithms, softmax exponentially many.

Each carries ``mask_value``, the score at which a missing memory does not count: ``-inf`` for those
that compare scores (softmax and its kin, maximum, top-k), 0 for those that take each score by
itself. NaN among the scores is NaN among the weights.

Powers are defined in :mod:`jaxlab.hopfield.power_separation`, those on the simplex with exact zeros
in :mod:`jaxlab.hopfield.sparse_separation`, the others here.

Parametrised separations are factories: ``softmax(beta=8.0)`` is a separation, and the identical
function each time, so that it can be a static argument.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.checks import check_choice, check_integer, check_number, require
from jaxlab.hopfield._declare import cached, nan_first, per_query, separation_function
from jaxlab.hopfield.power_separation import polynomial, rectified_polynomial
from jaxlab.hopfield.sparse_separation import entmax15, sparsemax
from jaxlab.hopfield.types import NumberPerQuery, Separation

__all__ = [
    "entmax15",
    "exponential",
    "identity",
    "log",
    "maximum",
    "polynomial",
    "rectified_polynomial",
    "softmax",
    "sparsemax",
    "threshold",
    "top_k",
]


@separation_function(mask_value=0.0)
def identity(scores: Float[Array, "*b n"]) -> Float[Array, "*b n"]:
    """The scores themselves, ``w = s``: the classical Hopfield network.

    Args:
        scores: similarity scores.

    Returns:
        Weights.

    Cost:
        None.

    Source:
        Millidge et al. 2022, section 3.

    Example:
        >>> identity(jnp.array([0.5, 0.25]))
        Array([0.5 , 0.25], dtype=float32)
    """
    return scores


@separation_function(mask_value=0.0, nonnegative_scores=True)
def log(scores: Float[Array, "*b n"]) -> Float[Array, "*b n"]:
    """The logarithm, ``w = log s``: grows slower than the scores, so it separates worst.

    Scores below the smallest normal number, zero and negative ones among them, count as that
    number, so weights are finite. For scores in (0, 1) all weights are negative, and dividing them
    by their sum (``normalize_weights``) turns their order around: the least similar memory then
    weighs most. The paper's experiments do so.

    Args:
        scores: similarity scores, > 0.

    Returns:
        Weights.

    Cost:
        ``n`` logarithms per query.

    Source:
        Millidge et al. 2022, section 5.

    Example:
        >>> log(jnp.array([1.0, 0.0]))
        Array([  0.     , -87.33655], dtype=float32)
    """
    return jnp.log(jnp.maximum(scores, jnp.finfo(scores.dtype).tiny))


@cached
def exponential(beta: NumberPerQuery) -> Separation:
    """Softmax without its denominator, ``w_j = exp(β (s_j − max_k s_k))``.

    The largest weight is 1, so nothing overflows.

    Args:
        beta: inverse temperature, >= 0; may be traced. An array's shape is broadcast against the
            leading axes ``*b`` of the scores: one number per head or per query.

    Returns:
        A separation with mask value −inf.

    Raises:
        ValueError: ``beta`` is known and not a finite number >= 0.

    Cost:
        ``n`` exponentials per query.

    Source:
        Millidge et al. 2022, section 5; Demircigil et al. 2017.

    Example:
        >>> exponential(beta=1.0)(jnp.array([1.0, 1.0, 0.0])).tolist()
        [1.0, 1.0, 0.367...]
    """
    check_number("beta", beta, minimum=0)

    @separation_function(mask_value=-jnp.inf)
    def exponential_separation(scores: Float[Array, "*b n"]) -> Float[Array, "*b n"]:
        return _exponential(scores, beta)

    return exponential_separation


@cached
def softmax(beta: NumberPerQuery) -> Separation:
    """Softmax, ``w_j = exp(β s_j) / Σ_k exp(β s_k)``: attention, modern Hopfield network.

    Args:
        beta: inverse temperature, >= 0; may be traced. An array's shape is broadcast against the
            leading axes ``*b`` of the scores: one number per head or per query. At 0 the weights
            are uniform; towards infinity they become :func:`maximum`.

    Returns:
        A separation with mask value −inf, whose weights sum to 1 (to 0 where all are masked).

    Raises:
        ValueError: ``beta`` is known and not a finite number >= 0.

    Cost:
        ``n`` exponentials per query.

    Source:
        Millidge et al. 2022, section 3; Ramsauer et al. 2021.

    Example:
        >>> softmax(beta=2.0)(jnp.array([0.8, 0.3])).tolist()
        [0.731..., 0.268...]
    """
    check_number("beta", beta, minimum=0)

    @separation_function(mask_value=-jnp.inf)
    def softmax_separation(scores: Float[Array, "*b n"]) -> Float[Array, "*b n"]:
        unnormalized = _exponential(scores, beta)
        total = jnp.sum(unnormalized, axis=-1, keepdims=True)
        return unnormalized / jnp.where(total == 0, 1, total)

    return softmax_separation


@cached
def maximum(ties: str = "first") -> Separation:
    """One-hot at the largest score: the limit ``β → ∞`` of softmax, nearest-neighbour lookup.

    Its gradient is zero.

    Args:
        ties: ``"first"`` gives all the weight to the first of equal largest scores, ``"average"``
            splits it between them.

    Returns:
        A separation with mask value −inf, whose weights sum to 1 (to 0 where all are masked).

    Raises:
        ValueError: ``ties`` is another string.

    Cost:
        One pass over the scores.

    Source:
        Millidge et al. 2022, section 5.

    Example:
        >>> maximum()(jnp.array([1.0, 3.0, 3.0]))
        Array([0., 1., 0.], dtype=float32)
        >>> maximum(ties="average")(jnp.array([1.0, 3.0, 3.0]))
        Array([0. , 0.5, 0.5], dtype=float32)
    """
    check_choice("ties", ties, ("first", "average"))

    @separation_function(mask_value=-jnp.inf)
    def maximum_separation(scores: Float[Array, "*b n"]) -> Float[Array, "*b n"]:
        largest = jnp.max(scores, axis=-1, keepdims=True)
        if ties == "first":
            best = jax.nn.one_hot(jnp.argmax(scores, axis=-1), scores.shape[-1], dtype=scores.dtype)
        else:
            best = (scores == largest).astype(scores.dtype)
            best = best / jnp.sum(best, axis=-1, keepdims=True)
        best = jnp.where(jnp.isnan(largest), jnp.nan, best)
        return jnp.where(scores == -jnp.inf, 0, best)

    return maximum_separation


@cached
def top_k(k: int, base: Separation) -> Separation:
    """``base`` among the ``k`` largest scores, and weight 0 elsewhere.

    Of equal scores at the edge, the first are taken. ``top_k(n, base) = base``.

    Args:
        k: how many memories may take part, 1 <= k <= n; static.
        base: the separation among them; the others reach it as its mask value.

    Returns:
        A separation with mask value −inf.

    Raises:
        ValueError: ``k`` is not an integer >= 1, or, when called, exceeds the number of scores.

    Cost:
        A partial sort, ``O(n log k)`` per query, and that of ``base``.

    Example:
        >>> top_k(2, softmax(beta=0.0))(jnp.array([1.0, 3.0, 2.0]))
        Array([0. , 0.5, 0.5], dtype=float32)
    """
    check_integer("k", k, minimum=1)
    missing = getattr(base, "mask_value", -jnp.inf)

    @separation_function(
        mask_value=-jnp.inf, nonnegative_scores=getattr(base, "nonnegative_scores", False)
    )
    def top_k_separation(scores: Float[Array, "*b n"]) -> Float[Array, "*b n"]:
        require(k <= scores.shape[-1], "k", k, f"at most the number of memories {scores.shape[-1]}")
        _, best = jax.lax.top_k(nan_first(scores), k)
        chosen = jnp.zeros(scores.shape, dtype=bool)
        chosen = jnp.put_along_axis(chosen, best, True, axis=-1, inplace=False)
        chosen = chosen & (scores != -jnp.inf)
        return jnp.where(chosen, base(jnp.where(chosen, scores, missing)), 0)

    return top_k_separation


@cached
def threshold(theta: NumberPerQuery) -> Separation:
    """Equal weight to all that reach a threshold, ``w_j = 1[s_j >= θ]``.

    The separation of sparse distributed memory. Its gradient is zero.

    Args:
        theta: the threshold, may be traced. An array's shape is broadcast against the leading axes
            ``*b`` of the scores.

    Returns:
        A separation with mask value 0 (``retrieve`` zeroes the weights of masked memories).

    Raises:
        ValueError: ``theta`` is known and not finite.

    Cost:
        One comparison per score.

    Source:
        Millidge et al. 2022, section 3; Kanerva 1988.

    Example:
        >>> threshold(-1.0)(jnp.array([0.0, -1.0, -2.0]))
        Array([1., 1., 0.], dtype=float32)
    """
    check_number("theta", theta)

    @separation_function(mask_value=0.0)
    def threshold_separation(scores: Float[Array, "*b n"]) -> Float[Array, "*b n"]:
        reached = (scores >= per_query("theta", theta, scores)).astype(scores.dtype)
        return jnp.where(jnp.isnan(scores), scores, reached)

    return threshold_separation


def _exponential(scores: Array, beta: Any) -> Array:
    """``exp(β(s − max s))``; where the score is −inf, 0 with a zero derivative, in β too."""
    missing = scores == -jnp.inf
    finite = jnp.where(missing, 0, scores)
    largest = jnp.max(scores, axis=-1, keepdims=True)
    # the maximum cancels in softmax, but not here: its derivative is kept
    largest = jnp.where(largest == -jnp.inf, 0, largest)
    exponents = per_query("beta", beta, scores) * (finite - largest)
    return jnp.where(missing, 0, jnp.exp(jnp.where(missing, 0, exponents)))
