"""No solution found by trying all beats the bound."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab import kcenter
from tests.kcenter import oracles_traversal as oracles

N = 11


def private_optimum(dist, k, size):
    """Least radius over all sets of at most ``k`` centers with ``size`` points each."""
    n = len(dist)
    sets = [c for count in range(1, k + 1) for c in itertools.combinations(range(n), count)]
    return min(
        max(dist[:, c].min(1).max(), oracles.hall_radius(dist[:, c], size)) for c in map(list, sets)
    )


def test_optimum_is_not_below():
    rng = np.random.default_rng(0)
    clouds = (rng.normal(size=(6, N, 2)) * rng.choice([0.2, 1, 3], (6, N, 1))).astype(np.float32)
    sizes = (0, 2, 5)

    @jax.jit
    def bounds(clouds, sizes):
        def of(points):
            every = functools.partial(kcenter.lower_bound, points, 2, probes=jnp.arange(N))
            return jax.lax.map(every, sizes)

        return jax.lax.map(of, clouds)

    scaled = np.concatenate([clouds, clouds * np.float32(3.7)])
    found = np.asarray(bounds(*jax.device_put((scaled, np.array(sizes, np.int32)))))
    best = [[private_optimum(oracles.pairwise(x), 2, size) for size in sizes] for x in clouds]
    assert (found[:6] <= np.array(best) * (1 + 1e-6)).all()
    assert np.max(found[:6] / best) > 0.7
    np.testing.assert_allclose(found[6:], 3.7 * found[:6], rtol=1e-6)


def test_the_bounds_are_what_they_are():
    line = jnp.array([[0.0], [1.0], [2.0], [9.0]])
    bounds = [kcenter.lower_bound(line, 2, size).tolist() for size in (0, 2, 4, 5)]
    assert bounds == [1.0, 3.5, 4.5, np.inf]
    for probes, bound in (([3, -1], 3.5), ([-1], 1.0)):
        found = kcenter.lower_bound(line, 2, 2, probes=jnp.array(probes))
        assert float(found) == bound
    line = jnp.arange(200.0)[:, None]  # more points than int8 counts
    assert float(kcenter.lower_bound(line, 1, 2, probes=jnp.array([9, -1], jnp.int8))) == 99.5


def test_bad_input(bad_input):
    points = np.zeros((4, 2), np.float32)
    with pytest.raises(ValueError, match="triangle inequality"):
        kcenter.lower_bound(points, 2, 1, metric="sqeuclidean")
    with pytest.raises(ValueError, match="min_size"):
        kcenter.lower_bound(points, 2, -1)
    with pytest.raises(ValueError, match="probes"):
        kcenter.lower_bound(points, 2, 1, probes=np.zeros(2))
    for probe in (-2, 4):
        with pytest.raises(ValueError, match="probes: expected points, 0 <= probe < 4"):
            kcenter.lower_bound(points, 2, 1, probes=np.array([probe]))
