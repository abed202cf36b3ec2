"""A chain of equivariant layers by itself: from the sphere to the rotation group, and back.

Without training and without images it shows what an equivariance error comes from. Pre-activations
are divided by one number a layer, which makes their variance 1: how much of a function's bend they
see then depends neither on sizes nor on start values.
"""

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxlab.spherical.activation import (
    ActivationTables,
    make_activation_tables,
    spectral_activation,
)
from jaxlab.spherical.convolution import (
    s2_conv_apply,
    s2_conv_init,
    so3_conv_apply,
    so3_conv_init,
)
from jaxlab.spherical.kernel_grids import near_identity_s2, near_identity_so3
from jaxlab.spherical.layer_tables import LayerTables, make_layer_tables
from jaxlab.spherical.s2cnn import FUNCTIONS
from jaxlab.spherical.s2cnn_config import RADIUS
from jaxlab.spherical.so3_to_s2 import so3_to_s2_apply, so3_to_s2_init
from jaxlab.spherical.spectra import S2Spectrum
from jaxlab.spherical.synthetic import bandlimited_field
from jaxlab.spherical.tables import make_s2_tables
from jaxlab.spherical.transforms import s2_synthesis
from jaxlab.spherical.types import Activation, Grid, LayerKind, Upsampling

__all__ = ["Layer", "Scaling", "apply_chain", "field", "make_chain", "scales_of"]

Scaling: TypeAlias = Literal["layer", "channel"]


class Layer(NamedTuple):
    """One linear layer of a chain.

    Attributes:
        kind: which of the three.
        params: its kernel and bias.
        tables: its tables.
    """

    kind: LayerKind
    params: Any
    tables: LayerTables


def make_chain(
    key: Key[Array, ""],
    sizes: Sequence[int],
    channels: int,
    *,
    max_beta: float | None = None,
    upsample: Upsampling = "zero_pad",
    grid: Grid = "soft",
) -> tuple[Layer, ...]:
    """Random layers through grids of the bandwidths ``sizes``, the first and last on the sphere.

    Args:
        key: of the kernels.
        sizes: bandwidths, three at least.
        channels: of every signal but the input, which has one.
        max_beta: reach of all kernels, radians; None for that of the published networks, 6.19 grid
            spacings of each layer's input.
        upsample: as in :func:`~jaxlab.spherical.make_layer_tables`.
        grid: kind of all grids.
    """
    layers = []
    for place, (b_in, b_out) in enumerate(itertools.pairwise(sizes)):
        reach = min(RADIUS * math.pi / b_in, math.pi / 2) if max_beta is None else max_beta
        of_layer = jax.random.fold_in(key, place)
        kind: LayerKind
        init: Any
        if place == 0:
            kind, kgrid, init = "s2_to_so3", near_identity_s2(reach), s2_conv_init
        elif place < len(sizes) - 2:
            kind, kgrid, init = "so3_to_so3", near_identity_so3(reach), so3_conv_init
        else:
            kind, kgrid, init = "so3_to_s2", near_identity_so3(reach), so3_to_s2_init
        params = init(of_layer, 1 if place == 0 else channels, channels, kgrid)
        tables = make_layer_tables(
            kind, b_in, b_out, kgrid, grid_in=grid, grid_out=grid, upsample=upsample
        )
        layers.append(Layer(kind, params, tables))
    return tuple(layers)


def apply_chain(
    chain: Sequence[Layer],
    x: Float[Array, "n 1 k j"],
    scales: Sequence[Any] = (),
    activation: Activation = "none",
    oversample: float = 1.0,
) -> Float[Array, "n c p q"]:
    """The signals that come out on the sphere.

    Args:
        chain: from :func:`make_chain`.
        x: signals that go in; the layers hand their dtype on.
        scales: what pre-activations are divided by, from :func:`scales_of`; none for 1.
        activation: between layers.
        oversample: of the grid on which it is evaluated.
    """
    for place, layer in enumerate(chain):
        x = _linear(layer, x)
        if place < len(chain) - 1:
            x = x / scales[place] if scales else x
            x = _activated(layer, x, activation, oversample)
    return x


def scales_of(
    chain: Sequence[Layer],
    x: Float[Array, "n 1 k j"],
    activation: Activation,
    oversample: float,
    scaling: Scaling = "layer",
) -> list[Float[Array, "..."]]:
    """Standard deviations of the pre-activations of each layer over the rotation group and ``x``.

    They are numbers once they are known, and the same for a turned input.

    Args:
        chain: from :func:`make_chain`.
        x: signals that go in.
        activation: between layers.
        oversample: of the grid on which it is evaluated.
        scaling: one for each layer, or one for each of its channels.
    """
    found = []
    for layer in chain[:-1]:
        x = _linear(layer, x)
        weights = layer.tables.tables_out.weights[:, None, None]
        axes = (0, 1) if scaling == "layer" else (0,)
        mean, square = (
            (power * weights).sum((-3, -2, -1), keepdims=True).mean(axes, keepdims=True)
            for power in (x, x**2)
        )
        found.append(jnp.sqrt(square - mean**2))
        x = _activated(layer, x / found[-1], activation, oversample)
    return found


def field(key: Key[Array, ""], b: int, slope: float, n: int, grid: Grid = "soft") -> Array:
    """Random signals ``[n, 1, β, α]`` with ``b`` degrees, the same on every kind of grid.

    Args:
        key: of the field.
        b: bandwidth of the grid, and number of degrees.
        slope: how fast they fade, as in :func:`~jaxlab.spherical.bandlimited_field`.
        n: number of signals.
        grid: kind of grid.
    """
    F = jax.vmap(lambda key: bandlimited_field(key, b, slope))(jax.random.split(key, n))
    return s2_synthesis(S2Spectrum(F.coeffs[:, None]), make_s2_tables(b, b, grid))


def _linear(layer: Layer, x: Array) -> Array:
    # one bucket multiplies more zeros and compiles in a quarter of the time
    if layer.kind == "s2_to_so3":
        return s2_conv_apply(layer.params, x, *layer.tables)
    apply = so3_conv_apply if layer.kind == "so3_to_so3" else so3_to_s2_apply
    return apply(layer.params, x, *layer.tables, num_buckets=1)


def _activated(layer: Layer, x: Array, activation: Activation, oversample: float) -> Array:
    if activation == "none":
        return x
    of = layer.tables.tables_out
    return spectral_activation(x, FUNCTIONS[activation], _tables(of.b, oversample, of.grid))


@functools.lru_cache(maxsize=16)
def _tables(b: int, oversample: float, grid: Grid) -> ActivationTables | None:
    return make_activation_tables(b, b, oversample, grid=grid)
