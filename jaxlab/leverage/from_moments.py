"""Column selection from moments: what matters of data that are seen once and never held.

``AᵀA``, ``BᵀB`` and ``AᵀB`` determine scores, energies, residuals and canonical correlations:
``AᵀA = V Σ² Vᵀ``, ``UᵀB = Σ⁻¹ Vᵀ AᵀB`` and ``UᵀW = Σ_a⁻¹ V_aᵀ AᵀB V_b Σ_b⁻¹``.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from jaxlab.checks import check_bool, check_integer, check_scalar, check_shape
from jaxlab.leverage._choice import (
    ROUNDING,
    Fit,
    Spectrum,
    View,
    choose,
    combined,
    length,
    mask_of,
    outcome,
    rows_of,
    smaller_gram,
    spectral_limit,
)
from jaxlab.leverage._inputs import check_columns, check_matrix
from jaxlab.leverage._pairs import matmul, whiten_gram
from jaxlab.leverage.cca import cca_on_gram
from jaxlab.leverage.gcss import check_method, check_subset
from jaxlab.leverage.greedy import greedy_on_gram
from jaxlab.leverage.local_search import search_gram
from jaxlab.leverage.selection import target_subset
from jaxlab.leverage.sparse_cca import Views, check_choice_of_columns, check_ranks, choose_columns
from jaxlab.leverage.types import SVD, Gcss, Moments, SparseCca
from jaxlab.varying import vary_like

__all__ = ["gcss_from_moments", "sparse_cca_from_moments"]


def gcss_from_moments(
    moments: Moments,
    *,
    c: int,
    k: int | None = None,
    method: str = "leverage",
    subset: Any = None,
    key: Key[Array, ""] | None = None,
    lam: Any = 1e-4,
    factor: int = 4,
    rounds: int = 100,
    replace: bool = False,
) -> Gcss:
    """:func:`~jaxlab.leverage.gcss` of centred data, from their moments.

    ``‖B − P_C B‖_F² = tr BᵀB − tr H_Sᵀ G_SS⁺ H_S`` with ``G = AᵀA`` and ``H = AᵀB``. Singular
    vectors with ``σ ≤ √(n eps) σ_0`` are lost in the squares: they are not among those to choose
    from, and the bounds allow for them, whatever part of ``B`` they carry. In the greedy methods,
    "local_search" among them, rounding grows with the square of the condition number of the chosen
    columns: from 1e2 on in float32, and 1e6 in float64, they may miss columns that capture more.

    Args:
        moments: of both views. A column of which they tell no more than rounding is constant.
        c: number of columns; static.
        k: size of R, ``min(c, n)`` by default; static.
        method: as of :func:`~jaxlab.leverage.gcss`; static.
        subset: as there.
        key: as there.
        lam: as there.
        factor: as there; static.
        rounds: as there; static.
        replace: as there; static.

    Returns:
        As :func:`~jaxlab.leverage.gcss`.

    Raises:
        ValueError: as :func:`~jaxlab.leverage.gcss`; moments that are not finite or do not fit
            together.

    Cost:
        ``O(n³ + n² p)`` time, for the greedy methods also ``c² n p / 32``, and ``O(p³)`` where
        singular vectors are nearly lost; ``O(n (n + p) + p²)`` memory, whatever the number of rows.

    Example:
        >>> moments = Moments(
        ...     jnp.int32(9), jnp.zeros(2), jnp.zeros(1), jnp.diag(jnp.array([4.0, 1.0])),
        ...     jnp.ones((1, 1)), jnp.array([[0.0], [1.0]]),
        ... )  # fmt: skip
        >>> found = gcss_from_moments(moments, c=1)
        >>> found.columns.tolist(), float(found.residual_fraction)
        ([1], 0.0)
    """
    n, _ = _check_moments(moments)
    check_columns("c", c, n)
    check_method(method, key)
    check_scalar("lam", lam, minimum=0)
    check_integer("factor", factor, minimum=1)
    check_integer("rounds", rounds, minimum=1)
    check_bool("replace", replace)
    moments = _varying(moments)
    spectrum, rank = _decomposed(moments.caa)
    k, subset = check_subset(k, subset, c, SVD(spectrum.vt, spectrum.s, spectrum.vt, rank))
    return _gcss(moments, spectrum, subset, key, lam, c, k, method, factor, rounds, replace)


def sparse_cca_from_moments(
    moments: Moments,
    *,
    ca: int,
    cb: int,
    k: int | None = None,
    method: str = "leverage",
    subset_a: Any = None,
    subset_b: Any = None,
    rtol: Any = 1e-3,
    ridge: Any = 0.0,
) -> SparseCca:
    """:func:`~jaxlab.leverage.sparse_cca` from the moments of both views.

    Correlations, and here loadings too, have derivatives for fixed columns, where the correlations
    are simple.

    Args:
        moments: of both views. A column of which they tell no more than rounding is constant.
        ca: number of columns of the first view; static.
        cb: number of columns of the second view; static.
        k: as there; static.
        method: as of :func:`~jaxlab.leverage.sparse_cca`; static.
        subset_a: as there.
        subset_b: as there.
        rtol: as there.
        ridge: as there.

    Returns:
        As :func:`~jaxlab.leverage.sparse_cca`, with masks of ``n`` and ``p`` singular vectors.

    Raises:
        ValueError: as :func:`~jaxlab.leverage.sparse_cca`; moments that are not finite or do not
            fit together.

    Cost:
        ``O(n³ + p³)`` time, ``O((n + p)²)`` memory, whatever the number of rows.

    Example:
        >>> moments = Moments(
        ...     jnp.int32(9), jnp.zeros(2), jnp.zeros(1), jnp.diag(jnp.array([4.0, 1.0])),
        ...     jnp.ones((1, 1)), jnp.array([[0.0], [1.0]]),
        ... )  # fmt: skip
        >>> found = sparse_cca_from_moments(moments, ca=1, cb=1)
        >>> found.columns_a.tolist(), found.correlations.tolist()
        ([1], [1.0])
    """
    n, p = _check_moments(moments)
    k, subset_a, subset_b = check_choice_of_columns(
        ca, cb, k, method, subset_a, subset_b, (n, p), (n, p)
    )
    check_scalar("rtol", rtol, minimum=0)
    check_scalar("ridge", ridge, minimum=0)
    moments = _varying(moments)
    (of_a, rank_a), (of_b, rank_b) = _decomposed(moments.caa), _decomposed(moments.cbb)
    check_ranks((subset_a, subset_b), (n, p), (rank_a, rank_b))
    return _sparse_cca(moments, of_a, of_b, subset_a, subset_b, rtol, ridge, ca, cb, k, method)


def _check_moments(moments: Moments) -> tuple[int, int]:
    for name in ("caa", "cbb", "cab"):
        check_matrix(f"moments.{name}", getattr(moments, name))
    n, p = moments.cab.shape
    check_shape("moments.caa", moments.caa, (n, n))
    check_shape("moments.cbb", moments.cbb, (p, p))
    check_shape("moments.mean_a", moments.mean_a, (n,))
    check_shape("moments.mean_b", moments.mean_b, (p,))
    return n, p


@jax.jit
def _varying(moments: Moments) -> Moments:
    """Moments with zeros for columns that are constant up to rounding.

    What rounding leaves of them would be taken at unit length.
    """
    count, mean_a, mean_b, caa, cbb, cab = moments
    rounding = 4 * jnp.finfo(cab.dtype).eps * jnp.sqrt(count.astype(cab.dtype))
    a, b = (
        (jnp.sqrt(jnp.maximum(jnp.diagonal(gram), 0)) > rounding * jnp.abs(mean))[:, None]
        for gram, mean in ((caa, mean_a), (cbb, mean_b))
    )
    return moments._replace(
        caa=jnp.where(a & a.T, caa, 0),
        cbb=jnp.where(b & b.T, cbb, 0),
        cab=jnp.where(a & b.T, cab, 0),
    )


@jax.jit
def _decomposed(gram: Array) -> tuple[Spectrum, Array]:
    """What is known of ``A`` from ``AᵀA``, zero beyond the rank, and the rank."""
    squares, vectors = jnp.linalg.eigh(gram)
    squares, rows = jnp.maximum(squares[::-1], 0), vectors[:, ::-1].T
    cut = gram.shape[0] * jnp.finfo(gram.dtype).eps * squares[0]
    kept = squares > cut
    s, rank = jnp.where(kept, jnp.sqrt(squares), 0), jnp.sum(kept, dtype=jnp.int32)
    # a direction that is lost may be as long as that, which bounds must not forget
    root = jnp.where(kept, s, jnp.sqrt(cut))[:, None] * rows
    beyond = jnp.where(rank < gram.shape[0], jnp.sqrt(cut), 0)
    doubt = ROUNDING * jnp.finfo(gram.dtype).eps * squares[0]
    return Spectrum(s, jnp.where(kept[:, None], rows, 0), root, beyond, doubt), rank


def _length(gram: Array, x: Array) -> Array:
    """``‖A X‖_F``, no less than it is."""
    return jnp.sqrt(jnp.maximum(jnp.sum(x * matmul(gram, x)), 0) + _rounding(gram, x))


def _rounding(gram: Array, x: Array) -> Array:
    """How far ``‖A X‖_F²`` is off: each entry of ``AᵀA`` by a share of two columns' lengths."""
    lengths = jnp.sqrt(jnp.maximum(jnp.diagonal(gram), 0))
    reach = jnp.sum(lengths * jnp.sqrt(jnp.sum(x * x, axis=1)))
    return ROUNDING * jnp.finfo(x.dtype).eps * reach**2


def _coordinates(s: Array, vt: Array, cross: Array) -> Array:
    """``Uᵀ B`` from ``AᵀB``."""
    return matmul(vt, cross) / jnp.where(s > 0, s, 1)[:, None]


@functools.partial(jax.jit, static_argnames=("c", "k", "method", "factor", "rounds", "replace"))
def _gcss(
    moments: Moments,
    spectrum: Spectrum,
    subset: Array | None,
    key: Array | None,
    lam: Any,
    c: int,
    k: int,
    method: str,
    factor: int,
    rounds: int,
    replace: bool,
) -> Gcss:
    moments = vary_like(moments)  # devices may share the target
    gram, cross = moments.caa, moments.cab
    s, vt = spectrum.s, spectrum.vt
    z = _coordinates(s, vt, cross)
    energy = jnp.trace(moments.cbb)
    view = View(
        s,
        vt,
        z,
        energy,
        s[:, None] * vt,
        lambda columns: gram[columns][:, columns],
        lambda columns: cross[columns],
        lambda c: greedy_on_gram(gram, cross, c=c),
        lambda columns, rounds: search_gram(gram, cross, energy, columns, rounds=rounds),
    )
    subset = target_subset(s, z, k)[0] if subset is None else subset
    columns, count, converged = choose(
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
    white = whiten_gram(gram[columns][:, columns])
    captured = jnp.sum(matmul(white.weights.T, cross[columns]) ** 2)
    # columns may reach what the target has in directions that are lost, and reach the more of it
    # in others, the shorter A is along these
    least = jnp.sqrt(jnp.maximum(s**2 - spectrum.doubt, 0))
    limit = jax.lax.cond(
        least[-1] > 0,
        lambda: spectral_limit(smaller_gram(_coordinates(least, vt, cross)), energy, c),
        lambda: spectral_limit(moments.cbb, energy, c),
    )
    left = jnp.maximum(energy - captured, 0)
    inside = rows_of(z, subset)
    x = combined(spectrum, inside, subset)
    others = jnp.where(mask_of(columns, gram.shape[0])[:, None], 0, x)
    # of this very X, however far it is from the best: what Z captures is not known as well
    apart = jnp.maximum(energy - 2 * jnp.sum(x * cross) + jnp.sum(x * matmul(gram, x)), 0)
    rounding = ROUNDING * jnp.finfo(x.dtype).eps * energy + _rounding(gram, x)
    # U_R is only nearly orthonormal: A X may be longer than Z, or shorter
    longest = jnp.maximum(_length(gram, x), length(inside))
    fit = Fit(jnp.sqrt(apart + rounding), longest, _length(gram, others))
    return outcome(spectrum, fit, energy, subset, columns, count, converged, left, limit)


@functools.partial(jax.jit, static_argnames=("ca", "cb", "k", "method"))
def _sparse_cca(
    moments: Moments,
    of_a: Spectrum,
    of_b: Spectrum,
    subset_a: Array | None,
    subset_b: Array | None,
    rtol: Any,
    ridge: Any,
    ca: int,
    cb: int,
    k: int,
    method: str,
) -> SparseCca:
    caa, cbb, cab = moments.caa, moments.cbb, moments.cab
    product = _coordinates(of_b.s, of_b.vt, _coordinates(of_a.s, of_a.vt, cab).T).T
    views = Views(of_a, of_b, product, lambda: (caa, cbb, cab))
    chosen = choose_columns(views, subset_a, subset_b, rtol, ca=ca, cb=cb, k=k, method=method)
    columns_a, columns_b = chosen.columns_a, chosen.columns_b
    found = cca_on_gram(
        caa[columns_a][:, columns_a],
        cbb[columns_b][:, columns_b],
        cab[columns_a][:, columns_b],
        ridge,
        q=min(ca, cb),
    )
    return SparseCca(columns_a, columns_b, *found, chosen.subset_a, chosen.subset_b, chosen.bound)
