"""Small random problems of one shape, with their optima."""

import functools
from typing import NamedTuple

import jax
import numpy as np

from jaxlab.kcenter.oracles import milp_optimum

N, K, M = 18, 4, 3
NUMBER = 15


class Instance(NamedTuple):
    points: np.ndarray
    groups: np.ndarray
    min_size: int
    lower: np.ndarray
    upper: np.ndarray
    optimum: float

    @property
    def arrays(self):
        """Points and groups on the device, without a program to convert them."""
        return jax.device_put((self.points, self.groups))

    @property
    def problem(self):
        return {"k": K, "min_size": self.min_size, "lower": self.lower, "upper": self.upper}


def random_points(rng, n=N):
    """Gaussian points, each stretched by its own factor."""
    points = rng.normal(size=(n, 2)) * rng.choice([0.2, 1.0, 3.0], (n, 1))
    return points.astype(np.float32)


def random_instances(number=NUMBER):
    """The first so many of all instances, which are made once."""
    return _instances()[:number]


@functools.cache
def _instances():
    """All groups present, balanced quotas with slack, sizes from 1 to n / k; feasible ones."""
    rng, found = np.random.default_rng(0), []
    while len(found) < NUMBER:
        points = random_points(rng)
        groups = rng.permutation(np.append(np.arange(M), rng.integers(0, M, N - M)))
        size = np.bincount(groups, minlength=M)
        quota = np.full(M, K // M) + (np.arange(M) < K % M)
        lower = np.minimum(np.maximum(quota - rng.integers(0, 2, M), 0), size)
        upper = np.minimum(quota + rng.integers(0, 2, M), size)
        if upper.sum() < K:
            upper = size
        min_size = int(rng.integers(1, N // K + 1))
        best = milp_optimum(points, groups, K, min_size, lower, upper)
        groups, lower, upper = (part.astype(np.int32) for part in (groups, lower, upper))
        found.append(Instance(points, groups, min_size, lower, upper, best.radius))
    return found
