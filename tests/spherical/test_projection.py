"""Projection against its geometry, worked backwards and pixel by pixel."""

from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxlab.spherical.grids import sphere_points
from jaxlab.spherical.projection import project_image, project_labels
from jaxlab.spherical.rotation import EulerAngles, rotation_matrix
from jaxlab.spherical.spectral_rotation import rotate_s2
from jaxlab.spherical.tables import make_s2_tables
from jaxlab.spherical.transforms import s2_analysis, s2_synthesis
from jaxlab.spherical.types import Interpolation

RNG = np.random.default_rng(0)
ANGLES = EulerAngles(0.4, 1.1, -0.7)
R = np.asarray(rotation_matrix(*ANGLES))
POINTS = sphere_points(4)


def points_of_pixels(height, width):
    """Points of the sphere whose rays from the eye hit the centres of the pixels."""
    side = max(height, width)
    row = np.arange(height) + (side - height) // 2 + 0.5
    column = np.arange(width) + (side - width) // 2 + 0.5
    u, v = np.meshgrid(3 * row / side - 1.5, 3 * column / side - 1.5, indexing="ij")
    eye, ray = np.array([0, 0, 1.001]), np.stack([u, v, np.full_like(u, -2.001)], axis=-1)
    a, half_b, c = (ray**2).sum(-1), ray @ eye, eye @ eye - 1
    length = (-half_b + np.sqrt(half_b**2 - a * c)) / a  # the far side of the sphere
    return np.moveaxis(eye + length[..., None] * ray, -1, 0)


def brute_force(image, points, interpolation):
    """The same sums, one point at a time, on a canvas with room for every tap."""
    side, margin = image.shape[0], 3
    canvas = np.pad(image, margin)
    result = np.zeros(points.shape[1:])
    for place in np.ndindex(*result.shape):
        x, y, z = points[(slice(None), *place)]
        scale = 2.001 / (2.001 - (z + 1))
        r, c = ((scale * q + 1.5) / 3 * side for q in (x, y))
        if not (-2 < r < side + 2 and -2 < c < side + 2):
            continue
        if interpolation == "nearest":
            taps = [(int(np.floor(r)), int(np.floor(c)), 1.0)]
        else:
            wide = interpolation == "official"
            axes = []
            for p in (r, c):
                first = int(p) - 1 if wide else int(np.floor(p - 0.5))
                last = first + (2 if wide else 1)
                at = p if wide else p - 0.5
                axes.append([(first, last - at), (last, at - first)])
            taps = [(i, j, wi * wj) for i, wi in axes[0] for j, wj in axes[1]]
        result[place] = sum(w * canvas[i + margin, j + margin] for i, j, w in taps)
    return result


@pytest.mark.usefixtures("x64")
def test_pixels_by_hand_and_one_at_a_time():
    image = RNG.uniform(size=(5, 5))
    turned = np.einsum("ab,bkj->akj", R, POINTS)
    centres = points_of_pixels(5, 5)
    for interpolation in get_args(Interpolation):
        found = project_image(image, R, POINTS, interpolation)
        np.testing.assert_allclose(found, brute_force(image, turned, interpolation), atol=1e-6)
        found = project_image(image, np.eye(3), centres, interpolation)
        if interpolation == "official":
            # half way between the taps' centres: a half of the pixel before, 3/2 of the one after
            padded = np.pad(image, 1)
            mixed = 0.5 * padded[:-2] + 1.5 * padded[2:]
            expected = 0.5 * mixed[:, :-2] + 1.5 * mixed[:, 2:]
        else:
            expected = image
        np.testing.assert_allclose(found, expected, atol=1e-9)
    spot = np.zeros((4, 4))
    spot[1, 2] = 8.0
    south = np.array([0, 0, -1.0]).reshape(3, 1, 1)  # the corner between the four inner pixels
    np.testing.assert_allclose(project_image(spot, np.eye(3), south), [[2.0]], atol=1e-12)


def test_a_white_image_covers_the_south():
    found = np.asarray(project_image(jnp.ones((6, 6)), jnp.eye(3), POINTS))
    x, y, z = POINTS
    u, v = 2.001 * x / (1.001 - z), 2.001 * y / (1.001 - z)
    fade = [np.clip(6 * (1.5 - np.abs(side)) / 3 + 0.5, 0, 1) for side in (u, v)]  # at the border
    np.testing.assert_allclose(found, fade[0] * fade[1], atol=1e-5)
    assert np.all(found[-3:] == 1)
    assert np.all(found[:3] == 0)


def test_turns_by_steps_of_the_grid_roll_the_longitudes():
    image = jnp.asarray(RNG.uniform(size=(6, 6)), jnp.float32)
    still = project_image(image, jnp.eye(3), POINTS)
    for steps in (1, 3):
        about_z = rotation_matrix(np.pi * steps / 4, 0.0, 0.0)
        turned = project_image(image, about_z, POINTS)
        np.testing.assert_allclose(turned, np.roll(still, -steps, axis=1), atol=1e-5)


def test_agrees_with_the_rotation_of_the_spectrum():
    side = np.linspace(-1.5, 1.5, 96)
    blob = np.exp(-6 * ((side[:, None] - 0.2) ** 2 + (side + 0.1) ** 2))
    tables = make_s2_tables(16, 16)
    points = sphere_points(16)
    still = project_image(jnp.asarray(blob, jnp.float32), jnp.eye(3), points)
    turned = project_image(jnp.asarray(blob, jnp.float32), jnp.asarray(R), points)
    spectral = rotate_s2(s2_analysis(still, tables), jnp.asarray(R).T)  # f(R p) is f turned by R⁻¹
    np.testing.assert_allclose(s2_synthesis(spectral, tables), turned, atol=5e-3)
    assert np.abs(still - turned).max() > 0.5


def test_shapes_channels_and_dtypes():
    tall = RNG.integers(0, 255, (7, 4)).astype(np.uint8)
    square = np.zeros((7, 7))
    square[:, 1:5] = tall
    found = project_image(tall, R, POINTS)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, project_image(square, R, POINTS), rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(
        project_image(tall, np.eye(3), points_of_pixels(7, 4)), tall, atol=2e-3
    )

    colour = jnp.asarray(RNG.uniform(size=(5, 5, 3)), jnp.float32)
    found = project_image(colour, R, POINTS)
    assert found.shape == (8, 8, 3)
    for channel in range(3):
        alone = project_image(colour[..., channel], R, POINTS)
        np.testing.assert_allclose(found[..., channel], alone, atol=1e-6)
    half = project_image(colour.astype(jnp.bfloat16), R, POINTS)
    assert half.dtype == jnp.bfloat16
    exact = project_image(colour.astype(jnp.bfloat16).astype(jnp.float32), R, POINTS)
    np.testing.assert_array_equal(half, exact.astype(jnp.bfloat16))


def test_nan_spreads_to_its_neighbours_only():
    image = jnp.ones((9, 9)).at[4, 4].set(jnp.nan)
    lost = np.isnan(project_image(image, jnp.eye(3), POINTS))
    assert lost[-1].all()  # around the south pole, where the middle pixel is seen
    assert not lost[:-2].any()


def test_labels_are_those_of_the_nearest_pixel():
    label_map = RNG.integers(-1, 5, (6, 4))
    found = project_labels(label_map, R, POINTS)
    assert found.dtype == jnp.int32
    nearest = project_image(label_map.astype(np.float32), R, POINTS, "nearest")
    np.testing.assert_array_equal(found, nearest.astype(int))
    np.testing.assert_array_equal(
        project_labels(label_map, np.eye(3), points_of_pixels(6, 4)), label_map
    )


def test_transformations():
    images = jnp.asarray(RNG.uniform(size=(2, 5, 5)), jnp.float32)
    rotations = jnp.stack([jnp.asarray(R), jnp.eye(3)])
    points = jnp.asarray(POINTS, jnp.float32)
    batched = jax.jit(jax.vmap(project_image, in_axes=(0, 0, None)))(images, rotations, points)
    for image, rotation, found in zip(images, rotations, batched, strict=True):
        np.testing.assert_allclose(found, project_image(image, rotation, points), atol=1e-6)


@pytest.mark.usefixtures("x64")
def test_gradients_in_image_and_rotation():
    image = jnp.asarray(RNG.uniform(size=(5, 5)))

    def project(image, beta):
        return project_image(image, rotation_matrix(0.4, beta, -0.7), POINTS[:, 4:, ::2])

    check_grads(jax.jit(project), (image, 1.1), order=1, modes=("fwd", "rev"), eps=1e-6)


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"image": jnp.ones(4)}, "image"),
        ({"image": jnp.ones((4, 0))}, "image"),
        ({"image": jnp.ones((4, 4), complex)}, "image"),
        ({"R": jnp.eye(4)}, "R"),
        ({"R": 2 * jnp.eye(3)}, "R"),
        ({"R": jnp.diag(jnp.array([1.0, 1.0, -1.0]))}, "R"),
        ({"points": jnp.ones((8, 8))}, "points"),
        ({"points": 1.01 * POINTS}, "points"),
        ({"points": np.where(POINTS > 0.9, np.nan, POINTS)}, "points"),
        ({"interpolation": "cubic"}, "interpolation"),
    ],
)
def test_what_is_refused(arguments, named):
    good = {"image": jnp.ones((4, 4)), "R": jnp.eye(3), "points": POINTS}
    with pytest.raises(ValueError, match=f"^{named}: expected"):
        project_image(**good | arguments)
    if named in ("R", "points"):
        given = {"R": jnp.eye(3), "points": POINTS} | arguments
        with pytest.raises(ValueError, match=f"^{named}: expected"):
            project_labels(jnp.ones((4, 4), int), **given)
    with pytest.raises(ValueError, match=r"^label_map: expected dtype integer"):
        project_labels(jnp.ones((4, 4)), jnp.eye(3), POINTS)
