"""Products and QR over eight devices against those of one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxlab.leverage import gram, gram_sharded, tsqr


def test_products():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(50, 4)).astype(np.float32), rng.normal(size=(50, 3)).astype(np.float32)
    np.testing.assert_allclose(gram(jax.device_put(a)), a.T @ a, rtol=1e-5, atol=1e-5)
    found = gram(jax.device_put(a), jax.device_put(b))
    np.testing.assert_allclose(found, a.T @ b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("explicit", [False, True])
def test_devices_agree_with_one(explicit, devices, x64):
    """Rows that the devices do not divide; of them fewer per device than columns."""
    kind = AxisType.Explicit if explicit else AxisType.Auto
    mesh = Mesh(np.array(devices), ("data",), axis_types=(kind,))
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(27, 5)), rng.normal(size=(27, 5))
    found = gram_sharded(jnp.asarray(a), jnp.asarray(b), mesh=mesh)
    np.testing.assert_allclose(found, a.T @ b, rtol=1e-12, atol=1e-12)
    one_q, one_r = tsqr(jnp.asarray(a))
    np.testing.assert_allclose(one_q @ one_r, a, atol=1e-12)
    assert (np.diag(one_r) > 0).all()
    q, r = tsqr(jnp.asarray(a), mesh=mesh)
    np.testing.assert_allclose(r, one_r, atol=1e-12)
    np.testing.assert_allclose(q, one_q, atol=1e-12)


@pytest.mark.parametrize(
    "kinds",
    [
        (AxisType.Auto, AxisType.Auto),
        (AxisType.Explicit, AxisType.Explicit),
        (AxisType.Auto, AxisType.Explicit),
        (AxisType.Explicit, AxisType.Auto),
    ],
)
def test_gradients_where_devices_do_not_divide_the_rows(kinds, devices, x64):
    mesh = Mesh(np.array(devices).reshape(4, 2), ("data", "model"), axis_types=kinds)
    a = jnp.asarray(np.random.default_rng(3).normal(size=(13, 3)))

    def total(a, qr, products):
        q, r = qr(a)
        return jnp.sum(q**3) + jnp.sum(r**3) + jnp.sum(products(a) ** 3)

    over = {"qr": functools.partial(tsqr, mesh=mesh)}
    over["products"] = functools.partial(gram_sharded, mesh=mesh)
    spread = jax.jit(jax.grad(functools.partial(total, **over)))(a)
    np.testing.assert_allclose(spread, jax.grad(total)(a, tsqr, gram), rtol=1e-9, atol=1e-9)


def test_spread_rows_stay_where_they_are(devices):
    mesh = Mesh(np.array(devices), ("data",))
    rows = NamedSharding(mesh, PartitionSpec("data"))
    a = np.random.default_rng(2).normal(size=(64, 5)).astype(np.float32)
    spread = jax.device_put(a, rows)
    q, r = tsqr(spread, mesh=mesh)
    assert q.sharding.is_equivalent_to(rows, 2)
    assert r.sharding.is_fully_replicated
    np.testing.assert_allclose(q @ r, a, atol=1e-5)
    # inside of the user's own shard_map, the axis alone is named
    inner = jax.shard_map(
        lambda a: (tsqr(a, axis_name="data")[1], gram(a, axis_name="data")),
        mesh=mesh,
        in_specs=PartitionSpec("data"),
        out_specs=PartitionSpec(),
    )
    inner_r, inner_g = inner(spread)
    np.testing.assert_allclose(inner_r, r, atol=1e-6)
    np.testing.assert_allclose(inner_g, a.T @ a, rtol=1e-4, atol=1e-4)


def test_bad_input(bad_input, devices):
    mesh = Mesh(np.array(devices), ("data",))
    a = jnp.ones((3, 5))
    with pytest.raises(ValueError, match="at least as many rows as columns"):
        tsqr(a)
    with pytest.raises(ValueError, match="axis_name: expected one of 'data'"):
        tsqr(a.T, mesh=mesh, axis_name="model")
    with pytest.raises(ValueError, match="axis_name: expected one of 'data'"):
        gram_sharded(a, mesh=mesh, axis_name="model")
    for function in (gram, lambda a, b: gram_sharded(a, b, mesh=mesh)):
        with pytest.raises(ValueError, match="the same number of rows as a, 3"):
            function(a, jnp.ones((4, 2)))
    for bad, words in ((a[0], "2-D"), (a[:0], "empty"), (a / 0, "finite")):
        with pytest.raises(ValueError, match=words):
            gram(bad)
