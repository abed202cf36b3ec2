"""Weights over the third angle, and what does not fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.spherical.kernel_grids import near_identity_s2, near_identity_so3
from jaxlab.spherical.kernels import so3_kernel_spectrum
from jaxlab.spherical.layer_tables import make_layer_tables
from jaxlab.spherical.so3_to_s2 import so3_to_s2_apply, so3_to_s2_init
from jaxlab.spherical.spectra import SO3Spectrum
from jaxlab.spherical.transforms import s2_analysis, so3_synthesis
from tests.spherical.oracle import full_orders, random_so3

KERNEL = near_identity_so3(0.9, n_alpha=3, n_beta=2)


@pytest.mark.usefixtures("x64")
def test_learned_weights_by_definition():
    b, L, n_max = 3, 3, 2
    rng = np.random.default_rng(0)
    tables = make_layer_tables("so3_to_s2", b, b, KERNEL, n_max_in=n_max, dtype=jnp.float64)
    params = so3_to_s2_init(jax.random.key(0), 2, 1, KERNEL, jnp.float64, mode="learned", L=L)
    free = rng.standard_normal((L, L, 2))
    X = random_so3(rng, L, n_max, (2,))
    x = so3_synthesis(SO3Spectrum(jnp.asarray(X)), tables.tables_in)
    y = so3_to_s2_apply(params._replace(weights=jnp.asarray(free)), x, *tables, mode="learned")

    w = free[..., 0] + 1j * free[..., 1] * (np.arange(L) > 0)
    w = np.concatenate([((-1.0) ** np.arange(L) * w.conj())[:, :0:-1], w], axis=-1)
    kappa = params.kernel / np.sqrt(KERNEL.n_points * 2)
    Y = full_orders(np.asarray(so3_kernel_spectrum(kappa, tables.kernel_tables).coeffs), n_max)
    expected = np.einsum("ilmk,iolnk,ln->olm", X, Y.conj(), w.conj())
    np.testing.assert_allclose(s2_analysis(y, tables.tables_out).coeffs, expected, atol=1e-13)


@pytest.mark.usefixtures("bad_input")
def test_what_does_not_fit_is_refused():
    key, x = jax.random.key(0), jnp.ones((1, 1, 4, 4, 4))
    tables = make_layer_tables("so3_to_s2", 2, 2, KERNEL)
    params = so3_to_s2_init(key, 1, 1, KERNEL)
    with pytest.raises(ValueError, match=r"params\.weights: expected those of mode 'learned'"):
        so3_to_s2_apply(params, x, *tables, mode="learned")
    learned = so3_to_s2_init(key, 1, 1, KERNEL, mode="learned", L=3)
    with pytest.raises(ValueError, match=r"params.weights: expected shape \[2, 2, 2\]"):
        so3_to_s2_apply(learned, x, *tables, mode="learned")
    with pytest.raises(ValueError, match="L: expected an integer >= 1, got None"):
        so3_to_s2_init(key, 1, 1, KERNEL, mode="learned")
    with pytest.raises(ValueError, match="L: expected None in mode 'sum', got 3"):
        so3_to_s2_init(key, 1, 1, KERNEL, L=3)
    with pytest.raises(ValueError, match="kgrid: expected points on the rotation group"):
        so3_to_s2_init(key, 1, 1, near_identity_s2())
    with pytest.raises(ValueError, match="tables_out: expected S2Tables"):
        so3_to_s2_apply(params, x, *make_layer_tables("so3_to_so3", 2, 2, KERNEL))
