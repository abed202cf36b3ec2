"""The joint method on weighted points, put together from its phases, for coresets."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxlab import kcenter as kc

__all__ = ["WeightedSolution", "solve_coreset"]


class WeightedSolution(NamedTuple):
    """Centers among the points of a coreset.

    Attributes:
        centers: ``[k]`` positions in the coreset; −1 for slots that are not used.
        radius: largest distance of a unit of weight to its center.
        counts: ``[k]`` units of each center.
        feasible: whether every center has its units.
    """

    centers: Any
    radius: Any
    counts: Any
    feasible: Any


@functools.partial(jax.jit, static_argnames=("k",))
def solve_coreset(
    coreset: kc.Coreset, *, k: int, min_size: Any, lower: Any, upper: Any
) -> WeightedSolution:
    """At most ``k`` points of a coreset as centers, with ``min_size`` units of weight each.

    Prefixes of the farthest-first order are made private with weights; their counts pay for
    representatives; those of every prefix are assigned again, and the best prefix wins.

    Args:
        coreset: weighted points; those of weight 0 are padding.
        k: largest number of centers.
        min_size: least weight of a cluster.
        lower: ``[m]``, least number of centers of each group.
        upper: ``[m]``, largest.
    """
    points, weights = coreset.points, coreset.weights
    # padding has no group, so that none of it is opened
    groups = jnp.where(weights > 0, coreset.groups, len(lower))
    order = kc.gonzalez(points, k, first=jnp.argmax(weights > 0), mask=weights > 0)
    dist = kc.distance_matrix(points, order.indices)
    slot = jnp.arange(k)

    def make_private(prefix: Any) -> Any:
        active = slot <= prefix
        return kc.private_assignment(dist, min_size, center_mask=active, weights=weights).counts

    counts = jax.lax.map(make_private, slot)
    forest = kc.prefix_spanning_trees(dist[order.indices])
    budgets = kc.opening_budgets(counts, forest, min_size)
    lists = kc.candidate_lists(dist, groups, lower, upper, k)

    def open_prefix(prefix: Any) -> WeightedSolution:
        def at(threshold: Any) -> tuple[Any, Any]:
            eta = budgets.eta[prefix, threshold]
            opened = kc.open_representatives(lists, groups, eta, slot <= prefix, lower, upper, k)
            # thresholds that are not there are infinite
            total = budgets.thresholds[prefix, threshold] + opened.radius
            return jnp.where(opened.feasible, total, jnp.inf), opened

        totals, opened = jax.lax.map(at, slot)
        best = jax.tree.map(lambda part: part[jnp.argmin(totals)], opened)
        table = kc.distance_matrix(points, best.centers)
        assigned = kc.private_assignment(table, min_size, center_mask=best.mask, weights=weights)
        feasible = best.feasible & assigned.feasible
        radius = jnp.where(feasible, assigned.radius, jnp.inf)
        return WeightedSolution(best.centers, radius, assigned.counts, feasible)

    solutions = jax.lax.map(open_prefix, slot)
    return jax.tree.map(lambda part: part[jnp.argmin(solutions.radius)], solutions)
