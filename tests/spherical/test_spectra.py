"""Containers of coefficients: sizes, changes of bandlimit, power of each degree."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.spherical.spectra import (
    S2Spectrum,
    SO3Spectrum,
    change_bandlimit,
    s2_power_spectrum,
    so3_power_spectrum,
)
from tests.spherical.oracle import full_orders, random_s2, random_so3

RNG = np.random.default_rng(2)
F = random_s2(RNG, 4, (3,))
H = random_so3(RNG, 4, batch=(2,))


def test_sizes_are_read_off_the_coefficients():
    assert S2Spectrum(F).L == 4
    whole, narrow = SO3Spectrum(H), SO3Spectrum(H[..., 2:-2])
    assert (whole.L, whole.n_max, narrow.L, narrow.n_max) == (4, 4, 4, 2)


def test_bandlimits_go_down_and_up():
    low = change_bandlimit(S2Spectrum(jnp.asarray(F)), 2).coeffs
    np.testing.assert_array_equal(low, F[..., :2, :2].astype(np.complex64))
    high = change_bandlimit(S2Spectrum(low), 4).coeffs
    np.testing.assert_array_equal(high[..., :2, :2], low)
    assert np.count_nonzero(high) == np.count_nonzero(low)

    low = change_bandlimit(SO3Spectrum(jnp.asarray(H)), 3)
    assert (low.L, low.n_max) == (3, 3)
    np.testing.assert_array_equal(low.coeffs, H[..., :3, :3, 1:-1].astype(np.complex64))
    high = change_bandlimit(low, 5)
    assert (high.L, high.n_max) == (5, 5)
    np.testing.assert_array_equal(high.coeffs[..., :3, :3, 2:-2], low.coeffs)
    assert np.count_nonzero(high.coeffs) == np.count_nonzero(low.coeffs)


def test_azimuthal_bandlimit_is_kept_unless_asked_for():
    narrow = SO3Spectrum(jnp.asarray(H[..., 2:-2]))
    for L, n_max, expected in ((3, None, 2), (6, None, 2), (1, None, 1), (4, 3, 3), (4, 1, 1)):
        changed = change_bandlimit(narrow, L, n_max)
        assert (changed.L, changed.n_max) == (L, expected)
    widened = change_bandlimit(narrow, 4, 4).coeffs
    np.testing.assert_array_equal(widened[..., 2:-2], narrow.coeffs)
    assert not widened[..., :2].any()
    assert not widened[..., -2:].any()


def test_power_counts_all_orders():
    degrees = 2 * np.arange(4) + 1
    expected = degrees * (np.abs(full_orders(F)) ** 2).sum(-1)
    np.testing.assert_allclose(s2_power_spectrum(S2Spectrum(jnp.asarray(F))), expected, rtol=1e-5)
    for n_max in (4, 2):
        part = H[..., 4 - n_max : 3 + n_max]
        expected = degrees * (np.abs(full_orders(part, n_max)) ** 2).sum((-2, -1))
        found = so3_power_spectrum(SO3Spectrum(jnp.asarray(part)))
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    sphere, group = S2Spectrum(jnp.asarray(F)), SO3Spectrum(jnp.asarray(H))
    with pytest.raises(ValueError, match="L: expected an integer >= 1, got 0"):
        change_bandlimit(sphere, 0)
    with pytest.raises(ValueError, match="n_max: expected None for a spectrum on the sphere"):
        change_bandlimit(sphere, 2, 1)
    with pytest.raises(ValueError, match="n_max: expected at most L = 2, got 3"):
        change_bandlimit(group, 2, 3)
    with pytest.raises(ValueError, match="spectrum: expected a spectrum: S2Spectrum or SO3Sp"):
        change_bandlimit(jnp.ones((2, 2)), 2)
    with pytest.raises(ValueError, match="spectrum: expected a spectrum: S2Spectrum, got"):
        s2_power_spectrum(group)
    with pytest.raises(ValueError, match="spectrum: expected a spectrum: SO3Spectrum, got"):
        so3_power_spectrum(sphere)
    with pytest.raises(ValueError, match="spectrum: expected complex coefficients"):
        s2_power_spectrum(S2Spectrum(jnp.ones((2, 2))))
    with pytest.raises(ValueError, match=r"spectrum: expected shape \[..., L, L\], got complex"):
        s2_power_spectrum(S2Spectrum(jnp.ones((2, 3), complex)))
    for shape in ((2, 2, 2), (2, 2, 5), (2, 3, 3), (2, 2)):
        with pytest.raises(ValueError, match=r"expected shape \[..., L, L, 2 n_max - 1\]"):
            so3_power_spectrum(SO3Spectrum(jnp.ones(shape, complex)))
