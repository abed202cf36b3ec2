"""Independent answers, by numpy and scipy."""

import itertools

import numpy as np
import scipy.sparse
from scipy.sparse.csgraph import maximum_flow


def farthest_first(dist, k, first=0):
    """Picks and covering radii from all pairwise distances."""
    picks, nearest, radii = [first], dist[:, first].copy(), []
    for _ in range(k):
        radii.append(nearest.max())
        picks.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, dist[:, picks[-1]])
    return picks[:k], np.array(radii)


def pairwise(x, y=None):
    x, y = np.asarray(x, np.float64), np.asarray(x if y is None else y, np.float64)
    return np.sqrt(np.square(x[:, None] - y[None]).sum(-1))


def hall_radius(dist, size, weights=None):
    """The largest over all sets of centers of the radius at which it reaches what it needs."""
    n, k = dist.shape
    units = np.ones(n, int) if weights is None else weights
    worst = 0.0
    for count in range(1, k + 1) if size else ():
        for chosen in itertools.combinations(range(k), count):
            nearest = dist[:, chosen].min(1)
            order = np.argsort(nearest, kind="stable")
            reached = np.searchsorted(np.cumsum(units[order]), size * count)
            worst = max(worst, nearest[order[reached]] if reached < n else np.inf)
    return worst


def flow_serves(dist, size, radius):
    """Whether scipy's maximum flow gives every center ``size`` points within ``radius``."""
    n, k = dist.shape
    source, sink = n + k, n + k + 1
    point, center = np.nonzero(dist <= radius)
    tail = np.concatenate([np.full(n, source), point, n + np.arange(k)])
    head = np.concatenate([np.arange(n), n + center, np.full(k, sink)])
    capacity = np.concatenate([np.ones(n + len(point)), np.full(k, size)]).astype(np.int32)
    graph = scipy.sparse.csr_matrix((capacity, (tail, head)), shape=(n + k + 2, n + k + 2))
    return maximum_flow(graph, source, sink).flow_value == size * k


def optimal_radius(dist, k):
    """Least covering radius of ``k`` points, by trying all."""
    n = len(dist)
    return min(dist[:, list(c)].min(1).max() for c in itertools.combinations(range(n), min(k, n)))
