"""What an equivariant network spends its time on, stage by stage.

Stages are compiled each by itself, over all layers of a network, and their times subtracted: what
transforms take beyond their Fourier sums over azimuths are the sums over colatitudes with Wigner's
d, and what layers take beyond their transforms are the products of spectra and the spectra of
kernels. In one program the compiler fuses some of it, so the parts are only about the whole.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.experiments.measure import compile_call, interleaved_seconds

# the public transforms are whole, and what they are made of is what is timed here
from jaxlab.spherical._azimuths import s2_orders, s2_samples, so3_orders, so3_samples
from jaxlab.spherical._real_transforms import s2_forward, s2_inverse, so3_forward, so3_inverse
from jaxlab.spherical.activation import spectral_activation
from jaxlab.spherical.convolution import s2_conv_apply, so3_conv_apply
from jaxlab.spherical.s2cnn import FUNCTIONS, apply_s2cnn, init_s2cnn, make_s2cnn_tables
from jaxlab.spherical.s2cnn_config import S2CNNConfig
from jaxlab.spherical.so3_to_s2 import so3_to_s2_apply
from jaxlab.spherical.tables import S2Tables, SO3Tables

__all__ = ["STAGES", "measure_stages"]

STAGES: Mapping[str, str] = {
    "azimuths": "Fourier sums over azimuths",
    "colatitudes": "sums over colatitudes, Wigner's d",
    "products": "products of spectra",
    "activations": "activations",
}

Tables = S2Tables | SO3Tables


def measure_stages(cfg: S2CNNConfig, batch: int, *, seed: int, repeats: int) -> dict[str, float]:
    """Seconds of each of ``STAGES`` in one inference on a batch, and of the ``"whole"`` network.

    Args:
        cfg: the network, without shortcuts and batch-norm.
        batch: images.
        seed: of parameters and signals.
        repeats: calls of which the median is taken.
    """
    params, state = init_s2cnn(jax.random.key(seed), cfg)
    tables = make_s2cnn_tables(cfg)
    ends = [(one.tables_in, one.tables_out) for one in tables.layers]
    widths = [cfg.in_channels, *cfg.channels]
    widths += [cfg.num_classes] * (len(ends) == len(widths))
    key = jax.random.key(seed)
    shapes = [(batch, width, *of.shape) for width, (of, _) in zip(widths, ends, strict=False)]
    inputs = [jax.random.normal(key, shape) for shape in shapes]
    shapes = [(batch, width, *of.shape) for width, (_, of) in zip(widths[1:], ends, strict=True)]
    outputs = [jax.random.normal(key, shape) for shape in shapes]
    # what the inverse transforms start from, laid out as they do
    orders = [_orders(y, of) for y, (_, of) in zip(outputs, ends, strict=True)]
    spectra = [_forward(y, of) for y, (_, of) in zip(outputs, ends, strict=True)]

    def azimuths(inputs: Any, orders: Any, ends: Any) -> Any:
        return [
            (_orders(x, before), _samples(X, after))
            for x, X, (before, after) in zip(inputs, orders, ends, strict=True)
        ]

    def transforms(inputs: Any, spectra: Any, ends: Any) -> Any:
        return [
            (_forward(x, before), _inverse(X, after))
            for x, X, (before, after) in zip(inputs, spectra, ends, strict=True)
        ]

    def layers(params: Any, inputs: Any, tables: Any) -> Any:
        options: dict[str, Any] = {"num_buckets": cfg.num_buckets}
        found = [s2_conv_apply(params.layers[0].conv, inputs[0], *tables[0])]
        for layer, x, of in zip(params.layers[1:], inputs[1:], tables[1:], strict=False):
            found.append(so3_conv_apply(layer.conv, x, *of, **options))
        if params.output is not None:
            found.append(
                so3_to_s2_apply(params.output, inputs[-1], *tables[-1], mode=cfg.output, **options)
            )
        return found

    def activations(outputs: Any, tables: Any) -> Any:
        fn = FUNCTIONS[cfg.activation]
        return [spectral_activation(y, fn, of) for y, of in zip(outputs, tables, strict=False)]

    def whole(params: Any, state: Any, x: Array, tables: Any) -> Array:
        return apply_s2cnn(params, state, x, tables, cfg, train=False)[0]

    seconds = _times(
        {
            "azimuths": (azimuths, inputs, orders, ends),
            "transforms": (transforms, inputs, spectra, ends),
            "layers": (layers, params, inputs, tables.layers),
            "activations": (activations, outputs[: len(cfg.channels)], tables.activations),
            "whole": (whole, params, state, inputs[0], tables),
        },
        repeats,
    )
    return {
        "azimuths": seconds["azimuths"],
        "colatitudes": max(seconds["transforms"] - seconds["azimuths"], 0.0),
        "products": max(seconds["layers"] - seconds["transforms"], 0.0),
        "activations": seconds["activations"],
        "whole": seconds["whole"],
    }


def _times(calls: Mapping[str, Sequence[Any]], repeats: int) -> dict[str, float]:
    """Median seconds of compiled functions of the arguments that follow them."""

    def bound(function: Any, *arguments: Any) -> Any:
        call = compile_call(function, *arguments).call
        return lambda: call(*arguments)

    return interleaved_seconds(
        {name: bound(*call) for name, call in calls.items()}, repeats=repeats
    )


def _signals(x: Array, tables: Tables) -> Array:
    """Signals of all channels and images on one axis, as the transforms take them."""
    return jnp.swapaxes(x, 0, 1).reshape(-1, *tables.shape)


def _orders(x: Array, tables: Tables) -> Array:
    of: Any = s2_orders if isinstance(tables, S2Tables) else so3_orders
    return of(_signals(x, tables), tables, None)


def _samples(orders: Array, tables: Tables) -> Array:
    of: Any = s2_samples if isinstance(tables, S2Tables) else so3_samples
    return of(orders, tables, None)


def _forward(x: Array, tables: Tables) -> Array:
    of: Any = s2_forward if isinstance(tables, S2Tables) else so3_forward
    return of(_signals(x, tables), tables, None)


def _inverse(spectra: Array, tables: Tables) -> Array:
    of: Any = s2_inverse if isinstance(tables, S2Tables) else so3_inverse
    return of(spectra, tables, None)
