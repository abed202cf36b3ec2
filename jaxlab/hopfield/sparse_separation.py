"""Separations that give most memories exactly no weight, yet stay on the simplex.

Softmax gives every memory some weight. ``sparsemax`` and ``entmax15`` maximise ``β s·w`` plus
another entropy over the simplex; their solutions have exact zeros. Both are found from the sorted
scores, in closed form. Sums are of distances from the least score that has weight, which cancel
nothing however many memories share the weight.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.checks import check_number
from jaxlab.hopfield._declare import cached, per_query, separation_function
from jaxlab.hopfield.types import NumberPerQuery, Separation

__all__ = ["entmax15", "sparsemax"]


@cached
def sparsemax(beta: NumberPerQuery) -> Separation:
    """Euclidean projection of ``β s`` on the simplex, ``w = argmin_{w ∈ Δ} ‖w − β s‖²``.

    ``w_j = max(β s_j − τ, 0)`` with the ``τ`` that makes the sum 1.

    Args:
        beta: inverse temperature, >= 0; may be traced. An array's shape is broadcast against the
            leading axes ``*b`` of the scores.

    Returns:
        A separation with mask value −inf, whose weights sum to 1 (to 0 where all are masked).

    Raises:
        ValueError: ``beta`` is known and not a finite number >= 0.

    Cost:
        One sort, ``O(n log n)`` per query.

    Source:
        Martins and Astudillo 2016, algorithm 1.

    Example:
        >>> sparsemax(beta=1.0)(jnp.array([1.0, 0.75, -1.0]))
        Array([0.625, 0.375, 0.   ], dtype=float32)
    """
    check_number("beta", beta, minimum=0)

    @separation_function(mask_value=-jnp.inf)
    def sparsemax_separation(scores: Float[Array, "*b n"]) -> Float[Array, "*b n"]:
        logits, missing = _logits(scores, beta, 1.0)
        above, inside, size = _above_least(logits, squared=False)
        # x_k the least on a support of k: Σ (x_j − x_k) + k (x_k − τ) = 1
        least = (1 - _sum(jnp.where(inside, above, 0))) / size
        return jnp.where(missing, 0, jnp.maximum(above + least, 0))

    return sparsemax_separation


@cached
def entmax15(beta: NumberPerQuery) -> Separation:
    """1.5-entmax of ``β s``: halfway between softmax and :func:`sparsemax`.

    ``w_j = max(β s_j / 2 − τ, 0)²`` with the ``τ`` that makes the sum 1; it maximises ``β s·w``
    plus the Tsallis entropy of order 1.5.

    Args:
        beta: inverse temperature, >= 0; may be traced. An array's shape is broadcast against the
            leading axes ``*b`` of the scores.

    Returns:
        A separation with mask value −inf, whose weights sum to 1 (to 0 where all are masked).

    Raises:
        ValueError: ``beta`` is known and not a finite number >= 0.

    Cost:
        One sort, ``O(n log n)`` per query.

    Source:
        Peters, Niculae and Martins 2019, algorithm 2.

    Example:
        >>> entmax15(beta=1.0)(jnp.array([2.0, 2.0, -1.0])).round(4)
        Array([0.5, 0.5, 0. ], dtype=float32)
    """
    check_number("beta", beta, minimum=0)

    @separation_function(mask_value=-jnp.inf)
    def entmax15_separation(scores: Float[Array, "*b n"]) -> Float[Array, "*b n"]:
        logits, missing = _logits(scores, beta, 0.5)
        above, inside, size = _above_least(logits, squared=True)
        # x_k the least on a support of k: Σ (x_j − x_k + x_k − τ)² = 1, a quadratic in x_k − τ
        within = jnp.where(inside, above, 0)
        linear, left = _sum(within), 1 - _sum(within**2)
        least = left / (linear + jnp.sqrt(linear**2 + size * left))
        return jnp.where(missing, 0, jnp.square(jnp.maximum(above + least, 0)))

    return entmax15_separation


def _logits(scores: Array, beta: NumberPerQuery, scale: float) -> tuple[Array, Array]:
    """``scale β (s − max s)``, and which scores are missing.

    Entries more than ``1`` below the largest logit have no weight under either separation; those
    that are missing, and those far below, are put at ``−2`` so that sums neither overflow nor lose
    digits.
    """
    missing = scores == -jnp.inf
    finite = jnp.where(missing, 0, scores)
    largest = jnp.max(scores, axis=-1, keepdims=True)
    largest = jax.lax.stop_gradient(jnp.where(largest == -jnp.inf, 0, largest))
    logits = scale * per_query("beta", beta, scores) * (finite - largest)
    return jnp.where(missing | (logits < -2), -2.0, logits), missing


def _above_least(logits: Array, *, squared: bool) -> tuple[Array, Array, Array]:
    """How far logits are above the least ``x_k`` that has weight, which have any, and how many.

    ``x_k`` is the last in descending order with ``Σ_{i ≤ k} (x_i − x_k)^p < 1``, ``p`` 2 if
    ``squared`` and 1 if not. Where it lies changes no weight: to derivatives it is a constant.
    """
    ordered = jnp.flip(jnp.sort(jax.lax.stop_gradient(logits), axis=-1), axis=-1)
    step = -jnp.diff(ordered, axis=-1, prepend=ordered[..., :1])
    growth = jnp.arange(logits.shape[-1], dtype=logits.dtype) * step  # of all that are above
    sums = jnp.cumsum(growth, axis=-1)
    if squared:
        sums = jnp.cumsum(step * (2 * sums - growth), axis=-1)
    last = jnp.maximum(jnp.sum(sums < 1, axis=-1, keepdims=True) - 1, 0)
    above = logits - jnp.take_along_axis(ordered, last, axis=-1)
    inside = above >= 0
    return above, inside, _sum(inside.astype(logits.dtype))


def _sum(terms: Array) -> Array:
    return jnp.sum(terms, axis=-1, keepdims=True)
