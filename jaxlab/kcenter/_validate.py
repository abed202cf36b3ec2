"""What is asked of a problem of fair and private k-center."""

from typing import Any

import numpy as np

from jaxlab.checks import check_dtype, check_number, check_shape, concrete, require
from jaxlab.kcenter._checks import check_centers, check_first, check_points
from jaxlab.kcenter._checks import check_min_size as check_size
from jaxlab.kcenter.metrics import Metric

__all__ = ["as_integers", "check_intervals", "check_min_size", "check_problem", "check_quota"]


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


def check_min_size(n: int, k: int, min_size: Any) -> None:
    """Enough points for ``k`` clusters of that size."""
    check_size(min_size)
    if (size := concrete(min_size)) is not None:
        text = f"an integer <= n // k = {n // k} (not enough points for min_size)"
        require(n >= k * int(size), "min_size", min_size, text)


def as_integers(argument: str, values: Any) -> Any:
    """A vector of integers as int32, on the host where it is known."""
    known = concrete(values)
    array = values if known is None else known
    check_dtype(argument, array, "integer")
    check_shape(argument, array, ("m",))
    return array.astype(np.int32)


def check_intervals(groups: Any, k: int, lower: Any, upper: Any) -> None:
    """Intervals for the number of centers of each group that ``k`` centers can meet."""
    check_shape("upper", upper, np.shape(lower))
    m = np.shape(lower)[0]
    require(m >= 1, "lower", lower, "an interval for each group")
    members, low, high = concrete(groups), concrete(lower), concrete(upper)
    sizes = None
    if members is not None:
        fit = bool(np.all((members >= 0) & (members < m)))
        require(fit, "groups", groups, f"group labels from 0 to {m - 1}")
        sizes = np.bincount(members, minlength=m)
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
