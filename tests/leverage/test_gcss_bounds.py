"""The bounds of column selection where singular vectors are left out, lost, or little is left."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

from jaxlab.leverage import cssp, gcss, svd
from tests.leverage import targets
from tests.leverage.targets import put

C = 3


@pytest.mark.parametrize("outside", [0, 1e-4, 0.3])
def test_bounds_hold_in_float32(outside):
    """Nothing of the target, a ten-thousandth or a third lies outside of the span of A."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        a = rng.normal(size=(60, 8)).astype(np.float32)
        beyond = rng.normal(size=(60, 3))
        beyond -= targets.basis(a) @ (targets.basis(a).T @ beyond)
        inside = a[:, :C] @ rng.normal(size=(C, 3))
        b = (inside + outside * beyond).astype(np.float32)
        size = np.linalg.norm(b)
        for options in ({"c": C, "method": "greedy"}, {"c": 8, "k": 8}):
            found = gcss(*put(a, b), **options)
            exact = targets.residual(*(x.astype(float) for x in (a, b)), found.columns.tolist())
            np.testing.assert_allclose(found.residual, exact, atol=1e-6 * size)
            assert found.lower_bound <= min(exact, found.residual)
            assert found.certificate >= max(exact, found.residual)
            # all columns leave what is outside, and so say both bounds
            if options["c"] == 8:
                assert found.certificate <= exact + 1e-5 * size
                assert found.lower_bound >= exact - 1e-5 * size


@pytest.mark.parametrize("rank", [3, 6])
def test_bounds_hold_of_a_truncated_decomposition(rank, x64):
    """What is left out is bounded by the last singular value that is known."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        a = rng.normal(size=(30, 10)) * 10 ** rng.uniform(-1, 1, 10)
        b = rng.normal(size=(30, 3)) + a @ rng.normal(size=(10, 3))
        a, b = put(a, b)
        found = gcss(a, b, c=C, decomposition=svd(a, rank=rank))
        whole = gcss(a, b, c=C, subset=found.subset)
        assert found.columns.tolist() == whole.columns.tolist()
        size = np.linalg.norm(b)
        exact = targets.residual(np.asarray(a), np.asarray(b), found.columns.tolist())
        assert found.lower_bound <= exact + 1e-9 * size
        assert exact <= found.certificate + 1e-9 * size
        assert found.lower_bound <= whole.lower_bound + 1e-9 * size
        assert found.certificate >= whole.certificate - 1e-9 * size


#: in float32, four columns of so many rows have rank 2
LOST = (20_000, [1, 1.4e-4, 2.1e-5, 7e-6])


@pytest.mark.parametrize("sine", [0.1, 0.5**0.5])
def test_bounds_hold_where_directions_are_lost_in_single_precision(sine):
    a, frame = (x.astype(np.float32) for x in targets.lost_directions(*LOST, sine))
    assert svd(jnp.asarray(a)).rank == 2

    def left(target, found):
        exact = targets.residual(a.astype(float), target.astype(float), found.columns.tolist())
        np.testing.assert_allclose(found.residual, exact, atol=1e-5)
        assert found.lower_bound - 1e-5 <= exact <= found.certificate + 1e-5
        return exact

    # the last column is one of the lost directions, and the whole target
    for method in ("greedy", "leverage"):
        left(frame[:, 3:], gcss(*put(a, frame[:, 3:]), c=1, method=method))
    greedy = gcss(*put(a, frame[:, 3:]), c=1, method="greedy")
    assert greedy.columns.tolist() == [3]
    assert greedy.residual < 1e-5
    # the columns chosen are tilted towards the other
    for known in (None, svd(jnp.asarray(a))):
        found = gcss(*put(a, frame[:, :2]), c=2, subset=(0, 1), decomposition=known)
        tilt = np.sin(np.arctan(0.15 * np.tan(np.arcsin(sine))))
        np.testing.assert_allclose(left(frame[:, :2], found), tilt, rtol=1e-3)
        assert found.certificate < 4 * tilt
    # what is outside of the span is left by any columns, with one twice in it too
    beyond = np.random.default_rng(1).normal(size=len(a)).astype(np.float32)[:, None]
    found = gcss(*put(a[:, [0, 1, 1]], beyond), c=2, subset=(0,))
    assert found.lower_bound > 0.99 * left(beyond, found)


@pytest.mark.parametrize("wide", [False, True])
def test_what_no_column_reaches_is_left_of_matrices_of_lower_rank(wide):
    a = np.diag([3.0, 2.0, 0.0]).astype(np.float32)
    if wide:
        a = np.concatenate([a, a[:, :2], 0 * a], axis=1)
    b = np.eye(3, dtype=np.float32)[:, 2:]
    for c in (1, 2):
        found = gcss(*put(a, b), c=c, subset=(0,))
        np.testing.assert_allclose([found.lower_bound, found.residual], 1, atol=1e-5)


def test_what_no_column_reaches_is_left_where_one_is_there_twice():
    frame = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0].astype(np.float32)
    a = frame[:, :2] @ np.array([[1.0, 1.0, 1.0], [0.0, 2.0, 2.0]], np.float32)
    found = gcss(*put(a, frame[:, 2:]), c=3, subset=(0,))
    np.testing.assert_allclose([found.lower_bound, found.residual], 3**0.5, atol=1e-5)


@pytest.mark.parametrize(("n", "short"), [(400, 3e-5), (2000, 1.8e-5)])
def test_bounds_hold_of_many_columns_that_are_nearly_parallel(n, short):
    """The target lies along what is left of the last column, short of one of ``√n`` others."""
    a = np.zeros((100, n), np.float32)
    a[0], a[1, -1] = 1, short
    b = np.eye(100, dtype=np.float32)[:, 1:2]
    greedy = gcss(*put(a, b), c=2, method="greedy")
    assert n - 1 in greedy.columns.tolist()
    assert targets.residual(a.astype(float), b.astype(float), greedy.columns.tolist()) < 1e-5
    others = gcss(*put(a, b), c=2, subset=(0,))
    assert others.residual == 1
    assert others.lower_bound <= 1e-2


def test_the_lower_bound_along_the_difference_of_two_nearly_parallel_columns():
    """A has full rank, and its singular vectors are known to ``eps σ_0 / σ``."""
    eps = np.finfo(np.float32).eps
    for seed in range(4):
        rng = np.random.default_rng(seed)
        a, apart = rng.normal(size=(30, 5)).astype(np.float32), rng.normal(size=30)
        a[:, 1] = a[:, 0] * (1 + 200 * eps * apart)
        b = a[:, 1:2] - a[:, :1]
        b /= np.linalg.norm(b)
        s = np.linalg.svd(a.astype(float), compute_uv=False)
        assert targets.residual(a.astype(float), b.astype(float), [0, 1]) < 1e-6
        for c in (2, 5):
            found = gcss(*put(a, b), c=c)
            assert found.lower_bound <= min(eps * s[0] / s[-1], found.residual)


def test_bounds_hold_where_columns_reach_further_together_than_each_of_them():
    """Of the corners of a simplex, the same share of each, as little as it is, is all that is left.

    They add up to nothing but that, which is ``√c`` times as much in a basis of their span.
    """
    c, eps = 5, np.finfo(np.float32).eps
    corners = np.eye(c) - 1 / c
    a = np.zeros((100, 2000), np.float32)
    a[:c] = np.tile(corners / np.linalg.norm(corners, axis=0), 400)
    a[c, -c:] = 45 * eps
    b = np.eye(100, dtype=np.float32)[:, c : c + 1]
    best = list(range(2000 - c, 2000))
    assert targets.residual(a.astype(float), b.astype(float), best) < 1e-2
    found = gcss(*put(a, b), c=c)
    assert found.residual == 1
    assert found.lower_bound <= 1e-2


@pytest.mark.parametrize("double", [False, True])
def test_the_lower_bound_of_matrices_of_lower_rank(double):
    """Constant columns, sums of others, or few factors change nothing of what any columns leave."""
    with jax.enable_x64(double):
        dtype = float if double else np.float32
        pixels, labels = load_digits(return_X_y=True)
        varying = np.ptp(pixels, axis=0) > 0
        assert np.sum(~varying) == 3
        pixels = (pixels - pixels.mean(axis=0)).astype(dtype)
        ten = np.eye(10)[labels]
        for b, known in (((labels > 4)[:, None], 0.6071), (ten, 0.7480)):
            b = (b - b.mean(axis=0)).astype(dtype)
            bounds = [gcss(*put(a, b), c=5).lower_bound for a in (pixels, pixels[:, varying])]
            np.testing.assert_allclose(bounds / np.linalg.norm(b), known, atol=1e-4)
        rng = np.random.default_rng(0)
        full = rng.normal(size=(300, 40)).astype(dtype)
        summed = np.concatenate([full[:, :39], full[:, :1] + full[:, 1:2]], axis=1)
        factors = rng.normal(size=(300, 20)) @ rng.normal(size=(20, 60))
        for a in (full * (np.arange(40) != 3), summed, factors.astype(dtype)):
            b = rng.normal(size=(300, 2)).astype(dtype)
            u, s, _ = np.linalg.svd(a.astype(float), full_matrices=False)
            q = u[:, s > 1e-4 * s[0]]
            outside = np.linalg.norm(b - q @ (q.T @ b))
            np.testing.assert_allclose(gcss(*put(a, b), c=3).lower_bound, outside, rtol=1e-4)


def test_a_decomposition_of_another_precision(x64):
    a = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    known = svd(jnp.asarray(a, jnp.float64))
    for decomposition in (known, None):
        found = gcss(*put(a, a[:, 2:]), c=2, method="greedy", decomposition=decomposition)
        assert found.columns.tolist() in ([2, 3], [3, 2])
        others = gcss(*put(a, a[:, 2:]), c=2, subset=(2,), decomposition=decomposition)
        assert others.residual > 0.1
        assert others.lower_bound <= 1e-5


@pytest.mark.parametrize("exponent", [-3, -4, -5, -6, -7, -25])
def test_bounds_hold_of_short_columns(exponent):
    """All of the target lies along the shortest column, of a length that falls below rounding."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        a = (rng.normal(size=(60, 4)) * [1, 1, 1, 10.0**exponent]).astype(np.float32)
        b = a[:, 3:] * np.float32(10.0**-exponent)
        found = gcss(*put(a, b), c=1, method="greedy")
        assert found.columns.tolist() == [3]
        assert found.lower_bound <= 1e-4 * np.linalg.norm(b)
        scores = gcss(*put(a, b), c=1, subset=(2,))
        exact = targets.residual(a.astype(float), b.astype(float), scores.columns.tolist())
        assert scores.columns.tolist() != [3]
        assert scores.lower_bound <= 1e-4 * np.linalg.norm(b)
        assert exact <= scores.certificate


def test_lower_bound_where_little_is_left_in_float32():
    a = np.random.default_rng(7).normal(size=(60, 8)).astype(np.float32) * 3.0 ** -np.arange(8)
    a = a.astype(np.float32)
    s = np.linalg.svd(a.astype(float), compute_uv=False)
    for c in (3, 6, 7, 8):
        found = cssp(*put(a), c=c, method="greedy")
        best = np.linalg.norm(s[c:])
        assert best - 1e-5 * s[0] <= found.lower_bound <= best
