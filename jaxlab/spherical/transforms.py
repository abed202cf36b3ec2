"""Fast Fourier transforms on the sphere and on the rotation group.

By separation of variables: a Fourier transform over the azimuths, then for each pair of
orders a small matrix product over the colatitudes with a table of Wigner's d. Every step is a real
matrix product or an FFT, so forward, gradient and batches run at library speed on any device.

Source: Kostelec and Rockmore, *FFTs on the rotation group*, 2008; for their use in networks Cohen,
Geiger, Köhler and Welling, *Spherical CNNs*, ICLR 2018.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.checks import check_dtype, check_shape, require
from jaxlab.spherical._azimuths import EXACT
from jaxlab.spherical._real_transforms import (
    from_parts,
    s2_forward,
    s2_inverse,
    so3_forward,
    so3_inverse,
    to_parts,
)
from jaxlab.spherical.grids import quadrature_weights
from jaxlab.spherical.spectra import S2Spectrum, SO3Spectrum, check_spectrum
from jaxlab.spherical.tables import S2Tables, SO3Tables, check_precision
from jaxlab.spherical.types import Dft, Grid

__all__ = [
    "s2_analysis",
    "s2_integrate",
    "s2_synthesis",
    "so3_analysis",
    "so3_integrate",
    "so3_synthesis",
]


@functools.partial(jax.jit, static_argnames="fft")
def s2_analysis(
    f: Float[Array, "*batch k j"], tables: S2Tables, *, fft: Dft | None = None
) -> S2Spectrum:
    """Coefficients ``F^l_m = ∫ f(β, α) d^l_{m0}(β) exp(−imα)`` of signals on the sphere.

    Args:
        f: samples ``[..., β, α]`` on the grid of ``tables``; float16 and bfloat16 are transformed
            in float32.
        tables: from :func:`~jaxlab.spherical.make_s2_tables`.
        fft: ``"xla"`` for XLA's FFT, ``"matmul"`` for products with DFT matrices; None takes the
            faster on jax's default backend: ``"matmul"`` on TPUs, and on CPUs up to ``b = 64``.

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
    _check_signal("f", f, tables, S2Tables)
    return from_parts(s2_forward(f, tables, fft), S2Spectrum)


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
    _check_degrees(F, tables, S2Tables)
    return s2_inverse(to_parts(F).astype(tables.d.dtype), tables, fft)


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
    _check_signal("f", f, tables, SO3Tables)
    return from_parts(so3_forward(f, tables, fft), SO3Spectrum)


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
    _check_degrees(F, tables, SO3Tables)
    require(F.n_max == tables.n_max, "F", F.coeffs, f"n_max = {tables.n_max}, as in tables")
    return so3_inverse(to_parts(F).astype(tables.d.dtype), tables, fft)


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
    fits = b > 0 and f.shape[-1] == 2 * b and f.shape[-len(axes)] == size and f.shape[-2] > 0
    require(fits, "f", f, f"axes [..., {', '.join(axes)}] of a {grid} grid: 2b longitudes")
    weights = quadrature_weights(b, grid)
    compute = jnp.promote_types(f.dtype, jnp.float32)
    ring = f.astype(compute).mean(axis=tuple(range(-len(axes) + 1, 0)))
    share = jnp.asarray(weights / weights.sum(), compute)
    return jnp.einsum("...k,k->...", ring, share, precision=EXACT).astype(f.dtype)


# --- checks and shapes ------------------------------------------------------------------------


def _check_signal(argument: str, f: Any, tables: Any, kind: type) -> None:
    require(isinstance(tables, kind), "tables", type(tables), kind.__name__)
    require(not jnp.iscomplexobj(f), argument, f, "a real signal")
    check_dtype(argument, f, "floating")
    check_shape(argument, f, ("...", *tables.shape))
    check_precision(argument, f, tables.d.dtype)


def _check_degrees(F: S2Spectrum | SO3Spectrum, tables: Any, kind: type) -> None:
    require(isinstance(tables, kind), "tables", type(tables), kind.__name__)
    require(tables.L == F.L, "F", F.coeffs, f"L = {tables.L} degrees, as in tables")
