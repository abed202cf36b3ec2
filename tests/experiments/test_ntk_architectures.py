"""Image models against their published sizes; small networks against loops and closed forms."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.experiments.ntk.architectures import (
    ARCHITECTURES,
    FrozenBatchNorm,
    Mixer,
    VisionTransformer,
    image_network,
    small_resnet,
)
from jaxlab.experiments.ntk.networks import cnn, mlp, parameter_count, parameter_shapes
from jaxlab.ntk.counting import count_flops

# published multiply-adds of one 224² image, 1e9: torchvision's table of models for the residual
# networks, timm's for the others
MULTIPLY_ADDS = {
    "resnet18": 1.81,
    "resnet34": 3.66,
    "resnet50": 4.09,
    "resnet101": 7.80,
    "vit_s16": 4.61,
    "mixer_b16": 12.62,
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameters_and_operations_are_the_published_ones(name):
    network = image_network(name)
    assert parameter_count(network) == ARCHITECTURES[name].parameters
    image = jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32)
    shapes = parameter_shapes(network)
    assert jax.eval_shape(network.apply, shapes, image).shape == (1, 1000)
    # convolutions and products alone are what is published; the rest adds a little
    counted = count_flops(network.apply, shapes, image) / 2e9
    assert MULTIPLY_ADDS[name] * 0.995 < counted < MULTIPLY_ADDS[name] * 1.015


def test_parameters_follow_the_outputs():
    fewer = parameter_count(image_network("resnet18", outputs=10))
    assert fewer == ARCHITECTURES["resnet18"].parameters - 990 * 513
    with pytest.raises(ValueError, match="did you mean 'resnet18'"):
        image_network("resnet81")


TINY = {"patch": 8, "dim": 12, "depth": 1, "outputs": 3}
MODULES = {
    "vit": VisionTransformer(heads=2, **TINY),
    "mixer": Mixer(token_hidden=5, channel_hidden=7, **TINY),
}


@pytest.mark.parametrize("kind", ["resnet", *MODULES])
def test_examples_do_not_interact_and_every_parameter_acts(kind):
    x = jax.random.normal(jax.random.key(1), (2, 16, 16, 3))
    if kind == "resnet":
        network = small_resnet((1,), image=16, outputs=3)
        shapes, apply = parameter_shapes(network), network.apply
    else:
        shapes = jax.eval_shape(MODULES[kind].init, jax.random.key(0), x)["params"]

        def apply(params, x):
            return MODULES[kind].apply({"params": params}, x)

    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: 0.3 * rng.normal(size=leaf.shape).astype(np.float32), shapes)

    @jax.jit
    @jax.grad
    def gradient(both):
        return jnp.sum(apply(*both)[1] ** 2)

    of_params, of_x = gradient((params, x))
    assert not of_x[0].any()
    assert of_x[1].any()
    dead = [
        jax.tree_util.keystr(path)
        for path, leaf in jax.tree_util.tree_flatten_with_path(of_params)[0]
        if not float(jnp.abs(leaf).max()) > 0
    ]
    # a key's bias shifts all scores of a query alike, and the softmax does not see it
    assert all(path.endswith("['key']['bias']") for path in dead), dead


def test_frozen_batch_norm_is_batch_norm_in_evaluation_mode():
    import flax.linen as nn

    x = jax.random.normal(jax.random.key(0), (4, 5, 6))
    params = {"scale": jnp.arange(1.0, 7.0), "bias": jnp.linspace(-1, 1, 6)}
    statistics = {"mean": jnp.zeros(6), "var": jnp.ones(6)}
    expected = nn.BatchNorm(use_running_average=True, epsilon=1e-5).apply(
        {"params": params, "batch_stats": statistics}, x
    )
    ours = FrozenBatchNorm().apply({"params": params}, x)
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-6)


def drawn(rng, network):
    return jax.tree.map(
        lambda leaf: jnp.asarray(rng.normal(size=leaf.shape).astype(np.float32)),
        parameter_shapes(network),
    )


def test_a_perceptron_is_its_loop_over_layers():
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(4, 2, 3)).astype(np.float32))
    for parametrisation, scale in (("standard", 1.0), ("ntk", 1.3 / math.sqrt(6))):
        network = mlp(
            (6, 6, 6, 2),
            activation=jnp.tanh,
            parametrisation=parametrisation,
            weight_std=1.3,
            bias_std=0.4,
        )
        params = drawn(rng, network)
        hidden = np.asarray(x, np.float64).reshape(4, 6)
        for index, layer in enumerate(params):
            shift = 0.4 if parametrisation == "ntk" else 1.0
            hidden = scale * hidden @ np.asarray(layer["w"]) + shift * np.asarray(layer["b"])
            if index < 2:
                hidden = np.tanh(hidden)
        np.testing.assert_allclose(network.apply(params, x), hidden, rtol=1e-5, atol=1e-5)


def test_both_parametrisations_are_the_same_function_of_scaled_parameters():
    rng = np.random.default_rng(0)
    x = jax.random.normal(jax.random.key(1), (3, 4, 4, 2))
    for make in (
        lambda kind: mlp((32, 8, 3), parametrisation=kind, weight_std=1.3, bias_std=0.1),
        lambda kind: cnn((4, 4, 2), (4,), 3, parametrisation=kind, weight_std=1.3, bias_std=0.1),
    ):
        ntk, standard = make("ntk"), make("standard")
        unit = drawn(rng, ntk)
        scaled = [
            {"w": 1.3 / math.sqrt(math.prod(w.shape[:-1])) * w, "b": 0.1 * b}
            for w, b in ((layer["w"], layer["b"]) for layer in unit)
        ]
        outputs = standard.apply(scaled, x)
        np.testing.assert_allclose(ntk.apply(unit, x), outputs, rtol=1e-4, atol=1e-5)


def test_parameters_have_the_deviations_of_their_parametrisation():
    draws = [
        jax.jit(mlp((100, 400), parametrisation=kind, weight_std=1.3, bias_std=0.1).init)(
            jax.random.key(0)
        )[0]
        for kind in ("ntk", "standard")
    ]
    for layer, (of_w, of_b) in zip(draws, ((1, 1), (0.13, 0.1)), strict=True):
        assert float(layer["w"].std()) == pytest.approx(of_w, rel=0.02)
        assert float(layer["b"].std()) == pytest.approx(of_b, rel=0.15)
        assert abs(float(layer["w"].mean())) < 0.02 * of_w


def test_pooling_windows():
    x = jax.random.normal(jax.random.key(1), (2, 4, 6, 1))
    network = cnn((4, 6, 1), (1,), 1, kernel=1, pool=2, activation=lambda x: x)
    params = [{"w": jnp.ones((1, 1, 1, 1))}, {"w": jnp.eye(6)}]
    means = np.asarray(x)[..., 0].reshape(2, 2, 2, 3, 2).mean(axis=(2, 4)).reshape(2, 6)
    np.testing.assert_allclose(network.apply(params, x), means, rtol=1e-5, atol=1e-6)
    whole = cnn((4, 6, 1), (5,), 3)
    assert parameter_shapes(whole)[-1]["w"].shape == (5, 3)
    with pytest.raises(ValueError, match="pool: expected a divisor of 4 and 6"):
        cnn((4, 6, 1), (1,), 1, pool=4)
