"""Moments in batches, in any order and over devices, against numpy in float64."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

from jaxlab.leverage import moments_init, moments_merge, moments_psum, moments_update

N, P, BATCH = 4, 2, 32


def far_from_zero(rows, seed=0):
    """Two views of correlated columns, the means a thousand times the deviations."""
    rng = np.random.default_rng(seed)
    both = rng.normal(size=(rows, N + P)) @ rng.normal(size=(N + P, N + P))
    both += 1e3 * both.std(axis=0) * rng.choice([-1, 1], N + P)
    return both[:, :N], both[:, N:]


def expected_of(a, b):
    da, db = a - a.mean(axis=0), b - b.mean(axis=0)
    return len(a), a.mean(axis=0), b.mean(axis=0), da.T @ da, db.T @ db, da.T @ db


def agree(found, expected, tolerance):
    assert found.count == expected[0]
    for one, other in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * np.abs(other).max())


def batches(a, b, dtype):
    """Batches of one size, the last filled up with rows that do not count."""
    for start in range(0, len(a), BATCH):
        views = np.full((BATCH, N), 7.0, dtype), np.full((BATCH, P), -7.0, dtype)
        real = min(BATCH, len(a) - start)
        for view, rows in zip(views, (a, b), strict=True):
            view[:real] = rows[start : start + real]
        yield jax.device_put((*views, np.arange(BATCH) < real))


def test_batches_in_which_little_differs():
    """A rare event beside 2²⁰: within a batch its spread is less than a rounding of its mean."""
    a = (2.0**20 + (np.arange(8 * BATCH) % BATCH == 0)).astype(np.float32)[:, None]
    state = moments_init(1, 1)
    for batch in np.split(a, 8):
        state = moments_update(state, *jax.device_put((batch, batch)))
    np.testing.assert_allclose(state.caa, [[8 * (1 - 1 / BATCH)]], rtol=1e-5)


def test_what_is_small_beside_the_sum_is_added_up_first():
    """2²⁴ + 1 is 2²⁴ in single precision: a batch of two such terms must not be lost twice."""
    rows = jnp.array([[1 - 0.5**0.5], [1 + 0.5**0.5]])  # their mean is 1, their scatter too
    batch = moments_update(moments_init(1, 1), rows, rows)
    large = jnp.full((1, 1), 2.0**24)
    before = moments_init(1, 1)._replace(count=jnp.int32(2), caa=large, cbb=large, cab=large)
    for state in (moments_merge(before, batch), moments_update(before, rows, rows)):
        for found in (state.caa, state.cbb, state.cab):
            assert found == 2**24 + 2


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-9), (np.float32, 1e-4)])
def test_stream_with_large_means(dtype, tolerance, x64):
    a, b = far_from_zero(1000)
    a, b = a.astype(dtype), b.astype(dtype)  # the single-precision rows are what is to be summed
    expected = expected_of(a.astype(np.float64), b.astype(np.float64))
    state, halves = moments_init(N, P, dtype=dtype), [moments_init(N, P, dtype=dtype)] * 2
    for index, batch in enumerate(batches(a, b, dtype)):
        state = moments_update(state, *batch)
        halves[index % 2] = moments_update(halves[index % 2], *batch)
    agree(state, expected, tolerance)
    agree(moments_merge(*halves), expected, tolerance)
    agree(moments_merge(*halves[::-1]), expected, tolerance)
    agree(moments_merge(state, moments_init(N, P, dtype=dtype)), expected, tolerance)
    agree(moments_merge(moments_init(N, P, dtype=dtype), state), expected, tolerance)


def test_over_devices(devices, x64):
    """Each device has some rows, and the last has none."""
    mesh = Mesh(np.array(devices), ("data",))
    a, b = far_from_zero(7 * BATCH, seed=1)
    rows = np.zeros((8 * BATCH, N + P))
    rows[: len(a)] = np.concatenate([a, b], axis=1)
    mask = np.arange(8 * BATCH) < len(a)

    @functools.partial(
        jax.shard_map, mesh=mesh, in_specs=PartitionSpec("data"), out_specs=PartitionSpec()
    )
    def total(rows, mask):
        start = moments_init(N, P, dtype=jnp.float64)
        return moments_psum(moments_update(start, rows[:, :N], rows[:, N:], mask), "data")

    agree(jax.jit(total)(*jax.device_put((rows, mask))), expected_of(a, b), 1e-9)


def test_over_devices_gradients_are_those_of_one(devices, x64):
    """Each device has some rows, and the last has none."""
    mesh = Mesh(np.array(devices), ("data",))
    rng = np.random.default_rng(2)
    rows = jax.device_put(rng.normal(3, 1, size=(8 * BATCH, N + P)))
    mask = jnp.arange(8 * BATCH) < 7 * BATCH
    start = moments_init(N, P, dtype=jnp.float64)
    weights = jax.tree.map(lambda x: jax.device_put(rng.normal(size=x.shape)), start)

    def weighted(moments):
        return sum(jnp.vdot(w, x) for w, x in zip(weights[1:], moments[1:], strict=True))

    def alone(rows):
        return weighted(moments_update(start, rows[:, :N], rows[:, N:], mask))

    @functools.partial(
        jax.shard_map, mesh=mesh, in_specs=PartitionSpec("data"), out_specs=PartitionSpec()
    )
    def together(rows, mask):
        return weighted(moments_psum(moments_update(start, rows[:, :N], rows[:, N:], mask), "data"))

    expected = jax.jit(jax.grad(alone))(rows)
    np.testing.assert_allclose(jax.jit(jax.grad(together))(rows, mask), expected, atol=1e-9)


def test_no_rows():
    start = moments_init(N, P)
    state = moments_update(
        start, jnp.ones((BATCH, N)), jnp.ones((BATCH, P)), jnp.zeros(BATCH, bool)
    )
    chex.assert_trees_all_equal(state, start)


def test_bad_input(bad_input):
    state, a, b = moments_init(N, P), jnp.ones((3, N)), jnp.ones((3, P))
    with pytest.raises(ValueError, match="same number of rows as a, 3"):
        moments_update(state, a, b[:2])
    with pytest.raises(ValueError, match=r"b: expected shape \[m, 2\]"):
        moments_update(state, a, a)
    with pytest.raises(ValueError, match=r"mask: expected shape \[3\]"):
        moments_update(state, a, b, jnp.ones(2, bool))
    with pytest.raises(ValueError, match="finite"):
        moments_update(state, a / 0, b)
    with pytest.raises(ValueError, match=r"other\.cab: expected shape"):
        moments_merge(state, moments_init(N, N))
    with pytest.raises(ValueError, match="n: expected an integer >= 1"):
        moments_init(0, 1)
    for dtype in (jnp.int32, jnp.bfloat16):
        with pytest.raises(ValueError, match="dtype: expected float32 or float64"):
            moments_init(1, 1, dtype=dtype)
