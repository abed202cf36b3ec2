"""Local search for the columns of a target: exchange one chosen column while that captures more.

With ``P = (CᵀC)⁻¹``, the direction that leaving out column ``i`` gives up is ``C P_{:,i} / √P_ii``.
With it, and with what the chosen columns leave of all others, the gain of every exchange of ``i``
for ``j`` is known.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Int32, Shaped

from jaxlab.checks import check_integer, check_scalar
from jaxlab.leverage._inputs import check_columns
from jaxlab.leverage._pairs import (
    Whitened,
    check_indices,
    check_pair,
    matmul,
    resolution,
    scaled,
    unit_columns,
    whiten,
    whiten_gram,
)
from jaxlab.leverage.greedy import spanned_below
from jaxlab.varying import vary_like

__all__ = ["LocalSearch", "local_search_gcss"]


class LocalSearch(NamedTuple):
    """What :func:`local_search_gcss` finds.

    Attributes:
        columns: the chosen columns, ``[c]``; where one was exchanged, in its place.
        captured: ``‖P_C B‖_F²``.
        swaps: number of exchanges.
        converged: whether no exchange captures more than the tolerance. One that seems to, but
            once made does not, stops the search too: that counts as the end only where it seemed
            to capture no more than ``√eps ‖B‖_F²``, which is rounding.
    """

    columns: Int32[Array, " c"]
    captured: Float[Array, ""]
    swaps: Int32[Array, ""]
    converged: Bool[Array, ""]


class Search(NamedTuple):
    """Columns that a search ended with, the number of its exchanges, and whether none is left."""

    columns: Int32[Array, " c"]
    swaps: Int32[Array, ""]
    converged: Bool[Array, ""]


class _Prospect(NamedTuple):
    """What tells the gain of each exchange, in an orthonormal basis of the chosen columns.

    Attributes:
        white: weights that make the basis of them.
        coordinates: of all columns.
        inside: those of the target.
        cross: ``e_jᵀ B`` for ``e_j = (I − P_C) a_j``.
        square: ``‖e_j‖²``.
    """

    white: Whitened
    coordinates: Float[Array, "c n"]
    inside: Float[Array, "c p"]
    cross: Float[Array, "n p"]
    square: Float[Array, " n"]


def local_search_gcss(
    a: Float[Array, "m n"],
    b: Float[Array, "m p"],
    columns: Int[Array, " c"],
    *,
    rounds: int = 100,
    tol: int | float | Shaped[Array, ""] | None = None,
) -> LocalSearch:
    """Exchange the one column for the one other that lowers ``‖B − P_C B‖_F²`` most, and again.

    Rounding grows with the condition number of the chosen columns at unit length: gains are told
    apart down to some ``eps`` times that number, as a share of ``‖B‖_F²``. A column of which the
    others leave no more than ``4 (c + √m) eps`` of its length counts as spanned: in float32 those
    of an offset above some 1e4 of their spread do. Centre them.

    Args:
        a: columns to choose from, ``[m, n]``.
        b: target, ``[m, p]``.
        columns: different columns to begin with, ``[c]``.
        rounds: at most so many exchanges; static.
        tol: least gain, as a share of ``‖B‖_F²``; ``√eps / 100`` by default.

    Returns:
        Columns and what they capture, which has derivatives for fixed columns. It is never less
        than what those to begin with capture, but for rounding.

    Raises:
        ValueError: matrices as of :func:`~jaxlab.leverage.greedy_gcss`; columns outside of A or
            twice; fewer than one round; ``tol`` negative or no single number.

    Cost:
        ``O(m n (c + p))`` time a round and ``O(m n)`` memory. For ``n <= m`` the search begins on
        ``AᵀA`` and ``AᵀB``, in ``O(m n (n + p))`` once and ``O(c n (c + p))`` a round, and only
        what these do not tell from rounding takes rounds of the former kind: one where columns are
        far from parallel.

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
    b, scale = scaled(b)
    found = search_columns(a, b, columns, rounds=rounds, tol=tol)
    captured = _captured(a, b, found.columns)
    return LocalSearch(found.columns, scale * (scale * captured), found.swaps, found.converged)


def search_columns(
    a: Float[Array, "m n"],
    b: Float[Array, "m p"],
    columns: Int32[Array, " c"],
    *,
    rounds: int,
    tol: Any = None,
) -> Search:
    """:func:`local_search_gcss` without checks, of a target whose squares are finite."""
    a, b = jax.lax.stop_gradient((unit_columns(a), b))
    energy = jnp.sum(b * b)
    begin = Search(columns, jnp.int32(0), jnp.bool_(False))
    if a.shape[1] <= a.shape[0]:  # most exchanges are seen in the Gram matrices, and made there
        rough = search_gram(matmul(a.T, a), matmul(a.T, b), energy, columns, rounds=rounds, tol=tol)
        better = _captured(a, b, rough.columns) > _captured(a, b, columns)
        begin = jax.tree.map(functools.partial(jnp.where, better), rough, begin)

    def look(columns: Array) -> _Prospect:
        basis, white = whiten(a[:, columns])
        coordinates, inside = matmul(basis.T, a), matmul(basis.T, b)
        left = a - matmul(basis, coordinates)
        cross = matmul(left.T, b - matmul(basis, inside))
        return _Prospect(white, coordinates, inside, cross, jnp.sum(left * left, axis=0))

    negligible = jnp.asarray(resolution(a.shape[0], columns.shape[0], a.dtype) ** 2, a.dtype)
    return _search(look, energy, begin, negligible, rounds=rounds, tol=tol)


def search_gram(
    gram: Float[Array, "n n"],
    cross: Float[Array, "n p"],
    energy: Float[Array, ""],
    columns: Int32[Array, " c"],
    *,
    rounds: int,
    tol: Any = None,
) -> Search:
    """Local search from ``AᵀA``, ``AᵀB`` and ``‖B‖_F²``, with the columns scaled to unit length.

    Rounding grows with the square of the condition number: exchanges may be left unmade.
    """
    gram, cross, energy = jax.lax.stop_gradient((gram, cross, energy))
    square = jnp.diagonal(gram)
    there = square > 0
    scale = jnp.where(there, jax.lax.rsqrt(jnp.where(there, square, 1)), 0)
    cross = cross * scale[:, None]

    def look(columns: Array) -> _Prospect:
        rows = gram[columns] * scale * scale[columns][:, None]
        white = whiten_gram(rows[:, columns])
        coordinates = matmul(white.weights.T, rows)
        inside = matmul(white.weights.T, cross[columns])
        squares = jnp.maximum(there - jnp.sum(coordinates * coordinates, axis=0), 0)
        return _Prospect(white, coordinates, inside, cross - matmul(coordinates.T, inside), squares)

    negligible = spanned_below(None, columns.shape[0], gram.dtype)
    begin = Search(columns, jnp.int32(0), jnp.bool_(False))
    return _search(look, energy, begin, negligible, rounds=rounds, tol=tol)


def _captured(a: Array, b: Array, columns: Array) -> Array:
    """``‖P_C B‖_F²``."""
    basis, _ = whiten(a[:, columns])
    return jnp.sum(matmul(basis.T, b) ** 2)


def _given_up(white: Whitened) -> Array:
    """Coordinates of the direction that each chosen column gives up, in the basis of their span."""
    # a column that the others span gives up nothing; null vectors tell which those are
    spanned = jnp.sum((white.weights * white.values) ** 2, axis=1) < 0.999
    squares = jnp.sum(white.weights**2, axis=1)
    length = jnp.where(spanned, 0, jax.lax.rsqrt(jnp.where(spanned, 1, squares)))
    return white.weights * length[:, None]


def _search(
    look: Callable[[Array], _Prospect],
    energy: Array,
    begin: Search,
    negligible: Array,
    *,
    rounds: int,
    tol: Any,
) -> Search:
    """Exchanges by what ``look`` says, for columns of which more than ``negligible`` is left."""
    eps = jnp.finfo(energy.dtype).eps
    least = (0.01 * eps**0.5 if tol is None else tol) * energy

    def best_exchange(columns: Array) -> tuple[Array, Array, Array, Array]:
        """Captured energy, and the exchange that adds most to it."""
        white, coordinates, inside, cross, square = look(columns)
        directions = _given_up(white)
        along, given_up = matmul(directions, coordinates), matmul(directions, inside)
        lost = jnp.sum(given_up * given_up, axis=1)[:, None]
        f = jnp.sum(cross * cross, axis=1) + 2 * along * matmul(given_up, cross.T)
        f = f + along * along * lost
        g = square + along * along
        allowed = (g > negligible).at[:, columns].set(False)
        gain = jnp.where(allowed, f / jnp.where(allowed, g, 1) - lost, -jnp.inf)
        best = jnp.argmax(gain)
        captured = jnp.sum(inside * inside)
        return captured, jnp.max(gain), best // gain.shape[1], best % gain.shape[1]

    def more(state: tuple) -> Array:
        _, _, (gain, _, _), swaps, denied = state
        return (gain > least) & ~denied & (swaps < rounds)

    def exchange(state: tuple) -> tuple:
        columns, captured, (gain, i, j), swaps, _ = state
        new = columns.at[i].set(j.astype(jnp.int32))
        then, *following = best_exchange(new)
        better = then - captured > least
        columns = jnp.where(better, new, columns)
        following = jax.tree.map(
            lambda new, old: jnp.where(better, new, old), tuple(following), (gain, i, j)
        )
        return columns, jnp.where(better, then, captured), following, swaps + better, ~better

    captured, *following = best_exchange(begin.columns)
    state = (begin.columns, captured, tuple(following), begin.swaps, jnp.bool_(False))
    columns, _, (gain, _, _), swaps, denied = jax.lax.while_loop(
        more, exchange, vary_like(state, least)
    )
    converged = (gain <= least) | (denied & (gain <= eps**0.5 * energy))
    return Search(columns, swaps, converged)
