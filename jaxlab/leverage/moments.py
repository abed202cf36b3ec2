"""First and second moments of two views in one pass, accurate when means are large.

Rows come in batches, and devices have some each; what stays is of the size of the columns. Moments
are centred throughout: a batch around its own mean, and two sets of rows joined with what their
means differ, as Chan, Golub and LeVeque do. Nothing large is ever subtracted.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxlab.checks import check_dtype, check_integer, check_shape, require
from jaxlab.leverage._inputs import check_matrix, check_precision
from jaxlab.leverage._pairs import centred, matmul
from jaxlab.leverage.types import Moments

__all__ = ["moments_init", "moments_merge", "moments_psum", "moments_update"]


def moments_init(n: int, p: int, *, dtype: Any = jnp.float32) -> Moments:
    """Moments of no rows.

    Args:
        n: columns of the first view; static.
        p: columns of the second view; static.
        dtype: of sums and means, float32 or float64; static.

    Returns:
        All zeros.

    Raises:
        ValueError: sizes below 1, or another dtype.

    Cost:
        O((n + p)²) memory.

    Example:
        >>> moments_init(3, 2).cab.shape
        (3, 2)
    """
    check_integer("n", n, minimum=1)
    check_integer("p", p, minimum=1)
    check_precision("dtype", dtype)
    return Moments(
        jnp.int32(0),
        jnp.zeros(n, dtype),
        jnp.zeros(p, dtype),
        jnp.zeros((n, n), dtype),
        jnp.zeros((p, p), dtype),
        jnp.zeros((n, p), dtype),
    )


def moments_update(
    state: Moments,
    a: Float[Array, "m n"],
    b: Float[Array, "m p"],
    mask: Bool[Array, " m"] | None = None,
) -> Moments:
    """Moments with a batch of rows more.

    ``C ← C + C_batch + (N M / (N + M)) Δ Δᵀ`` with ``N`` rows before, ``M`` in the batch, and the
    difference ``Δ`` of their means.

    Sums are rounded with every batch. In float32, and after thousands of batches, that may be more
    than bounds found from moments allow for: keep a float64 state then, or join moments of fewer
    batches each with :func:`moments_merge`, in a tree.

    Args:
        state: moments of the rows before.
        a: rows of the first view.
        b: the same rows of the second view.
        mask: which rows count; all by default. Others may hold anything finite.

    Returns:
        Moments of all rows. The count is int32: at most 2³¹ − 1 rows.

    Raises:
        ValueError: views that do not fit the state, not 2-D, empty or not finite; not the same
            number of rows.

    Cost:
        O(m (n + p)²), in the highest matmul precision; two passes over the batch.

    Source:
        Chan, Golub, LeVeque 1983, *Algorithms for computing the sample variance*.

    Example:
        >>> state = moments_update(moments_init(1, 1), jnp.array([[1.0], [3.0]]), jnp.ones((2, 1)))
        >>> state.mean_a.tolist(), state.caa.tolist(), state.cab.tolist()
        ([2.0], [[2.0]], [[0.0]])
    """
    check_matrix("a", a)
    check_matrix("b", b)
    require(a.shape[0] == b.shape[0], "b", b, f"the same number of rows as a, {a.shape[0]}")
    check_shape("a", a, ("m", state.mean_a.shape[-1]))
    check_shape("b", b, ("m", state.mean_b.shape[-1]))
    if mask is not None:
        check_shape("mask", mask, (a.shape[0],))
        check_dtype("mask", mask, "bool")
    return _update(state, a, b, mask)


def moments_merge(one: Moments, other: Moments) -> Moments:
    """Moments of two sets of rows together.

    Associative and commutative up to rounding: sets may be joined in any order, or in a tree.

    Args:
        one: moments of some rows.
        other: moments of other rows.

    Returns:
        Moments of all of them.

    Raises:
        ValueError: moments of different columns.

    Cost:
        O((n + p)²).

    Source:
        Chan, Golub, LeVeque 1983.

    Example:
        >>> update = lambda x: moments_update(
        ...     moments_init(1, 1), jnp.array([[x]]), jnp.ones((1, 1))
        ... )
        >>> moments_merge(update(1.0), update(3.0)).caa.tolist()
        [[2.0]]
    """
    check_shape("other.cab", other.cab, one.cab.shape)
    return _merge(one, other)


def moments_psum(state: Moments, axis_name: str) -> Moments:
    """Moments of the rows of all devices, inside of ``jax.shard_map`` or ``jax.vmap``.

    Args:
        state: moments of this device's rows.
        axis_name: axis over which rows are spread.

    Returns:
        Moments of all rows, the same on every device.

    Cost:
        Four all-reduces, of O((n + p)²) numbers.

    Example:
        >>> rows = jnp.array([[[1.0]], [[3.0]]])
        >>> def local(a):
        ...     return moments_psum(moments_update(moments_init(1, 1), a, a), "data")
        >>> jax.vmap(local, axis_name="data")(rows).mean_a.tolist()
        [[2.0], [2.0]]
    """
    return _psum(state, axis_name)


@functools.partial(jax.jit, static_argnames=("axis_name",))
def _psum(state: Moments, axis_name: str) -> Moments:
    dtype = state.mean_a.dtype
    total = functools.partial(jax.lax.psum, axis_name=axis_name)
    count = total(state.count)
    rows = state.count.astype(dtype)
    share = rows / jnp.maximum(count, 1).astype(dtype)
    means = jnp.concatenate([state.mean_a, state.mean_b])
    # around one of the means rather than 0, so that nothing large is summed; results are the same
    # around any number, which is why this one needs no derivative
    fixed = jax.lax.stop_gradient(means)
    pivot = jax.lax.pmax(jnp.where(state.count > 0, fixed, -jnp.inf), axis_name)
    pivot = jnp.where(count > 0, pivot, 0)
    mean = pivot + total(share * jnp.where(state.count > 0, means - pivot, 0))
    apart = jnp.where(state.count > 0, means - mean, 0)
    delta_a, delta_b = apart[: state.mean_a.shape[0]], apart[state.mean_a.shape[0] :]
    caa, cbb, cab = total(
        (
            state.caa + rows * jnp.outer(delta_a, delta_a),
            state.cbb + rows * jnp.outer(delta_b, delta_b),
            state.cab + rows * jnp.outer(delta_a, delta_b),
        )
    )
    n = state.mean_a.shape[0]
    return Moments(count, mean[:n], mean[n:], caa, cbb, cab)


@jax.jit
def _update(state: Moments, a: Array, b: Array, mask: Array | None) -> Moments:
    dtype = state.mean_a.dtype
    m, n = a.shape
    mask = jnp.ones(m, bool) if mask is None else mask
    rows, mean = centred(jnp.concatenate([a, b], axis=1).astype(dtype), mask)
    count = jnp.sum(mask, dtype=jnp.int32)
    scatter = matmul(rows.T, rows)
    batch = Moments(count, mean[:n], mean[n:], scatter[:n, :n], scatter[n:, n:], scatter[:n, n:])
    return _merge(state, batch)


@jax.jit
def _merge(one: Moments, other: Moments) -> Moments:
    dtype = one.mean_a.dtype
    count = one.count + other.count
    total = jnp.maximum(count, 1).astype(dtype)
    share = other.count.astype(dtype) / total
    weight = one.count.astype(dtype) * share
    delta_a, delta_b = other.mean_a - one.mean_a, other.mean_b - one.mean_b
    # what a batch adds is added up first: alone, the smaller part would be lost in a large sum
    return Moments(
        count,
        one.mean_a + share * delta_a,
        one.mean_b + share * delta_b,
        one.caa + (other.caa + weight * jnp.outer(delta_a, delta_a)),
        one.cbb + (other.cbb + weight * jnp.outer(delta_b, delta_b)),
        one.cab + (other.cab + weight * jnp.outer(delta_a, delta_b)),
    )
