"""The path beside a layer on the rotation group, for residual networks.

``z_o(R) = s Σ_i κ_{io} f_i(R) + bias_o``: a convolution whose kernel is one point, the identity. It
mixes channels and changes the bandlimit.

Source: the published code of Cohen, Geiger, Köhler and Welling, *Spherical CNNs*, ICLR 2018.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxlab.checks import check_integer, check_key, check_shape
from jaxlab.spherical._azimuths import EXACT
from jaxlab.spherical._layers import (
    ConvParams,
    add_bias,
    batch_first,
    channels_last,
    check_layer,
    conv_init,
    layer_scale,
)
from jaxlab.spherical._real_transforms import so3_forward, so3_inverse
from jaxlab.spherical.tables import SO3Tables
from jaxlab.spherical.types import Dft

__all__ = ["so3_shortcut_apply", "so3_shortcut_init"]


def so3_shortcut_init(
    key: Key[Array, ""],
    channels_in: int,
    channels_out: int,
    b_in: int,
    b_out: int,
    dtype: Any = jnp.float32,
) -> ConvParams | None:
    """Start values of the path beside a layer: none where it changes neither channels nor grid.

    Args:
        key: PRNG key.
        channels_in: number of channels of the input.
        channels_out: number of channels of the output.
        b_in: bandwidth of the input's grid.
        b_out: bandwidth of the output's grid.
        dtype: of the parameters.

    Returns:
        Parameters with a kernel of one point, the identity; None for an unchanged signal.

    Raises:
        ValueError: if a number is below 1.

    Cost:
        Linear in the number of parameters.

    Example:
        >>> so3_shortcut_init(jax.random.key(0), 3, 8, 4, 4).kernel.shape
        (3, 8, 1)
    """
    check_key("key", key)
    check_integer("b_in", b_in, minimum=1)
    check_integer("b_out", b_out, minimum=1)
    params = conv_init(key, channels_in, channels_out, 1, dtype)
    return None if channels_in == channels_out and b_in == b_out else params


@functools.partial(jax.jit, static_argnames=("fft",))
def so3_shortcut_apply(
    params: ConvParams | None,
    x: Float[Array, "*batch c k i j"],
    tables_in: SO3Tables,
    tables_out: SO3Tables,
    *,
    fft: Dft | None = None,
) -> Float[Array, "*batch o l n m"]:
    """The path beside a layer: a convolution with a kernel at the identity alone.

    ``Z^l_{mn,o} = s Σ_i κ_{io} X^l_{mn,i}``, ``s = 1/√(C_in · b_out³/b_in³)``.

    Args:
        params: from :func:`so3_shortcut_init`; None hands the signal on.
        x: signals ``[..., C_in, β, γ, α]``.
        tables_in: those of the layer beside it; in one ``jit`` the analysis is then done once.
        tables_out: likewise.
        fft: as in :func:`~jaxlab.spherical.s2_analysis`.

    Returns:
        Signals ``[..., C_out, β, γ, α]`` in the dtype of ``x``.

    Raises:
        ValueError: if tables are of other degrees or sizes than each other, ``x`` or ``params``,
            or, where there are parameters, ``x`` is not floating or more precise than
            ``tables_in``.

    Cost:
        Of the transforms; and O(C_in C_out L³) an entry of the batch.

    Example:
        >>> from jaxlab.spherical.tables import make_so3_tables
        >>> tables = make_so3_tables(4, 2), make_so3_tables(2, 2)
        >>> params = so3_shortcut_init(jax.random.key(0), 1, 3, 4, 2)
        >>> so3_shortcut_apply(params, jnp.ones((5, 1, 8, 8, 8)), *tables).shape
        (5, 3, 4, 4, 4)
    """
    if params is None:
        check_shape("x", x, ("...", "C_in", *tables_in.shape))
        check_shape("x", x, ("...", "C_in", *tables_out.shape))
        return x
    check_layer(params, x, tables_in, tables_out, None, (SO3Tables, SO3Tables))
    X, batch = channels_last(so3_forward, x, tables_in, fft)
    kernel = layer_scale(params, (tables_in.b / tables_out.b) ** 3) * params.kernel[..., 0]
    Z = jnp.einsum("mnclib,io->mnclob", X, kernel.astype(X.dtype), precision=EXACT)
    extra = tables_out.n_max - tables_in.n_max
    cut = slice(max(-extra, 0), Z.shape[1] - max(-extra, 0))
    Z = jnp.pad(Z[:, cut], [(0, 0), (max(extra, 0),) * 2] + [(0, 0)] * 4)
    y = so3_inverse(add_bias(Z, params.bias), tables_out, fft)
    return batch_first(y, batch, x.dtype)
