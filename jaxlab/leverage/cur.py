"""CUR decomposition: a matrix from some of its own columns and rows."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.checks import check_dtype, check_finite, check_integer, check_shape, require
from jaxlab.leverage._inputs import check_columns, check_matrix
from jaxlab.leverage._pairs import matmul, top, whiten
from jaxlab.leverage.decomposition import svd
from jaxlab.leverage.gcss import check_decomposition
from jaxlab.leverage.types import SVD, Cur

__all__ = ["cur"]


def cur(
    a: Float[Array, "m n"],
    c: int,
    r: int,
    *,
    k: int | None = None,
    column_scores: Float[Array, " n"] | None = None,
    row_scores: Float[Array, " m"] | None = None,
    decomposition: SVD | None = None,
) -> Cur:
    """``A ≈ C U R`` with ``c`` columns and ``r`` rows of A and ``U = C⁺ A R⁺``, the best there is.

    Columns and rows are those of the largest scores; by default the leverage scores of the ``k``
    leading singular vectors. Where chosen columns or rows depend on each other, ``U`` is made with
    the pseudo-inverses of them at unit length; ``C U R`` is the same. Derivatives are those of
    changes that keep the chosen columns and rows, and their rank.

    Args:
        a: the matrix, ``[m, n]``.
        c: number of columns; static.
        r: number of rows; static.
        k: number of leading singular vectors, ``min(c, r, m, n)`` by default; static.
        column_scores: others to choose columns by, ``[n]``.
        row_scores: others to choose rows by, ``[m]``.
        decomposition: of A, where it is known.

    Returns:
        The three factors and the chosen columns and rows.

    Raises:
        ValueError: a matrix that is not 2-D, empty or not finite; ``c``, ``r`` or ``k`` out of
            range; scores that are not floating, not finite or of another shape; a decomposition
            that does not fit.

    Cost:
        The decomposition, where it is needed, and ``O(m n (c + r))``.

    Source:
        Mahoney, Drineas 2009, *CUR matrix decompositions for improved data analysis*.

    Example:
        >>> a = jnp.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]])
        >>> found = cur(a, 1, 1)
        >>> (found.c @ found.u @ found.r).round(4).tolist()
        [[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]]
    """
    check_matrix("a", a)
    m, n = a.shape
    check_columns("c", c, n)
    check_columns("r", r, m, what="rows")
    k = min(c, r, m, n) if k is None else k
    check_integer("k", k, minimum=1)
    for name, scores, size in (("column", column_scores, n), ("row", row_scores, m)):
        if scores is not None:
            check_shape(f"{name}_scores", scores, (size,))
            check_dtype(f"{name}_scores", scores, "floating")
            check_finite(f"{name}_scores", scores)
    if column_scores is None or row_scores is None:
        decomposition = svd(a) if decomposition is None else decomposition
        check_decomposition(decomposition, a)
        most = decomposition.s.shape[0]
        require(k <= most, "k", k, f"at most the number of singular vectors, {most}")
    return _cur(jnp.asarray(a), column_scores, row_scores, decomposition, c, r, k)


@functools.partial(jax.jit, static_argnames=("c", "r", "k"))
def _cur(
    a: Array,
    column_scores: Array | None,
    row_scores: Array | None,
    decomposition: SVD | None,
    c: int,
    r: int,
    k: int,
) -> Cur:
    if column_scores is None:
        assert decomposition is not None
        column_scores = jnp.sum(decomposition.vt[:k] ** 2, axis=0)
    if row_scores is None:
        assert decomposition is not None
        row_scores = jnp.sum(decomposition.u[:, :k] ** 2, axis=1)
    columns, rows = top(column_scores, c), top(row_scores, r)
    chosen_columns, chosen_rows = a[:, columns], a[rows]
    basis, white = whiten(chosen_columns)
    across, white_across = whiten(chosen_rows.T)
    core = matmul(matmul(basis.T, a), across)
    u = matmul(matmul(white.weights, core), white_across.weights.T)
    return Cur(chosen_columns, u, chosen_rows, columns, rows)
