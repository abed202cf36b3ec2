"""Local search for the columns of a target: exchange one chosen column while that captures more.

With ``P = (CᵀC)⁻¹``, the direction that leaving out column ``i`` gives up is ``C P_{:,i} / √P_ii``;
with it the gain of every exchange of ``i`` for ``j`` is known from ``c × n`` products.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Int32, Shaped

from jaxlab.checks import check_integer, check_scalar
from jaxlab.leverage._inputs import check_columns
from jaxlab.leverage._pairs import (
    check_indices,
    check_pair,
    matmul,
    scaled,
    unit_columns,
    whiten_gram,
)
from jaxlab.varying import vary_like

__all__ = ["LocalSearch", "local_search_gcss"]


class LocalSearch(NamedTuple):
    """What :func:`local_search_gcss` finds.

    Attributes:
        columns: the chosen columns, ``[c]``; where one was exchanged, in its place.
        captured: ``‖P_C B‖_F²``.
        swaps: number of exchanges.
        converged: whether no exchange captures more than the tolerance.
    """

    columns: Int32[Array, " c"]
    captured: Float[Array, ""]
    swaps: Int32[Array, ""]
    converged: Bool[Array, ""]


def local_search_gcss(
    a: Float[Array, "m n"],
    b: Float[Array, "m p"],
    columns: Int[Array, " c"],
    *,
    rounds: int = 100,
    tol: int | float | Shaped[Array, ""] | None = None,
) -> LocalSearch:
    """Exchange the one column for the one other that lowers ``‖B − P_C B‖_F²`` most, and again.

    Args:
        a: columns to choose from, ``[m, n]``.
        b: target, ``[m, p]``.
        columns: different columns to begin with, ``[c]``.
        rounds: at most so many exchanges; static.
        tol: least gain, as a share of ``‖B‖_F²``; ``√eps / 100`` by default.

    Returns:
        Columns and what they capture.

    Raises:
        ValueError: matrices as of :func:`~jaxlab.leverage.greedy_gcss`; columns outside of A or
            twice; fewer than one round; ``tol`` negative or no single number.

    Cost:
        ``O(m n (n + p))`` once, ``O(c n (c + p))`` a round.

    Example:
        >>> a = jnp.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
        >>> found = local_search_gcss(a, a[:, :2], jnp.array([0, 2]))
        >>> found.columns.tolist(), int(found.swaps)
        ([0, 1], 1)
    """
    a, b = check_pair(a, b)
    columns = check_indices("columns", columns, a.shape[1], distinct=True)
    check_columns("columns", columns.shape[0], a.shape[1])
    check_integer("rounds", rounds, minimum=1)
    check_scalar("tol", 0.0 if tol is None else tol, minimum=0)
    return _local_search(a, b, columns, tol, rounds=rounds)


@functools.partial(jax.jit, static_argnames=("rounds",))
def _local_search(
    a: Array, b: Array, columns: Array, tol: Array | None, *, rounds: int
) -> LocalSearch:
    a, (b, scale) = unit_columns(a), scaled(b)
    energy = jnp.sum(b * b)
    found = local_search_on_gram(
        matmul(a.T, a), matmul(a.T, b), energy, columns, rounds=rounds, tol=tol
    )
    return found._replace(captured=scale * (scale * found.captured))


def local_search_on_gram(
    gram: Float[Array, "n n"],
    cross: Float[Array, "n p"],
    energy: Float[Array, ""],
    columns: Int32[Array, " c"],
    *,
    rounds: int,
    tol: Any = None,
) -> LocalSearch:
    """Local search from ``AᵀA``, ``AᵀB`` and ``‖B‖_F²``, with the columns scaled to unit length."""
    c, dtype = columns.shape[0], gram.dtype
    eps = jnp.finfo(dtype).eps
    least = (0.01 * eps**0.5 if tol is None else tol) * energy
    square = jnp.diagonal(gram)
    there = square > 0
    scale = jnp.where(there, jax.lax.rsqrt(jnp.where(there, square, 1)), 0)
    cross = cross * scale[:, None]

    def best_exchange(columns: Array) -> tuple[Array, Array, Array, Array]:
        """Captured energy, and the exchange that adds most to it."""
        rows = gram[columns] * scale * scale[columns][:, None]
        weights = whiten_gram(rows[:, columns])
        pinv = matmul(weights.weights, weights.weights.T)
        # a column that the others span gives up nothing; null vectors tell which those are
        spanned = jnp.sum((weights.weights * weights.values) ** 2, axis=1) < 0.999
        onto, target = matmul(pinv, rows), matmul(pinv, cross[columns])
        captured = jnp.sum(target * cross[columns])
        g = jnp.maximum(there - jnp.sum(rows * onto, axis=0), 0)
        left = cross - matmul(rows.T, target)
        length = jnp.where(spanned, 0, jax.lax.rsqrt(jnp.where(spanned, 1, jnp.diagonal(pinv))))
        t, given_up = onto * length[:, None], target * length[:, None]
        lost = jnp.sum(given_up * given_up, axis=1)[:, None]
        f = jnp.sum(left * left, axis=1) + 2 * t * matmul(given_up, left.T) + t * t * lost
        g = g + t * t
        allowed = (g > (64 + c) * eps).at[:, columns].set(False)
        gain = jnp.where(allowed, f / jnp.where(allowed, g, 1) - lost, -jnp.inf)
        best = jnp.argmax(gain)
        return captured, jnp.max(gain), best // gain.shape[1], best % gain.shape[1]

    def more(state: tuple) -> Array:
        _, _, _, swaps, stopped = state
        return ~stopped & (swaps < rounds)

    def exchange(state: tuple) -> tuple:
        columns, captured, (gain, i, j), swaps, _ = state
        new = columns.at[i].set(j.astype(jnp.int32))
        then, *following = best_exchange(new)
        better = (gain > least) & (then - captured > least)
        columns = jnp.where(better, new, columns)
        following = jax.tree.map(
            lambda new, old: jnp.where(better, new, old), tuple(following), (gain, i, j)
        )
        return columns, jnp.where(better, then, captured), following, swaps + better, ~better

    captured, *following = best_exchange(columns)
    state = (columns, captured, tuple(following), jnp.int32(0), following[0] <= least)
    columns, captured, (gain, _, _), swaps, stopped = jax.lax.while_loop(
        more, exchange, vary_like(state)
    )
    return LocalSearch(columns, captured, swaps, stopped | (gain <= least))
