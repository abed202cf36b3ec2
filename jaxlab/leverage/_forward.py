"""Forward selection for two views: one column after the other, for the largest correlation.

With orthonormal bases ``Q_a``, ``Q_b`` of the columns chosen so far, a further column with residual
``e_j`` makes the largest squared correlation that of ``Q_bᵀ Q_a Q_aᵀ Q_b + u uᵀ``, where
``u = Q_bᵀ e_j / ‖e_j‖``: all that is needed are Gram matrices.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from jaxlab.leverage._pairs import matmul
from jaxlab.leverage.greedy import spanned_below
from jaxlab.varying import vary_like

__all__ = ["forward_columns"]


class _Side(NamedTuple):
    """What is known of one view.

    Attributes:
        gram: of its columns at unit length.
        there: which columns are not constant.
        unused: which columns are not chosen.
        columns: those chosen.
        own: ``QᵀA`` with the basis of the columns chosen.
        others: ``QᵀB``.
    """

    gram: Float[Array, "n n"]
    there: Bool[Array, " n"]
    unused: Bool[Array, " n"]
    columns: Int32[Array, " c"]
    own: Float[Array, "c n"]
    others: Float[Array, "c p"]


def forward_columns(
    gram_a: Float[Array, "n n"],
    gram_b: Float[Array, "p p"],
    cross: Float[Array, "n p"],
    *,
    ca: int,
    cb: int,
) -> tuple[Int32[Array, " ca"], Int32[Array, " cb"]]:
    """Columns of two views, added in turn, from ``AᵀA``, ``BᵀB`` and ``AᵀB``."""
    (gram_a, scale_a), (gram_b, scale_b) = _unit(gram_a), _unit(gram_b)
    cross = cross * scale_a[:, None] * scale_b
    first = jnp.max(jnp.abs(cross), axis=1)
    a = _side(gram_a, scale_a > 0, ca, cross.shape[1])
    b = _side(gram_b, scale_b > 0, cb, cross.shape[0])

    def turn(t: Array, state: tuple) -> tuple:
        a, b, product = state  # a view that has all its columns drops what comes beyond
        a, product = _add(t, a, b, product, cross, jnp.where(t == 0, first, 0))
        b, product = _add(t, b, a, product.T, cross.T, jnp.zeros_like(cross[0]))
        return a, b, product.T

    state = vary_like((a, b, jnp.zeros((ca, cb), cross.dtype)), cross)
    a, b, _ = jax.lax.fori_loop(0, max(ca, cb), turn, state)
    return a.columns, b.columns


def _unit(gram: Array) -> tuple[Array, Array]:
    """Gram matrix of columns of unit length, and what they were multiplied by."""
    square = jnp.diagonal(gram)
    scale = jnp.where(square > 0, jax.lax.rsqrt(jnp.where(square > 0, square, 1)), 0)
    return gram * scale[:, None] * scale, scale


def _side(gram: Array, there: Array, c: int, others: int) -> _Side:
    n = gram.shape[0]
    return _Side(
        gram,
        there,
        jnp.ones(n, bool),
        jnp.zeros(c, jnp.int32),
        jnp.zeros((c, n), gram.dtype),
        jnp.zeros((c, others), gram.dtype),
    )


def _add(
    t: Array, one: _Side, two: _Side, product: Array, cross: Array, start: Array
) -> tuple[_Side, Array]:
    """One more column of the first view; ``product`` is ``Q_oneᵀ Q_two``."""
    c = one.columns.shape[0]
    g = jnp.maximum(one.there - jnp.sum(one.own * one.own, axis=0), 0)
    candidate = one.unused & (g > spanned_below(None, c, g.dtype))
    u = (two.others - matmul(product.T, one.own)).T * jax.lax.rsqrt(jnp.where(candidate, g, 1))[
        :, None
    ]
    squares = jnp.linalg.eigvalsh(matmul(product.T, product) + u[:, :, None] * u[:, None, :])
    merit = jnp.where(candidate, squares[:, -1] + start, -jnp.inf)
    found = jnp.any(candidate)
    j = jnp.where(found, jnp.argmax(merit), jnp.argmax(one.unused))
    length = jnp.where(found, jax.lax.rsqrt(jnp.where(found, g[j], 1)), 0)
    own = (one.gram[j] - matmul(one.own[:, j], one.own)) * length
    others = (cross[j] - matmul(one.own[:, j], one.others)) * length
    side = one._replace(
        unused=one.unused.at[j].set(False),
        columns=one.columns.at[t].set(j.astype(jnp.int32)),
        own=one.own.at[t].set(own),
        others=one.others.at[t].set(others),
    )
    return side, product.at[t].set(jnp.where(found, u[j], 0))
