"""The three tables of an equivariant layer: of its input, of its output and of its kernel.

A layer from a grid of bandwidth ``b_in`` to one of ``b_out`` works on the degrees that both have,
``L = min(b_in, b_out)``: going down it drops degrees, going up the new ones are zero.
"""

import operator
from typing import Any, NamedTuple, get_args

import jax.numpy as jnp

from jaxlab.checks import check_choice, check_integer, require
from jaxlab.spherical.kernel_grids import KernelGrid
from jaxlab.spherical.kernels import KernelTables, make_kernel_tables
from jaxlab.spherical.tables import S2Tables, SO3Tables, make_s2_tables, make_so3_tables
from jaxlab.spherical.types import Grid, LayerKind, Upsampling

__all__ = ["LayerTables", "make_layer_tables"]


class LayerTables(NamedTuple):
    """Tables of one layer, in the order in which the layers take them.

    Attributes:
        tables_in: of the transform of the input.
        tables_out: of the transform of the output.
        kernel_tables: of the kernel.
    """

    tables_in: S2Tables | SO3Tables
    tables_out: S2Tables | SO3Tables
    kernel_tables: KernelTables


def make_layer_tables(
    kind: LayerKind,
    b_in: int,
    b_out: int,
    kgrid: KernelGrid,
    *,
    n_max_in: int | None = None,
    n_max_out: int | None = None,
    grid_in: Grid = "soft",
    grid_out: Grid = "soft",
    dtype: Any = jnp.float32,
    upsample: Upsampling = "zero_pad",
    max_table_bytes: int = 2 * 1024**3,
) -> LayerTables:
    """Tables of a layer; equal arguments share the work, done once.

    Args:
        kind: ``"s2_to_so3"`` for :func:`~jaxlab.spherical.s2_conv_apply`, ``"so3_to_so3"`` for
            :func:`~jaxlab.spherical.so3_conv_apply` (and the shortcut beside it), ``"so3_to_s2"``
            for :func:`~jaxlab.spherical.so3_to_s2_apply`.
        b_in: bandwidth of the input's grid.
        b_out: bandwidth of the output's grid.
        kgrid: points of the kernel.
        n_max_in: azimuthal bandlimit of an input on the rotation group, which then has
            ``2·n_max_in`` samples in γ; None for all ``2·b_in``.
        n_max_out: the same of an output on the rotation group.
        grid_in: kind of the input's grid.
        grid_out: kind of the output's grid.
        dtype: float32, or float64 where jax has it enabled.
        upsample: what happens to the degrees from ``b_in`` on where ``b_out > b_in``.
            ``"zero_pad"`` makes them zero, and the layer equivariant. ``"aliased"`` computes them
            from a quadrature that is too coarse for them, as the published code does, whose
            outputs are then reproduced and whose equivariance is lost.
        max_table_bytes: largest table that is made.

    Returns:
        The tables, to be passed on as ``*tables``.

    Raises:
        ValueError: for an unknown name, a size out of range, a kernel on the other space, an
            azimuthal bandlimit for a signal on the sphere, or a table above ``max_table_bytes``.

    Cost:
        That of :func:`~jaxlab.spherical.make_so3_tables`.

    Example:
        >>> from jaxlab.spherical.kernel_grids import near_identity_so3
        >>> tables = make_layer_tables("so3_to_so3", 4, 6, near_identity_so3())
        >>> tables.tables_in.L, tables.tables_out.shape
        (4, (12, 12, 12))
    """
    check_choice("kind", kind, get_args(LayerKind))
    check_choice("upsample", upsample, get_args(Upsampling))
    check_integer("b_in", b_in, minimum=1)
    check_integer("b_out", b_out, minimum=1)
    b_in, b_out = operator.index(b_in), operator.index(b_out)
    require(
        bool(kgrid.gamma) == (kind != "s2_to_so3"), "kgrid", kgrid, "points on the input's space"
    )
    aliased = upsample == "aliased"
    L = b_out if aliased else min(b_in, b_out)
    options = {"dtype": dtype, "max_table_bytes": max_table_bytes}
    tables_in: S2Tables | SO3Tables
    tables_out: S2Tables | SO3Tables
    if kind == "s2_to_so3":
        require(n_max_in is None, "n_max_in", n_max_in, "None for an input on the sphere")
        tables_in = make_s2_tables(
            b_in, L, grid_in, **options, upsample="aliased" if aliased else "refuse"
        )
    else:
        tables_in = _so3_tables(b_in, L, n_max_in, grid_in, aliased, options)
    if kind == "so3_to_s2":
        require(n_max_out is None, "n_max_out", n_max_out, "None for an output on the sphere")
        tables_out = make_s2_tables(b_out, L, grid_out, **options)
    else:
        tables_out = _so3_tables(b_out, L, n_max_out, grid_out, False, options)
    n_max = tables_in.n_max if isinstance(tables_in, SO3Tables) else None
    return LayerTables(tables_in, tables_out, make_kernel_tables(kgrid, L, dtype, n_max=n_max))


def _so3_tables(
    b: int, L: int, n_max: int | None, grid: Grid, aliased: bool, options: dict[str, Any]
) -> SO3Tables:
    """Tables for signals of azimuthal bandlimit ``n_max``, which may exceed the degrees in use."""
    upsample: Any = "aliased" if aliased else "refuse"
    if n_max is None:
        return make_so3_tables(b, L, None, grid, **options, upsample=upsample)
    check_integer("n_max", n_max, minimum=1)
    n_max = operator.index(n_max)
    require(n_max <= b, "n_max", n_max, f"at most the bandwidth b = {b}")
    orders = min(n_max, L)
    tables = make_so3_tables(b, L, orders, grid, **options, upsample=upsample)
    # a mean over more angles γ: each sample weighs less
    weights = tables.weights * (orders / n_max)
    return tables.replace(gamma_size=2 * n_max, weights=weights)  # type: ignore[attr-defined]
