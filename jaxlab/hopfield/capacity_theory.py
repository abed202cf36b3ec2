"""Closed forms for random bipolar patterns, to compare measurements with; on the host."""

import math

from jaxlab.checks import check_bool, check_integer, require

__all__ = ["one_step_error_rate", "sdm_overlap_probability"]


def one_step_error_rate(n: int, d: int, *, zero_diagonal: bool) -> float:
    """Probability that one step turns a bit of a stored pattern, for random bipolar patterns.

    The crosstalk of the other patterns is a sum of ``(n−1)(d−1)`` random signs, and with the
    diagonal the neuron's own state adds ``n − 1`` to the signal::

        with diagonal   Φ(−(d + n − 1) / √((n−1)(d−1)))
        zero diagonal   Φ(−√((d−1) / (n−1)))

    Args:
        n: number of stored patterns.
        d: number of neurons, at least 2.
        zero_diagonal: whether self-connections are removed.

    Returns:
        The normal approximation of the probability, a Python float.

    Raises:
        ValueError: ``n`` below 1 or ``d`` below 2.

    Cost: O(1).

    Source: the signal-to-noise argument of Hopfield 1982 and McEliece et al. 1987.

    Example:
        >>> round(one_step_error_rate(100, 400, zero_diagonal=True), 4)
        0.0223
        >>> round(one_step_error_rate(100, 400, zero_diagonal=False), 5)
        0.00602
    """
    check_bool("zero_diagonal", zero_diagonal)
    check_integer("n", n, minimum=1)
    check_integer("d", d, minimum=2)
    if n == 1:
        return 0.0
    signal = d - 1 if zero_diagonal else d + n - 1
    return 0.5 * math.erfc(signal / math.sqrt(2 * (n - 1) * (d - 1)))


def sdm_overlap_probability(dim: int, radius: int, distance: int) -> float:
    """Probability that a random location is within ``radius`` of both of two addresses.

    With ``D`` the distance of the addresses, over the numbers ``i`` of bits outside and ``j`` of
    bits inside their difference in which the location differs from the first address::

        2^{−d} Σ_{i+j ≤ r, i+D−j ≤ r} C(d−D, i) C(D, j)

    Args:
        dim: bits ``d`` of an address.
        radius: activation radius ``r``.
        distance: Hamming distance ``D`` of the addresses; 0 gives the probability of activation.

    Returns:
        The probability, exact up to its rounding to a Python float.

    Raises:
        ValueError: ``dim`` below 1, ``radius`` below 0, ``distance`` outside ``[0, dim]``.

    Cost: O(min(r, d) D) operations on integers of ``d`` bits.

    Source: Kanerva 1988, appendix B; Millidge et al. 2022, section 3.2.

    Example:
        >>> [round(sdm_overlap_probability(100, 40, distance), 5) for distance in (0, 10, 20, 40)]
        [0.02844, 0.01302, 0.00747, 0.00198]
    """
    check_integer("dim", dim, minimum=1)
    check_integer("radius", radius, minimum=0)
    check_integer("distance", distance, minimum=0)
    require(distance <= dim, "distance", distance, f"at most dim = {dim}")
    count = sum(
        math.comb(dim - distance, i) * math.comb(distance, j)
        for j in range(distance + 1)
        for i in range(min(dim - distance, radius - j, radius - distance + j) + 1)
    )
    return count / 2**dim
