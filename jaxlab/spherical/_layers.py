"""What the equivariant linear layers share: parameters, scale, checks."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxlab.checks import check_dtype, check_integer, check_shape, require
from jaxlab.spherical.kernels import KernelTables
from jaxlab.spherical.tables import S2Tables, SO3Tables, check_precision
from jaxlab.spherical.types import Dft

__all__ = [
    "ConvParams",
    "add_bias",
    "batch_first",
    "channels_last",
    "check_layer",
    "conv_init",
    "layer_scale",
]


class ConvParams(NamedTuple):
    """Parameters of a convolution.

    Attributes:
        kernel: values ``κ`` at the kernel's points, ``[C_in, C_out, n_points]``, of order 1.
        bias: added to each output channel, in the units of the signal.
    """

    kernel: Float[Array, "i o p"]
    bias: Float[Array, " o"]


def conv_init(
    key: Key[Array, ""], channels_in: int, channels_out: int, n_points: int, dtype: Any
) -> ConvParams:
    """``κ ~ U(−1, 1)`` at ``n_points`` points, no bias."""
    check_integer("channels_in", channels_in, minimum=1)
    check_integer("channels_out", channels_out, minimum=1)
    shape = (channels_in, channels_out, n_points)
    kernel = jax.random.uniform(key, shape, dtype, minval=-1, maxval=1)
    return ConvParams(kernel, jnp.zeros(channels_out, dtype))


def layer_scale(params: Any, bandwidths: float) -> float:
    """``1/√(n_points · C_in / bandwidths)``."""
    channels_in, _, n_points = params.kernel.shape
    return math.sqrt(bandwidths / (n_points * channels_in))


def channels_last(
    forward: Callable[..., Float[Array, "..."]],
    x: Float[Array, "..."],
    tables: S2Tables | SO3Tables,
    fft: Dft | None,
) -> tuple[Float[Array, "... c b"], tuple[int, ...]]:
    """Spectrum of ``x`` in parts, channels and then the batch innermost; and the batch's shape.

    Axes of the batch become one, which explicit axes of a mesh can split only if they split the
    first.
    """
    axes = len(tables.shape)
    batch = x.shape[: x.ndim - axes - 1]
    x = x.reshape(math.prod(batch), *x.shape[len(batch) :])
    return forward(x.swapaxes(0, 1), tables, fft), batch


def add_bias(Z: Float[Array, "... l o b"], bias: Float[Array, " o"]) -> Float[Array, "... l o b"]:
    """Spectra in parts plus a constant for each channel: one coefficient, ``l = m = n = 0``.

    Added to the signals instead, its gradient would be a sum over them in another layout than that
    of the transforms, which costs more than a transform.
    """
    constant = bias.astype(Z.dtype).reshape(*(1,) * (Z.ndim - 2), -1, 1)
    pad = [(0, size - 1) for size in Z.shape[:-2]]
    if Z.ndim == 6:  # on the rotation group, where the orders n have 0 in the middle
        pad[1] = (Z.shape[1] // 2,) * 2
    return Z + jnp.pad(constant, [*pad, (0, 0), (0, 0)])


def batch_first(
    y: Float[Array, "o b ..."], batch: tuple[int, ...], dtype: Any
) -> Float[Array, "..."]:
    """Signals with the batch in front of the channels."""
    return y.swapaxes(0, 1).reshape(*batch, y.shape[0], *y.shape[2:]).astype(dtype)


def check_layer(
    params: Any,
    x: Any,
    tables_in: Any,
    tables_out: Any,
    kernel_tables: KernelTables | None,
    kinds: tuple[type, type],
) -> None:
    """Refuse tables and parameters that do not fit each other or the signal, or no real signal."""
    for name, tables, kind in zip(("in", "out"), (tables_in, tables_out), kinds, strict=True):
        require(isinstance(tables, kind), f"tables_{name}", tables, kind.__name__)
    L = tables_in.L
    require(tables_out.L == L, "tables_out", tables_out.L, f"L = {L}, as tables_in")
    n_points: int | str = 1
    if kernel_tables is not None:
        require(kernel_tables.L == L, "kernel_tables", kernel_tables.L, f"L = {L}, as tables_in")
        on_group = kinds[0] is SO3Tables
        fits = bool(kernel_tables.kgrid.gamma) == on_group
        fits = fits and (not on_group or kernel_tables.n_max == tables_in.n_max)
        expected = "points on the space and orders of tables_in"
        require(fits, "kernel_tables", kernel_tables.kgrid, expected)
        n_points = kernel_tables.kgrid.n_points
    check_shape("params.kernel", params.kernel, ("C_in", "C_out", n_points))
    check_shape("params.bias", params.bias, (params.kernel.shape[1],))
    check_dtype("x", x, "floating")
    check_shape("x", x, ("...", params.kernel.shape[0], *tables_in.shape))
    check_precision("x", x, tables_in.d.dtype)
