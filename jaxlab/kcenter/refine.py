"""Moving each center to the middle of its cluster."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxlab.checks import check_integer, check_shape
from jaxlab.kcenter._checks import check_min_size, check_points
from jaxlab.kcenter._solution import make_solution, paired_distances
from jaxlab.kcenter.metrics import Metric, distance_matrix
from jaxlab.kcenter.private_assignment import private_assignment
from jaxlab.kcenter.types import Solution

__all__ = ["refine_minimax"]


def refine_minimax(
    points: Float[Array, "n d"],
    groups: Int[Array, " n"],
    solution: Solution,
    *,
    min_size: int | Int[Any, ""],
    steps: int = 8,
    extremes: int = 40,
    shortlist: int = 50,
    metric: Metric = "euclidean",
) -> Solution:
    """Replace each center by the point of its group that is best for its cluster, then reassign.

    ``c' = argmin_{q of the group of c} max_{p in the cluster} d(p, q)``, over points that are not
    centers. All candidates are screened by their distance to some extreme members of the cluster,
    found farthest first, and the best of them compared over all members. Points are then assigned
    anew by :func:`private_assignment`. A round that does not lower the radius is undone and is the
    last one.

    Args:
        points: coordinates; for "precomputed" the distances.
        groups: group of each point.
        solution: centers and labels to begin with.
        min_size: least number of points of a cluster.
        steps: largest number of rounds; static.
        extremes: members by which candidates are screened; static.
        shortlist: candidates that are compared over all members; static.
        metric: as of :func:`~jaxlab.kcenter.distance_matrix`; static.

    Returns:
        A solution with as many centers of each group, and a radius that is not larger.

    Raises:
        ValueError: shapes that disagree; numbers below 1.

    Cost:
        For each round ``extremes`` passes for each center, O(n k d extremes), and one private
        assignment.

    Example:
        >>> from jaxlab.kcenter import fair_private_kcenter
        >>> line = jnp.arange(5.0)[:, None]
        >>> groups = jnp.zeros(5, jnp.int32)
        >>> end = fair_private_kcenter(line, groups, k=1, min_size=1, lower=[1], upper=[1])
        >>> better = refine_minimax(line, groups, end, min_size=1)
        >>> float(end.radius), float(better.radius), better.centers.tolist()
        (4.0, 2.0, [2])
    """
    check_points(points, metric)
    check_shape("groups", groups, (points.shape[0],))
    check_shape("solution.labels", solution.labels, (points.shape[0],))
    check_min_size(min_size)
    for name, number in (("steps", steps), ("extremes", extremes), ("shortlist", shortlist)):
        check_integer(name, number, minimum=1)
    return _refine_minimax(points, groups, solution, min_size, steps, extremes, shortlist, metric)


@functools.partial(jax.jit, static_argnames=("steps", "extremes", "shortlist", "metric"))
def _refine_minimax(
    points: Array,
    groups: Array,
    solution: Solution,
    min_size: Any,
    steps: int,
    extremes: int,
    shortlist: int,
    metric: Metric,
) -> Solution:
    start = (solution.centers, solution.labels, jax.lax.stop_gradient(solution.radius))
    centers, labels, _ = refine_rounds(
        jax.lax.stop_gradient(points),
        groups,
        *start,
        min_size,
        steps=steps,
        extremes=extremes,
        shortlist=shortlist,
        metric=metric,
    )
    radii = (solution.prefix_radii, solution.forest_radii, solution.assignment_radii)
    return make_solution(
        points,
        groups,
        centers,
        labels,
        m=solution.group_counts.shape[0],
        feasible=solution.feasible,
        lower_bound=solution.lower_bound,
        metric=metric,
        prefix=solution.prefix,
        radii=radii,
    )


def refine_rounds(
    points: Array,
    groups: Array,
    centers: Array,
    labels: Array,
    radius: Array,
    min_size: Any,
    *,
    steps: int,
    extremes: int = 40,
    shortlist: int = 50,
    metric: Metric,
) -> tuple[Array, Array, Array]:
    """Centers, labels and radius after as many rounds as lower the radius."""
    there = centers >= 0

    def attempt(state: tuple) -> tuple:
        step, centers, labels, radius, _ = state
        new = recenter(points, groups, centers, labels, extremes, shortlist, metric)
        dist = distance_matrix(points, new, metric=metric)
        found = private_assignment(dist, min_size, center_mask=there)
        better = found.feasible & (found.radius < radius)
        kept = jax.tree.map(
            lambda fresh, old: jnp.where(better, fresh, old),
            (new, found.labels, found.radius),
            (centers, labels, radius),
        )
        return (step + 1, *kept, better)

    state = (jnp.int32(0), centers, labels, radius, jnp.any(there))
    state = jax.lax.while_loop(lambda state: state[-1] & (state[0] < steps), attempt, state)
    return state[1], state[2], state[3]


def recenter(
    points: Array,
    groups: Array,
    centers: Array,
    labels: Array,
    extremes: int,
    shortlist: int,
    metric: Metric,
) -> Array:
    """The best center for each cluster among points of the old one's group; no point twice."""
    n, k = labels.shape[0], centers.shape[0]
    there = centers >= 0
    old = jnp.maximum(centers, 0)
    everyone = jnp.arange(n, dtype=jnp.int32)
    slots = jnp.arange(k)
    home = jnp.where(labels >= 0, labels, k)

    def largest(values: Array) -> Array:
        return jnp.full(k, -jnp.inf, values.dtype).at[home].max(values, mode="drop")

    def to_own(picks: Array) -> Array:
        return paired_distances(points, everyone, picks[jnp.maximum(labels, 0)], metric)

    def extreme(distance: Array, _: None) -> tuple[Array, Array]:
        # the farthest member of every cluster at once, the first among equals
        far = distance == largest(distance)[jnp.maximum(labels, 0)]
        pick = jnp.full(k, n, jnp.int32).at[home].min(jnp.where(far, everyone, n), mode="drop")
        pick = jnp.where(pick < n, pick, old)
        return jnp.minimum(distance, to_own(pick)), pick

    distance = to_own(old)
    _, picks = jax.lax.scan(extreme, distance, None, length=extremes)  # [extremes, k]
    is_center = jnp.zeros(n, bool).at[jnp.where(there, centers, n)].set(True, mode="drop")
    size = min(shortlist, n)

    def screen(slot: Array) -> tuple[Array, Array]:
        def farther(worst: Array, pick: Array) -> tuple[Array, None]:
            new = distance_matrix(points, pick[None], metric=metric)[:, 0]
            return jnp.maximum(worst, new), None

        worst, _ = jax.lax.scan(farther, jnp.zeros(n, distance.dtype), picks[:, slot])
        allowed = (groups == groups[old[slot]]) & ~is_center
        value, index = jax.lax.top_k(jnp.where(allowed, -worst, -jnp.inf), size)
        return index, value > -jnp.inf

    index, listed = jax.lax.map(screen, slots)  # [k, size]
    index = jnp.concatenate([old[:, None], index.astype(jnp.int32)], axis=1)
    listed = jnp.concatenate([there[:, None], listed & there[:, None]], axis=1)
    worst = jax.lax.map(lambda picks: largest(to_own(picks)), index.T).T  # [k, 1 + size]
    worst = jnp.where(listed, worst, jnp.inf)

    def choose(taken: Array, slot: Array) -> tuple[Array, Array]:
        twice = jnp.any(index[slot][:, None] == taken, axis=1)
        best = index[slot, jnp.argmin(jnp.where(twice, jnp.inf, worst[slot]))]
        best = jnp.where(there[slot], best, -1)
        return taken.at[slot].set(best), best

    _, chosen = jax.lax.scan(choose, jnp.full(k, -1, jnp.int32), slots)
    return chosen
