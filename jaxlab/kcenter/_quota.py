"""Opening points one by one while groups have places."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.kcenter._solution import group_counts
from jaxlab.kcenter.metrics import Metric, distance_matrix
from jaxlab.varying import vary_like

__all__ = ["open_more"]


#: distances to the nearest center, points that are taken, centers of each group
_Picks = tuple[Array, Array, Array]


def open_more(
    points: Array,
    groups: Array,
    centers: Array,
    lower: Array,
    upper: Array,
    *,
    farthest: bool,
    first: Any,
    metric: Metric,
) -> Array:
    """Fill the unused slots with the farthest points, or those of the lowest index.

    A group has places up to its upper bound as long as enough slots are left for the lower bounds
    of the others. Where there is no center yet, the point ``first`` comes first.
    """
    n, k, m = points.shape[0], centers.shape[0], lower.shape[0]
    everyone = jnp.arange(n, dtype=jnp.int32)
    slots = jnp.argsort(centers >= 0, descending=True, stable=True)
    centers = centers[slots]
    table = distance_matrix(points, centers, metric=metric)
    taken = jnp.zeros(n, bool).at[jnp.where(centers >= 0, centers, n)].set(True, mode="drop")

    def pick(carry: _Picks, slot: Array) -> tuple[_Picks, Array]:
        distance, taken, number = carry
        missing = jnp.maximum(lower - number, 0)
        spare = k - jnp.sum(number) > jnp.sum(missing)
        room = (missing > 0) | ((number < upper) & spare)
        eligible = room[groups] & ~taken
        rank = distance if farthest else -everyone.astype(distance.dtype)
        p = jnp.argmax(jnp.where(eligible, rank, -jnp.inf)).astype(jnp.int32)
        p = jnp.where(eligible[first] & jnp.all(~taken), jnp.asarray(first, jnp.int32), p)
        opens = (centers[slot] < 0) & eligible[p]
        new = distance_matrix(points, p[None], metric=metric)[:, 0]
        distance = jnp.where(opens, jnp.minimum(distance, new), distance)
        taken = taken.at[jnp.where(opens, p, n)].set(True, mode="drop")
        number = number.at[groups[p]].add(opens.astype(jnp.int32))
        return (distance, taken, number), jnp.where(opens, p, centers[slot])

    start = (jnp.min(table, axis=1), taken, group_counts(groups, centers, m))
    start = vary_like(start, points, groups, centers, lower, upper, first)
    _, centers = jax.lax.scan(pick, start, jnp.arange(k))
    return centers
