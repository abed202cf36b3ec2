"""Rotated spectra against signals evaluated at turned points, and D against its host twin."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from jaxlab.spherical.rotation import EulerAngles, euler_angles, rotation_matrix
from jaxlab.spherical.spectra import S2Spectrum, SO3Spectrum
from jaxlab.spherical.spectral_rotation import rotate_s2, rotate_so3, wigner_D_jnp
from jaxlab.spherical.tables import make_s2_tables, make_so3_tables
from jaxlab.spherical.transforms import s2_synthesis, so3_synthesis
from jaxlab.spherical.wigner import wigner_D
from tests.spherical.oracle import (
    evaluate_s2,
    evaluate_so3,
    random_s2,
    random_so3,
    spherical_angles,
)

RNG = np.random.default_rng(7)
ANGLES = RNG.uniform([-np.pi, 0, -np.pi], [np.pi, np.pi, np.pi], (4, 3)).T
MATRICES = Rotation.from_euler("ZYZ", ANGLES.T).as_matrix()
L = 5


@pytest.mark.usefixtures("x64")
def test_D_is_that_of_the_recurrence():
    alpha, beta, gamma = ANGLES
    found = wigner_D_jnp(24, alpha[:, None], beta[:, None], gamma[2:])
    assert found.shape == (4, 2, 24, 47, 47)
    expected = wigner_D(24, alpha[:, None], beta[:, None], gamma[2:])
    np.testing.assert_allclose(found, expected, atol=1e-13)
    for pole in (0.0, np.pi, -1.0, 4.0):
        expected = wigner_D(24, 0.3, pole, 0.4)
        np.testing.assert_allclose(wigner_D_jnp(24, 0.3, pole, 0.4), expected, atol=1e-13)


def test_D_in_float32():
    found = wigner_D_jnp(24, *(jnp.asarray(angle[0], jnp.float32) for angle in ANGLES))
    assert found.dtype == jnp.complex64
    np.testing.assert_allclose(found, wigner_D(24, *ANGLES[:, 0]), atol=5e-6)


@pytest.mark.usefixtures("x64")
def test_rotated_signals_on_the_sphere():
    coeffs = random_s2(RNG, L, (4,))
    points = RNG.standard_normal((3, 6))
    points /= np.linalg.norm(points, axis=0)
    expected = [
        evaluate_s2(F, *spherical_angles(Q.T @ points))
        for F, Q in zip(coeffs, MATRICES, strict=True)
    ]
    F = S2Spectrum(jnp.asarray(coeffs))
    for given in (jnp.asarray(MATRICES), tuple(ANGLES), EulerAngles(*map(jnp.asarray, ANGLES))):
        turned = rotate_s2(F, given).coeffs
        found = [evaluate_s2(one, *spherical_angles(points)) for one in np.asarray(turned)]
        np.testing.assert_allclose(found, expected, atol=1e-12)
    back = rotate_s2(S2Spectrum(turned), jnp.asarray(MATRICES).mT)
    np.testing.assert_allclose(back.coeffs, coeffs, atol=1e-13)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("n_max", [L, 2])
def test_rotated_signals_on_the_rotation_group(n_max):
    coeffs = random_so3(RNG, L, n_max)
    Q = MATRICES[0]
    places = Rotation.random(6, random_state=1)
    before = (Rotation.from_matrix(Q.T) * places).as_euler("ZYZ").T
    expected = evaluate_so3(coeffs, *before)
    turned = rotate_so3(SO3Spectrum(jnp.asarray(coeffs)), jnp.asarray(Q)).coeffs
    found = evaluate_so3(np.asarray(turned), *places.as_euler("ZYZ").T)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_turns_about_the_axis_shift_the_grid():
    b, steps = 6, 5
    F = S2Spectrum(jnp.asarray(random_s2(RNG, L), jnp.complex64))
    H = SO3Spectrum(jnp.asarray(random_so3(RNG, L, 3), jnp.complex64))
    turn = (np.pi * steps / b, 0.0, 0.0)
    tables = make_s2_tables(b, L)
    shifted = jnp.roll(s2_synthesis(F, tables), steps, axis=-1)
    np.testing.assert_allclose(s2_synthesis(rotate_s2(F, turn), tables), shifted, atol=2e-5)
    tables = make_so3_tables(b, L, 3)
    shifted = jnp.roll(so3_synthesis(H, tables), steps, axis=-1)
    np.testing.assert_allclose(so3_synthesis(rotate_so3(H, turn), tables), shifted, atol=2e-5)


@pytest.mark.usefixtures("x64")
def test_rotations_and_batches_are_matched_from_the_first_axis():
    coeffs = random_s2(RNG, 2, (4, 3))

    def single(sample, channel, which):
        one = S2Spectrum(jnp.asarray(coeffs[sample, channel]))
        return rotate_s2(one, MATRICES[which]).coeffs

    F = S2Spectrum(jnp.asarray(coeffs))
    per_sample = np.asarray(rotate_s2(F, MATRICES).coeffs)  # for all channels of a sample
    np.testing.assert_allclose(per_sample[2, 1], single(2, 1, 2), atol=1e-14)
    per_channel = np.asarray(rotate_s2(F, MATRICES[None, :3]).coeffs)
    np.testing.assert_allclose(per_channel[2, 1], single(2, 1, 1), atol=1e-14)
    many_ways = np.asarray(rotate_s2(S2Spectrum(jnp.asarray(coeffs[2, 0])), MATRICES).coeffs)
    assert (per_sample.shape, many_ways.shape) == ((4, 3, 2, 2), (4, 2, 2))
    np.testing.assert_allclose(many_ways[3], single(2, 0, 3), atol=1e-14)
    empty = S2Spectrum(jnp.zeros((0, 3, 2, 2), complex))
    assert rotate_s2(empty, MATRICES[:1]).coeffs.shape == (0, 3, 2, 2)
    H = jnp.asarray(random_so3(RNG, 2, batch=(4, 3)))
    whole = rotate_so3(SO3Spectrum(H), MATRICES).coeffs
    mapped = jax.vmap(lambda h, q: rotate_so3(SO3Spectrum(h), q))(H, jnp.asarray(MATRICES))
    np.testing.assert_allclose(whole, mapped.coeffs, atol=1e-14)


def test_near_gimbal_lock():
    F = S2Spectrum(jnp.asarray(random_s2(RNG, L), jnp.complex64))
    tilts = [0.0, 1e-8, 1e-6, 1e-5, 1e-4, np.pi - 1e-4, np.pi - 1e-6, np.pi]
    given = [(2.5, tilt, -1.5) for tilt in tilts]
    R = Rotation.from_euler("ZYZ", given).as_matrix().astype(np.float32)
    angles = np.asarray(given, np.float32).T
    found, expected = rotate_s2(F, R).coeffs, rotate_s2(F, tuple(angles)).coeffs
    np.testing.assert_allclose(found, expected, atol=5e-6)


@pytest.mark.usefixtures("x64")
def test_gradients():
    F = S2Spectrum(jnp.asarray(random_s2(RNG, 3)))
    H = SO3Spectrum(jnp.asarray(random_so3(RNG, 3, 2)))

    def loss(angles):
        turned = rotate_so3(H, EulerAngles(*angles)).coeffs
        return (rotate_s2(F, tuple(angles)).coeffs.imag ** 2).sum() + (turned.real**3).sum()

    def matrix_and_back(angles):
        return jnp.stack(euler_angles(rotation_matrix(*angles)))

    @jax.jit
    def slopes(angles, step):
        shifts = step * jnp.eye(3)
        ends = jax.lax.map(loss, jnp.concatenate([angles + shifts, angles - shifts]))
        by_angles, pull = jax.grad(loss)(angles), jax.vjp(matrix_and_back, angles)[1]
        return by_angles, pull(by_angles)[0], (ends[:3] - ends[3:]) / (2 * step)

    for beta in (1.1, 0.0):  # by angles the poles are no exception
        found, through_matrix, difference = slopes(jnp.array([0.3, beta, -0.8]), 1e-5)
        np.testing.assert_allclose(found, difference, atol=1e-8)
        assert jnp.abs(found).min() > 1e-3
        assert jnp.isfinite(through_matrix).all()
        if beta:
            np.testing.assert_allclose(through_matrix, found, atol=1e-12)


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    F, H = S2Spectrum(jnp.ones((3, 2, 2), complex)), SO3Spectrum(jnp.ones((2, 2, 3), complex))
    with pytest.raises(ValueError, match="L: expected an integer >= 1, got 0"):
        wigner_D_jnp(0, 0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="F: expected a spectrum: S2Spectrum"):
        rotate_s2(H, (0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="F: expected a spectrum: SO3Spectrum"):
        rotate_so3(F, (0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match=r"rotation: expected axes that broadcast, .* \[3\], got"):
        rotate_s2(F, np.stack([np.eye(3)] * 2))
    with pytest.raises(ValueError, match="rotation: expected three Euler angles, or matrices"):
        rotate_s2(F, (0.0, 0.0))
    with pytest.raises(ValueError, match="rotation: expected a finite number, got nan"):
        rotate_so3(H, (0.0, 0.0, np.nan))
    with pytest.raises(ValueError, match=r"rotation: expected rotations, .* got float64\[3, 3\]"):
        rotate_s2(F, -np.eye(3))
