"""Separations that give most memories exactly no weight, yet stay on the simplex.

Softmax gives every memory some weight. ``sparsemax`` and ``entmax15`` maximise ``β s·w`` plus
another entropy over the simplex; their solutions have exact zeros. Both are found from the sorted
scores, in closed form.
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
        ordered, rank = _descending(logits)
        sums = jnp.cumsum(ordered, axis=-1)
        support = 1 + rank * ordered > sums
        tau = (_last_of(sums, support) - 1) / _size(support, logits.dtype)
        return jnp.where(missing, 0, jnp.maximum(logits - tau, 0))

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
        ordered, rank = _descending(logits)
        mean = jnp.cumsum(ordered, axis=-1) / rank
        mean_square = jnp.cumsum(ordered**2, axis=-1) / rank
        # on a support of the k largest: Σ (x_j − τ)² = 1, a quadratic in τ
        discriminant = 1 / rank - (mean_square - mean**2)
        solvable = discriminant > 0
        root = jnp.sqrt(jnp.where(solvable, discriminant, 1))
        candidates = mean - jnp.where(solvable, root, 0)
        tau = _last_of(candidates, candidates <= ordered)
        return jnp.where(missing, 0, jnp.square(jnp.maximum(logits - tau, 0)))

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


def _descending(logits: Array) -> tuple[Array, Array]:
    ordered = jnp.flip(jnp.sort(logits, axis=-1), axis=-1)
    return ordered, jnp.arange(1, logits.shape[-1] + 1, dtype=logits.dtype)


def _size(support: Array, dtype: jnp.dtype) -> Array:
    return jnp.maximum(jnp.sum(support, axis=-1, keepdims=True), 1).astype(dtype)


def _last_of(values: Array, support: Array) -> Array:
    """The value at the last place of the support, which starts at the front."""
    last = jnp.maximum(jnp.sum(support, axis=-1, keepdims=True) - 1, 0)
    return jnp.take_along_axis(values, last, axis=-1)
