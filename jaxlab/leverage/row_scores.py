"""Leverage scores of the rows of a tall matrix, exact or from a sketch."""

import functools
import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxlab.checks import check_choice, check_integer, check_key, require
from jaxlab.leverage._inputs import check_matrix
from jaxlab.leverage._pairs import matmul
from jaxlab.leverage.decomposition import decompose, default_rtol, orthonormal_basis
from jaxlab.leverage.scores import row_squares

__all__ = ["row_leverage_scores"]

METHODS = ("qr", "sketch")
#: rows of the sketch that each row of the matrix goes to
BLOCKS = 4


def row_leverage_scores(
    a: Float[Array, "m n"],
    *,
    method: str = "qr",
    key: Key[Array, ""] | None = None,
    sketch_size: int | None = None,
    projections: int | None = None,
) -> Float[Array, " m"]:
    """Leverage scores of rows with respect to all of the column space.

    ``ℓ_i = a_iᵀ (AᵀA)⁺ a_i = ‖Q_i‖²`` for an orthonormal basis ``Q`` of the columns. From a sketch:
    ``SA`` adds each row, with random signs, to four of ``s`` rows; with ``SA = W T Zᵀ`` of rank ρ,
    ``ℓ_i ≈ (1 − ρ/s) ‖a_iᵀ Z T⁺ Γ‖²``, where ``Γ`` is Gaussian, or the identity when it would not
    be narrower.

    Args:
        a: the matrix, usually with many more rows than columns.
        method: ``"qr"``, exact and with derivatives, or ``"sketch"``; static.
        key: PRNG key, for ``"sketch"`` only.
        sketch_size: ``s``, more than ``n``; ``20 n`` by default, and the exact method where that
            is no less than the number of rows; static.
        projections: columns of ``Γ``; by default ``⌈200 ln m⌉``, for a relative error of 0.2 of
            all rows at once; static.

    Returns:
        A score in [0, 1] for each row; they sum to the rank. From a sketch the standard error of a
        score is about ``√(2 / (s − ρ))`` of it, to which ``Γ`` adds, and that of their sum no more.

    Raises:
        ValueError: an unknown method; ``"sketch"`` without a key; ``sketch_size`` not above ``n``;
            ``a`` not 2-D, empty or not finite.

    Cost:
        O(m n²), of which the sketch leaves O(m n min(n, projections)), one pass and the memory of
        one copy.

    Source:
        Drineas, Magdon-Ismail, Mahoney, Woodruff 2012, *Fast approximation of matrix coherence and
        statistical leverage*; Nelson, Nguyên 2013 for the sparse sketch.

    Example:
        >>> print(row_leverage_scores(jnp.array([[2.0], [0.0], [2.0]])).round(4))
        [0.5 0.  0.5]
    """
    check_matrix("a", a)
    check_choice("method", method, METHODS)
    m, n = a.shape
    if method == "sketch":
        require(key is not None, "key", key, 'a PRNG key for method="sketch"')
        check_key("key", key)
        if sketch_size is None:
            sketch_size = 20 * n
            if sketch_size >= m:
                method = "qr"
        check_integer("sketch_size", sketch_size, minimum=n + 1)
        if projections is None:
            projections = max(math.ceil(200 * math.log(m)), 1)
        check_integer("projections", projections, minimum=1)
    if method == "qr":
        basis, _ = orthonormal_basis(a)
        return row_squares(basis)
    assert sketch_size is not None
    assert projections is not None
    return _sketched(key, a, -(-sketch_size // BLOCKS) * BLOCKS, min(projections, n))


@functools.partial(jax.jit, static_argnames=("size", "projections"))
def _sketched(key: Array, a: Array, size: int, projections: int) -> Array:
    m, n = a.shape
    key_rows, key_signs, key_project = jax.random.split(key, 3)
    height = size // BLOCKS
    rows = jax.random.randint(key_rows, (BLOCKS, m), 0, height)
    signs = jax.random.rademacher(key_signs, (BLOCKS, m), a.dtype)

    def block(args: tuple[Array, Array]) -> Array:
        row, sign = args
        return jnp.zeros((height, n), a.dtype).at[row].add(sign[:, None] * a)

    # a loop, so that only one signed copy of the matrix is held
    sketch = jax.lax.map(block, (rows, signs)).reshape(size, n) / math.sqrt(BLOCKS)
    # what the matrix itself tells from rounding: the sketch is shorter, and has its errors
    rtol = default_rtol(a.shape, a.dtype, "qr")
    _, s, vt, rank = decompose(sketch, rtol, "qr", None)
    whiten = vt.T / jnp.where(s > 0, s, 1)
    if projections < n:
        gaussian = jax.random.normal(key_project, (whiten.shape[1], projections), a.dtype)
        whiten = matmul(whiten, gaussian) / math.sqrt(projections)
    whitened = matmul(a, whiten)
    # E W⁻¹ = I / (1 − ρ/s) of the sketched Gram matrix W of an orthonormal basis, to lower order
    share = 1 - rank.astype(a.dtype) / size
    return jnp.clip(share * jnp.sum(whitened * whitened, axis=1), 0, 1)
