"""The least radius at which every center gets its points: Hall's condition, violated set by set.

By Hall's theorem every center can have ``L`` points of its own within ``r`` if and only if any set
``T`` of centers reaches ``L |T|`` points, so that the least such radius is

    ρ = max over non-empty T of q(T),    q(T) = the (L |T|)-th smallest of min_{t∈T} d(p, t).

A flow that cannot be extended at ``r < ρ`` shows a violated set: the deficient centers and all
those from which they could take points. The radius jumps to ``q`` of that set, which is above ``r``
and at most ``ρ``, and the flow goes on from where it is.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.kcenter._held import summed
from jaxlab.varying import vary_like

__all__ = ["Flow", "empty_flow", "on_first_device", "satisfy"]


class Flow(NamedTuple):
    """A flow of points to centers at some radius.

    Attributes:
        held: what each center holds; the last row is free. On this device.
        reach: what each center can reach. On this device.
        amounts: how much of each row of ``held`` each center reaches, ``[k + 1, k]``, over all
            devices.
        counts: how much each center holds, over all devices.
        radius: the radius.
        point: position of the point whose distance is the radius, on its device; past the end on
            other devices and while the radius is 0.
        center: the center at that distance.
    """

    held: Array
    reach: Array
    amounts: Array
    counts: Array
    radius: Array
    point: Array
    center: Array


def empty_flow(table: Any, axis_name: str | None) -> Flow:
    """Nobody holds anything, at radius 0."""
    held, radius = table.free(), jnp.zeros((), table.distances.dtype)
    reach = table.within(radius)
    amounts = summed(table.amounts(held, reach), axis_name)
    nowhere = table.locate(jnp.zeros(table.column(0).shape, bool)), jnp.zeros((), jnp.int32)
    counts = jnp.zeros(held.shape[0] - 1, jnp.int32)
    found = vary_like((counts, radius), amounts)  # by all devices together
    return Flow(held, reach, amounts, *found, *vary_like(nowhere, table))


def _raise_radius(
    table: Any, flow: Flow, chosen: Array, min_size: Array, axis_name: str | None
) -> Flow:
    """Raise the radius to ``q`` of the chosen centers, if that is more."""
    values = table.nearest_to(chosen)
    total, size = summed(table.total(), axis_name), jnp.sum(chosen, dtype=jnp.int32)
    # the product may not fit 32 bits where there are too few points anyway
    possible = min_size <= total // jnp.maximum(size, 1)
    rank = jnp.where(possible, min_size, 1) * size
    radius = jnp.where(possible, table.kth(values, rank, axis_name), jnp.inf)
    point = on_first_device(table.locate(values == radius), values.size, axis_name)
    center = jnp.argmax(chosen & (table.row(point) == radius)).astype(jnp.int32)
    raised = radius > flow.radius
    return flow._replace(
        radius=jnp.where(raised, radius, flow.radius),
        point=jnp.where(raised, point, flow.point),
        center=jnp.where(raised, center, flow.center),
    )


def _refresh(table: Any, flow: Flow, axis_name: str | None) -> Flow:
    """What can be reached within the radius."""
    reach = table.within(flow.radius)
    return flow._replace(reach=reach, amounts=summed(table.amounts(flow.held, reach), axis_name))


def satisfy(
    table: Any, flow: Flow, active: Array, suspects: Array, min_size: Array, axis_name: str | None
) -> Flow:
    """Raise the radius as little as possible until every active center has ``min_size``.

    ``suspects``, at least one of the active centers, are the first set that the radius is raised
    to. What is held stays held, by others where need be. The radius ends infinite where there is
    none.
    """

    def unmet(state: tuple[Flow, Array]) -> Array:
        flow, violated = state
        return jnp.any(violated) & (flow.radius < jnp.inf)

    def jump(state: tuple[Flow, Array]) -> tuple[Flow, Array]:
        flow, violated = state
        raised = _raise_radius(table, flow, violated, min_size, axis_name)
        flow = jax.lax.cond(
            raised.radius > flow.radius,
            lambda flow: _refresh(table, flow, axis_name),
            lambda flow: flow,
            raised,
        )
        flow = _extend(table, flow, active, min_size, axis_name)
        return flow, _violated(flow, active, _deficit(flow, active, min_size) > 0)

    start = flow, vary_like(suspects, flow.amounts)
    return jax.lax.while_loop(unmet, jump, start)[0]


class _Path(NamedTuple):
    """A way from what is free to a deficient center.

    Attributes:
        end: that center, or ``k`` where there is no way.
        parent: the row from which each center on the way takes.
        amount: how much can go along it.
    """

    end: Array
    parent: Array
    amount: Array


def _extend(table: Any, flow: Flow, active: Array, min_size: Array, axis_name: str | None) -> Flow:
    """Augment along shortest paths, many points at once, while there are any."""
    k = active.shape[0]

    def augment(state: tuple[Flow, Array]) -> tuple[Flow, Array]:
        flow, _ = state
        path = _shortest_path(flow, active, _deficit(flow, active, min_size))

        def hop(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            held, amounts, target = state
            source = path.parent[target]
            eligible = table.eligible(held[source], flow.reach[target])
            before = _before_this_device(table.amount(eligible), axis_name)
            moved = table.first(eligible, path.amount - before)
            change = summed(table.amount(table.eligible(moved[None], flow.reach)), axis_name)
            amounts = amounts.at[source].add(-change).at[target].add(change)
            return table.transfer(held, source, target, moved), amounts, source

        held, amounts, _ = jax.lax.while_loop(
            lambda state: state[2] < k, hop, (flow.held, flow.amounts, path.end)
        )
        counts = flow.counts.at[path.end].add(path.amount, mode="drop")
        flow = flow._replace(held=held, amounts=amounts, counts=counts)
        return flow, path.end < k

    start = flow, vary_like(jnp.asarray(True), flow.amounts)
    return jax.lax.while_loop(lambda state: state[1], augment, start)[0]


def _deficit(flow: Flow, active: Array, min_size: Array) -> Array:
    """What each active center lacks."""
    return jnp.where(active, jnp.maximum(min_size - flow.counts, 0), 0)


def _shortest_path(flow: Flow, active: Array, lacking: Array) -> _Path:
    """Breadth first from what is free to the neediest of the nearest deficient centers."""
    k = active.shape[0]
    arcs = (flow.amounts > 0) & active

    def searching(state: tuple[Array, Array, Array]) -> Array:
        frontier, _, _ = state
        return jnp.any(frontier) & ~jnp.any(frontier[:k] & (lacking > 0))

    def advance(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        frontier, visited, parent = state
        usable = arcs & frontier[:, None]
        new = jnp.any(usable, axis=0) & ~visited
        parent = jnp.where(new, jnp.argmax(usable, axis=0).astype(jnp.int32), parent)
        return jnp.append(new, False), visited | new, parent

    nowhere = jnp.full(k, k, jnp.int32)
    start = jnp.arange(k + 1) == k, jnp.zeros(k, bool), nowhere
    # nothing to search where nobody lacks anything
    start = start[0] & jnp.any(lacking > 0), start[1], start[2]
    frontier, _, parent = jax.lax.while_loop(searching, advance, vary_like(start, flow.amounts))
    met = jnp.where(frontier[:k], lacking, 0)
    end = jnp.where(jnp.any(met > 0), jnp.argmax(met), k).astype(jnp.int32)

    def narrow(state: tuple[Array, Array]) -> tuple[Array, Array]:
        amount, center = state
        source = parent[center]
        return jnp.minimum(amount, flow.amounts[source, center]), source

    amount, _ = jax.lax.while_loop(lambda state: state[1] < k, narrow, (jnp.max(met), end))
    return _Path(end, parent, amount)


def _violated(flow: Flow, active: Array, deficient: Array) -> Array:
    """The deficient centers and those that hold, at however many removes, what they could take."""
    k = active.shape[0]
    arcs = (flow.amounts[:k] > 0) & active & active[:, None]

    def grow(state: tuple[Array, Array]) -> tuple[Array, Array]:
        chosen, _ = state
        grown = chosen | jnp.any(arcs & chosen, axis=1)
        return grown, jnp.any(grown != chosen)

    return jax.lax.while_loop(lambda state: state[1], grow, (deficient, jnp.any(deficient)))[0]


def on_first_device(position: Array, size: int, axis_name: str | None) -> Array:
    """The position, past the end on all devices but the first that has one."""
    if axis_name is None:
        return position
    device, devices = jax.lax.axis_index(axis_name), jax.lax.axis_size(axis_name)
    first = jax.lax.pmin(jnp.where(position < size, device, devices), axis_name)
    return jnp.where(device == first, position, size)


def _before_this_device(amount: Array, axis_name: str | None) -> Array:
    """Sum over the devices before this one."""
    if axis_name is None:
        return jnp.zeros_like(amount)
    amounts = jax.lax.all_gather(amount, axis_name)
    return jnp.sum(
        jnp.where(jnp.arange(amounts.shape[0]) < jax.lax.axis_index(axis_name), amounts, 0)
    )
