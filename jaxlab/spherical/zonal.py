"""Convolutions with kernels that are symmetric about the pole: the cheap equivariant layer.

    Z^l_m = Σ_i h^l_{io} X^l_{m,i}

stays on the sphere and costs no more than a transform, but a kernel of which only a profile in the
distance is free cannot tell directions apart. The profile's spectrum ``h^l`` is interpolated
linearly in the degree between a few knots, so that kernels are localised and the number of
parameters does not grow with the bandlimit.

Source: Esteves, Allen-Blanchette, Makadia and Daniilidis, *Learning SO(3) Equivariant
Representations with Spherical CNNs*, ECCV 2018, section 4.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from jaxlab.checks import check_integer, check_key, check_shape, require
from jaxlab.spherical._azimuths import EXACT
from jaxlab.spherical.spectra import S2Spectrum
from jaxlab.spherical.tables import S2Tables
from jaxlab.spherical.transforms import s2_analysis, s2_synthesis
from jaxlab.spherical.types import Dft

__all__ = ["ZonalParams", "s2_zonal_conv_apply", "s2_zonal_conv_init"]


class ZonalParams(NamedTuple):
    """Parameters of a zonal convolution.

    Attributes:
        knots: spectrum of the profile at degrees spread evenly over those of the layer.
        bias: added to each output channel, in the units of the signal.
    """

    knots: Float[Array, "i o q"]
    bias: Float[Array, " o"]


def s2_zonal_conv_init(
    key: Key[Array, ""],
    channels_in: int,
    channels_out: int,
    *,
    num_knots: int = 8,
    dtype: Any = jnp.float32,
) -> ZonalParams:
    """Start values: knots uniform in ±1, no bias.

    Args:
        key: PRNG key.
        channels_in: number of channels of the input.
        channels_out: number of channels of the output.
        num_knots: degrees at which the spectrum is free; with as many as the layer has degrees,
            all of it is.
        dtype: of the parameters.

    Returns:
        The parameters.

    Raises:
        ValueError: if a number is below 1.

    Cost:
        Linear in the number of parameters.

    Example:
        >>> s2_zonal_conv_init(jax.random.key(0), 1, 8).knots.shape
        (1, 8, 8)
    """
    check_key("key", key)
    check_integer("channels_in", channels_in, minimum=1)
    check_integer("channels_out", channels_out, minimum=1)
    check_integer("num_knots", num_knots, minimum=1)
    shape = (channels_in, channels_out, num_knots)
    knots = jax.random.uniform(key, shape, dtype, minval=-1, maxval=1)
    return ZonalParams(knots, jnp.zeros(channels_out, dtype))


@functools.partial(jax.jit, static_argnames="fft")
def s2_zonal_conv_apply(
    params: ZonalParams,
    x: Float[Array, "*batch c k j"],
    tables_in: S2Tables,
    tables_out: S2Tables,
    *,
    fft: Dft | None = None,
) -> Float[Array, "*batch o l m"]:
    """Convolution on the sphere with zonal kernels, ``Z^l_m = s Σ_i h^l_{io} X^l_{m,i}``.

    The scale ``s = √(3/C_in)`` keeps the size of signals and stands outside the parameters.

    Args:
        params: from :func:`s2_zonal_conv_init`.
        x: signals ``[..., C_in, β, α]``.
        tables_in: from :func:`~jaxlab.spherical.make_s2_tables`, for the input's grid.
        tables_out: the same for the output's grid, with as many degrees.
        fft: as in :func:`~jaxlab.spherical.s2_analysis`.

    Returns:
        Signals ``[..., C_out, β, α]`` in the dtype of ``x``.

    Raises:
        ValueError: if tables are of other degrees or sizes than each other, ``x`` or ``params``.

    Cost:
        Of the transforms; and O(C_in C_out L²) an entry of the batch.

    Source:
        Esteves et al. 2018, section 4.

    Example:
        >>> from jaxlab.spherical import make_s2_tables
        >>> params = s2_zonal_conv_init(jax.random.key(0), 1, 3)
        >>> tables = make_s2_tables(4, 3), make_s2_tables(3, 3)
        >>> s2_zonal_conv_apply(params, jnp.ones((5, 1, 8, 8)), *tables).shape
        (5, 3, 6, 6)
    """
    check_shape("params.knots", params.knots, ("C_in", "C_out", "knots"))
    channels, channels_out, num_knots = params.knots.shape
    check_shape("params.bias", params.bias, (channels_out,))
    for name, tables in (("tables_in", tables_in), ("tables_out", tables_out)):
        require(isinstance(tables, S2Tables), name, type(tables), "S2Tables")
    check_shape("x", x, ("...", channels, *tables_in.shape))
    L = tables_in.L
    require(tables_out.L == L, "tables_out", tables_out.L, f"L = {L}, as tables_in")
    X = s2_analysis(x, tables_in, fft=fft).coeffs
    mix = jnp.asarray(_interpolation(num_knots, L), X.real.dtype)
    h = math.sqrt(3 / channels) * jnp.einsum("ioq,ql->iol", params.knots, mix, precision=EXACT)
    parts = jnp.stack([X.real, X.imag])
    Z = jnp.einsum("z...ilm,iol->z...olm", parts, h.astype(parts.dtype), precision=EXACT)
    y = s2_synthesis(S2Spectrum(jax.lax.complex(Z[0], Z[1])), tables_out, fft=fft)
    return (y + params.bias.astype(y.dtype)[:, None, None]).astype(x.dtype)


def _interpolation(num_knots: int, L: int) -> Float[np.ndarray, "q l"]:
    """What each knot, at degrees spread evenly over ``0 … L−1``, gives to each degree."""
    at = np.linspace(0, num_knots - 1, L) if L > 1 else np.zeros(1)
    return np.stack([np.interp(at, np.arange(num_knots), row) for row in np.eye(num_knots)])
