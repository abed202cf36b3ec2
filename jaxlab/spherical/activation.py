"""Pointwise nonlinearities evaluated on a finer grid than the signal's.

A nonlinearity makes degrees above those of its argument, and on the signal's own grid they come
back as wrong lower ones: that aliasing, not the transforms, is what limits how equivariant a
network is. On a grid of ``r`` times the bandwidth the lowest of them are told apart and dropped.
What remains falls with ``r`` as the spectrum of the nonlinearity's output does: fast for smooth
functions, slowly for ReLU. A square is free of aliasing, hence exactly equivariant, from
``r = 1.5`` on.
"""

import math
from collections.abc import Callable
from typing import Any, get_args

import flax.struct
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.checks import check_choice, check_dtype, check_scalar, require
from jaxlab.spherical.tables import (
    S2Tables,
    SO3Tables,
    check_sizes,
    make_s2_tables,
    make_so3_tables,
)
from jaxlab.spherical.transforms import (
    s2_analysis,
    s2_synthesis,
    so3_analysis,
    so3_synthesis,
)
from jaxlab.spherical.types import Dft, Grid, Group

__all__ = ["ActivationTables", "make_activation_tables", "spectral_activation"]


@flax.struct.dataclass
class ActivationTables:
    """Tables of the signal's grid and of the grid on which the nonlinearity is evaluated.

    Attributes:
        signal: tables of the signal's grid.
        fine: tables of the finer grid, for the same degrees and orders.
    """

    signal: S2Tables | SO3Tables
    fine: S2Tables | SO3Tables


def make_activation_tables(
    b: int,
    L: int,
    oversample: int | float,
    group: Group = "so3",
    *,
    n_max: int | None = None,
    grid: Grid = "soft",
    dtype: Any = jnp.float32,
    max_table_bytes: int = 2 * 1024**3,
) -> ActivationTables | None:
    """Tables for :func:`spectral_activation` on a grid of bandwidth ``ceil(oversample · L)``.

    Args:
        b: bandwidth of the signal's grid.
        L: number of degrees of the signal, at most ``b``.
        oversample: ratio ``r`` of the bandwidths, at least 1.
        group: ``"s2"`` or ``"so3"``.
        n_max: azimuthal bandlimit of the signal, on the rotation group only; the finer grid then
            has ``2 ceil(oversample · n_max)`` samples in γ.
        grid: kind of both grids.
        dtype: float32, or float64 where jax has it enabled.
        max_table_bytes: largest table that is made.

    Returns:
        The tables, or None where ``oversample`` is 1 and the signal's own grid will do.

    Raises:
        ValueError: if ``oversample < 1``, ``n_max`` is given for the sphere, or as
            :func:`~jaxlab.spherical.make_so3_tables`.

    Cost:
        ``(b + r L)/b`` times that of the signal's own tables.

    Example:
        >>> make_activation_tables(4, 4, 1.5, "s2").fine.shape
        (12, 12)
    """
    check_scalar("oversample", oversample, minimum=1)
    check_choice("group", group, get_args(Group))
    require(group == "so3" or n_max is None, "n_max", n_max, "None on the sphere")
    b, L, n_max, dtype = check_sizes(b, L, n_max, grid, dtype)
    if oversample == 1:
        return None
    sizes = (b, math.ceil(oversample * L))
    if group == "s2":
        return ActivationTables(
            *(make_s2_tables(b, L, grid, dtype, max_table_bytes=max_table_bytes) for b in sizes)
        )
    signal, fine = (
        make_so3_tables(b, L, n_max, grid, dtype, max_table_bytes=max_table_bytes) for b in sizes
    )
    if n_max is not None:
        gamma_size = 2 * math.ceil(oversample * n_max)
        weights = fine.weights * (fine.gamma_size / gamma_size)
        fine = fine.replace(gamma_size=gamma_size, weights=weights)  # type: ignore[attr-defined]
    return ActivationTables(signal, fine)


def spectral_activation(
    x: Float[Array, "..."],
    fn: Callable[[Float[Array, "..."]], Float[Array, "..."]],
    tables: ActivationTables | None = None,
    *,
    fft: Dft | None = None,
) -> Float[Array, "..."]:
    """Apply a pointwise function to signals, on a finer grid where ``tables`` are given.

    ``S_b A fn(S_b' A x)`` with ``A`` the analysis into ``L`` degrees and ``S_b`` the synthesis on a
    grid of bandwidth ``b``; without tables just ``fn(x)``.

    Args:
        x: signals ``[..., β, α]`` or ``[..., β, γ, α]`` on the grid of ``tables.signal``; degrees
            from ``L`` on are dropped.
        fn: pointwise function, such as ``jax.nn.relu``; static.
        tables: from :func:`make_activation_tables`; None evaluates ``fn`` on the grid of ``x``.
        fft: as in :func:`~jaxlab.spherical.s2_analysis`.

    Returns:
        Signals like ``x``, with fewer than ``L`` degrees where ``tables`` are given.

    Raises:
        ValueError: if ``x`` is not on the grid of ``tables.signal``, or ``fn`` changes the shape.

    Cost:
        Four transforms, two of them on the finer grid: on the rotation group O((r L)³ log L + r L⁴)
        a signal.

    Example:
        >>> tables = make_activation_tables(4, 2, 1.5, "s2")
        >>> import jax
        >>> activate = jax.jit(spectral_activation, static_argnames="fn")
        >>> y = activate(jnp.full((8, 8), -3.0), jnp.square, tables)
        >>> y.shape, round(float(y[0, 0]), 3)
        ((8, 8), 9.0)
    """
    check_dtype("x", x, "floating")
    if tables is None:
        return _pointwise(x, fn)
    if isinstance(tables.signal, S2Tables) and isinstance(tables.fine, S2Tables):
        F = s2_analysis(x, tables.signal, fft=fft)
        values = _pointwise(s2_synthesis(F, tables.fine, fft=fft), fn)
        F = s2_analysis(values, tables.fine, fft=fft)
        return s2_synthesis(F, tables.signal, fft=fft).astype(x.dtype)
    G = so3_analysis(x, tables.signal, fft=fft)
    values = _pointwise(so3_synthesis(G, tables.fine, fft=fft), fn)
    G = so3_analysis(values, tables.fine, fft=fft)
    return so3_synthesis(G, tables.signal, fft=fft).astype(x.dtype)


def _pointwise(
    x: Float[Array, "..."], fn: Callable[[Float[Array, "..."]], Float[Array, "..."]]
) -> Float[Array, "..."]:
    y = fn(x.astype(jnp.promote_types(x.dtype, jnp.float32)))
    require(y.shape == x.shape, "fn", y, "a pointwise function: an output of the input's shape")
    return y.astype(x.dtype)
