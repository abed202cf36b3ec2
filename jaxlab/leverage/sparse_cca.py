"""Sparse canonical correlation analysis: few columns of two views that correlate."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from jaxlab.checks import check_bool, check_choice, check_integer, check_scalar, require
from jaxlab.leverage._choice import (
    Spectrum,
    error_norm,
    largest_beyond,
    largest_sine,
    mask_of,
    missed_shares,
    rows_of,
)
from jaxlab.leverage._forward import forward_columns
from jaxlab.leverage._inputs import check_columns, check_rank, subset_array, subset_mask
from jaxlab.leverage._pairs import centred_columns, check_pair, matmul, top, unit_columns
from jaxlab.leverage.cca import cca_on_columns
from jaxlab.leverage.decomposition import orthonormal_basis, svd
from jaxlab.leverage.types import SVD, SparseCca
from jaxlab.varying import vary_like

__all__ = ["sparse_cca"]

METHODS = ("leverage", "subspace", "forward", "threshold")

SUBSETS = ("subset_a", "subset_b")

#: rounds of the alternating choice of singular vectors
ALTERNATIONS = 50


class Views(NamedTuple):
    """Two centred views, as far as a choice of columns needs to know them.

    Attributes:
        a: decomposition of A.
        b: decomposition of B.
        product: ``UᵀW``, of the left singular vectors of both.
        grams: makes ``AᵀA``, ``BᵀB`` and ``AᵀB``.
    """

    a: Spectrum
    b: Spectrum
    product: Float[Array, "ra rb"]
    grams: Callable[[], tuple[Array, Array, Array]]


class Chosen(NamedTuple):
    """Columns of two views, the singular vectors that led to them, and the bound on angles."""

    columns_a: Int32[Array, " ca"]
    columns_b: Int32[Array, " cb"]
    subset_a: Bool[Array, " ra"]
    subset_b: Bool[Array, " rb"]
    bound: Float[Array, " q"]


def sparse_cca(
    a: Float[Array, "m n"],
    b: Float[Array, "m p"],
    *,
    ca: int,
    cb: int,
    k: int | None = None,
    method: str = "leverage",
    subset_a: Any = None,
    subset_b: Any = None,
    center: bool = True,
    rtol: Any = 1e-3,
    ridge: Any = 0.0,
) -> SparseCca:
    """``ca`` columns of A and ``cb`` of B with highly correlated combinations.

    With ``A = U Σ Vᵀ``, ``B = W T Xᵀ`` and ``K = UᵀW``, restricted to ``σ > rtol σ_0``:

    =========== ====================================================================================
    "leverage"  ``k`` singular vectors of each view with a large ``‖K[R_a, R_b]‖_F``, chosen in turn
                from the largest entry on; the columns of largest scores
    "subspace"  scores of the span of the weights ``V Σ⁻¹ P`` of the ``k`` leading canonical pairs,
                ``K = P S Qᵀ``
    "forward"   columns added in turn, each for the largest first correlation
    "threshold" the largest ``‖a_j‖ ‖weights_j‖`` of the ``k`` leading canonical pairs
    =========== ====================================================================================

    and then exact canonical correlation analysis of the chosen columns. For any columns
    ``θ_j(A_S, B_S) ≤ θ_j(U_R, W_R) + θ_max(A_S, U_R) + θ_max(B_S, W_R)`` (P10), where P2 and P3
    bound the last two.

    Derivatives are those of :func:`~jaxlab.leverage.cca` of the chosen columns: of the correlations
    alone.

    Args:
        a: first view, ``[m, n]``.
        b: second view, ``[m, p]``.
        ca: number of columns of the first view; static.
        cb: number of columns of the second view; static.
        k: number of singular vectors or canonical pairs, by default that of the subsets or 1;
            static.
        method: one of the table; static.
        subset_a: ``R_a`` itself, ``k`` indices, static or an array; with ``subset_b``. Not for
            "subspace", which has none; "forward" and "threshold" choose columns without it, and it
            only changes their bound. Under ``jit``, indices that name no vector count for nothing.
        subset_b: ``R_b`` itself.
        center: subtract the mean of every column, which makes those of a single value 0; static.
        rtol: singular vectors with ``σ ≤ rtol σ_0`` are taken for noise.
        ridge: of the final analysis, see :func:`~jaxlab.leverage.cca`.

    Returns:
        Columns, correlations (``min(ca, cb)`` of them), loadings, the singular vectors used and the
        bound on the canonical angles, ``π/2`` beyond the ``k``-th.

    Raises:
        ValueError: matrices that are not 2-D, empty, not finite or not of the same number of rows;
            ``ca``, ``cb`` or ``k`` out of range; an unknown method; negative ``rtol`` or ``ridge``;
            one subset without the other, with duplicates, that exceeds the numerical rank, or for
            "subspace".

    Cost:
        Two decompositions and ``O(ra rb)`` a round; "forward" ``O(m (n + p)²)`` and
        ``O(c⁴ (n + p))``.

    Source:
        Ordozgoiti, Matakos, Gionis 2022, sparse canonical correlation analysis.

    Example:
        >>> a = jnp.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0], [0.0, -2.0]])
        >>> found = sparse_cca(a, a[:, :1], ca=1, cb=1)
        >>> found.columns_a.tolist(), found.columns_b.tolist()
        ([0], [0])
    """
    a, b = check_pair(a, b)
    sizes = (min(a.shape), min(b.shape))
    k, subset_a, subset_b = check_choice_of_columns(
        ca, cb, k, method, subset_a, subset_b, (a.shape[1], b.shape[1]), sizes
    )
    check_scalar("rtol", rtol, minimum=0)
    check_scalar("ridge", ridge, minimum=0)
    check_bool("center", center)
    a, b, of_a, of_b = _decomposed(a, b, center=center)
    check_ranks((subset_a, subset_b), sizes, (of_a.rank, of_b.rank))
    chosen = _choose(a, b, of_a, of_b, subset_a, subset_b, rtol, ca, cb, k, method)
    return _analysed(a, b, chosen, ridge)


def check_choice_of_columns(
    ca: int,
    cb: int,
    k: int | None,
    method: str,
    subset_a: Any,
    subset_b: Any,
    columns: tuple[int, int],
    sizes: tuple[int, int],
) -> tuple[int, Array | None, Array | None]:
    """Refuse sizes out of range, an unknown method, and subsets that are none; ``k`` too."""
    check_columns("ca", ca, columns[0])
    check_columns("cb", cb, columns[1])
    check_choice("method", method, METHODS)
    both = (subset_a is None) == (subset_b is None)
    require(both, "subset_a, subset_b", (subset_a, subset_b), "both or neither")
    if subset_a is None:
        k = 1 if k is None else k
        check_integer("k", k, minimum=1)
        require(k <= min(sizes), "k", k, f"at most the number of singular vectors, {min(sizes)}")
        return k, None, None
    allowed = method != "subspace"
    require(allowed, "subset_a, subset_b", (subset_a, subset_b), 'None with method="subspace"')
    subsets = []
    for name, subset, size in zip(SUBSETS, (subset_a, subset_b), sizes, strict=True):
        subset = subset_array(subset)
        subset_mask(subset, size, name=name)
        require(subset.dtype != bool, name, subset, "indices")
        k = subset.shape[0] if k is None else k
        require(subset.shape == (k,), name, subset, f"k = {k} indices")
        subsets.append(jnp.asarray(subset, jnp.int32))
    assert k is not None
    return k, subsets[0], subsets[1]


def check_ranks(
    subsets: tuple[Array | None, Array | None], sizes: tuple[int, int], ranks: tuple[Array, Array]
) -> None:
    """Refuse subsets of either view that exceed its numerical rank."""
    for name, subset, size, rank in zip(SUBSETS, subsets, sizes, ranks, strict=True):
        if subset is not None:
            check_rank(subset_mask(subset, size, name=name), rank, name=name)


# The decompositions, the choice and the analysis are three programs: methods share two of them.


@functools.partial(jax.jit, static_argnames=("center",))
def _decomposed(a: Array, b: Array, *, center: bool) -> tuple[Array, Array, SVD, SVD]:
    if center:
        a, b = centred_columns(a), centred_columns(b)
    return a, b, svd(jax.lax.stop_gradient(a)), svd(jax.lax.stop_gradient(b))


@functools.partial(jax.jit, static_argnames=("ca", "cb", "k", "method"))
def _choose(
    a: Array,
    b: Array,
    of_a: SVD,
    of_b: SVD,
    subset_a: Array | None,
    subset_b: Array | None,
    rtol: Any,
    ca: int,
    cb: int,
    k: int,
    method: str,
) -> Chosen:
    # neither columns nor angles depend on lengths, whose squares may overflow
    a, b = jax.lax.stop_gradient(a), jax.lax.stop_gradient(b)
    spectrum_a, spectrum_b = _relative(of_a, a), _relative(of_b, b)
    a, b = unit_columns(a), unit_columns(b)
    views = Views(
        spectrum_a,
        spectrum_b,
        matmul(of_a.u.T, of_b.u),
        lambda: (matmul(a.T, a), matmul(b.T, b), matmul(a.T, b)),
    )
    return choose_columns(views, subset_a, subset_b, rtol, ca=ca, cb=cb, k=k, method=method)


@jax.jit
def _analysed(a: Array, b: Array, chosen: Chosen, ridge: Any) -> SparseCca:
    columns_a, columns_b, subset_a, subset_b, bound = chosen
    q = min(columns_a.shape[0], columns_b.shape[0])
    found = cca_on_columns(a[:, columns_a], b[:, columns_b], ridge, q=q)
    return SparseCca(columns_a, columns_b, *found, subset_a, subset_b, bound)


def choose_columns(
    views: Views,
    subset_a: Array | None,
    subset_b: Array | None,
    rtol: Any,
    *,
    ca: int,
    cb: int,
    k: int,
    method: str,
) -> Chosen:
    """Columns of both views, and the bound on what angles they can have."""
    (s_a, vt_a, root_a, _, doubt_a), (s_b, vt_b, root_b, _, doubt_b) = views.a, views.b
    allowed_a, allowed_b = s_a > rtol * s_a[0], s_b > rtol * s_b[0]
    product = jnp.where(allowed_a[:, None] & allowed_b, views.product, 0)
    if method in ("subspace", "threshold"):
        p, cosines, qt = jnp.linalg.svd(product, full_matrices=False)
        weights_a = matmul(_inverse_rows(s_a, vt_a, allowed_a), p[:, :k])
        weights_b = matmul(_inverse_rows(s_b, vt_b, allowed_b), qt[:k].T)
    if method == "subspace":
        columns_a = top(jnp.sum(orthonormal_basis(weights_a)[0] ** 2, axis=1), ca)
        columns_b = top(jnp.sum(orthonormal_basis(weights_b)[0] ** 2, axis=1), cb)
        sine_a = error_norm(root_a, weights_a, mask_of(columns_a, root_a.shape[1]), doubt_a)
        sine_b = error_norm(root_b, weights_b, mask_of(columns_b, root_b.shape[1]), doubt_b)
        squares = doubt_a * jnp.sum(weights_a**2) + doubt_b * jnp.sum(weights_b**2)
        mask_a, mask_b, cosines = allowed_a, allowed_b, cosines[:k]
    else:
        if subset_a is None or subset_b is None:
            subset_a, subset_b = alternating_subsets(product, allowed_a, allowed_b, k)
        there_a, there_b = rows_of(allowed_a, subset_a), rows_of(allowed_b, subset_b)
        mask_a = subset_mask(subset_a, allowed_a.shape[0]) & allowed_a
        mask_b = subset_mask(subset_b, allowed_b.shape[0]) & allowed_b
        cosines = jnp.linalg.svd(
            rows_of(rows_of(product, subset_a).T, subset_b).T,
            full_matrices=False,
            compute_uv=False,
        )
        if method == "leverage":
            columns_a = top(jnp.sum(jnp.where(mask_a[:, None], vt_a**2, 0), axis=0), ca)
            columns_b = top(jnp.sum(jnp.where(mask_b[:, None], vt_b**2, 0), axis=0), cb)
        elif method == "threshold":
            columns_a = top(_squares(s_a, vt_a) * jnp.sum(weights_a**2, axis=1), ca)
            columns_b = top(_squares(s_b, vt_b) * jnp.sum(weights_b**2, axis=1), cb)
        else:
            columns_a, columns_b = forward_columns(*views.grams(), ca=ca, cb=cb)
        chosen_a = mask_of(columns_a, root_a.shape[1])
        chosen_b = mask_of(columns_b, root_b.shape[1])
        sine_a = largest_sine(views.a, subset_a, there_a, chosen_a)
        sine_b = largest_sine(views.b, subset_b, there_b, chosen_b)
        least_a = jnp.min(jnp.where(mask_a, s_a, jnp.inf))
        least_b = jnp.min(jnp.where(mask_b, s_b, jnp.inf))
        squares = doubt_a / least_a**2 + doubt_b / least_b**2
    # from moments U_R and W_R are unit vectors up to these in the squares, and cosines up to half
    angles = jnp.arccos(jnp.clip(jnp.clip(cosines, 0, 1) - squares / 2, 0, 1))
    angles += jnp.arcsin(jnp.minimum(sine_a, 1)) + jnp.arcsin(jnp.minimum(sine_b, 1))
    q = min(ca, cb)
    right = jnp.full(max(q - k, 0), jnp.pi / 2, angles.dtype)
    bound = jnp.minimum(jnp.concatenate([angles[:q], right]), jnp.pi / 2)
    return Chosen(columns_a, columns_b, mask_a, mask_b, bound)


def alternating_subsets(
    product: Float[Array, "ra rb"],
    allowed_a: Bool[Array, " ra"],
    allowed_b: Bool[Array, " rb"],
    k: int,
) -> tuple[Int32[Array, " k"], Int32[Array, " k"]]:
    """``k`` rows and ``k`` columns of ``K`` with much of ``‖K‖_F``.

    From the row of the largest entry: the ``k`` columns with most in these rows, the ``k`` rows
    with most in these columns, and so on until both repeat. ``‖K[R_a, R_b]‖_F`` never decreases
    from the first full round on; for ``k = 1`` the entry is the largest.
    """
    squares = product * product
    first = jnp.argmax(jnp.max(squares, axis=1))

    def columns_with(rows: Array) -> Array:
        return jnp.sort(top(jnp.where(allowed_b, jnp.sum(squares[rows], axis=0), -1), k))

    def rows_with(columns: Array) -> Array:
        return jnp.sort(top(jnp.where(allowed_a, jnp.sum(squares[:, columns], axis=1), -1), k))

    def more(state: tuple) -> Array:
        return ~state[2] & (state[3] < ALTERNATIONS)

    def once(state: tuple) -> tuple:
        rows, columns, _, rounds = state
        new_rows = rows_with(columns)
        new_columns = columns_with(new_rows)
        same = jnp.all(new_rows == rows) & jnp.all(new_columns == columns)
        return new_rows, new_columns, same, rounds + 1

    columns = columns_with(first[None])
    state = (rows_with(columns), columns, jnp.bool_(False), jnp.int32(0))
    rows, columns, _, _ = jax.lax.while_loop(more, once, vary_like(state))
    return rows, columns


def _relative(decomposition: SVD, a: Array) -> Spectrum:
    """A decomposition with its singular values as shares of the largest, and what it leaves out."""
    scale = jnp.where(decomposition.s[0] > 0, decomposition.s[0], 1)
    a, decomposition = a / scale, decomposition._replace(s=decomposition.s / scale)
    beyond = largest_beyond(decomposition, a, missed_shares(decomposition, a))
    return Spectrum(decomposition.s, decomposition.vt, a, beyond)


def _squares(s: Array, vt: Array) -> Array:
    """Squared lengths of the columns."""
    return jnp.sum((s[:, None] * vt) ** 2, axis=0)


def _inverse_rows(s: Array, vt: Array, allowed: Array) -> Array:
    """``V Σ⁻¹`` of the allowed singular vectors."""
    return (jnp.where(allowed[:, None], vt, 0) / jnp.where(allowed, s, 1)[:, None]).T
