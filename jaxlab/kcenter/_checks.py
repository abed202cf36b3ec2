"""What the functions of this room refuse, said in the same words everywhere."""

from typing import Any

from jaxtyping import Array

from jaxlab.checks import check_dtype, check_finite, check_integer, check_shape, concrete, require
from jaxlab.kcenter.metrics import Metric, check_metric

__all__ = ["check_centers", "check_first", "check_min_size", "check_points", "check_table"]


def check_points(points: Array, metric: Metric = "euclidean", *, name: str = "points") -> None:
    """Refuse what is no cloud of at least one point with finite coordinates."""
    check_metric(metric)
    check_shape(name, points, ("n", "d"))
    check_dtype(name, points, "floating")
    require(points.shape[0] > 0, name, points, "at least one point (no points)")
    if metric == "precomputed":
        check_shape(name, points, (points.shape[0], points.shape[0]))
    check_finite(name, points)


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
    require(known is None or bool(known >= 0), "min_size", min_size, "an integer min_size >= 0")


def check_table(dist: Array, *, name: str = "dist") -> None:
    """Refuse what is no table of distances to at least one center."""
    check_shape(name, dist, ("n", "k"))
    check_dtype(name, dist, "floating")
    require(dist.shape[0] > 0, name, dist, "a row for at least one point (no points)")
    require(dist.shape[1] > 0, name, dist, "a column for each center (k must be at least 1)")
    known = concrete(dist)
    fits = known is None or bool(known.min() >= 0)  # not so for NaN
    require(fits, name, dist, "distances >= 0, infinite or finite, not NaN")
