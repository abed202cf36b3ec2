"""The optimum of small problems, on the host."""

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Int
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, sparse

from jaxlab.checks import check_integer, check_shape, require

__all__ = ["Optimum", "brute_force_optimum", "milp_optimum"]

EXHAUSTIVE = 20  # points, at most


class Optimum(NamedTuple):
    """A best solution.

    Attributes:
        radius: the least radius; infinite where no centers meet the bounds.
        centers: points that are centers.
        labels: center of each point, a position in ``centers``.
    """

    radius: float
    centers: Int[NDArray, " c"]
    labels: Int[NDArray, " n"]


def milp_optimum(
    points: ArrayLike,
    groups: ArrayLike,
    k: int,
    min_size: int,
    lower: ArrayLike,
    upper: ArrayLike,
) -> Optimum:
    """The optimum by integer programming, for some tens of points.

    By bisection over the pairwise distances, each of which asks whether
    ``0 ≤ x_pc ≤ y_c`` (only for ``d(p, c) ≤ r``), ``Σ_c x_pc = 1``, ``Σ_p x_pc ≥ L y_c``,
    ``1 ≤ Σ y ≤ k`` and ``a ≤ Σ_group y ≤ b`` have a solution with binary ``y``.

    Args:
        points: coordinates, ``[n, d]``; Euclidean.
        groups: group of each point.
        k: largest number of centers.
        min_size: least number of points of a cluster.
        lower: least number of centers of each group.
        upper: largest number.

    Returns:
        A solution of least radius.

    Raises:
        ValueError: shapes that disagree.

    Cost:
        O(log n) integer programs of ``n`` binary and at most ``n²`` continuous variables.

    Example:
        >>> line = np.array([[0.0], [1.0], [2.0], [7.0], [8.0], [9.0]])
        >>> milp_optimum(line, [0, 0, 1, 0, 0, 1], 2, 3, [0, 0], [2, 2]).radius
        1.0
    """
    dist, members, low, high = _problem(points, groups, k, min_size, lower, upper)
    n = dist.shape[0]
    # variables y_c, then x_pc
    none, eye, every = sparse.csr_array((n, n)), sparse.eye_array(n), np.ones((1, n))
    by_point = sparse.hstack([none, sparse.kron(eye, every)])
    by_center = sparse.hstack([-min_size * eye, sparse.kron(every, eye)])
    only_open = sparse.hstack([-sparse.kron(every.T, eye), sparse.eye_array(n * n)])
    chosen = np.vstack([np.ones(n), members == np.arange(low.size)[:, None]])
    totals = sparse.hstack([sparse.csr_array(chosen), sparse.csr_array((low.size + 1, n * n))])
    constraints = [
        optimize.LinearConstraint(by_point, 1, 1),
        optimize.LinearConstraint(by_center, 0, np.inf),
        optimize.LinearConstraint(only_open, -np.inf, 0),
        optimize.LinearConstraint(totals, np.append(1, low), np.append(k, high)),
    ]
    integral = np.append(np.ones(n), np.zeros(n * n))

    def attempt(radius: float) -> NDArray | None:
        found = optimize.milp(
            np.zeros(n + n * n),
            constraints=constraints,
            integrality=integral,
            bounds=optimize.Bounds(0, np.append(np.ones(n), (dist <= radius).ravel())),
        )
        return None if found.x is None else np.flatnonzero(found.x[:n] > 0.5)

    radii, best = np.unique(dist), None
    low_at, high_at = 0, radii.size
    while low_at < high_at:
        middle = (low_at + high_at) // 2
        centers = attempt(float(radii[middle]))
        if centers is None:
            low_at = middle + 1
        else:
            best, high_at = centers, middle
    if best is None:
        return _impossible(n)
    labels = _private_labels(dist[:, best], min_size, float(radii[high_at]))
    assert labels is not None  # x of the program is such an assignment
    return Optimum(float(radii[high_at]), best, labels)


def brute_force_optimum(
    points: ArrayLike,
    groups: ArrayLike,
    k: int,
    min_size: int,
    lower: ArrayLike,
    upper: ArrayLike,
) -> Optimum:
    """The optimum by trying all sets of at most ``k`` centers, for at most 20 points.

    Args:
        points: coordinates, ``[n, d]``; Euclidean.
        groups: group of each point.
        k: largest number of centers.
        min_size: least number of points of a cluster.
        lower: least number of centers of each group.
        upper: largest number.

    Returns:
        A solution of least radius.

    Raises:
        ValueError: shapes that disagree; more than 20 points.

    Cost:
        A bipartite matching for each set of centers, and for each improvement.

    Example:
        >>> line = np.array([[0.0], [1.0], [2.0], [7.0], [8.0], [9.0]])
        >>> brute_force_optimum(line, [0, 0, 1, 0, 0, 1], 2, 3, [1, 1], [1, 1]).radius
        2.0
    """
    dist, members, low, high = _problem(points, groups, k, min_size, lower, upper)
    n = dist.shape[0]
    require(n <= EXHAUSTIVE, "points", np.asarray(points), f"at most {EXHAUSTIVE} points")
    radii = np.unique(dist)
    best, at = _impossible(n), radii.size
    for size in range(1, k + 1):
        for chosen in itertools.combinations(range(n), size):
            centers = np.array(chosen)
            number = np.bincount(members[centers], minlength=low.size)
            if np.any((number < low) | (number > high)):
                continue
            while at > 0:
                radius = float(radii[at - 1])
                labels = _private_labels(dist[:, centers], min_size, radius)
                if labels is None:
                    break
                best, at = Optimum(radius, centers, labels), at - 1
    return best


def _problem(
    points: ArrayLike,
    groups: ArrayLike,
    k: int,
    min_size: int,
    lower: ArrayLike,
    upper: ArrayLike,
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Pairwise distances, groups, and bounds."""
    x, members = np.asarray(points, np.float64), np.asarray(groups)
    check_shape("points", x, ("n", "d"))
    check_shape("groups", members, (x.shape[0],))
    check_integer("k", k, minimum=1)
    check_integer("min_size", min_size, minimum=0)
    low, high = np.asarray(lower), np.asarray(upper)
    check_shape("lower", low, ("m",))
    check_shape("upper", high, low.shape)
    return np.linalg.norm(x[:, None] - x, axis=-1), members, low, high


def _impossible(n: int) -> Optimum:
    return Optimum(np.inf, np.zeros(0, np.int64), np.full(n, -1))


def _private_labels(dist: NDArray, min_size: int, radius: float) -> NDArray | None:
    """Points to centers within the radius, ``min_size`` to each, if that can be."""
    near = dist <= radius
    if not np.all(near.any(axis=1)):
        return None
    labels = np.argmin(dist, axis=1)
    if min_size == 0:
        return labels
    places = sparse.csr_array(np.repeat(near, min_size, axis=1))
    point_of = sparse.csgraph.maximum_bipartite_matching(places, perm_type="row")
    if np.any(point_of < 0):
        return None
    labels[point_of] = np.arange(point_of.size) // min_size
    return labels
