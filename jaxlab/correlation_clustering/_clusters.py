"""What follows when agreements changed: clusters, ids, recourse and cost."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.correlation_clustering._ids import consistent, published
from jaxlab.correlation_clustering._windows import PADDING, compact, for_windows, window
from jaxlab.correlation_clustering.agreement import is_heavy
from jaxlab.correlation_clustering.ratios import Ratio
from jaxlab.correlation_clustering.recourse import matched
from jaxlab.correlation_clustering.types import Links, OnlineState
from jaxlab.graphs import connected_components
from jaxlab.varying import vary_like

__all__ = ["Costs", "cost_of", "count_costs", "moved_among", "recluster", "touched_by"]

#: most arrivals change the clusters of few vertices, for which short lists do
SHORT = 128
SHORT_EDGES = 512


class Costs(NamedTuple):
    """Disagreements of agreement clusters and of maintained ids."""

    off: Array
    on: Array


def recluster(
    state: OnlineState, links: Links, lam: Ratio | Array, rule: str
) -> tuple[OnlineState, Array, Array]:
    """Agreement clusters and maintained ids after agreements changed; recourse of either."""
    n, capacity = state.degree.shape[0], state.active.shape[0]
    newcomer = state.step
    vertices = jnp.arange(n, dtype=jnp.int32)

    def components(size: int) -> Any:
        return _components(state, links, state.active[:size], lam, rule)

    found = _by_length(components, state.num_active, SHORT_EDGES, capacity)
    active, num_active, labels, heavy_labels, clustered = found

    arrived = vertices <= newcomer
    touched = touched_by(state.agreement_labels, labels, arrived, n)
    overflow = state.overflow | (jnp.sum(touched) > capacity)
    after = state.replace(  # type: ignore[attr-defined]
        active=active,
        num_active=num_active,
        agreement_labels=labels,
        heavy_labels=heavy_labels,
        clustered=clustered,
    )
    if rule == "off":
        after = after.replace(maintained=labels)
    else:
        follow = consistent if rule == "consistent" else published
        settled = after

        def given(size: int) -> OnlineState:
            return follow(state, settled, compact(touched, size)[0])

        after = _by_length(given, jnp.sum(touched), SHORT, min(n, capacity))

    moved_off = moved_among(state.agreement_labels, labels, touched, newcomer, capacity)
    if rule == "off":
        moved_on = moved_off
    else:
        ids = state.origin_size.shape[0]
        touched = touched_by(state.maintained, after.maintained, arrived, ids)
        overflow |= jnp.sum(touched) > capacity
        moved_on = moved_among(state.maintained, after.maintained, touched, newcomer, capacity)
    after = after.replace(
        per_vertex_recourse=state.per_vertex_recourse + moved_on,
        per_vertex_recourse_off=state.per_vertex_recourse_off + moved_off,
        last_change=newcomer,
        stale=jnp.ones((), bool),
        overflow=overflow,
    )
    return after, jnp.sum(moved_off, dtype=jnp.int32), jnp.sum(moved_on, dtype=jnp.int32)


def _components(
    state: OnlineState, links: Links, active: Array, lam: Ratio | Array, rule: str
) -> tuple[Array, Array, Array, Array, Array]:
    """The list of agreements without those that ended, its length, and the clusters of now."""
    n, capacity, size = state.degree.shape[0], state.active.shape[0], active.shape[0]
    slots = jnp.arange(size, dtype=jnp.int32)
    listed = (slots < state.num_active) & state.agree[active]
    place = jnp.cumsum(listed, dtype=jnp.int32) - 1
    place = jnp.where(listed, place, capacity)
    rest = jnp.zeros(capacity, jnp.int32).at[place].set(active, mode="drop")
    active = rest[:size]
    num_active = jnp.sum(listed, dtype=jnp.int32)

    there = slots < num_active
    senders, receivers = links.senders[active], links.receivers[active]
    heavy_senders = is_heavy(state.degree[senders], state.agreeing[senders], lam)
    heavy_receivers = is_heavy(state.degree[receivers], state.agreeing[receivers], lam)
    kept = there & (heavy_senders | heavy_receivers)
    labels = connected_components(senders, receivers, n, mask=kept)
    ends = jnp.where(kept, jnp.stack([senders, receivers]), n)
    clustered = jnp.zeros(n, bool).at[ends].set(True, mode="drop")
    heavy_labels = labels
    if rule == "published":
        heavy = jnp.where(jnp.stack([heavy_senders, heavy_receivers]), ends, n)
        least = jnp.full(n, n, jnp.int32).at[labels[ends]].min(heavy, mode="drop")
        heavy_labels = jnp.where(clustered, least[labels], jnp.arange(n, dtype=jnp.int32))
    return rest, num_active, labels, heavy_labels, clustered


def count_costs(state: OnlineState, links: Links) -> Costs:
    """Disagreements, counted over the edges and vertices that have arrived."""
    n = state.degree.shape[0]
    dtype = state.cost_on.dtype
    arrived = jnp.arange(n) <= state.step

    def count(labels: Array, ids: int) -> Array:
        return cost_of(labels, ids, links, state.num_edges, arrived, dtype)

    return Costs(
        count(state.agreement_labels, n), count(state.maintained, state.origin_size.shape[0])
    )


def cost_of(
    labels: Array, ids: int, links: Links, num_edges: Array, arrived: Array, dtype: Any
) -> Array:
    """Disagreements of labels below ``ids``."""

    def add(position: Array, inside: Array) -> Array:
        there = position + jnp.arange(PADDING) < num_edges
        senders = window(links.senders, position, PADDING)
        receivers = window(links.receivers, position, PADDING)
        same = there & (labels[senders] == labels[receivers])
        return inside + jnp.sum(same, dtype=dtype)

    start = vary_like(jnp.zeros((), dtype), labels, links)
    inside = for_windows(jnp.int32(0), num_edges, PADDING, add, start)
    members = jnp.zeros(ids, jnp.int32).at[labels].add(arrived.astype(jnp.int32)).astype(dtype)
    # halved first: the product itself may not fit
    pairs = jnp.sum((members // 2) * ((members - 1) | 1), dtype=dtype)
    return num_edges.astype(dtype) + pairs - 2 * inside


def touched_by(old: Array, new: Array, arrived: Array, ids: int) -> Array:
    """Which vertices are in a cluster that gained or lost one.

    Any other cluster has the id that it had, and so is matched with itself.
    """
    changed = arrived & (old != new)
    marks = jnp.zeros(ids, bool)
    marks = marks.at[jnp.where(changed, old, ids)].set(True, mode="drop")
    marks = marks.at[jnp.where(changed, new, ids)].set(True, mode="drop")
    return arrived & (marks[old] | marks[new])


def moved_among(old: Array, new: Array, touched: Array, newcomer: Array, capacity: int) -> Array:
    """Which of the touched vertices changed cluster, the newcomer apart."""
    n = old.shape[0]

    def match(size: int) -> Array:
        few = compact(touched, size)[0]
        counts = few < newcomer
        kept = matched(old[few], new[few], counts)
        moved = (counts & ~kept).astype(jnp.int32)
        return jnp.zeros(n, jnp.int32).at[few].set(moved, mode="drop")

    return _by_length(match, jnp.sum(touched), SHORT, min(n, capacity))


def _by_length(function: Callable[[int], Any], count: Array, short: int, long: int) -> Any:
    """``function(size)`` with the smaller of two sizes that is enough for ``count``."""
    if long <= short:
        return function(long)
    return jax.lax.cond(count <= short, lambda: function(short), lambda: function(long))
