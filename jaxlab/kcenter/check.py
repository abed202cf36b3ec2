"""A solution counted anew, on the host, in float64."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from jaxlab.checks import check_integer, check_shape
from jaxlab.kcenter.metrics import Metric, paired_distances
from jaxlab.kcenter.types import Report, Solution

__all__ = ["check_solution"]


def check_solution(
    points: ArrayLike,
    groups: ArrayLike,
    solution: Solution,
    *,
    k: int,
    min_size: int,
    lower: ArrayLike,
    upper: ArrayLike,
    metric: Metric = "euclidean",
    tolerance: float = 1e-5,
) -> Report:
    """Whether centers, sizes, groups and radius are what they must be.

    Args:
        points: coordinates; for "precomputed" the distances.
        groups: group of each point.
        solution: what is checked.
        k: largest number of centers.
        min_size: least number of points of a cluster.
        lower: least number of centers of each group.
        upper: largest number.
        metric: as of :func:`~jaxlab.kcenter.distance_matrix`.
        tolerance: by how much, relative to it, the stated radius may differ.

    Returns:
        Counts, radius, and a sentence for whatever is wrong.

    Raises:
        ValueError: ``k`` below 1; groups or labels that do not fit the points, a mask that does not
            fit the centers, ``upper`` of another length than ``lower``.

    Cost:
        O(n d).

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxlab.kcenter import fair_private_kcenter
        >>> line, groups = jnp.arange(4.0)[:, None], jnp.array([0, 0, 1, 1])
        >>> problem = {"k": 2, "min_size": 2, "lower": [1, 1], "upper": [1, 1]}
        >>> found = fair_private_kcenter(line, groups, **problem)
        >>> check_solution(line, groups, found, **problem).counts
        (2, 2)
        >>> check_solution(line, groups, found, **problem | {"min_size": 3}).violations[0]
        'slot 0 has 2 points, fewer than min_size = 3'
    """
    x, members = np.asarray(points), np.asarray(groups)
    check_shape("points", x, ("n", "d"))
    n = x.shape[0]
    check_shape("groups", members, (n,))
    check_integer("k", k, minimum=1)
    labels, centers = np.asarray(solution.labels), np.asarray(solution.centers)
    mask = np.asarray(solution.mask)
    check_shape("solution.labels", labels, (n,))
    check_shape("solution.mask", mask, centers.shape)
    low, high = np.asarray(lower), np.asarray(upper)
    check_shape("lower", low, ("m",))
    check_shape("upper", high, low.shape)
    wrong: list[str] = []

    def demand(condition: Any, sentence: str) -> None:
        if not bool(condition):
            wrong.append(sentence)

    own = centers[mask]
    demand(bool(solution.feasible), "the solution says itself that it is infeasible")
    demand(1 <= own.size <= k, f"there are {own.size} centers, not between 1 and k = {k}")
    valid = own.size > 0 and np.all((own >= 0) & (own < n))
    demand(valid, "centers must be points")
    demand(np.unique(own).size == own.size, "a point is a center twice")
    demand(np.all(centers[~mask] == -1), "slots that are not used must hold -1")
    fits = np.all((labels >= 0) & (labels < centers.size))
    fits = fits and np.all(mask[np.clip(labels, 0, centers.size - 1)])
    demand(fits, "labels must be slots that are used")
    counts = np.bincount(labels[(labels >= 0) & (labels < centers.size)], minlength=centers.size)
    for slot in np.flatnonzero(mask):
        size = counts[slot]
        sentence = f"slot {slot} has {size} points, fewer than min_size = {min_size}"
        demand(size >= min_size, sentence)
    number = np.bincount(members[own] if valid else own[:0], minlength=low.size)
    for c in range(low.size):
        sentence = f"group {c} has {number[c]} centers, not between {low[c]} and {high[c]}"
        demand(low[c] <= number[c] <= high[c], sentence)
    demand(np.array_equal(counts, solution.counts), "counts are not those of the labels")
    stated = np.asarray(solution.group_counts)
    demand(np.array_equal(number, stated), "group_counts are not those of the centers")
    radius = np.inf
    if valid and fits:
        radius = float(np.max(_distances(x, centers[labels], metric)))
        close = abs(radius - float(solution.radius)) <= tolerance * max(radius, 1e-12)
        demand(close, f"the radius is {radius:g}, not {float(solution.radius):g}")
        above = float(solution.lower_bound) <= radius * (1 + tolerance)
        demand(above, "the lower bound exceeds the radius")
    return Report(
        feasible=not wrong,
        radius=radius,
        counts=tuple(int(size) for size in counts),
        group_counts=tuple(int(size) for size in number),
        violations=tuple(wrong),
    )


def _distances(x: np.ndarray, own: np.ndarray, metric: Metric) -> np.ndarray:
    """Euclidean distances of all points to their own ones in float64; others as the solver's."""
    if metric == "euclidean":
        return np.linalg.norm(x.astype(np.float64) - x[own], axis=-1)
    if metric == "precomputed":
        return x[np.arange(len(x)), own]
    if not jnp.issubdtype(x.dtype, jnp.floating):
        x = x.astype(np.float64)  # differences of integers may wrap
    return np.asarray(paired_distances(jnp.asarray(x), None, jnp.asarray(own), metric))
