"""Equivariant linear layers from the sphere to the rotation group, and on the rotation group.

With values ``κ_g`` at the points ``g`` of the kernel and a scale ``s``, for bandlimited signals,

    lifting        z_o(R) = s·2b_out Σ_{i,g} κ_{io,g} f_i(R x_g) + bias_o,    x_g = g·(north pole)
    on SO(3)       z_o(R) = s Σ_{i,g} κ_{io,g} f_i(R g) + bias_o

so that turning the input, ``f(x) → f(Q⁻¹x)``, turns the output. All of it is computed on spectra,
where each sum over ``g`` is a matrix product for each degree. The scale, ``1/√(n_points C_in …)``,
keeps the size of signals and stands outside the parameters, so that these are of order 1, which is
what Adam's steps are made for.

Source: Cohen, Geiger, Köhler and Welling, *Spherical CNNs*, ICLR 2018, sections 3 and 4; scales and
start values are those of its published code.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxlab.checks import check_key, require
from jaxlab.spherical._layers import (
    ConvParams,
    add_bias,
    batch_first,
    channels_last,
    check_layer,
    conv_init,
    layer_scale,
)
from jaxlab.spherical._products import lifting_product, so3_product
from jaxlab.spherical._real_transforms import s2_forward, so3_forward, so3_inverse
from jaxlab.spherical.kernel_grids import KernelGrid
from jaxlab.spherical.kernels import KernelTables, kernel_parts
from jaxlab.spherical.tables import S2Tables, SO3Tables
from jaxlab.spherical.types import Dft

__all__ = [
    "ConvParams",
    "s2_conv_apply",
    "s2_conv_init",
    "so3_conv_apply",
    "so3_conv_init",
]


def s2_conv_init(
    key: Key[Array, ""],
    channels_in: int,
    channels_out: int,
    kgrid: KernelGrid,
    dtype: Any = jnp.float32,
) -> ConvParams:
    """Start values of a lifting layer: ``κ ~ U(−1, 1)``, no bias.

    Args:
        key: PRNG key.
        channels_in: number of channels of the input.
        channels_out: number of channels of the output.
        kgrid: points of the kernel, on the sphere.
        dtype: of the parameters.

    Returns:
        The parameters.

    Raises:
        ValueError: if a number of channels is below 1 or ``kgrid`` is of the rotation group.

    Cost:
        Linear in the number of parameters.

    Example:
        >>> from jaxlab.spherical.kernel_grids import near_identity_s2
        >>> s2_conv_init(jax.random.key(0), 1, 8, near_identity_s2()).kernel.shape
        (1, 8, 24)
    """
    check_key("key", key)
    require(not kgrid.gamma, "kgrid", kgrid, "points on the sphere")
    return conv_init(key, channels_in, channels_out, kgrid.n_points, dtype)


@functools.partial(jax.jit, static_argnames=("fft",))
def s2_conv_apply(
    params: ConvParams,
    x: Float[Array, "*batch c k j"],
    tables_in: S2Tables,
    tables_out: SO3Tables,
    kernel_tables: KernelTables,
    *,
    fft: Dft | None = None,
) -> Float[Array, "*batch o l i m"]:
    """Lifting: correlation on the sphere, a signal on the rotation group.

    ``Z^l_{mn,o} = s·2b_out Σ_{i,g} κ_{io,g} X^l_{m,i} conj(D^l_{n0}(g))``,
    ``s = 1/√(n_points · C_in · b_out⁴/b_in²)``: the spectrum of
    :func:`~jaxlab.spherical.s2_kernel_spectrum` has ``2L`` in place of ``2b_out``, which is as much
    unless ``b_out > b_in``.

    Args:
        params: from :func:`s2_conv_init`.
        x: signals ``[..., C_in, β, α]``.
        tables_in: from :func:`~jaxlab.spherical.make_layer_tables`, as the two following.
        tables_out: of the output's grid.
        kernel_tables: of the kernel.
        fft: as in :func:`~jaxlab.spherical.s2_analysis`.

    Returns:
        Signals ``[..., C_out, β, γ, α]`` in the dtype of ``x``.

    Raises:
        ValueError: if tables are of other degrees, kinds or sizes than each other, ``x`` or
            ``params``, or ``x`` is not floating or more precise than ``tables_in``.

    Cost:
        Of the transforms; and O(C_in C_out L³) an entry of the batch.

    Source:
        Cohen, Geiger, Köhler and Welling 2018, sections 3 and 4.

    Example:
        >>> from jaxlab.spherical.kernel_grids import near_identity_s2
        >>> from jaxlab.spherical.layer_tables import make_layer_tables
        >>> kgrid = near_identity_s2()
        >>> tables = make_layer_tables("s2_to_so3", 4, 2, kgrid)
        >>> params = s2_conv_init(jax.random.key(0), 1, 3, kgrid)
        >>> s2_conv_apply(params, jnp.ones((5, 1, 8, 8)), *tables).shape
        (5, 3, 4, 4, 4)
    """
    check_layer(params, x, tables_in, tables_out, kernel_tables, (S2Tables, SO3Tables))
    X, batch = channels_last(s2_forward, x, tables_in, fft)
    # as published: the degrees of the output's grid count, also those that the input has not
    scale = 2 * tables_out.b * layer_scale(params, tables_in.b**2 / tables_out.b**4)
    Y = kernel_parts(scale * params.kernel.swapaxes(0, 1), kernel_tables)[:, 0]
    Z = lifting_product(X, Y, n_max=tables_out.n_max)
    y = so3_inverse(add_bias(Z, params.bias), tables_out, fft)
    return batch_first(y, batch, x.dtype)


def so3_conv_init(
    key: Key[Array, ""],
    channels_in: int,
    channels_out: int,
    kgrid: KernelGrid,
    dtype: Any = jnp.float32,
) -> ConvParams:
    """Start values of a layer on the rotation group: ``κ ~ U(−1, 1)``, no bias.

    Args:
        key: PRNG key.
        channels_in: number of channels of the input.
        channels_out: number of channels of the output.
        kgrid: points of the kernel, on the rotation group.
        dtype: of the parameters.

    Returns:
        The parameters.

    Raises:
        ValueError: if a number of channels is below 1 or ``kgrid`` is of the sphere.

    Cost:
        Linear in the number of parameters.

    Example:
        >>> from jaxlab.spherical.kernel_grids import near_identity_so3
        >>> so3_conv_init(jax.random.key(0), 3, 8, near_identity_so3()).kernel.shape
        (3, 8, 192)
    """
    check_key("key", key)
    require(bool(kgrid.gamma), "kgrid", kgrid, "points on the rotation group")
    return conv_init(key, channels_in, channels_out, kgrid.n_points, dtype)


@functools.partial(jax.jit, static_argnames=("num_buckets", "fft"))
def so3_conv_apply(
    params: ConvParams,
    x: Float[Array, "*batch c k i j"],
    tables_in: SO3Tables,
    tables_out: SO3Tables,
    kernel_tables: KernelTables,
    *,
    num_buckets: int | None = None,
    fft: Dft | None = None,
) -> Float[Array, "*batch o l n m"]:
    """Correlation on the rotation group.

    ``Z^l_{mn,o} = s Σ_{i,k} X^l_{mk,i} conj(Y^l_{nk,io})``,
    ``s = 1/√(n_points · C_in · b_out³/b_in³)``.

    Args:
        params: from :func:`so3_conv_init`.
        x: signals ``[..., C_in, β, γ, α]``.
        tables_in: from :func:`~jaxlab.spherical.make_layer_tables`, as the two following.
        tables_out: of the output's grid.
        kernel_tables: of the kernel.
        num_buckets: how many groups of neighbouring degrees are multiplied at once. ``L``
            multiplies blocks of their exact size, 1 pads all to the largest; None takes L/4, but at
            least 4.
        fft: as in :func:`~jaxlab.spherical.s2_analysis`.

    Returns:
        Signals ``[..., C_out, β, γ, α]`` in the dtype of ``x``.

    Raises:
        ValueError: if tables are of other degrees, kinds or sizes than each other, ``x`` or
            ``params``, or ``x`` is not floating or more precise than ``tables_in``.

    Cost:
        Of the transforms; and O(C_in C_out L⁴) an entry of the batch.

    Source:
        Cohen, Geiger, Köhler and Welling 2018, sections 3 and 4.

    Example:
        >>> from jaxlab.spherical.kernel_grids import near_identity_so3
        >>> from jaxlab.spherical.layer_tables import make_layer_tables
        >>> kgrid = near_identity_so3()
        >>> tables = make_layer_tables("so3_to_so3", 2, 3, kgrid)
        >>> params = so3_conv_init(jax.random.key(0), 1, 3, kgrid)
        >>> so3_conv_apply(params, jnp.ones((5, 1, 4, 4, 4)), *tables).shape
        (5, 3, 6, 6, 6)
    """
    check_layer(params, x, tables_in, tables_out, kernel_tables, (SO3Tables, SO3Tables))
    X, batch = channels_last(so3_forward, x, tables_in, fft)
    scale = layer_scale(params, (tables_in.b / tables_out.b) ** 3)
    rows = slice(0, tables_out.n_max)
    Y = kernel_parts(scale * params.kernel.swapaxes(0, 1), kernel_tables, rows)
    Z = so3_product(X, Y, num_buckets=num_buckets)
    y = so3_inverse(add_bias(Z, params.bias), tables_out, fft)
    return batch_first(y, batch, x.dtype)
