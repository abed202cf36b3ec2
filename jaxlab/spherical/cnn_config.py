"""Architectures of planar convolutional networks, and what follows from one without running it."""

import dataclasses
import math
import operator
from typing import NamedTuple, TypeAlias, get_args

from jaxlab.checks import check_bool, check_choice, check_integer, require
from jaxlab.spherical.types import Padding, Task

__all__ = ["CNNConfig", "cnn_feature_sizes", "cnn_param_count"]

Size: TypeAlias = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class CNNConfig:
    """Architecture of a planar network; hashable, so that it can be a static argument.

    Attributes:
        size: height and width of the images, ``(2b, 2b)`` for a grid of bandwidth b.
        channels: of each convolution.
        kernels: height and width of each convolution's kernel.
        strides: of each convolution.
        num_classes: outputs, the background among them for segmentation.
        task: ``"segmentation"``, one label a pixel, or ``"classification"``, one an image.
        in_channels: of the images.
        skips: whether blocks have skips.
        batch_norm: whether what a block hands to its ReLU is normalised first.
        padding: ``"valid"`` for none, so that images shrink; ``"erp"`` to continue them as the
            sphere does, so that only strides make them smaller.
    """

    size: Size
    channels: tuple[int, ...]
    kernels: tuple[int, ...]
    strides: tuple[int, ...]
    num_classes: int
    task: Task = "segmentation"
    in_channels: int = 1
    skips: bool = True
    batch_norm: bool = False
    padding: Padding = "valid"

    def __post_init__(self) -> None:
        check_choice("task", self.task, get_args(Task))
        check_choice("padding", self.padding, get_args(Padding))
        check_bool("skips", self.skips)
        check_bool("batch_norm", self.batch_norm)
        for name in ("num_classes", "in_channels"):
            check_integer(name, getattr(self, name), minimum=1)
            # as Python's, in which nothing wraps
            object.__setattr__(self, name, operator.index(getattr(self, name)))
        for name in ("size", "channels", "kernels", "strides"):
            values = getattr(self, name)
            require(isinstance(values, tuple), name, values, "a tuple of integers")
            length = 2 if name == "size" else max(1, len(self.channels))
            require(len(values) == length, name, values, f"{length} entries")
            for value in values:
                check_integer(name, value, minimum=1)
            object.__setattr__(self, name, tuple(map(operator.index, values)))
        cnn_feature_sizes(self)


class BlockShape(NamedTuple):
    """What a block is made of: its kernel's size, channels before and after, and its extras."""

    window: int
    before: int
    after: int
    skip: bool
    norm: bool


def cnn_feature_sizes(cfg: CNNConfig) -> tuple[Size, ...]:
    """Height and width of the images, and of the features after each convolution.

    The transposed convolutions of a segmentation network go through them backwards.

    Args:
        cfg: architecture.

    Returns:
        ``len(cfg.channels) + 1`` pairs.

    Raises:
        ValueError: if a kernel exceeds the features it is applied to; says in which layer.

    Cost:
        O(depth).

    Example:
        >>> cnn_feature_sizes(CNNConfig((20, 20), (16, 32), (3, 3), (1, 2), num_classes=5))
        ((20, 20), (18, 18), (8, 8))
    """
    sizes = [cfg.size]
    for layer, (kernel, stride) in enumerate(zip(cfg.kernels, cfg.strides, strict=True), start=1):
        size = convolved_size(sizes[-1], kernel, stride, cfg.padding)
        expected = f"a kernel in layer {layer} that fits on its features of {sizes[-1]} pixels"
        require(size is not None, "kernels", cfg.kernels, expected)
        sizes.append(size)  # type: ignore[arg-type]
    return tuple(sizes)


def convolved_size(size: Size, kernel: int, stride: int, padding: Padding) -> Size | None:
    """Size of the features after a convolution, None where the kernel does not fit."""
    if padding == "erp":
        fits, positions = kernel // 2 <= min(size), size
    else:
        positions = (size[0] - kernel + 1, size[1] - kernel + 1)
        fits = min(positions) > 0
    return (-(-positions[0] // stride), -(-positions[1] // stride)) if fits else None


def cnn_param_count(cfg: CNNConfig) -> int:
    """Number of parameters of a planar network, without making them.

    ``Σ (k² C_in C_out + C_out)`` over layers, skips (``k = 1``) and the linear layer, and
    ``2 C_out`` for each batch-norm.

    Args:
        cfg: architecture.

    Returns:
        What :func:`~jaxlab.spherical.cnn.count_params` finds after
        :func:`~jaxlab.spherical.cnn.init_cnn`.

    Cost:
        O(depth).

    Example:
        >>> cnn_param_count(CNNConfig((8, 8), (2,), (3,), (1,), num_classes=3))
        77
    """
    down, up = block_shapes(cfg)
    count = sum(
        (window**2 + skip) * before * after + (1 + skip + 2 * norm) * after
        for window, before, after, skip, norm in down + up
    )
    if cfg.task == "classification":
        count += (linear_features(cfg) + 1) * cfg.num_classes
    return count


def block_shapes(cfg: CNNConfig) -> tuple[list[BlockShape], list[BlockShape]]:
    """Blocks down and blocks up; the outermost have no skip, and the last has no norm."""
    last = len(cfg.channels) - 1
    width = (cfg.in_channels, *cfg.channels)
    down = [
        BlockShape(window, width[i], width[i + 1], cfg.skips and i > 0, cfg.batch_norm)
        for i, window in enumerate(cfg.kernels)
    ]
    if cfg.task == "classification":
        return down, []
    width = (*cfg.channels[::-1], cfg.num_classes)
    up = [
        BlockShape(
            window, width[i], width[i + 1], cfg.skips and i < last, cfg.batch_norm and i < last
        )
        for i, window in enumerate(cfg.kernels[::-1])
    ]
    return down, up


def linear_features(cfg: CNNConfig) -> int:
    """Number of features that the last convolution hands to the linear layer of a classifier."""
    return math.prod(cnn_feature_sizes(cfg)[-1]) * cfg.channels[-1]
