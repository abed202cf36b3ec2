"""HEALPix maps against healpy and the definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxlab.spherical.healpix import (
    healpix_analysis,
    healpix_points,
    healpix_synthesis,
    make_healpix_tables,
)
from jaxlab.spherical.spectra import S2Spectrum
from jaxlab.spherical.tables import make_s2_tables
from tests.spherical.oracle import evaluate_s2, random_s2

RNG = np.random.default_rng(5)


def angles(nside):
    x, y, z = healpix_points(nside)
    return np.arccos(z), np.arctan2(y, x)


def test_points_of_healpy():
    healpy = pytest.importorskip("healpy")
    for nside in (1, 2, 4, 16):
        expected = healpy.pix2vec(nside, np.arange(12 * nside**2))
        np.testing.assert_allclose(healpix_points(nside), expected, atol=1e-14)


def test_points_have_equal_areas():
    points = healpix_points(4)
    np.testing.assert_allclose((points**2).sum(axis=0), 1)
    np.testing.assert_allclose(points.mean(axis=1), 0, atol=1e-15)
    assert (np.diff(points[2]) <= 1e-15).all()  # from north to south


@pytest.mark.usefixtures("x64")
def test_maps_are_values_of_the_signal_and_give_it_back():
    nside, L = 4, 8
    coeffs = random_s2(RNG, L, (2,))
    maps = np.stack([evaluate_s2(one, *angles(nside)) for one in coeffs])
    tables = make_healpix_tables(nside, L, jnp.float64)
    F = S2Spectrum(jnp.asarray(coeffs))
    synthesize, analyze = jax.jit(healpix_synthesis), jax.jit(healpix_analysis, static_argnums=2)
    np.testing.assert_allclose(synthesize(F, tables), maps, atol=1e-12)

    power = np.linalg.norm(coeffs)
    error = {
        iters: np.linalg.norm(analyze(jnp.asarray(maps), tables, iters).coeffs - coeffs) / power
        for iters in (0, 3)
    }
    assert error[3] < 1e-3
    assert error[0] > 10 * error[3]
    alone = healpix_analysis(jnp.asarray(maps[1]), tables)
    np.testing.assert_allclose(
        alone.coeffs, analyze(jnp.asarray(maps), tables, 3).coeffs[1], atol=1e-14
    )

    single = make_healpix_tables(nside, L)
    found = healpix_analysis(jnp.asarray(maps, jnp.float16), single)
    assert found.coeffs.dtype == jnp.complex64
    np.testing.assert_allclose(found.coeffs, coeffs, atol=2e-3)

    small = make_healpix_tables(1, 2, jnp.float64)
    f = jnp.asarray(maps[0, :12])
    check_grads(lambda f: analyze(f, small, 2).coeffs.real, (f,), order=1)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("nside", [1, 2, 4, 8, 16])
def test_no_map_has_a_relative_error_of_a_thousandth(nside):
    L = 2 * nside
    tables = make_healpix_tables(nside, L, jnp.float64)
    pairs = np.stack(np.tril_indices(L))
    # the real part of every coefficient, and the imaginary one of those that have one
    degree, order = np.concatenate([pairs, pairs[:, pairs[1] > 0]], axis=1)
    real = np.arange(degree.size) < pairs.shape[1]
    norm = np.sqrt((2 * degree + 1) * np.where(order > 0, 2, 1))  # of a signal with that part 1
    basis = np.zeros((degree.size, L, L), complex)
    basis[np.arange(degree.size), degree, order] = np.where(real, 1, 1j) / norm
    F = S2Spectrum(jnp.asarray(basis))
    errors = np.asarray(healpix_analysis(healpix_synthesis(F, tables), tables).coeffs) - basis
    errors = errors[:, degree, order] * norm
    errors = np.where(real, errors.real, errors.imag)
    assert np.linalg.norm(errors, 2) < 1e-3


def test_analysis_of_healpy():
    healpy = pytest.importorskip("healpy")
    nside, L = 4, 8
    noise = RNG.normal(size=12 * nside**2)
    for iters in (0, 2):
        alm = healpy.map2alm(noise, lmax=L - 1, iter=iters, use_weights=False)
        found = healpix_analysis(
            jnp.asarray(noise, jnp.float32), make_healpix_tables(nside, L), iters
        )
        for degree in range(L):
            for order in range(degree + 1):
                # a_lm is for Y_lm = √((2l+1)/4π) d exp(imα), F for (2l+1) d exp(imα)
                expected = alm[healpy.Alm.getidx(L - 1, degree, order)]
                expected = expected / np.sqrt(4 * np.pi * (2 * degree + 1))
                np.testing.assert_allclose(found.coeffs[degree, order], expected, atol=1e-6)


def test_a_second_call_of_equal_shapes_compiles_nothing(caplog):
    tables = make_healpix_tables(2, 3)
    f = jnp.asarray(RNG.normal(size=(5, 48)), jnp.float32)
    for function, first, *options in (
        (healpix_analysis, f, 2),
        (healpix_synthesis, healpix_analysis(f, tables)),
    ):
        with jax.log_compiles():
            for compiled in (True, False):
                caplog.clear()
                function(first, tables, *options)
                found = any("Compiling" in record.getMessage() for record in caplog.records)
                assert found == compiled


def test_no_maps_have_no_spectra():
    tables = make_healpix_tables(2, 3)
    F = healpix_analysis(jnp.zeros((0, 2, 48)), tables)
    assert F.coeffs.shape == (0, 2, 3, 3)
    assert healpix_synthesis(F, tables).shape == (0, 2, 48)


@pytest.mark.usefixtures("x64", "bad_input")
def test_maps_that_the_tables_would_round_are_refused():
    with pytest.raises(ValueError, match="f: expected at most the precision of tables, float32"):
        healpix_analysis(jnp.ones(48, jnp.float64), make_healpix_tables(2, 3))


@pytest.mark.usefixtures("bad_input")  # not of the annotated type
def test_resolutions_of_8_bits_do_not_wrap():
    np.testing.assert_array_equal(healpix_points(np.uint8(64)), healpix_points(64))
    assert make_healpix_tables(np.uint8(16), np.uint8(2)).phases.shape[:2] == (63, 64)


@pytest.mark.usefixtures("bad_input")
def test_what_is_refused():
    tables = make_healpix_tables(2, 3)
    for call, named in [
        (lambda: healpix_points(3), "nside"),
        (lambda: healpix_points(0), "nside"),
        (lambda: make_healpix_tables(2, 2, "foo"), "dtype"),
        (lambda: make_healpix_tables(2, 2, max_table_bytes="2GB"), "max_table_bytes"),
        (lambda: healpix_analysis(jnp.ones(48), make_s2_tables(2, 2)), "tables"),
        (lambda: make_healpix_tables(2, 5), "L"),
        (lambda: make_healpix_tables(2, 0), "L"),
        (lambda: make_healpix_tables(2, 2, jnp.bfloat16), "dtype"),
        (lambda: healpix_analysis(jnp.ones(12), tables), "f"),
        (lambda: healpix_analysis(jnp.ones(48, int), tables), "f"),
        (lambda: healpix_analysis(jnp.ones(48), tables, -1), "iters"),
        (lambda: healpix_synthesis(S2Spectrum(jnp.ones((2, 2), complex)), tables), "F"),
    ]:
        with pytest.raises(ValueError, match=f"^{named}: expected"):
            call()
    with pytest.raises(ValueError, match="dtype: expected x64 to be enabled"):
        make_healpix_tables(2, 2, jnp.float64)
    with pytest.raises(ValueError, match=r"nside: expected a table of at most .* s2fft"):
        make_healpix_tables(512, 1024)
