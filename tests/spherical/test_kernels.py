"""Spectra of kernels against sums of Wigner's D over the points."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.spherical.kernel_grids import (
    KernelGrid,
    equatorial_so3,
    kernel_points,
    near_identity_s2,
    near_identity_so3,
)
from jaxlab.spherical.kernels import (
    make_kernel_tables,
    s2_kernel_spectrum,
    so3_kernel_spectrum,
)
from jaxlab.spherical.wigner import wigner_D

L = 4
RNG = np.random.default_rng(0)


@pytest.mark.usefixtures("x64")
def test_separable_sums_are_the_sums_over_the_points():
    cases = [
        (near_identity_so3(0.8), None),
        (equatorial_so3(0.3, n_alpha=5, n_beta=2), 2),
        (KernelGrid((0.0,), (0.0,), (0.0,)), 3),
    ]
    for kgrid, n_max in cases:
        kappa = RNG.uniform(-1, 1, (2, 3, kgrid.n_points))
        kt = make_kernel_tables(kgrid, L, jnp.float64, n_max=n_max)
        alpha, beta, gamma = kernel_points(kgrid).T
        expected = np.einsum("iop,plmn->iolmn", kappa, wigner_D(L, alpha, beta, gamma))
        kept = L if n_max is None else n_max
        expected = expected[..., L - 1 :, L - kept : L + kept - 1]
        found = so3_kernel_spectrum(jnp.asarray(kappa), kt)
        assert found.n_max == kept
        np.testing.assert_allclose(found.coeffs, expected, atol=1e-13)
    kgrid = near_identity_s2(0.7)
    kappa = RNG.uniform(-1, 1, (2, 24))
    kt = make_kernel_tables(kgrid, L, jnp.float64)
    D = wigner_D(L, *kernel_points(kgrid).T)[..., L - 1 :, L - 1]
    expected = 2 * L * np.einsum("ip,pln->iln", kappa, D)
    found = s2_kernel_spectrum(jnp.asarray(kappa), kt).coeffs
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_half_precision_is_computed_in_that_of_the_tables():
    kt = make_kernel_tables(near_identity_s2(), 2)
    assert s2_kernel_spectrum(jnp.ones((1, 24), jnp.bfloat16), kt).coeffs.dtype == jnp.complex64


@pytest.mark.usefixtures("bad_input")
def test_bad_arguments_are_refused():
    sphere = make_kernel_tables(near_identity_s2(), 2)
    group = make_kernel_tables(near_identity_so3(), 2)
    with pytest.raises(ValueError, match="kappa: expected 24 values, as kt has points, got float"):
        s2_kernel_spectrum(jnp.ones((1, 192)), sphere)
    with pytest.raises(ValueError, match="kappa: expected dtype floating"):
        so3_kernel_spectrum(jnp.ones((1, 192), int), group)
    with pytest.raises(ValueError, match="kt: expected tables of a kernel on the sphere"):
        s2_kernel_spectrum(jnp.ones((1, 192)), group)
    with pytest.raises(ValueError, match="kt: expected tables of a kernel on the rotation group"):
        so3_kernel_spectrum(jnp.ones((1, 24)), sphere)
    with pytest.raises(ValueError, match="n_max: expected at most L = 2, got 3"):
        make_kernel_tables(near_identity_so3(), 2, n_max=3)
    with pytest.raises(ValueError, match="n_max: expected None for a kernel on the sphere"):
        make_kernel_tables(near_identity_s2(), 2, n_max=1)
    with pytest.raises(ValueError, match="L: expected an integer >= 1"):
        make_kernel_tables(near_identity_s2(), 0)
    with pytest.raises(ValueError, match="dtype: expected one of 'float32', 'float64'"):
        make_kernel_tables(near_identity_s2(), 2, jnp.bfloat16)
    with pytest.raises(ValueError, match="dtype: expected x64 to be enabled"):
        make_kernel_tables(near_identity_s2(), 2, jnp.float64)
