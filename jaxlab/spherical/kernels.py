"""Fourier sums of localised kernels, which the equivariant layers multiply spectra with.

A kernel has values ``κ`` at the points of a :class:`~jaxlab.spherical.KernelGrid`; its spectrum is

    Y^l_n    = 2L Σ_g κ_g D^l_{n0}(α_g, β_g, 0)      on the sphere,
    Y^l_{mn} = Σ_g κ_g D^l_{mn}(g)                   on the rotation group,

without quadrature weights, which the parameters absorb. The sums are evaluated separably, over γ,
then α, then β, so that a table of one real number for each colatitude and coefficient is enough.

Source: Cohen, Geiger, Köhler and Welling, *Spherical CNNs*, ICLR 2018.
"""

import functools
import math
import operator
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlab.checks import check_dtype, check_integer, require
from jaxlab.spherical._azimuths import EXACT
from jaxlab.spherical._real_transforms import from_parts
from jaxlab.spherical.kernel_grids import KernelGrid
from jaxlab.spherical.spectra import S2Spectrum, SO3Spectrum
from jaxlab.spherical.tables import check_table_dtype
from jaxlab.spherical.wigner import degrees

__all__ = ["KernelTables", "make_kernel_tables", "s2_kernel_spectrum", "so3_kernel_spectrum"]


@flax.struct.dataclass
class KernelTables:
    """What the spectrum of a kernel needs.

    A PyTree. Its arrays are annotated ``Any``, because jax also puts tracers, shapes and None in
    their place.

    Attributes:
        d: ``d^l_{mn}(β)`` at ``[n + n_max − 1, m, l, β]``, ``m ≥ 0``; ``n = 0`` alone on the
            sphere.
        turn_alpha: multiplication by ``exp(−imα)``, or ``exp(−i(m−n)α)`` with shear, as a matrix
            on real and imaginary part, at ``[n + n_max − 1, m, :, :, α]``.
        turn_gamma: real and imaginary part of ``exp(−inγ')`` at ``[n + n_max − 1, :, γ']``.
        kgrid: the points.
        L: number of degrees.
        n_max: azimuthal bandlimit of what the kernel is convolved with, ``|n| < n_max``.
    """

    d: Any  # Float[Array, "n m l k"]
    turn_alpha: Any  # Float[Array, "n m 2 2 j"]
    turn_gamma: Any  # Float[Array, "n 2 i"]
    kgrid: KernelGrid = flax.struct.field(pytree_node=False)
    L: int = flax.struct.field(pytree_node=False)
    n_max: int = flax.struct.field(pytree_node=False)


def make_kernel_tables(
    kgrid: KernelGrid, L: int, dtype: Any = jnp.float32, *, n_max: int | None = None
) -> KernelTables:
    """Tables for the spectrum of a kernel; computed once for the same arguments.

    Args:
        kgrid: points of the kernel.
        L: number of degrees.
        dtype: float32, or float64 where jax has it enabled.
        n_max: azimuthal bandlimit of the signals that the kernel is convolved with, on the rotation
            group; None keeps all orders.

    Returns:
        The tables.

    Raises:
        ValueError: if ``L < 1``, ``n_max`` is outside ``1 … L`` or given for the sphere, or the
            dtype is another.

    Cost:
        ``itemsize · L (2·n_max − 1) (L n_beta + 4 n_alpha)`` bytes.

    Example:
        >>> from jaxlab.spherical.kernel_grids import near_identity_so3
        >>> make_kernel_tables(near_identity_so3(), 4).d.shape
        (7, 4, 4, 3)
    """
    check_integer("L", L, minimum=1)
    L = operator.index(L)
    dtype = check_table_dtype(dtype)
    if kgrid.gamma:
        n_max = L if n_max is None else n_max
        check_integer("n_max", n_max, minimum=1)
        n_max = operator.index(n_max)
        require(n_max <= L, "n_max", n_max, f"at most L = {L}")
    else:
        require(n_max is None, "n_max", n_max, "None for a kernel on the sphere")
        n_max = 1
    d, turn_alpha, turn_gamma = _tables(kgrid, L, n_max, dtype.name)
    return KernelTables(
        jnp.asarray(d), jnp.asarray(turn_alpha), jnp.asarray(turn_gamma), kgrid, L, n_max
    )


@jax.jit
def s2_kernel_spectrum(kappa: Float[Array, "*channels p"], kt: KernelTables) -> S2Spectrum:
    """Fourier sums of kernels on the sphere, ``Y^l_n = 2L Σ_g κ_g D^l_{n0}(α_g, β_g, 0)``.

    Args:
        kappa: values at the points, ``[..., n_points]``; usually ``[C_in, C_out, n_points]``.
        kt: from :func:`make_kernel_tables`, for a kernel on the sphere.

    Returns:
        ``Y^l_n`` at ``[..., l, n]``, ``n ≥ 0``.

    Raises:
        ValueError: if ``kappa`` has another number of points or ``kt`` is of the rotation group.

    Cost:
        O(L² n_beta + L n_points) a kernel.

    Example:
        >>> from jaxlab.spherical.kernel_grids import near_identity_s2
        >>> kt = make_kernel_tables(near_identity_s2(), 4)
        >>> s2_kernel_spectrum(jnp.ones((1, 2, 24)), kt).coeffs.shape
        (1, 2, 4, 4)
    """
    require(not kt.kgrid.gamma, "kt", kt.kgrid, "tables of a kernel on the sphere")
    return from_parts(2 * kt.L * kernel_parts(kappa, kt)[:, 0], S2Spectrum)


@jax.jit
def so3_kernel_spectrum(kappa: Float[Array, "*channels p"], kt: KernelTables) -> SO3Spectrum:
    """Fourier sums of kernels on the rotation group, ``Y^l_{mn} = Σ_g κ_g D^l_{mn}(g)``.

    Args:
        kappa: values at the points, ``[..., n_points]``; usually ``[C_in, C_out, n_points]``.
        kt: from :func:`make_kernel_tables`, for a kernel on the rotation group.

    Returns:
        ``Y^l_{mn}`` at ``[..., l, m, n + n_max − 1]``, ``m ≥ 0``.

    Raises:
        ValueError: if ``kappa`` has another number of points or ``kt`` is of the sphere.

    Cost:
        O(L n_max (L n_beta + n_beta n_alpha)) a kernel.

    Example:
        >>> from jaxlab.spherical.kernel_grids import near_identity_so3
        >>> kt = make_kernel_tables(near_identity_so3(), 4)
        >>> so3_kernel_spectrum(jnp.ones((1, 2, 192)), kt).coeffs.shape
        (1, 2, 4, 4, 7)
    """
    require(bool(kt.kgrid.gamma), "kt", kt.kgrid, "tables of a kernel on the rotation group")
    return from_parts(kernel_parts(kappa, kt), SO3Spectrum)


def kernel_parts(
    kappa: Float[Array, "*channels p"], kt: KernelTables, rows: slice = slice(None)
) -> Float[Array, "m n 2 l *channels"]:
    """Real and imaginary part of ``Σ_g κ_g D^l_{mn}(g)`` for some of the rows ``m ≥ 0``."""
    check_dtype("kappa", kappa, "floating")
    n_points = kt.kgrid.n_points
    require(kappa.shape[-1] == n_points, "kappa", kappa, f"{n_points} values, as kt has points")
    channels, d, turn = kappa.shape[:-1], kt.d[:, rows], kt.turn_alpha[:, rows]
    n, m, L, beta = d.shape
    alpha, gamma, size = turn.shape[-1], kt.turn_gamma.shape[-1], math.prod(channels)
    sums = kappa.astype(d.dtype).reshape(size, beta, alpha, gamma).T
    sums = sums.reshape(gamma, alpha * beta * size)
    sums = jnp.matmul(kt.turn_gamma.reshape(2 * n, gamma), sums, precision=EXACT)
    sums = sums.reshape(n, 2 * alpha, beta * size)
    sums = jnp.matmul(turn.reshape(n, 2 * m, 2 * alpha), sums, precision=EXACT)
    sums = sums.reshape(n, m, 2, beta, size)
    d = jnp.broadcast_to(d[:, :, None], (n, m, 2, L, beta))
    sums = jnp.matmul(d, sums, precision=EXACT).swapaxes(0, 1)
    return sums.reshape(m, n, 2, L, *channels)


@functools.lru_cache(maxsize=64)
def _tables(kgrid: KernelGrid, L: int, n_max: int, dtype: str) -> tuple[np.ndarray, ...]:
    m, n = np.arange(L), np.arange(-n_max + 1, n_max)
    d = np.stack(list(degrees(L, m, n, np.asarray(kgrid.beta)))).transpose(2, 1, 0, 3)
    orders = m[None, :] - (n[:, None] if kgrid.shear else 0 * n[:, None])
    angles = orders[..., None] * np.asarray(kgrid.alpha)
    cos, sin = np.cos(angles), np.sin(angles)
    turn_alpha = np.array([[cos, sin], [-sin, cos]]).transpose(2, 3, 0, 1, 4)
    angles = n[:, None] * np.asarray(kgrid.gamma or (0.0,))
    turn_gamma = np.stack([np.cos(angles), -np.sin(angles)], axis=1)
    tables = tuple(np.ascontiguousarray(x, dtype) for x in (d, turn_alpha, turn_gamma))
    for table in tables:
        table.flags.writeable = False
    return tables
