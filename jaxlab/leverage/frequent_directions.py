"""Frequent Directions: a few rows that stand for the Gram matrix of a stream of them."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxlab.checks import check_dtype, check_integer, check_shape
from jaxlab.leverage._inputs import check_matrix, check_precision, check_rank, subset_mask
from jaxlab.leverage.decomposition import svd
from jaxlab.leverage.scores import masked_squares
from jaxlab.leverage.types import FrequentDirections
from jaxlab.varying import vary_like

__all__ = ["fd_init", "fd_merge", "fd_scores", "fd_update"]


def fd_init(l: int, n: int, *, dtype: Any = jnp.float32) -> FrequentDirections:  # noqa: E741
    """A sketch of no rows.

    Args:
        l: rows that are kept when the sketch is full, half of those it has; static.
        n: columns; static.
        dtype: of the sketch, float32 or float64; static.

    Returns:
        All zeros.

    Raises:
        ValueError: sizes below 1, or another dtype.

    Cost:
        2 l n numbers.

    Example:
        >>> fd_init(3, 5).sketch.shape
        (6, 5)
    """
    check_integer("l", l, minimum=1)
    check_integer("n", n, minimum=1)
    check_precision("dtype", dtype)
    zero = jnp.zeros((), dtype)
    return FrequentDirections(jnp.zeros((2 * l, n), dtype), jnp.int32(0), zero, zero)


def fd_update(
    state: FrequentDirections, rows: Float[Array, "m n"], mask: Bool[Array, " m"] | None = None
) -> FrequentDirections:
    """A sketch with more rows.

    Rows are put in ``l`` at a time. When there is no room for so many, singular values shrink,
    ``σ_i² ← max(σ_i² − σ_l², 0)``, which leaves ``l`` rows. For every ``k < l``::

        0  ⪯  AᵀA − SᵀS  ⪯  shrinkage · I,      shrinkage ≤ ‖A − A_k‖_F² / (l − k)

    Args:
        state: sketch of the rows before.
        rows: the rows to add.
        mask: which of them count; all by default.

    Returns:
        Sketch of all rows.

    Raises:
        ValueError: rows that are not 2-D, empty or not finite, or of other columns.

    Cost:
        O(m n l) with ``l ≤ n``: a decomposition of ``2l × n`` for every ``l`` rows.

    Source:
        Liberty 2013, *Simple and deterministic matrix sketching*; Ghashami, Liberty, Phillips,
        Woodruff 2016, theorem 1.1.

    Example:
        >>> state = fd_update(fd_init(1, 2), jnp.array([[2.0, 0.0], [0.0, 1.0], [0.0, 1.0]]))
        >>> float(state.total_energy), float(state.shrinkage)
        (6.0, 1.0)
    """
    check_matrix("rows", rows)
    check_shape("rows", rows, ("m", state.sketch.shape[-1]))
    if mask is not None:
        check_shape("mask", mask, (rows.shape[0],))
        check_dtype("mask", mask, "bool")
    return _update(state, rows, mask)


def fd_merge(one: FrequentDirections, other: FrequentDirections) -> FrequentDirections:
    """A sketch of the rows of two sketches, with the guarantee of one.

    Args:
        one: sketch of some rows.
        other: sketch of other rows, of the same size.

    Returns:
        Sketch of all of them: both stacked, and shrunk to ``l`` rows.

    Raises:
        ValueError: sketches of different sizes.

    Cost:
        One decomposition of ``4l × n``.

    Source:
        Ghashami, Liberty, Phillips, Woodruff 2016, section 1.3 on mergeability.

    Example:
        >>> add = lambda row: fd_update(fd_init(2, 2), jnp.array([row]))
        >>> merged = fd_merge(add([2.0, 0.0]), add([0.0, 1.0]))
        >>> (merged.sketch.T @ merged.sketch).round(4).tolist(), int(merged.filled)
        ([[4.0, 0.0], [0.0, 1.0]], 2)
    """
    check_shape("other.sketch", other.sketch, one.sketch.shape)
    return _merge(one, other)


def fd_scores(state: FrequentDirections, subset: Any) -> Float[Array, " n"]:
    """Leverage scores of columns from a sketch.

    Args:
        state: sketch of the rows of a matrix.
        subset: which right singular vectors of the sketch, as of
            :func:`generalized_leverage_scores`. Only the leading ones are near those of the matrix:
            ``AᵀA`` is known up to ``shrinkage``, so vectors are with ``shrinkage`` well below the
            gaps of ``σ²``.

    Returns:
        A score in [0, 1] for each column.

    Raises:
        ValueError: a subset that is empty, has duplicates or exceeds the numerical rank.

    Cost:
        One decomposition of ``2l × n``.

    Example:
        >>> state = fd_update(fd_init(2, 3), jnp.diag(jnp.array([1.0, 3.0, 2.0])))
        >>> print(fd_scores(state, (0,)).round(4))
        [0. 1. 0.]
    """
    decomposition = svd(state.sketch)
    mask = subset_mask(subset, decomposition.s.shape[-1])
    check_rank(mask, decomposition.rank)
    return masked_squares(decomposition, mask, "columns")


def _shrink(rows: Array, size: int) -> tuple[Array, Array, Array]:
    """At most ``size`` rows, how many of them are not 0, and what came off the squares."""
    _, s, vt = jnp.linalg.svd(rows, full_matrices=False)
    cut = s[size] if s.shape[0] > size else jnp.zeros((), s.dtype)
    # (s − cut)(s + cut): the difference of squares would lose digits
    kept = jnp.sqrt((s - cut) * (s + cut))[:size]
    shrunk = jnp.pad(kept[:, None] * vt[:size], ((0, size - kept.shape[0]), (0, 0)))
    return shrunk, jnp.sum(kept > 0, dtype=jnp.int32), cut * cut


@jax.jit
def _update(state: FrequentDirections, rows: Array, mask: Array | None) -> FrequentDirections:
    twice, n = state.sketch.shape
    size = twice // 2
    m = rows.shape[0]
    rows = rows.astype(state.sketch.dtype)
    mask = jnp.ones(m, bool) if mask is None else mask
    # rows that count come first, in their order
    rows = jnp.where(mask[:, None], rows, 0)[jnp.argsort(~mask, stable=True)]
    blocks = -(-m // size)
    rows = jnp.pad(rows, ((0, blocks * size - m), (0, 0))).reshape(blocks, size, n)
    counts = jnp.clip(jnp.sum(mask, dtype=jnp.int32) - size * jnp.arange(blocks), 0, size)

    def full(sketch: Array, filled: Array) -> tuple[Array, Array, Array]:
        shrunk, kept, cut = _shrink(sketch, size)
        return jnp.pad(shrunk, ((0, size), (0, 0))), kept, cut

    def room(sketch: Array, filled: Array) -> tuple[Array, Array, Array]:
        return sketch, filled, vary_like(jnp.zeros((), sketch.dtype), sketch)

    def insert(
        state: FrequentDirections, block: tuple[Array, Array]
    ) -> tuple[FrequentDirections, None]:
        added, count = block
        sketch, filled, cut = jax.lax.cond(
            state.filled + count > twice, full, room, state.sketch, state.filled
        )
        # a window that would reach beyond the sketch starts earlier; its rows are only added to
        start = jnp.minimum(filled, size)
        window = jnp.roll(added, filled - start, axis=0)
        window = window + jax.lax.dynamic_slice_in_dim(sketch, start, size)
        sketch = jax.lax.dynamic_update_slice_in_dim(sketch, window, start, 0)
        energy = state.total_energy + jnp.sum(added * added)
        return FrequentDirections(sketch, filled + count, energy, state.shrinkage + cut), None

    state = vary_like(state, rows, counts)
    return jax.lax.scan(insert, state, (rows, counts.astype(jnp.int32)))[0]


@jax.jit
def _merge(one: FrequentDirections, other: FrequentDirections) -> FrequentDirections:
    size = one.sketch.shape[0] // 2
    shrunk, kept, cut = _shrink(jnp.concatenate([one.sketch, other.sketch]), size)
    return FrequentDirections(
        jnp.zeros_like(one.sketch).at[:size].set(shrunk),
        kept,
        one.total_energy + other.total_energy,
        one.shrinkage + other.shrinkage + cut,
    )
