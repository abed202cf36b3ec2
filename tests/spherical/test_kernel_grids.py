"""Points of kernels by their formulas."""

import numpy as np
import pytest

from jaxlab.spherical.kernel_grids import (
    KernelGrid,
    equatorial_s2,
    equatorial_so3,
    kernel_points,
    near_identity_s2,
    near_identity_so3,
)
from jaxlab.spherical.rotation import rotation_matrix


def test_points_stand_in_the_order_of_the_parameters():
    expected = [
        (2 * np.pi * j / 8, 0.3 * i / 3, -2 * np.pi + 4 * np.pi * k / 7 - 2 * np.pi * j / 8)
        for i in (1, 2, 3)
        for j in range(8)
        for k in range(8)
    ]
    np.testing.assert_allclose(kernel_points(near_identity_so3(0.3)), expected, atol=1e-14)
    expected = [(2 * np.pi * j / 8, 0.3 * i / 3, 0.0) for i in (1, 2, 3) for j in range(8)]
    np.testing.assert_allclose(kernel_points(near_identity_s2(0.3)), expected, atol=1e-15)
    expected = [
        (2 * np.pi * j / 32, beta, gamma)
        for beta in (np.pi / 2 - 0.2, np.pi / 2 + 0.2)
        for j in range(32)
        for gamma in (-np.pi / 8, np.pi / 8)
    ]
    points = kernel_points(equatorial_so3(0.2, n_beta=2))
    np.testing.assert_allclose(points, expected, atol=1e-15)
    assert set(kernel_points(equatorial_s2(0.2))[:, 1]) == {np.pi / 2 - 0.2}  # one ring only


def test_rings_are_as_far_from_the_identity_and_uniform_ones_have_no_duplicate():
    """The turn's angle is arccos((tr R − 1)/2), and depends on β and γ + α = γ' only."""
    published = near_identity_so3(0.9, n_alpha=5, n_beta=2, n_gamma=6)
    R = np.asarray(rotation_matrix(*kernel_points(published).T), np.float64)
    traces = np.trace(R, axis1=-2, axis2=-1).reshape(2, 5, 6)
    np.testing.assert_allclose(traces, traces[:, :1].repeat(5, axis=1), atol=1e-5)
    for gamma_grid, distinct in (("endpoint", 50), ("uniform", 60)):
        kgrid = near_identity_so3(0.9, n_alpha=5, n_beta=2, n_gamma=6, gamma_grid=gamma_grid)
        R = np.asarray(rotation_matrix(*kernel_points(kgrid).T)).reshape(-1, 9)
        assert len(np.unique(R.round(3) + 0.0, axis=0)) == distinct
    narrow = near_identity_so3(0.9, 0.5, gamma_grid="uniform")
    assert narrow == near_identity_so3(0.9, 0.5)
    assert hash(narrow) == hash(near_identity_so3(0.9, 0.5))


@pytest.mark.usefixtures("bad_input")
def test_bad_angles_are_refused():
    for make in (near_identity_s2, near_identity_so3):
        for bad in (0.0, 3.2, np.nan):
            with pytest.raises(ValueError, match="max_beta: expected a finite number > 0"):
                make(bad)
        for name in ("n_alpha", "n_beta"):
            with pytest.raises(ValueError, match=f"{name}: expected an integer >= 1, got 0"):
                make(**{name: 0})
    with pytest.raises(ValueError, match=r"max_beta: expected a finite number >= 0 and <= 1\.57"):
        equatorial_s2(1.6)
    with pytest.raises(ValueError, match="max_gamma: expected a finite number >= 0"):
        equatorial_so3(max_gamma=-1)
    with pytest.raises(ValueError, match=r"max_beta: expected shape \[\]"):
        near_identity_s2(np.ones(3))
    with pytest.raises(ValueError, match="n_gamma: expected an integer"):
        near_identity_so3(n_gamma=0)
    with pytest.raises(ValueError, match="gamma_grid: expected one of 'endpoint', 'uniform'"):
        near_identity_so3(gamma_grid="unifrom")
    with pytest.raises(ValueError, match="alpha: expected at least one angle"):
        KernelGrid((0.1,), ())
    with pytest.raises(ValueError, match="beta: expected a finite number >= 0"):
        KernelGrid((-0.1,), (0.0,))
    with pytest.warns(UserWarning, match="beta contains 0"):
        equatorial_s2(np.pi / 2, n_beta=3)
