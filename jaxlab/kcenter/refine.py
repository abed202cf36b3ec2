"""Moving each center to the middle of its cluster."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxlab.checks import check_integer, check_shape, require
from jaxlab.kcenter._checks import check_labels, check_min_size, check_problem
from jaxlab.kcenter._solution import Radii, finished
from jaxlab.kcenter._trials import EXTREMES, SHORTLIST, Chosen, best_of
from jaxlab.kcenter.metrics import Metric
from jaxlab.kcenter.types import Solution

__all__ = ["refine_minimax"]


def refine_minimax(
    points: Float[Array, "n d"],
    groups: Int[Array, " n"],
    solution: Solution,
    *,
    min_size: int | Int[Any, ""],
    steps: int = 8,
    extremes: int = EXTREMES,
    shortlist: int = SHORTLIST,
    metric: Metric = "euclidean",
) -> Solution:
    """Replace each center by the point of its group that is best for its cluster, then reassign.

    ``c' = argmin_{q of the group of c} max_{p in the cluster} d(p, q)``, over points that are not
    centers. All candidates are screened by their distance to some extreme members of the cluster,
    found farthest first, and the best of them compared over all members. Points are then assigned
    anew by :func:`private_assignment`. Where that does not lower the radius, groups change places:
    a matching gives them to clusters such that the worst cluster is as good as can be, by its
    extreme members. Where that does not help either, the last centers stay.

    Args:
        points: coordinates; for "precomputed" the distances.
        groups: group of each point.
        solution: centers and labels to begin with.
        min_size: least number of points of a cluster.
        steps: largest number of rounds that lower the radius; static.
        extremes: members by which candidates are screened; static.
        shortlist: candidates that are compared over all members; static.
        metric: as of :func:`~jaxlab.kcenter.distance_matrix`, but no squares; static.

    Returns:
        A solution with as many centers of each group, and a radius that is not larger; not feasible
        where the start was not, or where it had clusters that are too small and they remain.

    Raises:
        ValueError: shapes that disagree; numbers below 1; groups that the solution does not count;
            a radius of another dtype than the points; "sqeuclidean", which is no metric.

    Cost:
        For each round ``extremes`` passes for each center, O(n k d extremes), and one private
        assignment or two; a table of ``n k``.

    Example:
        >>> from jaxlab.kcenter import fair_private_kcenter
        >>> line, groups = jnp.array([[0.0], [1.0], [2.0], [9.0]]), jnp.array([0, 0, 0, 1])
        >>> problem = {"k": 2, "min_size": 1, "lower": [1, 1], "upper": [1, 1]}
        >>> end = fair_private_kcenter(line, groups, **problem)
        >>> better = refine_minimax(line, groups, end, min_size=1)
        >>> float(end.radius), float(better.radius), better.centers.tolist()
        (2.0, 1.0, [1, 3])
    """
    check_shape("solution.centers", solution.centers, ("k",))
    k, m = solution.centers.shape[0], solution.group_counts.shape[0]
    check_problem(points, groups, k, metric=metric)
    check_labels(groups, m)
    check_shape("solution.labels", solution.labels, (points.shape[0],))
    check_min_size(min_size)
    for name, number in (("steps", steps), ("extremes", extremes), ("shortlist", shortlist)):
        check_integer(name, number, minimum=1)
    dtype = jax.dtypes.canonicalize_dtype(points.dtype)
    same = solution.radius.dtype == dtype
    require(same, "solution.radius", solution.radius, f"dtype {dtype} as of points")
    fixed = jax.lax.stop_gradient(points)
    known = jax.lax.stop_gradient(solution.radius)
    best = best_of(
        fixed,
        groups,
        Chosen(known, solution.prefix, solution.centers, solution.labels),
        jnp.broadcast_to(solution.centers, (k, k)),
        jnp.zeros(k, known.dtype),
        jnp.int32(0),  # as in other calls, which then share the program
        min_size,
        solution.group_counts,
        False,
        steps,
        extremes=extremes,
        shortlist=shortlist,
        metric=metric,
    )
    radii = Radii(solution.prefix_radii, solution.forest_radii, solution.assignment_radii)
    end = finished(
        points,
        groups,
        best,
        solution.feasible,
        solution.lower_bound,
        radii,
        m=m,
        metric=metric,
    )
    # a start that had no regard to sizes may be as good as it gets
    large = jnp.all(~end.mask | (end.counts >= min_size))
    return end._replace(feasible=end.feasible & large)
