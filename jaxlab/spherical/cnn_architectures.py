"""Planar networks by name, and random ones of a given number of parameters.

The search that a baseline deserves: many architectures of one size are drawn, and the one that does
best on held-out data is taken, as the paper did.
"""

import dataclasses
import itertools
import operator
from collections.abc import Iterator
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key

from jaxlab.checks import check_bool, check_integer, check_key, check_scalar
from jaxlab.spherical.cnn_config import CNNConfig, cnn_param_count, convolved_size
from jaxlab.spherical.types import Padding, Task

__all__ = ["CNN_PRESETS", "sample_cnn_architecture"]

CNN_PRESETS: dict[str, CNNConfig] = {
    # segmentation of one digit on a grid of bandwidth 50: background and ten classes
    "cnn_218k": CNNConfig(
        size=(100, 100),
        channels=(13, 15, 22, 31, 141),
        kernels=(5, 3, 9, 7, 3),
        strides=(1, 1, 1, 1, 2),
        num_classes=11,
    ),
    "cnn_1m": CNNConfig(
        size=(100, 100),
        channels=(12, 13, 16, 77, 96, 163),
        kernels=(3, 3, 5, 5, 3, 5),
        strides=(1, 1, 1, 2, 1, 1),
        num_classes=11,
    ),
    "cnn_5m5": CNNConfig(
        size=(100, 100),
        channels=(12, 15, 16, 85, 141, 191, 1100),
        kernels=(3, 5, 3, 7, 5, 3, 3),
        strides=(1, 1, 1, 2, 1, 1, 2),
        num_classes=11,
    ),
    # the same at bandwidth 10, for background and four classes
    "cnn_184k": CNNConfig(
        size=(20, 20),
        channels=(16, 32, 48, 96),
        kernels=(3, 3, 5, 3),
        strides=(1, 1, 2, 1),
        num_classes=5,
    ),
    # classification: at bandwidth 30, and two at bandwidth 10
    "cnn_classic": CNNConfig(
        size=(60, 60),
        channels=(32, 64),
        kernels=(5, 5),
        strides=(3, 3),
        num_classes=10,
        task="classification",
        skips=False,
    ),
    "cnn_139k": CNNConfig(
        size=(20, 20),
        channels=(32, 64, 128),
        kernels=(3, 3, 3),
        strides=(1, 2, 1),
        num_classes=10,
        task="classification",
        skips=False,
    ),
    "cnn_29k": CNNConfig(
        size=(20, 20),
        channels=(16, 32, 64),
        kernels=(3, 3, 3),
        strides=(1, 2, 2),
        num_classes=10,
        task="classification",
        skips=False,
    ),
}
"""Architectures by name; ``dataclasses.replace`` makes variants of them."""

DEPTHS, KERNELS, GROWTH, SMALLEST = (3, 7), (3, 5, 7, 9), 0.9, 3


class Draws(NamedTuple):
    """Channels of the first layer, least and most; how probable a stride of 2 is, and how many."""

    first: tuple[int, int]
    stride_two: float
    most_twos: int


USUAL, NARROW = Draws((8, 16), 0.2, 2), Draws((4, 7), 0.5, 3)
# without a limit, shallow networks of millions of parameters would end in 20 000 channels
WIDEST_STEP = 8


def sample_cnn_architecture(
    key: Key[Array, ""],
    target_params: int,
    rel_tol: int | float,
    bandwidth: int,
    *,
    num_classes: int = 11,
    task: Task = "segmentation",
    in_channels: int = 1,
    skips: bool = True,
    batch_norm: bool = False,
    padding: Padding = "valid",
    max_tries: int = 20_000,
) -> CNNConfig:
    """A random planar network with about a given number of parameters.

    Depth is uniform in 3 … 7, each kernel in {3, 5, 7, 9}; a stride is 2 with probability 0.2, at
    most twice, else 1. The first layer has 8 … 16 channels, each next one ``exp(u)`` times as many
    with u uniform in 0 … 0.9, and the last as many as come nearest to ``target_params``. Drawn
    again is what misses the target, has features of fewer than 3 pixels, or a last layer that is
    narrower than the one before, or more than 8 times as wide.

    Where no such network is found, as for classifiers of 5 000 parameters on grids from b = 30 on,
    narrower ones are drawn: 4 … 7 channels in the first layer, and a stride of 2 with probability
    0.5, at most three times.

    Args:
        key: PRNG key; another one for each of the architectures to choose from.
        target_params: number of parameters wanted.
        rel_tol: by what fraction of it the result may differ.
        bandwidth: of the grid: images are ``2b × 2b``.
        num_classes: as the next five, a field of :class:`~jaxlab.spherical.cnn_config.CNNConfig`.
        task: see there.
        in_channels: see there.
        skips: see there; for classification too.
        batch_norm: see there.
        padding: see there.
        max_tries: most architectures drawn, and as many narrower ones.

    Returns:
        The first architecture that fits; the same for the same arguments.

    Raises:
        ValueError: if none of ``max_tries`` fits, or an argument is out of range.

    Cost:
        O(depth) a try, on the host; nothing is initialised.

    Source:
        In the paper's manner, which chose among random architectures of each size; the
        distributions are ours.

    Example:
        >>> cfg = sample_cnn_architecture(jax.random.key(0), 20_000, 0.05, bandwidth=10)
        >>> 19_000 <= cnn_param_count(cfg) <= 21_000
        True
    """
    check_key("key", key)
    check_bool("skips", skips)
    check_bool("batch_norm", batch_norm)
    check_integer("target_params", target_params, minimum=1)
    check_scalar("rel_tol", rel_tol, minimum=0)
    check_integer("bandwidth", bandwidth, minimum=1)
    check_integer("max_tries", max_tries, minimum=1)
    # as Python's, in which nothing wraps
    target_params, bandwidth, max_tries = map(operator.index, (target_params, bandwidth, max_tries))
    size = (2 * bandwidth, 2 * bandwidth)
    drawn = (_draw_layers(key, max_tries, target_params, one) for one in (USUAL, NARROW))
    for channels, kernels, strides in itertools.chain.from_iterable(drawn):
        if not _fits(size, kernels, strides, padding):
            continue
        cfg = CNNConfig(
            size,
            (*channels, 1),
            kernels,
            strides,
            num_classes,
            task,
            in_channels,
            skips,
            batch_norm,
            padding,
        )
        # the number of parameters is linear in the width of the last layer
        least = cnn_param_count(cfg)
        slope = cnn_param_count(dataclasses.replace(cfg, channels=(*channels, 2))) - least
        last = 1 + round((target_params - least) / slope)
        if not channels[-1] <= last <= WIDEST_STEP * channels[-1]:
            continue
        cfg = dataclasses.replace(cfg, channels=(*channels, last))
        if abs(cnn_param_count(cfg) - target_params) <= rel_tol * target_params:
            return cfg
    raise ValueError(
        f"target_params: expected a number that a random network on {size[0]} by {size[1]} pixels "
        f"comes within {rel_tol} of in {max_tries} tries, got {target_params}"
    )


def _draw_layers(
    key: Key[Array, ""], tries: int, most: int, draws: Draws
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """Widths of all layers but the last, kernels and strides, of what has not too many of them."""
    uniform = np.asarray(jax.random.uniform(key, (4, tries, DEPTHS[1])), np.float64)
    depth = DEPTHS[0] + (uniform[0, :, 0] * (DEPTHS[1] - DEPTHS[0] + 1)).astype(int)
    kernels = np.array(KERNELS)[(uniform[1] * len(KERNELS)).astype(int)]
    strides = np.where(uniform[2] < draws.stride_two, 2, 1)
    least, widest = draws.first
    widths = [least + ((widest - least + 1) * uniform[3, :, 0]).astype(int)]
    for layer in range(1, DEPTHS[1] - 1):
        widths.append(np.rint(widths[-1] * np.exp(GROWTH * uniform[3, :, layer])).astype(int))
    channels = np.stack(widths, axis=1)
    place = np.arange(DEPTHS[1])
    products = kernels[:, 1:-1] ** 2 * channels[:, :-1] * channels[:, 1:]
    count = (products * (place[1:-1] < depth[:, None] - 1)).sum(axis=1)
    twos = ((strides == 2) & (place < depth[:, None])).sum(axis=1)
    for draw in np.flatnonzero((count <= most) & (twos <= draws.most_twos)):
        last = depth[draw]
        yield (
            tuple(channels[draw, : last - 1].tolist()),
            tuple(kernels[draw, :last].tolist()),
            tuple(strides[draw, :last].tolist()),
        )


def _fits(
    size: tuple[int, int], kernels: tuple[int, ...], strides: tuple[int, ...], padding: Padding
) -> bool:
    """Whether all features have ``SMALLEST`` pixels in both directions at least."""
    for kernel, stride in zip(kernels, strides, strict=True):
        after = convolved_size(size, kernel, stride, padding)
        if after is None or min(after) < SMALLEST:
            return False
        size = after
    return True
