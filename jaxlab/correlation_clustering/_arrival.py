"""One arrival: degrees, common neighbours, and the agreements that they change.

Only edges with an end among the newcomer's neighbours can change, so only these are looked at, in
windows. No work grows with the number of edges or vertices that there are, but for one table of
``n`` that a stream clears.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.correlation_clustering._windows import for_windows, window
from jaxlab.correlation_clustering.agreement import is_agreed, is_heavy
from jaxlab.correlation_clustering.ratios import Ratio
from jaxlab.correlation_clustering.types import Links, OnlineState

__all__ = ["add_triangles", "close_triangles", "link", "retest"]

#: edges at the newcomer's neighbours are taken so many at a time
WIDTH = 256


def link(
    state: OnlineState, links: Links, start: Array, stop: Array, width: int, lam: Ratio | Array
) -> tuple[OnlineState, Array]:
    """Degrees after the newcomer's edges; whether that alone makes a vertex heavy or light.

    A vertex without neighbours in agreement keeps no edge either way, and does not count.
    """
    newcomer = state.step
    n = state.degree.shape[0]

    def add(position: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        degree, stamp, turned = carry
        there = position + jnp.arange(width) < stop
        neighbors = jnp.where(there, window(links.senders, position, width), n)
        before, agreeing = degree[neighbors], state.agreeing[neighbors]
        turns = is_heavy(before, agreeing, lam) != is_heavy(before + 1, agreeing, lam)
        turned |= jnp.any(there & (agreeing > 0) & turns)
        degree = degree.at[neighbors].add(1, mode="drop")
        return degree, stamp.at[neighbors].set(newcomer, mode="drop"), turned

    carry = (state.degree, state.stamp, jnp.zeros((), bool))
    degree, stamp, turned = for_windows(start, stop, width, add, carry)
    degree = degree.at[newcomer].set(stop - start + 1)
    return state.replace(degree=degree, stamp=stamp, num_edges=stop), turned  # type: ignore[attr-defined]


def add_triangles(common: Array, triangles: Array, start: Array, stop: Array, width: int) -> Array:
    """Common neighbours after the triangles that the newcomer closes, which are known."""

    def add(position: Array, common: Array) -> Array:
        there = position + jnp.arange(width) < stop
        edges = jnp.where(there[:, None], window(triangles, position, width), common.shape[0])
        return common.at[edges.reshape(-1)].add(1, mode="drop")

    return for_windows(start, stop, width, add, common)


def close_triangles(
    state: OnlineState, links: Links, start: Array, stop: Array, width: int
) -> Array:
    """Common neighbours after the triangles that the newcomer closes, which are looked for."""
    n = state.degree.shape[0]
    capacity = state.common.shape[0]

    def place(position: Array, slots: Array) -> Array:
        edges = position + jnp.arange(width, dtype=jnp.int32)
        neighbors = jnp.where(edges < stop, window(links.senders, position, width), n)
        return slots.at[neighbors].set(edges, mode="drop")

    slots = for_windows(start, stop, width, place, jnp.zeros(n, jnp.int32))

    def add(edges: Array, near: Array, far: Array, there: Array, common: Array) -> Array:
        closed = there & (state.stamp[far] == state.step) & (near < far)
        three = jnp.stack([edges, slots[near], slots[far]])
        return common.at[jnp.where(closed, three, capacity)].add(1, mode="drop")

    return _at_neighbors(state, links, start, stop, width, add, state.common)


def retest(
    state: OnlineState,
    links: Links,
    start: Array,
    stop: Array,
    width: int,
    beta: Ratio | Array,
    strict: bool,
) -> tuple[OnlineState, Array]:
    """Agreements of all edges at the newcomer's neighbours, and whether any of them changed."""
    newcomer = state.step
    n, capacity = state.degree.shape[0], state.active.shape[0]

    def test(edges: Array, near: Array, far: Array, there: Array, carry: Any) -> Any:
        agree, agreeing, active, count, changed = carry
        # an edge between two neighbours is met from both of its ends, and tested from one
        there &= (state.stamp[far] != newcomer) | (near < far)
        now = is_agreed(state.degree[near], state.degree[far], state.common[edges], beta, strict)
        flips = there & (now != agree[edges])
        change = jnp.where(now, 1, -1)
        agreeing = agreeing.at[jnp.where(flips, near, n)].add(change, mode="drop")
        agreeing = agreeing.at[jnp.where(flips, far, n)].add(change, mode="drop")
        agree = agree.at[jnp.where(flips, edges, agree.shape[0])].set(now, mode="drop")
        joins = flips & now
        place = count + jnp.cumsum(joins, dtype=jnp.int32) - 1
        active = active.at[jnp.where(joins, place, capacity)].set(edges, mode="drop")
        count += jnp.sum(joins, dtype=jnp.int32)
        return agree, agreeing, active, count, changed | jnp.any(flips)

    carry = (state.agree, state.agreeing, state.active, state.num_active, jnp.zeros((), bool))
    carry = _at_neighbors(state, links, start, stop, width, test, carry)
    agree, agreeing, active, count, changed = carry
    return state.replace(  # type: ignore[attr-defined]
        agree=agree,
        agreeing=agreeing,
        active=active,
        num_active=jnp.minimum(count, capacity),
        overflow=state.overflow | (count > capacity),
    ), changed


def _at_neighbors(
    state: OnlineState,
    links: Links,
    start: Array,
    stop: Array,
    width: int,
    body: Callable[[Array, Array, Array, Array, Any], Any],
    carry: Any,
) -> Any:
    """``carry = body(edges, near, far, there, carry)`` over the edges at the newcomer's neighbours.

    ``near`` is the neighbour, ``far`` the other end. The neighbours' lists of edges, of which as
    many as its degree have arrived, are laid end to end and taken in windows.
    """
    n = state.degree.shape[0]

    def neighbors_window(position: Array, carry: Any) -> Any:
        there = position + jnp.arange(width) < stop
        neighbors = jnp.where(there, window(links.senders, position, width), n)
        lengths = jnp.where(there, state.degree[neighbors] - 1, 0)
        ends = jnp.cumsum(lengths, dtype=jnp.int32)
        origin = links.rows[neighbors] - (ends - lengths)

        def edges_window(place: Array, carry: Any) -> Any:
            places = place + jnp.arange(WIDTH, dtype=jnp.int32)
            owner = jnp.searchsorted(ends, places, side="right", method="scan_unrolled")
            owner = jnp.minimum(owner, width - 1)
            there = places < ends[-1]
            near = jnp.where(there, neighbors[owner], n)
            edges = links.incident[jnp.where(there, origin[owner] + places, 0)]
            far = links.senders[edges] + links.receivers[edges] - near
            return body(edges, near, jnp.where(there, far, n), there, carry)

        return for_windows(jnp.int32(0), ends[-1], WIDTH, edges_window, carry)

    return for_windows(start, stop, width, neighbors_window, carry)
