"""QR with column pivoting: the column that is farthest from the span of those before comes next."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

from jaxlab.checks import check_integer, require
from jaxlab.leverage._inputs import check_matrix
from jaxlab.leverage._pairs import matmul
from jaxlab.varying import vary_like

__all__ = ["pivoted_qr"]


def pivoted_qr(
    a: Float[Array, "m n"], k: int
) -> tuple[Float[Array, "m k"], Float[Array, "k n"], Int32[Array, " k"]]:
    """The first ``k`` steps of QR with column pivoting.

    ``A ≈ Q R``, equal on the pivots; each is the column of largest norm after projecting out the
    pivots before it.

    Args:
        a: the matrix.
        k: number of steps; static.

    Returns:
        ``Q`` with orthonormal columns; ``R = Qᵀ A`` with its columns in the order of ``A``, so that
        ``R[:, pivots]`` is upper triangular with a positive, descending diagonal; the pivots. Once
        all columns are in the span, columns of ``Q`` and rows of ``R`` are 0, and the least indices
        left are taken.

    Raises:
        ValueError: ``a`` not 2-D, empty or not finite; ``k`` outside of 1 to ``min(m, n)``.

    Cost:
        O(m n k) time, and as much again for each step at which norms are computed anew, as columns
        that are nearly duplicates make it, and always under ``vmap``; O((m + n) k) memory beside
        the matrix.

    Source:
        Businger, Golub 1965; Gram-Schmidt with reorthogonalisation in the place of reflections;
        norms are down-dated as in LAPACK (Drmač, Bujanović 2008) and recomputed once too few digits
        are left.

    Example:
        >>> q, r, pivots = pivoted_qr(jnp.array([[1.0, 0.0, 3.0], [0.0, 2.0, 0.0]]), 2)
        >>> pivots.tolist(), jnp.diagonal(r[:, pivots]).tolist()
        ([2, 1], [3.0, 2.0])
    """
    check_matrix("a", a)
    check_integer("k", k, minimum=1)
    smaller = min(a.shape)
    require(k <= smaller, "k", k, f"a number of columns of at most min(m, n) = {smaller}")
    return _pivoted_qr(a, k)


@functools.partial(jax.jit, static_argnames=("k",))
def _pivoted_qr(a: Array, k: int) -> tuple[Array, Array, Array]:
    m, n = a.shape
    eps = jnp.finfo(a.dtype).eps
    # so that squares neither overflow nor vanish
    scale = jnp.max(jnp.abs(a))
    a = a / jnp.where(scale > 0, scale, 1)

    def squares(q: Array, r: Array) -> Array:
        residual = a - matmul(q, r)
        return jnp.sum(residual * residual, axis=0)

    exact = jnp.sum(a * a, axis=0)
    # of a column in the span, rounding leaves that part of its own length
    negligible = (4 * (k + m**0.5) * eps) ** 2 * exact

    def step(t: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
        q, r, pivots, norms, reference, free = state
        # what is left in the span is rounding: equal, so that the least index comes first
        left = jnp.where(norms > negligible, norms, 0)
        pivot = jnp.argmax(jnp.where(free, left, -1)).astype(jnp.int32)
        column = a[:, pivot] - matmul(q, r[:, pivot])
        column = column - matmul(q, matmul(column, q))
        length = jnp.linalg.norm(column)
        fits = length * length > negligible[pivot]
        unit = jnp.where(fits, column / jnp.where(fits, length, 1), 0)
        free = free.at[pivot].set(False)
        # earlier pivots lie in the span already: what remains of them is rounding
        row = jnp.where(free, matmul(unit, a), 0).at[pivot].set(jnp.where(fits, length, 0))
        q, r = q.at[:, t].set(unit), r.at[t].set(row)
        norms = jnp.maximum(norms - row * row, 0)
        stale = free & (norms < jnp.sqrt(eps) * reference) & (reference > negligible)
        fresh = jax.lax.cond(jnp.any(stale), squares, lambda q, r: norms, q, r)
        norms = jnp.where(stale, fresh, norms)
        reference = jnp.where(stale, fresh, reference)
        return q, r, pivots.at[t].set(pivot), norms, reference, free

    state = (
        jnp.zeros((m, k), a.dtype),
        jnp.zeros((k, n), a.dtype),
        jnp.zeros(k, jnp.int32),
        exact,
        exact,
        jnp.ones(n, bool),
    )
    q, r, pivots, *_ = jax.lax.fori_loop(0, k, step, vary_like(state, a))
    return q, r * scale, pivots
