"""Greedy column subset selection for a target: at each step the column that captures most of it.

``e_j`` is what is left of column ``j`` outside the span of the columns chosen so far; the best
column is that of largest ``‖Bᵀ e_j‖² / ‖e_j‖²``, by which ``‖P_C B‖_F²`` grows.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32, Shaped

from jaxlab.checks import check_choice, check_scalar
from jaxlab.leverage._inputs import check_columns
from jaxlab.leverage._pairs import check_pair, matmul, scaled, unit_columns
from jaxlab.varying import vary_like

__all__ = ["GreedySelection", "greedy_gcss"]

#: steps after which what is tracked by rank-one updates is computed anew
EXACT_EVERY = 32


class GreedySelection(NamedTuple):
    """What :func:`greedy_gcss` chooses.

    Attributes:
        columns: the chosen columns in order, ``[c]``.
        count: how many were chosen by what they capture; the rest are the lowest unused ones,
            because every column left lies in the span of those chosen.
        captured: ``‖P_C B‖_F²`` of the first 1, 2, … columns, ``[c]``.
    """

    columns: Int32[Array, " c"]
    count: Int32[Array, ""]  # type: ignore[assignment]  # tuple.count is not missed
    captured: Float[Array, " c"]


def greedy_gcss(
    a: Float[Array, "m n"],
    b: Float[Array, "m p"],
    *,
    c: int,
    form: str = "auto",
    tol: int | float | Shaped[Array, ""] | None = None,
) -> GreedySelection:
    """Columns of A, one after the other, each of which captures most of what is left of B.

    ``j_t = argmax_j ‖Bᵀ e_j‖² / ‖e_j‖²,   e_j = (I − P_C) a_j``; ties go to the lowest index.

    Args:
        a: columns to choose from, ``[m, n]``.
        b: target, ``[m, p]``.
        c: number of columns; static.
        form: "gram" tracks ``AᵀA`` and ``AᵀB``, whose rounding errors grow with the square of the
            condition number; "residual" keeps the residual columns ``e_j``; "auto" takes the
            smaller, "gram" for ``n <= m``. Static.
        tol: a column with ``‖e_j‖² ≤ tol ‖a_j‖²`` counts as spanned; ``(64 + c)`` machine
            epsilons by default.

    Returns:
        Columns, how many of them were chosen by merit, and what they capture, which has derivatives
        for fixed columns.

    Raises:
        ValueError: matrices that are not 2-D, empty, not finite or not of the same number of rows;
            ``c`` that is no feasible number of columns; an unknown form; ``tol`` negative or no
            single number.

    Cost:
        Gram form ``O(m n (n + p) + c n (c + p) + c² n p / 32)`` time and ``O(n (n + p + c))``
        memory beside a copy of the matrices, residual form ``O(c m n + m n p)`` and
        ``O(n (m + p))``. Reverse-mode derivatives keep what each step needs, ``O(c n (c + p))`` and
        ``O(c n (m + p))``.

    Source:
        Farahat, Ghodsi, Kamel 2013, *A fast greedy algorithm for generalized column subset
        selection*; Altschuler et al. 2016 for the guarantee.

    Example:
        >>> a = jnp.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
        >>> chosen = greedy_gcss(a, a[:, :2], c=2)
        >>> chosen.columns.tolist(), chosen.captured.tolist()
        ([0, 1], [1.0, 2.0])
    """
    a, b = check_pair(a, b)
    check_columns("c", c, a.shape[1])
    check_choice("form", form, ("auto", "gram", "residual"))
    check_scalar("tol", 0.0 if tol is None else tol, minimum=0)
    return _greedy(a, b, tol, c=c, form=form)


@functools.partial(jax.jit, static_argnames=("c", "form"))
def _greedy(a: Array, b: Array, tol: Array | None, *, c: int, form: str) -> GreedySelection:
    b, scale = scaled(b)
    found = greedy_on_columns(a, b, c=c, form=form, tol=tol)
    return found._replace(captured=scale * (scale * found.captured))


def greedy_on_columns(
    a: Float[Array, "m n"],
    b: Float[Array, "m p"],
    *,
    c: int,
    form: str = "auto",
    tol: Array | None = None,
) -> GreedySelection:
    """:func:`greedy_gcss` without checks, of a target whose squares are finite."""
    if form == "auto":
        form = "gram" if a.shape[1] <= a.shape[0] else "residual"
    a = unit_columns(a)
    if form == "gram":
        return greedy_on_gram(matmul(a.T, a), matmul(a.T, b), c=c, tol=tol)
    return _greedy_on_residual(a, b, c=c, tol=tol)


def spanned_below(tol: Array | None, c: int, dtype: jnp.dtype) -> Array:
    """The share of its square below which a column counts as spanned."""
    return jnp.asarray((64 + c) * jnp.finfo(dtype).eps if tol is None else tol, dtype)


def greedy_on_gram(
    gram: Float[Array, "n n"],
    cross: Float[Array, "n p"],
    *,
    c: int,
    tol: Array | None = None,
) -> GreedySelection:
    """Greedy from ``AᵀA`` and ``AᵀB``, with the columns scaled to unit length."""
    (n, p), dtype = cross.shape, cross.dtype
    tol = spanned_below(tol, c, dtype)
    square = jnp.diagonal(gram)
    there = square > 0
    scale = jnp.where(there, jax.lax.rsqrt(jnp.where(there, square, 1)), 0)
    cross = cross * scale[:, None]

    def step(t: Array, state: tuple) -> tuple:
        f, g, unused, columns, captured, count, rows, targets = state
        candidate = unused & (g > tol)
        found = jnp.any(candidate)
        merit = jnp.where(candidate, f / jnp.where(candidate, g, 1), -jnp.inf)
        j = jnp.where(found, jnp.argmax(merit), jnp.argmax(unused))
        length = jnp.where(found, jax.lax.rsqrt(jnp.where(found, g[j], 1)), 0)
        w = (gram[j] * scale * scale[j] - matmul(rows[:, j], rows)) * length
        v = (cross[j] - matmul(rows[:, j], targets)) * length
        product = matmul(cross, v) - matmul(matmul(targets, v), rows)
        energy = jnp.sum(v * v)
        f = jnp.maximum(f - 2 * w * product + energy * w * w, 0)
        g = jnp.maximum(g - w * w, 0)
        before = jnp.where(t > 0, captured[t - 1], 0)
        return (
            f,
            g,
            unused.at[j].set(False),
            columns.at[t].set(j.astype(jnp.int32)),
            captured.at[t].set(before + energy),
            count + found,
            rows.at[t].set(w),
            targets.at[t].set(v),
        )

    def block(index: Array | int, state: tuple, steps: int = EXACT_EVERY) -> tuple:
        rows, targets = state[-2:]
        left = cross - matmul(rows.T, targets)
        f = jnp.sum(left * left, axis=1)
        g = jnp.maximum(there - jnp.sum(rows * rows, axis=0), 0)
        first = index * EXACT_EVERY
        return jax.lax.fori_loop(0, steps, lambda t, s: step(first + t, s), (f, g, *state[2:]))

    state = (
        jnp.zeros(n, dtype),
        jnp.zeros(n, dtype),
        jnp.ones(n, bool),
        jnp.zeros(c, jnp.int32),
        jnp.zeros(c, dtype),
        jnp.int32(0),
        jnp.zeros((c, n), dtype),
        jnp.zeros((c, p), dtype),
    )
    state = vary_like(state, gram, cross, tol)
    # numbers of steps are static, without which there is no reverse mode
    blocks, rest = divmod(c, EXACT_EVERY)
    if blocks:
        state = jax.lax.fori_loop(0, blocks, block, state)
    if rest:
        state = block(blocks, state, rest)
    return GreedySelection(state[3], state[5], state[4])


def _greedy_on_residual(residual: Array, b: Array, *, c: int, tol: Array | None) -> GreedySelection:
    """Greedy on the residual columns themselves, of unit length at first."""
    n, dtype = residual.shape[1], residual.dtype
    tol = spanned_below(tol, c, dtype)

    def step(t: Array, state: tuple) -> tuple:
        residual, left, unused, columns, captured, count = state
        g = jnp.sum(residual * residual, axis=0)
        candidate = unused & (g > tol)
        found = jnp.any(candidate)
        f = jnp.sum(left * left, axis=1)
        merit = jnp.where(candidate, f / jnp.where(candidate, g, 1), -jnp.inf)
        j = jnp.where(found, jnp.argmax(merit), jnp.argmax(unused))
        length = jnp.where(found, jax.lax.rsqrt(jnp.where(found, g[j], 1)), 0)
        q = residual[:, j] * length
        w, v = matmul(q, residual), left[j] * length
        before = jnp.where(t > 0, captured[t - 1], 0)
        return (
            residual - q[:, None] * w,
            left - w[:, None] * v,
            unused.at[j].set(False),
            columns.at[t].set(j.astype(jnp.int32)),
            captured.at[t].set(before + jnp.sum(v * v)),
            count + found,
        )

    state = (
        residual,
        matmul(residual.T, b),
        jnp.ones(n, bool),
        jnp.zeros(c, jnp.int32),
        jnp.zeros(c, dtype),
        jnp.int32(0),
    )
    state = jax.lax.fori_loop(0, c, step, vary_like(state, tol))
    return GreedySelection(state[3], state[5], state[4])
