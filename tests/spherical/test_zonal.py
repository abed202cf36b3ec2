"""Zonal convolutions: their definition, what commutes with them, interpolated profiles."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.spherical.spectra import S2Spectrum
from jaxlab.spherical.spectral_rotation import rotate_s2
from jaxlab.spherical.tables import make_s2_tables, make_so3_tables
from jaxlab.spherical.transforms import s2_analysis, s2_synthesis
from jaxlab.spherical.zonal import ZonalParams, s2_zonal_conv_apply, s2_zonal_conv_init

L, TABLES = 4, (make_s2_tables(5, 4), make_s2_tables(4, 4))


def spectrum(channels=2):
    rng = np.random.default_rng(0)
    coeffs = rng.normal(size=(channels, L, L)) + 1j * rng.normal(size=(channels, L, L))
    coeffs *= np.tril(np.ones((L, L)))
    coeffs[..., 0] = coeffs[..., 0].real
    return S2Spectrum(jnp.asarray(coeffs, "c8"))


def test_every_degree_is_scaled_and_channels_are_mixed():
    params = s2_zonal_conv_init(jax.random.key(0), 2, 3, num_knots=L)
    params = params._replace(bias=jnp.arange(3.0))
    F = spectrum()
    y = s2_zonal_conv_apply(params, s2_synthesis(F, TABLES[0]), *TABLES)
    expected = np.sqrt(3 / 2) * np.einsum("ilm,iol->olm", F.coeffs, params.knots)
    expected[:, 0, 0] += np.arange(3)
    np.testing.assert_allclose(s2_analysis(y, TABLES[1]).coeffs, expected, atol=1e-5)


def test_it_commutes_with_rotations():
    params = s2_zonal_conv_init(jax.random.key(1), 2, 3)
    F, turn = spectrum(), (0.4, 1.2, -2.0)
    plain = s2_analysis(s2_zonal_conv_apply(params, s2_synthesis(F, TABLES[0]), *TABLES), TABLES[1])
    turned = s2_synthesis(rotate_s2(F, turn), TABLES[0])
    of_turned = s2_zonal_conv_apply(params, turned, *TABLES)
    expected = s2_synthesis(rotate_s2(plain, turn), TABLES[1])
    np.testing.assert_allclose(of_turned, expected, atol=2e-6 * float(jnp.abs(expected).max()))


@pytest.mark.parametrize("num_knots", [1, 2, 3])
def test_profiles_are_linear_between_their_knots(num_knots):
    knots = jnp.asarray(np.random.default_rng(2).normal(size=(1, 1, num_knots)), "f4")
    params = ZonalParams(knots, jnp.zeros(1))
    ones = S2Spectrum(jnp.asarray(np.tril(np.ones((1, L, L))), "c8"))
    y = s2_zonal_conv_apply(params, s2_synthesis(ones, TABLES[0]), *TABLES)
    profile = s2_analysis(y, TABLES[1]).coeffs[0, :, 0].real / np.sqrt(3)
    at = np.linspace(0, num_knots - 1, L)
    expected = np.interp(at, np.arange(num_knots), np.asarray(knots[0, 0]))
    np.testing.assert_allclose(profile, expected, atol=1e-5)


@pytest.mark.usefixtures("bad_input")
def test_bad_arguments_are_refused():
    params = s2_zonal_conv_init(jax.random.key(0), 2, 3)
    with pytest.raises(ValueError, match="num_knots: expected an integer >= 1"):
        s2_zonal_conv_init(jax.random.key(0), 2, 3, num_knots=0)
    with pytest.raises(ValueError, match=r"x: expected shape \[..., 2, 10, 10\]"):
        s2_zonal_conv_apply(params, jnp.ones((1, 10, 10)), *TABLES)
    for name, shape, value in (
        ("knots", "C_in, C_out, knots", params.knots[0]),
        ("bias", "3", params.bias[:1]),  # one bias would be broadcast
    ):
        with pytest.raises(ValueError, match=rf"params.{name}: expected shape \[{shape}\]"):
            s2_zonal_conv_apply(params._replace(**{name: value}), jnp.ones((2, 10, 10)), *TABLES)
    group = make_so3_tables(4, L)
    with pytest.raises(ValueError, match="tables_out: expected S2Tables"):
        s2_zonal_conv_apply(params, jnp.ones((2, 10, 10)), TABLES[0], group)
    with pytest.raises(ValueError, match="tables_out: expected L = 4, as tables_in"):
        s2_zonal_conv_apply(params, jnp.ones((2, 10, 10)), TABLES[0], make_s2_tables(4, 3))
