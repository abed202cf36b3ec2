"""HEALPix maps: ``12·nside²`` pixels of equal area on ``4·nside − 1`` circles of latitude.

Synthesis goes through the circles: first ``Σ_l (2l+1) F^l_m d^l_{m0}(β_r)`` for each circle ``r``
and order ``m``, then the sum over orders at the longitudes of its pixels. Pixels weigh alike, which
is no exact quadrature: analysis corrects the adjoint of synthesis by Jacobi's iteration,

    F_0 = S*Wf,    F_{k+1} = F_k + S*W (f − S F_k).

Source: Górski et al., *HEALPix: a framework for high-resolution discretization and fast analysis of
data distributed on the sphere*, 2005.
"""

import functools
import operator
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxlab.checks import check_dtype, check_integer, check_shape, require
from jaxlab.spherical._azimuths import EXACT
from jaxlab.spherical.spectra import S2Spectrum, check_spectrum
from jaxlab.spherical.tables import check_precision, check_table_dtype
from jaxlab.spherical.wigner import degrees
from jaxlab.varying import vary_like

__all__ = [
    "HealpixTables",
    "healpix_analysis",
    "healpix_points",
    "healpix_synthesis",
    "make_healpix_tables",
]


@flax.struct.dataclass
class HealpixTables:
    """What the transform of HEALPix maps needs.

    A PyTree. Its arrays are annotated ``Any``, because jax also puts tracers, shapes and None in
    their place.

    Attributes:
        d: ``d^l_{m0}`` at the colatitude of each circle, ``[m, l, r]``.
        phases: ``cos mα`` and ``sin mα`` of each pixel of each circle, ``[r, j, m, 2]``; zero past
            the end of the shorter circles.
        pixel: number of pixel ``j`` of circle ``r``; that of its last one past its end.
        place: where each pixel is among the ``[r, j]``, flat.
        nside: resolution.
        L: number of degrees.
    """

    d: Any  # Float[Array, "m l r"]
    phases: Any  # Float[Array, "r j m 2"]
    pixel: Any  # Int[Array, "r j"]
    place: Any  # Int[Array, " npix"]
    nside: int = flax.struct.field(pytree_node=False)
    L: int = flax.struct.field(pytree_node=False)


def healpix_points(nside: int) -> Float[np.ndarray, "3 npix"]:
    """Unit vectors of the centres of the pixels, in ring order.

    Args:
        nside: resolution, a power of two.

    Returns:
        ``[3, 12·nside²]``, from north to south, eastwards along each circle.

    Raises:
        ValueError: if ``nside`` is no power of two.

    Cost:
        O(nside²).

    Example:
        >>> healpix_points(1)[2].round(3).tolist()
        [0.667, 0.667, 0.667, 0.667, 0.0, 0.0, 0.0, 0.0, -0.667, -0.667, -0.667, -0.667]
    """
    cosine, alpha, inside = _circles(nside)
    z = np.broadcast_to(cosine[:, None], alpha.shape)[inside]
    alpha = alpha[inside]
    sine = np.sqrt((1 - z) * (1 + z))
    return np.stack([sine * np.cos(alpha), sine * np.sin(alpha), z])


def make_healpix_tables(
    nside: int, L: int, dtype: Any = jnp.float32, *, max_table_bytes: int = 2 * 1024**3
) -> HealpixTables:
    """Tables of the transform of HEALPix maps.

    Args:
        nside: resolution, a power of two.
        L: number of degrees, at most ``2·nside``: beyond them the iteration is slow to converge.
        dtype: float32, or float64 where jax has it enabled.
        max_table_bytes: largest table that is made.

    Returns:
        The tables.

    Raises:
        ValueError: for a bad size or dtype, or a table above ``max_table_bytes``; maps that large
            are for transforms with a fast Fourier transform on each circle, such as those of
            ``s2fft``.

    Cost:
        ``itemsize · 32 · nside² · L`` bytes, and time proportional to it.

    Example:
        >>> make_healpix_tables(2, 4).d.shape
        (4, 4, 7)
    """
    cosine, alpha, inside = _circles(nside)
    check_integer("L", L, minimum=1)
    nside, L = operator.index(nside), operator.index(L)
    require(2 * nside >= L, "L", L, f"at most 2·nside = {2 * nside} degrees")
    dtype = check_table_dtype(dtype)
    size = 2 * alpha.size * L * dtype.itemsize
    limit = (
        f"a table of at most max_table_bytes = {max_table_bytes} bytes, this one has {size}: "
        "take fewer degrees, or the transforms of s2fft"
    )
    check_integer("max_table_bytes", max_table_bytes, minimum=0)
    require(size <= max_table_bytes, "nside", nside, limit)
    orders = np.arange(L)
    phases = np.empty((*alpha.shape, L, 2), dtype)
    for order in orders:
        turned = order * alpha
        phases[..., order, 0] = np.cos(turned) * inside
        phases[..., order, 1] = np.sin(turned) * inside
    d = np.stack([d[:, 0] for d in degrees(L, orders, np.arange(1), np.arccos(cosine))], axis=1)
    count = inside.sum(axis=1, keepdims=True)
    first = np.cumsum(count, axis=0) - count
    return HealpixTables(
        d=jnp.asarray(d, dtype),
        phases=jnp.asarray(phases),
        pixel=jnp.asarray(first + np.minimum(np.arange(alpha.shape[1]), count - 1), jnp.int32),
        place=jnp.asarray(np.flatnonzero(inside), jnp.int32),
        nside=nside,
        L=L,
    )


@jax.jit
def healpix_synthesis(F: S2Spectrum, tables: HealpixTables) -> Float[Array, "*batch npix"]:
    """Maps of signals, ``f(p) = Σ_l (2l+1) Σ_m F^l_m d^l_{m0}(β_p) exp(imα_p)``.

    Args:
        F: spectrum with the degrees of ``tables``.
        tables: from :func:`make_healpix_tables`.

    Returns:
        Maps ``[..., 12·nside²]`` in ring order and in the precision of ``tables``.

    Raises:
        ValueError: if ``F`` is no spectrum of the sphere with ``tables.L`` degrees.

    Cost:
        O(nside² L) a map.

    Example:
        >>> tables = make_healpix_tables(2, 1)
        >>> f = healpix_synthesis(S2Spectrum(jnp.full((1, 1), 3.0 + 0j)), tables)
        >>> f.shape, bool(jnp.allclose(f, 3.0))
        ((48,), True)
    """
    check_spectrum("F", F, S2Spectrum)
    require(isinstance(tables, HealpixTables), "tables", type(tables), "HealpixTables")
    require(tables.L == F.L, "F", F.coeffs, f"L = {tables.L} degrees, as in tables")
    return _synthesis(jnp.stack([F.coeffs.real, F.coeffs.imag], axis=-1), tables)


@functools.partial(jax.jit, static_argnames="iters")
def healpix_analysis(
    f: Float[Array, "*batch npix"], tables: HealpixTables, iters: int = 3
) -> S2Spectrum:
    """Spectra of HEALPix maps, by Jacobi's iteration.

    Args:
        f: maps in ring order; float16 and bfloat16 are transformed in float32.
        tables: from :func:`make_healpix_tables`.
        iters: corrections; static.

    Returns:
        The spectrum, complex in the precision of ``tables``. Of a map of ``L = 2·nside`` degrees
        its relative error is below 10⁻³ after three corrections, which was checked of all maps of
        ``nside`` 1, 2, 4, 8 and 16 in float64.

    Raises:
        ValueError: for maps of another resolution, not floating, or more precise than ``tables``;
            ``iters`` no integer >= 0.

    Cost:
        O((iters + 1) nside² L) a map.

    Example:
        >>> F = healpix_analysis(jnp.full(48, 2.0), make_healpix_tables(2, 2))
        >>> [round(abs(complex(value)), 4) for value in F.coeffs[:, 0]]
        [2.0, 0.0]
    """
    check_integer("iters", iters, minimum=0)
    require(isinstance(tables, HealpixTables), "tables", type(tables), "HealpixTables")
    check_dtype("f", f, "floating")
    check_shape("f", f, ("...", tables.place.shape[0]))
    dtype = tables.d.dtype
    check_precision("f", f, dtype)
    f = f.astype(dtype)

    def correct(_: Any, parts: Array) -> Array:
        return parts + _adjoint(f - _synthesis(parts, tables), tables)

    parts = jax.lax.fori_loop(0, iters, correct, vary_like(_adjoint(f, tables), tables))
    return S2Spectrum(jax.lax.complex(parts[..., 0], parts[..., 1]))


def _synthesis(parts: Float[Array, "... l m 2"], tables: HealpixTables) -> Float[Array, "... npix"]:
    dimension = jnp.asarray(2 * np.arange(tables.L) + 1, parts.dtype)
    circles = jnp.einsum("l,mlr,...lmc->...rmc", dimension, tables.d, parts, precision=EXACT)
    # the orders m and −m of a real signal add up to twice the real part
    twice = np.where(np.arange(tables.L) == 0, 1.0, 2.0)[:, None] * np.array([1.0, -1.0])
    circles = circles * jnp.asarray(twice, parts.dtype)
    values = jnp.einsum("rjmc,...rmc->...rj", tables.phases, circles, precision=EXACT)
    flat = values.reshape(*values.shape[:-2], tables.pixel.size)  # −1 would not do for no maps
    return flat[..., tables.place]


def _adjoint(f: Float[Array, "... npix"], tables: HealpixTables) -> Float[Array, "... l m 2"]:
    """``Σ_p f(p) d^l_{m0}(β_p) exp(−imα_p) / npix``."""
    circles = f[..., tables.pixel] / f.shape[-1]
    orders = jnp.einsum("rjmc,...rj->...rmc", tables.phases, circles, precision=EXACT)
    orders = orders * jnp.array([1.0, -1.0], orders.dtype)
    return jnp.einsum("mlr,...rmc->...lmc", tables.d, orders, precision=EXACT)


def _circles(
    nside: int,
) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, "r j"], Bool[np.ndarray, "r j"]]:
    """Cosine of the colatitude of each circle, longitudes of its pixels, and which there are."""
    check_integer("nside", nside, minimum=1)
    nside = operator.index(nside)
    require(nside & (nside - 1) == 0, "nside", nside, "a power of two")
    circle = np.arange(1, 4 * nside)
    from_pole = np.minimum(circle, 4 * nside - circle)
    cap = from_pole < nside
    z = np.where(cap, 1 - from_pole**2 / (3 * nside**2), (4 - 2 * from_pole / nside) / 3)
    z = np.where(circle > 2 * nside, -z, z)
    count = np.where(cap, 4 * from_pole, 4 * nside)
    # in the caps, and on every second circle between, pixels begin half a step from the meridian
    start = np.where(cap | ((circle + nside) % 2 == 0), 0.5, 0.0)
    j = np.arange(4 * nside)
    alpha = 2 * np.pi * (j + start[:, None]) / count[:, None]
    return z, alpha, j < count[:, None]
