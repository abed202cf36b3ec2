"""Fair k-center without sizes: exact numbers for every group, or intervals; within factor 3."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxlab.checks import check_choice
from jaxlab.kcenter._checks import as_integers, check_intervals, check_problem, check_quota
from jaxlab.kcenter._quota import open_more
from jaxlab.kcenter._solution import make_solution, nearest_labels, within
from jaxlab.kcenter.bounds import lower_bound
from jaxlab.kcenter.color_flow import Flow, Nodes, group_arcs, saturate
from jaxlab.kcenter.gonzalez import gonzalez
from jaxlab.kcenter.metrics import Metric, distance_matrix
from jaxlab.kcenter.types import Solution
from jaxlab.varying import vary_like

__all__ = ["FILLS", "fair_kcenter", "fair_range_kcenter"]

#: which points make up the numbers that are left: the farthest, or those of the lowest index
FILLS = ("farthest", "first")


def fair_kcenter(
    points: Float[Array, "n d"],
    groups: Int[Array, " n"],
    quota: Any,
    *,
    k: int,
    first: int | Int[Any, ""] = 0,
    fill: str = "farthest",
    metric: Metric = "euclidean",
) -> Solution:
    """Centers with a given number of each group, every point to its nearest one.

    The picks of the longest prefix of the Gonzalez order that can be matched to places of groups,
    each within less than half of the last pick's distance to those before, are replaced by nearest
    points of their groups. The radius is at most three times the optimum.

    Args:
        points: coordinates; for "precomputed" the distances.
        groups: group of each point.
        quota: number of centers of each group, ``k`` in all.
        k: number of centers; static.
        first: first point of the Gonzalez order.
        fill: how places that are left are taken, a name of :data:`FILLS`; static.
        metric: as of :func:`~jaxlab.kcenter.distance_matrix`, but no squares; static.

    Returns:
        A solution without regard to sizes; ``prefix`` is the matched one, the radius of the
        matching is its entry of ``assignment_radii``.

    Raises:
        ValueError: a quota that does not sum to ``k`` or cannot be met.

    Cost:
        O(n k (d + m)), and a matching of O(k (k + m)²) for each prefix.

    Source:
        Jones, Nguyen, Nguyen 2020, *Fair k-centers via maximum matching*. The first prefix can
        always be matched.

    Example:
        >>> line = jnp.array([[0.0], [1.0], [8.0], [9.0]])
        >>> found = fair_kcenter(line, jnp.array([0, 1, 1, 0]), [1, 1], k=2)
        >>> found.centers.tolist(), found.labels.tolist(), float(found.radius)
        ([1, 3], [0, 0, 1, 1], 1.0)
    """
    check_problem(points, groups, k, first=first, metric=metric)
    quota = as_integers("quota", quota)
    check_quota(k, quota)
    check_intervals(groups, k, quota, quota)
    check_choice("fill", fill, FILLS)
    return _fair(points, groups, quota, quota, first, k=k, fill=fill, metric=metric)


def fair_range_kcenter(
    points: Float[Array, "n d"],
    groups: Int[Array, " n"],
    *,
    k: int,
    lower: Any,
    upper: Any,
    first: int | Int[Any, ""] = 0,
    fill: str = "farthest",
    metric: Metric = "euclidean",
) -> Solution:
    """Centers with a number of each group in an interval, every point to its nearest one.

    As :func:`fair_kcenter`; a matching must leave room for the lower bounds, that is, the flow
    that is matched beyond them is at most ``k − Σ a_c``.

    Args:
        points: coordinates; for "precomputed" the distances.
        groups: group of each point.
        k: largest number of centers; static.
        lower: least number of centers of each group.
        upper: largest number.
        first: first point of the Gonzalez order.
        fill: how places that are left are taken, a name of :data:`FILLS`; static.
        metric: as of :func:`~jaxlab.kcenter.distance_matrix`, but no squares; static.

    Returns:
        A solution without regard to sizes.

    Raises:
        ValueError: intervals that cannot be met.

    Cost:
        As :func:`fair_kcenter`.

    Source:
        Nguyen, Nguyen, Jones 2022, *Fair range k-center*.

    Example:
        >>> line = jnp.array([[0.0], [1.0], [8.0], [9.0]])
        >>> groups = jnp.array([0, 1, 1, 0])
        >>> found = fair_range_kcenter(line, groups, k=2, lower=[0, 1], upper=[1, 2])
        >>> found.group_counts.tolist(), float(found.radius)
        ([1, 1], 1.0)
    """
    check_problem(points, groups, k, first=first, metric=metric)
    lower, upper = as_integers("lower", lower), as_integers("upper", upper)
    check_intervals(groups, k, lower, upper)
    check_choice("fill", fill, FILLS)
    return _fair(points, groups, lower, upper, first, k=k, fill=fill, metric=metric)


@functools.partial(jax.jit, static_argnames=("k", "fill", "metric"))
def _fair(
    points: Array,
    groups: Array,
    lower: Array,
    upper: Array,
    first: Any,
    *,
    k: int,
    fill: str,
    metric: Metric,
) -> Solution:
    fixed, groups = jax.lax.stop_gradient(points), groups.astype(jnp.int32)
    n, m = points.shape[0], lower.shape[0]
    order = gonzalez(fixed, k, first=first, metric=metric)
    dist = distance_matrix(fixed, order.indices, metric=metric)
    sizes = jnp.zeros(m, jnp.int32).at[groups].add(1)
    most = jnp.minimum(upper, sizes)

    def nearest_of_group(c: Array) -> Array:
        return jnp.min(jnp.where((groups == c)[:, None], dist, jnp.inf), axis=0)

    nearest = jax.lax.map(nearest_of_group, jnp.arange(m)).T  # [k, m]
    at = Nodes(k, m)
    colors = jnp.broadcast_to(jnp.arange(m, dtype=jnp.int32), (k, m))
    same = jnp.arange(k * m).reshape(k, m)
    picks = jnp.arange(k, dtype=jnp.int32)
    # a pick's distance to those before; the first one has none
    apart = jnp.concatenate([jnp.full(1, jnp.inf, dist.dtype), order.radii[:-1]])
    beyond = k - jnp.sum(lower, dtype=jnp.int32)
    arcs = group_arcs(at, lower, most, beyond).at[at.z, at.sink].set(beyond)

    def match(_: None, prefix: Array) -> tuple[None, Flow]:
        active = picks <= prefix
        length = jnp.where(active[:, None], nearest, jnp.inf)
        residual = arcs.at[at.source, :k].set(active.astype(jnp.int32))
        return None, saturate(at, length, colors, same, residual, prefix + 1, apart[prefix] / 2)

    _, flows = jax.lax.scan(match, None, picks)
    prefix = jnp.max(jnp.where(flows.feasible, picks, -1))
    used = flows.used[prefix]

    def replace(taken: Array, pick: Array) -> tuple[Array, Array]:
        # picks are more than twice the matching's radius apart: only rounding could make them
        # want one point
        matched = jnp.any(used[pick]) & (prefix >= 0)
        allowed = (groups == jnp.argmax(used[pick])) & ~taken
        p = jnp.argmin(jnp.where(allowed, dist[:, pick], jnp.inf)).astype(jnp.int32)
        taken = taken.at[jnp.where(matched, p, n)].set(True, mode="drop")
        return taken, jnp.where(matched, p, -1)

    nobody = vary_like(jnp.zeros(n, bool), dist, groups, used)
    _, centers = jax.lax.scan(replace, nobody, picks)
    centers = open_more(
        fixed, groups, centers, lower, most, farthest=fill == "farthest", first=0, metric=metric
    )
    nothing = jnp.full(k, jnp.inf, dist.dtype)
    matching_radii = jnp.where(flows.feasible, flows.radius, jnp.inf)
    return make_solution(
        points,
        groups,
        centers,
        nearest_labels(fixed, centers, metric),
        m=m,
        feasible=(prefix >= 0) & within(groups, centers, lower, upper),
        lower_bound=lower_bound(fixed, k, 0, first=first, metric=metric),
        metric=metric,
        prefix=prefix,
        radii=(order.radii, nothing, matching_radii),
    )
