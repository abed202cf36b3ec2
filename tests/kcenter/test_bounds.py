"""No solution found by trying all beats the bound."""

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
    tight = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        cloud = (rng.normal(size=(N, 2)) * rng.choice([0.2, 1, 3], (N, 1))).astype(np.float32)
        for size in (0, 2, 5):
            best = private_optimum(oracles.pairwise(cloud), 2, size)
            points = jax.device_put(cloud)
            bound = kcenter.lower_bound(points, 2, size)
            every = kcenter.lower_bound(points, 2, size, probes=jnp.arange(N))
            assert bound <= every <= best * (1 + 1e-6)
            tight.append(every / best)
    assert max(tight) > 0.7


def test_the_bounds_are_what_they_are():
    line = jnp.array([[0.0], [1.0], [2.0], [9.0]])
    sizes = jnp.array([0, 2, 4, 5])
    bounds = jax.vmap(lambda size: kcenter.lower_bound(line, 2, size))(sizes)
    assert bounds.tolist() == [1.0, 3.5, 4.5, np.inf]


def test_bad_input(bad_input):
    points = jnp.zeros((4, 2))
    with pytest.raises(ValueError, match="triangle inequality"):
        kcenter.lower_bound(points, 2, 1, metric="sqeuclidean")
    with pytest.raises(ValueError, match="min_size"):
        kcenter.lower_bound(points, 2, -1)
    with pytest.raises(ValueError, match="probes"):
        kcenter.lower_bound(points, 2, 1, probes=jnp.zeros(2))
