"""Names, shapes and layouts of the published PyTorch code."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.spherical.official import (
    from_official_layout,
    load_official_state_dict,
    to_official_layout,
)
from jaxlab.spherical.s2cnn import init_s2cnn
from jaxlab.spherical.s2cnn_config import S2CNNConfig

SEGMENTATION = S2CNNConfig(6, (2, 3, 3), (4, 3, 3), 5, shortcuts=True)
CLASSIFIER = S2CNNConfig(
    6, (2, 3), (4, 3), 5, task="classification", hidden=(4,), features_norm=True
)


def conv(name, params, axes):
    bias = np.asarray(params.bias).reshape(1, -1, *(1,) * axes)
    return {f"{name}.kernel": np.asarray(params.kernel), f"{name}.bias": bias}


def published(cfg):
    """Random parameters under the published names, and as they should be loaded."""
    params, state = init_s2cnn(jax.random.key(0), cfg)
    leaves, tree = jax.tree.flatten((params, state))
    keys = jax.random.split(jax.random.key(1), len(leaves))
    leaves = [jax.random.normal(key, x.shape) for key, x in zip(keys, leaves, strict=True)]
    params, state = jax.tree.unflatten(tree, leaves)
    arrays = {}
    if cfg.task == "segmentation":
        arrays |= conv("input_layer", params.layers[0].conv, 3)
        arrays |= conv("output_layer", params.output, 2)
        for i, layer in enumerate(params.layers[1:]):
            arrays |= conv(f"hidden_layers.{i}", layer.conv, 3)
            if layer.shortcut is not None:
                arrays |= conv(f"skip_layers.{i}.conv", layer.shortcut, 3)
        return arrays, params, state
    for i, layer in reversed(list(enumerate(params.layers))):  # "10" comes after "9" by number
        arrays |= conv(f"convolutional.{9 + i}", layer.conv, 3)
    for i, (layer, before) in enumerate(zip(params.readout, state, strict=True)):
        arrays |= {
            f"linear.{3 * i}.weight": layer.norm.scale,
            f"linear.{3 * i}.bias": layer.norm.bias,
            f"linear.{3 * i}.running_mean": before.mean,
            f"linear.{3 * i}.running_var": before.variance,
            f"linear.{3 * i}.num_batches_tracked": np.array(7),
            f"linear.{3 * i + 1}.weight": layer.affine.kernel.T,
            f"linear.{3 * i + 1}.bias": layer.affine.bias,
        }
    return arrays, params, state


@pytest.mark.parametrize("cfg", [SEGMENTATION, CLASSIFIER], ids=["segmentation", "classifier"])
def test_parameters_load_under_their_published_names(cfg):
    arrays, params, state = published(cfg)
    loaded = load_official_state_dict(arrays, cfg)
    chex.assert_trees_all_equal(loaded, (params, state))


def test_layouts_differ_in_the_order_of_the_azimuths():
    f = jnp.arange(2 * 4 * 2 * 4.0).reshape(2, 4, 2, 4)
    there = to_official_layout(f)
    assert float(there[1, 3, 2, 1]) == float(f[1, 3, 1, 2])
    np.testing.assert_array_equal(from_official_layout(there), f)


@pytest.mark.usefixtures("bad_input")
def test_what_does_not_fit_is_refused():
    arrays, *_ = published(SEGMENTATION)
    missing = {name: value for name, value in arrays.items() if name != "skip_layers.0.conv.bias"}
    with pytest.raises(ValueError, match=r"expected an array 'skip_layers.0.conv.bias', got \["):
        load_official_state_dict(missing, SEGMENTATION)
    with pytest.raises(ValueError, match=r"no array beside those of cfg, got \['extra'\]"):
        load_official_state_dict(arrays | {"extra": np.ones(1)}, SEGMENTATION)
    wrong = arrays | {"input_layer.kernel": np.ones((1, 2, 6))}
    with pytest.raises(ValueError, match=r"'input_layer.kernel'\]: expected shape \[1, 2, 24\]"):
        load_official_state_dict(wrong, SEGMENTATION)
    wrong = arrays | {"input_layer.kernel": np.array("kernel")}
    with pytest.raises(ValueError, match=r"'input_layer.kernel'\]: expected dtype real"):
        load_official_state_dict(wrong, SEGMENTATION)
    arrays, *_ = published(CLASSIFIER)
    with pytest.raises(ValueError, match="expected 1 convolutions, as cfg, got"):
        load_official_state_dict(
            arrays, S2CNNConfig(6, (2,), (4,), 5, task="classification", hidden=(4,))
        )
    with pytest.raises(ValueError, match="expected 1 layers after the group's, got"):
        load_official_state_dict(arrays, S2CNNConfig(6, (2, 3), (4, 3), 5, task="classification"))
    with pytest.raises(ValueError, match="cfg: expected no batch-norm on the group"):
        load_official_state_dict({}, S2CNNConfig(6, (2,), (4,), 5, batch_norm=True))
    uniform = dataclasses.replace(SEGMENTATION, gamma_grid="uniform")
    with pytest.raises(ValueError, match="cfg: expected gamma_grid='endpoint', got"):
        load_official_state_dict(published(SEGMENTATION)[0], uniform)
    with pytest.raises(ValueError, match=r"f: expected shape \[..., β, γ, α\]"):
        to_official_layout(jnp.ones((4, 4)))
