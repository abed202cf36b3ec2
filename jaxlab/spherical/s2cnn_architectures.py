"""Equivariant networks by name, and random ones of a given number of parameters."""

import dataclasses
import math
import operator

import jax
import numpy as np
from jaxtyping import Array, Key

from jaxlab.checks import check_bool, check_integer, check_key, check_scalar
from jaxlab.spherical.s2cnn_config import S2CNNConfig, s2cnn_param_count
from jaxlab.spherical.types import Task

__all__ = ["S2CNN_PRESETS", "sample_s2cnn_architecture"]

PI = math.pi
S2CNN_PRESETS: dict[str, S2CNNConfig] = {
    # the paper's network for the segmentation of one digit
    "s2cnn_204k": S2CNNConfig(
        bandwidth=50,
        channels=(11, 12, 13, 14, 13, 12, 11),
        bandlimits=(42, 35, 27, 20, 27, 35, 42),
        num_classes=11,
        max_beta=tuple(
            PI * reach for reach in (0.1238, 0.1474, 0.1768, 0.2292, 0.3095, 0.2292, 0.1768, 0.1474)
        ),
    ),
    # the same on a grid of bandwidth 10, for background and four classes
    "s2cnn_39k": S2CNNConfig(
        bandwidth=10,
        channels=(8, 10, 8),
        bandlimits=(8, 5, 8),
        num_classes=5,
        max_beta=(PI / 4,) * 4,
    ),
    # classification: two published networks at bandwidth 30, and one at bandwidth 10
    "s2cnn_original": S2CNNConfig(
        bandwidth=30,
        channels=(20, 40),
        bandlimits=(10, 6),
        num_classes=10,
        task="classification",
        max_beta=(PI / 8, PI / 8),
    ),
    "s2cnn_deep": S2CNNConfig(
        bandwidth=30,
        channels=(8, 16, 16, 24, 24, 32, 64),
        bandlimits=(30, 15, 15, 7, 7, 3, 3),
        num_classes=10,
        task="classification",
        max_beta=(PI / 16, PI / 16, PI / 8, PI / 8, PI / 4, PI / 4, PI / 2),
        n_beta=1,
        n_alpha=6,
        hidden=(64, 32),
        features_norm=True,
    ),
    "s2cnn_56k": S2CNNConfig(
        bandwidth=10,
        channels=(12, 24),
        bandlimits=(8, 5),
        num_classes=10,
        task="classification",
        max_beta=(0.25 * PI, 0.4 * PI),
        features_norm=True,
    ),
}
"""Architectures by name; ``dataclasses.replace`` makes variants of them."""

DEPTHS, FIRST, BOTTLENECK, WIDTHS = (3, 5, 7), (0.7, 0.9), (0.3, 0.6), (8, 16)


def sample_s2cnn_architecture(
    key: Key[Array, ""],
    target_params: int,
    rel_tol: int | float,
    bandwidth: int,
    *,
    num_classes: int = 11,
    task: Task = "segmentation",
    in_channels: int = 1,
    batch_norm: bool = False,
    max_tries: int = 2_000,
) -> S2CNNConfig:
    """A random equivariant network with about a given number of parameters.

    Depth is 3, 5 or 7. The first bandlimit is uniform in 0.7b … 0.9b, the middle one in 0.3b …
    0.6b, linear between them and mirrored behind; for classification the network ends in the
    middle. Channels, 8 … 16 at the ends, rise by one a layer to the middle, and are then all
    multiplied by what brings the network to ``target_params``. Drawn again is what misses it.

    Args:
        key: PRNG key; another one for each of the architectures to choose from.
        target_params: number of parameters wanted.
        rel_tol: by what fraction of it the result may differ.
        bandwidth: of the grid, at least 4.
        num_classes: as the next three, a field of
            :class:`~jaxlab.spherical.s2cnn_config.S2CNNConfig`.
        task: see there.
        in_channels: see there.
        batch_norm: see there.
        max_tries: most architectures drawn.

    Returns:
        The first architecture that fits; the same for the same arguments.

    Raises:
        ValueError: if none of ``max_tries`` fits, or an argument is out of range.

    Cost:
        O(depth log target_params) a try, on the host; nothing is initialised.

    Source:
        In the paper's manner, which chose among random architectures of each size; the
        distributions are ours.

    Example:
        >>> cfg = sample_s2cnn_architecture(jax.random.key(0), 40_000, 0.1, bandwidth=10)
        >>> 36_000 <= s2cnn_param_count(cfg) <= 44_000
        True
    """
    check_key("key", key)
    check_bool("batch_norm", batch_norm)
    check_integer("target_params", target_params, minimum=1)
    check_scalar("rel_tol", rel_tol, minimum=0)
    check_integer("bandwidth", bandwidth, minimum=4)
    check_integer("max_tries", max_tries, minimum=1)
    # as Python's, in which nothing wraps
    target_params, bandwidth, max_tries = map(operator.index, (target_params, bandwidth, max_tries))
    draws = np.asarray(jax.random.uniform(key, (max_tries, 4)), np.float64)
    for depth_draw, first_draw, middle_draw, width_draw in draws:
        depth = DEPTHS[int(depth_draw * len(DEPTHS))]
        half = depth // 2
        first = (FIRST[0] + (FIRST[1] - FIRST[0]) * first_draw) * bandwidth
        middle = (BOTTLENECK[0] + (BOTTLENECK[1] - BOTTLENECK[0]) * middle_draw) * bandwidth
        down = [max(1, round(size)) for size in np.linspace(first, middle, half + 1)]
        narrow = WIDTHS[0] + (WIDTHS[1] - WIDTHS[0]) * width_draw
        widths = [narrow + layer for layer in range(half + 1)]
        if task == "segmentation":
            down, widths = down + down[-2::-1], widths + widths[-2::-1]
        cfg = S2CNNConfig(
            bandwidth,
            (1,) * len(down),
            tuple(down),
            num_classes,
            task,
            in_channels,
            features_norm=task == "classification",
            batch_norm=batch_norm,
        )
        cfg = _widened(cfg, widths, target_params)
        if abs(s2cnn_param_count(cfg) - target_params) <= rel_tol * target_params:
            return cfg
    raise ValueError(
        f"target_params: expected a number that a random network of bandwidth {bandwidth} comes "
        f"within {rel_tol} of in {max_tries} tries, got {target_params}"
    )


def _widened(cfg: S2CNNConfig, widths: list[float], target_params: int) -> S2CNNConfig:
    """``cfg`` with channels in proportion to ``widths``, near the number of parameters wanted."""

    def scaled(factor: float) -> S2CNNConfig:
        channels = tuple(max(1, round(factor * width)) for width in widths)
        return dataclasses.replace(cfg, channels=channels)

    low, high = 0.0, 1.0
    while s2cnn_param_count(scaled(high)) < target_params:
        high *= 2
    for _ in range(20):
        factor = (low + high) / 2
        if s2cnn_param_count(scaled(factor)) < target_params:
            low = factor
        else:
            high = factor
    ends = (scaled(low), scaled(high))
    return min(ends, key=lambda one: abs(s2cnn_param_count(one) - target_params))
