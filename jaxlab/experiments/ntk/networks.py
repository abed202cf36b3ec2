"""Fully connected and convolutional networks as a pair of pure functions.

Both parametrisations of a layer with ``fan_in`` inputs define the same random function at
initialisation and differ in what a step of gradient descent does to it:

* ``"standard"``: ``y = x w + b``, ``w ~ N(0, σ_w² / fan_in)``, ``b ~ N(0, σ_b²)``;
* ``"ntk"``: ``y = (σ_w / √fan_in) x w + σ_b b``, ``w, b ~ N(0, 1)``.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
from jaxtyping import Array, Float

__all__ = ["Network", "Parametrisation", "cnn", "mlp", "parameter_count", "parameter_shapes"]

Parametrisation = Literal["standard", "ntk"]
Params = Any


class Network(NamedTuple):
    """A network without state.

    Attributes:
        init: ``key -> params``.
        apply: ``(params, x) -> outputs``, ``[n, …] -> [n, outputs]``; examples do not interact.
    """

    init: Callable[[Array], Params]
    apply: Callable[[Params, Array], Array]


def mlp(
    sizes: Sequence[int],
    *,
    activation: Callable[[Array], Array] = jax.nn.relu,
    parametrisation: Parametrisation = "standard",
    weight_std: int | float = math.sqrt(2),
    bias_std: int | float | None = None,
) -> Network:
    """A fully connected network; the last layer is linear.

    Args:
        sizes: units of every layer, inputs first and outputs last. Inputs of more axes are
            flattened.
        activation: after every layer but the last.
        parametrisation: ``"standard"`` or ``"ntk"``.
        weight_std: σ_w.
        bias_std: σ_b; None leaves the biases out.

    Example:
        >>> network = mlp((3, 16, 2), bias_std=0.1)
        >>> params = network.init(jax.random.key(0))
        >>> network.apply(params, jax.numpy.ones((5, 3))).shape
        (5, 2)
    """
    widths = tuple(sizes)

    def init(key: Array) -> Params:
        keys = jax.random.split(key, len(widths) - 1)
        return [
            _init_layer(key, (fan_in, fan_out), parametrisation, weight_std, bias_std)
            for key, fan_in, fan_out in zip(keys, widths[:-1], widths[1:], strict=True)
        ]

    def apply(params: Params, x: Float[Array, "n ..."]) -> Float[Array, "n o"]:
        hidden = x.reshape(x.shape[0], -1)
        for index, layer in enumerate(params):
            hidden = _scaled(hidden @ layer["w"], layer, parametrisation, weight_std, bias_std)
            if index < len(params) - 1:
                hidden = activation(hidden)
        return hidden

    return Network(init, apply)


def cnn(
    image: tuple[int, int, int],
    channels: Sequence[int],
    outputs: int,
    *,
    kernel: int = 3,
    pool: int | None = None,
    activation: Callable[[Array], Array] = jax.nn.relu,
    parametrisation: Parametrisation = "standard",
    weight_std: int | float = math.sqrt(2),
    bias_std: int | float | None = None,
) -> Network:
    """Convolutions of stride 1 that keep the image's size, average pooling, a dense head.

    Args:
        image: height, width and channels of the inputs ``[n, height, width, channels]``.
        channels: output channels of every convolution.
        outputs: units of the head.
        kernel: side of the filters.
        pool: side of the windows that are averaged before the head, which must divide the image;
            None averages the whole image.
        activation: after every convolution.
        parametrisation: ``"standard"`` or ``"ntk"``.
        weight_std: σ_w.
        bias_std: σ_b; None leaves the biases out.

    Example:
        >>> network = cnn((8, 8, 1), (4, 4), 10, pool=4)
        >>> shapes = parameter_shapes(network)
        >>> [layer["w"].shape for layer in shapes]
        [(3, 3, 1, 4), (3, 3, 4, 4), (16, 10)]
    """
    height, width, colours = image
    windows = (height, width) if pool is None else (pool, pool)
    if height % windows[0] or width % windows[1]:
        raise ValueError(f"pool: expected a divisor of {height} and {width}, got {pool}")
    cells = (height // windows[0]) * (width // windows[1])
    filters = [
        (kernel, kernel, fan_in, fan_out)
        for fan_in, fan_out in zip((colours, *channels), channels, strict=False)
    ]
    shapes = [*filters, (cells * channels[-1], outputs)]

    def init(key: Array) -> Params:
        keys = jax.random.split(key, len(shapes))
        return [
            _init_layer(key, shape, parametrisation, weight_std, bias_std)
            for key, shape in zip(keys, shapes, strict=True)
        ]

    def apply(params: Params, x: Float[Array, "n h w c"]) -> Float[Array, "n o"]:
        hidden = x
        for layer in params[:-1]:
            hidden = jax.lax.conv_general_dilated(
                hidden,
                layer["w"],
                window_strides=(1, 1),
                padding="SAME",
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
            hidden = activation(_scaled(hidden, layer, parametrisation, weight_std, bias_std))
        n, rows, columns, depth = hidden.shape
        tiled = hidden.reshape(
            n, rows // windows[0], windows[0], columns // windows[1], windows[1], depth
        )
        pooled = tiled.mean(axis=(2, 4)).reshape(n, -1)
        head = params[-1]
        return _scaled(pooled @ head["w"], head, parametrisation, weight_std, bias_std)

    return Network(init, apply)


def parameter_shapes(network: Network) -> Params:
    """The parameters as ``jax.ShapeDtypeStruct``; nothing is allocated."""
    return jax.eval_shape(network.init, jax.random.key(0))


def parameter_count(network: Network) -> int:
    """Number of parameters; nothing is allocated."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(parameter_shapes(network)))


def _init_layer(
    key: Array,
    shape: tuple[int, ...],
    parametrisation: Parametrisation,
    weight_std: int | float,
    bias_std: int | float | None,
) -> dict[str, Array]:
    of_weights, of_biases = jax.random.split(key)
    scale, shift = (1.0, 1.0)
    if parametrisation == "standard":
        scale, shift = weight_std / math.sqrt(math.prod(shape[:-1])), bias_std or 0.0
    layer = {"w": scale * jax.random.normal(of_weights, shape)}
    if bias_std is not None:
        layer["b"] = shift * jax.random.normal(of_biases, shape[-1:])
    return layer


def _scaled(
    product: Array,
    layer: dict[str, Array],
    parametrisation: Parametrisation,
    weight_std: int | float,
    bias_std: int | float | None,
) -> Array:
    """The layer's output from the product of its input with ``w``."""
    if parametrisation == "standard":
        return product + layer["b"] if "b" in layer else product
    scaled = weight_std / math.sqrt(math.prod(layer["w"].shape[:-1])) * product
    return scaled if bias_std is None else scaled + bias_std * layer["b"]
