"""Rotational matching against inner products of rotated signals, and rotations recovered by it."""

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from jaxlab.spherical import grids
from jaxlab.spherical.correlation import best_rotation, correlate_s2, refine_rotation
from jaxlab.spherical.rotation import rotation_matrix
from jaxlab.spherical.spectra import S2Spectrum
from jaxlab.spherical.spectral_rotation import rotate_s2
from jaxlab.spherical.tables import make_s2_tables, make_so3_tables
from jaxlab.spherical.transforms import s2_integrate, s2_synthesis
from tests.spherical.oracle import random_s2

RNG = np.random.default_rng(9)
L = 5


def distance(first, second):
    """Angle between rotations, radians."""
    between = np.asarray(first) @ np.swapaxes(np.asarray(second), -1, -2)
    return Rotation.from_matrix(between).magnitude()


@pytest.mark.usefixtures("x64")
def test_correlation_is_the_integral_of_the_product():
    F, G = [S2Spectrum(jnp.asarray(random_s2(RNG, L))) for _ in range(2)]
    tables = make_so3_tables(L, L, dtype=jnp.float64)
    found = correlate_s2(F, G, tables)
    sphere = make_s2_tables(L, L, dtype=jnp.float64)
    k, i, j = np.array([[0, 3, 9], [2, 0, 7], [4, 9, 1]])
    angles = (grids.longitudes(L)[j], grids.colatitudes(L)[k], grids.longitudes(L)[i])
    turned = s2_synthesis(rotate_s2(G, angles), sphere)
    expected = s2_integrate(s2_synthesis(F, sphere) * turned)
    np.testing.assert_allclose(found[k, i, j], expected, atol=1e-13)
    # a smaller azimuthal bandlimit leaves out orders of the signal that is rotated
    few = correlate_s2(F, G, make_so3_tables(L, L, 2, dtype=jnp.float64))
    low = S2Spectrum(G.coeffs * (jnp.arange(L) < 2))
    every = correlate_s2(F, low, tables)
    np.testing.assert_allclose(few[:, ::2, :], every[:, ::5, :][:, :2], atol=1e-13)


@pytest.mark.parametrize("grid", grids.GRIDS)
def test_the_best_rotation_of_the_grid(grid):
    b, n_max = 4, 3
    tables = make_so3_tables(b, b, n_max, grid)
    f = RNG.standard_normal((5, *tables.shape)).astype(np.float32)
    found = best_rotation(jnp.asarray(f), grid)
    k, i, j = np.unravel_index(f.reshape(5, -1).argmax(axis=1), tables.shape)
    angles = [2 * np.pi * j / (2 * b), grids.colatitudes(b, grid)[k], 2 * np.pi * i / (2 * n_max)]
    np.testing.assert_allclose(found.angles, angles, rtol=1e-6)
    expected = Rotation.from_euler("ZYZ", np.stack(angles, -1)).as_matrix()
    np.testing.assert_allclose(found.matrix, expected, atol=1e-6)
    np.testing.assert_array_equal(found.value, f.max(axis=(1, 2, 3)))


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_rotations_are_recovered(precision):
    Q = Rotation.concatenate(
        [
            Rotation.random(4, random_state=2),
            Rotation.from_euler("ZYZ", [[0.7, 0, 0], [0.4, np.pi, 0]]),  # poles go to poles
            Rotation.from_euler("ZYZ", [[0.4, 0.6, 0], [0, 0, 0]]),
        ]
    ).as_matrix()
    coeffs = random_s2(RNG, L, (8,))
    coeffs[6, :, 1:] = 0  # a signal symmetric about an axis, which is all that can be found
    coeffs[7] = 0  # and one of which nothing can be found
    with jax.enable_x64(precision == np.float64):
        G = S2Spectrum(jnp.asarray(coeffs))
        F = rotate_s2(G, Q)
        coarse = best_rotation(correlate_s2(F, G, make_so3_tables(8, L, dtype=precision)))
        found = refine_rotation(F, G, coarse.matrix)
        short = refine_rotation(F, G, coarse.matrix, steps=1)
        again = rotation_matrix(*found.angles)
        coarse, found, short, again = jax.tree.map(np.asarray, (coarse, found, short, again))
    assert found.matrix.dtype == precision
    rounding = np.finfo(precision).eps
    assert distance(coarse.matrix, Q)[:6].max() < 1.3 * np.pi / 8
    assert distance(found.matrix, Q)[:6].max() < 30 * rounding
    np.testing.assert_allclose(found.matrix[6, :, 2], Q[6, :, 2], atol=30 * rounding)
    np.testing.assert_allclose(again, found.matrix, atol=20 * rounding)
    assert found.converged.all()
    # one step is on the way, no longer than the correlation is smooth, and says it is not the end
    assert not short.converged[:6].any()
    assert np.all(coarse.value[:6] < short.value[:6])
    assert np.all(short.value[:6] < found.value[:6])
    assert short.step.max() <= 1 / L + 1e-6


def test_rotations_to_start_from_are_matched_from_the_first_axis():
    """As those of rotate_s2: each sample's own, the same for all of its channels."""
    Q = jnp.asarray(Rotation.random(3, random_state=4).as_matrix(), jnp.float32)
    every = random_s2(RNG, L, (3, 3))
    for channels in (3, 2):
        G = S2Spectrum(jnp.asarray(every[:, :channels], jnp.complex64))
        F = rotate_s2(G, Q)
        expected = np.broadcast_to(Q[:, None], (3, channels, 3, 3))
        for start in (Q, Q[:, None]):
            found = refine_rotation(F, G, start, steps=2)
            assert distance(found.matrix, expected).max() < 1e-5
            assert found.converged.all()


def test_refinement_knows_no_units_and_does_not_converge_on_nan():
    G = S2Spectrum(jnp.asarray(random_s2(RNG, L, (3,)), jnp.complex64))
    F = rotate_s2(G, (0.3, 0.2, 0.0))
    units = jnp.array([1.0, 1e-25, 1e18])[:, None, None]
    F, G = (S2Spectrum(jnp.broadcast_to(x.coeffs[:1] * units, x.coeffs.shape)) for x in (F, G))
    found = refine_rotation(F, G, (0.1, 0.1, 0.0))
    np.testing.assert_allclose(found.matrix[1:], found.matrix[:2], atol=1e-6)
    assert found.converged.all()
    assert float(found.step.max()) < 1e-3
    beyond = S2Spectrum(1e25 * F.coeffs)  # of which not even the correlation is a number
    assert refine_rotation(beyond, beyond, (0.1, 0.1, 0.0)).converged.tolist() == [
        False,
        True,
        False,
    ]
    broken = S2Spectrum(G.coeffs.at[0, 1, 0].set(jnp.nan))
    assert refine_rotation(F, broken, (0.1, 0.1, 0.0)).converged.tolist() == [False, True, True]


@pytest.mark.usefixtures("bad_input")  # a symbolic size is no integer
def test_exported_for_any_number_of_signals():
    F, G = [S2Spectrum(jnp.asarray(random_s2(RNG, L), "c8")[None].repeat(2, 0)) for _ in range(2)]
    tables = make_so3_tables(L, L)

    def match(F, G):
        return refine_rotation(F, G, best_rotation(correlate_s2(F, G, tables)).angles, steps=2)

    (n,) = jax.export.symbolic_shape("n")
    kind = S2Spectrum(jax.ShapeDtypeStruct((n, L, L), F.coeffs.dtype))
    exported = jax.export.export(jax.jit(match))(kind, kind)
    found, expected = exported.call(F, G), match(F, G)
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-5)
    np.testing.assert_allclose(found.matrix, expected.matrix, atol=1e-4)


def test_no_signals_have_no_rotations():
    found = best_rotation(jnp.zeros((0, 2, 4, 4, 4)))
    assert found.matrix.shape == (0, 2, 3, 3)
    assert found.value.shape == found.angles.gamma.shape == (0, 2)
    F = S2Spectrum(jnp.zeros((0, 2, 2), complex))
    assert refine_rotation(F, F, jnp.zeros((0, 3, 3))).matrix.shape == (0, 3, 3)


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    F, tables = S2Spectrum(jnp.ones((3, 2, 2), complex)), make_so3_tables(3, 2)
    other = S2Spectrum(jnp.ones((2, 2, 2), complex))
    with pytest.raises(ValueError, match="G: expected L = 2 degrees, as in tables"):
        correlate_s2(F, S2Spectrum(jnp.ones((3, 3), complex)), tables)
    with pytest.raises(ValueError, match="F: expected a spectrum: S2Spectrum"):
        correlate_s2(F.coeffs, F, tables)
    with pytest.raises(ValueError, match=r"G: expected batch axes that broadcast with F, \(3,\)"):
        correlate_s2(F, other, tables)
    for shape in ((6, 6, 5), (5, 6, 6), (0, 0, 0)):
        with pytest.raises(ValueError, match=r"f: expected axes \[..., β, γ, α\] of a soft grid"):
            best_rotation(jnp.ones(shape))
    with pytest.raises(ValueError, match="f: expected dtype floating"):
        best_rotation(jnp.ones((2, 2, 2), int))
    with pytest.raises(ValueError, match="steps: expected an integer >= 1, got 0"):
        refine_rotation(F, F, (0.0, 0.0, 0.0), steps=0)
    with pytest.raises(ValueError, match=r"G: expected shape \[3, 2, 2\]"):
        refine_rotation(F, other, (0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="rotation: expected rotations"):
        refine_rotation(F, F, np.zeros((3, 3)))
    for shape in ((2,), (3, 1)):
        with pytest.raises(ValueError, match=r"rotation: expected batch axes .*, to F's \[3\]"):
            refine_rotation(F, F, np.broadcast_to(np.eye(3, dtype=np.float32), (*shape, 3, 3)))
