"""Planar networks against compositions of jax's own primitives, symmetries, and eight devices."""

import dataclasses
import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax
from jax.test_util import check_grads

from jaxlab import training
from jaxlab.spherical.cnn import apply_cnn, count_params, init_cnn
from jaxlab.spherical.cnn_config import CNNConfig
from jaxlab.spherical.metrics import pixel_cross_entropy
from jaxlab.spherical.planar_layers import erp_pad

RNG = np.random.default_rng(7)
SEGMENTER = CNNConfig((10, 9), (2, 3), (3, 2), (2, 1), num_classes=4, batch_norm=True)
CLASSIFIER = CNNConfig(
    (6, 8), (3, 2), (3, 2), (1, 2), num_classes=4, task="classification", padding="erp"
)


def images(cfg, n=4):
    return jnp.asarray(RNG.standard_normal((n, *cfg.size, cfg.in_channels)), jnp.float32)


def scrambled(tree):
    """Positive numbers in place of the parameters and statistics that start at 0 and 1."""
    return jax.tree.map(lambda leaf: jnp.asarray(RNG.uniform(0.5, 2, leaf.shape), leaf.dtype), tree)


def correlate(x, layer, strides=(1, 1), padding="VALID", dilation=(1, 1)):
    y = lax.conv_general_dilated(
        x, layer.kernel, strides, padding, dilation, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return y + layer.bias


def normalise(x, norm, statistics):
    return (x - statistics.mean) / jnp.sqrt(statistics.variance + 1e-5) * norm.scale + norm.bias


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("cfg", [SEGMENTER, CLASSIFIER])
def test_parameters_are_float32_with_x64_too(cfg):
    for leaf in jax.tree.leaves(jax.eval_shape(lambda key: init_cnn(key, cfg), jax.random.key(0))):
        assert leaf.dtype == jnp.float32


def test_segmentation_network_is_composed_as_described():
    params, state = init_cnn(jax.random.key(0), SEGMENTER)
    params, state = params._replace(down=scrambled(params.down)), scrambled(state)
    assert [block.skip is None for block in params.down + params.up] == [True, False, False, True]
    assert [block.norm is None for block in params.down + params.up] == [False, False, False, True]

    @jax.jit
    def composed(params, state, x):
        first, second = params.down
        third, fourth = params.up
        x = normalise(correlate(x, first.layer, (2, 2)), first.norm, state[0])  # 4 by 4
        x = jax.nn.relu(x)
        pooled = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 1, 1, 1), "VALID")
        x = correlate(x, second.layer) + correlate(pooled, second.skip)  # 3 by 3
        x = jax.nn.relu(normalise(x, second.norm, state[1]))
        index = np.array([0, 0, 1, 2])  # floor(i · 3 / 4)
        skip = correlate(x, third.skip)[:, index][:, :, index]
        x = correlate(x, third.layer, padding=[(1, 1), (1, 1)]) + skip  # 4 by 4
        x = jax.nn.relu(normalise(x, third.norm, state[2]))
        return correlate(x, fourth.layer, padding=[(2, 3), (2, 2)], dilation=(2, 2))

    x = images(SEGMENTER)
    logits, kept = apply_cnn(params, state, x, SEGMENTER, train=False)
    np.testing.assert_allclose(logits, composed(params, state, x), rtol=1e-4, atol=1e-4)
    assert all(map(np.array_equal, jax.tree.leaves(kept), jax.tree.leaves(state)))
    _, moved = apply_cnn(params, state, x, SEGMENTER, train=True)
    assert not any(map(np.array_equal, jax.tree.leaves(moved), jax.tree.leaves(state)))


def test_padded_networks_turn_with_the_sphere_about_its_axis():
    """Rolling longitudes by the product of the strides commutes with them."""
    cfg = CNNConfig((6, 8), (2, 2), (4, 3), (2, 2), num_classes=2, padding="erp")
    params, state = init_cnn(jax.random.key(1), cfg)
    x = images(cfg)
    both = jnp.concatenate([x, jnp.roll(x, 4, axis=2), jnp.roll(x, 3, axis=2)])
    logits, turned, between = jnp.split(apply_cnn(params, state, both, cfg, train=False)[0], 3)
    np.testing.assert_allclose(turned, jnp.roll(logits, 4, axis=2), atol=1e-5)
    assert np.abs(between - jnp.roll(logits, 3, axis=2)).max() > 1e-2


def test_padded_transposed_convolutions_cross_the_poles():
    """With stride 1 they are convolutions, padded the other way round."""
    cfg = CNNConfig((4, 6), (2,), (4,), (1,), num_classes=2, padding="erp")
    params, state = init_cnn(jax.random.key(1), cfg)
    x = images(cfg)
    features = jax.nn.relu(correlate(erp_pad(x, 1, 2), params.down[0].layer))
    expected = correlate(erp_pad(features, 2, 1), params.up[0].layer)
    logits, _ = apply_cnn(params, state, x, cfg, train=False)
    np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_initial_weights_are_spread_as_documented():
    params, state = init_cnn(jax.random.key(2), CLASSIFIER)
    assert state == ()
    kernel, bias = params.linear
    bound = 1 / np.sqrt(3 * 4 * 2)
    assert kernel.shape == (3 * 4 * 2, 4)
    for values in (kernel, bias):
        assert np.abs(values).max() <= bound
    assert 0.4 * bound < np.std(kernel) < 0.8 * bound  # bound / √3
    other, _ = init_cnn(jax.random.key(3), CLASSIFIER)
    assert not np.array_equal(other.linear.kernel, kernel)
    assert count_params(params) == 10 * 3 + 26 + 8 + 100


def test_transformations_agree_and_gradients_are_right():
    params, state = init_cnn(jax.random.key(4), CLASSIFIER)
    x = images(CLASSIFIER, 2)
    apply = functools.partial(apply_cnn, cfg=CLASSIFIER, train=True)
    assert len(jax.make_jaxpr(apply)(params, state, x).eqns) == 1  # compiled as a whole
    logits, _ = apply_cnn(params, state, x, CLASSIFIER, train=True)
    with jax.disable_jit():
        eager, _ = apply_cnn(params, state, x, CLASSIFIER, train=True)
    np.testing.assert_allclose(eager, logits, atol=1e-5)
    empty, _ = apply_cnn(params, state, x[:0], CLASSIFIER, train=True)
    assert empty.shape == (0, 4)
    half, _ = apply_cnn(params, state, x.astype(jnp.bfloat16), CLASSIFIER, train=True)
    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.astype(jnp.float32), logits, atol=0.05)

    def loss(params):
        params = jax.tree.map(jnp.asarray, params)
        return jnp.sum(jnp.sin(apply_cnn(params, state, x, CLASSIFIER, train=True)[0]))

    check_grads(loss, (params,), order=1, modes=["rev"], rtol=0.05, atol=0.05)


def test_biases_that_batch_norm_takes_away_do_not_drift():
    """Their derivative is 0, and not what rounding leaves, which Adam would make large."""
    params, state = init_cnn(jax.random.key(4), SEGMENTER)
    x = images(SEGMENTER, 2)

    def loss(params, train):
        return jnp.sum(jnp.sin(apply_cnn(params, state, x, SEGMENTER, train=train)[0]))

    for train in (True, False):
        gradient = jax.grad(loss)(params, train)
        for block in gradient.down + gradient.up:
            for layer in filter(None, (block.layer, block.skip)):
                fixed = train and block.norm is not None
                assert np.any(layer.kernel != 0)
                assert np.all(layer.bias == 0) if fixed else np.any(layer.bias != 0)


def test_training_step_on_eight_devices_is_that_on_one(devices):
    params, state = init_cnn(jax.random.key(5), SEGMENTER)
    labels = jnp.asarray(RNG.integers(-1, 4, (8, *SEGMENTER.size)))
    batch = {"x": images(SEGMENTER, 8), "y": labels}

    def step(axis_name):
        def loss(params, state, batch, key):
            logits, state = apply_cnn(
                params, state, batch["x"], SEGMENTER, train=True, axis_name=axis_name
            )
            return pixel_cross_entropy(logits, batch["y"], axis_name=axis_name), (state, {})

        return training.make_train_step(loss, optax.sgd(1.0), axis_name=axis_name)

    start = training.create_train_state(
        params, optax.sgd(1.0), key=jax.random.key(0), model_state=state
    )
    whole, _ = jax.jit(step(None))(start, batch)
    mesh = jax.sharding.Mesh(np.array(devices), ("data",))
    parts, _ = training.data_parallel(step("data"), mesh)(start, batch)
    for name in ("params", "model_state"):
        one, other = getattr(parts, name), getattr(whole, name)
        chex.assert_trees_all_close(one, other, rtol=1e-7, atol=1e-5)


@pytest.mark.usefixtures("bad_input")
def test_bad_arguments_are_named():
    params, state = init_cnn(jax.random.key(0), SEGMENTER)
    x = images(SEGMENTER)
    for argument, call in {
        "x": lambda: apply_cnn(params, state, x[:, 1:], SEGMENTER, train=True),
        r"params.up\[0\].layer.kernel: expected shape \[2, 2, 3, 2\], as cfg, got None": lambda: (
            apply_cnn(params._replace(up=()), state, x, SEGMENTER, train=True)
        ),
        "params.down": lambda: apply_cnn(
            params._replace(down=params.down[::-1]), state, x, SEGMENTER, train=True
        ),
        "state": lambda: apply_cnn(params, (), x, SEGMENTER, train=True),
        "train: expected True or False": lambda: apply_cnn(params, state, x, SEGMENTER, train=1),
        r"params.down\[1\].skip.kernel: expected nothing, as cfg": lambda: apply_cnn(
            params, state, x, dataclasses.replace(SEGMENTER, skips=False), train=True
        ),
        r"params.down\[0\].layer.kernel: expected shape": lambda: apply_cnn(
            params, state, x, dataclasses.replace(SEGMENTER, channels=(3, 3)), train=True
        ),
    }.items():
        with pytest.raises(ValueError, match=f"^{argument}"):
            call()
