"""What no solution can beat: the certificate of a radius."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxlab.checks import check_dtype, check_shape, concrete, require
from jaxlab.kcenter._checks import check_centers, check_first, check_min_size, check_points
from jaxlab.kcenter.gonzalez import gonzalez
from jaxlab.kcenter.metrics import Metric, distance_matrix
from jaxlab.kcenter.order_statistics import kth_smallest

__all__ = ["lower_bound"]


def lower_bound(
    points: Float[Array, "n d"],
    k: int,
    min_size: int | Int[Any, ""],
    *,
    probes: Int[Array, " s"] | None = None,
    first: int | Int[Any, ""] = 0,
    metric: Metric = "euclidean",
) -> Float[Array, ""]:
    """A radius below which there is no private k-center solution, with or without groups.

    Two of the first ``k + 1`` picks of the farthest-first order share an optimal cluster, and are
    at least the covering radius of the first ``k`` apart. The cluster of any point ``p`` has
    ``min_size`` points, all within twice the radius of ``p``::

        OPT ≥ ½ max( max_q min_{j<k} d(q, s_j),  max_{p∈S} (L-th smallest of d(p, ·), p counted) )

    Args:
        points: coordinates.
        k: largest number of centers; static.
        min_size: points that each center needs; may be traced.
        probes: the points ``S``, −1 for none; by default the first ``k`` picks.
        first: the first pick.
        metric: one that satisfies the triangle inequality; static.

    Returns:
        The bound, a constant to differentiation; infinite where ``min_size`` is more than the
        number of points.

    Raises:
        ValueError: as of :func:`~jaxlab.kcenter.gonzalez.gonzalez`; a negative ``min_size``;
            probes that are no points; "sqeuclidean", which is no metric.

    Cost:
        O(n d (k + s)).

    Source:
        None in the paper; the first bound is in Hochbaum, Shmoys 1985, *A best possible heuristic
        for the k-center problem*.

    Example:
        >>> lower_bound(jnp.array([[0.0], [1.0], [2.0], [9.0]]), 2, 1).tolist()
        1.0
        >>> lower_bound(jnp.array([[0.0], [1.0], [2.0], [9.0]]), 2, 2).tolist()
        3.5
    """
    check_points(points, metric)
    check_centers(k, points.shape[0])
    check_first(first, points.shape[0])
    check_min_size(min_size)
    require(metric != "sqeuclidean", "metric", metric, "one with a triangle inequality")
    if probes is not None:
        check_shape("probes", probes, ("s",))
        check_dtype("probes", probes, "integer")
        known, n = concrete(probes), points.shape[0]
        inside = known is None or bool(((known >= -1) & (known < n)).all())
        require(inside, "probes", probes, f"points, 0 <= probe < {n}, or -1 for none")
    return _lower_bound(points, k, min_size, probes, first, metric)


@functools.partial(jax.jit, static_argnames=("k", "metric"))
def _lower_bound(
    points: Array, k: int, min_size: Any, probes: Array | None, first: Any, metric: Metric
) -> Array:
    order = gonzalez(points, k, first=first, metric=metric)
    chosen = order.indices if probes is None else probes.astype(jnp.int32)
    dist = distance_matrix(points, chosen, metric=metric)
    dist = jnp.where(chosen >= 0, dist, 0)  # no probe bounds nothing
    return bound_of(order.radii[-1], jax.lax.stop_gradient(dist), min_size)


def bound_of(cover_radius: Array, dist: Array, min_size: Any) -> Array:
    """The bound from the radius of a farthest-first order and the distances of some probes."""
    least = jax.lax.map(lambda column: kth_smallest(column, min_size), dist.T)
    known = jax.lax.stop_gradient(cover_radius)
    return jnp.maximum(known, jnp.max(least, initial=0)) / 2
