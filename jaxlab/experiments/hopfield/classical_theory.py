"""What one read of a sparse distributed memory gets wrong, in closed form, on the host.

The memory has ``R`` random hard locations; ``p(D)`` is the probability that one is active for two
addresses at distance ``D`` (:func:`jaxlab.hopfield.capacity_theory.sdm_overlap_probability`), and
the values are independent of the addresses. A read at distance ``D`` from a written address finds
``n`` active locations and sums ``o`` copies of the right value, from those active for both, and
``N − 1`` other values, each as often as one of the ``n`` is active for its address. Given ``n`` and
``o`` the sum is normal in the limit of many values, with mean ``o`` times the right bit and

    variance = (N − 1) (n p(0) + n (n − 1) c)

where ``c`` is the mean of ``p`` over the distance of two random locations in one ball of the
radius. The error is ``Φ(−o / √variance)``, averaged over ``n ~ Bin(R, p(0))`` and
``o ~ Bin(n, p(D) / p(0))``.
"""

import functools
import math

import numpy as np
from scipy.special import gammaln, ndtr
from scipy.stats import binom, hypergeom

from jaxlab.hopfield.capacity_theory import sdm_overlap_probability

__all__ = ["sdm_read_error"]


def sdm_read_error(dim: int, radius: int, locations: int, count: int, distance: int) -> float:
    """Probability of a wrong bit in one read from a sparse distributed memory.

    Args:
        dim: bits of an address.
        radius: largest Hamming distance at which a location is active.
        locations: number ``R`` of hard locations.
        count: number ``N`` of written pairs of address and independent value.
        distance: Hamming distance of the query to the written address.

    Example:
        >>> round(sdm_read_error(50, 18, 2_000, 100, 5), 3)
        0.179
    """
    active = sdm_overlap_probability(dim, radius, 0)
    share = sdm_overlap_probability(dim, radius, distance) / active
    pair = _pair_overlap(dim, radius)
    expected = locations * active
    spread = 8 * math.sqrt(expected) + 10
    numbers = np.arange(max(0, int(expected - spread)), int(expected + spread))
    error = 0.0
    for n, chance in zip(numbers, binom.pmf(numbers, locations, active), strict=True):
        both = np.arange(n + 1)
        variance = (count - 1) * (n * active + n * (n - 1) * pair)
        # without crosstalk any right vote decides; without votes the read is a toss
        argument = both / math.sqrt(variance) if variance > 0 else np.where(both > 0, np.inf, 0.0)
        error += float(chance * np.sum(binom.pmf(both, n, share) * ndtr(-argument)))
    return error


@functools.cache
def _pair_overlap(dim: int, radius: int) -> float:
    """Mean overlap probability over the distance of two random locations of one ball."""
    shells = np.arange(radius + 1)
    logs = gammaln(dim + 1) - gammaln(shells + 1) - gammaln(dim - shells + 1)
    weight = np.exp(logs - logs.max())
    weight /= weight.sum()
    outer = shells[weight > 1e-9]  # nearly all of a ball lies in its outermost shells
    chance = np.zeros(dim + 1)
    for i in outer:
        for j in outer:
            shared = np.arange(max(0, i + j - dim), min(i, j) + 1)
            pmf = hypergeom.pmf(shared, dim, i, j)
            np.add.at(chance, i + j - 2 * shared, weight[i] * weight[j] * pmf)
    distances = np.flatnonzero(chance > 1e-9)
    overlap = [sdm_overlap_probability(dim, radius, int(distance)) for distance in distances]
    return float(np.dot(chance[distances], overlap))
