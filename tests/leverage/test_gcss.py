"""Column selection for a target: every method, its bounds, known residuals."""

import typing

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from jaxlab.leverage import cssp, gcss, greedy_gcss, svd
from jaxlab.leverage.types import GcssMethod
from tests.leverage import targets
from tests.leverage.targets import put

C, K = 3, 2
CHEAP = ("leverage", "sampling", "weighted", "qdeim", "greedy", "pivoted_qr")


def select(a, b, method, **options):
    return gcss(*put(a, b), c=C, k=K, method=method, key=jax.random.key(0), **options)


@hypothesis.given(st.integers(0, 10**6), st.sampled_from(typing.get_args(GcssMethod)))
def test_the_residual_is_between_its_bounds(seed, method):
    with jax.enable_x64(True):
        rng = np.random.default_rng(seed)
        a, b = targets.random_pair(rng)
        found = select(a, b, method)
        columns, size = found.columns.tolist(), np.linalg.norm(b)
        assert len(set(columns)) == C
        exact = targets.residual(a, b, columns)
        np.testing.assert_allclose(found.residual, exact, atol=1e-7 * size)
        np.testing.assert_allclose(found.residual_fraction, (exact / size) ** 2, atol=1e-9)
        assert exact <= found.certificate + 1e-6 * size
        assert found.lower_bound <= found.residual
        best = targets.residual(a, b, targets.best(a, b, C))
        assert found.lower_bound <= best + 1e-6 * size
        vt = np.linalg.svd(a)[2]
        scores = (vt[found.subset] ** 2).sum(axis=0)
        rank = np.linalg.matrix_rank(a)
        if np.all(found.subset < rank):
            np.testing.assert_allclose(found.deficit, K - scores[columns].sum(), atol=1e-8)


def test_scale_changes_nothing():
    rng = np.random.default_rng(8)
    a, b = (rng.normal(size=(30, n)).astype(np.float32) for n in (8, 3))
    for method in ("greedy", "hybrid", "weighted"):
        known = gcss(*put(a, b), c=C, method=method)
        for of_a, of_b in ((1e20, 1e20), (1e-21, 1e-21), (1e20, 1e-21)):
            found = gcss(*put(a * np.float32(of_a), b * np.float32(of_b)), c=C, method=method)
            assert found.columns.tolist() == known.columns.tolist()
            for name in ("residual", "certificate", "lower_bound"):
                expected = of_b * float(getattr(known, name))
                assert float(getattr(found, name)) == pytest.approx(expected, rel=1e-4)
            np.testing.assert_allclose(found.residual_fraction, known.residual_fraction, rtol=1e-4)


@pytest.mark.parametrize("columns", [np.eye(8)[:, :4], scipy.linalg.hadamard(8)[:, :4]])
def test_the_residual_is_differentiable_where_singular_values_are_equal(x64, columns):
    a, b = put(columns.astype(float), np.random.default_rng(0).normal(size=(8, 2)))
    options = {"c": 3, "subset": (0, 1, 2)}
    chosen = gcss(a, b, **options).columns

    def expected(a):
        c = a[:, chosen]
        return jnp.linalg.norm(b - c @ (jnp.linalg.pinv(c) @ b))

    slope = jax.jit(jax.grad(lambda a: gcss(a, b, **options).residual))(a)
    np.testing.assert_allclose(slope, jax.jit(jax.grad(expected))(a), atol=1e-9)


def test_a_search_that_is_cut_off_says_so(x64):
    a, b = targets.random_pair(np.random.default_rng(5))
    whole = select(a, b, "local_search")
    assert whole.converged
    assert whole.columns.tolist() != select(a, b, "greedy").columns.tolist()
    assert not select(a, b, "local_search", rounds=1).converged


def test_traced_indices_that_name_no_vector_count_for_nothing(x64):
    a, b = put(*(np.random.default_rng(9).normal(size=(14, n)) for n in (8, 3)))
    decomposition = svd(a)

    @jax.jit
    def of(subset):
        return gcss(a, b, c=C, subset=subset, decomposition=decomposition)

    expected = gcss(a, b, c=C, subset=(2,), decomposition=decomposition)
    for none in (-1, 99):
        found = of(jnp.array([2, none]))
        assert found.columns.tolist() == expected.columns.tolist()
        for name in ("deficit", "certificate"):
            np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-9)


def test_the_subset_carries_most_and_scores_order_columns(x64):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(14, 8)), rng.normal(size=(14, 3))
    u, _, vt = np.linalg.svd(a, full_matrices=False)
    subset = np.argsort(-np.linalg.norm(u.T @ b, axis=1))[:K]
    found = select(a, b, "leverage")
    assert found.subset.tolist() == subset.tolist()
    assert found.columns.tolist() == np.argsort(-(vt[subset] ** 2).sum(axis=0))[:C].tolist()
    leading = select(a, b, "leverage", subset=range(K))
    assert leading.subset.tolist() == [0, 1]
    assert leading.columns.tolist() == np.argsort(-(vt[:K] ** 2).sum(axis=0))[:C].tolist()


@pytest.mark.parametrize(
    ("name", "k", "generalized", "leading", "pivoted"),
    [
        ("wine", 2, {2: 0.3615, 3: 0.3471}, {2: 0.6241, 3: 0.5894}, {2: 0.6241, 3: 0.5894}),
        ("wine", 3, {5: 0.2327}, {5: 0.3011}, {5: 0.3011}),
        (
            "breast_cancer",
            2,
            {2: 0.3646, 3: 0.3338},
            {2: 0.4612, 3: 0.3800},
            {2: 0.4612, 3: 0.4541},
        ),
    ],
)
def test_known_residuals(x64, name, k, generalized, leading, pivoted):
    a, b = targets.data(name)
    found = gcss(*put(a, b), c=max(generalized), k=k)
    if k == 2:
        assert sorted(found.subset.tolist()) == [0, 3]
        assert found.columns[:2].tolist() == {"wine": [12, 9], "breast_cancer": [23, 22]}[name]
    scores = (np.linalg.svd(a, full_matrices=False)[2][:k] ** 2).sum(axis=0)
    for expected, columns in (
        (generalized, found.columns),
        (leading, np.argsort(-scores)),
        (pivoted, pivots(a, 5)),
    ):
        for c, fraction in expected.items():
            left = targets.residual(a, b, columns[:c]) ** 2 / (b**2).sum()
            np.testing.assert_allclose(left, fraction, atol=5.1e-5)
    np.testing.assert_allclose(found.residual_fraction, generalized[max(generalized)], atol=5.1e-5)


@pytest.mark.parametrize(
    ("name", "columns", "fractions"),
    [
        ("wine", [12, 9, 6], {2: 0.3615, 3: 0.2480, 5: 0.1934}),
        ("breast_cancer", [27, 20, 21], {2: 0.3098, 3: 0.2866}),
    ],
)
def test_known_greedy_choices(x64, name, columns, fractions):
    a, b = targets.data(name)
    found = greedy_gcss(*put(a, b), c=5)
    assert found.columns[:3].tolist() == columns
    for c, fraction in fractions.items():
        np.testing.assert_allclose(1 - found.captured[c - 1] / (b**2).sum(), fraction, atol=5.1e-5)


def pivots(a, c):
    return scipy.linalg.qr(a, pivoting=True, mode="r")[1][:c]


def test_methods_agree_where_they_must(x64):
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(14, 8)), rng.normal(size=(14, 3))
    greedy = select(a, b, "greedy")
    assert greedy.columns.tolist() == targets.greedy(a, b, C)
    # with all columns for candidates, hybrid is greedy
    assert select(a, b, "hybrid").columns.tolist() == greedy.columns.tolist()
    assert select(a, b, "pivoted_qr").columns.tolist() == pivots(a, C).tolist()
    searched = select(a, b, "local_search")
    assert searched.residual <= greedy.residual
    assert searched.residual >= targets.residual(a, b, targets.best(a, b, C)) - 1e-12
    _, _, vt = np.linalg.svd(a, full_matrices=False)
    first = pivots(vt[np.asarray(greedy.subset)], K).tolist()
    assert select(a, b, "qdeim").columns[:K].tolist() == first


def test_weights_are_of_ridge_regression(x64):
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(14, 8)), rng.normal(size=(14, 3))
    lam = 1e-4 * np.linalg.norm(a, 2) ** 2
    x = np.linalg.solve(a.T @ a + lam * np.eye(8), a.T @ b)
    weights = np.linalg.norm(a, axis=0) * np.linalg.norm(x, axis=1)
    assert select(a, b, "weighted").columns.tolist() == np.argsort(-weights)[:C].tolist()


def test_sampling_is_fixed_by_the_key(x64):
    a, b = put(*targets.random_pair(np.random.default_rng(3)))
    decomposition = svd(a)

    def draw(key):
        return gcss(a, b, c=C, k=K, method="sampling", key=key, decomposition=decomposition)

    keys = jax.random.split(jax.random.key(1), 40)
    drawn = jax.vmap(draw)(keys)
    assert drawn.columns[3].tolist() == draw(keys[3]).columns.tolist()
    assert len({tuple(row) for row in drawn.columns.tolist()}) > 5
    assert all(len(set(row)) == C for row in drawn.columns.tolist())


def test_edges(x64):
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(14, 8)), rng.normal(size=(14, 3))
    for method in CHEAP:
        nothing = select(0 * a, b, method)
        assert nothing.columns.tolist() == [0, 1, 2]
        np.testing.assert_allclose(nothing.residual_fraction, 1)
        np.testing.assert_allclose(nothing.certificate, nothing.residual)
        empty = select(a, 0 * b, method)
        assert (empty.residual_fraction, empty.residual, empty.certificate) == (0, 0, 0)


@pytest.mark.parametrize("shape", [(1, 6), (6, 1)])
def test_a_row_or_a_column(shape):
    a = np.random.default_rng(5).normal(size=shape).astype(np.float32)
    n = shape[1]
    for method in ("leverage", "greedy"):
        found = gcss(*put(a, a), c=n, method=method)
        assert sorted(found.columns.tolist()) == list(range(n))
        np.testing.assert_allclose(found.residual, 0, atol=1e-5)


def test_short_columns_of_a_long_matrix_are_chosen():
    a = (np.random.default_rng(9).normal(size=(100_000, 2)) * [1, 0.01]).astype(np.float32)
    for method in ("leverage", "weighted", "qdeim"):
        found = gcss(*put(a, a[:, 1:]), c=1, method=method)
        assert found.columns.tolist() == [1]
        assert found.residual_fraction < 1e-9


def test_column_subset_selection(x64):
    a = np.random.default_rng(6).normal(size=(14, 8)) * 10.0 ** -np.arange(8)
    found = cssp(*put(a), c=C, k=K)
    s = np.linalg.svd(a, compute_uv=False)
    assert found.deficit < 1
    assert found.residual**2 <= (s[K:] ** 2).sum() / (1 - found.deficit) * (1 + 1e-9)
    assert sorted(found.subset.tolist()) == [0, 1]
    np.testing.assert_allclose(found.lower_bound, np.linalg.norm(s[C:]), rtol=1e-6)


def test_bad_input(bad_input):
    a = jnp.eye(3)
    with pytest.raises(ValueError, match="unknown method"):
        gcss(a, a, c=1, method="lever")
    with pytest.raises(ValueError, match="number of columns"):
        gcss(a, a, c=4)
    with pytest.raises(ValueError, match="key: expected a PRNG key"):
        gcss(a, a, c=1, method="sampling")
    with pytest.raises(ValueError, match="lam"):
        gcss(a, a, c=1, lam=-1.0)
    with pytest.raises(ValueError, match="same number of rows"):
        gcss(a, a[:2], c=1)
    with pytest.raises(ValueError, match="k: expected at most the number of singular vectors, 3"):
        gcss(a, a, c=1, k=4)
    with pytest.raises(ValueError, match="duplicate"):
        gcss(a, a, c=1, subset=(1, 1))
    for subset, words in (((0, 0), "no duplicate indices"), ((99,), "indices from 0 to 2")):
        with pytest.raises(ValueError, match=f"subset: expected {words}"):
            jax.jit(lambda a, subset=subset: gcss(a, a, c=1, subset=subset))(a)
    with pytest.raises(ValueError, match="exceeds numerical rank"):
        gcss(a.at[2, 2].set(0), a, c=1, subset=(2,))
    with pytest.raises(ValueError, match="decomposition: expected the decomposition of a"):
        gcss(a, a, c=1, decomposition=svd(a[:, :2]))
