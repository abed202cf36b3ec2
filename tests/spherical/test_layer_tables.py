"""Sizes of a layer's tables, and azimuthal bandlimits above the degrees in use."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.spherical.kernel_grids import near_identity_s2, near_identity_so3
from jaxlab.spherical.layer_tables import make_layer_tables
from jaxlab.spherical.spectra import SO3Spectrum
from jaxlab.spherical.transforms import so3_analysis, so3_synthesis
from tests.spherical.oracle import random_so3

SPHERE, GROUP = near_identity_s2(), near_identity_so3()


def test_layers_use_the_degrees_that_both_grids_have():
    for b_in, b_out in ((5, 3), (3, 5)):
        tables = make_layer_tables("so3_to_so3", b_in, b_out, GROUP)
        assert {one.L for one in tables} == {3}
        aliased = make_layer_tables("so3_to_so3", b_in, b_out, GROUP, upsample="aliased")
        assert {one.L for one in aliased} == {b_out}
        assert [one.b for one in tables[:2]] == [b_in, b_out]
    lift = make_layer_tables("s2_to_so3", 3, 2, SPHERE, n_max_out=1, grid_in="driscoll_healy")
    assert lift.tables_in.grid == "driscoll_healy"
    assert lift.tables_out.grid == "soft"
    assert lift.tables_out.shape == (4, 2, 4)


def test_an_azimuthal_bandlimit_above_the_degrees_in_use():
    """Signals keep 2·n_max samples in γ, also where a layer uses fewer degrees than n_max."""
    tables = make_layer_tables("so3_to_so3", 4, 2, GROUP, n_max_in=3).tables_in
    assert (tables.shape, tables.n_max) == ((8, 6, 8), 2)
    coeffs = jnp.asarray(random_so3(np.random.default_rng(0), 2), "c8")
    again = so3_analysis(so3_synthesis(SO3Spectrum(coeffs), tables), tables)
    np.testing.assert_allclose(again.coeffs, coeffs, atol=1e-6)


@pytest.mark.usefixtures("bad_input")
def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="kgrid: expected points on the input's space"):
        make_layer_tables("s2_to_so3", 2, 2, GROUP)
    with pytest.raises(ValueError, match="upsample: expected one of 'zero_pad', 'aliased'"):
        make_layer_tables("so3_to_so3", 2, 2, GROUP, upsample="zero")
    with pytest.raises(ValueError, match="b_out: expected an integer >= 1, got 0"):
        make_layer_tables("so3_to_so3", 2, 0, GROUP)
    with pytest.raises(ValueError, match="n_max_in: expected None for an input on the sphere"):
        make_layer_tables("s2_to_so3", 2, 2, SPHERE, n_max_in=1)
    with pytest.raises(ValueError, match="n_max_out: expected None for an output on the sphere"):
        make_layer_tables("so3_to_s2", 2, 2, GROUP, n_max_out=1)
    with pytest.raises(ValueError, match="n_max: expected at most the bandwidth b = 2, got 3"):
        make_layer_tables("so3_to_so3", 2, 2, GROUP, n_max_in=3)
    with pytest.raises(ValueError, match="grid: expected one of 'soft'"):
        make_layer_tables("so3_to_so3", 2, 2, GROUP, grid_out="sofft")
    with pytest.raises(ValueError, match="L: expected a table of at most max_table_bytes = 9"):
        make_layer_tables("so3_to_so3", 2, 2, GROUP, max_table_bytes=9)
