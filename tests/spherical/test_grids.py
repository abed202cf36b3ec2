"""Grids and quadrature weights against reference values and the exactness they promise."""

import numpy as np
import pytest
from numpy.polynomial import legendre

from jaxlab.spherical import grids


def test_weights_of_reference():
    found = grids.quadrature_weights(3, group="so3")
    north = [0.00164806974, 0.00524691358, 0.00699390557]
    np.testing.assert_allclose(found, north + north[::-1], atol=5e-12)
    found = grids.quadrature_weights(4, "driscoll_healy") * 2 * 4
    half = [0, 0.08898234, 0.12380952, 0.19673195, 0.18095238, 0.19673195, 0.12380952, 0.08898234]
    np.testing.assert_allclose(found, half, atol=5e-9)


@pytest.mark.parametrize("grid", grids.GRIDS)
def test_quadrature_is_exact_below_degree_2b_and_not_above(grid):
    for b in (1, 2, 5, 8, 31):
        beta = grids.colatitudes(b, grid)
        assert beta.shape == ((b if grid == "gauss_legendre" else 2 * b),)
        assert np.all(np.diff(beta) > 0)
        weights = grids.quadrature_weights(b, grid)
        np.testing.assert_allclose(weights.sum() * 2 * b, 1, rtol=1e-14)
        over_group = grids.quadrature_weights(b, grid, "so3")
        np.testing.assert_allclose(over_group * 2 * b, weights, rtol=1e-15)
        degree = np.arange(2 * b + 1)
        means = legendre.legvander(np.cos(beta), 2 * b).T @ weights * 2 * b  # of P_l(cos β)
        np.testing.assert_allclose(means[:-1], degree[:-1] == 0, atol=5e-15)
        assert abs(means[-1]) > 1e-5  # the first degree whose mean the grid gets wrong


def test_angles_and_points():
    np.testing.assert_allclose(grids.colatitudes(2), np.pi * np.array([1, 3, 5, 7]) / 8)
    np.testing.assert_allclose(grids.colatitudes(2, "driscoll_healy"), np.pi * np.arange(4) / 4)
    np.testing.assert_allclose(np.cos(grids.colatitudes(2, "gauss_legendre")) ** 2, [1 / 3, 1 / 3])
    np.testing.assert_allclose(grids.longitudes(2), np.pi * np.arange(4) / 2)
    points = grids.sphere_points(3, "driscoll_healy")
    np.testing.assert_allclose(np.linalg.norm(points, axis=0), 1)
    np.testing.assert_allclose(points[:, 0], [[0] * 6, [0] * 6, [1] * 6], atol=1e-15)  # the pole
    beta, alpha = grids.colatitudes(3, "driscoll_healy")[4], grids.longitudes(3)[1]
    expected = [np.sin(beta) * np.cos(alpha), np.sin(beta) * np.sin(alpha), np.cos(beta)]
    np.testing.assert_allclose(points[:, 4, 1], expected)


@pytest.mark.usefixtures("bad_input")  # not of the annotated type
def test_bandwidths_of_8_bits_do_not_wrap():
    b = np.uint8(128)
    for function in (grids.colatitudes, grids.longitudes, grids.quadrature_weights):
        np.testing.assert_array_equal(function(b), function(128))
    found = grids.quadrature_weights(np.uint8(9), group="so3")
    np.testing.assert_array_equal(found, grids.quadrature_weights(9, group="so3"))


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    for function in (grids.colatitudes, grids.longitudes, grids.quadrature_weights):
        for b in (0, 2.0, True):
            with pytest.raises(ValueError, match=r"b: expected an integer >= 1, got"):
                function(b)
    with pytest.raises(
        ValueError,
        match=r"grid: expected one of 'soft', .* \(did you mean 'soft'\?\), got unknown grid",
    ):
        grids.sphere_points(2, "sofd")
    with pytest.raises(
        ValueError, match=r"group: expected one of 's2', 'so3' .*, got unknown group"
    ):
        grids.quadrature_weights(2, "soft", "s3")
