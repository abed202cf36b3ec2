"""Haar batch-norm against integrals over the group, flax, and itself on sharded batches."""

import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P
from jax.test_util import check_grads

from jaxlab.spherical.batch_norm import (
    BatchNormParams,
    BatchNormState,
    batch_norm_apply,
    batch_norm_init,
)
from jaxlab.spherical.grids import quadrature_weights
from jaxlab.spherical.tables import make_s2_tables, make_so3_tables
from jaxlab.spherical.transforms import s2_integrate, so3_integrate

RNG = np.random.default_rng(3)
B, CHANNELS = 3, 2
PARAMS = BatchNormParams(jnp.array([2.0, 0.5]), jnp.array([-1.0, 3.0]))
STATE = BatchNormState(jnp.array([0.5, -0.5]), jnp.array([4.0, 0.25]))


def draw(*shape):
    return jnp.asarray(RNG.standard_normal(shape), jnp.float32) * 3 + 1


@pytest.mark.parametrize(
    ("tables", "integrate"),
    [
        (make_s2_tables(B, B, "driscoll_healy"), s2_integrate),
        (make_so3_tables(B, B, 2), so3_integrate),
    ],
)
def test_output_has_the_asked_haar_moments(tables, integrate):
    x = draw(4, CHANNELS, *tables.shape)
    y, state = batch_norm_apply(PARAMS, STATE, x, train=True, weights=tables.weights)
    mean = integrate(y, tables.grid).mean(axis=0)
    spread = integrate((y - mean.reshape(1, -1, *[1] * len(tables.shape))) ** 2, tables.grid)
    np.testing.assert_allclose(mean, PARAMS.bias, atol=1e-5)
    np.testing.assert_allclose(spread.mean(axis=0), PARAMS.scale**2, rtol=1e-4)
    batch_mean = integrate(x, tables.grid).mean(axis=0)
    np.testing.assert_allclose(state.mean, 0.9 * STATE.mean + 0.1 * batch_mean, rtol=1e-5)
    # the weights matter: plain means over the samples are others
    plain, _ = batch_norm_apply(PARAMS, STATE, x, train=True)
    assert np.abs(np.asarray(plain - y)).max() > 1e-2


def test_images_and_features_are_normalised_as_by_flax():
    images, features = draw(4, 5, 6, CHANNELS), draw(7, CHANNELS)
    layer = nn.BatchNorm(momentum=0.9, epsilon=1e-5)
    variables = {
        "params": {"scale": PARAMS.scale, "bias": PARAMS.bias},
        "batch_stats": {"mean": STATE.mean, "var": STATE.variance},
    }
    for x, channel_axis in ((images, -1), (features, 1)):
        apply = functools.partial(batch_norm_apply, PARAMS, STATE, channel_axis=channel_axis)
        expected, stats = layer.apply(
            variables, x, use_running_average=False, mutable=["batch_stats"]
        )
        y, state = apply(x, train=True)
        np.testing.assert_allclose(y, expected, atol=2e-5)
        np.testing.assert_allclose(state.mean, stats["batch_stats"]["mean"], rtol=1e-5)
        np.testing.assert_allclose(state.variance, stats["batch_stats"]["var"], rtol=1e-5)
        y, state = apply(x, train=False)
        expected = layer.apply(variables, x, use_running_average=True)
        np.testing.assert_allclose(y, expected, atol=2e-5)
        assert state is STATE


def test_masked_entries_count_nothing():
    weights = quadrature_weights(B)
    x = draw(5, CHANNELS, 2 * B, 2 * B)
    mask = np.array([True, False, True, True, False])

    @jax.jit
    def apply(x, mask):
        def total(x):
            y, state = batch_norm_apply(PARAMS, STATE, x, train=True, weights=weights, mask=mask)
            return y.sum(), (y, state)

        gradient, (y, state) = jax.grad(total, has_aux=True)(x)
        return y, state, gradient

    y, state, _ = apply(x.at[1].set(jnp.nan), jnp.asarray(mask))
    expected, expected_state = batch_norm_apply(PARAMS, STATE, x[mask], train=True, weights=weights)
    np.testing.assert_allclose(y[mask], expected, atol=1e-5)
    chex.assert_trees_all_close(state, expected_state, rtol=1e-6)

    y, state, gradient = apply(x, jnp.zeros(5, bool))
    expected, _ = batch_norm_apply(PARAMS, STATE, x, train=False)
    np.testing.assert_allclose(y, expected, atol=1e-5)
    assert jnp.isfinite(gradient).all()
    empty, kept = batch_norm_apply(PARAMS, STATE, x[:0], train=True, weights=weights)
    assert empty.shape == (0, CHANNELS, 2 * B, 2 * B)
    for one, other, third in zip(state, kept, STATE, strict=True):
        assert one.tolist() == other.tolist() == third.tolist()


def test_sharded_batch_is_normalised_as_one(devices):
    x, mask = draw(16, CHANNELS), jnp.asarray(np.arange(16) % 3 > 0)  # 1 or 2 count on a device

    def apply(params, x, mask, axis_name=None):
        def pulled(x):
            y, state = batch_norm_apply(
                params, STATE, x, train=True, mask=mask, axis_name=axis_name
            )
            return jnp.sum(jnp.sin(y)), (y, state)

        gradient, (y, state) = jax.grad(pulled, has_aux=True)(x)
        return (gradient, y), state

    mesh = jax.sharding.Mesh(np.array(devices), ("batch",))
    sharded = jax.shard_map(
        functools.partial(apply, axis_name="batch"),
        mesh=mesh,
        in_specs=(P(), P("batch"), P("batch")),
        out_specs=(P("batch"), P()),
    )
    parts, whole = jax.jit(sharded)(PARAMS, x, mask), jax.jit(apply)(PARAMS, x, mask)
    chex.assert_trees_all_close(parts, whole, rtol=1e-7, atol=1e-5)
    mapped = jax.pmap(functools.partial(apply, axis_name="batch"), "batch", in_axes=(None, 0, 0))
    (gradient, _), state = mapped(PARAMS, x.reshape(8, 2, CHANNELS), mask.reshape(8, 2))
    np.testing.assert_allclose(gradient.reshape(x.shape), whole[0][0], atol=1e-5)
    np.testing.assert_allclose(state.mean[3], whole[1].mean, atol=1e-6)


def test_weights_have_any_scale_and_nan_in_them_is_not_hidden():
    x, weights = draw(2, CHANNELS, 4, 4), quadrature_weights(2)
    apply = functools.partial(batch_norm_apply, PARAMS, STATE, train=True)
    expected = apply(x, weights=weights)
    for scale in (1e-44, 1e37, 1e300):
        chex.assert_trees_all_close(apply(x, weights=scale * weights), expected, rtol=1e-5)
    single = jnp.asarray(1e37 * weights, jnp.float32)
    chex.assert_trees_all_close(apply(x, weights=single), expected, rtol=1e-5)
    broken = jnp.asarray(weights, jnp.float32).at[1].set(jnp.nan)
    for leaf in jax.tree.leaves(jax.jit(apply)(x, weights=broken)):
        assert np.isnan(leaf).all()


@pytest.mark.usefixtures("x64")
def test_gradients_and_precisions():
    weights = quadrature_weights(2)
    x = jnp.asarray(RNG.standard_normal((2, CHANNELS, 4, 2)))
    params, state = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), (PARAMS, STATE))

    apply = jax.jit(functools.partial(batch_norm_apply, train=True, weights=weights))

    def normalised(params, x):
        params, x = jax.tree.map(jnp.asarray, (params, x))
        return apply(params, state, x)[0]

    check_grads(normalised, (params, x), order=1)
    double, _ = apply(PARAMS, STATE, x)
    assert double.dtype == jnp.float64
    half, kept = apply(PARAMS, STATE, x.astype(jnp.bfloat16))
    assert half.dtype == jnp.bfloat16
    assert kept.mean.dtype == jnp.float32
    np.testing.assert_allclose(half.astype(jnp.float32), double, atol=0.1)


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize("train", [True, False])
def test_weights_and_masks_that_do_not_fit_are_refused_in_both_uses(train):
    x = draw(2, CHANNELS, 4, 4)
    for given, options, message in (
        (x, {"weights": quadrature_weights(3)}, r"weights: expected shape \[4\]"),
        (x[..., 0, 0], {"weights": quadrature_weights(2)}, "weights: expected None"),
        (x, {"mask": jnp.ones(3, bool)}, r"mask: expected shape \[2\]"),
        (x, {"mask": jnp.ones(2)}, "mask: expected dtype bool"),
    ):
        with pytest.raises(ValueError, match=message):
            batch_norm_apply(PARAMS, STATE, given, train=train, **options)


@pytest.mark.usefixtures("bad_input")
def test_bad_arguments_are_named():
    x = draw(2, CHANNELS, 4, 4)
    for argument, call in {
        "channels": lambda: batch_norm_init(0),
        "x: expected 2 channels": lambda: batch_norm_apply(PARAMS, STATE, x[:, :1], train=True),
        "weights": lambda: batch_norm_apply(
            PARAMS, STATE, x, train=True, weights=quadrature_weights(3)
        ),
        "weights: expected a finite number >= 0": lambda: batch_norm_apply(
            PARAMS, STATE, x, train=True, weights=-quadrature_weights(2)
        ),
        "weights: expected None": lambda: batch_norm_apply(
            PARAMS, STATE, x[..., 0, 0], train=True, weights=quadrature_weights(2)
        ),
        "mask": lambda: batch_norm_apply(PARAMS, STATE, x, train=True, mask=jnp.ones(3, bool)),
        "channel_axis": lambda: batch_norm_apply(PARAMS, STATE, x, train=True, channel_axis=4),
        "momentum": lambda: batch_norm_apply(PARAMS, STATE, x, train=True, momentum=2),
    }.items():
        with pytest.raises(ValueError, match=argument):
            call()
