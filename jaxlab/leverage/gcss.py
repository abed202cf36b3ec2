"""Generalized column subset selection: few columns of one matrix that span another."""

import functools
from typing import Any, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxlab.checks import check_bool, check_choice, check_integer, check_key, check_scalar, require
from jaxlab.leverage._choice import (
    ROUNDING,
    Fit,
    Spectrum,
    View,
    choose,
    combined,
    largest_beyond,
    length,
    mask_of,
    missed_shares,
    outcome,
    reachable_limit,
    rows_of,
    smaller_gram,
    spectral_limit,
)
from jaxlab.leverage._inputs import check_columns, check_rank, subset_array, subset_mask
from jaxlab.leverage._pairs import check_pair, matmul, scaled, whiten
from jaxlab.leverage.decomposition import svd
from jaxlab.leverage.greedy import greedy_on_columns
from jaxlab.leverage.local_search import search_columns
from jaxlab.leverage.selection import target_subset
from jaxlab.leverage.types import SVD, Gcss, GcssMethod
from jaxlab.varying import vary_like

__all__ = ["cssp", "gcss"]


def gcss(
    a: Float[Array, "m n"],
    b: Float[Array, "m p"],
    *,
    c: int,
    k: int | None = None,
    method: str = "leverage",
    subset: Any = None,
    decomposition: SVD | None = None,
    key: Key[Array, ""] | None = None,
    lam: Any = 1e-4,
    factor: int = 4,
    rounds: int = 100,
    replace: bool = False,
) -> Gcss:
    """Columns ``S`` of A, ``c`` of them, that leave little of ``‖B − P_C B‖_F``, ``C = A_S``.

    R holds the ``k`` singular vectors of A with the largest ``‖u_rᵀ B‖``, and ``ℓ`` are the scores
    ``ℓ_j = Σ_{r∈R} V_{jr}²``.

    =============== ================================================================================
    "leverage"      the largest ``ℓ_j``
    "sampling"      random columns with probabilities ``ℓ_j / Σ ℓ``
    "weighted"      the largest ``‖a_j‖ ‖x_j‖``, ``x`` the ridge regression of B on the columns
    "hybrid"        greedy among the ``factor c`` columns first in "weighted"
    "qdeim"         pivots of ``V_Rᵀ``, then the largest ``ℓ_j``
    "greedy"        see :func:`~jaxlab.leverage.greedy_gcss`
    "local_search"  "greedy", then :func:`~jaxlab.leverage.local_search_gcss`
    "pivoted_qr"    pivots of A, whatever B is
    =============== ================================================================================

    With fewer columns than vectors, ``c < k``, some angles are ``π/2`` and the certificate says
    little. Columns are not centred; far from 0 they are nearly parallel, and rounding misleads
    "greedy" and "hybrid" with the square of their condition number, in float32 from an offset of
    1e2 times their spread on, and "local_search" with the number itself, from 1e4 on.
    Singular vectors below the numerical rank are not among those to choose from, and the bounds
    allow for them.

    Args:
        a: columns to choose from, ``[m, n]``.
        b: target, ``[m, p]``.
        c: number of columns; static.
        k: size of R, ``min(c, m, n)`` by default; static.
        method: one of the table; static.
        subset: R itself, ``k`` indices of singular vectors, static or an array; ``range(k)`` gives
            classical leverage scores. Under ``jit``, indices that name no vector count for nothing.
        decomposition: of A, from :func:`~jaxlab.leverage.svd`, where it is known or should be of
            another kind. The bounds need all singular values, to the precision of A and B.
        key: PRNG key of "sampling".
        lam: ridge of "weighted" and "hybrid" as a share of ``σ_0²``, at least 0.
        factor: candidates of "hybrid" for each column; static.
        rounds: exchanges of "local_search" at most; static.
        replace: draw "sampling" with replacement, so that a column may come twice; static.

    Returns:
        Columns, residual, its bounds from above (P9) and from below, and R.

    Raises:
        ValueError: matrices that are not 2-D, empty, not finite or not of the same number of rows;
            ``c`` or ``k`` out of range; an unknown method; "sampling" without a key; a negative
            ``lam``; a decomposition of another shape; a subset with duplicates or that exceeds the
            numerical rank.

    Cost:
        The decomposition, ``O(m n p)``, and for the greedy methods that of
        :func:`~jaxlab.leverage.greedy_gcss` and :func:`~jaxlab.leverage.local_search_gcss`;
        ``O(m c (c + p))`` for the residual; where singular values of A reach below ``√eps σ_0``,
        ``O(m n r)`` for the bounds.

    Source:
        Ordozgoiti, Matakos, Gionis 2022, generalized column subset selection; Drmač, Gugercin 2016
        for the pivots of singular vectors.

    Example:
        >>> a = jnp.diag(jnp.array([3.0, 2.0, 1.0]))
        >>> found = gcss(a, a[:, 1:2], c=1)
        >>> found.columns.tolist(), found.subset.tolist(), float(found.residual)
        ([1], [1], 0.0)
    """
    a, b = check_pair(a, b)
    check_columns("c", c, a.shape[1])
    check_method(method, key)
    check_scalar("lam", lam, minimum=0)
    check_integer("factor", factor, minimum=1)
    check_integer("rounds", rounds, minimum=1)
    check_bool("replace", replace)
    if decomposition is None:
        decomposition = svd(a)
    check_decomposition(decomposition, a)
    k, subset = check_subset(k, subset, c, decomposition)
    a, b, decomposition, scale, z, subset = _prepared(a, b, decomposition, subset, k=k)
    chosen = _choose(a, b, decomposition, z, subset, key, lam, c, method, factor, rounds, replace)
    return _outcome(a, b, decomposition, scale, z, subset, *chosen)


def cssp(
    a: Float[Array, "m n"],
    *,
    c: int,
    k: int | None = None,
    method: str = "leverage",
    **options: Any,
) -> Gcss:
    """Columns of A that span A itself: :func:`gcss` with ``B = A``.

    ``‖A − P_C A‖_F² ≤ ‖A − A_k‖_F² / (1 − ε)`` for the scores of the ``k`` leading singular vectors
    and a deficit ``ε < 1``.

    Args:
        a: the matrix, ``[m, n]``.
        c: number of columns; static.
        k: number of leading singular vectors; static.
        method: as of :func:`gcss`; static.
        **options: others of :func:`gcss`.

    Returns:
        As :func:`gcss`.

    Raises:
        ValueError: as :func:`gcss`.

    Cost:
        As :func:`gcss` with ``p = n``.

    Source:
        Papailiopoulos, Kyrillidis, Boutsidis 2014 for the bound.

    Example:
        >>> cssp(jnp.diag(jnp.array([1.0, 3.0, 2.0])), c=2).columns.tolist()
        [1, 2]
    """
    return gcss(a, a, c=c, k=k, method=method, **options)


def check_method(method: str, key: Any) -> None:
    """Refuse an unknown method, and sampling without a key."""
    check_choice("method", method, get_args(GcssMethod))
    if method == "sampling":
        require(key is not None, "key", key, 'a PRNG key for method="sampling"')
        check_key("key", key)


def check_decomposition(decomposition: SVD, a: Array) -> None:
    """Refuse a decomposition of a matrix of another shape."""
    r = decomposition.s.shape[0]
    shapes = ((a.shape[0], r), (r, a.shape[1]))
    fits = (decomposition.u.shape, decomposition.vt.shape) == shapes
    require(fits, "decomposition", decomposition.vt, "the decomposition of a")


def check_subset(
    k: int | None, subset: Any, c: int, decomposition: SVD
) -> tuple[int, Array | None]:
    """Size of R, and R where it is given."""
    r = decomposition.s.shape[0]
    if subset is None:
        k = min(c, r) if k is None else k
        check_integer("k", k, minimum=1)
        require(k <= r, "k", k, f"at most the number of singular vectors, {r}")
        return k, None
    subset = subset_array(subset)
    check_rank(subset_mask(subset, r), decomposition.rank)
    require(subset.dtype != bool, "subset", subset, "indices")
    require(k in (None, subset.shape[0]), "k", k, f"the size of the subset, {subset.shape[0]}")
    return int(subset.shape[0]), jnp.asarray(subset, jnp.int32)


@functools.partial(jax.jit, static_argnames=("k",))
def _prepared(
    a: Array, b: Array, decomposition: SVD, subset: Array | None, *, k: int
) -> tuple[Array, Array, SVD, Array, Array, Array]:
    """All in units in which squares are finite, that of B, ``Z = UᵀB``, and R."""
    dtype = jnp.result_type(a, decomposition.s)
    (a, unit), (b, scale) = scaled(a.astype(dtype)), scaled(b.astype(dtype))
    u, s, vt = (part.astype(dtype) for part in decomposition[:3])
    decomposition = SVD(u, s / unit, vt, decomposition.rank)
    z = matmul(decomposition.u.T, b)
    if subset is None:
        subset, _ = target_subset(decomposition.s, z, k)
    return a, b, decomposition, scale, z, subset


# The choice and what is said of it are two programs, so that all methods share the second.


@functools.partial(jax.jit, static_argnames=("c", "method", "factor", "rounds", "replace"))
def _choose(
    a: Array,
    b: Array,
    decomposition: SVD,
    z: Array,
    subset: Array,
    key: Array | None,
    lam: Any,
    c: int,
    method: str,
    factor: int,
    rounds: int,
    replace: bool,
) -> tuple[Array, Array, Array]:
    view = View(
        decomposition.s,
        decomposition.vt,
        z,
        jnp.sum(b * b),
        a,
        lambda columns: matmul(a[:, columns].T, a[:, columns]),
        lambda columns: matmul(a[:, columns].T, b),
        lambda c: greedy_on_columns(a, b, c=c),
        lambda columns, rounds: search_columns(a, b, columns, rounds=rounds),
    )
    return choose(
        view,
        subset,
        key,
        c=c,
        method=method,
        lam=lam,
        factor=factor,
        rounds=rounds,
        replace=replace,
    )


@jax.jit
def _outcome(
    a: Array,
    b: Array,
    decomposition: SVD,
    scale: Array,
    z: Array,
    subset: Array,
    columns: Array,
    count: Array,
    converged: Array,
) -> Gcss:
    a, b, decomposition, z = vary_like((a, b, decomposition, z))
    u, s, vt, _ = decomposition
    complete, c = s.shape[0] == min(a.shape), columns.shape[0]
    basis, _ = whiten(a[:, columns])
    left = b - matmul(basis, matmul(basis.T, b))
    energy = jnp.sum(b * b)
    missed = missed_shares(decomposition, a)
    spectrum = Spectrum(s, vt, a, largest_beyond(decomposition, a, missed))
    if complete:
        limit = reachable_limit(decomposition, b, z, c, missed)
    else:
        limit = spectral_limit(smaller_gram(b), energy, c)
    inside = rows_of(z, subset)
    x = combined(spectrum, inside, subset)
    error = matmul(a, jnp.where(mask_of(columns, a.shape[1])[:, None], 0, x))
    rounding = ROUNDING * jnp.finfo(x.dtype).eps * s[0] * length(x)
    fit = Fit(
        length(b - matmul(rows_of(u.T, subset).T, inside)),
        length(inside),
        length(error) + rounding,
    )
    found = outcome(
        spectrum,
        fit,
        energy,
        subset,
        columns,
        count,
        converged,
        jnp.sum(left * left),
        limit,
    )
    return found._replace(
        residual=scale * found.residual,
        certificate=scale * found.certificate,
        lower_bound=scale * found.lower_bound,
    )
