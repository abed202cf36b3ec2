"""ImageNet models in flax.linen, for counting what their kernels cost.

ResNet-18/34/50/101 (He et al. 2016, the stride of a bottleneck in its 3×3 convolution), ViT-S/16
(Dosovitskiy et al. 2021; Touvron et al. 2021 for the small size) and MLP-Mixer-B/16 (Tolstikhin et
al. 2021), with the published numbers of parameters. Parameters are random; none are trained.

Batch normalisation is in evaluation mode with running mean 0 and variance 1, which makes it the
affine map of :class:`FrozenBatchNorm`: a kernel between examples needs a network whose outputs do
not depend on the rest of the batch.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.checks import check_choice
from jaxlab.experiments.ntk.networks import Network

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "FrozenBatchNorm",
    "ImageModel",
    "Mixer",
    "ResNet",
    "VisionTransformer",
    "image_network",
    "small_resnet",
]

ImageModel = Literal["resnet18", "resnet34", "resnet50", "resnet101", "vit_s16", "mixer_b16"]

_he = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
_gelu = partial(nn.gelu, approximate=False)


class FrozenBatchNorm(nn.Module):
    """``γ x / √(1 + ε) + β`` per channel: batch normalisation with statistics 0 and 1.

    Attributes:
        epsilon: ε.
    """

    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: Float[Array, "... c"]) -> Float[Array, "... c"]:
        """Normalise the last axis."""
        gain = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        shift = self.param("bias", nn.initializers.zeros, (x.shape[-1],))
        return x * (gain / jnp.sqrt(1 + self.epsilon)) + shift


class _Convolution(nn.Module):
    """A convolution without bias, then batch normalisation."""

    channels: int
    size: int
    stride: int = 1

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.Conv(
            self.channels,
            (self.size, self.size),
            (self.stride, self.stride),
            padding=self.size // 2,
            use_bias=False,
            kernel_init=_he,
        )(x)
        return FrozenBatchNorm()(x)


class _Basic(nn.Module):
    """Two 3×3 convolutions beside a shortcut."""

    channels: int
    stride: int
    expansion = 1

    @nn.compact
    def __call__(self, x: Array) -> Array:
        y = nn.relu(_Convolution(self.channels, 3, self.stride)(x))
        y = _Convolution(self.channels, 3)(y)
        return nn.relu(_shortcut(x, self.channels, self.stride) + y)


class _Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions beside a shortcut."""

    channels: int
    stride: int
    expansion = 4

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width = self.channels * self.expansion
        y = nn.relu(_Convolution(self.channels, 1)(x))
        y = nn.relu(_Convolution(self.channels, 3, self.stride)(y))
        y = _Convolution(width, 1)(y)
        return nn.relu(_shortcut(x, width, self.stride) + y)


def _shortcut(x: Array, channels: int, stride: int) -> Array:
    if x.shape[-1] == channels and stride == 1:
        return x
    return _Convolution(channels, 1, stride, name="shortcut")(x)


class ResNet(nn.Module):
    """Residual network for ``[n, height, width, 3]``.

    Attributes:
        block: ``_Basic`` or ``_Bottleneck``.
        stages: blocks in each of the stages, of 64, 128, 256 and 512 channels.
        outputs: units of the head.
    """

    block: Any
    stages: Sequence[int]
    outputs: int = 1000

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"]) -> Float[Array, "n o"]:
        """Outputs before any softmax."""
        x = nn.relu(_Convolution(64, 7, 2)(x))
        x = nn.max_pool(x, (3, 3), (2, 2), padding=((1, 1), (1, 1)))
        for stage, blocks in enumerate(self.stages):
            for index in range(blocks):
                x = self.block(64 * 2**stage, 2 if stage > 0 and index == 0 else 1)(x)
        return nn.Dense(self.outputs)(x.mean(axis=(1, 2)))


class _Patches(nn.Module):
    """Linear embedding of non-overlapping patches: ``[n, tokens, dim]``."""

    size: int
    dim: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.Conv(self.dim, (self.size, self.size), (self.size, self.size), padding="VALID")(x)
        return x.reshape(x.shape[0], -1, self.dim)


class _Perceptron(nn.Module):
    """Two dense layers on the last axis, GELU between them."""

    hidden: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return nn.Dense(x.shape[-1])(_gelu(nn.Dense(self.hidden)(x)))


class VisionTransformer(nn.Module):
    """Vision transformer with a class token and learned positions, for ``[n, h, w, 3]``.

    Attributes:
        patch: side of a patch, which must divide the image.
        dim: width of a token.
        depth: number of blocks.
        heads: attention heads.
        outputs: units of the head.
    """

    patch: int = 16
    dim: int = 384
    depth: int = 12
    heads: int = 6
    outputs: int = 1000

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"]) -> Float[Array, "n o"]:
        """Outputs before any softmax, from the class token."""
        x = _Patches(self.patch, self.dim)(x)
        token = self.param("class_token", nn.initializers.zeros, (1, 1, self.dim))
        x = jnp.concatenate([jnp.broadcast_to(token, (x.shape[0], 1, self.dim)), x], axis=1)
        normal = nn.initializers.normal(0.02)
        x = x + self.param("positions", normal, (1, x.shape[1], self.dim))
        for _ in range(self.depth):
            y = nn.LayerNorm()(x)
            x = x + nn.MultiHeadDotProductAttention(self.heads)(y, y)
            x = x + _Perceptron(4 * self.dim)(nn.LayerNorm()(x))
        return nn.Dense(self.outputs)(nn.LayerNorm()(x)[:, 0])


class Mixer(nn.Module):
    """MLP-Mixer for ``[n, height, width, 3]``.

    Attributes:
        patch: side of a patch, which must divide the image.
        dim: width of a token.
        depth: number of blocks.
        token_hidden: hidden units of the perceptron across tokens.
        channel_hidden: hidden units of the perceptron across channels.
        outputs: units of the head.
    """

    patch: int = 16
    dim: int = 768
    depth: int = 12
    token_hidden: int = 384
    channel_hidden: int = 3072
    outputs: int = 1000

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"]) -> Float[Array, "n o"]:
        """Outputs before any softmax, from the mean token."""
        x = _Patches(self.patch, self.dim)(x)
        for _ in range(self.depth):
            y = jnp.swapaxes(nn.LayerNorm()(x), 1, 2)
            x = x + jnp.swapaxes(_Perceptron(self.token_hidden)(y), 1, 2)
            x = x + _Perceptron(self.channel_hidden)(nn.LayerNorm()(x))
        return nn.Dense(self.outputs)(nn.LayerNorm()(x).mean(axis=1))


class Architecture(NamedTuple):
    """A model of the table below.

    Attributes:
        title: name in tables and figures.
        make: ``make(outputs=…)`` gives the flax module.
        parameters: published number of parameters at 1000 outputs and 224² pixels.
    """

    title: str
    make: Callable[..., nn.Module]
    parameters: int


ARCHITECTURES: Mapping[str, Architecture] = {
    "resnet18": Architecture("ResNet-18", partial(ResNet, _Basic, (2, 2, 2, 2)), 11_689_512),
    "resnet34": Architecture("ResNet-34", partial(ResNet, _Basic, (3, 4, 6, 3)), 21_797_672),
    "resnet50": Architecture("ResNet-50", partial(ResNet, _Bottleneck, (3, 4, 6, 3)), 25_557_032),
    "resnet101": Architecture(
        "ResNet-101", partial(ResNet, _Bottleneck, (3, 4, 23, 3)), 44_549_160
    ),
    "vit_s16": Architecture("ViT-S/16", VisionTransformer, 22_050_664),
    "mixer_b16": Architecture("MLP-Mixer-B/16", Mixer, 59_880_472),
}


def image_network(name: str, *, image: int = 224, outputs: int = 1000) -> Network:
    """One of :data:`ARCHITECTURES` as a pair of pure functions on ``[n, image, image, 3]``.

    Raises:
        ValueError: unknown name.

    Example:
        >>> from jaxlab.experiments.ntk.networks import parameter_count
        >>> parameter_count(image_network("resnet18"))
        11689512
    """
    check_choice("name", name, tuple(ARCHITECTURES))
    return _pure(ARCHITECTURES[name].make(outputs=outputs), image)


def small_resnet(blocks: Sequence[int], *, image: int, outputs: int) -> Network:
    """The beginning of a ResNet-18: ``blocks`` in each of the first stages, then the head.

    Example:
        >>> network = small_resnet((1,), image=16, outputs=3)
        >>> params = network.init(jax.random.key(0))
        >>> network.apply(params, jnp.ones((2, 16, 16, 3))).shape
        (2, 3)
    """
    return _pure(ResNet(_Basic, tuple(blocks), outputs=outputs), image)


def _pure(module: nn.Module, image: int) -> Network:
    """``module`` without state, for images of side ``image``."""

    def init(key: Array) -> Any:
        return module.init(key, jnp.zeros((1, image, image, 3)))["params"]

    def apply(params: Any, x: Float[Array, "n h w c"]) -> Any:
        return module.apply({"params": params}, x)

    return Network(jax.jit(init), apply)
