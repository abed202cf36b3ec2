"""Column selection from moments: what matters of data that are seen once and never held.

``AᵀA``, ``BᵀB`` and ``AᵀB`` determine scores, energies, residuals and canonical correlations:
``AᵀA = V Σ² Vᵀ``, ``UᵀB = Σ⁻¹ Vᵀ AᵀB`` and ``UᵀW = Σ_a⁻¹ V_aᵀ AᵀB V_b Σ_b⁻¹``.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.checks import check_integer, check_scalar, check_shape, require
from jaxlab.leverage._choice import Spectrum, View, choose, outcome, sum_limit, target_subset
from jaxlab.leverage._inputs import check_columns
from jaxlab.leverage._pairs import matmul, whiten_gram
from jaxlab.leverage.cca import cca_on_gram
from jaxlab.leverage.decomposition import default_rtol
from jaxlab.leverage.gcss import check_method, check_subset
from jaxlab.leverage.greedy import greedy_on_gram
from jaxlab.leverage.sparse_cca import Views, check_choice_of_columns, choose_columns
from jaxlab.leverage.types import SVD, Gcss, Moments, SparseCca

__all__ = ["gcss_from_moments", "sparse_cca_from_moments"]


def gcss_from_moments(
    moments: Moments,
    *,
    c: int,
    k: int | None = None,
    method: str = "leverage",
    subset: Any = None,
    key: Array | None = None,
    lam: Any = 1e-4,
    factor: int = 4,
    rounds: int = 100,
    replace: bool = False,
) -> Gcss:
    """:func:`~jaxlab.leverage.gcss` of centred data, from their moments.

    ``‖B − P_C B‖_F² = tr BᵀB − tr H_Sᵀ G_SS⁺ H_S`` with ``G = AᵀA`` and ``H = AᵀB``. Singular
    vectors with ``σ ≤ √(n eps) σ_0`` are lost in the squares and count as zero.

    Args:
        moments: of both views.
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
        ValueError: as :func:`~jaxlab.leverage.gcss`; moments that do not fit together.

    Cost:
        ``O(n³ + n² p)`` time, ``O(n (n + p))`` memory, whatever the number of rows.

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
    require(isinstance(replace, bool), "replace", replace, "True or False")
    s, vt, rank = _decomposed(moments.caa)
    k, subset = check_subset(k, subset, c, SVD(vt, s, vt, rank))
    return _gcss(moments, s, vt, subset, key, lam, c, k, method, factor, rounds, replace)


def sparse_cca_from_moments(
    moments: Moments,
    *,
    ca: int,
    cb: int,
    k: int = 1,
    method: str = "leverage",
    subset_a: Any = None,
    subset_b: Any = None,
    rtol: Any = 1e-3,
    ridge: Any = 0.0,
) -> SparseCca:
    """:func:`~jaxlab.leverage.sparse_cca` from the moments of both views.

    Args:
        moments: of both views.
        ca: number of columns of the first view; static.
        cb: number of columns of the second view; static.
        k: number of singular vectors or canonical pairs; static.
        method: as of :func:`~jaxlab.leverage.sparse_cca`; static.
        subset_a: as there.
        subset_b: as there.
        rtol: as there.
        ridge: as there.

    Returns:
        As :func:`~jaxlab.leverage.sparse_cca`, with masks of ``n`` and ``p`` singular vectors.

    Raises:
        ValueError: as :func:`~jaxlab.leverage.sparse_cca`; moments that do not fit together.

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
    subset_a, subset_b = check_choice_of_columns(
        ca, cb, k, method, subset_a, subset_b, (n, p), (n, p)
    )
    check_scalar("rtol", rtol, minimum=0)
    check_scalar("ridge", ridge, minimum=0)
    return _sparse_cca(moments, subset_a, subset_b, rtol, ridge, ca, cb, k, method)


def _check_moments(moments: Moments) -> tuple[int, int]:
    n, p = moments.cab.shape
    check_shape("moments.caa", moments.caa, (n, n))
    check_shape("moments.cbb", moments.cbb, (p, p))
    return n, p


@jax.jit
def _decomposed(gram: Array) -> tuple[Array, Array, Array]:
    """Singular values, right singular vectors in rows, and rank, zero beyond it."""
    squares, vectors = jnp.linalg.eigh(gram)
    s = jnp.sqrt(jnp.maximum(squares[::-1], 0))
    kept = s > default_rtol(gram.shape, gram.dtype, "gram") * s[0]
    vt = jnp.where(kept[:, None], vectors[:, ::-1].T, 0)
    return jnp.where(kept, s, 0), vt, jnp.sum(kept, dtype=jnp.int32)


def _coordinates(s: Array, vt: Array, cross: Array) -> Array:
    """``Uᵀ B`` from ``AᵀB``."""
    return matmul(vt, cross) / jnp.where(s > 0, s, 1)[:, None]


@functools.partial(jax.jit, static_argnames=("c", "k", "method", "factor", "rounds", "replace"))
def _gcss(
    moments: Moments,
    s: Array,
    vt: Array,
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
    gram, cross = moments.caa, moments.cab
    z = _coordinates(s, vt, cross)
    energy = jnp.trace(moments.cbb)
    root = s[:, None] * vt
    view = View(
        s,
        vt,
        z,
        energy,
        root,
        lambda columns: gram if columns is None else gram[columns][:, columns],
        lambda columns: cross if columns is None else cross[columns],
        lambda c: greedy_on_gram(gram, cross, c=c),
    )
    subset = target_subset(s, z, k) if subset is None else subset
    columns, count = choose(
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
    left, limit = jnp.maximum(energy - captured, 0), sum_limit(z, energy, c)
    return outcome(Spectrum(s, vt, root), z, energy, subset, columns, count, left, limit)


@functools.partial(jax.jit, static_argnames=("ca", "cb", "k", "method"))
def _sparse_cca(
    moments: Moments,
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
    s_a, vt_a, _ = _decomposed(caa)
    s_b, vt_b, _ = _decomposed(cbb)
    product = _coordinates(s_b, vt_b, _coordinates(s_a, vt_a, cab).T).T
    views = Views(s_a, vt_a, s_b, vt_b, product, lambda: (caa, cbb, cab))
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
