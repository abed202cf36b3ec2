"""The error of equivariance where it is known: of constants, of equivariant and invariant maps."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.spherical.correlation import correlate_s2
from jaxlab.spherical.equivariance import equivariance_error
from jaxlab.spherical.grids import sphere_points
from jaxlab.spherical.rotation import random_rotations
from jaxlab.spherical.s2cnn import apply_s2cnn, init_s2cnn, make_s2cnn_tables
from jaxlab.spherical.s2cnn_config import S2CNNConfig
from jaxlab.spherical.spectra import S2Spectrum, s2_power_spectrum
from jaxlab.spherical.spectral_rotation import rotate_s2
from jaxlab.spherical.tables import make_s2_tables, make_so3_tables
from jaxlab.spherical.transforms import s2_analysis, s2_synthesis
from tests.spherical.oracle import random_s2

B = 4
TABLES = make_s2_tables(B, B)
Q = random_rotations(jax.random.key(3), 3)
RNG = np.random.default_rng(8)
SPECTRA = S2Spectrum(jnp.asarray(random_s2(RNG, B, (3, 2)), jnp.complex64))
SIGNALS = s2_synthesis(SPECTRA, TABLES)  # [batch, channels, β, α]


@pytest.mark.parametrize("tilt", [0.5, 2.0])
def test_of_a_fixed_output_is_how_far_it_turns(tilt):
    # f(x) = z for every x, so f(Qx) − Qf(x) = z − Qz, of norm √2(1 − cos) times that of z
    z = jnp.asarray(sphere_points(B)[2], jnp.float32)
    error = jax.jit(lambda x, Q: equivariance_error(lambda _: z + 5, x, Q, tables=TABLES))
    found = error(SIGNALS[0, 0], (0.3, tilt, 1.1))
    np.testing.assert_allclose(found, 2 * np.sin(tilt / 2), rtol=1e-5)


def test_knows_no_units():
    error = jax.jit(lambda x: equivariance_error(jax.nn.relu, x, Q[0], tables=TABLES))
    expected = error(SIGNALS)
    assert expected > 0.01
    for scale in (1e-30, 1e30):
        np.testing.assert_allclose(error(scale * SIGNALS), expected, rtol=1e-4)


def test_of_equivariant_maps_is_rounding():
    fine = make_s2_tables(2 * B, 2 * B)
    group = make_so3_tables(B, B, 2)
    filters = S2Spectrum(SPECTRA.coeffs[0, :1])

    def smoothed(x):  # to another grid, one channel for two
        F = s2_analysis(x, TABLES).coeffs.sum(axis=1, keepdims=True) / (1 + jnp.arange(B)[:, None])
        return s2_synthesis(S2Spectrum(jnp.pad(F, ((0, 0), (0, 0), (0, B), (0, B)))), fine)

    def matched(x):
        return correlate_s2(s2_analysis(x, TABLES), filters, group)

    def squared(x):  # degrees add up, and the finer grid holds them all
        F = s2_analysis(x, TABLES).coeffs
        return s2_synthesis(S2Spectrum(jnp.pad(F, ((0, 0), (0, 0), (0, B), (0, B)))), fine) ** 2

    def power(x):
        return s2_power_spectrum(s2_analysis(x, TABLES))

    @jax.jit
    def errors(x, Q):
        measure = functools.partial(equivariance_error, tables=TABLES)
        return [
            measure(smoothed, x, Q, out_tables=fine),
            measure(matched, x, Q, kind="so3", out_tables=group),
            measure(squared, x, Q[0], out_tables=fine),
            measure(power, x, Q, kind="invariant"),
        ]

    for error in errors(SIGNALS, Q):
        assert 0 < error < 2e-6


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_of_what_does_not_vary_is_nan(dtype):
    tables, group = make_s2_tables(B, B, dtype=dtype), make_so3_tables(B, B, dtype=dtype)
    rotations, signals = Q.astype(dtype), SIGNALS.astype(dtype)
    noise = jnp.finfo(dtype).eps * jnp.asarray(RNG.uniform(size=signals.shape), dtype)

    @jax.jit
    def errors(x, Q):
        measure = functools.partial(equivariance_error, x=x, rotation=Q, tables=tables)
        return {
            "s2": measure(lambda x: jnp.full_like(x, 3.3)),
            "nearly": measure(lambda x: 3.3 + noise),
            "invariant": measure(lambda x: jnp.full_like(x[..., 0, 0], 3.3), kind="invariant"),
            "so3": measure(
                lambda x: jnp.full((3, 2, *group.shape), 3.3, dtype), kind="so3", out_tables=group
            ),
            "varies": measure(lambda x: 3.3 + 1e3 * noise),
        }

    for name, error in errors(signals, rotations).items():
        assert error.dtype == dtype
        assert np.isnan(error) == (name != "varies"), name


@pytest.mark.parametrize("kind", ["s2", "invariant"])
def test_a_large_constant_beside_what_varies_is_left_out(kind):
    """As of a class that is masked by a large number."""

    def network(x):
        return jax.nn.relu(x) if kind == "s2" else x[..., 0, :].mean(-1)

    def masked(x):
        outputs = network(x)
        return jnp.concatenate([outputs, jnp.full_like(outputs[:, :1], -1e9)], axis=1)

    alone, beside = (
        equivariance_error(f, SIGNALS, Q, tables=TABLES, kind=kind) for f in (network, masked)
    )
    assert np.isfinite(alone)
    np.testing.assert_allclose(beside, alone, rtol=1e-4)


def test_of_a_network_of_biases_alone_is_nan():
    cfg = S2CNNConfig(B, (2,), (3,), 4, n_beta=1, n_alpha=4)
    params, state = init_s2cnn(jax.random.key(0), cfg)
    params = jax.tree.map(lambda leaf: jnp.full_like(leaf, 0.7 * (leaf.ndim == 1)), params)
    tables = make_s2cnn_tables(cfg)

    def network(x):
        return jnp.moveaxis(apply_s2cnn(params, state, x, tables, cfg, train=False)[0], -1, 1)

    assert np.isnan(equivariance_error(network, SIGNALS[:, :1], Q, tables=TABLES))


def test_of_other_maps_by_its_definition():
    def first(x):
        return x[:, 0, 2, 3]  # the value at one point is no invariant

    @jax.jit
    def errors(x, Q):
        invariant = equivariance_error(first, x, Q, tables=TABLES, kind="invariant")
        return invariant, equivariance_error(jax.nn.relu, x, Q, tables=TABLES)

    invariant, rectified = errors(SIGNALS, Q)
    turned = s2_synthesis(rotate_s2(SPECTRA, Q), TABLES)
    before, after = first(SIGNALS), first(turned)
    expected = jnp.linalg.norm(after - before) / jnp.linalg.norm(before - before.mean())
    np.testing.assert_allclose(invariant, expected, rtol=1e-4)
    output = jax.nn.relu(SIGNALS)
    expected = s2_synthesis(rotate_s2(s2_analysis(output, TABLES), Q), TABLES)
    weights = TABLES.weights[:, None]
    mean = (weights * output).sum(axis=(-2, -1), keepdims=True)
    difference = (weights * (jax.nn.relu(turned) - expected) ** 2).sum()
    expected = jnp.sqrt(difference / (weights * (output - mean) ** 2).sum())
    np.testing.assert_allclose(rectified, expected, rtol=1e-4)
    assert rectified > 0.05


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    group = make_so3_tables(2, 2)
    signals = jnp.ones((2, 4, 4))
    tables = make_s2_tables(2, 2)

    def refused(match, fn=lambda x: x, signals=signals, **options):
        with pytest.raises(ValueError, match=match):
            equivariance_error(fn, signals, (0.0, 0.1, 0.0), tables=tables, **options)

    refused("kind: expected one of 's2', 'so3', 'invariant'", kind="sphere")
    refused("out_tables: expected SO3Tables for kind 'so3'", kind="so3")
    refused("out_tables: expected S2Tables for kind 's2'", out_tables=group)
    refused("out_tables: expected None for kind 'invariant'", kind="invariant", out_tables=tables)
    refused(r"fn: expected shape \[..., 4, 4\], got", fn=lambda x: x[..., :2, :])
    refused("x: expected a signal or more", signals=signals[:0])
    refused("fn: expected outputs of 2 signals", fn=lambda x: x[:1], kind="invariant")
