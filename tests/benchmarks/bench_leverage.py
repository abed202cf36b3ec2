"""jaxlab.leverage against numpy, scipy, scikit-learn, scikit-matter and cca-zoo.

Matrices are random with singular values that fall like 1 / √j; targets are combinations of columns
with noise. What is compared does the same work unless the implementation's name says otherwise;
answers are checked where both must give the same.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from jaxlab import leverage
from jaxlab.experiments.leverage.scaling import decaying
from jaxlab.experiments.leverage.sharding import scores_of_gram
from tests.benchmarks.timing import time_jaxlab, time_peer

SUBSET = tuple(range(10, 20))

SCORES = {"group": "leverage/scores", "workload": "100,000 x 256, float64"}
ONE_PASS = {"group": "leverage/scores in one pass", "workload": "1,000,000 x 256, float32"}
COLUMNS = {"group": "leverage/20 columns", "workload": "100,000 x 784, float32, k=20"}
GREEDY = {"group": "leverage/greedy", "workload": "60,000 x 784, 10 targets, c=40, float32"}
PIVOTS = {"group": "leverage/pivoted QR", "workload": "10,000 x 784, 20 pivots, float32"}
ANGLES = {"group": "leverage/principal angles", "workload": "100,000 x 20 and 20, float32"}
CCA_VIEWS = {"group": "leverage/CCA", "workload": "4,000 x 40 and 40, one pair, float64"}
SPARSE = {
    "group": "leverage/sparse CCA",
    "workload": "4,000 x 392 and 392, 10 columns of each, float32",
}

matrix = functools.cache(decaying)


@functools.cache
def target(m, n, p):
    a = matrix(m, n, 0)
    rng = np.random.default_rng(1)
    b = a @ rng.standard_normal((n, p), dtype=np.float32)
    return b + 0.3 * b.std() * rng.standard_normal((m, p), dtype=np.float32)


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


def scores(a):
    return scores_of_gram(leverage.gram(a), SUBSET)


class TestScores:
    def test_jaxlab(self, benchmark, x64):
        a = decaying(100_000, 256, 0, np.float64)
        found = time_jaxlab(benchmark, scores, jnp.asarray(a), **SCORES)
        _, _, vt = np.linalg.svd(np.linalg.qr(a, mode="r"))
        expected = (vt[list(SUBSET)] ** 2).sum(axis=0)
        np.testing.assert_allclose(found, expected, atol=1e-8)

    def test_numpy(self, benchmark):
        a = decaying(100_000, 256, 0, np.float64)
        time_peer(
            benchmark,
            lambda: (np.linalg.svd(a, full_matrices=False)[2][list(SUBSET)] ** 2).sum(axis=0),
            implementation="numpy svd",
            package="numpy",
            target=1 / 3,
            rounds=5,
            **SCORES,
        )

    def test_scipy(self, benchmark):
        a = decaying(100_000, 256, 0, np.float64)
        time_peer(
            benchmark,
            lambda: scipy.linalg.svd(scipy.linalg.qr(a, mode="r")[0][:256]),
            implementation="scipy svd of QR's R",
            package="scipy",
            rounds=5,
            **SCORES,
        )


class TestOnePass:
    def test_jaxlab(self, benchmark):
        time_jaxlab(benchmark, scores, jnp.asarray(decaying(1_000_000, 256, 0)), **ONE_PASS)

    def test_gram(self, benchmark):
        time_jaxlab(
            benchmark,
            leverage.gram,
            jnp.asarray(decaying(1_000_000, 256, 0)),
            implementation="its Gram matrix alone",
            target=1.3,
            **ONE_PASS,
        )

    def test_numpy(self, benchmark):
        a = decaying(1_000_000, 256, 0)
        time_peer(
            benchmark,
            lambda: a.T @ a,
            implementation="numpy, Gram matrix alone",
            package="numpy",
            **ONE_PASS,
        )


class TestTwentyColumns:
    def test_jaxlab(self, benchmark):
        def select(a):
            decomposition = leverage.svd(
                a, method="randomized", rank=20, key=jax.random.key(0), power_iters=2
            )
            return leverage.select_columns(leverage.leverage_scores(decomposition, 20), c=20)

        found = time_jaxlab(benchmark, select, jnp.asarray(matrix(100_000, 784, 0)), **COLUMNS)
        # leading vectors of a spectrum that falls slowly are found roughly, and so are their scores
        _, vectors = np.linalg.eigh(matrix(100_000, 784, 0).T @ matrix(100_000, 784, 0))
        exact = (vectors[:, -20:] ** 2).sum(axis=1)
        assert exact[np.asarray(found.indices)].sum() > 0.9 * np.sort(exact)[-20:].sum()

    def test_sklearn(self, benchmark):
        from sklearn.utils.extmath import randomized_svd

        a = matrix(100_000, 784, 0)

        def select():
            _, _, vt = randomized_svd(a, 20, n_iter=2, random_state=0)
            return np.argsort(-(vt**2).sum(axis=0))[:20]

        time_peer(
            benchmark,
            select,
            implementation="sklearn randomized_svd",
            package="scikit-learn",
            target=1.0,
            **COLUMNS,
        )

    def test_skmatter(self, benchmark):
        selection = pytest.importorskip("skmatter.feature_selection")
        a = matrix(100_000, 784, 0)
        time_peer(
            benchmark,
            lambda: selection.CUR(n_to_select=20, k=20, recompute_every=0).fit(a).selected_idx_,
            implementation="skmatter CUR, scores once",
            package="skmatter",
            target=0.5,
            rounds=5,
            **COLUMNS,
        )


def residual_greedy(a, b, c):
    """Farahat's greedy selection with the residual itself."""
    e, columns = a.copy(), []
    for _ in range(c):
        gain = ((b.T @ e) ** 2).sum(axis=0)
        norms = (e**2).sum(axis=0)
        fair = np.where(norms > 1e-6 * norms.max(), gain / np.maximum(norms, 1e-30), -1)
        fair[columns] = -1
        columns.append(int(fair.argmax()))
        unit = e[:, columns[-1]] / np.linalg.norm(e[:, columns[-1]])
        e -= np.outer(unit, unit @ e)
    return columns


class TestGreedy:
    def test_jaxlab(self, benchmark):
        a, b = matrix(60_000, 784, 0), target(60_000, 784, 10)
        found = time_jaxlab(
            benchmark,
            lambda a, b: leverage.greedy_gcss(a, b, c=40),
            jnp.asarray(a),
            jnp.asarray(b),
            **GREEDY,
        )
        assert found.columns[:5].tolist() == residual_greedy(a, b, 5)

    def test_numpy(self, benchmark):
        a, b = matrix(60_000, 784, 0), target(60_000, 784, 10)
        time_peer(
            benchmark,
            lambda: residual_greedy(a, b, 40),
            implementation="numpy, residual form",
            package="numpy",
            target=0.2,
            rounds=5,
            **GREEDY,
        )

    def test_skmatter(self, benchmark):
        selection = pytest.importorskip("skmatter.feature_selection")
        a, b = matrix(60_000, 784, 0), target(60_000, 784, 10)
        time_peer(
            benchmark,
            lambda: selection.PCovCUR(mixing=0.01, n_to_select=40, recompute_every=0).fit(a, b),
            implementation="skmatter PCovCUR, scores once",
            package="skmatter",
            rounds=5,
            **GREEDY,
        )


class TestPivotedQr:
    def test_jaxlab(self, benchmark):
        a = matrix(10_000, 784, 0)
        found = time_jaxlab(
            benchmark, lambda a: leverage.pivoted_qr(a, 20), jnp.asarray(a), **PIVOTS
        )
        expected = scipy.linalg.qr(a, mode="r", pivoting=True)[1][:20]
        assert np.mean(np.asarray(found[2]) == expected) == 1

    def test_scipy(self, benchmark):
        a = matrix(10_000, 784, 0)
        time_peer(
            benchmark,
            lambda: scipy.linalg.qr(a, mode="r", pivoting=True),
            implementation="scipy, all pivots",
            package="scipy",
            rounds=5,
            **PIVOTS,
        )

    def test_interpolative(self, benchmark):
        from scipy.linalg import interpolative

        a = matrix(10_000, 784, 0).astype(np.float64)
        time_peer(
            benchmark,
            lambda: interpolative.interp_decomp(a, 20, rand=True, rng=np.random.default_rng(0)),
            implementation="scipy interpolative, randomized, float64",
            package="scipy",
            rounds=5,
            **PIVOTS,
        )


class TestAngles:
    def test_jaxlab(self, benchmark):
        x, y = matrix(100_000, 40, 0)[:, :20], matrix(100_000, 40, 0)[:, 20:]
        found = time_jaxlab(
            benchmark, leverage.principal_angles, jnp.asarray(x), jnp.asarray(y), **ANGLES
        )
        np.testing.assert_allclose(found, scipy.linalg.subspace_angles(x, y)[::-1], atol=1e-4)

    def test_scipy(self, benchmark):
        x, y = matrix(100_000, 40, 0)[:, :20], matrix(100_000, 40, 0)[:, 20:]
        time_peer(
            benchmark,
            lambda: scipy.linalg.subspace_angles(x, y),
            implementation="scipy subspace_angles",
            package="scipy",
            **ANGLES,
        )


class TestCca:
    @pytest.fixture
    def views(self):
        a = decaying(4000, 80, 0, np.float64)
        return a[:, :40], a[:, 40:]

    def test_jaxlab(self, benchmark, views, x64):
        found = time_jaxlab(
            benchmark,
            lambda a, b: leverage.cca(a, b, q=1).correlations,
            *map(jnp.asarray, views),
            **CCA_VIEWS,
        )
        bases = [np.linalg.qr(view - view.mean(axis=0))[0] for view in views]
        np.testing.assert_allclose(found[0], np.linalg.norm(bases[0].T @ bases[1], 2), rtol=1e-9)

    def test_sklearn(self, benchmark, views):
        from sklearn.cross_decomposition import CCA

        time_peer(
            benchmark,
            lambda: CCA(n_components=1, max_iter=5000).fit(*views),
            implementation="sklearn CCA",
            package="scikit-learn",
            **CCA_VIEWS,
        )

    def test_ccazoo(self, benchmark, views):
        linear = pytest.importorskip("cca_zoo.linear")
        time_peer(
            benchmark,
            lambda: linear.CCA().fit(list(views)),
            implementation="cca-zoo CCA",
            package="cca-zoo",
            **CCA_VIEWS,
        )


class TestSparseCca:
    @pytest.fixture
    def views(self):
        a = matrix(4000, 784, 0)
        return a[:, :392], a[:, 392:]

    def test_jaxlab(self, benchmark, views):
        found = time_jaxlab(
            benchmark,
            lambda a, b: leverage.sparse_cca(a, b, ca=10, cb=10, method="subspace", rtol=0.05),
            *map(jnp.asarray, views),
            **SPARSE,
        )
        bases = [
            np.linalg.qr((view - view.mean(axis=0))[:, columns].astype(np.float64))[0]
            for view, columns in zip(views, (found.columns_a, found.columns_b), strict=True)
        ]
        expected = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
        np.testing.assert_allclose(found.correlations, expected, atol=1e-4)

    def test_our_pmd(self, benchmark, views):
        time_jaxlab(
            benchmark,
            lambda a, b: leverage.pmd_sparse_cca(a, b, 4.0, 4.0),
            *map(jnp.asarray, views),
            implementation="our PMD, one bound",
            **SPARSE,
        )

    def test_pmd(self, benchmark, views):
        sparse = pytest.importorskip("cca_zoo.sparse")
        time_peer(
            benchmark,
            lambda: sparse.PMDCCA(l1_bound=0.2, max_iter=100).fit(list(views)),
            implementation="cca-zoo PMDCCA, one bound",
            package="cca-zoo",
            rounds=5,
            **SPARSE,
        )

    def test_span(self, benchmark, views):
        sparse = pytest.importorskip("cca_zoo.sparse")
        time_peer(
            benchmark,
            lambda: sparse.SpanCCA(span=10, max_iter=100).fit(list(views)),
            implementation="cca-zoo SpanCCA",
            package="cca-zoo",
            rounds=5,
            **SPARSE,
        )
