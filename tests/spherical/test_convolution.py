"""Equivariant layers against sums over the kernel's points, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.spherical.convolution import (
    s2_conv_apply,
    s2_conv_init,
    so3_conv_apply,
    so3_conv_init,
)
from jaxlab.spherical.grids import colatitudes, longitudes
from jaxlab.spherical.kernel_grids import (
    equatorial_so3,
    kernel_points,
    near_identity_s2,
    near_identity_so3,
)
from jaxlab.spherical.layer_tables import make_layer_tables
from jaxlab.spherical.rotation import euler_angles, rotation_matrix
from jaxlab.spherical.shortcut import so3_shortcut_apply, so3_shortcut_init
from jaxlab.spherical.so3_to_s2 import so3_to_s2_apply, so3_to_s2_init
from jaxlab.spherical.spectra import S2Spectrum, SO3Spectrum
from jaxlab.spherical.spectral_rotation import rotate_s2
from jaxlab.spherical.tables import make_s2_tables, make_so3_tables
from jaxlab.spherical.transforms import s2_analysis, s2_synthesis, so3_analysis, so3_synthesis
from jaxlab.spherical.wigner import wigner_D
from tests.spherical.oracle import (
    evaluate_s2,
    evaluate_so3,
    full_orders,
    random_s2,
    random_so3,
    spherical_angles,
)

S2_KERNEL = near_identity_s2(0.7, n_alpha=3, n_beta=2)
SO3_KERNEL = near_identity_so3(0.9, n_alpha=3, n_beta=2, n_gamma=4)
C_IN, C_OUT, F64 = 2, 3, jnp.float64
SIZES = pytest.mark.parametrize(("b_in", "b_out"), [(3, 2), (2, 3)])


def params_of(init, kgrid):
    params = init(jax.random.key(1), C_IN, C_OUT, kgrid, F64)
    return params._replace(bias=jnp.arange(1.0, C_OUT + 1))


def grid_rotations(b):
    angles = (longitudes(b)[None, None], colatitudes(b)[:, None, None], longitudes(b)[:, None])
    return np.broadcast_arrays(*angles)  # α, β, γ in the layout [β, γ, α]


def spectrum_on_sphere(rng, b_in, L):
    """A signal of all degrees of its grid, and the part of it that a layer works on."""
    coeffs = random_s2(rng, b_in, (C_IN,))
    return coeffs, coeffs[..., :L, :L]


@SIZES
def test_lifting_is_correlation_with_the_points(b_in, b_out, x64):
    L = min(b_in, b_out)
    coeffs, kept = spectrum_on_sphere(np.random.default_rng(0), b_in, L)
    params = params_of(s2_conv_init, S2_KERNEL)
    x = s2_synthesis(S2Spectrum(jnp.asarray(coeffs)), make_s2_tables(b_in, b_in, dtype=F64))
    tables = make_layer_tables("s2_to_so3", b_in, b_out, S2_KERNEL, dtype=F64)
    y = s2_conv_apply(params, x, *tables)

    alpha, beta, _ = kernel_points(S2_KERNEL).T
    points = np.stack([np.sin(beta) * np.cos(alpha), np.sin(beta) * np.sin(alpha), np.cos(beta)])
    R = np.asarray(rotation_matrix(*map(jnp.asarray, grid_rotations(b_out))))
    turned = np.einsum("...ab,bp->a...p", R, points)
    values = np.stack([evaluate_s2(one, *spherical_angles(turned)) for one in kept])
    scale = 2 * b_out / np.sqrt(len(alpha) * C_IN * b_out**4 / b_in**2)
    expected = scale * np.einsum("iop,ikjlp->okjl", params.kernel, values)
    expected += np.arange(1, C_OUT + 1)[:, None, None, None]
    np.testing.assert_allclose(y, expected, atol=1e-12)


@SIZES
@pytest.mark.parametrize("kgrid", [SO3_KERNEL, equatorial_so3(0.2, n_alpha=3, n_beta=2)])
def test_on_the_group_it_is_correlation_with_the_points(b_in, b_out, kgrid, x64):
    L = min(b_in, b_out)
    coeffs = random_so3(np.random.default_rng(1), b_in, batch=(C_IN,))
    kept = coeffs[:, :L, :L, b_in - L : b_in + L - 1]
    params = params_of(so3_conv_init, kgrid)
    x = so3_synthesis(SO3Spectrum(jnp.asarray(coeffs)), make_so3_tables(b_in, b_in, dtype=F64))
    tables = make_layer_tables("so3_to_so3", b_in, b_out, kgrid, dtype=F64)

    R = rotation_matrix(*map(jnp.asarray, grid_rotations(b_out)))[..., None, :, :]
    g = rotation_matrix(*map(jnp.asarray, kernel_points(kgrid).T))
    values = np.stack([evaluate_so3(one, *map(np.asarray, euler_angles(R @ g))) for one in kept])
    scale = 1 / np.sqrt(len(g) * C_IN * b_out**3 / b_in**3)
    expected = scale * np.einsum("iop,ikjlp->okjl", params.kernel, values)
    expected += np.arange(1, C_OUT + 1)[:, None, None, None]
    for num_buckets in (None, 1, L):
        y = so3_conv_apply(params, x, *tables, num_buckets=num_buckets)
        np.testing.assert_allclose(y, expected, atol=1e-12)


@SIZES
def test_back_to_the_sphere_is_the_real_part_of_the_full_sum(b_in, b_out, x64):
    L = min(b_in, b_out)
    coeffs = random_so3(np.random.default_rng(2), b_in, batch=(C_IN,))
    X = full_orders(coeffs[:, :L, :L, b_in - L : b_in + L - 1], L)
    params = params_of(so3_to_s2_init, SO3_KERNEL)
    x = so3_synthesis(SO3Spectrum(jnp.asarray(coeffs)), make_so3_tables(b_in, b_in, dtype=F64))
    tables = make_layer_tables("so3_to_s2", b_in, b_out, SO3_KERNEL, dtype=F64)

    alpha, beta, gamma = kernel_points(SO3_KERNEL).T
    D = wigner_D(L, alpha, beta, gamma)
    scale = 1 / np.sqrt(len(alpha) * C_IN * b_out**3 / b_in**3)
    Y = scale * np.einsum("iop,plnk->iolnk", params.kernel, D)
    full = np.einsum("ilmk,iolnk->olmn", X, Y.conj())
    at = np.broadcast_arrays(longitudes(b_out)[None], colatitudes(b_out)[:, None], 0.0)
    basis = wigner_D(L, *at)[..., L - 1].conj() * (2 * np.arange(L) + 1)[:, None]
    bias = np.arange(1, C_OUT + 1)[:, None, None]
    for mode, weights in (("sum", np.ones(2 * L - 1)), ("integrate", np.eye(2 * L - 1)[L - 1])):
        expected = np.einsum("olmn,n,kjlm->okj", full, weights, basis).real + bias
        y = so3_to_s2_apply(params, x, *tables, mode=mode)
        np.testing.assert_allclose(y, expected, atol=1e-12, err_msg=mode)
    learned = so3_to_s2_init(jax.random.key(1), C_IN, C_OUT, SO3_KERNEL, F64, mode="learned", L=L)
    learned = learned._replace(bias=params.bias)
    np.testing.assert_allclose(
        so3_to_s2_apply(learned, x, *tables, mode="learned"),
        so3_to_s2_apply(params, x, *tables),
        atol=1e-12,
    )


@SIZES
def test_the_shortcut_mixes_channels_and_changes_the_bandlimit(b_in, b_out, x64):
    L = min(b_in, b_out)
    coeffs = random_so3(np.random.default_rng(3), b_in, batch=(C_IN,))
    params = so3_shortcut_init(jax.random.key(0), C_IN, C_OUT, b_in, b_out, F64)
    x = so3_synthesis(SO3Spectrum(jnp.asarray(coeffs)), make_so3_tables(b_in, b_in, dtype=F64))
    tables = make_layer_tables("so3_to_so3", b_in, b_out, SO3_KERNEL, dtype=F64)[:2]
    y = so3_shortcut_apply(params, x, *tables)
    scale = 1 / np.sqrt(C_IN * b_out**3 / b_in**3)
    kept = coeffs[:, :L, :L, b_in - L : b_in + L - 1]
    expected = scale * np.einsum("ilmn,io->olmn", kept, params.kernel[..., 0])
    np.testing.assert_allclose(so3_analysis(y, tables[1]).coeffs, expected, atol=1e-12)
    assert so3_shortcut_init(jax.random.key(0), 2, 2, 3, 3) is None
    np.testing.assert_array_equal(so3_shortcut_apply(None, x, tables[0], tables[0]), x)


def chain(upsample="zero_pad", fft=None):
    """Lift 6 → 4, SO(3) 4 → 2, SO(3) 2 → 4, sphere 4 → 6, as a function of its input and tables."""
    kernels = [near_identity_s2(0.8), *[near_identity_so3(0.9)] * 3]
    kinds = ["s2_to_so3", "so3_to_so3", "so3_to_so3", "so3_to_s2"]
    sizes = [6, 4, 2, 4, 6]
    tables = [
        make_layer_tables(kind, *sizes[i : i + 2], kernels[i], upsample=upsample)
        for i, kind in enumerate(kinds)
    ]
    inits = [s2_conv_init, so3_conv_init, so3_conv_init, so3_to_s2_init]
    channels = [1, 2, 3, 2, 1]
    params = [
        init(jax.random.key(i), *channels[i : i + 2], kernels[i]) for i, init in enumerate(inits)
    ]
    applies = [s2_conv_apply, so3_conv_apply, so3_conv_apply, so3_to_s2_apply]

    def run(params, x, tables):
        for apply, one, of_layer in zip(applies, params, tables, strict=True):
            x = apply(one, x, *of_layer, fft=fft)
        return x

    return jax.jit(run), params, tables


@pytest.mark.parametrize(
    ("upsample", "least", "most"), [("zero_pad", 0, 2e-6), ("aliased", 1e-4, 1)]
)
def test_linear_chains_turn_with_their_input_unless_they_alias(upsample, least, most):
    run, params, tables = chain(upsample)
    F = S2Spectrum(jnp.asarray(random_s2(np.random.default_rng(4), 6, (3, 1)), "c8"))
    grid, turn = make_s2_tables(6, 6), (2.1, 0.8, -1.3)
    plain = run(params, s2_synthesis(F, grid), tables)
    turned = run(params, s2_synthesis(rotate_s2(F, turn), grid), tables)
    expected = s2_synthesis(rotate_s2(s2_analysis(plain, grid), turn), grid)
    centred = plain - plain.mean(axis=(-2, -1), keepdims=True)
    error = float(jnp.linalg.norm(turned - expected) / jnp.linalg.norm(centred))
    assert least <= error <= most


def test_matrix_products_do_what_ffts_do():
    by_products, params, tables = chain(fft="matmul")
    by_fft, _, _ = chain(fft="xla")
    x = jax.random.normal(jax.random.key(0), (2, 1, 12, 12))
    np.testing.assert_allclose(by_products(params, x, tables), by_fft(params, x, tables), atol=1e-5)


def test_duplicated_third_angles_are_interchangeable():
    kgrid = near_identity_so3(0.9)
    tables = make_layer_tables("so3_to_so3", 2, 2, kgrid)
    params = so3_conv_init(jax.random.key(0), 1, 1, kgrid)
    x = jax.random.normal(jax.random.key(1), (1, 1, 4, 4, 4))
    order = np.arange(192).reshape(24, 8)
    order[:, [0, 7]] = order[:, [7, 0]]
    swapped = params._replace(kernel=params.kernel[..., order.ravel()])
    np.testing.assert_allclose(
        so3_conv_apply(params, x, *tables), so3_conv_apply(swapped, x, *tables), atol=1e-6
    )
    assert near_identity_so3(0.9, gamma_grid="uniform").n_points == 192


@pytest.mark.usefixtures("bad_input")
def test_bad_arguments_are_refused():
    tables = make_layer_tables("so3_to_so3", 2, 2, SO3_KERNEL)
    params = so3_conv_init(jax.random.key(0), 2, 3, SO3_KERNEL)
    x = jnp.ones((1, 2, 4, 4, 4))
    with pytest.raises(ValueError, match=r"x: expected shape \[..., 2, 4, 4, 4\]"):
        so3_conv_apply(params, x[:, :1], *tables)
    with pytest.raises(ValueError, match=r"params.kernel: expected shape \[C_in, C_out, 24\]"):
        so3_conv_apply(params._replace(kernel=jnp.ones((2, 3, 5))), x, *tables)
    with pytest.raises(ValueError, match="tables_in: expected S2Tables"):
        s2_conv_apply(params, x, *tables)
    with pytest.raises(ValueError, match="kgrid: expected points on the rotation group"):
        so3_conv_init(jax.random.key(0), 2, 3, S2_KERNEL)
    with pytest.raises(ValueError, match="kind: expected one of"):
        make_layer_tables("s2", 2, 2, S2_KERNEL)
    with pytest.raises(ValueError, match="did you mean 'sum'"):
        so3_to_s2_init(jax.random.key(0), 2, 3, SO3_KERNEL, mode="summ")
    with pytest.raises(ValueError, match=r"max_beta: expected a finite number > 0 and <= 3\.14"):
        near_identity_s2(0.0)
    with pytest.warns(UserWarning, match="all longitudes alpha are the same turn"):
        equatorial_so3(np.pi / 2, n_beta=2)
