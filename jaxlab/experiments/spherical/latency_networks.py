"""The networks that are timed, and their compiled calls."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import optax
from jaxtyping import Array, Key

from jaxlab.experiments.measure import Compiled, compile_call
from jaxlab.experiments.spherical.networks import (
    NetworkConfig,
    apply_network,
    init_network,
    make_network_tables,
)
from jaxlab.spherical.cnn_architectures import sample_cnn_architecture
from jaxlab.spherical.cnn_config import CNNConfig
from jaxlab.spherical.metrics import pixel_cross_entropy
from jaxlab.spherical.s2cnn_architectures import S2CNN_PRESETS
from jaxlab.spherical.s2cnn_config import S2CNNConfig, s2cnn_param_count
from jaxlab.training import TrainState, create_train_state, make_train_step

__all__ = ["CALLS", "compile_calls", "matched_cnn", "scaled_s2cnn"]

CALLS: Mapping[str, str] = {
    "one": "one image",
    "batch": "a batch",
    "training": "a training step",
}
RATE = 1e-3


def scaled_s2cnn(name: str, b: int, *, remat: bool = False) -> S2CNNConfig:
    """The preset with its bandlimits in proportion to another bandwidth of the images.

    Kernels keep their points, and so the network its number of parameters.
    """
    cfg = S2CNN_PRESETS[name]
    bandlimits = tuple(max(1, round(L * b / cfg.bandwidth)) for L in cfg.bandlimits)
    return dataclasses.replace(cfg, bandwidth=b, bandlimits=bandlimits, remat=remat)


def matched_cnn(key: Key[Array, ""], cfg: S2CNNConfig, tolerance: float) -> CNNConfig:
    """A random planar network for the same task, with as many parameters."""
    return sample_cnn_architecture(
        key,
        s2cnn_param_count(cfg),
        tolerance,
        cfg.bandwidth,
        num_classes=cfg.num_classes,
        task=cfg.task,
    )


def compile_calls(network: NetworkConfig, batch: int, *, seed: int) -> dict[str, Compiled]:
    """The calls of ``CALLS``, compiled; their arguments are bound, the tables among them."""
    of_params, of_images = jax.random.split(jax.random.key(seed))
    params, model_state = init_network(of_params, network)
    tables = make_network_tables(network)
    b = network.size[0] // 2 if isinstance(network, CNNConfig) else network.bandwidth
    x = jax.random.normal(of_images, (batch, 2 * b, 2 * b))
    pixels = x.shape if network.task == "segmentation" else x.shape[:1]
    labels = jax.random.randint(of_images, pixels, 0, network.num_classes)
    optimizer = optax.adam(RATE)
    state = create_train_state(params, optimizer, key=of_params, model_state=model_state)

    def predict(params: Any, model_state: Any, x: Array, tables: Any) -> Array:
        return apply_network(params, model_state, x, tables, network, train=False)[0]

    def step(state: TrainState, batch: Any, tables: Any) -> Any:
        def loss_fn(params: Any, model_state: Any, batch: Any, key: Array) -> Any:
            logits, model_state = apply_network(
                params, model_state, batch["x"], tables, network, train=True
            )
            return pixel_cross_entropy(logits, batch["labels"]), (model_state, {})

        return make_train_step(loss_fn, optimizer)(state, batch)

    def bound(function: Any, *arguments: Any) -> Compiled:
        compiled = compile_call(function, *arguments)
        return compiled._replace(call=functools.partial(compiled.call, *arguments))

    return {
        "one": bound(predict, params, model_state, x[:1], tables),
        "batch": bound(predict, params, model_state, x, tables),
        "training": bound(step, state, {"x": x, "labels": labels}, tables),
    }
