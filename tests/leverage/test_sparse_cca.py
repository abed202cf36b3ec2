"""Sparse CCA: known correlations, the bound on angles, exact choices on tiny cases."""

import itertools

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.leverage import sparse_cca
from jaxlab.leverage.sparse_cca import METHODS, alternating_subsets
from tests.leverage import targets
from tests.leverage.targets import put

C, K = 3, 2


def correlations(a, b, columns_a, columns_b):
    """Canonical correlations of columns."""
    qa, qb = targets.basis(a[:, list(columns_a)]), targets.basis(b[:, list(columns_b)])
    return np.linalg.svd(qa.T @ qb, compute_uv=False)


def test_known_correlations_of_wine(x64):
    a, b = targets.wine_views()
    generalized = sparse_cca(*put(a, b), ca=3, cb=3)
    leading = sparse_cca(*put(a, b), ca=3, cb=3, subset_a=range(1), subset_b=range(1))
    assert leading.subset_a.tolist() == [True] + 5 * [False]
    for found, known in (
        (generalized, [0.8646, 0.8654, 0.8764]),
        (leading, [0.3934, 0.5724, 0.7737]),
    ):
        np.testing.assert_allclose(found.correlations[0], known[2], atol=5.1e-5)
        for c in (1, 2):  # fewer columns are the first of these
            first = correlations(a, b, found.columns_a[:c], found.columns_b[:c])[0]
            np.testing.assert_allclose(first, known[c - 1], atol=5.1e-5)


@hypothesis.given(st.integers(0, 10**6), st.sampled_from(METHODS))
def test_angles_are_within_the_bound(seed, method):
    with jax.enable_x64(True):
        a, b = targets.views(np.random.default_rng(seed))
        found = sparse_cca(*put(a, b), ca=C, cb=C, k=K, method=method, rtol=1e-6)
        expected = correlations(a, b, found.columns_a, found.columns_b)
        np.testing.assert_allclose(found.correlations, expected, atol=1e-9)
        assert bool(jnp.all(jnp.arccos(found.correlations) <= found.bound + 1e-6))
        np.testing.assert_allclose(found.bound[K:], np.pi / 2)
        x = a[:, found.columns_a] @ np.asarray(found.loadings_a)
        y = b[:, found.columns_b] @ np.asarray(found.loadings_b)
        np.testing.assert_allclose(x.T @ y, np.diag(expected), atol=1e-8)


def test_the_bound_says_something(x64):
    # all columns but constant ones are chosen: the bound is the canonical angles themselves
    a, b = targets.views(np.random.default_rng(0))
    a[:, 3:], b[:, 3:] = 0, 0
    for method in METHODS:
        found = sparse_cca(*put(a, b), ca=C, cb=C, k=K, method=method, rtol=1e-9)
        assert sorted(found.columns_a.tolist()) == [0, 1, 2]
        assert sorted(found.columns_b.tolist()) == [0, 1, 2]
        assert found.bound[0] < 1.5
    subspace = sparse_cca(*put(a, b), ca=C, cb=C, k=K, method="subspace", rtol=1e-9)
    np.testing.assert_allclose(jnp.cos(subspace.bound[:K]), subspace.correlations[:K], atol=1e-6)


def test_alternation_never_loses_and_finds_the_largest_entry(x64):
    rng = np.random.default_rng(1)
    everything = jnp.ones(6, bool)
    gaps = []
    for _ in range(20):
        product = rng.normal(size=(6, 6))
        (row,), (column,) = alternating(*put(product), everything, everything, 1)
        assert abs(product[row, column]) == abs(product).max()
        rows, columns = alternating(*put(product), everything, everything, 2)
        pairs = list(itertools.combinations(range(6), 2))
        best = max(np.linalg.norm(product[np.ix_(r, c)]) for r in pairs for c in pairs)
        reached = np.linalg.norm(product[np.ix_(rows, columns)])
        gaps.append(reached / best)
        # neither side alone can do better
        for pair in pairs:
            assert np.linalg.norm(product[np.ix_(pair, columns)]) <= reached + 1e-12
            assert np.linalg.norm(product[np.ix_(rows, pair)]) <= reached + 1e-12
    assert np.mean(gaps) > 0.9


alternating = jax.jit(alternating_subsets, static_argnums=3)


def test_forward_is_the_definition(x64):
    a, b = targets.views(np.random.default_rng(2))
    chosen_a, chosen_b = [], []
    first = np.abs(np.corrcoef(a.T, b.T)[:8, 8:]).max(axis=1)
    for t in range(C):
        if t == 0:
            chosen_a.append(int(first.argmax()))
        else:
            rest = [j for j in range(8) if j not in chosen_a]
            score = [correlations(a, b, [*chosen_a, j], chosen_b)[0] for j in rest]
            chosen_a.append(rest[int(np.argmax(score))])
        rest = [j for j in range(8) if j not in chosen_b]
        score = [correlations(a, b, chosen_a, [*chosen_b, j])[0] for j in rest]
        chosen_b.append(rest[int(np.argmax(score))])
    found = sparse_cca(*put(a, b), ca=C, cb=C, k=K, method="forward", rtol=1e-6)
    assert found.columns_a.tolist() == chosen_a
    assert found.columns_b.tolist() == chosen_b


def test_threshold_and_subspace_are_of_the_full_analysis(x64):
    a, b = targets.views(np.random.default_rng(3))
    (ua, sa, va), (ub, sb, vb) = (np.linalg.svd(x, full_matrices=False) for x in (a, b))
    p, _, q = np.linalg.svd(ua.T @ ub)
    for x, weights, side in ((a, va.T / sa @ p[:, :K], "a"), (b, vb.T / sb @ q[:K].T, "b")):
        size = np.linalg.norm(x, axis=0) * np.linalg.norm(weights, axis=1)
        threshold = sparse_cca(*put(a, b), ca=C, cb=C, k=K, method="threshold", rtol=1e-6)
        chosen = getattr(threshold, f"columns_{side}")
        assert chosen.tolist() == np.argsort(-size)[:C].tolist()
        scores = (np.linalg.qr(weights)[0] ** 2).sum(axis=1)
        subspace = sparse_cca(*put(a, b), ca=C, cb=C, k=K, method="subspace", rtol=1e-6)
        chosen = getattr(subspace, f"columns_{side}")
        assert chosen.tolist() == np.argsort(-scores)[:C].tolist()


def test_constant_views(x64):
    a, b = targets.views(np.random.default_rng(4))
    for method in METHODS:
        found = sparse_cca(*put(0 * a, b), ca=C, cb=C, k=K, method=method, rtol=1e-6)
        assert all(bool(jnp.all(jnp.isfinite(field))) for field in found)
        np.testing.assert_allclose(found.correlations, 0, atol=1e-12)
        assert found.columns_a.tolist() == [0, 1, 2]


@pytest.mark.parametrize("method", METHODS)
def test_constant_columns_and_scale_in_float32(method):
    a, b = (x.astype(np.float32) for x in targets.views(np.random.default_rng(7)))
    a[:, 1], b[:, 2] = 0.1, 0.3
    options = {"ca": C, "cb": C, "k": K, "method": method, "rtol": 1e-4}
    found = sparse_cca(*put(a, b), **options)
    assert 1 not in found.columns_a.tolist()
    assert 2 not in found.columns_b.tolist()
    for scale in (1e20, 1e-21):
        other = sparse_cca(*put(a * np.float32(scale), b), **options)
        assert other.columns_a.tolist() == found.columns_a.tolist()
        assert other.columns_b.tolist() == found.columns_b.tolist()


@pytest.mark.parametrize("sine", [0.1, 0.5**0.5])
def test_the_bound_holds_where_directions_are_lost_in_single_precision(sine):
    """In float32 the view has rank 2, and columns are tilted towards the third direction."""
    lost = targets.lost_directions(20_000, [1, 1.4e-4, 2.1e-5, 7e-6], sine)
    a, frame = (x.astype(np.float32) for x in lost)
    subsets = {"subset_a": (0, 1), "subset_b": (0, 1)}
    options = {"ca": 2, "cb": 2, "rtol": 1e-5, "center": False}
    for method in METHODS:
        chosen = {"k": 2} if method == "subspace" else subsets
        found = sparse_cca(*put(a, frame[:, :2]), **options, **chosen, method=method)
        exact = correlations(a.astype(float), frame[:, :2], found.columns_a, found.columns_b)
        angles = np.arccos(np.clip(exact, 0, 1))
        assert np.all(angles <= found.bound + 1e-3)
        if method == "leverage":
            tilt = np.arctan(0.15 * np.tan(np.arcsin(sine)))
            np.testing.assert_allclose(angles[1], tilt, rtol=1e-2)
            assert found.bound[1] < 4 * tilt


def test_traced_indices_that_name_no_vector_count_for_nothing(x64):
    views = put(*targets.views(np.random.default_rng(8)))

    @jax.jit
    def of(subset):  # their number is k
        return sparse_cca(*views, ca=C, cb=C, subset_a=subset, subset_b=subset, rtol=1e-6)

    expected = sparse_cca(*views, ca=C, cb=C, subset_a=(2,), subset_b=(2,), rtol=1e-6)
    for none in (-1, 99):
        found = of(jnp.array([2, none]))
        assert found.columns_a.tolist() == expected.columns_a.tolist()
        assert found.subset_a.tolist() == expected.subset_a.tolist()
        np.testing.assert_allclose(found.bound, expected.bound, atol=1e-9)


def test_without_centring_views_are_taken_as_they_are(x64):
    a, b = targets.views(np.random.default_rng(9))
    a, b = a + 3 * a.std(axis=0), b + np.arange(8) * b.std(axis=0)
    for method in METHODS:
        found = sparse_cca(*put(a, b), ca=C, cb=C, k=K, method=method, rtol=1e-6, center=False)
        left, right = a[:, found.columns_a], b[:, found.columns_b]
        product = targets.basis(left).T @ targets.basis(right)
        exact = np.linalg.svd(product, compute_uv=False)
        np.testing.assert_allclose(found.correlations, exact, atol=1e-9)
        assert np.all(np.arccos(np.clip(exact, 0, 1)) <= found.bound + 1e-6)
        x = left @ np.asarray(found.loadings_a)
        np.testing.assert_allclose(x.T @ x, np.eye(C), atol=1e-9)


def test_stacked_views(x64):
    pairs = [targets.views(np.random.default_rng(seed)) for seed in (5, 6)]
    a, b = (jax.device_put(np.stack(views)) for views in zip(*pairs, strict=True))

    def columns(a, b):
        return sparse_cca(a, b, ca=C, cb=C, k=K, rtol=1e-6).columns_a

    together = jax.vmap(columns)(a, b)
    for i in range(2):
        assert together[i].tolist() == columns(a[i], b[i]).tolist()


def test_bad_input(bad_input):
    a = jnp.ones((4, 3))
    with pytest.raises(ValueError, match="ca: expected a number of columns from 1 to 3"):
        sparse_cca(a, a, ca=4, cb=1)
    with pytest.raises(ValueError, match="unknown method"):
        sparse_cca(a, a, ca=1, cb=1, method="span")
    with pytest.raises(ValueError, match="k: expected at most the number of singular vectors, 3"):
        sparse_cca(a, a, ca=1, cb=1, k=4)
    with pytest.raises(ValueError, match="both or neither"):
        sparse_cca(a, a, ca=1, cb=1, subset_a=(0,))
    for index in (2, 3):  # centred, the identity has rank 2
        with pytest.raises(ValueError, match=r"subset_b: .* exceeds numerical rank"):
            sparse_cca(jnp.eye(3), jnp.eye(3), ca=1, cb=1, subset_a=(0,), subset_b=(index,))
    with pytest.raises(ValueError, match="subset_a: expected no duplicate indices"):
        sparse_cca(a, a, ca=1, cb=1, k=2, subset_a=(0, 0), subset_b=(0, 1))
    for subset, words in (((0, 0), "no duplicate indices"), ((0, 99), "indices from 0 to 2")):
        with pytest.raises(ValueError, match=f"subset_b: expected {words}"):
            jax.jit(
                lambda a, subset=subset: sparse_cca(
                    a, a, ca=1, cb=1, subset_a=(0, 1), subset_b=subset
                )
            )(a)
    with pytest.raises(ValueError, match='None with method="subspace"'):
        sparse_cca(a, a, ca=1, cb=1, method="subspace", subset_a=(0,), subset_b=(0,))
    with pytest.raises(ValueError, match="subset_b: expected k = 1 indices"):
        sparse_cca(a, a, ca=1, cb=1, subset_a=(0,), subset_b=(0, 1))
    with pytest.raises(ValueError, match="rtol"):
        sparse_cca(a, a, ca=1, cb=1, rtol=-1.0)
