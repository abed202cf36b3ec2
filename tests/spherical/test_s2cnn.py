"""Equivariant networks: shapes, what turning the image does, batch-norm, devices."""

import dataclasses
import functools

import chex
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as Spec

from jaxlab.spherical.cnn import count_params
from jaxlab.spherical.s2cnn import apply_s2cnn, init_s2cnn, make_s2cnn_tables
from jaxlab.spherical.s2cnn_config import S2CNNConfig, s2cnn_param_count
from jaxlab.spherical.spectra import S2Spectrum
from jaxlab.spherical.spectral_rotation import rotate_s2
from jaxlab.spherical.tables import make_s2_tables
from jaxlab.spherical.transforms import s2_analysis, s2_synthesis

KEY = jax.random.key(0)
B = 6
SMALL = {"n_beta": 1, "n_alpha": 4}  # kernels of few points: compiling is what costs here
SEGMENT = S2CNNConfig(B, (3, 2), (4, 3), 5, max_beta=(0.8, 0.9, 1.0), **SMALL)
CLASSIFY = S2CNNConfig(
    B, (3, 4), (4, 3), 5, task="classification", max_beta=(0.8, 0.9), hidden=(6,), **SMALL
)
VARIANTS = {
    "segment": SEGMENT,
    "shortcuts": dataclasses.replace(SEGMENT, shortcuts=True, batch_norm=True),
    "learned": dataclasses.replace(SEGMENT, output="learned", n_max=2, oversample=1.5),
    "aliased": dataclasses.replace(SEGMENT, output="learned", n_max=4, upsample="aliased"),
    "classify": CLASSIFY,
    "normalised": dataclasses.replace(CLASSIFY, features_norm=True, gamma_grid="uniform"),
}


def images(n=4, channels=1, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(n, channels, 2 * B, 2 * B)), "f4")


def smooth(n=2, L=4):
    """Images with few degrees, and their spectrum."""
    rng = np.random.default_rng(1)
    coeffs = rng.normal(size=(n, 1, L, L)) + 1j * rng.normal(size=(n, 1, L, L))
    coeffs *= np.tril(np.ones((L, L)))
    coeffs[..., 0] = coeffs[..., 0].real
    F = S2Spectrum(jnp.asarray(coeffs, "c8"))
    return F, s2_synthesis(F, make_s2_tables(B, L))


@functools.cache
def network(name):
    cfg = VARIANTS[name]
    params, state = init_s2cnn(KEY, cfg)
    tables = make_s2cnn_tables(cfg)
    return cfg, params, state, tables


def applied(name, train=False):
    return functools.partial(apply_s2cnn, cfg=VARIANTS[name], train=train)


@pytest.mark.parametrize("name", VARIANTS)
def test_shapes_and_numbers_of_parameters(name):
    cfg, params, state, tables = network(name)
    assert count_params(params) == s2cnn_param_count(cfg)
    apply = applied(name)
    logits, _ = jax.eval_shape(apply, params, state, images(), tables)
    assert logits.shape == ((4, 2 * B, 2 * B, 5) if cfg.task == "segmentation" else (4, 5))
    empty, _ = jax.eval_shape(apply, params, state, images(0), tables)
    assert empty.shape == (0, *logits.shape[1:])
    half, _ = jax.eval_shape(apply, params, state, images().astype(jnp.bfloat16), tables)
    assert half.dtype == jnp.bfloat16
    program = jax.make_jaxpr(apply)(params, state, images(), tables)
    assert len(program.eqns) == 1  # compiled as a whole


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("cfg", VARIANTS.values(), ids=VARIANTS)
def test_parameters_are_float32_with_x64_too(cfg):
    for leaf in jax.tree.leaves(jax.eval_shape(lambda key: init_s2cnn(key, cfg), KEY)):
        assert leaf.dtype == jnp.float32


def test_smooth_networks_turn_with_their_input():
    turn = (0.3, 1.1, -0.7)
    F, x = smooth()
    turned = s2_synthesis(rotate_s2(F, turn), make_s2_tables(B, 4))
    cfg, params, state, _ = network("segment")
    errors = {}
    for activation, oversample in (("none", 1.0), ("square", 1.5), ("relu", 1.0)):
        one = dataclasses.replace(cfg, activation=activation, oversample=oversample)
        run = functools.partial(apply_s2cnn, cfg=one, train=False)
        tables = make_s2cnn_tables(one)
        both, _ = run(params, state, jnp.concatenate([x, turned]), tables)
        plain, of_turned = jnp.moveaxis(both, -1, 1)[: len(x)], jnp.moveaxis(both, -1, 1)[len(x) :]
        L = min(cfg.bandlimits[-1], B)
        out = make_s2_tables(B, L)
        expected = s2_synthesis(rotate_s2(s2_analysis(plain, out), turn), out)
        errors[activation] = float(jnp.abs(of_turned - expected).max() / jnp.abs(plain).max())
    assert errors["none"] < 1e-5
    assert errors["square"] < 1e-5
    assert 1e-4 < errors["relu"] < 0.5  # it aliases, and that is reported, not hidden


def test_an_azimuthal_bandlimit_no_signal_reaches_changes_nothing():
    cfg, params, state, tables = network("segment")
    logits, _ = applied("segment")(params, state, images(), tables)

    def limited(n_max):
        one = dataclasses.replace(cfg, n_max=n_max)
        run = functools.partial(apply_s2cnn, cfg=one, train=False)
        return run(params, state, images(), make_s2cnn_tables(one))[0]

    np.testing.assert_allclose(logits, limited(max(cfg.bandlimits)), rtol=1e-4, atol=1e-5)
    assert not np.allclose(logits, limited(1), atol=1e-3)


def test_turns_about_the_axis_by_grid_steps_are_exact_with_any_activation():
    _, params, state, tables = network("classify")
    # half a turn is a whole number of steps on the grids of all layers
    logits, _ = applied("classify")(params, state, images(), tables)
    turned, _ = applied("classify")(params, state, jnp.roll(images(), B, axis=-1), tables)
    np.testing.assert_allclose(logits, turned, atol=1e-5)


def test_batch_norm_trains_on_the_batch_and_tests_on_what_it_collected():
    _, params, state, tables = network("normalised")
    x = images(8)
    trained, collected = applied("normalised", True)(params, state, x, tables)
    tested, kept = applied("normalised")(params, state, x, tables)
    assert all(np.array_equal(a, b) for a, b in zip(kept[0], state[0], strict=True))
    assert not np.allclose(collected[0].mean, state[0].mean)
    assert not np.allclose(trained, tested)


def test_shards_of_a_batch_are_the_batch(devices):
    cfg, params, state, tables = network("normalised")
    x = images(4)
    whole, collected = applied("normalised", True)(params, state, x, tables)
    mesh = jax.make_mesh((2,), ("batch",), devices=devices[:2], axis_types=(AxisType.Auto,))

    def run(params, state, x, tables):
        return apply_s2cnn(params, state, x, tables, cfg, train=True, axis_name="batch")

    sharded = jax.jit(
        jax.shard_map(
            run,
            mesh=mesh,
            in_specs=(Spec(), Spec(), Spec("batch"), Spec()),
            out_specs=(Spec("batch"), Spec()),
        )
    )
    logits, states = sharded(params, state, x, tables)
    np.testing.assert_allclose(logits, whole, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(states[0].mean, collected[0].mean, rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("bad_input")  # a symbolic size is no integer
def test_exported_for_any_batch():
    _, params, state, tables = network("learned")
    apply = jax.jit(applied("learned"))
    (n,) = jax.export.symbolic_shape("n")
    kind = jax.ShapeDtypeStruct((n, *images().shape[1:]), jnp.float32)
    logits, _ = jax.export.export(apply)(params, state, kind, tables).call(
        params, state, images(), tables
    )
    expected, _ = apply(params, state, images(), tables)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


def test_layers_computed_again_change_nothing():
    cfg, params, state, tables = network("segment")

    def loss(params, cfg):
        logits, _ = apply_s2cnn(params, state, images(2), tables, cfg, train=True)
        return jnp.mean(logits**2)

    gradient = jax.jit(jax.grad(loss), static_argnums=1)
    plain = gradient(params, cfg)
    again = gradient(params, dataclasses.replace(cfg, remat=True))
    chex.assert_trees_all_close(plain, again, rtol=1e-4, atol=1e-6)
    assert all(float(jnp.abs(leaf).max()) > 0 for leaf in jax.tree.leaves(plain))


def test_layers_computed_again_save_memory_with_smooth_activations():
    cfg = S2CNNConfig(B, (6, 6, 6), (6, 6, 6), 3, activation="gelu", num_buckets=1, **SMALL)
    shapes = jax.eval_shape(lambda key: init_s2cnn(key, cfg), KEY)
    arguments = (*shapes, images(8), make_s2cnn_tables(cfg))

    def temporary(cfg):
        def loss(*arguments):
            return jnp.mean(apply_s2cnn(*arguments, cfg, train=True)[0] ** 2)

        step = jax.jit(jax.grad(loss)).lower(*arguments).compile()
        return step.memory_analysis().temp_size_in_bytes

    assert temporary(dataclasses.replace(cfg, remat=True)) < 0.9 * temporary(cfg)


def test_biases_that_batch_norm_takes_away_do_not_drift():
    """Their derivative is 0, and not what rounding leaves, which Adam would make large."""
    _, params, state, tables = network("shortcuts")

    def loss(params, train):
        logits, _ = applied("shortcuts", train)(params, state, images(2), tables)
        return jnp.mean(logits**2)

    gradient = jax.jit(jax.grad(loss), static_argnums=1)
    for train in (True, False):
        for layer in gradient(params, train).layers:
            for one in filter(None, (layer.conv, layer.shortcut)):
                assert np.any(one.kernel != 0)
                assert np.all(one.bias == 0) if train else np.any(one.bias != 0)


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bandlimits": (4,)}, r"bandlimits: expected as many entries as channels \(2\)"),
        ({"activation": "rellu"}, "did you mean 'relu'"),
        ({"oversample": 0.5}, "oversample: expected a finite number >= 1"),
        ({"max_beta": (0.5,)}, "max_beta: expected 'auto' or 3 angles"),
        ({"max_beta": (0.5, 0.5, 4.0)}, "max_beta: expected a finite number"),
        ({"hidden": (4,)}, "hidden: expected no linear layers for segmentation"),
        ({"features_norm": True}, "features_norm: expected False for segmentation"),
        ({"gamma_grid": "end"}, "gamma_grid: expected one of 'endpoint', 'uniform'"),
        ({"fft": "fftw"}, "fft: expected one of 'xla', 'matmul'"),
        ({"num_buckets": 0}, "num_buckets: expected an integer >= 1"),
        ({"num_buckets": 1.5}, "num_buckets: expected an integer >= 1"),
        ({"n_max": 5}, "n_max: expected at most the bandlimits, 4"),
        ({"channels": ()}, "channels: expected at least one layer"),
        ({"batch_norm": 1}, "batch_norm: expected True or False"),
        ({"oversample": np.ones(2)}, "oversample: expected shape"),
    ],
)
def test_bad_architectures_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SEGMENT, **change)


@pytest.mark.usefixtures("bad_input")  # not of the annotated type
def test_sizes_of_8_bits_do_not_wrap():
    narrow = dataclasses.replace(
        CLASSIFY, bandwidth=np.int8(B), channels=tuple(np.int8([3, 4])), hidden=(np.int8(100),)
    )
    wide = dataclasses.replace(CLASSIFY, hidden=(100,))
    assert narrow == wide
    assert s2cnn_param_count(narrow) == s2cnn_param_count(wide)


@pytest.mark.usefixtures("bad_input")
def test_what_belongs_to_another_network_is_refused():
    cfg, params, state, tables = network("segment")
    with pytest.raises(ValueError, match=r"x: expected shape \[batch, 1, 12, 12\]"):
        apply_s2cnn(params, state, jnp.ones((2, 1, 8, 8)), tables, cfg, train=False)
    expected = r"params.layers\[1\].conv.kernel: expected shape \[3, 2, 16\], as cfg"
    with pytest.raises(ValueError, match=expected):
        apply_s2cnn(network("classify")[1], state, images(), tables, cfg, train=False)
    with pytest.raises(ValueError, match="tables: expected bandwidths"):
        apply_s2cnn(params, state, images(), network("classify")[3], cfg, train=False)
    for change, message in (
        (
            {"grid": "driscoll_healy"},
            r"tables: expected grid 'soft', as cfg, got \['driscoll_healy'",
        ),
        ({"oversample": 1.5}, r"tables: expected activations on bandwidths \(None, None\), as cfg"),
    ):
        other = make_s2cnn_tables(dataclasses.replace(cfg, **change))
        with pytest.raises(ValueError, match=message):
            apply_s2cnn(params, state, images(), other, cfg, train=False)
    finer = dataclasses.replace(cfg, oversample=2.0)
    with pytest.raises(
        ValueError, match=r"activations on bandwidths \(\(4, 8\), \(3, 6\)\), as cfg"
    ):
        apply_s2cnn(params, state, images(), other, finer, train=False)
    mixed = tables._replace(activations=make_s2cnn_tables(finer)[1])
    with pytest.raises(ValueError, match=r"\(None, None\), as cfg, got \(\(4, 8\), \(3, 6\)\)"):
        apply_s2cnn(params, state, images(), mixed, cfg, train=False)
    few = tables._replace(activations=tables.activations[:1])
    with pytest.raises(ValueError, match=r"as cfg, got \(None,\)"):
        apply_s2cnn(params, state, images(), few, cfg, train=False)
    cfg, params, state, tables = network("classify")
    few = params._replace(readout=params.readout[:1])
    expected = r"params.readout\[1\].affine.kernel: expected shape \[6, 5\], as cfg, got None"
    with pytest.raises(ValueError, match=expected):
        apply_s2cnn(few, state, images(), tables, cfg, train=False)
    cfg, params, state, tables = network("segment")
    with pytest.raises(ValueError, match=r"state\[0\].mean: expected nothing, as cfg, got \(4,\)"):
        apply_s2cnn(params, network("normalised")[2], images(), tables, cfg, train=False)
    for change, place in (
        ({"n_max": 2}, r"layers\[0\]"),
        ({"upsample": "aliased"}, r"layers\[2\]"),
        ({"max_beta": (0.8, 0.8, 1.0)}, r"layers\[1\]"),
        ({"gamma_grid": "uniform"}, r"layers\[1\]"),
    ):
        other = make_s2cnn_tables(dataclasses.replace(cfg, **change))
        with pytest.raises(ValueError, match=f"tables.{place}: expected .* as cfg, got"):
            apply_s2cnn(params, state, images(), other, cfg, train=False)
    narrow = make_s2cnn_tables(dataclasses.replace(cfg, oversample=2.0, n_max=2))
    mixed = make_s2cnn_tables(finer)._replace(activations=narrow.activations)
    with pytest.raises(ValueError, match=r"tables.activations\[0\]: expected {'L': 4, 'n_max': 4"):
        apply_s2cnn(params, state, images(), mixed, finer, train=False)
    plain = dataclasses.replace(VARIANTS["shortcuts"], shortcuts=False)
    with pytest.raises(ValueError, match=r"params.layers\[1\].shortcut.kernel: expected nothing"):
        apply_s2cnn(*network("shortcuts")[1:3], images(), tables, plain, train=False)
