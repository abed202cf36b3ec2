"""Rotations against scipy's, the Haar measure, and what happens at gimbal lock."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from scipy.spatial.transform import Rotation

from jaxlab.spherical import rotation

ANGLES = np.random.default_rng(4).uniform([-np.pi, 0, -np.pi], [np.pi, np.pi, np.pi], (50, 3)).T
SCIPY = Rotation.from_euler("ZYZ", ANGLES.T).as_matrix()
TILTS = [0.0, 1e-9, 1e-7, 1e-6, 1e-5, 1e-3, 1.0]
POLAR = np.array([*TILTS, *(np.pi - tilt for tilt in TILTS)])


@pytest.mark.usefixtures("x64")
def test_matrices_and_angles_are_scipys():
    np.testing.assert_allclose(rotation.rotation_matrix(*ANGLES), SCIPY, atol=1e-15)
    np.testing.assert_allclose(rotation.euler_angles(SCIPY), ANGLES, atol=1e-12)
    grid = rotation.rotation_matrix(ANGLES[0, :3, None], ANGLES[1, :2], 0)
    expected = Rotation.from_euler("ZYZ", [ANGLES[0, 2], ANGLES[1, 1], 0]).as_matrix()
    np.testing.assert_allclose(grid[2, 1], expected, atol=1e-15)


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_angles_give_the_matrix_back_near_the_poles(precision):
    with jax.enable_x64(precision is np.float64):
        for alpha, gamma in ((0.0, 0.0), (2.5, -1.5), (-0.3, 3.0)):
            angles = np.stack(np.broadcast_arrays(alpha, POLAR, gamma), axis=-1)
            R = Rotation.from_euler("ZYZ", angles).as_matrix().astype(precision)
            found = rotation.euler_angles(R)
            assert all(angle.dtype == precision for angle in found)
            again = rotation.rotation_matrix(*found)
            np.testing.assert_allclose(again, R, atol=10 * np.finfo(precision).eps)
            assert found.gamma[0] == found.gamma[len(TILTS)] == 0
            assert found.beta[0] == 0
            np.testing.assert_allclose(found.beta[len(TILTS)], np.pi, rtol=1e-6)


def test_gradients_are_finite_at_the_poles_and_right_elsewhere():
    poles = jnp.asarray(np.stack([np.eye(3), np.diag([1.0, -1, -1])]), jnp.float32)
    jacobian = jax.jit(jax.vmap(jax.jacobian(lambda R: jnp.stack(rotation.euler_angles(R)))))
    assert jnp.isfinite(jacobian(poles)).all()
    # along each angle the chain rule through the matrix gives the angle back
    angles = jnp.array([0.4, 1.2, -0.8])

    def there_and_back(angles):
        return jnp.stack(rotation.euler_angles(rotation.rotation_matrix(*angles)))

    np.testing.assert_allclose(jax.jit(jax.jacobian(there_and_back))(angles), np.eye(3), atol=1e-5)


def moments_and_angles(R):
    """What is known of uniform rotations: E[R] = 0, E[R_ij²] = 1/3, angles (1 − cos θ)/π."""
    n = len(R)
    np.testing.assert_allclose(R @ R.mT, np.broadcast_to(np.eye(3), (n, 3, 3)), atol=3e-6)
    np.testing.assert_allclose(np.linalg.det(R), np.ones(n), atol=3e-6)
    np.testing.assert_allclose(R.mean(axis=0), np.zeros((3, 3)), atol=4 / np.sqrt(3 * n))
    np.testing.assert_allclose((R**2).mean(axis=0), np.full((3, 3), 1 / 3), atol=1.2 / np.sqrt(n))
    theta = np.arccos(np.clip((np.trace(R, axis1=1, axis2=2) - 1) / 2, -1, 1))
    fits = scipy.stats.kstest(theta, lambda x: (x - np.sin(x)) / np.pi)
    assert fits.pvalue > 1e-3
    assert scipy.stats.kstest(R[:, 2, 2], scipy.stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_random_rotations_are_uniform():
    R = rotation.random_rotations(jax.random.key(0), 4000)
    assert R.dtype == jnp.float32
    moments_and_angles(np.asarray(R))
    np.testing.assert_array_equal(R, rotation.random_rotations(jax.random.key(0), 4000))
    assert not np.allclose(R, rotation.random_rotations(jax.random.key(1), 4000), atol=0.1)
    assert rotation.random_rotations(jax.random.key(0), 0).shape == (0, 3, 3)
    with jax.enable_x64(True):
        assert rotation.random_rotations(jax.random.key(0), 1, jnp.float64).dtype == jnp.float64


def test_arvo_rotation_by_its_formula_and_uniform():
    u = np.random.default_rng(5).uniform(size=(4000, 3)).astype(np.float32)
    R = np.asarray(rotation.arvo_rotation(jnp.asarray(u)))
    moments_and_angles(R)
    theta, phi, z = 2 * np.pi * u[3, 0], 2 * np.pi * u[3, 1], 2 * u[3, 2]
    V = np.array([np.sin(phi) * np.sqrt(z), np.cos(phi) * np.sqrt(z), np.sqrt(2 - z)])
    c, s = np.cos(theta), np.sin(theta)
    expected = (np.outer(V, V) - np.eye(3)) @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    np.testing.assert_allclose(R[3], expected, atol=1e-6)


def test_quaternions_are_scipys():
    q = np.random.default_rng(6).standard_normal((5, 4)).astype(np.float32)
    expected = Rotation.from_quat(q[:, [1, 2, 3, 0]]).as_matrix()
    np.testing.assert_allclose(rotation.from_quaternion(jnp.asarray(q)), expected, atol=1e-6)


def test_half_precision_numbers_give_rotations_of_single_precision():
    u = jnp.array([0.25, 0.375, 0.8125], jnp.bfloat16)
    R = rotation.arvo_rotation(u)
    assert R.dtype == jnp.float32
    np.testing.assert_array_equal(R, rotation.arvo_rotation(u.astype(jnp.float32)))


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    with pytest.raises(ValueError, match="n: expected an integer >= 0, got -1"):
        rotation.random_rotations(jax.random.key(0), -1)
    with pytest.raises(ValueError, match="dtype: expected one of"):
        rotation.random_rotations(jax.random.key(0), 1, jnp.int32)
    with pytest.raises(ValueError, match=r"u: expected shape \[..., 3\], got float32\[2\]"):
        rotation.arvo_rotation(jnp.zeros(2))
    with pytest.raises(ValueError, match="u: expected a finite number >= 0 and <= 1"):
        rotation.arvo_rotation(jnp.array([0.0, 0.5, 1.5]))
    with pytest.raises(ValueError, match="alpha, beta, gamma: expected a finite number, got nan"):
        rotation.rotation_matrix(0.0, np.nan, 0.0)
    with pytest.raises(ValueError, match="expected three angles whose shapes broadcast"):
        rotation.rotation_matrix(np.zeros(2), np.zeros(3), 0.0)
    for R in (np.diag([1.0, 1, -1]), 1.01 * np.eye(3), np.ones((3, 3))):
        with pytest.raises(
            ValueError, match=r"R: expected rotations, \|det R - 1\| and .* got flo"
        ):
            rotation.euler_angles(np.stack([np.eye(3), R]))
    rotation.euler_angles(1.0001 * np.eye(3))
    with pytest.raises(ValueError, match="R: expected a finite number"):
        rotation.euler_angles(np.full((3, 3), np.nan))
    with pytest.raises(ValueError, match=r"R: expected shape \[..., 3, 3\]"):
        rotation.euler_angles(np.eye(4))
    with pytest.raises(ValueError, match="R: expected dtype floating"):
        rotation.euler_angles(np.eye(3, dtype=int))
    # inside jit values are not known
    jax.eval_shape(rotation.euler_angles, jnp.ones((3, 3)))
