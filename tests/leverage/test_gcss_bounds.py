"""The bounds of column selection where singular vectors are left out, lost, or little is left."""

import jax.numpy as jnp
import numpy as np
import pytest

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


def test_bounds_hold_of_many_columns_that_are_nearly_parallel():
    a = np.zeros((100, 400), np.float32)
    a[0], a[1, 1] = 1, 3e-5
    b = np.eye(100, dtype=np.float32)[:, 1:2]
    found = gcss(*put(a, b), c=2, method="greedy")
    assert 1 in found.columns.tolist()
    exact = targets.residual(a.astype(float), b.astype(float), found.columns.tolist())
    assert found.lower_bound <= exact + 1e-2


def test_a_decomposition_of_another_precision(x64):
    a = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    known = svd(jnp.asarray(a, jnp.float64))
    for decomposition in (known, None):
        found = gcss(*put(a, a[:, 2:]), c=2, method="greedy", decomposition=decomposition)
        assert found.columns.tolist() in ([2, 3], [3, 2])
        assert found.lower_bound <= 1e-5


@pytest.mark.parametrize("exponent", [-3, -4, -5, -6, -7])
def test_bounds_hold_of_short_columns(exponent):
    """All of the target lies along the shortest column, of a length that falls to rounding."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        a = (rng.normal(size=(60, 4)) * [1, 1, 1, 10.0**exponent]).astype(np.float32)
        b = a[:, 3:] * np.float32(10.0**-exponent)
        found = gcss(*put(a, b), c=1, method="greedy")
        assert found.columns.tolist() == [3]
        assert found.lower_bound <= 1e-4 * np.linalg.norm(b)
        scores = gcss(*put(a, b), c=1, subset=(2,))
        exact = targets.residual(a.astype(float), b.astype(float), scores.columns.tolist())
        assert scores.lower_bound <= exact <= scores.certificate


def test_lower_bound_where_little_is_left_in_float32():
    a = np.random.default_rng(7).normal(size=(60, 8)).astype(np.float32) * 3.0 ** -np.arange(8)
    a = a.astype(np.float32)
    s = np.linalg.svd(a.astype(float), compute_uv=False)
    for c in (3, 6, 7, 8):
        found = cssp(*put(a), c=c, method="greedy")
        best = np.linalg.norm(s[c:])
        assert best - 1e-5 * s[0] <= found.lower_bound <= best
