"""Phase 5: surplus points move, representatives spread, points are assigned within clusters."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.kcenter.metrics import Metric, distance_matrix, paired_distances
from jaxlab.kcenter.order_statistics import kth_smallest
from jaxlab.kcenter.types import Opened
from jaxlab.varying import vary_like

__all__ = ["assign_within", "push_surplus", "spread_representatives"]


#: points that are taken, members still needed of each group, distances to the nearest pick
_Picks = tuple[Array, Array, Array]


def push_surplus(
    labels: Array,
    dist: Array,
    parent: Array,
    length: Array,
    order: Array,
    threshold: Array,
    min_size: Array,
) -> Array:
    """Labels after each cluster, from the leaves on, has given what is over to its parent.

    Those ``N mod L`` points go that are nearest to the parent's center, the first among equals.
    """

    def give(labels: Array, j: Array) -> tuple[Array, None]:
        up = (parent[j] != j) & (length[j] <= threshold)
        members = labels == j
        surplus = jnp.sum(members, dtype=jnp.int32) % jnp.maximum(min_size, 1)
        gone = nearest_of(members, dist[:, parent[j]], jnp.where(up, surplus, 0))
        return jnp.where(gone, parent[j], labels), None

    return jax.lax.scan(give, labels, order, reverse=True)[0]


def nearest_of(members: Array, distance: Array, count: Array) -> Array:
    """The ``count`` members at the least distance, the first among equals."""
    at = kth_smallest(jnp.where(members, distance, jnp.inf), count)
    below, level = members & (distance < at), members & (distance == at)
    left = count - jnp.sum(below, dtype=jnp.int32)
    return below | (level & (jnp.cumsum(level, dtype=jnp.int32) <= left))


def spread_representatives(
    points: Array,
    groups: Array,
    labels: Array,
    opened: Opened,
    preliminary: Array,
    m: int,
    metric: Metric,
) -> Opened:
    """In each cluster a farthest-first set with as many of each group as were opened there.

    It starts from the opened center nearest to the preliminary one. A cluster without enough
    members of a group, not counting what other clusters have opened, keeps its opened centers.
    """
    n, k = labels.shape[0], opened.centers.shape[0]
    slots = jnp.arange(k, dtype=jnp.int32)
    origin = jnp.where(opened.mask, opened.origin, k)
    centers = jnp.where(opened.mask, opened.centers, 0)
    color = groups[centers]
    to_origin = paired_distances(points, centers, preliminary[jnp.minimum(origin, k - 1)], metric)
    to_origin = jnp.where(opened.mask, to_origin, jnp.inf)
    least = jnp.full(k, jnp.inf, to_origin.dtype).at[origin].min(to_origin, mode="drop")
    nearest = opened.mask & (to_origin == least[jnp.minimum(origin, k - 1)])
    first = jnp.full(k, k, jnp.int32)
    first = first.at[origin].min(jnp.where(nearest, slots, k), mode="drop")  # slot, per cluster
    start = opened.mask & (first[jnp.minimum(origin, k - 1)] == slots)
    need = jnp.zeros((k, m), jnp.int32)
    need = need.at[origin, color].add((~start).astype(jnp.int32), mode="drop")
    taken = jnp.zeros(n, bool).at[jnp.where(opened.mask, centers, n)].set(True, mode="drop")
    foreign = jnp.zeros(n, bool)
    away = opened.mask & (labels[centers] != opened.origin)
    foreign = foreign.at[jnp.where(away | start, centers, n)].set(True, mode="drop")
    free = jnp.zeros((k, m), jnp.int32).at[labels, groups].add((~foreign).astype(jnp.int32))
    enough = jnp.all(free >= need, axis=1)
    keep = opened.mask & (start | ~enough[jnp.minimum(origin, k - 1)])
    need = jnp.where(enough[:, None], need, 0)
    taken = foreign | (taken & ~enough[labels])
    kept = jnp.where(keep, opened.centers, -1)
    start_of = jnp.where(first < k, centers[jnp.minimum(first, k - 1)], 0)
    nearest_pick = paired_distances(points, None, start_of[labels], metric)

    def pick(carry: _Picks, slot: Array) -> tuple[_Picks, Array]:
        taken, need, distance = carry
        eligible = ~taken & (need[labels, groups] > 0)
        p = jnp.argmax(jnp.where(eligible, distance, -1)).astype(jnp.int32)
        picks = opened.mask[slot] & ~keep[slot]
        cluster = labels[p]
        new = distance_matrix(points, p[None], metric=metric)[:, 0]
        closer = picks & (labels == cluster)
        distance = jnp.where(closer, jnp.minimum(distance, new), distance)
        taken = taken.at[jnp.where(picks, p, n)].set(True, mode="drop")
        need = need.at[jnp.where(picks, cluster, k), groups[p]].add(-1, mode="drop")
        return (taken, need, distance), jnp.where(picks, p, kept[slot])

    _, spread = jax.lax.scan(pick, (taken, need, nearest_pick), slots)
    home = jnp.where(keep, opened.origin, labels[jnp.maximum(spread, 0)])
    return opened._replace(
        centers=jnp.where(opened.mask, spread, -1), origin=jnp.where(opened.mask, home, -1)
    )


def assign_within(
    dist: Array, labels: Array, opened: Opened, min_size: Array, batch: Array
) -> tuple[Array, Array]:
    """Slots of all points, each within its cluster, and the largest distance.

    In each cluster batches are taken from the farthest down. A point goes to its nearest center if
    that is below ``min_size`` or there are points to spare, else to the nearest center below. The
    order within a batch is left open by the authors; here it is that of the points' indices.
    """
    n, k = dist.shape
    own = opened.mask & (opened.origin == labels[:, None])
    within = jnp.where(own, dist, jnp.inf)
    nearest = jnp.argmin(within, axis=1).astype(jnp.int32)
    reach = jnp.min(within, axis=1)
    points = jnp.arange(n, dtype=jnp.int32)
    # position from the farthest down in the own cluster, then its batch
    by_cluster, _, order = jax.lax.sort((labels, -reach, points), num_keys=3)
    size = jnp.zeros(k, jnp.int32).at[labels].add(1)
    offset = jnp.cumsum(size) - size
    turn = (points - offset[by_cluster]) // jnp.maximum(batch, 1)
    order = jax.lax.sort((by_cluster, turn, order), num_keys=3)[2]
    opened_in = jnp.zeros(k, jnp.int32)
    home = jnp.where(opened.mask, opened.origin, k)
    opened_in = opened_in.at[home].add(1, mode="drop")

    def assign(carry: tuple[Array, Array], p: Array) -> tuple[tuple[Array, Array], Array]:
        count, spare = carry
        cluster, near = labels[p], nearest[p]
        below = count < min_size
        stays = below[near] | (spare[cluster] > 0)
        other = jnp.argmin(jnp.where(below, within[p], jnp.inf)).astype(jnp.int32)
        chosen = jnp.where(stays, near, other)
        paid = stays & ~below[near]
        spare = spare.at[cluster].add(-paid.astype(jnp.int32))
        return (count.at[chosen].add(1), spare), chosen

    start = (jnp.zeros(k, jnp.int32), size - opened_in * min_size)
    _, slots = jax.lax.scan(assign, vary_like(start, dist, batch), order)
    slots = jnp.zeros(n, jnp.int32).at[order].set(slots)
    return slots, jnp.max(jnp.take_along_axis(dist, slots[:, None], axis=1))
