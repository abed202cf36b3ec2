"""What holds of every equivariant layer: gradients, transformations, precisions, symmetries."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as Spec
from jax.test_util import check_grads

from jaxlab.spherical.convolution import (
    s2_conv_apply,
    s2_conv_init,
    so3_conv_apply,
    so3_conv_init,
)
from jaxlab.spherical.kernel_grids import near_identity_s2, near_identity_so3
from jaxlab.spherical.layer_tables import make_layer_tables
from jaxlab.spherical.s2cnn import apply_s2cnn, init_s2cnn, make_s2cnn_tables
from jaxlab.spherical.s2cnn_config import S2CNNConfig
from jaxlab.spherical.shortcut import so3_shortcut_apply, so3_shortcut_init
from jaxlab.spherical.so3_to_s2 import so3_to_s2_apply, so3_to_s2_init
from jaxlab.spherical.spectra import S2Spectrum
from jaxlab.spherical.spectral_rotation import rotate_s2
from jaxlab.spherical.tables import make_s2_tables
from jaxlab.spherical.transforms import s2_analysis, s2_synthesis, so3_integrate
from tests.spherical.oracle import random_s2

SPHERE, GROUP = near_identity_s2(0.8, n_alpha=3), near_identity_so3(0.9, n_alpha=3)


def network(b, middle, dtype=jnp.float32, n_max=None):
    """Lift b → middle, there and back by a layer and its shortcut, and to the sphere b again."""
    tables = (
        make_layer_tables("s2_to_so3", b, middle, SPHERE, n_max_out=n_max, dtype=dtype),
        make_layer_tables(
            "so3_to_so3", middle, b, GROUP, n_max_in=n_max, n_max_out=n_max, dtype=dtype
        ),
        make_layer_tables("so3_to_s2", b, b + 1, GROUP, n_max_in=n_max, dtype=dtype),
    )
    keys = jax.random.split(jax.random.key(0), 5)
    L = tables[2].kernel_tables.L
    params = [
        s2_conv_init(keys[0], 1, 2, SPHERE, dtype),
        so3_conv_init(keys[1], 2, 2, GROUP, dtype),
        so3_shortcut_init(keys[2], 2, 2, middle, b, dtype),
        so3_to_s2_init(keys[3], 2, 1, GROUP, dtype, mode="learned", L=L),
    ]
    weights = jax.random.normal(keys[4], (L, L, 2), dtype)
    params[3] = params[3]._replace(weights=weights, bias=jnp.ones(1, dtype))
    return params, tables


def apply(params, x, tables, between=lambda x: x, fft=None):
    lift, group, sphere = tables
    x = between(s2_conv_apply(params[0], x, *lift, fft=fft))
    y = so3_conv_apply(params[1], x, *group, fft=fft)
    x = between(y + so3_shortcut_apply(params[2], x, *group[:2], fft=fft))
    return so3_to_s2_apply(params[3], x, *sphere, mode="learned", fft=fft), so3_integrate(x)


relu_network = jax.jit(functools.partial(apply, between=jax.nn.relu))


@pytest.mark.usefixtures("x64")
def test_gradients():
    params, tables = network(3, 2, dtype=jnp.float64)
    x = jax.random.normal(jax.random.key(1), (1, 1, 6, 6), jnp.float64)

    def outputs(params, x):
        return apply(params, x, tables, between=jnp.tanh)

    check_grads(jax.jit(outputs), (params, x), order=1, modes=["fwd", "rev"])


@pytest.mark.usefixtures("x64")
def test_gradients_through_aliased_degrees():
    tables = make_layer_tables("so3_to_so3", 2, 3, GROUP, dtype=jnp.float64, upsample="aliased")
    params = so3_conv_init(jax.random.key(0), 2, 1, GROUP, jnp.float64)
    x = jax.random.normal(jax.random.key(1), (1, 2, 4, 4, 4), jnp.float64)

    def layer(params, x):
        return so3_conv_apply(params, x, *tables)

    check_grads(layer, (params, x), order=1, modes=["fwd", "rev"])


def test_aliased_tables_differ_only_where_bandlimits_rise():
    x = jax.random.normal(jax.random.key(0), (1, 1, 6, 6))
    rises = []
    for b_out in (2, 4):
        exact, aliased = (
            so3_conv_apply(
                so3_conv_init(jax.random.key(1), 1, 1, GROUP),
                jnp.broadcast_to(x[:, :, :, None], (1, 1, 6, 6, 6)),
                *make_layer_tables("so3_to_so3", 3, b_out, GROUP, upsample=upsample),
            )
            for upsample in ("zero_pad", "aliased")
        )
        rises.append(float(jnp.abs(exact - aliased).max() / jnp.abs(exact).max()))
    assert rises[0] == 0
    assert rises[1] > 1e-3


def test_rotations_about_the_axis_commute_with_nonlinear_networks():
    """Turning by a grid step rolls the samples; means over the group do not change."""
    params, tables = network(3, 2)
    x = jax.random.normal(jax.random.key(1), (2, 1, 6, 6))
    y, mean = relu_network(params, x, tables)
    turned = jnp.roll(x, 3, axis=-1)  # half a turn is a grid step of all three bandwidths
    y_turned, mean_turned = relu_network(params, turned, tables)
    np.testing.assert_allclose(y_turned, jnp.roll(y, 4, axis=-1), atol=2e-5)
    np.testing.assert_allclose(mean_turned, mean, atol=2e-5)


def test_linear_layers_turn_with_their_input_at_an_azimuthal_bandlimit_and_means_do_not():
    params, tables = network(4, 3, n_max=2)
    assert tables[1].tables_in.shape == (6, 4, 6)
    F = random_s2(np.random.default_rng(0), 4, (3, 1))
    grid, fine, turn = make_s2_tables(4, 4), make_s2_tables(5, 5), (0.4, 1.9, -2.2)
    run = jax.jit(apply)
    y, mean = run(params, s2_synthesis(S2Spectrum(jnp.asarray(F, "c8")), grid), tables)
    turned = rotate_s2(S2Spectrum(jnp.asarray(F, "c8")), turn)
    y_turned, mean_turned = run(params, s2_synthesis(turned, grid), tables)
    expected = s2_synthesis(rotate_s2(s2_analysis(y, fine), turn), fine)
    scale = float(jnp.linalg.norm(y - y.mean()))
    assert float(jnp.linalg.norm(y_turned - expected)) < 2e-6 * scale
    np.testing.assert_allclose(mean_turned, mean, atol=1e-5)


def test_samples_of_another_grid_break_the_symmetry():
    """Half a pixel of latitude, between Driscoll–Healy and soft grids, is an error of a tenth."""
    F = S2Spectrum(jnp.asarray(random_s2(np.random.default_rng(1), 4, (3, 1)), "c8"))
    params = s2_conv_init(jax.random.key(0), 1, 2, SPHERE)
    soft, other = make_s2_tables(4, 4), make_s2_tables(4, 4, "driscoll_healy")
    turned = rotate_s2(F, (0.3, 1.2, 0.5))
    errors = {}
    for samples in ("soft", "driscoll_healy"):
        for network_grid in ("soft", "driscoll_healy"):
            tables = make_layer_tables("s2_to_so3", 4, 3, SPHERE, grid_in=network_grid)
            one = soft if samples == "soft" else other
            means = [
                so3_integrate(s2_conv_apply(params, s2_synthesis(G, one), *tables) ** 2)
                for G in (F, turned)
            ]
            errors[samples, network_grid] = float(jnp.abs(means[1] / means[0] - 1).max())
    assert max(errors["soft", "soft"], errors["driscoll_healy", "driscoll_healy"]) < 1e-5
    assert min(errors["driscoll_healy", "soft"], errors["soft", "driscoll_healy"]) > 1e-2


def test_vmap_leading_axes_and_precision():
    params, tables = network(3, 2)
    x = jax.random.normal(jax.random.key(1), (2, 3, 1, 6, 6))
    whole, means = relu_network(params, x, tables)
    assert whole.shape == (2, 3, 1, 8, 8)
    mapped, _ = jax.vmap(relu_network, (None, 0, None))(params, x, tables)
    np.testing.assert_allclose(mapped, whole, atol=1e-5)
    one, mean = apply(params, x[1, 2], tables, between=jax.nn.relu)  # each layer compiled apart
    np.testing.assert_allclose(one, whole[1, 2], atol=1e-5)
    np.testing.assert_allclose(mean, means[1, 2], atol=1e-5)
    assert jax.eval_shape(relu_network, params, x[:0], tables)[0].shape == (0, 3, 1, 8, 8)
    lift = tables[0]
    half = s2_conv_apply(params[0], x.astype(jnp.bfloat16), *lift)
    assert half.dtype == jnp.bfloat16
    exact = s2_conv_apply(params[0], x.astype(jnp.bfloat16).astype(jnp.float32), *lift)
    np.testing.assert_array_equal(half, exact.astype(jnp.bfloat16))
    assert s2_conv_apply(params[0], x[:0], *lift).shape == (0, 3, 2, 4, 4, 4)


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.bool_, np.complex64, np.float64])
def test_signals_that_would_be_rounded_are_refused(dtype):
    """Layers answer in the dtype of the signal, and compute in that of their tables."""
    params, (lift, group, sphere) = network(3, 2)
    x = {b: np.ones((1, 2, *(2 * b,) * 3), dtype) for b in (2, 3)}
    with jax.enable_x64(True):
        for layer in (
            lambda: s2_conv_apply(params[0], x[3][:, :1, 0], *lift),
            lambda: so3_conv_apply(params[1], x[2], *group),
            lambda: so3_shortcut_apply(params[2], x[2], *group[:2]),
            lambda: so3_to_s2_apply(params[3], x[3], *sphere, mode="learned"),
        ):
            with pytest.raises(ValueError, match=r"^x: expected .*(floating|precision of tables)"):
                layer()


def test_a_network_takes_signals_that_are_more_precise_than_its_tables():
    cfg = S2CNNConfig(3, (2,), (2,), 3)
    tables = make_s2cnn_tables(cfg)
    params, state = init_s2cnn(jax.random.key(0), cfg)
    x = np.random.default_rng(0).normal(size=(2, 1, 6, 6))
    expected, _ = apply_s2cnn(params, state, jnp.asarray(x, "f4"), tables, cfg, train=False)
    with jax.enable_x64(True):
        found, _ = apply_s2cnn(params, state, jnp.asarray(x), tables, cfg, train=False)
    assert found.dtype == jnp.float64
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_sharded_over_the_batch(devices):
    params, tables = network(3, 2)
    x = jax.random.normal(jax.random.key(1), (8, 1, 6, 6))
    mesh = Mesh(np.array(devices), ("batch",))
    specs = {"in_specs": (Spec(), Spec("batch"), Spec()), "out_specs": Spec("batch")}
    sharded = jax.shard_map(relu_network, mesh=mesh, **specs)(params, x, tables)
    for found, expected in zip(sharded, relu_network(params, x, tables), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
