"""Groups first and sizes after: what solving both at once is compared with."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxlab.checks import check_choice, check_integer, concrete, require
from jaxlab.kcenter._checks import (
    as_integers,
    check_enough_points,
    check_intervals,
    check_problem,
)
from jaxlab.kcenter._solution import Radii, finished
from jaxlab.kcenter._trials import best_of, no_choice
from jaxlab.kcenter.bounds import lower_bound
from jaxlab.kcenter.fair import fair_kcenter, fair_range_kcenter
from jaxlab.kcenter.heuristics import greedy_capped, greedy_per_group
from jaxlab.kcenter.metrics import Metric
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
        base: how centers are chosen, a name of :data:`BASES`; static. "fair_kcenter_swap" is for
            the host only.
        k: number of centers; static.
        min_size: least number of points of a cluster.
        lower: least number of centers of each group; other bases than "fair_range_kcenter" choose
            as many, ``k`` in all.
        upper: largest number.
        first: first point of the base's greedy order.
        refine_steps: rounds of :func:`~jaxlab.kcenter.refine_minimax` on the outcome; static.
        metric: as of :func:`~jaxlab.kcenter.distance_matrix`, but no squares; static.

    Returns:
        A solution with sizes and groups as required, without a guarantee on its radius.

    Raises:
        ValueError: problems that cannot be met; an unknown base; ``lower`` that does not sum to
            ``k`` unless the base is "fair_range_kcenter"; "fair_kcenter_swap" inside ``jit``.

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
    check_enough_points(points.shape[0], k, min_size)
    check_integer("refine_steps", refine_steps, minimum=0)
    check_choice("base", base, BASES)
    lower, upper = as_integers("lower", lower), as_integers("upper", upper)
    check_intervals(groups, k, lower, upper)
    options: dict[str, Any] = {"k": k, "first": first, "metric": metric}
    if base == "fair_range_kcenter":
        fair = fair_range_kcenter(points, groups, lower=lower, upper=upper, **options)
    else:
        known = concrete(lower)
        text = f"numbers that sum to k = {k}, unless base is 'fair_range_kcenter'"
        total = k if known is None else int(known.sum())
        require(total == k, "lower", total, text)
        fair = BASES[base](points, groups, lower, **options)
    bound = lower_bound(jax.lax.stop_gradient(points), k, min_size, first=first, metric=metric)
    fixed = jax.lax.stop_gradient(points)
    best = best_of(
        fixed,
        groups,
        no_choice(fixed, k),
        jnp.broadcast_to(fair.centers, (k, k)),
        jnp.zeros(k, fair.radius.dtype),
        fair.feasible.astype(jnp.int32),
        min_size,
        fair.group_counts,
        False,
        refine_steps,
        metric=metric,
    )
    feasible = best.radius < jnp.inf
    best = best._replace(prefix=jnp.where(feasible, fair.prefix, -1))
    radii = Radii(fair.prefix_radii, fair.forest_radii, fair.assignment_radii)
    m = fair.group_counts.shape[0]
    return finished(points, groups, best, feasible, bound, radii, m=m, metric=metric)
