"""Both families of networks as one kind of thing: images on the grid in, logits out."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from jaxtyping import Array, Float, Key

from jaxlab.checks import check_choice, require
from jaxlab.spherical.cnn import apply_cnn, init_cnn
from jaxlab.spherical.cnn_architectures import CNN_PRESETS
from jaxlab.spherical.cnn_config import CNNConfig, cnn_param_count
from jaxlab.spherical.s2cnn import apply_s2cnn, init_s2cnn, make_s2cnn_tables
from jaxlab.spherical.s2cnn_architectures import S2CNN_PRESETS
from jaxlab.spherical.s2cnn_config import S2CNNConfig, s2cnn_param_count
from jaxlab.spherical.types import Grid, Task

__all__ = [
    "NetworkConfig",
    "apply_network",
    "check_networks",
    "init_network",
    "make_network_tables",
    "named_network",
    "param_count",
]

NetworkConfig: TypeAlias = S2CNNConfig | CNNConfig
PRESETS: Mapping[str, Mapping[str, NetworkConfig]] = {"s2cnn": S2CNN_PRESETS, "cnn": CNN_PRESETS}


def check_networks(
    argument: str,
    names: Sequence[str],
    task: Task,
    bandwidth: int,
    families: Sequence[str] = tuple(PRESETS),
) -> None:
    """Refuse names other than those of presets and, with a number N, ``"cnn:N"``, ``"s2cnn:N"``.

    Whether there are networks of ``N`` parameters depends on the number of outputs, too:
    :func:`~jaxlab.experiments.spherical.tuning.draw_networks` finds out, before any is trained.

    Args:
        argument: what the names are called.
        names: of networks.
        task: which the presets are for.
        bandwidth: of the images, which presets have to take.
        families: to which the networks may belong.

    Raises:
        ValueError: for any other name, or a preset whose kernels are too large for the images.
    """
    presets = [
        name for family in families for name, cfg in PRESETS[family].items() if cfg.task == task
    ]
    for name in names:
        family, colon, size = name.partition(":")
        if colon:
            expected = f"{' or '.join(families)} and a number of parameters about the ':'"
            require(family in families and size.isdigit(), argument, name, expected)
            continue
        check_choice(argument, name, presets)
        try:
            named_network(name, task, bandwidth, 1)
        except ValueError as error:
            reason = f"{argument}: expected networks for bandwidth {bandwidth}, got {name!r}"
            raise ValueError(f"{reason}: {error}") from error


def named_network(
    name: str,
    task: Task,
    bandwidth: int,
    num_classes: int,
    *,
    grid: Grid = "soft",
    **changes: Any,
) -> NetworkConfig:
    """The preset of that name for a grid and a number of outputs.

    Args:
        name: a key of ``S2CNN_PRESETS`` or ``CNN_PRESETS``, of the same task.
        task: what the network is to do.
        bandwidth: of the images.
        num_classes: outputs needed; the preset's own number where that is larger.
        grid: kind of grid of an equivariant network.
        **changes: other fields to replace, such as ``batch_norm``.

    Raises:
        ValueError: for an unknown name, or one of a network for another task.
    """
    presets: dict[str, NetworkConfig] = {**S2CNN_PRESETS, **CNN_PRESETS}
    check_choice("network", name, [one for one, cfg in presets.items() if cfg.task == task])
    cfg = presets[name]
    num_classes = max(num_classes, cfg.num_classes)
    if isinstance(cfg, CNNConfig):
        size = (2 * bandwidth, 2 * bandwidth)
        return dataclasses.replace(cfg, size=size, num_classes=num_classes, **changes)
    return dataclasses.replace(
        cfg, bandwidth=bandwidth, grid=grid, num_classes=num_classes, **changes
    )


def param_count(cfg: NetworkConfig) -> int:
    """Number of trained parameters."""
    return cnn_param_count(cfg) if isinstance(cfg, CNNConfig) else s2cnn_param_count(cfg)


def make_network_tables(cfg: NetworkConfig) -> Any:
    """What :func:`apply_network` needs besides parameters; None for a planar network."""
    return None if isinstance(cfg, CNNConfig) else make_s2cnn_tables(cfg)


def init_network(key: Key[Array, ""], cfg: NetworkConfig) -> tuple[Any, Any]:
    """Random parameters, and the running statistics of batch-norm."""
    return init_cnn(key, cfg) if isinstance(cfg, CNNConfig) else init_s2cnn(key, cfg)


def apply_network(
    params: Any,
    state: Any,
    x: Float[Array, "n k j"],
    tables: Any,
    cfg: NetworkConfig,
    *,
    train: bool,
    axis_name: str | None = None,
) -> tuple[Float[Array, "n ..."], Any]:
    """Logits, classes last, and the running statistics.

    Args:
        params: from :func:`init_network`.
        state: from there too.
        x: images on the grid, one channel.
        tables: from :func:`make_network_tables`.
        cfg: architecture; static.
        train: whether batch-norm uses the statistics of the batch; static.
        axis_name: mapped axis over which the batch is sharded.
    """
    options: dict[str, Any] = {"train": train, "axis_name": axis_name}
    if isinstance(cfg, CNNConfig):
        return apply_cnn(params, state, x[..., None], cfg, **options)
    return apply_s2cnn(params, state, x[:, None], tables, cfg, **options)
