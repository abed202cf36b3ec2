"""Rotation on the grid against closed forms and rotations that the grid has exactly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.spherical.grids import GRIDS, sphere_points
from jaxlab.spherical.resampling import resample_grid, rotate_grid
from jaxlab.spherical.rotation import rotation_matrix

RNG = np.random.default_rng(2)
R = rotation_matrix(0.4, 1.1, -0.7)
COEFFICIENTS = RNG.normal(size=3)


def smooth(points):
    """A function of degrees 1 and 2."""
    x, y, z = np.asarray(points, np.float64)
    return COEFFICIENTS[0] * x * z + COEFFICIENTS[1] * y + COEFFICIENTS[2] * z**2


def on_grid(b, grid):
    return jnp.asarray(smooth(sphere_points(b, grid)), jnp.float32)


@pytest.mark.parametrize("grid", GRIDS)
def test_steps_of_the_grid_are_exact_and_others_of_second_order(grid):
    noise = jnp.asarray(RNG.normal(size=(2, *sphere_points(5, grid).shape[1:])), jnp.float32)
    if grid == "driscoll_healy":
        noise = noise.at[:, 0].set(3.0)  # one point: the pole
    turned = rotate_grid(noise, rotation_matrix(3 * np.pi / 5, 0.0, 0.0), grid)
    np.testing.assert_allclose(turned, np.roll(noise, 3, axis=-1), atol=2e-5)

    errors = []
    for b in (5, 20):
        points = sphere_points(b, grid)
        expected = smooth(np.einsum("ba,bkj->akj", R, points))  # (Rf)(x) = f(R⁻¹x)
        errors.append(np.abs(rotate_grid(on_grid(b, grid), R, grid) - expected).max())
    assert errors[0] < 0.3
    assert errors[1] < errors[0] / 8  # 16 for a fourth of the step, but for the poles


def test_half_turns_map_the_soft_grid_to_itself():
    noise = jnp.asarray(RNG.normal(size=(6, 6)), jnp.float32)
    about_x = jnp.diag(jnp.array([1.0, -1.0, -1.0]))
    flipped = noise[::-1, (-np.arange(6)) % 6]
    np.testing.assert_allclose(rotate_grid(noise, about_x), flipped, atol=1e-5)


def test_poles_are_the_mean_of_the_nearest_circle():
    noise = jnp.asarray(RNG.normal(size=(6, 6)), jnp.float32)
    poles = jnp.array([[0.0, 0.0, 3.0], [0.0, 0.0, -0.1]]).T[:, :, None]
    expected = noise[jnp.array([0, -1])].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(resample_grid(noise, poles), expected, atol=1e-6)


def test_points_have_any_length():
    f = on_grid(4, "soft")
    points = jnp.asarray(sphere_points(3), jnp.float32)
    expected = resample_grid(f, points)
    for length in (1e-30, 1e30):
        np.testing.assert_allclose(resample_grid(f, length * points), expected, atol=1e-5)


def test_transformations():
    f = on_grid(4, "soft")
    rotations = jnp.stack([jnp.eye(3), R])
    batched = jax.jit(jax.vmap(rotate_grid, in_axes=(None, 0)))(f, rotations)
    np.testing.assert_allclose(batched[0], f, atol=1e-5)
    np.testing.assert_allclose(batched[1], rotate_grid(f, R), atol=1e-5)
    half = rotate_grid(f.astype(jnp.bfloat16), R)
    assert half.dtype == jnp.bfloat16
    np.testing.assert_allclose(half.astype(jnp.float32), batched[1], atol=0.03)
    # the image of the pole has no longitude, and must not turn gradients into NaN
    slope = jax.grad(lambda a: rotate_grid(f, rotation_matrix(0.0, a, 0.0)).sum())(jnp.pi / 8)
    assert np.isfinite(slope)


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize(
    ("f", "rotation", "grid", "named"),
    [
        (jnp.ones((6, 5)), R, "soft", "f"),
        (jnp.ones((6, 6)), R, "gauss_legendre", "f"),
        (jnp.ones((6, 6), int), R, "soft", "f"),
        (jnp.ones((6, 6)), R[None], "soft", "R"),
        (jnp.ones((6, 6)), 2 * R, "soft", "R"),
        (jnp.ones((6, 6)), R, "healpix", "grid"),
    ],
)
def test_what_is_refused(f, rotation, grid, named):
    with pytest.raises(ValueError, match=f"^{named}: expected"):
        rotate_grid(f, rotation, grid)


@pytest.mark.usefixtures("bad_input")
def test_points_that_are_refused():
    with pytest.raises(ValueError, match="points: expected"):
        resample_grid(jnp.ones((6, 6)), jnp.ones((2, 6, 6)))
    with pytest.raises(ValueError, match="points: expected finite entries"):
        resample_grid(jnp.ones((6, 6)), jnp.full((3, 6, 6), jnp.nan))
