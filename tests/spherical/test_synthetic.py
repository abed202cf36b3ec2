"""Random fields by their law, shapes by their areas and their behaviour under rotations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.spherical.grids import quadrature_weights, sphere_points
from jaxlab.spherical.rotation import random_rotations, rotation_matrix
from jaxlab.spherical.synthetic import (
    SHAPE_NAMES,
    Shapes,
    bandlimited_field,
    rotate_shapes,
    sample_shapes,
    spherical_shapes,
)

KEY = jax.random.key(0)
POINTS = sphere_points(2)


def test_fields_have_the_variances_of_an_isotropic_law():
    draw = jax.jit(lambda keys: jax.lax.map(lambda key: bandlimited_field(key, 4, 1.5), keys))
    F = np.asarray(draw(jax.random.split(KEY, 3000)).coeffs)
    assert not np.triu(F, 1).any()
    assert not F[..., 0].imag.any()
    scaled = F * (1 + np.arange(4))[:, None] ** 1.5
    below = np.tril(np.ones((4, 4), bool))
    np.testing.assert_allclose((np.abs(scaled) ** 2).mean(axis=0)[below], 1, atol=0.12)
    np.testing.assert_allclose(scaled.mean(axis=0)[below], 0, atol=0.1)
    np.testing.assert_allclose(scaled[:, 2, 1].real.var(), 0.5, atol=0.06)  # of both parts alike
    white = bandlimited_field(KEY, 4, 0.0).coeffs
    half = bandlimited_field(KEY, 4, 1).coeffs
    np.testing.assert_allclose(half[3], white[3] / 4, rtol=1e-6)


def test_areas():
    b, radius, ratio = 60, 0.5, 0.6
    weights = quadrature_weights(b)[:, None] * np.ones(2 * b)
    frames = jnp.broadcast_to(random_rotations(KEY, 1), (4, 3, 3))
    shapes = Shapes(jnp.arange(4), frames, jnp.full(4, radius), jnp.full(4, ratio))
    batch = sample_shapes(shapes, sphere_points(b))
    areas = ((np.asarray(batch.mask) > 0) * weights).sum(axis=(1, 2))
    # fractions of the sphere; in the angles u, v the measure is sin θ/θ du dv
    cap = (1 - np.cos(radius)) / 2
    u, v = np.meshgrid(*2 * [np.linspace(-radius, radius, 801)])
    measure = np.sinc(np.hypot(u, v) / np.pi) * (2 * radius / 800) ** 2 / (4 * np.pi)
    ellipse = measure[u**2 + (v / ratio) ** 2 <= radius**2].sum()
    bar = measure[np.abs(v) <= ratio * radius / 3].sum()
    ring = (np.cos(radius / 2) - np.cos(radius)) / 2
    assert SHAPE_NAMES == ("cap", "ellipse", "ring", "bar")
    np.testing.assert_allclose(areas, [cap, ellipse, ring, bar], rtol=0.04)
    np.testing.assert_array_equal(batch.x, np.where(batch.mask > 0, 255, 0))
    for label, mask in enumerate(batch.mask):
        assert set(np.unique(mask)) == {0, label + 1}


def test_what_is_drawn_turns_with_its_mask():
    data = spherical_shapes(KEY, 1000, 4)
    points = sphere_points(4)
    R = np.asarray(rotation_matrix(0.4, 1.1, -0.7))
    turned = rotate_shapes(data.shapes, R)
    # (Rf)(R p) = f(p), whatever the grid
    at = sample_shapes(turned, np.einsum("ab,bkj->akj", R, points))
    np.testing.assert_array_equal(at.mask, data.mask)
    np.testing.assert_array_equal(at.x, data.x)
    assert (sample_shapes(turned, points).mask != data.mask).any(axis=(1, 2)).mean() > 0.8
    each = rotate_shapes(data.shapes, np.broadcast_to(R, (1000, 3, 3)))
    np.testing.assert_allclose(each.frame, turned.frame, atol=1e-6)

    shapes = data.shapes
    counts = np.bincount(shapes.label, minlength=4)
    np.testing.assert_allclose(counts, 250, atol=4 * np.sqrt(250))
    for field, low, high in ((shapes.radius, 0.2, 0.6), (shapes.ratio, 0.3, 1.0)):
        assert low <= field.min() < low + 0.02
        assert high - 0.02 < field.max() <= high
    np.testing.assert_allclose(shapes.frame[:, :, 2].mean(axis=0), 0, atol=0.08)
    assert spherical_shapes(KEY, 0, 2).x.shape == (0, 4, 4)

    half = Shapes(jnp.array([0]), jnp.eye(3)[None], jnp.array([0.5]), jnp.ones(1))
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), half)._replace(label=half.label)
    fine = sphere_points(40)
    found = sample_shapes(half, fine)
    assert found.x.dtype == jnp.bfloat16
    np.testing.assert_array_equal(found.mask[0] > 0, np.arccos(fine[2]) <= 0.5)


@pytest.mark.usefixtures("bad_input")
def test_what_is_refused():
    shapes = Shapes(jnp.zeros(2, int), jnp.stack([jnp.eye(3)] * 2), jnp.ones(2), jnp.ones(2))
    for call, named in [
        (lambda: bandlimited_field(KEY, 0), "b"),
        (lambda: bandlimited_field(KEY, 2, jnp.ones(2)), "slope"),
        (lambda: spherical_shapes(KEY, -1, 2), "n"),
        (lambda: spherical_shapes(KEY, 1, 2, "cube"), "grid"),
        (lambda: rotate_shapes(shapes, jnp.stack([jnp.eye(3)] * 3)), "R"),
        (lambda: rotate_shapes(shapes, -jnp.eye(3)), "R"),
        (lambda: sample_shapes(shapes, jnp.ones((2, 4, 4))), "points"),
        (lambda: sample_shapes(shapes, jnp.ones((3, 4, 4))), "points"),
        (lambda: sample_shapes(shapes._replace(label=shapes.label + 4), POINTS), "shapes.label"),
        (lambda: sample_shapes(shapes._replace(label=shapes.radius), POINTS), "shapes.label"),
        (lambda: sample_shapes(shapes._replace(radius=shapes.label), POINTS), "shapes.radius"),
        (
            lambda: sample_shapes(shapes._replace(frame=jnp.eye(3, dtype=int)), POINTS),
            "shapes.frame",
        ),
    ]:
        with pytest.raises(ValueError, match=f"^{named}: expected"):
            call()
