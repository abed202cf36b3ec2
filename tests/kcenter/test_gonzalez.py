"""Farthest-first order against a numpy loop, its kernel and its sharded form."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

from jaxlab import kcenter
from tests.kcenter import oracles_traversal as oracles

N, D, K = 90, 3, 7
CLOUDS = np.random.default_rng(0).normal(size=(4, N, D)).astype(np.float32)


def official(name):
    folder = os.environ.get("JAXLAB_DATA")
    path = Path(folder or ".") / "kcenter" / f"{name}.npz"
    if not folder or not path.exists():
        pytest.skip(f"{name}.npz of the official repository is not below $JAXLAB_DATA")
    return np.load(path)["x"].astype(np.float32)


def test_numpy_loop():
    for cloud in CLOUDS:
        dist = oracles.pairwise(cloud)
        order = kcenter.gonzalez(jax.device_put(cloud), K, first=5)
        picks, radii = oracles.farthest_first(dist, K, first=5)
        assert order.indices.tolist() == picks
        np.testing.assert_allclose(order.radii, radii, rtol=1e-6)
        np.testing.assert_allclose(order.distances, dist[:, picks].min(1), rtol=1e-5, atol=1e-7)
        np.testing.assert_array_equal(order.labels, dist[:, picks].argmin(1))
        apart = dist[np.ix_(picks, picks)][np.triu_indices(K, 1)]
        assert apart.min() >= radii[K - 2] * (1 - 1e-6)


def test_two_approximation():
    for seed in range(5):
        cloud = np.random.default_rng(seed).normal(size=(11, 2)).astype(np.float32)
        order = kcenter.gonzalez(jax.device_put(cloud), 3)
        best = oracles.optimal_radius(oracles.pairwise(cloud), 3)
        assert best * (1 - 1e-6) <= order.radii[-1] <= 2 * best * (1 + 1e-6)


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


def test_masked_clouds_under_vmap_are_a_loop():
    sizes = [N, N - 1, 40, 4]
    masks = np.arange(N) < np.array(sizes)[:, None]
    clouds = np.where(masks[..., None], CLOUDS, 1e6).astype(np.float32)
    together = jax.vmap(lambda cloud, mask: kcenter.gonzalez(cloud, K, mask=mask))(
        jax.device_put(clouds), jax.device_put(masks)
    )
    for i, size in enumerate(sizes):
        picks, radii = oracles.farthest_first(oracles.pairwise(CLOUDS[i, :size]), min(K, size))
        assert together.indices[i].tolist() == picks + [-1] * (K - len(picks))
        np.testing.assert_allclose(together.radii[i, : len(picks) - 1], radii[:-1], rtol=1e-6)
        assert together.labels[i, size:].tolist() == [-1] * (N - size)
        assert not together.distances[i, size:].any()
    assert together.radii[3, 3:].tolist() == [0.0] * (K - 3)


def test_duplicates_are_never_picked_twice():
    cloud = np.repeat(CLOUDS[0, :3], 30, axis=0)
    order = kcenter.gonzalez(jax.device_put(cloud), K)
    assert len(set(order.indices.tolist())) == K
    assert sorted(order.indices[:3].tolist()) == [0, 30, 60]
    assert order.indices[3:].tolist() == [1, 2, 3, 4]
    assert order.radii[2:].tolist() == [0.0] * (K - 2)
    slope = jax.grad(lambda x: jnp.sum(kcenter.gonzalez(x, K).radii))(jax.device_put(cloud))
    assert np.isfinite(slope).all()


def test_eager_and_kernel_and_shards_agree(devices):
    points = jax.device_put(CLOUDS[0])
    order = kcenter.gonzalez(points, K, first=3)
    kernel = kcenter.gonzalez(points, K, first=3, use_pallas=True)
    mesh = Mesh(np.array(devices), ("data",))
    sharded = kcenter.gonzalez_sharded(points, K, first=3, mesh=mesh)  # 90 = 8 · 12 − 6
    for found in (kernel, sharded):
        np.testing.assert_array_equal(found.indices, order.indices)
        np.testing.assert_array_equal(found.labels, order.labels)
        np.testing.assert_allclose(found.radii, order.radii, rtol=1e-6)
        np.testing.assert_allclose(found.distances, order.distances, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(sharded.radii, order.radii)


def test_inside_shard_map(devices):
    points = jax.device_put(CLOUDS[0, :88])
    split, whole = PartitionSpec("x"), PartitionSpec()
    found = jax.shard_map(
        lambda part: kcenter.gonzalez(part, K, first=80, axis_name="x"),
        mesh=Mesh(np.array(devices), ("x",)),
        in_specs=split,
        out_specs=kcenter.Gonzalez(whole, whole, split, split),
        check_vma=False,
    )(points)
    dist = oracles.pairwise(CLOUDS[0, :88])
    picks, radii = oracles.farthest_first(dist, K, first=80)
    assert found.indices.tolist() == picks
    np.testing.assert_allclose(found.radii, radii, rtol=1e-6)
    np.testing.assert_array_equal(found.labels, dist[:, picks].argmin(1))


def test_gradient_of_radii(x64):
    points = jax.device_put(CLOUDS[0].astype(np.float64))
    radius = jax.jit(lambda x: jnp.sum(kcenter.gonzalez(x, K).radii * jnp.arange(1, K + 1)))
    slope = jax.grad(radius)(points)
    direction = np.random.default_rng(1).normal(size=points.shape)
    rise = (radius(points + 1e-6 * direction) - radius(points - 1e-6 * direction)) / 2e-6
    np.testing.assert_allclose(jnp.sum(slope * direction), rise, rtol=1e-5)
    assert abs(rise) > 0.1


def test_other_metrics():
    cloud, points = CLOUDS[1], jax.device_put(CLOUDS[1])
    norm = np.linalg.norm(cloud, axis=1)
    tables = {
        "sqeuclidean": oracles.pairwise(cloud) ** 2,
        "manhattan": np.abs(cloud[:, None] - cloud[None]).sum(-1),
        "cosine-angle": np.arccos(np.clip(cloud @ cloud.T / np.outer(norm, norm), -1, 1)),
    }
    for metric, dist in tables.items():
        order = kcenter.gonzalez(points, K, metric=metric)
        assert order.indices.tolist() == oracles.farthest_first(dist, K)[0]
        table = kcenter.gonzalez(jax.device_put(dist.astype(np.float32)), K, metric="precomputed")
        np.testing.assert_array_equal(table.indices, order.indices)
        np.testing.assert_allclose(table.radii, order.radii, rtol=1e-3)

    def chebyshev(x, y):
        return jnp.max(jnp.abs(x - y), axis=1)

    order = kcenter.gonzalez(points, K, metric=chebyshev)
    dist = np.abs(cloud[:, None] - cloud[None]).max(-1)
    assert order.indices.tolist() == oracles.farthest_first(dist, K)[0]


def test_five_million_points():
    n = 5_000_000
    line = (np.arange(n) * 7919 % n).astype(np.float32)  # 0 to n − 1, each once
    order = kcenter.gonzalez(jax.device_put(line[:, None]), 3)
    assert line[order.indices[:2]].tolist() == [0, n - 1]
    np.testing.assert_allclose(line[order.indices[2]], n / 2, rtol=1e-6)
    np.testing.assert_allclose(order.radii, [n, n / 2, n / 4], rtol=1e-6)
    np.testing.assert_allclose(np.bincount(order.labels), [n / 4, n / 4, n / 2], rtol=1e-5)


def test_bad_input(bad_input):
    points = jnp.zeros((4, 2))
    for match, call in {
        "k must be at least 1": lambda: kcenter.gonzalez(points, 0),
        "fewer points than k": lambda: kcenter.gonzalez(points, 5),
        "finite": lambda: kcenter.gonzalez(points.at[0, 0].set(jnp.nan), 2),
        "no points": lambda: kcenter.gonzalez(points[:0], 1),
        "first": lambda: kcenter.gonzalez(points, 2, first=4),
        "unknown metric": lambda: kcenter.gonzalez(points, 2, metric="cosine"),
        "with use_pallas": lambda: kcenter.gonzalez(points, 2, metric="manhattan", use_pallas=True),
        "not masked away": lambda: kcenter.gonzalez(points, 2, mask=jnp.arange(4) > 0),
        "axis_name": lambda: kcenter.gonzalez_sharded(
            points, 2, mesh=Mesh(np.array(jax.devices()[:1]), ("x",))
        ),
    }.items():
        with pytest.raises(ValueError, match=match):
            call()
