"""Signals and parameters of the published PyTorch code.

The networks are those of ``JanEGerken/sem_seg_s2cnn`` (segmentation) and of the examples of
``jonkhler/s2cnn`` (classification), whose parameters load as they are: kernels have the same points
in the same order. To reproduce outputs where bandlimits rise, take ``upsample="aliased"``.
"""

import functools
import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlab.checks import check_dtype, check_shape, require
from jaxlab.spherical._layers import ConvParams
from jaxlab.spherical.batch_norm import BatchNormParams, BatchNormState
from jaxlab.spherical.cnn import Affine
from jaxlab.spherical.s2cnn import GroupLayer, Readout, S2CNNParams, S2CNNState, init_s2cnn
from jaxlab.spherical.s2cnn_config import S2CNNConfig
from jaxlab.spherical.so3_to_s2 import SO3ToS2Params

__all__ = ["from_official_layout", "load_official_state_dict", "to_official_layout"]


def to_official_layout(f: Float[Array, "*batch k i j"]) -> Float[Array, "*batch k j i"]:
    """Signals on the rotation group from ``[..., β, γ, α]`` to the published ``[..., β, α, γ]``.

    Args:
        f: samples ``[..., β, γ, α]``.

    Returns:
        The same samples ``[..., β, α, γ]``.

    Raises:
        ValueError: if there are fewer than three axes.

    Cost:
        O(b³) a signal.

    Example:
        >>> to_official_layout(jnp.ones((6, 2, 6))).shape
        (6, 6, 2)
    """
    check_shape("f", f, ("...", "β", "γ", "α"))
    return f.swapaxes(-1, -2)


def from_official_layout(f: Float[Array, "*batch k j i"]) -> Float[Array, "*batch k i j"]:
    """Inverse of :func:`to_official_layout`.

    Args:
        f: samples ``[..., β, α, γ]``.

    Returns:
        The same samples ``[..., β, γ, α]``.

    Raises:
        ValueError: if there are fewer than three axes.

    Cost:
        O(b³) a signal.

    Example:
        >>> from_official_layout(jnp.ones((6, 6, 2))).shape
        (6, 2, 6)
    """
    check_shape("f", f, ("...", "β", "α", "γ"))
    return f.swapaxes(-1, -2)


def load_official_state_dict(
    state_dict: Mapping[str, Any], cfg: S2CNNConfig
) -> tuple[S2CNNParams, S2CNNState]:
    """Parameters of a network of the published code.

    For segmentation the names are ``input_layer``, ``hidden_layers.i``, ``skip_layers.i.conv`` and
    ``output_layer``; for classification the convolutions, and the linear and normalising layers,
    are taken in the order of the numbers in their names. Running statistics are loaded as they are:
    PyTorch's variances are unbiased.

    Args:
        state_dict: arrays, or tensors on the CPU, by name, as ``module.state_dict()`` has them.
        cfg: the network's architecture.

    Returns:
        Parameters and running statistics, as :func:`~jaxlab.spherical.init_s2cnn` makes them.

    Raises:
        ValueError: if an array is missing, left over or of another shape than ``cfg`` has, or
            ``cfg`` has what the published networks have not.

    Cost:
        Linear in the number of parameters.

    Example:
        >>> cfg = S2CNNConfig(4, (2,), (2,), 10, task="classification")
        >>> state_dict = {
        ...     "conv1.kernel": np.ones((1, 2, 24)),
        ...     "conv1.bias": np.ones((1, 2, 1, 1, 1)),
        ...     "out_layer.weight": np.ones((10, 2)),
        ...     "out_layer.bias": np.ones(10),
        ... }
        >>> params, _ = load_official_state_dict(state_dict, cfg)
        >>> params.readout[0].affine.kernel.shape
        (2, 10)
    """
    require(not cfg.batch_norm, "cfg", cfg, "no batch-norm on the group")
    require(cfg.output == "sum", "cfg", cfg, "output='sum'")
    endpoint = cfg.gamma_grid == "endpoint"  # other grids have as many points, elsewhere
    require(endpoint, "cfg", cfg, "gamma_grid='endpoint'")
    shapes, _ = jax.eval_shape(functools.partial(init_s2cnn, cfg=cfg), jax.random.key(0))
    left = {}
    for name, value in state_dict.items():
        if not name.endswith("num_batches_tracked"):
            array = np.asarray(value)
            check_dtype(f"state_dict[{name!r}]", array, "real")
            left[name] = array.astype(np.float32)

    def take(name: str, shape: tuple[int, ...]) -> Array:
        require(name in left, "state_dict", sorted(state_dict), f"an array {name!r}")
        array = left.pop(name)
        check_shape(f"state_dict[{name!r}]", array, shape)
        return jnp.asarray(array)

    def conv(name: str, expected: Any, axes: int) -> ConvParams:
        bias = take(f"{name}.bias", (1, *expected.bias.shape, *(1,) * axes)).ravel()
        return ConvParams(take(f"{name}.kernel", expected.kernel.shape), bias)

    def normed(name: str, channels: tuple[int, ...]) -> tuple[BatchNormParams, BatchNormState]:
        fields = ("weight", "bias", "running_mean", "running_var")
        scale, bias, mean, variance = (take(f"{name}.{field}", channels) for field in fields)
        return BatchNormParams(scale, bias), BatchNormState(mean, variance)

    segments = cfg.task == "segmentation"
    depth = len(cfg.channels)
    if segments:
        names = ["input_layer", *(f"hidden_layers.{i}" for i in range(depth - 1))]
    else:
        names = _owners(left, "kernel")
        require(len(names) == depth, "state_dict", names, f"{depth} convolutions, as cfg")
    layers = []
    for index, (name, layer) in enumerate(zip(names, shapes.layers, strict=True)):
        shortcut = None
        if layer.shortcut is not None:
            shortcut = conv(f"skip_layers.{index - 1}.conv", layer.shortcut, 3)
        layers.append(GroupLayer(conv(name, layer.conv, 3), shortcut, None))
    output = SO3ToS2Params(*conv("output_layer", shapes.output, 2)) if segments else None

    readout, statistics, names = [], [], _owners(left, "weight")
    expected = sum(1 + (one.norm is not None) for one in shapes.readout)
    require(len(names) == expected, "state_dict", names, f"{expected} layers after the group's")
    following = iter(names)
    for one in shapes.readout:
        norm = None
        if one.norm is not None:
            norm, state = normed(next(following), one.norm.scale.shape)
            statistics.append(state)
        name, (width, classes) = next(following), one.affine.kernel.shape
        weight = take(f"{name}.weight", (classes, width)).T
        readout.append(Readout(norm, Affine(weight, take(f"{name}.bias", (classes,)))))
    require(not left, "state_dict", sorted(left), "no array beside those of cfg")
    return S2CNNParams(tuple(layers), output, tuple(readout)), tuple(statistics)


def _owners(arrays: Mapping[str, Any], field: str) -> list[str]:
    """Names of the layers that have an array ``field``, in the order of the numbers in them."""
    owners = [name.removesuffix(f".{field}") for name in arrays if name.endswith(f".{field}")]

    def number(name: str) -> list[tuple[int, str]]:
        return [
            (int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)
        ]

    return sorted(owners, key=number)
