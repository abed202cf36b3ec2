"""Greedy column selection against the definition, exhaustive search and known choices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.leverage import greedy_gcss
from tests.leverage import targets
from tests.leverage.targets import put


@pytest.mark.parametrize("form", ["gram", "residual"])
def test_is_the_definition(x64, form):
    rng = np.random.default_rng(0)
    for _ in range(8):
        a, b = rng.normal(size=(14, 8)) * 10 ** rng.uniform(-2, 1, 8), rng.normal(size=(14, 3))
        found = greedy_gcss(*put(a, b), c=5, form=form)
        assert found.columns.tolist() == targets.greedy(a, b, 5)
        assert found.count == 5
        left = [targets.residual(a, b, found.columns[: t + 1]) ** 2 for t in range(5)]
        np.testing.assert_allclose(found.captured, (b**2).sum() - left, rtol=1e-9)


def test_in_float32_over_many_steps():
    # 40 steps pass the recomputation after 32
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(60, 50)), rng.normal(size=(60, 3))
    found = greedy_gcss(*put(a.astype(np.float32), b.astype(np.float32)), c=40, form="gram")
    assert found.columns[:10].tolist() == targets.greedy(a, b, 10)
    assert sorted(set(found.columns.tolist())) == sorted(found.columns.tolist())
    exact = (b**2).sum() - targets.residual(a, b, found.columns) ** 2
    np.testing.assert_allclose(found.captured[-1], exact, rtol=1e-4)


@pytest.mark.parametrize("form", ["gram", "residual"])
@pytest.mark.parametrize("c", [5, 35])
def test_what_columns_capture_has_derivatives(x64, form, c):
    rng = np.random.default_rng(7)
    a, b = put(rng.normal(size=(60, 40)), rng.normal(size=(60, 3)))
    towards_a, towards_b = put(rng.normal(size=a.shape), rng.normal(size=b.shape))

    def captured(t):
        return greedy_gcss(a + t[0] * towards_a, b + t[1] * towards_b, c=c, form=form).captured

    targets.assert_derivative(captured, 2)


@pytest.mark.parametrize("form", ["gram", "residual"])
def test_fills_up_with_the_lowest_unused(x64, form):
    rng = np.random.default_rng(2)
    a = rng.normal(size=(14, 3)) @ rng.normal(size=(3, 8))
    a[:, 4] = 0
    found = greedy_gcss(*put(a, rng.normal(size=(14, 3))), c=5, form=form)
    assert found.count == 3
    chosen = found.columns[:3].tolist()
    assert found.columns[3:].tolist() == [j for j in range(8) if j not in chosen][:2]
    np.testing.assert_allclose(found.captured[3:], found.captured[2], rtol=1e-12)
    nothing = greedy_gcss(*put(0 * a, a[:, :3]), c=5, form=form)
    assert nothing.columns.tolist() == [0, 1, 2, 3, 4]
    assert nothing.count == 0
    np.testing.assert_array_equal(nothing.captured, 0)


def test_exact_targets_are_found(x64):
    a = np.random.default_rng(3).normal(size=(14, 8))
    b = a[:, [0, 2, 5]]
    found = greedy_gcss(*put(a, b), c=5)
    np.testing.assert_allclose(found.captured[-1], (b**2).sum(), rtol=1e-9)


@pytest.mark.parametrize("form", ["gram", "residual"])
def test_scale_changes_nothing(form):
    rng = np.random.default_rng(5)
    a, b = (rng.normal(size=(14, n)).astype(np.float32) for n in (8, 3))
    uneven = (a * 10 ** np.linspace(-30, 30, 8)).astype(np.float32)
    for left, right in ((a * np.float32(1e20), b), (a, b * np.float32(1e-21)), (uneven, b)):
        found = greedy_gcss(*put(left, right), c=5, form=form)
        assert found.columns.tolist() == targets.greedy(a, b, 5)
        assert found.count == 5


def test_vmap_is_a_loop(x64):
    rng = np.random.default_rng(4)
    a, b = put(rng.normal(size=(14, 8)), rng.normal(size=(4, 14, 3)))
    together = jax.vmap(lambda b: greedy_gcss(a, b, c=5))(b)
    for i in range(4):
        assert together.columns[i].tolist() == greedy_gcss(a, b[i], c=5).columns.tolist()


@pytest.mark.parametrize("form", ["gram", "residual"])
def test_devices_may_differ_in_the_tolerance_alone(devices, form):
    rng = np.random.default_rng(6)
    a, b = put(*(rng.normal(size=(14, n)).astype(np.float32) for n in (8, 3)))
    mesh = jax.sharding.Mesh(np.array(devices), ("devices",))
    over = jax.sharding.PartitionSpec("devices")

    def count(tol):
        return greedy_gcss(a, b, c=5, form=form, tol=tol).count

    tol = jnp.linspace(0, 1, len(devices))
    sharded = jax.shard_map(
        lambda tol: count(tol[0])[None], mesh=mesh, in_specs=over, out_specs=over
    )
    counts = jax.jit(sharded)(tol).tolist()
    assert counts == [int(count(each)) for each in tol]
    assert counts[0] == 5 > counts[-1]


def test_bad_input(bad_input):
    a = jnp.ones((3, 2))
    with pytest.raises(ValueError, match="2-D"):
        greedy_gcss(jnp.ones(3), a, c=1)
    with pytest.raises(ValueError, match="empty"):
        greedy_gcss(jnp.ones((3, 0)), a, c=1)
    with pytest.raises(ValueError, match="finite"):
        greedy_gcss(a, a * jnp.nan, c=1)
    with pytest.raises(ValueError, match="same number of rows"):
        greedy_gcss(a, jnp.ones((2, 2)), c=1)
    for c in (0, 3):
        with pytest.raises(ValueError, match="number of columns"):
            greedy_gcss(a, a, c=c)
    with pytest.raises(ValueError, match=r"tol: expected shape \[\]"):
        greedy_gcss(a, a, c=1, tol=jnp.ones(2))
    with pytest.raises(ValueError, match="form: expected one of"):
        greedy_gcss(a, a, c=1, form="grams")
