"""The same arrivals one call at a time, with nothing known of those to come."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from jaxlab.checks import (
    check_bool,
    check_choice,
    check_dtype,
    check_integer,
    check_shape,
    concrete,
    require,
)
from jaxlab.correlation_clustering._arrival import close_triangles
from jaxlab.correlation_clustering._step import arrive, empty_state
from jaxlab.correlation_clustering._windows import PADDING
from jaxlab.correlation_clustering.cost import check_countable
from jaxlab.correlation_clustering.ratios import Ratio, as_ratio
from jaxlab.correlation_clustering.types import (
    RULES,
    Links,
    OnlineState,
    StepMetrics,
    StreamState,
)
from jaxlab.graphs import Graph
from jaxlab.graphs.segments import at_least_int32
from jaxlab.varying import vary_like

__all__ = ["grow", "init_online", "online_step", "to_graph"]

#: an arrival's edges are taken so many at a time
WIDTH = 64


def init_online(
    node_capacity: int,
    *,
    degree_capacity: int,
    edge_capacity: int,
    active_capacity: int = 4096,
    rule: str = "consistent",
) -> StreamState:
    """A stream before its first arrival.

    Args:
        node_capacity: number of vertices to leave room for.
        degree_capacity: largest number of neighbours of a vertex.
        edge_capacity: number of edges to leave room for.
        active_capacity: as of :func:`run_online`.
        rule: as of :func:`run_online`.

    Returns:
        The state; :func:`grow` gives it more room.

    Raises:
        ValueError: a capacity below 1; an unknown rule; more than 65,536 vertices without x64;
            ``node_capacity · degree_capacity`` of 2³¹ or more.

    Cost:
        Memory O(node_capacity · degree_capacity + edge_capacity).

    Example:
        >>> state = init_online(8, degree_capacity=4, edge_capacity=16, active_capacity=8)
        >>> int(state.online.step), state.edge_capacity
        (0, 16)
    """
    check_integer("node_capacity", node_capacity, minimum=1)
    check_integer("degree_capacity", degree_capacity, minimum=1)
    check_integer("edge_capacity", edge_capacity, minimum=1)
    check_integer("active_capacity", active_capacity, minimum=1)
    check_choice("rule", rule, RULES)
    check_countable(node_capacity)
    _check_table(node_capacity, degree_capacity)
    slots = edge_capacity + PADDING
    links = Links(
        senders=jnp.full(slots, node_capacity, jnp.int32),
        receivers=jnp.full(slots, node_capacity, jnp.int32),
        incident=jnp.zeros(node_capacity * degree_capacity, jnp.int32),
        rows=jnp.arange(node_capacity, dtype=jnp.int32) * degree_capacity,
    )
    online = empty_state(node_capacity, slots, active_capacity, rule)
    # parts that begin alike are buffers of their own, or the state could not be donated
    return jax.tree.map(jnp.copy, StreamState(links, online, degree_capacity, rule))


def online_step(
    state: StreamState,
    neighbors: Int[Array, " d"],
    *,
    beta: Any = 0.2,
    lam: Any = 0.2,
    strict: bool = False,
) -> tuple[StreamState, StepMetrics]:
    """The next vertex arrives with its edges to those before.

    Gives the states of :func:`run_online`, bit for bit, but for ids that it may number otherwise
    once three of them have been issued for each vertex there is room for.

    ``state`` stays as it was. Where it need not, ``jax.jit(online_step, donate_argnums=0)`` spares
    copies of it.

    Args:
        state: the stream so far.
        neighbors: vertices that the newcomer is joined to, each once, then −1. Of few lengths:
            each is a program of its own.
        beta: as of :func:`agreement_mask`.
        lam: as of :func:`heavy_mask`.
        strict: agreement with ``<``; static.

    Returns:
        The stream with the newcomer, whose number is ``state.online.step``, and what is reported
        of it. ``overflow`` of the state says that a capacity was exceeded: :func:`grow` the state
        before, and repeat.

    Raises:
        ValueError: outside of ``jit``: a repeated neighbour, or one that has not arrived; ``beta``
            or ``lam`` outside of (0, 1).

    Cost:
        The edges at the newcomer's neighbours, and one table of ``n`` to clear; where agreements
        change also O(n + m).

    Example:
        >>> state = init_online(8, degree_capacity=4, edge_capacity=16, active_capacity=8)
        >>> for neighbors in ([-1, -1], [0, -1], [0, 1]):
        ...     state, metrics = online_step(state, jnp.array(neighbors))
        >>> state.online.agreement_labels[:3].tolist(), int(metrics.cost_on)
        ([0, 0, 0], 0)
    """
    check_shape("neighbors", neighbors, ("d",))
    check_dtype("neighbors", neighbors, "integer")
    check_bool("strict", strict)
    _check_neighbors(state, neighbors)
    neighbors = at_least_int32(neighbors)
    beta = as_ratio("beta", beta, state.node_capacity)
    lam = as_ratio("lam", lam, state.node_capacity)
    return _online_step(state, neighbors, beta, lam, strict)


def grow(
    state: StreamState,
    *,
    node_capacity: int | None = None,
    degree_capacity: int | None = None,
    edge_capacity: int | None = None,
    active_capacity: int | None = None,
) -> StreamState:
    """The same stream with more room.

    Args:
        state: one stream, that has not exceeded its capacities.
        node_capacity: at least that of ``state``; None for the same, as of all.
        degree_capacity: at least that of ``state``.
        edge_capacity: at least that of ``state``.
        active_capacity: at least that of ``state``.

    Returns:
        The state; all that follows from it is the same.

    Raises:
        ValueError: a capacity below that of ``state``; more than 65,536 vertices without x64;
            ``node_capacity · degree_capacity`` of 2³¹ or more.

    Cost:
        That of :func:`init_online`.

    Example:
        >>> state = init_online(2, degree_capacity=4, edge_capacity=16, active_capacity=8)
        >>> grow(state, node_capacity=5).node_capacity
        5
    """
    online = state.online
    now = {
        "node_capacity": state.node_capacity,
        "degree_capacity": state.degree_capacity,
        "edge_capacity": state.edge_capacity,
        "active_capacity": online.active.shape[0],
    }
    wanted = {
        "node_capacity": node_capacity,
        "degree_capacity": degree_capacity,
        "edge_capacity": edge_capacity,
        "active_capacity": active_capacity,
    }
    sizes = {name: now[name] if size is None else size for name, size in wanted.items()}
    for name, size in sizes.items():
        check_integer(name, size, minimum=now[name])
    more = init_online(**sizes, rule=state.rule)
    n, degree = state.node_capacity, state.degree_capacity

    def copied(new: Array, old: Array) -> Array:
        return old if new.ndim == 0 else new.at[: old.shape[0]].set(old)

    fields = jax.tree.map(copied, more.online, online)
    there = jnp.arange(state.links.senders.shape[0]) < online.num_edges
    table = more.links.incident.reshape(sizes["node_capacity"], sizes["degree_capacity"])
    table = table.at[:n, :degree].set(state.links.incident.reshape(n, degree))

    def ends(new: Array, old: Array) -> Array:
        return new.at[: old.shape[0]].set(jnp.where(there, old, sizes["node_capacity"]))

    links = more.links.replace(
        senders=ends(more.links.senders, state.links.senders),
        receivers=ends(more.links.receivers, state.links.receivers),
        incident=table.reshape(-1),
    )
    return more.replace(links=links, online=fields)  # type: ignore[attr-defined]


def to_graph(state: StreamState) -> Graph:
    """The graph that has arrived, with the stream's capacities.

    Args:
        state: the stream.

    Returns:
        Its edges, each from the earlier to the later end, in order of arrival.

    Cost:
        O(edge_capacity).

    Example:
        >>> state = init_online(8, degree_capacity=4, edge_capacity=16, active_capacity=8)
        >>> to_graph(state).edge_capacity
        16
    """
    e = state.edge_capacity
    return Graph(
        senders=state.links.senders[:e],
        receivers=state.links.receivers[:e],
        mask=jnp.arange(e) < state.online.num_edges,
        weights=None,
        n_node=state.online.step,
        node_capacity=state.node_capacity,
    )


@functools.partial(jax.jit, static_argnames=("strict",))
def _online_step(
    state: StreamState, neighbors: Array, beta: Ratio | Array, lam: Ratio | Array, strict: bool
) -> tuple[StreamState, StepMetrics]:
    state = vary_like(state, neighbors, beta, lam)
    n, room = state.node_capacity, state.degree_capacity
    online, links = state.online, state.links
    newcomer, start = online.step, online.num_edges
    there = neighbors >= 0
    number = jnp.cumsum(there, dtype=jnp.int32) - 1
    degree = jnp.sum(there, dtype=jnp.int32)
    before = online.degree[neighbors] - 1
    exceeded = (newcomer >= n) | (degree > room) | (start + degree > state.edge_capacity)
    exceeded |= jnp.any(there & (before >= room))
    there &= ~exceeded
    stop = start + jnp.where(exceeded, 0, degree)

    slots, cells = links.senders.shape[0], links.incident.shape[0]
    edge = jnp.where(there, start + number, slots)
    own = jnp.where(there, newcomer * room + number, cells)
    other = jnp.where(there, links.rows[neighbors] + before, cells)
    incident = links.incident.at[own].set(edge, mode="drop").at[other].set(edge, mode="drop")
    links = links.replace(
        senders=links.senders.at[edge].set(neighbors.astype(jnp.int32), mode="drop"),
        receivers=links.receivers.at[edge].set(newcomer, mode="drop"),
        incident=incident,
    )

    def count(online: OnlineState) -> Array:
        return close_triangles(online, links, start, stop, WIDTH)

    online, metrics = arrive(
        online.replace(overflow=online.overflow | exceeded),
        links,
        start,
        stop,
        count,
        beta=beta,
        lam=lam,
        rule=state.rule,
        strict=strict,
        width=WIDTH,
        counted=jnp.ones((), bool),
    )
    return state.replace(links=links, online=online), metrics  # type: ignore[attr-defined]


def _check_neighbors(state: StreamState, neighbors: Any) -> None:
    listed, step = concrete(neighbors), concrete(state.online.step)
    if listed is None or step is None or step.ndim:
        return
    present = listed[listed >= 0]
    expected = f"vertices that have arrived, 0 to {int(step) - 1}, then -1"
    fits = bool((listed >= -1).all() and (present < step).all())
    require(fits, "neighbors", listed.tolist(), expected)
    require(len(np.unique(present)) == len(present), "neighbors", listed.tolist(), "each once")


def _check_table(node_capacity: int, degree_capacity: int) -> None:
    require(
        node_capacity * degree_capacity < 2**31,
        "degree_capacity",
        degree_capacity,
        f"a table of {node_capacity} rows that int32 can number",
    )
