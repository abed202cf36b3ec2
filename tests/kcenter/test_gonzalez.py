"""Farthest-first order against a numpy loop, its kernel and its sharded form."""

import functools
import os
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxlab import kcenter
from jaxlab.kcenter._gonzalez_kernel import BLOCK
from tests.kcenter import oracles_traversal as oracles

N, D, K = 90, 3, 7
CLOUDS = np.random.default_rng(0).normal(size=(4, N, D)).astype(np.float32)
SIZES = [N, N - 1, 40, 4]  # of clouds that are padded
SMALL = 11  # points of clouds that are solved by trying all
ORDER = np.random.default_rng(1).permutation(N)


def filled(cloud, size):
    """The first points of a cloud, and others that the mask hides."""
    rows = np.full((N, D), 1e6, np.float32)
    rows[:size] = cloud[:size]
    return rows, np.arange(N) < size, 0


@functools.cache
def orders():
    """Orders of all clouds by one program, under the names of their kinds."""
    whole = np.ones(N, bool)
    clouds = {("whole", i): (cloud, whole, 5) for i, cloud in enumerate(CLOUDS)}
    clouds |= {("padded", i): filled(CLOUDS[i], size) for i, size in enumerate(SIZES)}
    clouds |= {("small", i): filled(CLOUDS[i], SMALL) for i in range(4)}
    clouds["copies", 0] = np.repeat(CLOUDS[0, :3], 30, axis=0), whole, 0
    clouds["shuffled", 0] = CLOUDS[0][ORDER], whole, int(np.flatnonzero(ORDER == 5)[0])
    clouds["stretched", 0] = CLOUDS[0] * np.float32(3.7), whole, 5
    points, masks, first = map(np.stack, zip(*clouds.values(), strict=True))
    many = jax.jit(jax.vmap(lambda x, mask, i: kcenter.gonzalez(x, K, mask=mask, first=i)))
    found = jax.tree.map(np.asarray, many(*jax.device_put((points, masks, first.astype(np.int32)))))
    return {name: jax.tree.map(lambda x, i=i: x[i], found) for i, name in enumerate(clouds)}


def official(name):
    folder = os.environ.get("JAXLAB_DATA")
    path = Path(folder or ".") / "kcenter" / f"{name}.npz"
    if not folder or not path.exists():
        pytest.skip(f"{name}.npz of the official repository is not below $JAXLAB_DATA")
    return np.load(path)["x"].astype(np.float32)


def test_numpy_loop():
    for i, cloud in enumerate(CLOUDS):
        dist, order = oracles.pairwise(cloud), orders()["whole", i]
        picks, radii = oracles.farthest_first(dist, K, first=5)
        assert order.indices.tolist() == picks
        np.testing.assert_allclose(order.radii, radii, rtol=1e-6)
        np.testing.assert_allclose(order.distances, dist[:, picks].min(1), rtol=1e-5, atol=1e-7)
        np.testing.assert_array_equal(order.labels, dist[:, picks].argmin(1))
        apart = dist[np.ix_(picks, picks)][np.triu_indices(K, 1)]
        assert apart.min() >= radii[K - 2] * (1 - 1e-6)


def test_two_approximation():
    for i in range(4):
        best = oracles.optimal_radius(oracles.pairwise(CLOUDS[i, :SMALL]), 3)
        assert best * (1 - 1e-6) <= orders()["small", i].radii[2] <= 2 * best * (1 + 1e-6)


def test_order_and_scale_of_points():
    order, shuffled, stretched = (orders()[k, 0] for k in ("whole", "shuffled", "stretched"))
    np.testing.assert_array_equal(ORDER[shuffled.indices], order.indices)
    np.testing.assert_array_equal(shuffled.radii, order.radii)
    np.testing.assert_array_equal(shuffled.labels, order.labels[ORDER])
    np.testing.assert_array_equal(stretched.indices, order.indices)
    np.testing.assert_allclose(stretched.radii, 3.7 * order.radii, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "picks", "radii"),
    [
        (
            "countQuery",
            [0, 6534, 7182, 2790, 4301, 754, 4797],
            [0.886074, 0.681219, 0.667132, 0.378358, 0.353288, 0.313776, 0.279119],
        ),
        (
            "raceAdult",
            [0, 8963, 27077, 24238, 14449, 15008, 26995],
            [1.248867, 1.157996, 1.014876, 1.006995, 0.984138, 0.905513, 0.848196],
        ),
    ],
)
def test_official_data(name, picks, radii):
    order = kcenter.gonzalez(jax.device_put(official(name)), 7)
    assert order.indices.tolist() == picks
    np.testing.assert_allclose(order.radii, radii, atol=1e-6)


def test_masked_clouds():
    for i, size in enumerate(SIZES):
        order = orders()["padded", i]
        picks, radii = oracles.farthest_first(oracles.pairwise(CLOUDS[i, :size]), min(K, size))
        assert order.indices.tolist() == picks + [-1] * (K - len(picks))
        np.testing.assert_allclose(order.radii[: len(picks) - 1], radii[:-1], rtol=1e-6)
        assert order.labels[size:].tolist() == [-1] * (N - size)
        assert not order.distances[size:].any()
    assert orders()["padded", 3].radii[3:].tolist() == [0.0] * (K - 3)


def test_a_traced_first_that_is_masked_away_leaves_its_place_empty():
    line = np.array([[0], [1], [5], [9]], np.float32)

    def picks(line, first, mask):
        return kcenter.gonzalez(line, 3, first=first, mask=mask)

    given = line, np.int32(0), np.array([False, True, True, True])
    order = jax.jit(picks)(*jax.device_put(given))
    assert order.indices.tolist() == [-1, 1, 3]
    assert order.radii.tolist() == [np.inf, 8, 4]


def test_duplicates_are_never_picked_twice():
    order = orders()["copies", 0]
    assert len(set(order.indices.tolist())) == K
    assert sorted(order.indices[:3].tolist()) == [0, 30, 60]
    assert order.indices[3:].tolist() == [1, 2, 3, 4]
    assert order.radii[2:].tolist() == [0.0] * (K - 2)


def test_loop_and_kernel_and_shards_agree(devices):
    points = jax.device_put(CLOUDS[0])
    together = orders()["whole", 0]
    order = kcenter.gonzalez(points, K, first=5)
    chex.assert_trees_all_equal(order, together)
    kernel = kcenter.gonzalez(points, K, first=5, use_pallas=True)
    mesh = Mesh(np.array(devices), ("data",))
    sharded = kcenter.gonzalez_sharded(points, K, first=5, mesh=mesh)  # 90 = 8 · 12 − 6
    for found in (kernel, sharded):
        np.testing.assert_array_equal(found.indices, order.indices)
        np.testing.assert_array_equal(found.labels, order.labels)
        np.testing.assert_allclose(found.radii, order.radii, rtol=1e-6)
        np.testing.assert_allclose(found.distances, order.distances, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(sharded.radii, order.radii)


@pytest.mark.parametrize("n", [N, 88])  # 88 = 8 · 11 points may be split beforehand
def test_sharded_on_a_mesh_of_explicit_axes(devices, n):
    points, mesh = jax.device_put(CLOUDS[0, :n]), jax.make_mesh((8,), ("data",), devices=devices)
    call = functools.partial(kcenter.gonzalez_sharded, k=K, mesh=mesh)
    expected = kcenter.gonzalez(points, K)

    def check(found):
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_array_equal(found.radii, expected.radii)
        np.testing.assert_array_equal(found.labels, expected.labels)
        assert found.labels.sharding.is_fully_replicated == (n == N)

    with jax.set_mesh(mesh):
        check(call(points))
        check(jax.jit(call)(points))
    if n == 88:
        check(call(jax.device_put(points, NamedSharding(mesh, PartitionSpec("data")))))


def test_kernel_of_several_blocks():
    n = 2 * BLOCK + 452
    cloud = np.random.default_rng(2).normal(size=(n, D)).astype(np.float32)
    mask = np.random.default_rng(3).random(n) < 0.8
    cloud[~mask] *= 1e3
    options = {"first": int(np.argmax(mask)), "mask": jax.device_put(mask)}
    loop, kernel = (
        kcenter.gonzalez(jax.device_put(cloud), 12, use_pallas=by_kernel, **options)
        for by_kernel in (False, True)
    )
    assert len({pick // BLOCK for pick in loop.indices.tolist()}) == 3
    np.testing.assert_array_equal(kernel.indices, loop.indices)
    np.testing.assert_array_equal(kernel.labels, loop.labels)
    np.testing.assert_allclose(kernel.radii, loop.radii, rtol=1e-6)
    np.testing.assert_allclose(kernel.distances, loop.distances, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("check_vma", [True, False])
def test_inside_shard_map(devices, check_vma):
    points = jax.device_put(CLOUDS[0, :88])
    split, whole = PartitionSpec("x"), PartitionSpec()
    found = jax.jit(
        jax.shard_map(
            lambda part: kcenter.gonzalez(part, K, first=80, axis_name="x"),
            mesh=Mesh(np.array(devices), ("x",)),
            in_specs=split,
            out_specs=kcenter.Gonzalez(whole, whole, split, split),
            check_vma=check_vma,
        )
    )(points)
    by_pmap = jax.pmap(lambda x: kcenter.gonzalez(x, K, first=80, axis_name="x"), axis_name="x")(
        points.reshape(8, 11, D)
    )
    dist = oracles.pairwise(CLOUDS[0, :88])
    picks, radii = oracles.farthest_first(dist, K, first=80)
    assert by_pmap.indices.tolist() == [picks] * 8
    np.testing.assert_array_equal(by_pmap.labels.reshape(-1), found.labels)
    np.testing.assert_array_equal(by_pmap.radii, np.tile(found.radii, (8, 1)))
    assert found.indices.tolist() == picks
    np.testing.assert_allclose(found.radii, radii, rtol=1e-6)
    np.testing.assert_array_equal(found.labels, dist[:, picks].argmin(1))


def test_float64_and_gradients(x64):
    def value(x):
        order = kcenter.gonzalez(x, K, first=5)
        return jnp.sum(order.radii * jnp.arange(1, K + 1)), order

    value = jax.jit(jax.value_and_grad(value, has_aux=True))
    points = CLOUDS[0].astype(np.float64)
    direction = np.random.default_rng(1).normal(size=points.shape)
    ((_, order), slope), ((above, _), _), ((below, _), _) = (
        value(jax.device_put(points + step * direction)) for step in (0, 1e-6, -1e-6)
    )
    rise = (float(above) - float(below)) / 2e-6
    np.testing.assert_allclose(np.sum(np.asarray(slope) * direction), rise, rtol=1e-5)
    assert abs(rise) > 0.1
    narrow = orders()["whole", 0]
    assert order.radii.dtype == np.float64
    np.testing.assert_array_equal(order.indices, narrow.indices)
    np.testing.assert_array_equal(order.labels, narrow.labels)
    np.testing.assert_allclose(order.radii, narrow.radii, rtol=1e-6)
    copies = jax.device_put(np.repeat(points[:3], 30, axis=0))
    assert np.isfinite(value(copies)[1]).all()


def test_other_metrics():
    def chebyshev(x, y):
        return jnp.max(jnp.abs(x - y), axis=1)

    cloud = CLOUDS[1]
    norm = np.linalg.norm(cloud, axis=1)
    tables = {
        "sqeuclidean": oracles.pairwise(cloud) ** 2,
        "manhattan": np.abs(cloud[:, None] - cloud[None]).sum(-1),
        "cosine-angle": np.arccos(np.clip(cloud @ cloud.T / np.outer(norm, norm), -1, 1)),
        chebyshev: np.abs(cloud[:, None] - cloud[None]).max(-1),
    }

    def by_all(points, given):
        found = [kcenter.gonzalez(points, K, metric=metric) for metric in tables]
        by_table = functools.partial(kcenter.gonzalez, k=K, metric="precomputed")
        return found, jax.lax.map(by_table, given)

    given = np.stack(list(tables.values())).astype(np.float32)
    found, precomputed = jax.jit(by_all)(*jax.device_put((cloud, given)))
    precomputed = jax.tree.map(np.asarray, precomputed)
    for i, (order, dist) in enumerate(zip(found, tables.values(), strict=True)):
        picks, radii = oracles.farthest_first(dist, K)
        assert order.indices.tolist() == picks == precomputed.indices[i].tolist()
        np.testing.assert_allclose(order.radii, radii, rtol=1e-3)
        np.testing.assert_allclose(precomputed.radii[i], radii, rtol=1e-6)


def test_five_million_points():
    n = 5_000_000
    line = (np.arange(n) * 7919 % n).astype(np.float32)  # 0 to n − 1, each once
    order = jax.tree.map(np.asarray, kcenter.gonzalez(jax.device_put(line[:, None]), 3))
    assert line[order.indices[:2]].tolist() == [0, n - 1]
    np.testing.assert_allclose(line[order.indices[2]], n / 2, rtol=1e-6)
    np.testing.assert_allclose(order.radii, [n, n / 2, n / 4], rtol=1e-6)
    np.testing.assert_allclose(np.bincount(order.labels), [n / 4, n / 4, n / 2], rtol=1e-5)


def test_traced_distances_that_overflow_are_infinite():
    line = np.array([[0], [1], [5], [9], [-9]], np.float32) * np.float32(1e20)
    line, there = jax.device_put((line, np.arange(5) < 4))
    for use_pallas in (False, True):
        call = functools.partial(kcenter.gonzalez, k=2, mask=there, use_pallas=use_pallas)
        order = jax.jit(call)(line, first=0)
        assert order.radii.tolist() == [np.inf, np.inf]
        assert order.labels.tolist() == [0, 1, 0, 0, -1]  # −1 is a point that is not there
        assert jax.jit(call)(line, first=4).labels.tolist() == [1, 1, 1, 1, -1]
    slope = jax.jit(jax.grad(lambda line: jnp.sum(kcenter.gonzalez(line, 2).radii)))(line)
    assert not slope.any()


def test_large_and_half_coordinates_that_squares_have_room_for():
    for line in (np.array([0, 1, 5, 9], np.float32) * 2**58, np.arange(4, dtype=np.float16) * 40):
        order = kcenter.gonzalez(jax.device_put(line[:, None]), 2)
        assert order.indices.tolist() == [0, 3]
        assert order.radii[0] == line[3]


def test_half_clouds_far_out_and_of_many_coordinates():
    normals = np.random.default_rng(0).normal(size=(30, 512)) * 1.5
    away = normals[:, :2] + [200, -200]  # apart in one coordinate and the other, not in either
    for cloud, metric in (
        (normals, "euclidean"),
        (normals, "cosine-angle"),
        (away, "euclidean"),
        (away * 100, "manhattan"),
        (away * 100, "cosine-angle"),
    ):
        half = cloud.astype(np.float16)
        order = kcenter.gonzalez(jax.device_put(half), K, metric=metric)
        exact = kcenter.distance_matrix(
            jax.device_put(half.astype(np.float32)), order.indices, metric=metric
        )
        np.testing.assert_allclose(order.distances, exact.min(axis=1), rtol=0.02, atol=4e-3)


def test_padding_may_lie_anywhere():
    line = np.array([[0], [1], [5], [-1e30]], np.float32)
    order = kcenter.gonzalez(jax.device_put(line), 2, mask=jnp.arange(4) < 3)
    assert (order.indices.tolist(), order.radii.tolist()) == ([0, 2], [5, 1])


def test_bad_input(bad_input):
    points = np.zeros((4, 2), np.float32)
    line = np.arange(4, dtype=np.float32)[:, None]
    half = np.array([[0], [100], [500], [900]], np.float16)
    for match, call in {
        "k must be at least 1": lambda: kcenter.gonzalez(points, 0),
        "fewer points than k": lambda: kcenter.gonzalez(points, 5),
        "finite": lambda: kcenter.gonzalez(points + np.nan, 2),
        "no points": lambda: kcenter.gonzalez(points[:0], 1),
        "at least one coordinate": lambda: kcenter.gonzalez(points[:, :0], 1),
        "points: expected distances >= 0": lambda: kcenter.gonzalez(
            np.eye(4) - 1, 1, metric="precomputed"
        ),
        "finite entries": lambda: kcenter.gonzalez(points + np.float64(1e39), 2),
        "most 1.84e.19 apart, whose squared differences float32 holds": lambda: kcenter.gonzalez(
            line * np.float64(1e19), 1
        ),
        "whose squared differences float16 holds": lambda: kcenter.gonzalez(half, 2),
        "whose differences float16 holds": lambda: kcenter.gonzalez(
            (half - 450) * 100, 2, metric="manhattan"
        ),
        "coordinates with axis_name": lambda: kcenter.gonzalez(
            np.eye(4), 2, metric="precomputed", axis_name="x"
        ),
        "first": lambda: kcenter.gonzalez(points, 2, first=4),
        "unknown metric": lambda: kcenter.gonzalez(points, 2, metric="cosine"),
        "with use_pallas": lambda: kcenter.gonzalez(points, 2, metric="manhattan", use_pallas=True),
        "not masked away": lambda: kcenter.gonzalez(points, 2, mask=np.arange(4) > 0),
        "axis_name": lambda: kcenter.gonzalez_sharded(
            points, 2, mesh=Mesh(np.array(jax.devices()[:1]), ("x",))
        ),
    }.items():
        with pytest.raises(ValueError, match=match):
            call()
