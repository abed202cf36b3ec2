"""Pictures of signals on the sphere."""

import numpy as np
import pytest

from jaxlab.experiments.spherical.globes import SOUTH, globe, paint, paint_classes
from jaxlab.spherical import sphere_points


def test_globe_shows_what_is_there():
    points = sphere_points(8).astype(np.float32)
    # towards the meridian 90°: x to the left seen from outside, z upwards, y towards the viewer
    x, y, z = globe(points, (np.pi / 2, np.pi / 2), size=9, inside=False)
    middle = (2 * np.arange(9) + 1) / 9 - 1
    right, down = np.meshgrid(middle, middle)
    limb = right**2 + down**2 > 1
    np.testing.assert_array_equal(np.isnan(z), limb)
    np.testing.assert_allclose(x[~limb], -right[~limb], atol=0.02)
    np.testing.assert_allclose(z[~limb], -down[~limb], atol=0.02)
    assert y[4, 4] == pytest.approx(1, abs=0.02)
    mirrored = globe(points, (np.pi / 2, np.pi / 2), size=9)
    np.testing.assert_allclose(mirrored[0], x[:, ::-1], atol=1e-6)
    # rows of a projected image run along x, columns along y
    x, y, _ = globe(points, SOUTH, size=9)
    np.testing.assert_allclose(x[~limb], down[~limb], atol=0.03)
    np.testing.assert_allclose(y[~limb], right[~limb], atol=0.03)


def test_globe_of_classes_has_no_others():
    classes = np.where(sphere_points(4)[2] > 0, 3, 7)
    seen = globe(classes, (np.pi / 2, 0.0), size=16, nearest=True)
    assert set(np.unique(seen[~np.isnan(seen)])) == {3.0, 7.0}
    assert (seen[:8] != 7).all()
    colours = paint_classes(seen)
    assert len(np.unique(colours.reshape(-1, 3), axis=0)) == 3  # two classes, and white
    np.testing.assert_array_equal(paint(seen)[0, 0], 1)


def test_ten_classes_can_be_told_apart():
    colours = paint_classes([*range(11), np.nan])  # background, classes, and where there is none
    apart = np.linalg.norm(colours[:, None] - colours, axis=-1)
    assert apart[~np.eye(12, dtype=bool)].min() > 0.2
