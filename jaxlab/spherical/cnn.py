"""Planar convolutional networks on the flattened sphere: what equivariant ones are compared with.

For classification, convolutions and a linear layer. For segmentation, convolutions down and
transposed ones back up through the same sizes, each block

    y = ReLU(layer(x) + skip(x)),

where ``skip`` is a 1×1 convolution of what the layer's window and stride leave of ``x``: of its
maxima on the way down, of its pixels enlarged on the way up. The first and the last layer have no
skip, and there are no links from the way down to the way up.

Source: Gerken et al. 2022, the CNN baselines of their segmentation experiments.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PyTree

from jaxlab.checks import check_bool, check_dtype, check_key, check_shape, require
from jaxlab.spherical.batch_norm import (
    BatchNormParams,
    BatchNormState,
    batch_norm_apply,
    batch_norm_init,
)
from jaxlab.spherical.cnn_config import (
    BlockShape,
    CNNConfig,
    Size,
    block_shapes,
    cnn_feature_sizes,
    linear_features,
)
from jaxlab.spherical.planar_layers import (
    erp_pad,
    max_pool,
    nearest_upsample,
    planar_conv,
    planar_transposed_conv,
)

__all__ = [
    "Affine",
    "Block",
    "CNNParams",
    "CNNState",
    "apply_cnn",
    "count_params",
    "init_cnn",
]


class Affine(NamedTuple):
    """A linear map and what is added to it.

    Attributes:
        kernel: ``[height, width, in, out]`` of a convolution, ``[in, out]`` of the linear layer.
        bias: one a channel.
    """

    kernel: Float[Array, "*window i o"]
    bias: Float[Array, " o"]


class Block(NamedTuple):
    """Parameters of one block.

    Attributes:
        layer: the (transposed) convolution.
        skip: its 1×1 convolution, or None.
        norm: its batch-norm, or None.
    """

    layer: Affine
    skip: Affine | None
    norm: BatchNormParams | None


class CNNParams(NamedTuple):
    """Parameters of a network.

    Attributes:
        down: blocks in the order in which they are applied.
        up: blocks of transposed convolutions in the order in which they are applied; none for
            classification.
        linear: the last layer of a classifier, or None.
    """

    down: tuple[Block, ...]
    up: tuple[Block, ...]
    linear: Affine | None


CNNState: TypeAlias = tuple[BatchNormState, ...]  # of the normalised blocks, in order


@functools.partial(jax.jit, static_argnames="cfg")
def init_cnn(key: Key[Array, ""], cfg: CNNConfig) -> tuple[CNNParams, CNNState]:
    """Random parameters, and the running statistics of batch-norm.

    Weights and biases are uniform in ``±1/√(k² C_in)``: PyTorch's default for convolutions and
    linear layers, and here for transposed convolutions too.

    Args:
        key: PRNG key.
        cfg: architecture.

    Returns:
        Parameters and statistics in float32; the statistics are empty without batch-norm.

    Cost:
        Linear in the number of parameters.

    Example:
        >>> cfg = CNNConfig((8, 8), (2,), (3,), (1,), num_classes=3)
        >>> params, state = init_cnn(jax.random.key(0), cfg)
        >>> params.down[0].layer.kernel.shape, params.up[0].layer.kernel.shape
        ((3, 3, 1, 2), (3, 3, 2, 3))
    """
    check_key("key", key)
    down, up = block_shapes(cfg)
    shapes: list[tuple[int, ...]] = []
    for window, before, after, skip, _ in down + up:
        shapes += [(window, window, before, after)] + [(1, 1, before, after)] * skip
    if cfg.task == "classification":
        shapes.append((linear_features(cfg), cfg.num_classes))
    affine = iter(_draw(key, shapes))
    states: list[BatchNormState] = []

    def block(shape: BlockShape) -> Block:
        layer, skip, norm = next(affine), next(affine) if shape.skip else None, None
        if shape.norm:
            norm, statistics = batch_norm_init(shape.after)
            states.append(statistics)
        return Block(layer, skip, norm)

    blocks = tuple(map(block, down)), tuple(map(block, up))
    linear = next(affine) if cfg.task == "classification" else None
    return CNNParams(*blocks, linear), tuple(states)


@functools.partial(jax.jit, static_argnames=("cfg", "train", "axis_name"))
def apply_cnn(
    params: CNNParams,
    state: CNNState,
    x: Float[Array, "n h w c"],
    cfg: CNNConfig,
    *,
    train: bool,
    axis_name: str | None = None,
) -> tuple[Float[Array, "n ..."], CNNState]:
    """Class scores of every pixel, or of every image.

    Batch-norm takes away the biases in front of it: in training their derivative is exactly 0.

    Args:
        params: from :func:`init_cnn`.
        state: running statistics of batch-norm.
        x: images of the size of ``cfg``, channels last: rows from north to south.
        cfg: architecture; static.
        train: whether batch-norm uses, and collects, the statistics of the batch; static.
        axis_name: mapped axis over which the batch is sharded, for batch-norm.

    Returns:
        Logits ``[n, h, w, num_classes]`` for segmentation and ``[n, num_classes]`` for
        classification, in the dtype of ``x``, and the running statistics.

    Raises:
        ValueError: if ``x`` is not of the size and channels of ``cfg``, or parameters or statistics
            are those of another architecture.

    Cost:
        ``2 n h' w' k² C_in C_out`` operations for each layer with features of h' by w'.

    Source:
        Gerken et al. 2022, their CNN baselines.

    Example:
        >>> cfg = CNNConfig((8, 8), (2,), (3,), (1,), num_classes=3)
        >>> params, state = init_cnn(jax.random.key(0), cfg)
        >>> logits, state = apply_cnn(params, state, jnp.ones((1, 8, 8, 1)), cfg, train=False)
        >>> logits.shape
        (1, 8, 8, 3)
    """
    check_dtype("x", x, "floating")
    check_shape("x", x, ("batch", *cfg.size, cfg.in_channels))
    check_network(init_cnn, params, state, cfg)
    check_bool("train", train)
    dtype = x.dtype
    x = x.astype(jnp.promote_types(dtype, jnp.float32))
    statistics, collected = iter(state), []
    if train:
        down, up = (tuple(map(fixed_biases, blocks)) for blocks in (params.down, params.up))
        params = params._replace(down=down, up=up)

    def activated(y: Array, block: Block) -> Array:
        if block.norm is not None:
            y, new = batch_norm_apply(
                block.norm,
                next(statistics),
                y,
                train=train,
                axis_name=axis_name,
                channel_axis=-1,
            )
            collected.append(new)
        return jax.nn.relu(y)

    for block, window, stride in zip(params.down, cfg.kernels, cfg.strides, strict=True):
        if cfg.padding == "erp":
            x = erp_pad(x, (window - 1) // 2, window // 2)
        y = _conv(x, block.layer, stride)
        if block.skip is not None:
            y += _conv(max_pool(x, window, stride), block.skip)
        x = activated(y, block)

    if params.linear is not None:
        x = x.reshape(x.shape[0], math.prod(x.shape[1:]))  # −1 would not do for an empty batch
        logits = x @ params.linear.kernel.astype(x.dtype) + params.linear.bias
        return logits.astype(dtype), tuple(collected)

    sizes = cnn_feature_sizes(cfg)[-2::-1]
    steps = zip(params.up, cfg.kernels[::-1], cfg.strides[::-1], sizes, strict=True)
    for layer, (block, window, stride, size) in enumerate(steps, start=1):
        y = _enlarged(x, block.layer, window, stride, size, cfg.padding)
        if block.skip is not None:
            y += nearest_upsample(_conv(x, block.skip), size)
        x = y if layer == len(params.up) else activated(y, block)
    return x.astype(dtype), tuple(collected)


def count_params(params: PyTree) -> int:
    """Number of trainable numbers in a tree of arrays, or of shapes from ``jax.eval_shape``.

    Args:
        params: any PyTree whose leaves have a shape.

    Returns:
        Their number.

    Cost:
        Linear in the number of leaves.

    Example:
        >>> count_params({"kernel": np.zeros((2, 3)), "bias": np.zeros(3)})
        9
    """
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def fixed_biases(block: Any) -> Any:
    """The block, with biases of derivative 0 where batch-norm follows and takes them away.

    Rounding would leave a little of that derivative, and Adam's steps are as long for little as for
    much.
    """
    if block.norm is None:
        return block
    fixed = {
        name: layer._replace(bias=jax.lax.stop_gradient(layer.bias))
        for name, layer in block._asdict().items()
        if name != "norm" and layer is not None
    }
    return block._replace(**fixed)


def _conv(x: Array, layer: Affine, stride: int = 1) -> Array:
    return planar_conv(x, layer.kernel, stride) + layer.bias.astype(x.dtype)


def _enlarged(x: Array, layer: Affine, window: int, stride: int, size: Size, padding: str) -> Array:
    """Transposed convolution of ``x`` into an image of ``size``."""
    if padding == "erp":
        # beyond every edge as many coarse pixels as reach inside; what they reach outside is cut
        beyond = -(-(window // 2) // stride)
        x = erp_pad(x, beyond, beyond)
        whole = (stride * x.shape[1] + window - 1, stride * x.shape[2] + window - 1)
        y = planar_transposed_conv(x, layer.kernel, stride, whole)
        start = stride * beyond + (window - 1) // 2
        y = y[:, start : start + size[0], start : start + size[1]]
    else:
        y = planar_transposed_conv(x, layer.kernel, stride, size)
    return y + layer.bias.astype(y.dtype)


def _draw(key: Key[Array, ""], shapes: list[tuple[int, ...]]) -> list[Affine]:
    """Random layers, of one draw: a program for each shape would take seconds to compile."""
    ends = np.cumsum([math.prod(shape) + shape[-1] for shape in shapes])
    draw = jax.random.uniform(key, (int(ends[-1]),), jnp.float32, minval=-1.0)
    draws = jnp.split(draw, ends[:-1])
    layers = []
    for shape, draw in zip(shapes, draws, strict=True):
        draw = draw / math.sqrt(math.prod(shape[:-1]))
        layers.append(Affine(draw[: -shape[-1]].reshape(shape), draw[-shape[-1] :]))
    return layers


def check_network(init: Callable[..., Any], params: Any, state: Any, cfg: Any) -> None:
    """Refuse parameters and statistics that are not those which ``init`` makes for ``cfg``."""
    made = jax.eval_shape(functools.partial(init, cfg=cfg), jax.random.key(0))
    for name, have, want in zip(("params", "state"), (params, state), made, strict=True):
        found, wanted = _shapes(have), _shapes(want)
        for leaf in wanted | found:
            shape = wanted.get(leaf)
            expected = f"shape {list(shape)}, as cfg" if shape is not None else "nothing, as cfg"
            require(found.get(leaf) == shape, f"{name}{leaf}", found.get(leaf), expected)


def _shapes(tree: PyTree) -> dict[str, tuple[int, ...]]:
    """Shape of each leaf, by its place in the tree."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path): np.shape(leaf) for path, leaf in leaves}
