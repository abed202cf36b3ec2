"""Private assignments against all sets of centers, scipy's flows, and official data."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import Mesh, PartitionSpec

from jaxlab import kcenter
from tests.kcenter import oracles_traversal as oracles
from tests.kcenter.test_gonzalez import official

N, K = 75, 5  # more than two words of 32 points, and not three


def table(seed, clustered=True):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(N, 2)) * rng.choice([0.2, 1, 3], size=(N, 1) if clustered else 1)
    return oracles.pairwise(x, x[rng.permutation(N)[:K]]).astype(np.float32)


def check(found, dist, size):
    """The assignment itself is what it says."""
    labels = np.asarray(found.labels)
    counts = np.bincount(labels, minlength=K)
    np.testing.assert_array_equal(found.counts, counts)
    assert found.feasible == bool((counts >= size).all())
    if found.feasible:
        assert dist[np.arange(N), labels].max() == found.radius


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), size=st.integers(0, N // K), grid=st.booleans())
def test_all_sets_of_centers(seed, size, grid):
    dist = table(seed)
    if grid:  # many ties
        dist = np.round(dist)
    found = kcenter.private_assignment(jax.device_put(dist), size)
    assert found.private_radius == np.float32(oracles.hall_radius(dist, size))
    assert found.cover_radius == dist.min(1).max()
    check(found, dist, size)
    prefixes = kcenter.private_prefixes(jax.device_put(dist), size)
    for i in range(K):
        part = dist[:, : i + 1]
        assert prefixes.private_radii[i] == np.float32(oracles.hall_radius(part, size))
        assert prefixes.cover_radii[i] == part.min(1).max()
        labels = np.asarray(prefixes.labels[i])
        np.testing.assert_array_equal(prefixes.counts[i], np.bincount(labels, minlength=K))
        assert prefixes.counts[i, : i + 1].min() >= size
        largest = max(prefixes.private_radii[i], prefixes.cover_radii[i])
        assert dist[np.arange(N), labels].max() == largest


def test_flows_of_scipy_agree():
    for seed in range(6):
        dist = table(seed, clustered=False)
        found = kcenter.private_assignment(jax.device_put(dist), 14)
        below = dist[dist < found.private_radius].max()
        assert oracles.flow_serves(dist, 14, float(found.private_radius))
        assert not oracles.flow_serves(dist, 14, float(below))


def test_too_few_points():
    dist = jax.device_put(table(3))
    found = kcenter.private_assignment(dist, N // K + 1)
    assert not found.feasible
    assert np.isinf(found.private_radius)
    assert found.counts.sum() == N
    radii = kcenter.private_prefixes(dist, N // K + 1).private_radii
    assert np.isfinite(radii[:-1]).all()
    assert np.isinf(radii[-1])
    # a product of min_size and centers that does not fit 32 bits
    assert not kcenter.private_assignment(dist, 2**30).feasible


def test_masked_centers_and_points():
    dist, mask = table(4), np.arange(N) % 5 != 0
    centers = np.array([True, False, True, True, False])
    found = kcenter.private_assignment(
        jax.device_put(dist), 15, center_mask=jax.device_put(centers), mask=jax.device_put(mask)
    )
    part = dist[np.ix_(mask, centers)]
    assert found.private_radius == np.float32(oracles.hall_radius(part, 15))
    assert found.cover_radius == part.min(1).max()
    assert (np.asarray(found.labels) >= 0).tolist() == mask.tolist()
    counts = np.bincount(np.asarray(found.labels)[mask], minlength=K)
    np.testing.assert_array_equal(found.counts, counts)
    assert (counts >= 15 * centers).all()
    assert not counts[~centers].any()
    prefixes = kcenter.private_prefixes(jax.device_put(dist), 10, mask=jax.device_put(mask))
    assert prefixes.private_radii[-1] == np.float32(oracles.hall_radius(dist[mask], 10))
    assert prefixes.counts.sum(1).tolist() == [mask.sum()] * K
    assert (np.asarray(prefixes.labels[2]) >= 0).tolist() == mask.tolist()


def test_weights_are_copies():
    rng = np.random.default_rng(5)
    for seed in range(4):
        dist, weights = table(seed), rng.integers(0, 4, N).astype(np.int32)
        size = int(weights.sum()) // K - 1
        found = kcenter.private_assignment(
            jax.device_put(dist), size, weights=jax.device_put(weights)
        )
        assert found.private_radius == np.float32(oracles.hall_radius(dist, size, weights))
        np.testing.assert_array_equal(found.flow.sum(1), weights)
        np.testing.assert_array_equal(found.flow.sum(0), found.counts)
        assert found.counts.min() >= size
        assert dist[np.asarray(found.flow) > 0].max() == found.radius
        assert (np.asarray(found.labels) == -1).tolist() == (weights == 0).tolist()


def test_sweep_by_vmap_is_a_loop():
    dist = jax.device_put(table(6))
    sizes = jnp.arange(0, 16, 3)
    together = jax.vmap(lambda size: kcenter.private_assignment(dist, size))(sizes)
    for i, size in enumerate(sizes.tolist()):
        alone = kcenter.private_assignment(dist, size)
        for one, row in zip(alone[:-1], together[:-1], strict=True):
            np.testing.assert_array_equal(row[i], one)
    assert (np.diff(together.private_radius) >= 0).all()


def test_shards_are_one_device(devices):
    dist, mask = table(7), np.arange(N) < 72
    split, whole = PartitionSpec("x"), PartitionSpec()

    def both(part):
        alone = kcenter.private_assignment(part, 14, axis_name="x")
        return alone, kcenter.private_prefixes(part, 14, axis_name="x")

    found, prefixes = jax.jit(
        jax.shard_map(
            both,
            mesh=Mesh(np.array(devices), ("x",)),
            in_specs=split,
            out_specs=(
                kcenter.PrivateAssignment(split, whole, whole, whole, whole, whole),
                kcenter.PrivatePrefixes(whole, whole, PartitionSpec(None, "x"), whole),
            ),
            check_vma=False,
        )
    )(jax.device_put(dist[:72]))
    single = kcenter.private_assignment(
        jax.device_put(dist), 14, center_mask=jnp.ones(K, bool), mask=jax.device_put(mask)
    )
    np.testing.assert_array_equal(found.labels, single.labels[:72])
    for one, other in zip(found[1:6], single[1:6], strict=True):
        np.testing.assert_array_equal(one, other)
    single = kcenter.private_prefixes(jax.device_put(dist), 14, mask=jax.device_put(mask))
    np.testing.assert_array_equal(prefixes.labels, single.labels[:, :72])
    for i in (0, 1, 3):
        np.testing.assert_array_equal(prefixes[i], single[i])


def test_gradients(x64):
    dist = jax.device_put(table(8).astype(np.float64))
    direction = np.random.default_rng(1).normal(size=dist.shape)

    def value(dist):
        found, prefixes = kcenter.private_assignment(dist, 14), kcenter.private_prefixes(dist, 14)
        radii = prefixes.private_radii + 3 * prefixes.cover_radii
        return 2 * found.radius + found.cover_radius + jnp.sum(radii * jnp.arange(1, K + 1))

    value = jax.jit(value)
    slope = jax.grad(value)(dist)
    rise = (value(dist + 1e-6 * direction) - value(dist - 1e-6 * direction)) / 2e-6
    np.testing.assert_allclose(jnp.sum(slope * direction), rise, rtol=1e-5)
    assert np.count_nonzero(slope) >= 3


@pytest.mark.parametrize(
    ("name", "k", "radii"),
    [
        ("countQuery", 7, {200: 0.148920, 1000: 0.232621, 1428: 0.362460}),
        ("genderDiabetes", 12, {1000: 0.405420, 4000: 0.555556, 8480: 0.640741}),
        ("raceAdult", 20, {163: 0.938803, 814: 1.028730, 1628: 1.059487}),
    ],
)
def test_official_data(name, k, radii):
    points = jax.device_put(official(name))
    dist = kcenter.distance_matrix(points, kcenter.gonzalez(points, k).indices)
    for size, radius in radii.items():
        prefixes = kcenter.private_prefixes(dist, size)
        np.testing.assert_allclose(prefixes.private_radii[-1], radius, atol=1e-6)
        assert (np.diff(prefixes.private_radii) >= 0).all()
        assert prefixes.counts[-1].min() >= size


def test_bad_input(bad_input):
    dist = jnp.zeros((4, 2))
    for match, call in {
        "min_size": lambda: kcenter.private_assignment(dist, -1),
        "no points": lambda: kcenter.private_assignment(dist[:0], 1),
        "k must be at least 1": lambda: kcenter.private_prefixes(dist[:, :0], 1),
        "not NaN": lambda: kcenter.private_prefixes(dist - 1, 1),
        "weights: expected shape": lambda: kcenter.private_assignment(
            dist, 1, weights=jnp.ones(3, int)
        ),
        "weight 0 says the same": lambda: kcenter.private_assignment(
            dist, 1, weights=jnp.ones(4, int), mask=jnp.ones(4, bool)
        ),
        "center_mask: expected dtype": lambda: kcenter.private_assignment(
            dist, 1, center_mask=jnp.ones(2)
        ),
    }.items():
        with pytest.raises(ValueError, match=match):
            call()
