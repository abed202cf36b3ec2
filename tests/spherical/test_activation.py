"""Activations on finer grids: aliasing, equivariance under host-side rotations, parity."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxlab.spherical.activation import make_activation_tables, spectral_activation
from jaxlab.spherical.spectra import SO3Spectrum, change_bandlimit
from jaxlab.spherical.tables import make_s2_tables, make_so3_tables
from jaxlab.spherical.transforms import (
    s2_analysis,
    s2_synthesis,
    so3_analysis,
    so3_synthesis,
)
from jaxlab.spherical.wigner import wigner_D

RNG = np.random.default_rng(11)
L = 3
TURN = wigner_D(L, 0.4, 1.1, -2.0)
analyse, synthesise = jax.jit(so3_analysis), jax.jit(so3_synthesis)


def turned(coeffs):
    """Coefficients ``[l, m ≥ 0, n]`` of the rotated signal, by the sum over all orders."""
    n_max = (coeffs.shape[-1] + 1) // 2
    m, n = np.arange(L)[:, None], np.arange(-n_max + 1, n_max)
    negative = ((-1.0) ** (m - n) * np.conj(coeffs))[..., ::-1]  # F_{−m,n} from F_{m,−n}
    everything = np.concatenate([negative[:, :0:-1], coeffs], axis=1)
    return np.einsum("lmk,lkn->lmn", TURN[:, L - 1 :], everything)


@pytest.mark.parametrize("n_max", [None, 2])
def test_error_of_equivariance_falls_with_oversampling(n_max):
    tables = make_so3_tables(L, L, n_max)
    F = np.asarray(analyse(jnp.asarray(RNG.standard_normal(tables.shape), jnp.float32), tables)[0])
    both = SO3Spectrum(jnp.asarray(np.stack([F, turned(F)]), jnp.complex64))
    cases = [(jnp.square, 1), (jnp.square, 1.5), (jax.nn.relu, 1), (jax.nn.relu, 3)]
    fine = [make_activation_tables(L, L, oversample, n_max=n_max) for _, oversample in cases]

    @jax.jit
    def activated(both, tables, fine):
        x = synthesise(both, tables)
        pairs = zip(cases, fine, strict=True)
        y = [spectral_activation(x / x.std(), fn, finer) for (fn, _), finer in pairs]
        return analyse(jnp.stack(y), tables).coeffs

    def error(pair):
        expected = turned(pair[0])
        return np.linalg.norm(pair[1] - expected) / np.linalg.norm(expected[1:])

    found = activated(both, tables, fine)
    square, finer_square, relu, finer_relu = map(error, np.asarray(found, np.complex128))
    assert square > 1e-2  # aliased on the signal's own grid
    assert finer_square < 1e-5  # and exact from 1.5 on
    assert relu > 3 * finer_relu > 1e-4  # never exact


def test_square_on_the_sphere_is_the_exact_product():
    tables = make_s2_tables(L + 1, L, "gauss_legendre")  # a grid finer than its degrees need
    fine = make_activation_tables(L + 1, L, 1.5, "s2", grid="gauss_legendre")
    assert fine.signal.shape == tables.shape == (4, 8)
    assert fine.fine.shape == (5, 10)
    big = make_s2_tables(2 * L, 2 * L)

    @jax.jit
    def products(f, tables, big, fine):
        F = s2_analysis(f, tables)
        y = spectral_activation(s2_synthesis(F, tables), jnp.square, fine)
        square = s2_synthesis(change_bandlimit(F, 2 * L), big) ** 2
        return s2_analysis(y, tables).coeffs, change_bandlimit(s2_analysis(square, big), L).coeffs

    found, expected = products(
        jnp.asarray(RNG.standard_normal((2, *tables.shape)), jnp.float32), tables, big, fine
    )
    np.testing.assert_allclose(found, expected, atol=5e-6)
    assert np.abs(expected).max() > 0.1


def test_transformations_agree():
    fine = make_activation_tables(2, 2, 1.5, "s2")
    x = jnp.asarray(RNG.standard_normal((2, *fine.signal.shape)), jnp.float32)

    @jax.jit
    def several(x, fine):
        plain = spectral_activation(x, jnp.tanh, fine)
        matmul = spectral_activation(x, jnp.tanh, fine, fft="matmul")
        mapped = jax.vmap(lambda one: spectral_activation(one, jnp.tanh, fine))(x)
        half = spectral_activation(x.astype(jnp.float16), jnp.tanh, fine)
        return plain, matmul, mapped, half

    plain, matmul, mapped, half = several(x, fine)
    eager = spectral_activation(x, jnp.tanh, fine)
    for other, tolerance in ((eager, 1e-5), (matmul, 1e-5), (mapped, 1e-5), (half, 0.02)):
        np.testing.assert_allclose(np.asarray(other, np.float32), plain, atol=tolerance)
    assert half.dtype == spectral_activation(x.astype(jnp.float16), jnp.tanh).dtype == jnp.float16
    np.testing.assert_array_equal(spectral_activation(x, jnp.tanh), jnp.tanh(x))


@pytest.mark.usefixtures("x64")
def test_double_precision_and_gradients():
    fine = make_activation_tables(2, 2, 2, dtype=jnp.float64)
    x = RNG.standard_normal(fine.signal.shape)
    apply = jax.jit(
        lambda x, fn: spectral_activation(jnp.asarray(x), fn, fine), static_argnames="fn"
    )
    smooth = apply(x, lambda v: v)  # what has two degrees is then left alone
    np.testing.assert_allclose(apply(smooth, lambda v: 3 * v), 3 * smooth, atol=1e-13)
    check_grads(lambda x: apply(x, jnp.tanh), (x,), order=1, modes=["rev"])


@pytest.mark.usefixtures("bad_input")
def test_bad_arguments_are_named():
    assert make_activation_tables(2, 2, 1.0) is None
    fine = make_activation_tables(2, 2, 2, "s2")
    for argument, call in {
        "oversample": lambda: make_activation_tables(2, 2, 0.5),
        "group": lambda: make_activation_tables(2, 2, 2, "so2"),
        "n_max": lambda: make_activation_tables(2, 2, 2, "s2", n_max=1),
        "L": lambda: make_activation_tables(2, 3, 1),
        "grid": lambda: make_activation_tables(2, 2, 1, grid="healpix"),
        "dtype": lambda: make_activation_tables(2, 2, 1, dtype="foo"),
        "n_max: expected at most": lambda: make_activation_tables(2, 2, 1, n_max=3),
        "f": lambda: spectral_activation(jnp.zeros((6, 6)), jnp.tanh, fine),
        "fn": lambda: spectral_activation(jnp.zeros((4, 4)), jnp.sum),
    }.items():
        with pytest.raises(ValueError, match=f"^{argument}"):
            call()
