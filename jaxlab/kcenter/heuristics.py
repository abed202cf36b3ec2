"""Farthest-first heuristics that meet numbers of groups, without a guarantee."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxlab.kcenter._checks import as_integers, check_intervals, check_problem, check_quota
from jaxlab.kcenter._quota import open_more
from jaxlab.kcenter._solution import nearest_solution
from jaxlab.kcenter.metrics import Metric, distance_matrix
from jaxlab.kcenter.types import Solution
from jaxlab.varying import vary_like

__all__ = ["greedy_capped", "greedy_per_group"]


def greedy_per_group(
    points: Float[Array, "n d"],
    groups: Int[Array, " n"],
    quota: Any,
    *,
    k: int,
    first: int | Int[Any, ""] = 0,
    metric: Metric = "euclidean",
) -> Solution:
    """Farthest-first inside each group, the others not regarded ("heuristic A").

    Args:
        points: coordinates; for "precomputed" the distances.
        groups: group of each point.
        quota: number of centers of each group, ``k`` in all.
        k: number of centers; static.
        first: first pick of its own group; the others begin with their lowest index.
        metric: as of :func:`~jaxlab.kcenter.distance_matrix`, but no squares; static.

    Returns:
        A solution without regard to sizes.

    Raises:
        ValueError: a quota that does not sum to ``k`` or cannot be met.

    Cost:
        O(n k d).

    Source:
        A baseline of Jones, Nguyen, Nguyen 2020.

    Example:
        >>> line = jnp.array([[0.0], [1.0], [8.0], [9.0]])
        >>> greedy_per_group(line, jnp.array([0, 0, 1, 1]), [1, 1], k=2).centers.tolist()
        [0, 2]
    """
    quota = _checked(points, groups, quota, k, first, metric)
    return _greedy_per_group(points, groups, quota, first, k=k, metric=metric)


def greedy_capped(
    points: Float[Array, "n d"],
    groups: Int[Array, " n"],
    quota: Any,
    *,
    k: int,
    first: int | Int[Any, ""] = 0,
    metric: Metric = "euclidean",
) -> Solution:
    """Farthest-first over the points whose group has places left ("heuristic B").

    Args:
        points: coordinates; for "precomputed" the distances.
        groups: group of each point.
        quota: number of centers of each group, ``k`` in all.
        k: number of centers; static.
        first: first pick, if its group has places.
        metric: as of :func:`~jaxlab.kcenter.distance_matrix`, but no squares; static.

    Returns:
        A solution without regard to sizes.

    Raises:
        ValueError: a quota that does not sum to ``k`` or cannot be met.

    Cost:
        O(n k d).

    Source:
        A baseline of Jones, Nguyen, Nguyen 2020.

    Example:
        >>> line = jnp.array([[0.0], [1.0], [8.0], [9.0]])
        >>> greedy_capped(line, jnp.array([0, 0, 1, 1]), [1, 1], k=2).centers.tolist()
        [0, 3]
    """
    quota = _checked(points, groups, quota, k, first, metric)
    return _greedy_capped(points, groups, quota, first, k=k, metric=metric)


def _checked(points: Any, groups: Any, quota: Any, k: int, first: Any, metric: Metric) -> Any:
    check_problem(points, groups, k, first=first, metric=metric)
    quota = as_integers("quota", quota)
    check_quota(k, quota)
    check_intervals(groups, k, quota, quota)
    return quota


@functools.partial(jax.jit, static_argnames=("k", "metric"))
def _greedy_per_group(
    points: Array, groups: Array, quota: Array, first: Any, *, k: int, metric: Metric
) -> Solution:
    fixed = jax.lax.stop_gradient(points)
    n = points.shape[0]
    ends = jnp.cumsum(quota)
    infinity = jnp.full(n, jnp.inf, points.dtype)

    def pick(distance: Array, slot: Array) -> tuple[Array, Array]:
        # −1 for those that are taken
        group = jnp.searchsorted(ends, slot, side="right")
        own = groups == group
        p = jnp.argmax(jnp.where(own, distance, -2)).astype(jnp.int32)
        starts = (groups[first] == group) & (distance[first] == jnp.inf)
        p = jnp.where(starts, jnp.asarray(first, jnp.int32), p)
        free = own[p] & (distance[p] >= 0)  # a traced group may have fewer points than places
        new = distance_matrix(fixed, p[None], metric=metric)[:, 0]
        distance = jnp.where(own & free, jnp.minimum(distance, new), distance)
        distance = distance.at[jnp.where(free, p, n)].set(-1, mode="drop")
        return distance, jnp.where(free, p, -1)

    start = vary_like(infinity, points, groups, quota, first)
    _, centers = jax.lax.scan(pick, start, jnp.arange(k))
    return nearest_solution(points, groups, centers, quota, first, metric=metric)


@functools.partial(jax.jit, static_argnames=("k", "metric"))
def _greedy_capped(
    points: Array, groups: Array, quota: Array, first: Any, *, k: int, metric: Metric
) -> Solution:
    fixed, groups = jax.lax.stop_gradient(points), groups.astype(jnp.int32)
    centers = jnp.full(k, -1, jnp.int32)
    centers = open_more(
        fixed, groups, centers, quota, quota, farthest=True, first=first, metric=metric
    )
    return nearest_solution(points, groups, centers, quota, first, metric=metric)
