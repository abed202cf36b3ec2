"""Panoramas against closed forms: bandlimited fields, straight lines, detail too fine to keep."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxlab.spherical.grids import colatitudes, longitudes
from jaxlab.spherical.panorama import erp_analysis, resample_erp
from jaxlab.spherical.tables import make_s2_tables
from tests.spherical.oracle import evaluate_s2, random_s2

RNG = np.random.default_rng(4)
F = random_s2(RNG, 4)


def centres(height, width):
    """Colatitude and longitude of the pixels."""
    beta = np.pi * (np.arange(height) + 0.5) / height
    return np.meshgrid(beta, 2 * np.pi * (np.arange(width) + 0.5) / width, indexing="ij")


def relative_error(height, width, b, grid):
    expected = evaluate_s2(F, *np.meshgrid(colatitudes(b, grid), longitudes(b), indexing="ij"))
    image = jnp.asarray(evaluate_s2(F, *centres(height, width)), jnp.float32)
    return np.abs(resample_erp(image, b, grid) - expected).max() / np.abs(expected).max()


def test_bandlimited_fields_to_second_order():
    coarse = relative_error(9, 15, 16, "soft")  # odd in both axes
    assert coarse < 0.15
    assert relative_error(18, 30, 16, "driscoll_healy") < coarse / 3
    # what is left is the blur of the tent, a step of the grid wide
    assert relative_error(64, 128, 16, "gauss_legendre") < 0.03


def test_the_tent_damps_each_order_by_its_fourier_transform():
    _, alpha = centres(64, 128)
    for order in (2, 4, 8):
        found = resample_erp(jnp.asarray(np.cos(order * alpha), jnp.float32), 4)
        half_step = order * np.pi / 8
        damped = np.cos(order * longitudes(4)) * (np.sin(half_step) / half_step) ** 2
        np.testing.assert_allclose(found, np.broadcast_to(damped, (8, 8)), atol=0.003)


def test_bilinear_where_it_is_enlarged():
    image = np.add.outer(3.0 * np.arange(8), np.zeros(16)).astype(np.float32)
    image[:, 5] += 2
    found = np.asarray(resample_erp(image, 16))  # a quarter of a pixel beside the centres of rows
    row = colatitudes(16) / np.pi * 8 - 0.5
    column = longitudes(16) / (2 * np.pi) * 16 - 0.5
    bump = 2 * np.maximum(1 - np.abs(column - 5), 0)
    inner = slice(2, -2)
    np.testing.assert_allclose(found[inner], (3 * row[:, None] + bump)[inner], atol=1e-4)
    # above the first row lies the opposite meridian, 8 columns away: half way to its bump
    over = resample_erp(image, 16, "driscoll_healy")
    assert colatitudes(16, "driscoll_healy")[0] == 0
    np.testing.assert_allclose(over[0], (bump + np.roll(bump, 16)) / 2, atol=1e-4)


def test_detail_that_the_grid_cannot_hold_is_averaged_away():
    image = np.indices((64, 128)).sum(axis=0) % 2 * 2.0
    np.testing.assert_allclose(resample_erp(image.astype(np.float32), 3), 1, atol=0.02)
    constant = np.full((37, 53, 2), 7, np.uint8)
    found = resample_erp(constant, 5)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, np.full((10, 10, 2), 7.0), rtol=1e-6)
    turned = np.roll(RNG.normal(size=(32, 64)).astype(np.float32), 64 // 8, axis=1)
    plain = np.roll(turned, -64 // 8, axis=1)
    np.testing.assert_allclose(
        resample_erp(turned, 4), np.roll(resample_erp(plain, 4), 1, axis=1), atol=1e-5
    )


def test_nan_spreads_to_its_neighbours_only():
    image = np.ones((8, 16), np.float32)
    image[0, 4] = np.nan
    lost = np.isnan(resample_erp(image, 4))  # two pixels to a step of the grid
    assert lost.any()
    assert not lost[:, 4:].any()
    assert not lost[2:].any()


def test_resampling_is_linear_and_carries_channels():
    image = jnp.asarray(RNG.normal(size=(10, 14, 2)), jnp.float32)
    resample = jax.jit(resample_erp, static_argnums=1)
    found = resample(image, 3)
    np.testing.assert_allclose(found[..., 1], resample_erp(image[..., 1], 3), atol=1e-5)
    half = resample_erp(image.astype(jnp.bfloat16), 3)
    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.astype(jnp.float32), found, atol=0.03)
    check_grads(lambda x: resample(x, 3), (image,), order=1, modes=("rev",), atol=1e-2, rtol=1e-2)


@pytest.mark.usefixtures("x64")
def test_analysis_recovers_bandlimited_fields():
    for height, width, L in ((12, 24, 4), (8, 7, 4), (10, 33, 3)):
        coeffs = random_s2(RNG, L, (2,))
        image = np.stack([evaluate_s2(one, *centres(height, width)) for one in coeffs])
        tables = make_s2_tables(height // 2, L, dtype=jnp.float64)
        found = jax.jit(erp_analysis)(jnp.asarray(image), tables)
        np.testing.assert_allclose(found.coeffs, coeffs, atol=1e-13)
    single = erp_analysis(jnp.asarray(image, jnp.float32), make_s2_tables(5, 3))
    assert single.coeffs.dtype == jnp.complex64
    np.testing.assert_allclose(single.coeffs, coeffs, atol=1e-6)


def test_a_second_analysis_of_equal_shapes_compiles_nothing(caplog):
    tables = make_s2_tables(3, 2)
    image = jnp.asarray(RNG.normal(size=(5, 6, 12)), jnp.float32)
    with jax.log_compiles():
        for compiled in (True, False):
            caplog.clear()
            erp_analysis(image, tables)
            messages = [record.getMessage() for record in caplog.records]
            programs = [message for message in messages if message.startswith("Compiling")]
            assert len(programs) == compiled, programs  # all of it is one program


@pytest.mark.usefixtures("x64", "bad_input")
def test_panoramas_that_the_tables_would_round_are_refused():
    with pytest.raises(
        ValueError, match="image: expected at most the precision of tables, float32"
    ):
        erp_analysis(jnp.ones((8, 16), jnp.float64), make_s2_tables(4, 4))


@pytest.mark.usefixtures("bad_input")
def test_what_is_refused():
    tables = make_s2_tables(4, 4)
    for call, named in [
        (lambda: resample_erp(jnp.ones(4), 2), "image"),
        (lambda: resample_erp(jnp.ones((4, 8), bool), 2), "image"),
        (lambda: resample_erp(jnp.ones((4, 8)), 0), "b"),
        (lambda: resample_erp(jnp.ones((4, 8)), 2, "cube"), "grid"),
        (lambda: erp_analysis(jnp.ones((6, 16)), tables), "image"),
        (lambda: erp_analysis(jnp.ones((8, 6)), tables), "image"),
        (lambda: erp_analysis(jnp.ones((8, 16), int), tables), "image"),
        (lambda: erp_analysis(jnp.ones((8, 16)), make_s2_tables(4, 4, "driscoll_healy")), "tables"),
    ]:
        with pytest.raises(ValueError, match=f"^{named}: expected"):
            call()
