"""From centers and labels to a solution."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.kcenter.bounds import lower_bound
from jaxlab.kcenter.metrics import (
    Metric,
    distance_matrix,
    paired_distances,
)
from jaxlab.kcenter.types import Solution

__all__ = [
    "Radii",
    "finished",
    "group_counts",
    "make_solution",
    "nearest_labels",
    "nearest_solution",
    "within",
]


class Radii(NamedTuple):
    """Of each prefix: private radius, threshold of the forest, assignment radius."""

    prefix: Any
    forest: Any
    assignment: Any


def group_counts(groups: Array, centers: Array, m: int) -> Array:
    """Centers of each group; −1 is no center."""
    color = jnp.where(centers >= 0, groups[jnp.maximum(centers, 0)].astype(jnp.int32), m)
    return jnp.zeros(m, jnp.int32).at[color].add(1, mode="drop")


def within(groups: Array, centers: Array, lower: Array, upper: Array) -> Array:
    """Whether the centers of each group are as many as asked for."""
    number = group_counts(groups, centers, lower.shape[0])
    return jnp.all((number >= lower) & (number <= upper))


def nearest_labels(points: Array, centers: Array, metric: Metric) -> Array:
    """Slot of the nearest center, the lowest among equals."""
    table = distance_matrix(points, centers, metric=metric)
    return jnp.argmin(table, axis=1).astype(jnp.int32)


def make_solution(
    points: Array,
    groups: Array,
    centers: Array,
    labels: Array,
    *,
    m: int,
    feasible: Array,
    lower_bound: Array,
    metric: Metric,
    prefix: Array | int = -1,
    radii: tuple[Array, Array, Array] | None = None,
) -> Solution:
    """A solution with counts and radius, the latter through the farthest point's own distance."""
    k = centers.shape[0]
    there = centers >= 0
    own = jnp.maximum(centers, 0)[jnp.maximum(labels, 0)]
    fixed = jax.lax.stop_gradient(points)
    far = jnp.argmax(paired_distances(fixed, None, own, metric))[None]
    radius = paired_distances(points, far, own[far], metric)[0]
    feasible = jnp.asarray(feasible)
    nothing = jnp.full(k, jnp.inf, points.dtype)
    kept: Any = (nothing, nothing, nothing) if radii is None else radii
    return Solution(
        centers=centers.astype(jnp.int32),
        mask=there,
        labels=labels.astype(jnp.int32),
        counts=jnp.zeros(k, jnp.int32).at[jnp.where(labels >= 0, labels, k)].add(1, mode="drop"),
        group_counts=group_counts(groups, centers, m),
        radius=jnp.where(jnp.any(there), radius, jnp.inf),
        lower_bound=lower_bound,
        prefix=jnp.asarray(prefix, jnp.int32),
        prefix_radii=kept[0],
        forest_radii=kept[1],
        assignment_radii=kept[2],
        feasible=feasible,
    )


@functools.partial(jax.jit, static_argnames=("metric",))
def nearest_solution(
    points: Array, groups: Array, centers: Array, quota: Array, first: Any, *, metric: Metric
) -> Solution:
    """Every point to its nearest center, whatever the sizes; −1 is a center that was not found."""
    fixed = jax.lax.stop_gradient(points)
    return make_solution(
        points,
        groups,
        centers,
        nearest_labels(fixed, centers, metric),
        m=quota.shape[0],
        feasible=jnp.all(centers >= 0) & within(groups, centers, quota, quota),
        lower_bound=lower_bound(fixed, centers.shape[0], 0, first=first, metric=metric),
        metric=metric,
    )


@functools.partial(jax.jit, static_argnames=("m", "metric"))
def finished(
    points: Array,
    groups: Array,
    best: Any,
    feasible: Array,
    bound: Array,
    radii: Radii,
    *,
    m: int,
    metric: Metric,
) -> Solution:
    """The solution of a choice of centers."""
    return make_solution(
        points,
        groups,
        best.centers,
        best.labels,
        m=m,
        feasible=feasible,
        lower_bound=bound,
        metric=metric,
        prefix=best.prefix,
        radii=radii,
    )
