"""Problems of the k-center experiments: random ones, large ones, and files of the user."""

import jax
import numpy as np
import pytest

from jaxlab.experiments.kcenter import problems


@pytest.mark.parametrize("correlated", [False, True])
def test_random_problems_can_be_solved(correlated):
    rng = np.random.default_rng(0)
    present = set()
    for _ in range(60):
        n, k = int(rng.integers(14, 26)), int(rng.integers(2, 5))
        points, groups, min_size, lower, upper = problems.random_instance(
            rng, n, k, 3, correlated=correlated
        )
        sizes = np.bincount(groups, minlength=3)
        m = np.count_nonzero(sizes)
        present.add(m)
        assert points.shape == (n, 2)
        assert (sizes[:m] > 0).all()
        assert (sizes[m:] == 0).all()
        assert 1 <= min_size <= n // k
        assert (lower >= 0).all()
        assert (lower <= upper).all()
        assert (upper <= sizes).all()
        assert lower.sum() <= k <= upper.sum()
    assert present == {1, 2, 3}


def test_layers_follow_the_first_coordinate():
    rng = np.random.default_rng(1)
    while True:
        problem = problems.random_instance(rng, 200, 4, 2, correlated=True)
        if problem.groups.max() == 1:
            break
    x = problem.points[:, 0]
    assert x[problem.groups == 1].mean() > x[problem.groups == 0].mean() + 1
    assert np.bincount(problem.groups).tolist() == [100, 100]


def test_blobs_have_sizes_by_zipf_and_groups_by_blob():
    points, groups = problems.blobs(jax.random.key(0), 4000, dims=3, groups=4)
    assert points.shape == (4000, 3)
    sizes = np.bincount(groups, minlength=4) / 4000
    share = np.arange(1.0, 1001) ** -1.1
    expected = np.bincount(np.arange(1000) % 4, share) / share.sum()
    np.testing.assert_allclose(sizes, expected, atol=0.03)
    # the largest blob has one point in six: neighbours are closer than in the cube at large
    middle = np.median(points[groups == 0], axis=0)
    near = np.linalg.norm(points - middle, axis=1) < 0.15
    assert near.mean() > 0.1


def test_a_few_blobs_need_no_file(monkeypatch):
    monkeypatch.setattr(problems.jaxlab.data, "load", None)
    name, points, groups = problems.load("blobs")
    assert name in problems.TITLES
    assert (*points.shape, len(np.unique(groups))) == problems.BLOBS_SHAPE


def test_privacy_bounds_are_spread():
    assert problems.privacy_grid(101_763, 12, 7) == [1, 1414, 2827, 4240, 5653, 7066, 8480]
    assert problems.privacy_grid(9, 4, 5) == [1, 2]


def test_a_file_of_the_user_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAXLAB_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(problems, "ELECTRIC_SHAPE", (64, 4, 3))
    stand_in = problems.load("sub_electric")
    assert stand_in.points.shape == (64, 4)
    assert problems.TITLES[stand_in.name] == "blobs in place of subElectric"
    (tmp_path / "data" / "kcenter").mkdir(parents=True)
    x, y = np.array([[0.5, 0.25], [1.0, 0.0]]), np.array([1, 0])
    np.savez(tmp_path / "data" / "kcenter" / "subElectric.npz", x=x, y=y)
    name, points, groups = problems.load("sub_electric")
    assert name == "sub_electric"
    np.testing.assert_array_equal(points, x)
    np.testing.assert_array_equal(groups, y)
