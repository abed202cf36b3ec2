"""What moments say is what the data say."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from jaxlab.leverage import (
    Moments,
    gcss,
    gcss_from_moments,
    moments_init,
    moments_update,
    sparse_cca,
    sparse_cca_from_moments,
)
from tests.leverage import targets
from tests.leverage.targets import put


def moments_of(a, b):
    mean = [np.zeros(x.shape[1]) for x in (a, b)]
    return Moments(*put(np.int32(len(a)), *mean, a.T @ a, b.T @ b, a.T @ b))


def agree(found, expected):
    for name, one, other in zip(found._fields, found, expected, strict=True):
        if name.startswith("loadings"):
            one, other = jnp.abs(one), jnp.abs(other)  # signs are free
        np.testing.assert_allclose(one, other, atol=1e-8, rtol=1e-8, err_msg=name)


@pytest.mark.parametrize("method", ["leverage", "hybrid", "sampling"])
def test_selection(x64, method):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(14, 8)), rng.normal(size=(14, 3))
    options = {"c": 3, "k": 2, "method": method, "key": jax.random.key(0)}
    found = gcss_from_moments(moments_of(a, b), **options)
    agree(found, gcss(*put(a, b), **options))


def test_selection_on_wine(x64):
    a, b = targets.data("wine")
    found = gcss_from_moments(moments_of(a, b), c=3, k=2, method="greedy")
    assert found.columns.tolist() == [12, 9, 6]
    np.testing.assert_allclose(found.residual_fraction, 0.2480, atol=5e-5)
    left = targets.residual(a, b, found.columns)
    np.testing.assert_allclose(found.residual, left, rtol=1e-8)
    assert left <= found.certificate


@pytest.mark.parametrize("columns", [np.eye(8)[:, :4], scipy.linalg.hadamard(8)[:, :4]])
def test_the_residual_is_differentiable_where_singular_values_are_equal(x64, columns):
    a, b = columns.astype(float), np.random.default_rng(0).normal(size=(8, 2))
    options = {"c": 3, "subset": (0, 1, 2)}
    known = moments_of(a, b)
    chosen = gcss_from_moments(known, **options).columns

    def found(a):
        moments = known._replace(caa=a.T @ a, cab=a.T @ b)
        return gcss_from_moments(moments, **options).residual

    def expected(a):
        c = a[:, chosen]
        return jnp.linalg.norm(b - c @ (jnp.linalg.pinv(c) @ b))

    slope, exact = (jax.jit(jax.grad(function))(*put(a)) for function in (found, expected))
    np.testing.assert_allclose(slope, exact, atol=1e-9)


@pytest.mark.parametrize("method", ["leverage", "subspace"])
def test_sparse_cca(x64, method):
    a, b = targets.views(np.random.default_rng(0))
    options = {"ca": 3, "cb": 3, "k": 2, "method": method, "rtol": 1e-6}
    agree(sparse_cca_from_moments(moments_of(a, b), **options), sparse_cca(*put(a, b), **options))


@pytest.mark.parametrize("ridge", [0.0, 5.0])
def test_correlations_of_sparse_cca_have_derivatives_in_views_and_ridge(x64, ridge):
    views = targets.views(np.random.default_rng(0))
    options = {"ca": 3, "cb": 2, "rtol": 1e-6}
    rng = np.random.default_rng(1)
    towards = put(*(rng.normal(size=x.shape) * x.std(axis=0) for x in views))

    def moved(t):
        a, b = (x + step * direction for x, step, direction in zip(views, t, towards, strict=True))
        return a - jnp.mean(a, axis=0), b - jnp.mean(b, axis=0)

    def of_data(t):
        return sparse_cca(*moved(t[:2]), ridge=ridge + t[2], **options).correlations

    def of_moments(t):
        a, b = moved(t[:2])
        moments = moments_of(*views)._replace(caa=a.T @ a, cbb=b.T @ b, cab=a.T @ b)
        found = sparse_cca_from_moments(moments, ridge=ridge + t[2], **options)
        loadings = (found.loadings_a.ravel(), found.loadings_b.ravel())
        return jnp.concatenate([found.correlations, *loadings])

    targets.assert_derivative(of_data, 3)
    targets.assert_derivative(of_moments, 3)


@pytest.mark.parametrize("differ", [("caa",), ("cab",), ("cbb",), ("caa", "cab")])
def test_devices_may_share_some_of_the_moments(devices, differ):
    """One target, for instance, with other columns on each device."""
    rng = np.random.default_rng(0)
    target = rng.normal(size=(14, 2))
    each = [moments_of(rng.normal(size=(14, 6)), target) for _ in devices]
    own = {name: jnp.stack([getattr(moments, name) for moments in each]) for name in differ}

    def select(own):
        return gcss_from_moments(each[0]._replace(**own), c=2)

    mesh = jax.sharding.Mesh(np.array(devices), ("devices",))
    over = jax.sharding.PartitionSpec("devices")

    @jax.jit
    @functools.partial(jax.shard_map, mesh=mesh, in_specs=over, out_specs=over)
    def sharded(own):
        found = select(jax.tree.map(lambda part: part[0], own))
        return found.columns[None], found.residual[None], found.lower_bound[None]

    columns, residual, lower_bound = sharded(own)
    for i in range(len(devices)):
        expected = select({name: parts[i] for name, parts in own.items()})
        assert columns[i].tolist() == expected.columns.tolist()
        np.testing.assert_allclose(residual[i], expected.residual, rtol=1e-4)
        np.testing.assert_allclose(lower_bound[i], expected.lower_bound, rtol=1e-4)


def test_bounds_hold_in_float32():
    for seed, outside in itertools.product(range(4), (0, 1e-4, 0.3)):
        rng = np.random.default_rng(seed)
        a = rng.normal(size=(60, 8))
        b = a[:, :3] @ rng.normal(size=(3, 3)) + outside * rng.normal(size=(60, 3))
        moments = jax.tree.map(lambda part: part.astype(jnp.float32), moments_of(a, b))
        moments = moments._replace(count=jnp.int32(60))
        for options in ({"c": 3, "method": "greedy"}, {"c": 8, "k": 8}):
            found = gcss_from_moments(moments, **options)
            exact = targets.residual(a, b, found.columns.tolist())
            assert exact <= found.certificate
            best = targets.residual(a, b, targets.best(a, b, options["c"]))
            assert found.lower_bound <= best + 1e-6 * np.linalg.norm(b)


def single(a, b):
    """Moments of rows in single precision."""
    a, b = put(np.float32(a), np.float32(b))
    return moments_update(moments_init(a.shape[1], b.shape[1]), a, b)


def near_short_column(seed, length, noise):
    """Orthogonal columns, one of them of that length, which has all of the target but noise."""
    rng = np.random.default_rng(seed)
    frame = rng.normal(size=(200, 9))
    frame = np.linalg.qr(frame - frame.mean(axis=0))[0]
    a = np.append(frame[:, :7] @ np.linalg.qr(rng.normal(size=(7, 7)))[0], frame[:, 7:8], axis=1)
    a[:, 7] *= length
    return a, frame[:, 7:8] + noise * frame[:, 8:]


@pytest.mark.parametrize("length", [0.1, 0.01, 0.003])
def test_certificate_holds_for_short_columns_in_float32(length):
    """Eigenvalues of squares are known to ``eps σ_0²``, which is much of ``σ²``."""
    for seed, noise in itertools.product(range(10), (0.003, 0.03)):
        a, b = near_short_column(seed, length, noise)
        found = gcss_from_moments(single(a, b), c=1, k=1)
        exact = targets.residual(a, b, found.columns.tolist())
        assert exact <= found.certificate * (1 + 1e-4)
        assert found.residual <= found.certificate


@pytest.mark.parametrize("length", [0.1, 0.01, 0.003])
@pytest.mark.parametrize("method", ["leverage", "subspace"])
def test_bound_on_angles_holds_for_short_columns_in_float32(method, length):
    for seed, noise in itertools.product(range(10), (0.003, 0.03)):
        a, b = near_short_column(seed, length, noise)
        found = sparse_cca_from_moments(single(a, b), ca=1, cb=1, method=method)
        assert found.columns_a.tolist() == [7]
        assert np.arctan(noise) <= found.bound[0]


@pytest.mark.parametrize("apart", [0.1, 0.01])
def test_certificate_holds_for_nearly_parallel_columns_in_float32(apart):
    for seed in range(10):
        rows = np.random.default_rng(seed).normal(size=(200, 3))
        frame = np.linalg.qr(rows - rows.mean(axis=0))[0]
        a = frame[:, [0, 0]] + [0, apart] * frame[:, [1]]
        b = frame[:, [1]] + 0.01 * frame[:, [2]]
        found = gcss_from_moments(single(a, b), c=2)
        assert found.certificate * (1 + 1e-4) >= 0.01
        assert found.residual <= found.certificate


def test_certificate_on_wine_in_float32():
    """One column is some 300 times as long as that of which the target is."""
    a, _ = targets.data("wine")
    b = a[:, [1]] + 0.03 * a[:, 1].std() * np.random.default_rng(1).normal(size=(len(a), 1))
    found = gcss_from_moments(single(a, b), c=13, k=7)
    assert found.residual <= found.certificate <= 2 * found.residual


@pytest.mark.parametrize("length", [0.1, 0.01, 0.002])
def test_lower_bound_holds_for_short_columns_in_float32(length):
    for seed in range(10):
        a = np.random.default_rng(seed).normal(size=(60, 8)) * ([1] * 7 + [length])
        b = a[:, 7:] / np.linalg.norm(a[:, 7])  # the best columns are that one
        found = gcss_from_moments(single(a, b), c=1, subset=(0,))
        assert found.lower_bound <= 1e-3


def test_constant_columns_are_never_chosen():
    """0.1 is no binary fraction: of a mean and of a sum of such numbers, rounding is left."""
    rng = np.random.default_rng(0)
    views = rng.normal(size=(2, 1000, 3)).astype(np.float32)
    views[0, :, 0], views[1, :, 0] = 0.1, 0.3
    moments = moments_init(3, 3)
    for part in np.split(views, 10, axis=1):
        moments = moments_update(moments, *put(*part))
    found = sparse_cca_from_moments(moments, ca=1, cb=1, method="forward")
    assert 0 not in (found.columns_a[0], found.columns_b[0])
    assert found.correlations[0] < 0.2
    assert gcss_from_moments(moments, c=3, method="greedy").count == 2


@pytest.mark.parametrize("sine", [0.1, 0.5**0.5])
def test_bounds_hold_where_directions_are_lost_in_single_precision(sine):
    """Of ``σ = 1, 2e-3, 3e-4, 1e-4`` the squares tell the first two."""
    a, frame = targets.lost_directions(9, [1, 2e-3, 3e-4, 1e-4], sine)
    exact = moments_of(a, frame)

    def single(*kept):
        target = frame[:, list(kept)]
        of = jax.tree.map(lambda part: part.astype(jnp.float32), exact)
        cbb, cab = target.T @ target, a.T @ target
        of = of._replace(mean_b=jnp.zeros(len(kept)))
        return target, of._replace(cbb=jnp.float32(cbb), cab=jnp.float32(cab))

    # the last column is one of the lost directions, and the whole target
    target, moments = single(3)
    for method in ("greedy", "leverage"):
        found = gcss_from_moments(moments, c=1, method=method)
        left = targets.residual(a, target, found.columns)
        assert found.lower_bound <= 1e-3
        assert left <= found.certificate + 1e-3
    assert gcss_from_moments(moments, c=1, method="greedy").columns.tolist() == [3]
    # the columns chosen are tilted towards the other
    target, moments = single(0, 1)
    found = gcss_from_moments(moments, c=2, subset=(0, 1))
    left = targets.residual(a, target, found.columns)
    np.testing.assert_allclose(left, np.sin(np.arctan(0.15 * np.tan(np.arcsin(sine)))), rtol=1e-6)
    assert found.lower_bound - 1e-3 <= left <= found.certificate < 4 * left
    options = {"ca": 2, "cb": 2, "k": 2, "subset_a": (0, 1), "subset_b": (0, 1)}
    found = sparse_cca_from_moments(moments, **options)
    assert jnp.all(jnp.arccos(found.correlations) <= found.bound + 1e-3)


def test_bad_input(bad_input):
    moments = moments_init(3, 2)
    with pytest.raises(ValueError, match="number of columns"):
        gcss_from_moments(moments, c=4)
    with pytest.raises(ValueError, match="unknown method"):
        gcss_from_moments(moments, c=1, method="svd")
    for name, bad, words in (
        ("caa", moments.caa * jnp.nan, "finite entries"),
        ("cab", jnp.zeros(3), "a 2-D array"),
        ("cab", jnp.zeros((3, 2), int), "dtype floating"),
    ):
        for function, sizes in (
            (gcss_from_moments, {"c": 1}),
            (sparse_cca_from_moments, {"ca": 1, "cb": 1}),
        ):
            with pytest.raises(ValueError, match=rf"moments\.{name}: expected {words}"):
                function(moments._replace(**{name: bad}), **sizes)
    with pytest.raises(ValueError, match=r"moments\.cbb: expected shape"):
        gcss_from_moments(moments._replace(cbb=jnp.zeros((3, 3))), c=1)
    flat = moments._replace(caa=jnp.diag(jnp.array([1.0, 1.0, 0.0])), cbb=jnp.eye(2))
    with pytest.raises(ValueError, match=r"subset_a: .* exceeds numerical rank"):
        sparse_cca_from_moments(flat, ca=1, cb=1, subset_a=(2,), subset_b=(0,))
    with pytest.raises(ValueError, match="cb: expected a number of columns from 1 to 2"):
        sparse_cca_from_moments(moments, ca=1, cb=3)
