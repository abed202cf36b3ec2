"""Rotation-equivariant networks: from the sphere to the rotation group, and back or to its mean.

For segmentation the logits of every pixel turn with the image; for classification the mean over
the group does not change. Only the activation between two layers disturbs that, by aliasing: see
:mod:`jaxlab.spherical.activation`.

Source: Cohen, Geiger, Köhler and Welling, *Spherical CNNs*, ICLR 2018; Gerken et al. 2022 for the
layer back to the sphere.
"""

import functools
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from jaxlab.checks import check_bool, check_dtype, check_key, check_shape, require
from jaxlab.spherical.activation import (
    ActivationTables,
    make_activation_tables,
    spectral_activation,
)
from jaxlab.spherical.batch_norm import (
    BatchNormParams,
    BatchNormState,
    batch_norm_apply,
    batch_norm_init,
)
from jaxlab.spherical.cnn import Affine, check_network, fixed_biases
from jaxlab.spherical.convolution import (
    ConvParams,
    s2_conv_apply,
    s2_conv_init,
    so3_conv_apply,
    so3_conv_init,
)
from jaxlab.spherical.layer_tables import LayerTables, make_layer_tables
from jaxlab.spherical.s2cnn_config import (
    S2CNNConfig,
    azimuthal_bandlimit,
    has_shortcut,
    layer_kernels,
    output_degrees,
)
from jaxlab.spherical.shortcut import so3_shortcut_apply, so3_shortcut_init
from jaxlab.spherical.so3_to_s2 import SO3ToS2Params, so3_to_s2_apply, so3_to_s2_init
from jaxlab.spherical.tables import S2Tables, SO3Tables
from jaxlab.spherical.transforms import so3_integrate
from jaxlab.spherical.types import Activation

__all__ = [
    "GroupLayer",
    "Readout",
    "S2CNNParams",
    "S2CNNState",
    "S2CNNTables",
    "apply_s2cnn",
    "init_s2cnn",
    "make_s2cnn_tables",
]

FUNCTIONS: Mapping[Activation, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,
    "gelu": jax.nn.gelu,
    "silu": jax.nn.silu,
    "softplus": jax.nn.softplus,
    "square": jnp.square,
    "none": lambda x: x,
}


class GroupLayer(NamedTuple):
    """Parameters of a layer whose output lies on the rotation group.

    Attributes:
        conv: the convolution.
        shortcut: the path beside it; None where there is none, or it hands its input on.
        norm: batch-norm before the activation, or None.
    """

    conv: ConvParams
    shortcut: ConvParams | None
    norm: BatchNormParams | None


class Readout(NamedTuple):
    """Parameters of a linear layer of a classifier.

    Attributes:
        norm: batch-norm of its input, or None.
        affine: the linear map.
    """

    norm: BatchNormParams | None
    affine: Affine


class S2CNNParams(NamedTuple):
    """Parameters of a network.

    Attributes:
        layers: on the rotation group, in the order in which they are applied.
        output: the layer back to the sphere; None for classification.
        readout: linear layers of a classifier; none for segmentation.
    """

    layers: tuple[GroupLayer, ...]
    output: SO3ToS2Params | None
    readout: tuple[Readout, ...]


S2CNNState: TypeAlias = tuple[BatchNormState, ...]  # of the normalised layers, in order


class S2CNNTables(NamedTuple):
    """Tables of a network, an argument of its function like the parameters.

    Attributes:
        layers: of each layer, that of the layer back to the sphere last.
        activations: of each activation; None where it is evaluated on the signal's own grid.
    """

    layers: tuple[LayerTables, ...]
    activations: tuple[ActivationTables | None, ...]


def make_s2cnn_tables(
    cfg: S2CNNConfig, dtype: Any = jnp.float32, *, max_table_bytes: int = 2 * 1024**3
) -> S2CNNTables:
    """Tables of all layers and activations of a network.

    Args:
        cfg: architecture.
        dtype: float32, or float64 where jax has it enabled.
        max_table_bytes: largest table that is made.

    Returns:
        The tables.

    Raises:
        ValueError: if a table is larger than ``max_table_bytes``.

    Cost:
        That of :func:`~jaxlab.spherical.make_so3_tables`, for each pair of bandwidths.

    Example:
        >>> cfg = S2CNNConfig(4, (2,), (2,), 10, task="classification")
        >>> len(make_s2cnn_tables(cfg).layers)
        1
    """
    kernels = layer_kernels(cfg)
    sizes = (cfg.bandwidth, *cfg.bandlimits)
    options: dict[str, Any] = {
        "grid_in": cfg.grid,
        "grid_out": cfg.grid,
        "dtype": dtype,
        "upsample": cfg.upsample,
        "max_table_bytes": max_table_bytes,
    }
    layers = [
        make_layer_tables(
            "s2_to_so3" if layer == 0 else "so3_to_so3",
            sizes[layer],
            sizes[layer + 1],
            kernels[layer],
            n_max_in=None if layer == 0 else azimuthal_bandlimit(cfg, sizes[layer]),
            n_max_out=azimuthal_bandlimit(cfg, sizes[layer + 1]),
            **options,
        )
        for layer in range(len(cfg.channels))
    ]
    if cfg.task == "segmentation":
        layers.append(
            make_layer_tables(
                "so3_to_s2",
                sizes[-1],
                cfg.bandwidth,
                kernels[-1],
                n_max_in=azimuthal_bandlimit(cfg, sizes[-1]),
                **options,
            )
        )
    activations = tuple(
        make_activation_tables(
            b,
            b,
            cfg.oversample,
            n_max=azimuthal_bandlimit(cfg, b),
            grid=cfg.grid,
            dtype=dtype,
            max_table_bytes=max_table_bytes,
        )
        for b in cfg.bandlimits
    )
    return S2CNNTables(tuple(layers), activations)


@functools.partial(jax.jit, static_argnames="cfg")
def init_s2cnn(key: Key[Array, ""], cfg: S2CNNConfig) -> tuple[S2CNNParams, S2CNNState]:
    """Random parameters, and the running statistics of batch-norm.

    Kernels are uniform in ±1, their scale standing outside; linear layers are uniform in
    ``±1/√fan_in``; biases of the group's layers are 0.

    Args:
        key: PRNG key.
        cfg: architecture.

    Returns:
        Parameters and statistics in float32; the statistics are empty without batch-norm.

    Cost:
        Linear in the number of parameters.

    Example:
        >>> cfg = S2CNNConfig(4, (2,), (2,), 10, task="classification")
        >>> params, state = init_s2cnn(jax.random.key(0), cfg)
        >>> params.layers[0].conv.kernel.shape, params.readout[0].affine.kernel.shape
        ((1, 2, 24), (2, 10))
    """
    check_key("key", key)
    kernels = layer_kernels(cfg)
    widths, sizes = (cfg.in_channels, *cfg.channels), (cfg.bandwidth, *cfg.bandlimits)
    states: list[BatchNormState] = []

    def norm(channels: int, wanted: bool) -> BatchNormParams | None:
        if not wanted:
            return None
        params, state = batch_norm_init(channels)
        states.append(state)
        return params

    layers = []
    for layer, (before, after) in enumerate(itertools.pairwise(widths)):
        first, second = jax.random.split(jax.random.fold_in(key, layer))
        init = s2_conv_init if layer == 0 else so3_conv_init
        shortcut = None
        if has_shortcut(cfg, layer):
            shortcut = so3_shortcut_init(second, before, after, sizes[layer], sizes[layer + 1])
        conv = init(first, before, after, kernels[layer])
        layers.append(GroupLayer(conv, shortcut, norm(after, cfg.batch_norm)))

    key = jax.random.fold_in(key, len(widths))
    if cfg.task == "segmentation":
        L = output_degrees(cfg) if cfg.output == "learned" else None
        output = so3_to_s2_init(key, widths[-1], cfg.num_classes, kernels[-1], mode=cfg.output, L=L)
        return S2CNNParams(tuple(layers), output, ()), tuple(states)
    readout = []
    widths = (widths[-1], *cfg.hidden, cfg.num_classes)
    for index, (before, after) in enumerate(itertools.pairwise(widths)):
        shape = (before + 1, after)
        one = jax.random.fold_in(key, index)
        draw = jax.random.uniform(one, shape, jnp.float32, minval=-1) / math.sqrt(before)
        readout.append(Readout(norm(before, cfg.features_norm), Affine(draw[:-1], draw[-1])))
    return S2CNNParams(tuple(layers), None, tuple(readout)), tuple(states)


@functools.partial(jax.jit, static_argnames=("cfg", "train", "axis_name"))
def apply_s2cnn(
    params: S2CNNParams,
    state: S2CNNState,
    x: Float[Array, "n c k j"],
    tables: S2CNNTables,
    cfg: S2CNNConfig,
    *,
    train: bool,
    axis_name: str | None = None,
) -> tuple[Float[Array, "n ..."], S2CNNState]:
    """Class scores of every pixel, or of every image.

    Batch-norm takes away the biases in front of it: in training their derivative is exactly 0.

    Args:
        params: from :func:`init_s2cnn`.
        state: running statistics of batch-norm.
        x: images ``[n, C_in, β, α]`` on the grid of ``cfg``.
        tables: from :func:`make_s2cnn_tables`.
        cfg: architecture; static.
        train: whether batch-norm uses, and collects, the statistics of the batch; static.
        axis_name: mapped axis over which the batch is sharded, for batch-norm.

    Returns:
        Logits ``[n, β, α, num_classes]`` for segmentation and ``[n, num_classes]`` for
        classification, in the dtype of ``x``, and the running statistics.

    Raises:
        ValueError: if ``x`` is not of the grid and channels of ``cfg``, or parameters, statistics
            or tables are those of another architecture.

    Cost:
        Of the transforms, O(n C b³ log b + n C b L³) a layer, and of the products on the group,
        O(n C_in C_out L⁴); L³ for the first layer and the one back to the sphere. A batch is split
        among devices by ``jax.shard_map``, as in :func:`jaxlab.training.data_parallel`, or along
        explicit axes of a mesh; derivatives then ask for parameters that lie on the mesh, whole. Of
        one that only comes sharded to ``jit`` along automatic axes, every device computes the
        whole.

    Source:
        Gerken et al. 2022; Cohen et al. 2018 for classification.

    Example:
        >>> cfg = S2CNNConfig(4, (2,), (2,), 10, task="classification")
        >>> params, state = init_s2cnn(jax.random.key(0), cfg)
        >>> x = jnp.ones((3, 1, 8, 8))
        >>> logits, state = apply_s2cnn(params, state, x, make_s2cnn_tables(cfg), cfg, train=False)
        >>> logits.shape
        (3, 10)
    """
    check_bool("train", train)
    _check(params, state, x, tables, cfg)
    dtype = x.dtype
    # at most as precise as the tables, by which a layer would round it
    precisions = jnp.promote_types(dtype, jnp.float32), tables.layers[0].tables_in.d.dtype
    x = x.astype(min(precisions, key=lambda one: one.itemsize))
    statistics, collected = iter(state), []

    def normalised(
        y: Array, norm: BatchNormParams, before: BatchNormState | None, weights: Array | None
    ) -> tuple[Array, BatchNormState]:
        assert before is not None  # looked at in _check
        return batch_norm_apply(norm, before, y, train=train, weights=weights, axis_name=axis_name)

    def layer(
        index: int, params: GroupLayer, before: BatchNormState | None, x: Array, tables: Any
    ) -> tuple[Array, BatchNormState | None]:
        of_layer, of_activation = tables
        if train:
            params = fixed_biases(params)
        if index == 0:
            y = s2_conv_apply(params.conv, x, *of_layer, fft=cfg.fft)
        else:
            y = so3_conv_apply(params.conv, x, *of_layer, num_buckets=cfg.num_buckets, fft=cfg.fft)
        if cfg.shortcuts and index > 0:
            y += so3_shortcut_apply(params.shortcut, x, *of_layer[:2], fft=cfg.fft)
        if params.norm is not None:
            y, before = normalised(y, params.norm, before, of_layer.tables_out.weights)
        return spectral_activation(y, FUNCTIONS[cfg.activation], of_activation, fft=cfg.fft), before

    if cfg.remat:
        layer = jax.checkpoint(layer, static_argnums=0)
    for index, (one, of_layer, of_activation) in enumerate(
        zip(params.layers, tables.layers, tables.activations, strict=False)
    ):
        before = None if one.norm is None else next(statistics)
        x, after = layer(index, one, before, x, (of_layer, of_activation))
        if after is not None:
            collected.append(after)

    if params.output is not None:
        y = so3_to_s2_apply(
            params.output,
            x,
            *tables.layers[-1],
            mode=cfg.output,
            num_buckets=cfg.num_buckets,
            fft=cfg.fft,
        )
        return jnp.moveaxis(y, 1, -1).astype(dtype), tuple(collected)
    x = so3_integrate(x, cfg.grid)
    for index, (norm, affine) in enumerate(params.readout):
        if index > 0:
            x = FUNCTIONS[cfg.activation](x)
        if norm is not None:
            x, after = normalised(x, norm, next(statistics), None)
            collected.append(after)
        x = x @ affine.kernel.astype(x.dtype) + affine.bias.astype(x.dtype)
    return x.astype(dtype), tuple(collected)


def _check(params: Any, state: Any, x: Any, tables: Any, cfg: S2CNNConfig) -> None:
    check_dtype("x", x, "floating")
    size = tables.layers[0].tables_in.shape
    check_shape("x", x, ("batch", cfg.in_channels, *size))
    check_network(init_s2cnn, params, state, cfg)
    sizes = (cfg.bandwidth, *cfg.bandlimits)
    sizes += (cfg.bandwidth,) * (cfg.task == "segmentation")
    made = tuple((one.tables_in.b, one.tables_out.b) for one in tables.layers)
    wanted = tuple(itertools.pairwise(sizes))
    require(made == wanted, "tables", made, f"bandwidths {wanted}, as cfg")
    # grids of as many colatitudes, and too few activations, would pass in silence
    used = [one for of_layer in tables.layers for one in (of_layer.tables_in, of_layer.tables_out)]
    pairs = [None if one is None else (one.signal, one.fine) for one in tables.activations]
    used += itertools.chain.from_iterable(pair for pair in pairs if pair is not None)
    grids = sorted({one.grid for one in used})
    require(grids == [cfg.grid], "tables", grids, f"grid {cfg.grid!r}, as cfg")
    fine = tuple(None if pair is None else (pair[0].b, pair[1].b) for pair in pairs)
    oversampled = tuple(
        None if cfg.oversample == 1 else (b, math.ceil(cfg.oversample * b)) for b in cfg.bandlimits
    )
    expected = f"activations on bandwidths {oversampled}, as cfg"
    require(fine == oversampled, "tables", fine, expected)
    for index, (one, kernel) in enumerate(zip(tables.layers, layer_kernels(cfg), strict=True)):
        b_in, b_out = made[index]
        L = b_out if cfg.upsample == "aliased" else min(b_in, b_out)
        name, kgrid = f"tables.layers[{index}]", one.kernel_tables.kgrid
        _check_orders(name, one.tables_in, cfg, L)
        _check_orders(name, one.tables_out, cfg, L)
        require(kgrid == kernel, name, kgrid, f"the kernel {kernel}, as cfg")
    for index, pair in enumerate(pairs):
        if pair is not None:
            _check_orders(f"tables.activations[{index}]", pair[0], cfg, cfg.bandlimits[index])


def _check_orders(name: str, tables: S2Tables | SO3Tables, cfg: S2CNNConfig, L: int) -> None:
    """Refuse tables of other degrees, or on the group of other orders, than ``cfg`` has."""
    found, wanted = {"L": tables.L}, {"L": L}
    if isinstance(tables, SO3Tables):
        n_max = azimuthal_bandlimit(cfg, tables.b)
        found |= {"n_max": tables.n_max, "gamma_size": tables.gamma_size}
        wanted |= {"n_max": min(n_max or L, L), "gamma_size": 2 * (n_max or tables.b)}
    require(found == wanted, name, found, f"{wanted}, as cfg")
