"""Groups first and sizes after: what solving both at once is compared with."""

import functools
from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, Float, Int

from jaxlab.checks import check_choice, check_integer
from jaxlab.kcenter._solution import make_solution
from jaxlab.kcenter._validate import as_integers, check_intervals, check_min_size, check_problem
from jaxlab.kcenter.bounds import lower_bound
from jaxlab.kcenter.fair import fair_kcenter, fair_range_kcenter
from jaxlab.kcenter.heuristics import greedy_capped, greedy_per_group
from jaxlab.kcenter.metrics import Metric, distance_matrix
from jaxlab.kcenter.private_assignment import private_assignment
from jaxlab.kcenter.refine import refine_minimax
from jaxlab.kcenter.swap import fair_kcenter_swap
from jaxlab.kcenter.types import Solution

__all__ = ["BASES", "sequential_fair_private"]

#: methods that choose fair centers; the last one takes intervals, the others exact numbers
BASES: dict[str, Callable[..., Solution]] = {
    "fair_kcenter": fair_kcenter,
    "fair_kcenter_swap": fair_kcenter_swap,
    "greedy_per_group": greedy_per_group,
    "greedy_capped": greedy_capped,
    "fair_range_kcenter": fair_range_kcenter,
}


def sequential_fair_private(
    points: Float[Array, "n d"],
    groups: Int[Array, " n"],
    *,
    base: str = "fair_kcenter",
    k: int,
    min_size: int | Int[Any, ""],
    lower: Any,
    upper: Any,
    first: int | Int[Any, ""] = 0,
    refine_steps: int = 0,
    metric: Metric = "euclidean",
) -> Solution:
    """Fair centers without regard to sizes, then the best private assignment to them.

    Args:
        points: coordinates; for "precomputed" the distances.
        groups: group of each point.
        base: how centers are chosen, a name of :data:`BASES`; static.
        k: number of centers; static.
        min_size: least number of points of a cluster.
        lower: least number of centers of each group.
        upper: largest number; other bases than "fair_range_kcenter" need it to equal ``lower``.
        first: first point of the base's greedy order.
        refine_steps: rounds of :func:`~jaxlab.kcenter.refine_minimax` on the outcome; static.
        metric: as of :func:`~jaxlab.kcenter.distance_matrix`, but no squares; static.

    Returns:
        A solution with sizes and groups as required, without a guarantee on its radius.

    Raises:
        ValueError: problems that cannot be met; an unknown base.

    Cost:
        That of the base and of one private assignment.

    Example:
        >>> import jax.numpy as jnp
        >>> line = jnp.array([[0.0], [1.0], [2.0], [9.0]])
        >>> groups = jnp.array([0, 1, 1, 0])
        >>> problem = {"k": 2, "min_size": 2, "lower": [1, 1], "upper": [1, 1]}
        >>> found = sequential_fair_private(line, groups, **problem)
        >>> found.counts.tolist(), float(found.radius)
        ([2, 2], 7.0)
    """
    check_problem(points, groups, k, first=first, metric=metric)
    check_min_size(points.shape[0], k, min_size)
    check_integer("refine_steps", refine_steps, minimum=0)
    check_choice("base", base, BASES)
    lower, upper = as_integers("lower", lower), as_integers("upper", upper)
    check_intervals(groups, k, lower, upper)
    options: dict[str, Any] = {"k": k, "first": first, "metric": metric}
    if base == "fair_range_kcenter":
        fair = fair_range_kcenter(points, groups, lower=lower, upper=upper, **options)
    else:
        fair = BASES[base](points, groups, lower, **options)
    bound = lower_bound(jax.lax.stop_gradient(points), k, min_size, first=first, metric=metric)
    solution = _private(points, groups, fair, min_size, bound, metric=metric)
    if refine_steps:
        solution = refine_minimax(
            points, groups, solution, min_size=min_size, steps=refine_steps, metric=metric
        )
    return solution


@functools.partial(jax.jit, static_argnames=("metric",))
def _private(
    points: Array, groups: Array, fair: Solution, min_size: Any, bound: Array, *, metric: Metric
) -> Solution:
    table = distance_matrix(jax.lax.stop_gradient(points), fair.centers, metric=metric)
    found = private_assignment(table, min_size, center_mask=fair.mask)
    return make_solution(
        points,
        groups,
        fair.centers,
        found.labels,
        m=fair.group_counts.shape[0],
        feasible=fair.feasible & found.feasible,
        lower_bound=bound,
        metric=metric,
        prefix=fair.prefix,
        radii=(fair.prefix_radii, fair.forest_radii, fair.assignment_radii),
    )
