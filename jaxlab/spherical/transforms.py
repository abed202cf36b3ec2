"""Fast Fourier transforms on the sphere and on the rotation group.

By separation of variables: a fast Fourier transform over the azimuths, then for each pair of
orders a small matrix product over the colatitudes with a table of Wigner's d. Every step is a real
matrix product or an FFT, so forward, gradient and batches run at library speed on any device.

Source: Kostelec and Rockmore, *FFTs on the rotation group*, 2008; for their use in networks Cohen,
Geiger, Köhler and Welling, *Spherical CNNs*, ICLR 2018.
"""

import functools
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from jaxlab.checks import check_choice, check_dtype, check_shape, require
from jaxlab.spherical.grids import Grid, quadrature_weights
from jaxlab.spherical.spectra import S2Spectrum, SO3Spectrum, check_spectrum
from jaxlab.spherical.tables import S2Tables, SO3Tables

__all__ = [
    "Dft",
    "s2_analysis",
    "s2_integrate",
    "s2_synthesis",
    "so3_analysis",
    "so3_integrate",
    "so3_synthesis",
]

Dft: TypeAlias = Literal["xla", "matmul"]
EXACT = jax.lax.Precision.HIGHEST  # bfloat16 or TF32 products would destroy equivariance


@functools.partial(jax.jit, static_argnames="fft")
def s2_analysis(
    f: Float[Array, "*batch k j"], tables: S2Tables, *, fft: Dft | None = None
) -> S2Spectrum:
    """Coefficients ``F^l_m = ∫ f(β, α) d^l_{m0}(β) exp(−imα)`` of signals on the sphere.

    Args:
        f: samples ``[..., β, α]`` on the grid of ``tables``; float16 and bfloat16 are transformed
            in float32.
        tables: from :func:`~jaxlab.spherical.make_s2_tables`.
        fft: ``"xla"`` for XLA's FFT, ``"matmul"`` for products with DFT matrices, which TPUs do
            faster; None takes ``"matmul"`` where jax's default backend is a TPU.

    Returns:
        The spectrum, complex in the precision of ``tables``. Exact for signals with fewer than
        ``b`` degrees.

    Raises:
        ValueError: for a signal that is complex, of another bandwidth, or more precise than
            ``tables``.

    Cost:
        O(b² log b + b L²) a signal.

    Example:
        >>> from jaxlab.spherical import make_s2_tables
        >>> F = s2_analysis(jnp.ones((8, 8)), make_s2_tables(4, 4))
        >>> bool(jnp.allclose(F.coeffs[0, 0], 1.0, atol=1e-6))
        True
    """
    _check_signal("f", f, tables)
    f = f.astype(tables.d.dtype)
    if _dft(fft) == "xla":
        bins = jnp.fft.rfft(f, axis=-1)
        parts = _parts(_first(bins, tables.L, tables.b))
    else:
        parts = _real_dft(f, tables.L, tables.b)
    parts = parts * tables.weights[:, None, None]
    coeffs = jnp.einsum("mlk,...kmc->...lmc", tables.d, parts, precision=EXACT)
    return S2Spectrum(jax.lax.complex(coeffs[..., 0], coeffs[..., 1]))


@functools.partial(jax.jit, static_argnames="fft")
def s2_synthesis(
    F: S2Spectrum, tables: S2Tables, *, fft: Dft | None = None
) -> Float[Array, "*batch k j"]:
    """Signals on the grid, ``f(β, α) = Σ_l (2l+1) Σ_m F^l_m d^l_{m0}(β) exp(imα)``.

    Args:
        F: spectrum with the degrees of ``tables``.
        tables: from :func:`~jaxlab.spherical.make_s2_tables`.
        fft: as in :func:`s2_analysis`.

    Returns:
        Samples ``[..., β, α]`` in the precision of ``tables``.

    Raises:
        ValueError: if ``F`` is not a spectrum of the sphere with ``tables.L`` degrees.

    Cost:
        O(b² log b + b L²) a signal.

    Example:
        >>> from jaxlab.spherical import make_s2_tables
        >>> tables = make_s2_tables(4, 2)
        >>> F = S2Spectrum(jnp.zeros((2, 2), complex).at[0, 0].set(3.0))
        >>> bool(jnp.allclose(s2_synthesis(F, tables), 3.0))
        True
    """
    check_spectrum("F", F, S2Spectrum)
    _check_degrees(F, tables)
    parts = _parts(F.coeffs * _dimensions(tables)[:, None])
    parts = jnp.einsum("mlk,...lmc->...kmc", tables.d, parts, precision=EXACT)
    if _dft(fft) == "matmul":
        return _real_idft(parts, tables.b)
    bins = _pad(jax.lax.complex(parts[..., 0], parts[..., 1]), tables.b + 1)
    return jnp.fft.irfft(bins, n=2 * tables.b, axis=-1) * (2 * tables.b)


@functools.partial(jax.jit, static_argnames="fft")
def so3_analysis(
    f: Float[Array, "*batch k i j"], tables: SO3Tables, *, fft: Dft | None = None
) -> SO3Spectrum:
    """Coefficients ``F^l_{mn} = ∫ f(R) D^l_{mn}(R) dR`` of signals on the rotation group.

    Args:
        f: samples ``[..., β, γ, α]`` on the grid of ``tables``; float16 and bfloat16 are
            transformed in float32.
        tables: from :func:`~jaxlab.spherical.make_so3_tables`.
        fft: as in :func:`s2_analysis`.

    Returns:
        The spectrum, complex in the precision of ``tables``. Exact for signals with fewer than
        ``b`` degrees and orders ``|n| < n_max``.

    Raises:
        ValueError: for a signal that is complex, of another bandwidth, or more precise than
            ``tables``.

    Cost:
        O(b³ log b + b L² n_max) a signal.

    Example:
        >>> from jaxlab.spherical import make_so3_tables
        >>> F = so3_analysis(jnp.ones((4, 4, 4)), make_so3_tables(2, 2))
        >>> F.coeffs.shape, bool(jnp.allclose(F.coeffs[0, 0, 1], 1.0, atol=1e-6))
        ((2, 2, 3), True)
    """
    _check_signal("f", f, tables)
    f = f.astype(tables.d.dtype)
    if _dft(fft) == "xla":
        bins = _first(jnp.fft.rfft2(f), tables.L, tables.b)
        bins = _orders(bins, tables)
        parts = _parts(bins)
    else:
        parts = _dft_orders(_real_dft(f, tables.L, tables.b), tables, inverse=False)
    parts = parts * tables.weights[:, None, None, None]
    coeffs = jnp.einsum("nmlk,...knmc->...lmnc", tables.d, parts, precision=EXACT)
    return SO3Spectrum(jax.lax.complex(coeffs[..., 0], coeffs[..., 1]))


@functools.partial(jax.jit, static_argnames="fft")
def so3_synthesis(
    F: SO3Spectrum, tables: SO3Tables, *, fft: Dft | None = None
) -> Float[Array, "*batch k i j"]:
    """Signals on the grid, ``f(R) = Σ_l (2l+1) Σ_{mn} F^l_{mn} conj(D^l_{mn}(R))``.

    Args:
        F: spectrum with the degrees and orders of ``tables``.
        tables: from :func:`~jaxlab.spherical.make_so3_tables`.
        fft: as in :func:`s2_analysis`.

    Returns:
        Samples ``[..., β, γ, α]`` in the precision of ``tables``.

    Raises:
        ValueError: if ``F`` is not a spectrum of the rotation group of the sizes of ``tables``.

    Cost:
        O(b³ log b + b L² n_max) a signal.

    Example:
        >>> from jaxlab.spherical import make_so3_tables
        >>> tables = make_so3_tables(2, 1)
        >>> F = SO3Spectrum(jnp.full((1, 1, 1), 3.0 + 0j))
        >>> bool(jnp.allclose(so3_synthesis(F, tables), 3.0))
        True
    """
    check_spectrum("F", F, SO3Spectrum)
    _check_degrees(F, tables)
    require(F.n_max == tables.n_max, "F", F.coeffs, f"n_max = {tables.n_max}, as in tables")
    parts = _parts(F.coeffs * _dimensions(tables)[:, None, None])
    parts = jnp.einsum("nmlk,...lmnc->...knmc", tables.d, parts, precision=EXACT)
    if _dft(fft) == "matmul":
        return _real_idft(_dft_orders(parts, tables, inverse=True), tables.b)
    bins = _pad(jax.lax.complex(parts[..., 0], parts[..., 1]), tables.b + 1)
    bins = _scatter_orders(bins, tables)
    size = (tables.gamma_size, 2 * tables.b)
    return jnp.fft.irfft2(bins, s=size) * (size[0] * size[1])


@functools.partial(jax.jit, static_argnames="grid")
def s2_integrate(f: Float[Array, "*batch k j"], grid: Grid = "soft") -> Float[Array, "*batch"]:
    """Mean of a signal over the sphere, which no rotation changes.

    Args:
        f: samples ``[..., β, α]``.
        grid: kind of grid.

    Returns:
        One number for each signal, in its units.

    Raises:
        ValueError: if the two last axes are no grid of that kind.

    Cost:
        O(b²) a signal.

    Example:
        >>> round(float(s2_integrate(jnp.ones((6, 6)))), 6)
        1.0
    """
    return _integrate(f, grid, "s2", ("β", "α"))


@functools.partial(jax.jit, static_argnames="grid")
def so3_integrate(f: Float[Array, "*batch k i j"], grid: Grid = "soft") -> Float[Array, "*batch"]:
    """Mean of a signal over the rotation group, which no rotation changes.

    Args:
        f: samples ``[..., β, γ, α]``; γ may have fewer samples than α.
        grid: kind of grid.

    Returns:
        One number for each signal, in its units.

    Raises:
        ValueError: if the three last axes are no grid of that kind.

    Cost:
        O(b³) a signal.

    Example:
        >>> round(float(so3_integrate(jnp.ones((6, 6, 6)))), 6)
        1.0
    """
    return _integrate(f, grid, "so3", ("β", "γ", "α"))


def _integrate(f: Any, grid: Grid, group: Any, axes: tuple[str, ...]) -> Array:
    check_shape("f", f, ("...", *axes))
    check_dtype("f", f, "floating")
    b = f.shape[-1] // 2
    size = b if grid == "gauss_legendre" else 2 * b
    fits = f.shape[-1] % 2 == 0 and f.shape[-len(axes)] == size
    require(fits, "f", f, f"axes [..., {', '.join(axes)}] of a {grid} grid: 2b longitudes")
    weights = quadrature_weights(b, grid)
    compute = jnp.promote_types(f.dtype, jnp.float32)
    ring = f.astype(compute).mean(axis=tuple(range(-len(axes) + 1, 0)))
    share = jnp.asarray(weights / weights.sum(), compute)
    return jnp.einsum("...k,k->...", ring, share, precision=EXACT).astype(f.dtype)


# --- azimuths ---------------------------------------------------------------------------------


def _dft(fft: Dft | None) -> Dft:
    if fft is None:
        return "matmul" if jax.default_backend() == "tpu" else "xla"
    check_choice("fft", fft, ("xla", "matmul"))
    return fft


def _first(bins: Complex[Array, "..."], L: int, b: int) -> Complex[Array, "..."]:
    """Orders ``0 … L−1`` of the last axis; those from ``b`` on are zero."""
    return _pad(bins[..., : min(L, b)], L)


def _pad(bins: Complex[Array, "..."], size: int) -> Complex[Array, "..."]:
    """Zeros at the end of the last axis, up to ``size``; what is beyond ``size`` is cut."""
    bins = bins[..., :size]
    return jnp.pad(bins, [(0, 0)] * (bins.ndim - 1) + [(0, size - bins.shape[-1])])


def _orders(bins: Complex[Array, "... i m"], tables: SO3Tables) -> Complex[Array, "... n m"]:
    """Orders ``n = −n_max+1 … n_max−1`` out of FFT order; orders from ``b`` on are zero."""
    known = min(tables.n_max, tables.b)
    negative = bins[..., bins.shape[-2] - (known - 1) :, :]
    bins = jnp.concatenate([negative, bins[..., :known, :]], axis=-2)
    extra = tables.n_max - known
    return jnp.pad(bins, [(0, 0)] * (bins.ndim - 2) + [(extra, extra), (0, 0)])


def _scatter_orders(
    bins: Complex[Array, "... n m"], tables: SO3Tables
) -> Complex[Array, "... i m"]:
    """Inverse of :func:`_orders`: into FFT order, with zeros between."""
    known = min(tables.n_max, tables.b)
    middle = tables.n_max - 1
    gap = tables.gamma_size - (2 * known - 1)
    zeros = jnp.zeros((*bins.shape[:-2], gap, bins.shape[-1]), bins.dtype)
    positive = bins[..., middle : middle + known, :]
    negative = bins[..., middle - known + 1 : middle, :]
    return jnp.concatenate([positive, zeros, negative], axis=-2)


def _real_dft(f: Float[Array, "... j"], L: int, b: int) -> Float[Array, "... m 2"]:
    """``Σ_j f_j exp(−imα_j)`` for ``m < L`` as products with the cosine and sine matrices."""
    angles = _phases(np.arange(L), 2 * b)
    basis = np.stack([np.cos(angles), -np.sin(angles)], axis=-1)
    basis[np.arange(L) >= b] = 0
    return jnp.einsum("...j,mjc->...mc", f, jnp.asarray(basis, f.dtype), precision=EXACT)


def _real_idft(parts: Float[Array, "... m 2"], b: int) -> Float[Array, "... j"]:
    """The real signal ``Σ_m X_m exp(imα_j)`` from the orders ``m ≥ 0``."""
    L = parts.shape[-2]
    angles = _phases(np.arange(L), 2 * b)
    twice = np.where(np.arange(L) == 0, 1.0, 2.0) * (np.arange(L) < b)
    basis = np.stack([np.cos(angles), -np.sin(angles)], axis=-1) * twice[:, None, None]
    return jnp.einsum("...mc,mjc->...j", parts, jnp.asarray(basis, parts.dtype), precision=EXACT)


def _dft_orders(
    parts: Float[Array, "... i m 2"], tables: SO3Tables, inverse: bool
) -> Float[Array, "... n m 2"]:
    """The transform over γ between samples and the orders ``|n| < n_max``, either way."""
    n = np.arange(-tables.n_max + 1, tables.n_max)
    angles = _phases(n, tables.gamma_size)
    known = (np.abs(n) < tables.b)[:, None]
    cos, sin = np.cos(angles) * known, np.sin(angles) * known
    if not inverse:
        sin = -sin
    turn = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], axis=-2)  # [n, i, 2, 2]
    spec = "...nmc,nicd->...imd" if inverse else "...imc,nicd->...nmd"
    return jnp.einsum(spec, parts, jnp.asarray(turn, parts.dtype), precision=EXACT)


def _phases(orders: np.ndarray, size: int) -> Float[np.ndarray, "m j"]:
    """``order · angle`` reduced exactly modulo a turn before it is scaled."""
    return 2 * np.pi / size * (np.outer(orders, np.arange(size)) % size)


# --- checks and shapes ------------------------------------------------------------------------


def _parts(values: Complex[Array, "..."]) -> Float[Array, "... 2"]:
    return jnp.stack([values.real, values.imag], axis=-1)


def _dimensions(tables: S2Tables | SO3Tables) -> Float[Array, " l"]:
    return jnp.asarray(2 * np.arange(tables.L) + 1, tables.d.dtype)


def _check_signal(argument: str, f: Any, tables: S2Tables | SO3Tables) -> None:
    require(not jnp.iscomplexobj(f), argument, f, "a real signal")
    check_dtype(argument, f, "floating")
    check_shape(argument, f, ("...", *tables.shape))
    fits = jnp.promote_types(f.dtype, tables.d.dtype) == tables.d.dtype
    require(fits, argument, f, f"at most the precision of tables, {tables.d.dtype}")


def _check_degrees(F: S2Spectrum | SO3Spectrum, tables: S2Tables | SO3Tables) -> None:
    require(tables.L == F.L, "F", F.coeffs, f"L = {tables.L} degrees, as in tables")
