"""Fair k-center by swapping centers along paths of groups, on the host."""

from collections import deque
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from numpy.typing import NDArray

from jaxlab.checks import concrete, require
from jaxlab.kcenter._checks import as_integers, check_intervals, check_problem, check_quota
from jaxlab.kcenter._solution import nearest_solution
from jaxlab.kcenter.metrics import Metric, distance_matrix
from jaxlab.kcenter.types import Solution

__all__ = ["fair_kcenter_swap"]


def fair_kcenter_swap(
    points: Float[Array, "n d"],
    groups: Int[Array, " n"],
    quota: Any,
    *,
    k: int,
    first: int = 0,
    metric: Metric = "euclidean",
) -> Solution:
    """Greedy centers, whose groups are put right by swaps within clusters.

    There is an arc from group ``g`` to group ``h`` where a cluster with a center of group ``g``
    holds a point of group ``h``. While a path leads from a group with too many centers to one with
    too few, centers are swapped along it. Where none does, the clusters of the groups that can be
    reached from those with too many are solved anew, the other centers fixed. All of this is done
    on the host: inside ``jit``, ``vmap`` or ``grad`` it is refused.

    Args:
        points: coordinates; for "precomputed" the distances.
        groups: group of each point.
        quota: number of centers of each group, ``k`` in all.
        k: number of centers.
        first: first greedy center.
        metric: as of :func:`~jaxlab.kcenter.distance_matrix`, but no squares.

    Returns:
        A solution without regard to sizes; within factor 5 of the optimum for two groups,
        ``3 · 2^{m−1} − 1`` for ``m``.

    Raises:
        ValueError: a quota that does not sum to ``k`` or cannot be met; arguments that are traced.

    Cost:
        O(n k d) for each level of the recursion, at most ``m``.

    Source:
        Kleindessner, Awasthi, Morgenstern 2019, *Fair k-center clustering for data summarization*.

    Example:
        >>> line = jnp.array([[0.0], [1.0], [8.0], [9.0]])
        >>> fair_kcenter_swap(line, jnp.array([0, 1, 0, 0]), [1, 1], k=2).centers.tolist()
        [1, 3]
    """
    check_problem(points, groups, k, first=first, metric=metric)
    given = {"points": points, "groups": groups, "quota": quota, "first": first}
    for name, value in given.items():
        require(concrete(value) is not None, name, value, "a concrete value (host only)")
    numbers = as_integers("quota", quota)
    check_quota(k, numbers)
    check_intervals(groups, k, numbers, numbers)
    members = np.asarray(groups)

    def column(p: int) -> NDArray:
        return np.asarray(distance_matrix(points, jnp.array([p], jnp.int32), metric=metric))[:, 0]

    fixed = np.full(members.size, np.inf)
    chosen = _solve(column, members, np.arange(members.size), numbers, fixed, first)
    centers = jnp.array(chosen, jnp.int32)
    return nearest_solution(points, groups, centers, jnp.asarray(numbers), first, metric=metric)


def _solve(
    column: Any, members: NDArray, inside: NDArray, quota: NDArray, fixed: NDArray, first: int
) -> list[int]:
    """Centers among ``inside``, with distances to the centers that are fixed already."""
    centers: list[int] = []
    distance = fixed[inside].copy()
    label = np.full(inside.size, -1)  # −1: nearest to a fixed center
    for slot in range(int(quota.sum())):
        begins = slot == 0 and np.all(np.isinf(distance))
        free = np.where(np.isin(inside, centers), -1.0, distance)
        p = first if begins and first in inside else int(inside[np.argmax(free)])
        new = column(p)[inside]
        closer = (new < distance) | (inside == p)
        distance, label = np.where(closer, new, distance), np.where(closer, slot, label)
        centers.append(p)
    number = _swap(members, inside, label, centers, quota)
    if np.array_equal(number, quota):
        return centers
    over = _reachable(members, inside, label, centers, np.flatnonzero(number > quota))[0]
    kept = [p for p in centers if members[p] not in over]
    for c in np.flatnonzero(number < quota):
        others = inside[(members[inside] == c) & ~np.isin(inside, kept)]
        kept += [int(p) for p in others[: quota[c] - number[c]]]
    slots = [slot for slot, p in enumerate(centers) if members[p] in over]
    rest = inside[np.isin(label, slots)]
    for p in kept:
        fixed = np.minimum(fixed, column(p))
    left = np.where(np.isin(np.arange(quota.size), list(over)), quota, 0)
    return kept + _solve(column, members, rest, left, fixed, first)


def _swap(
    members: NDArray, inside: NDArray, label: NDArray, centers: list[int], quota: NDArray
) -> NDArray:
    """Swap centers along shortest paths of groups while any leads from too many to too few."""
    while True:
        number = np.bincount(members[centers], minlength=quota.size)
        starts = np.flatnonzero(number > quota)
        reached, came = _reachable(members, inside, label, centers, starts)
        ends = [h for h in reached if number[h] < quota[h]]
        if not ends:
            return number
        h = ends[0]
        swaps = []
        while came[h] is not None:
            g, slot, p = came[h]
            swaps.append((slot, p))
            h = g
        for slot, p in swaps:
            centers[slot] = p


def _reachable(
    members: NDArray, inside: NDArray, label: NDArray, centers: list[int], starts: NDArray
) -> tuple[list[int], dict[int, Any]]:
    """Groups in order of their distance from ``starts``, and by which swap each is entered."""
    came: dict[int, Any] = {int(g): None for g in starts}
    queue, order = deque(came), []
    while queue:
        g = queue.popleft()
        order.append(g)
        for slot, center in enumerate(centers):
            if members[center] != g:
                continue
            for p in inside[label == slot]:
                h = int(members[p])
                if h not in came:
                    came[h] = (g, slot, int(p))
                    queue.append(h)
    return order, came
