"""The best centers for given clusters."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.kcenter._solution import group_counts
from jaxlab.kcenter.color_flow import Nodes, group_arcs, saturate
from jaxlab.kcenter.metrics import Metric, distance_matrix, paired_distances
from jaxlab.varying import vary_like

__all__ = ["recenter"]


def recenter(
    points: Array,
    groups: Array,
    centers: Array,
    labels: Array,
    exchange: Array,
    m: int,
    extremes: int,
    shortlist: int,
    metric: Metric,
) -> Array:
    """The best center for each cluster, as many of each group as there were; no point twice.

    A cluster's center stays in its group, or, with ``exchange``, groups go to clusters such that
    the worst of the clusters is as good as can be, by the distances to its extreme members.
    """
    n, k = labels.shape[0], centers.shape[0]
    there = centers >= 0
    old = jnp.maximum(centers, 0)
    everyone = jnp.arange(n, dtype=jnp.int32)
    slots = jnp.arange(k)
    home = jnp.where(labels >= 0, labels, k)

    def largest(values: Array) -> Array:
        return jnp.full(k, -jnp.inf, values.dtype).at[home].max(values, mode="drop")

    def to_own(picks: Array) -> Array:
        return paired_distances(points, None, picks[jnp.maximum(labels, 0)], metric)

    def extreme(distance: Array, _: None) -> tuple[Array, Array]:
        # the farthest member of every cluster at once, the first among equals
        far = distance == largest(distance)[jnp.maximum(labels, 0)]
        pick = jnp.full(k, n, jnp.int32).at[home].min(jnp.where(far, everyone, n), mode="drop")
        pick = jnp.where(pick < n, pick, old)
        return jnp.minimum(distance, to_own(pick)), pick

    _, picks = jax.lax.scan(extreme, to_own(old), None, length=extremes)  # [extremes, k]
    is_center = jnp.zeros(n, bool).at[jnp.where(there, centers, n)].set(True, mode="drop")
    size = min(shortlist, n)

    def screen(slot: Array) -> tuple[Array, Array]:
        """Largest distance of every candidate to the extreme members, and the least by group."""

        def farther(worst: Array, pick: Array) -> tuple[Array, None]:
            new = distance_matrix(points, pick[None], metric=metric)[:, 0]
            return jnp.maximum(worst, new), None

        start = jnp.where(is_center & (everyone != old[slot]), jnp.inf, 0).astype(points.dtype)
        worst, _ = jax.lax.scan(farther, start, picks[:, slot])
        return worst, jnp.full(m, jnp.inf, worst.dtype).at[groups].min(worst)

    screened, by_group = jax.lax.map(screen, slots)  # [k, n], [k, m]
    own = groups[old]
    color = exchanged(by_group, own, there, group_counts(groups, centers, m), exchange)

    def list_best(args: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        worst, slot, wanted = args
        allowed = (groups == wanted) & (everyone != old[slot])
        value, index = jax.lax.top_k(jnp.where(allowed, -worst, -jnp.inf), size)
        return index, value > -jnp.inf

    index, listed = jax.lax.map(list_best, (screened, slots, color))  # [k, size]
    index = jnp.concatenate([old[:, None], index.astype(jnp.int32)], axis=1)
    stays = there & (color == own)
    listed = jnp.concatenate([stays[:, None], listed & there[:, None]], axis=1)
    worst = jax.lax.map(lambda picks: largest(to_own(picks)), index.T).T  # [k, 1 + size]
    worst = jnp.where(listed, worst, jnp.inf)

    def choose(taken: Array, slot: Array) -> tuple[Array, Array]:
        twice = jnp.any(index[slot][:, None] == taken, axis=1)
        value = jnp.where(twice, jnp.inf, worst[slot])
        at = jnp.argmin(value)
        best = jnp.where(value[at] < jnp.inf, index[slot, at], -1)
        return taken.at[slot].set(best), best

    nobody = vary_like(jnp.full(k, -1, jnp.int32), index, worst)
    _, chosen = jax.lax.scan(choose, nobody, slots)
    # where a cluster has found none, nothing changes
    return jnp.where(jnp.all((chosen >= 0) == there), chosen, centers)


def exchanged(by_group: Array, own: Array, there: Array, number: Array, exchange: Array) -> Array:
    """Groups of the clusters, ``number`` of each: a matching of least largest value."""
    k, m = by_group.shape
    at = Nodes(k, m)
    colors = jnp.broadcast_to(jnp.arange(m, dtype=jnp.int32), (k, m))
    same = jnp.arange(k * m).reshape(k, m)
    residual = group_arcs(at, number, number, jnp.int32(0))
    residual = residual.at[at.source, :k].set(there.astype(jnp.int32))
    length = jnp.where(there[:, None], by_group, jnp.inf)
    target: Any = jnp.where(exchange, jnp.sum(there, dtype=jnp.int32), 0)
    flow = saturate(at, length, colors, same, residual, target, jnp.inf)
    matched = jnp.argmax(flow.used, axis=1).astype(own.dtype)
    return jnp.where(flow.feasible & jnp.any(flow.used, axis=1), matched, own)
