"""Private assignments against all sets of centers, scipy's flows, and official data.

All instances, those of special kinds too, are rows of one table and run in one compiled program.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxlab import kcenter
from tests.kcenter import oracles_traversal as oracles
from tests.kcenter.test_gonzalez import official

N, K = 75, 5  # more than two words of 32 points, and not three
FEW, SMALL = 37, 11  # points of instances that are doubled, or solved by trying all
EVERY = np.ones(K, bool)


def cloud(seed, n=N):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)) * rng.choice([0.2, 1, 3], size=(n, 1))


def table(seed, n=N):
    """Distances to some of the points."""
    points = cloud(seed, n)
    chosen = np.random.default_rng(seed + 1).permutation(n)[:K]
    return oracles.pairwise(points, points[chosen]).astype(np.float32)


def by_traversal(seed, n):
    """Distances to the picks of the farthest-first order."""
    dist = oracles.pairwise(cloud(seed, n))
    picks, radii = oracles.farthest_first(dist, K)
    return dist[:, picks].astype(np.float32), radii, dist


def padded(dist, filler=0.0):
    """As many rows as all instances have, and which of them count."""
    rows = np.full((N, K), filler, np.float32)
    rows[: len(dist)] = dist
    return rows, np.arange(N) < len(dist)


def instances():
    """Tables, least sizes, masks of points and of centers, under the names of their kinds."""
    whole, found = np.ones(N, bool), {}
    for seed in range(12):
        size = int(np.random.default_rng(seed).integers(0, N // K + 1))
        dist = table(seed) if seed % 3 else np.round(table(seed))  # many ties
        found["random", seed] = dist, size, whole, EVERY
    for seed in range(4):
        mask, centers = np.random.default_rng(seed).random(N) < 0.8, EVERY.copy()
        centers[[seed, (seed + 2) % K]] = seed == 0
        found["masked", seed] = table(seed), 10 + seed, mask, centers
    for seed in range(2):
        dist = table(seed, FEW)
        once, twice = padded(dist, filler=np.inf), padded(np.repeat(dist, 2, axis=0))
        found["once", seed] = once[0], 6, once[1], EVERY
        found["twice", seed] = twice[0], 12, twice[1], EVERY
        order = np.random.default_rng(seed).permutation(N)
        found["shuffled", seed] = found["random", seed][0][order], 13, whole, EVERY
        found["in place", seed] = found["random", seed][0], 13, whole, EVERY
        found["stretched", seed] = found["random", seed][0] * np.float32(3.7), 13, whole, EVERY
    for size in range(0, 16, 3):
        found["sweep", size] = table(6), size, whole, EVERY
    for seed in range(3):
        rows, mask = padded(by_traversal(seed, SMALL)[0])
        found["small", seed] = rows, (0, 2, 3)[seed], mask, np.arange(K) < 3
    for size in (N // K + 1, 2**30):  # times the number of centers, more than fits 32 bits
        found["too many", size] = table(3), size, whole, EVERY
    found["sharded", 0] = table(7), 14, np.arange(N) < 72, EVERY
    return found


INSTANCES = instances()


def solve(dist, size, mask, centers):
    assignment = kcenter.private_assignment(dist, size, center_mask=centers, mask=mask)
    return assignment, kcenter.private_prefixes(dist, size, mask=mask)


@functools.cache
def answers():
    dist, size, mask, centers = map(np.stack, zip(*INSTANCES.values(), strict=True))
    given = jax.device_put((dist, size.astype(np.int32), mask, centers))
    found = jax.tree.map(np.asarray, jax.jit(jax.vmap(solve))(*given))
    return {name: jax.tree.map(lambda x, i=i: x[i], found) for i, name in enumerate(INSTANCES)}


def kinds(*names):
    return [name for name in INSTANCES if name[0] in names]


def test_all_sets_of_centers():
    for name in kinds("random", "masked", "once", "twice", "stretched", "sweep", "small"):
        dist, size, mask, centers = INSTANCES[name]
        found, prefixes = answers()[name]
        part = dist[np.ix_(mask, centers)]
        assert found.private_radius == np.float32(oracles.hall_radius(part, size)), name
        assert found.cover_radius == part.min(1).max()
        assert found.radius == max(found.private_radius, found.cover_radius)
        assert found.feasible
        assert ((found.labels >= 0) == mask).all()
        counts = np.bincount(found.labels[mask], minlength=K)
        np.testing.assert_array_equal(found.counts, counts)
        assert (counts >= size * centers).all()
        assert not counts[~centers].any()
        assert dist[mask, found.labels[mask]].max() == found.radius
        for i in range(K) if mask.sum() >= K * size else ():
            part = dist[mask, : i + 1]
            assert prefixes.private_radii[i] == np.float32(oracles.hall_radius(part, size))
            assert prefixes.cover_radii[i] == part.min(1).max()
            assert ((prefixes.labels[i] >= 0) == mask).all()
            labels = prefixes.labels[i, mask]
            np.testing.assert_array_equal(prefixes.counts[i], np.bincount(labels, minlength=K))
            assert prefixes.counts[i, : i + 1].min() >= size
            largest = max(prefixes.private_radii[i], prefixes.cover_radii[i])
            assert dist[mask, labels].max() == largest
        radii = prefixes.private_radii.tolist()
        assert radii == sorted(radii)


def test_flows_of_scipy_agree():
    for name in [*kinds("random")[:6], ("sharded", 0)]:
        (dist, size, mask, _), radius = INSTANCES[name], answers()[name][0].private_radius
        below = dist[mask & (dist < radius).any(1)]
        assert oracles.flow_serves(dist[mask], size, float(radius))
        assert not size or not oracles.flow_serves(
            dist[mask], size, float(below[below < radius].max())
        )


def test_too_few_points():
    for name in kinds("too many"):
        found, prefixes = answers()[name]
        assert not found.feasible
        assert np.isinf(found.private_radius)
        assert found.counts.sum() == N
        few = np.arange(1, K + 1) * name[1] <= N
        assert (np.isfinite(prefixes.private_radii) == few).all()


def test_order_copies_and_scale_of_points():
    for seed in range(2):
        before, after = answers()["in place", seed], answers()["shuffled", seed]
        for i in (1, 2, 3):  # radii
            assert after[0][i] == before[0][i]
        for i in (0, 1):
            np.testing.assert_array_equal(after[1][i], before[1][i])
        before, after = answers()["once", seed], answers()["twice", seed]
        assert after[0].private_radius == before[0].private_radius
        np.testing.assert_array_equal(after[1].private_radii, before[1].private_radii)
        before, after = answers()["in place", seed], answers()["stretched", seed]
        np.testing.assert_allclose(after[0].radius, 3.7 * before[0].radius, rtol=1e-6)
        np.testing.assert_allclose(after[1].private_radii, 3.7 * before[1].private_radii, rtol=1e-6)
    radii = [answers()[name][0].private_radius for name in kinds("sweep")]
    assert (np.diff(radii) >= 0).all()
    assert radii[0] == 0 < radii[-1]


def test_best_prefix_is_a_two_approximation():
    for name in kinds("small"):
        size = INSTANCES[name][1]
        _, radii, dist = by_traversal(name[1], SMALL)
        prefixes = answers()[name][1]
        np.testing.assert_allclose(prefixes.cover_radii, radii, rtol=1e-6)
        best = np.maximum(prefixes.private_radii, prefixes.cover_radii)[:3].min()
        sets = [c for count in (1, 2, 3) for c in itertools.combinations(range(SMALL), count)]
        least = min(
            max(dist[:, c].min(1).max(), oracles.hall_radius(dist[:, c], size))
            for c in map(list, sets)
        )
        assert least * (1 - 1e-6) <= best <= 2 * least * (1 + 1e-6)


def test_weights_are_copies():
    rng = np.random.default_rng(5)
    dists = np.stack([table(seed) for seed in range(4)])
    weights = rng.integers(0, 4, (4, N)).astype(np.int32)
    sizes = weights.sum(1, dtype=np.int32) // K - 1
    together = jax.jit(
        jax.vmap(lambda dist, size, units: kcenter.private_assignment(dist, size, weights=units))
    )(*jax.device_put((dists, sizes, weights)))
    together = jax.tree.map(np.asarray, together)
    for i, (dist, size, units) in enumerate(zip(dists, sizes, weights, strict=True)):
        found = jax.tree.map(lambda x, i=i: x[i], together)
        assert found.private_radius == np.float32(oracles.hall_radius(dist, size, units))
        np.testing.assert_array_equal(found.flow.sum(1), units)
        np.testing.assert_array_equal(found.flow.sum(0), found.counts)
        assert found.counts.min() >= size
        assert dist[found.flow > 0].max() == found.radius
        assert ((found.labels == -1) == (units == 0)).all()


@pytest.mark.parametrize("check_vma", [True, False])
def test_shards_are_one_device(devices, check_vma):
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
            check_vma=check_vma,
        )
    )(jax.device_put(INSTANCES["sharded", 0][0][:72]))
    single, of_prefixes = answers()["sharded", 0]
    np.testing.assert_array_equal(found.labels, single.labels[:72])
    for one, other in zip(found[1:6], single[1:6], strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(prefixes.labels, of_prefixes.labels[:, :72])
    for i in (0, 1, 3):
        np.testing.assert_array_equal(prefixes[i], of_prefixes[i])


def test_points_split_over_devices_beforehand(devices):
    mesh = Mesh(devices[:4], ("data",))
    dist = np.random.default_rng(0).random((64, 5)).astype(np.float32)  # two words of bits
    split = jax.device_put(dist, NamedSharding(mesh, PartitionSpec("data")))
    solve = jax.jit(lambda dist: kcenter.private_assignment(dist, 10))
    for found, whole in zip(solve(split), solve(dist), strict=True):
        np.testing.assert_array_equal(found, whole)


def test_float64_one_by_one_and_gradients(x64):
    def value(dist, *rest):
        found, prefixes = solve(dist, *rest)
        radii = prefixes.private_radii + 3 * prefixes.cover_radii
        total = 2 * found.radius + found.cover_radius + jnp.sum(radii * jnp.arange(1, K + 1))
        return total, (found, prefixes)

    value = jax.jit(jax.value_and_grad(value, has_aux=True))

    def at(name, move=0.0):
        dist, size, mask, centers = INSTANCES[name]
        return value(
            *jax.device_put((dist.astype(np.float64) + move, np.int32(size), mask, centers))
        )

    for name in kinds("sweep", "masked"):  # without ties, and all together by vmap before
        wide = at(name)[0][1]
        for one, other in zip(jax.tree.leaves(wide), jax.tree.leaves(answers()[name]), strict=True):
            assert one.dtype == np.float64 or other.dtype != np.float32
            np.testing.assert_array_equal(one, other)
    direction = np.random.default_rng(1).normal(size=(N, K))
    (_, slope), ((above, _), _), ((below, _), _) = (
        at(("sharded", 0), step * direction) for step in (0, 1e-6, -1e-6)
    )
    rise = (float(above) - float(below)) / 2e-6
    np.testing.assert_allclose(np.sum(np.asarray(slope) * direction), rise, rtol=1e-5)
    assert np.count_nonzero(slope) >= 3


@pytest.mark.parametrize(
    ("name", "k", "radii"),
    [
        ("countQuery", 7, {200: 0.148920, 1000: 0.232621, 1428: 0.362460}),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in [
                ("countQuery", 64, {200: 0.148920, 1428: 0.362460}),
                ("genderDiabetes", 12, {1000: 0.405420, 4000: 0.555556, 8480: 0.640741}),
                ("raceAdult", 20, {163: 0.938803, 814: 1.028730, 1628: 1.059487}),
            ]
        ),
    ],
)
def test_official_data(name, k, radii):
    points = jax.device_put(official(name))
    dist = kcenter.distance_matrix(points, kcenter.gonzalez(points, k).indices)
    known = 6 if name == "countQuery" else k - 1
    for size, radius in radii.items():
        prefixes = jax.tree.map(np.asarray, kcenter.private_prefixes(dist, size))
        np.testing.assert_allclose(prefixes.private_radii[known], radius, atol=1e-6)
        enough = np.arange(1, k + 1) * size <= len(points)
        np.testing.assert_array_equal(np.isfinite(prefixes.private_radii), enough)
        assert prefixes.private_radii.tolist() == sorted(prefixes.private_radii.tolist())
        for i in np.flatnonzero(enough):
            assert prefixes.counts[i, : i + 1].min() >= size


def test_bad_input(bad_input):
    dist = np.zeros((4, 2), np.float32)
    for match, call in {
        "min_size": lambda: kcenter.private_assignment(dist, -1),
        "no points": lambda: kcenter.private_assignment(dist[:0], 1),
        "k must be at least 1": lambda: kcenter.private_prefixes(dist[:, :0], 1),
        "not NaN": lambda: kcenter.private_prefixes(dist - 1, 1),
        "weights: expected shape": lambda: kcenter.private_assignment(
            dist, 1, weights=np.ones(3, int)
        ),
        "weights: expected a finite number >= 0": lambda: kcenter.private_assignment(
            dist, 1, weights=np.array([1, 1, 1, -1])
        ),
        "weights: expected a sum that fits int32": lambda: kcenter.private_assignment(
            dist, 1, weights=np.full(4, 2**30 + 5)
        ),
        "min_size >= 0 that fits int32": lambda: kcenter.private_assignment(
            dist, np.int64(2**32 + 1)
        ),
        "weight 0 says the same": lambda: kcenter.private_assignment(
            dist, 1, weights=np.ones(4, int), mask=np.ones(4, bool)
        ),
        "center_mask: expected dtype": lambda: kcenter.private_assignment(
            dist, 1, center_mask=np.ones(2)
        ),
    }.items():
        with pytest.raises(ValueError, match=match):
            call()
