"""Tables of distances against numpy and scipy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from jaxlab.kcenter import distance_matrix, distances_to
from jaxlab.kcenter.metrics import safe_sqrt

RNG = np.random.default_rng(2)


@pytest.mark.parametrize("d", [3, 37])  # 37: two blocks of coordinates and a rest
def test_scipy(d):
    x = RNG.normal(size=(20, d)).astype(np.float32)
    centers = jax.device_put(np.array([4, 0, -1], np.int32))
    names = {"euclidean": "euclidean", "manhattan": "cityblock", "sqeuclidean": "sqeuclidean"}
    for metric, name in names.items():
        table = distance_matrix(jax.device_put(x), centers, metric=metric)
        np.testing.assert_allclose(table[:, :2], cdist(x, x[[4, 0]], name), rtol=1e-5, atol=1e-6)
        assert np.isinf(table[:, 2]).all()
    angle = distance_matrix(jax.device_put(x), jax.device_put(x[:3]), metric="cosine-angle")
    expected = np.arccos(np.clip(1 - cdist(x, x[:3], "cosine"), -1, 1))
    np.testing.assert_allclose(angle, expected, atol=2e-4)


def test_blocks_change_nothing():
    x = jax.device_put(RNG.normal(size=(20, 3)).astype(np.float32))
    whole = distance_matrix(x, x[:4])
    np.testing.assert_array_equal(distance_matrix(x, x[:4], block_size=7), whole)
    np.testing.assert_array_equal(
        distance_matrix(whole @ whole.T, jnp.array([3, 1]), metric="precomputed"),
        (whole @ whole.T)[:, [3, 1]],
    )
    np.testing.assert_allclose(distances_to(x, x[2]), whole[:, 2], rtol=1e-6)


def test_gradient_is_zero_at_distance_zero():
    x = jax.device_put(RNG.normal(size=(20, 3)).astype(np.float32))
    for metric in ("euclidean", "cosine-angle"):
        slope = jax.grad(lambda c, m=metric: jnp.sum(distance_matrix(x, c, metric=m)))(x[:4])
        assert np.isfinite(slope).all()
    assert jax.grad(safe_sqrt)(0.0) == 0


def test_near_points_keep_their_digits():
    x = np.array([[1000.0, 1000.0], [1000.0, 1000.001]], np.float32)
    expected = np.float64(x[1, 1]) - np.float64(x[0, 1])
    assert distances_to(jax.device_put(x), jax.device_put(x[0]))[1] == np.float32(expected)


def test_bad_input(bad_input):
    x = jnp.zeros((4, 2))
    with pytest.raises(ValueError, match="unknown metric"):
        distance_matrix(x, x, metric="cosine")
    with pytest.raises(ValueError, match="centers: expected shape"):
        distance_matrix(x, jnp.zeros((3, 1)))
    with pytest.raises(ValueError, match="indices of points"):
        distance_matrix(jnp.zeros((4, 4)), jnp.zeros((4, 4)), metric="precomputed")
    with pytest.raises(ValueError, match="points: expected shape"):
        distance_matrix(x, jnp.array([0]), metric="precomputed")
    with pytest.raises(ValueError, match="block_size"):
        distance_matrix(x, x, block_size=0)
    with pytest.raises(ValueError, match="center"):
        distances_to(x, jnp.zeros(3))
