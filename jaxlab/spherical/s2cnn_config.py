"""Architectures of equivariant networks, and what follows from one without running it."""

import dataclasses
import itertools
import math
import operator
from typing import Literal, get_args

from jaxlab.checks import (
    check_bool,
    check_choice,
    check_integer,
    check_number,
    check_scalar,
    require,
)
from jaxlab.spherical.grids import GRIDS
from jaxlab.spherical.kernel_grids import (
    KernelGrid,
    near_identity_s2,
    near_identity_so3,
)
from jaxlab.spherical.types import Activation, Dft, GammaGrid, Grid, SO3ToS2Mode, Task, Upsampling

__all__ = ["ACTIVATIONS", "S2CNNConfig", "layer_kernels", "s2cnn_param_count"]

ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)
RADIUS = 6.19  # of the published kernels, in grid spacings π/b of the layer's input


@dataclasses.dataclass(frozen=True)
class S2CNNConfig:
    """Architecture of an equivariant network; hashable, so that it can be a static argument.

    The first layer lifts to the rotation group, the following ones stay there. Then comes, for
    segmentation, the layer back to the sphere, and for classification the mean over the group and
    linear layers.

    Attributes:
        bandwidth: of the images' grid.
        channels: of each layer on the rotation group.
        bandlimits: bandwidth of each layer's output grid.
        num_classes: outputs, the background among them for segmentation.
        task: ``"segmentation"``, one label a pixel, or ``"classification"``, one an image.
        in_channels: of the images.
        max_beta: how far each kernel reaches, in radians, that of the layer back to the sphere at
            the end for segmentation; ``"auto"`` gives each 6.19 grid spacings of its input, at
            most a quarter turn.
        n_beta: number of rings of each kernel.
        n_alpha: number of points on a ring.
        gamma_grid: third angles of the kernels, as in
            :func:`~jaxlab.spherical.near_identity_so3`.
        hidden: widths of the linear layers before the last, for classification.
        features_norm: whether the input of each linear layer is normalised over the batch.
        activation: between layers.
        oversample: of the grid on which the activation is evaluated, at least 1.
        shortcuts: whether layers that stay on the group have a path beside them.
        batch_norm: whether signals are normalised before each activation.
        output: how the layer back to the sphere sums the third angle.
        n_max: azimuthal bandlimit of the signals on the group whose bandlimit is larger, or None.
        upsample: ``"aliased"`` reproduces outputs of the published code where bandlimits rise.
        grid: kind of all grids.
        remat: whether layers are computed again in the backward pass. That saves memory with
            ``"gelu"``, ``"silu"`` and ``"softplus"``, of which the backward pass needs several
            arrays of a signal's size; with the others, of which it needs a mask or one array, it
            saves none, and may cost some.
        num_buckets: as in :func:`~jaxlab.spherical.so3_conv_apply`.
        fft: as in :func:`~jaxlab.spherical.s2_analysis`.
    """

    bandwidth: int
    channels: tuple[int, ...]
    bandlimits: tuple[int, ...]
    num_classes: int
    task: Task = "segmentation"
    in_channels: int = 1
    max_beta: tuple[float, ...] | Literal["auto"] = "auto"
    n_beta: int = 3
    n_alpha: int = 8
    gamma_grid: GammaGrid = "endpoint"
    hidden: tuple[int, ...] = ()
    features_norm: bool = False
    activation: Activation = "relu"
    oversample: float = 1.0
    shortcuts: bool = False
    batch_norm: bool = False
    output: SO3ToS2Mode = "sum"
    n_max: int | None = None
    upsample: Upsampling = "zero_pad"
    grid: Grid = "soft"
    remat: bool = False
    num_buckets: int | None = None
    fft: Dft | None = None

    def __post_init__(self) -> None:
        check_choice("task", self.task, get_args(Task))
        check_choice("activation", self.activation, ACTIVATIONS)
        check_choice("output", self.output, get_args(SO3ToS2Mode))
        check_choice("upsample", self.upsample, get_args(Upsampling))
        check_choice("grid", self.grid, GRIDS)
        check_choice("gamma_grid", self.gamma_grid, get_args(GammaGrid))
        if self.fft is not None:
            check_choice("fft", self.fft, get_args(Dft))
        check_scalar("oversample", self.oversample, minimum=1)
        for name in ("shortcuts", "batch_norm", "features_norm", "remat"):
            check_bool(name, getattr(self, name))
        sizes = ("bandwidth", "num_classes", "in_channels", "n_beta", "n_alpha")
        given = [name for name in ("n_max", "num_buckets") if getattr(self, name) is not None]
        for name in (*sizes, *given):
            check_integer(name, getattr(self, name), minimum=1)
            # as Python's, in which nothing wraps
            object.__setattr__(self, name, operator.index(getattr(self, name)))
        for name in ("channels", "bandlimits", "hidden"):
            values = getattr(self, name)
            require(isinstance(values, tuple), name, values, "a tuple of integers")
            for value in values:
                check_integer(name, value, minimum=1)
            object.__setattr__(self, name, tuple(map(operator.index, values)))
        depth = len(self.channels)
        require(depth > 0, "channels", self.channels, "at least one layer")
        fits = len(self.bandlimits) == depth
        require(fits, "bandlimits", self.bandlimits, f"as many entries as channels ({depth})")
        segments = self.task == "segmentation"
        if segments:
            require(not self.hidden, "hidden", self.hidden, "no linear layers for segmentation")
            fits = not self.features_norm
            require(fits, "features_norm", self.features_norm, "False for segmentation")
        if self.max_beta != "auto":
            kernels = depth + segments
            fits = isinstance(self.max_beta, tuple) and len(self.max_beta) == kernels
            require(fits, "max_beta", self.max_beta, f"'auto' or {kernels} angles")
            check_number("max_beta", self.max_beta, above=0, maximum=math.pi)
        if self.n_max is not None:
            most = max(self.bandlimits)
            require(self.n_max <= most, "n_max", self.n_max, f"at most the bandlimits, {most}")


def layer_kernels(cfg: S2CNNConfig) -> tuple[KernelGrid, ...]:
    """Points of each layer's kernel, that of the layer back to the sphere last.

    Args:
        cfg: architecture.

    Returns:
        One for each layer on the group, and one more for segmentation.

    Cost:
        O(depth).

    Example:
        >>> [kernel.n_points for kernel in layer_kernels(S2CNNConfig(4, (2, 2), (4, 3), 10))]
        [24, 192, 192]
    """
    inputs = (cfg.bandwidth, *cfg.bandlimits)[: len(cfg.channels) + (cfg.task == "segmentation")]
    if cfg.max_beta == "auto":
        reach = tuple(min(RADIUS * math.pi / b, math.pi / 2) for b in inputs)
    else:
        reach = cfg.max_beta
    points = {"n_alpha": cfg.n_alpha, "n_beta": cfg.n_beta}
    first = near_identity_s2(reach[0], **points)
    group = [near_identity_so3(angle, gamma_grid=cfg.gamma_grid, **points) for angle in reach[1:]]
    return (first, *group)


def s2cnn_param_count(cfg: S2CNNConfig) -> int:
    """Number of parameters of an equivariant network, without making them.

    ``Σ (n_points C_in C_out + C_out)`` over layers and shortcuts (one point), ``2 C`` for each
    batch-norm, and the linear layers.

    Args:
        cfg: architecture.

    Returns:
        What :func:`~jaxlab.spherical.cnn.count_params` finds after
        :func:`~jaxlab.spherical.s2cnn.init_s2cnn`.

    Cost:
        O(depth).

    Example:
        >>> s2cnn_param_count(S2CNNConfig(30, (20, 40), (10, 6), 10, task="classification"))
        154550
    """
    kernels = layer_kernels(cfg)
    widths = (cfg.in_channels, *cfg.channels)
    count = 0
    for layer, (before, after) in enumerate(itertools.pairwise(widths)):
        count += before * after * kernels[layer].n_points + after + 2 * after * cfg.batch_norm
        if has_shortcut(cfg, layer):
            count += before * after + after
    if cfg.task == "segmentation":
        count += (cfg.channels[-1] * kernels[-1].n_points + 1) * cfg.num_classes
        if cfg.output == "learned":
            count += 2 * output_degrees(cfg) ** 2
        return count
    widths = (cfg.channels[-1], *cfg.hidden, cfg.num_classes)
    for before, after in itertools.pairwise(widths):
        count += (before + 1) * after + 2 * before * cfg.features_norm
    return count


def output_degrees(cfg: S2CNNConfig) -> int:
    """Number of degrees of the layer back to the sphere."""
    aliased = cfg.upsample == "aliased"
    return cfg.bandwidth if aliased else min(cfg.bandlimits[-1], cfg.bandwidth)


def azimuthal_bandlimit(cfg: S2CNNConfig, b: int) -> int | None:
    """Azimuthal bandlimit of signals of bandlimit ``b`` on the group; None: all orders."""
    return None if cfg.n_max is None else min(cfg.n_max, b)


def has_shortcut(cfg: S2CNNConfig, layer: int) -> bool:
    """Whether the path beside ``layer`` has parameters of its own."""
    if not cfg.shortcuts or layer == 0:
        return False
    same = cfg.channels[layer - 1] == cfg.channels[layer]
    return not (same and cfg.bandlimits[layer - 1] == cfg.bandlimits[layer])
