"""What the functions of this room refuse, said in the same words everywhere."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxlab.checks import (
    check_dtype,
    check_integer,
    check_number,
    check_shape,
    concrete,
    extremes,
    require,
)
from jaxlab.kcenter.metrics import Metric, check_metric

__all__ = [
    "as_integers",
    "check_centers",
    "check_coordinates",
    "check_enough_points",
    "check_first",
    "check_intervals",
    "check_labels",
    "check_min_size",
    "check_points",
    "check_problem",
    "check_quota",
    "check_table",
    "check_weights",
]

INT32 = np.iinfo(np.int32)


def check_points(points: Array, metric: Metric = "euclidean", *, padded: bool = False) -> None:
    """Refuse what is no cloud of at least one point with coordinates that have distances."""
    check_metric(metric)
    check_shape("points", points, ("n", "d"))
    check_dtype("points", points, "floating")
    require(points.shape[0] > 0, "points", points, "at least one point (no points)")
    require(points.shape[1] > 0, "points", points, "at least one coordinate")
    if metric == "precomputed":
        check_shape("points", points, (points.shape[0], points.shape[0]))
        ends = finite_extremes("points", points, points.dtype)
        require(ends is None or ends[0] >= 0, "points", points, "distances >= 0")
    else:
        check_coordinates("points", points, metric, points.dtype, padded=padded)


def check_coordinates(
    name: str, points: Array, metric: Metric, dtype: Any, *, padded: bool = False
) -> None:
    """Refuse coordinates that are not finite, or so far apart that ``dtype`` cannot hold it.

    The sum over many coordinates may still overflow: that distance is then infinite. Where some
    points are padding, which may lie anywhere, ``padded``, all are only held to be finite.
    """
    ends = finite_extremes(name, points, dtype)
    if ends is None or padded or metric not in ("euclidean", "sqeuclidean", "manhattan"):
        return
    kind = jnp.finfo(jax.dtypes.canonicalize_dtype(dtype))
    limit, what = float(kind.max), "differences"
    if metric != "manhattan":
        limit, what = math.sqrt(limit), "squared differences"
    apart = ends[1] - ends[0]
    if apart > limit and (known := concrete(points)) is not None:  # it is each coordinate's range
        apart = (known.max(axis=0).astype(np.float64) - known.min(axis=0)).max()
        text = f"coordinates at most {limit:.3g} apart, whose {what} {kind.dtype.name} holds"
        require(bool(apart <= limit), name, points, text)


def finite_extremes(name: str, points: Array, dtype: Any) -> tuple[float, float] | None:
    """Least and largest entry, where known; refuse what is not finite in ``dtype``."""
    ends = extremes(points)
    largest = float(jnp.finfo(jax.dtypes.canonicalize_dtype(dtype)).max)
    fits = ends is None or bool(max(-ends[0], ends[1]) <= largest)  # not so for NaN
    require(fits, name, points, "finite entries")
    return ends


def check_problem(
    points: Any, groups: Any, k: Any, *, first: Any = 0, metric: Metric = "euclidean"
) -> None:
    """Points with a group each, at least ``k`` of them, and a metric."""
    check_points(points, metric)
    ordered = metric != "sqeuclidean"
    require(ordered, "metric", metric, "distances: squares violate the triangle inequality")
    n = points.shape[0]
    check_centers(k, n)
    check_dtype("groups", groups, "integer")
    same = np.shape(groups) == (n,)
    require(same, "groups", groups, f"one for each of {n} points (the same length)")
    check_first(first, n)


def check_centers(k: Any, n: int, *, name: str = "k") -> None:
    """Refuse a number of centers below 1 or above the number of points."""
    check_integer(name, k)
    require(k >= 1, name, k, f"an integer >= 1 ({name} must be at least 1)")
    require(k <= n, name, k, f"an integer <= {n}, the number of points (fewer points than {name})")


def check_first(first: Any, n: int, mask: Any = None) -> None:
    """Refuse a first pick that is not one of the points."""
    check_shape("first", first, ())
    check_dtype("first", first, "integer")
    known = concrete(first)
    if known is None:
        return
    require(bool(0 <= known < n), "first", first, f"a point, 0 <= first < {n}")
    present = None if mask is None else concrete(mask)
    if present is not None and present.any():
        require(bool(present[int(known)]), "first", first, "a point that is not masked away")


def check_min_size(min_size: Any) -> None:
    """Refuse what is no least cluster size."""
    check_shape("min_size", min_size, ())
    check_dtype("min_size", min_size, "integer")
    known = concrete(min_size)
    fits = known is None or bool(0 <= known <= INT32.max)
    require(fits, "min_size", min_size, "an integer min_size >= 0 that fits int32")


def check_enough_points(n: int, k: int, min_size: Any) -> None:
    """Enough points for ``k`` clusters of that size."""
    check_min_size(min_size)
    if (size := concrete(min_size)) is not None:
        text = f"an integer <= n // k = {n // k} (not enough points for min_size)"
        require(n >= k * int(size), "min_size", min_size, text)


def check_table(dist: Array) -> None:
    """Refuse what is no table of distances to at least one center."""
    check_shape("dist", dist, ("n", "k"))
    check_dtype("dist", dist, "floating")
    require(dist.shape[0] > 0, "dist", dist, "a row for at least one point (no points)")
    require(dist.shape[1] > 0, "dist", dist, "a column for each center (k must be at least 1)")
    ends = extremes(dist)
    fits = ends is None or ends[0] >= 0  # not so for NaN
    require(fits, "dist", dist, "distances >= 0, infinite or finite, not NaN")


def check_weights(weights: Array, n: int) -> None:
    """Refuse weights that are not numbers of copies of the points, or too many in all."""
    check_shape("weights", weights, (n,))
    check_dtype("weights", weights, "integer")
    check_number("weights", weights, minimum=0)
    known = concrete(weights)
    total = 0.0 if known is None else float(known.sum(dtype=np.float64))
    require(total <= INT32.max, "weights", total, "a sum that fits int32")


def as_integers(argument: str, values: Any) -> Any:
    """A vector of integers as int32, on the host where it is known.

    What int32 has no room for, a bound that no number of centers reaches, becomes its end.
    """
    known = concrete(values)
    array = values if known is None else known
    check_dtype(argument, array, "integer")
    check_shape(argument, array, ("m",))
    held = np.iinfo(array.dtype)
    ends = max(held.min, INT32.min), min(held.max, INT32.max)
    return array.clip(*(np.asarray(end, array.dtype) for end in ends)).astype(np.int32)


def check_labels(groups: Any, m: int) -> None:
    """Refuse labels of other groups than the ``m`` that there are."""
    known = concrete(groups)
    fits = known is None or bool(np.all((known >= 0) & (known < m)))
    require(fits, "groups", groups, f"group labels from 0 to {m - 1}")


def check_intervals(groups: Any, k: int, lower: Any, upper: Any) -> None:
    """Intervals for the number of centers of each group that ``k`` centers can meet."""
    check_shape("upper", upper, np.shape(lower))
    m = np.shape(lower)[0]
    require(m >= 1, "lower", lower, "an interval for each group")
    check_labels(groups, m)
    members, low, high = concrete(groups), concrete(lower), concrete(upper)
    sizes = None if members is None else np.bincount(members, minlength=m)
    if low is not None:
        check_number("lower", low, minimum=0)
        total = int(low.sum())
        require(total <= k, "lower", total, f"a sum of lower bounds of at most k = {k}")
    if low is not None and sizes is not None:
        for c, (wanted, size) in enumerate(zip(low.tolist(), sizes.tolist(), strict=True)):
            text = f"a bound that can be met: group {c} has only {size} points"
            require(wanted <= size, f"lower[{c}]", wanted, text)
    if low is not None and high is not None:
        for c, (least, most) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
            text = f"at most upper[{c}] = {most}, lower bound exceeds upper bound for group {c}"
            require(least <= most, f"lower[{c}]", least, text)
    if high is not None and sizes is not None:
        total = int(np.minimum(high, sizes).sum())
        text = f"a sum of upper bounds (at most the sizes of groups) of at least k = {k}"
        require(total >= k, "upper", total, text)


def check_quota(k: int, quota: Any) -> None:
    """A number of centers for each group, ``k`` in all."""
    if (known := concrete(quota)) is not None:
        check_number("quota", known, minimum=0)
        total = int(known.sum())
        require(total == k, "quota", total, f"numbers that sum to k = {k}")
