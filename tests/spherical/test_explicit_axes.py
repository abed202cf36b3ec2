"""Signals that come split along an explicit axis of a mesh, as ``jax.make_mesh`` makes them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxlab.spherical.s2cnn import apply_s2cnn, init_s2cnn, make_s2cnn_tables
from jaxlab.spherical.s2cnn_config import S2CNNConfig
from jaxlab.spherical.tables import make_s2_tables, make_so3_tables
from jaxlab.spherical.transforms import s2_analysis, s2_synthesis, so3_analysis, so3_synthesis
from tests.entry_points import entry_points, registry

SIGNALS = {  # which argument they are
    "activation.spectral_activation": 0,
    "convolution.s2_conv_apply": 1,
    "convolution.so3_conv_apply": 1,
    "correlation.correlate_s2": 0,
    "equivariance.equivariance_error": 0,
    "s2cnn.apply_s2cnn": 2,
    "shortcut.so3_shortcut_apply": 1,
    "so3_to_s2.so3_to_s2_apply": 1,
    "spectral_rotation.rotate_s2": 0,
    "spectral_rotation.rotate_so3": 0,
    "transforms.s2_analysis": 0,
    "transforms.s2_integrate": 0,
    "transforms.s2_synthesis": 0,
    "transforms.so3_analysis": 0,
    "transforms.so3_integrate": 0,
    "transforms.so3_synthesis": 0,
    "zonal.s2_zonal_conv_apply": 1,
}
RNG = np.random.default_rng(5)


def mesh_of(devices, other=AxisType.Explicit):
    kinds = (AxisType.Explicit, other)
    return jax.make_mesh((2, 2), ("data", "other"), axis_types=kinds, devices=devices[:4])


def placed(array, mesh, *names):
    return jax.device_put(array, NamedSharding(mesh, PartitionSpec(*names)))


@pytest.mark.parametrize("name", SIGNALS)
def test_a_batch_stays_split(name, devices):
    example = registry("spherical").examples[f"jaxlab.spherical.{name}"]
    function = example.made or entry_points("spherical")[f"jaxlab.spherical.{name}"]
    split = NamedSharding(mesh_of(devices), PartitionSpec("data"))

    def call(signals):
        args = list(example.args)
        args[SIGNALS[name]] = signals
        return function(*args, **example.kwargs)

    kinds = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=split),
        example.args[SIGNALS[name]],
    )
    found = jax.tree.leaves(jax.eval_shape(call, kinds))[0]
    assert found.shape == () or found.sharding.spec[0] == "data"


@pytest.mark.parametrize("fft", ["xla", "matmul"])
@pytest.mark.parametrize(
    "names",
    [("data",), (None, "data"), ("data", None, "other"), (None, None, None, "data")],
    ids=str,
)
def test_transforms_of_split_signals(names, fft, devices):
    mesh = mesh_of(devices)
    sphere, group = make_s2_tables(2, 2), make_so3_tables(2, 2)

    def round_trip(f, g):
        F, G = s2_analysis(f, sphere, fft=fft), so3_analysis(g, group, fft=fft)
        return s2_synthesis(F, sphere, fft=fft), so3_synthesis(G, group, fft=fft)

    signals = [jnp.asarray(RNG.standard_normal((2, 2, *t.shape)), "f4") for t in (sphere, group)]
    expected = round_trip(*signals)
    found = round_trip(*(placed(one, mesh, *names) for one in signals))
    for one, other in zip(found, expected, strict=True):
        assert tuple(one.sharding.spec[:2]) == (*names, None)[:2]
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize(
    ("task", "other"), [("classification", AxisType.Explicit), ("segmentation", AxisType.Auto)]
)
def test_networks_and_their_derivatives(task, other, devices):
    mesh = mesh_of(devices, other)
    cfg = S2CNNConfig(3, (2, 2), (2, 2), 3, task=task, batch_norm=True, n_beta=1, n_alpha=4)
    params, state = init_s2cnn(jax.random.key(0), cfg)
    tables = make_s2cnn_tables(cfg)
    x = jnp.asarray(RNG.standard_normal((4, 1, 6, 6)), "f4")

    @jax.jit
    def derivatives(params, x):
        def loss(params, x):
            logits, _ = apply_s2cnn(params, state, x, tables, cfg, train=True)
            return (logits**2).mean(), logits

        return jax.grad(loss, (0, 1), has_aux=True)(params, x)

    expected = derivatives(params, x)
    found = derivatives(placed(params, mesh), placed(x, mesh, "data"))
    assert found[1].sharding.spec[0] == found[0][1].sharding.spec[0] == "data"
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
