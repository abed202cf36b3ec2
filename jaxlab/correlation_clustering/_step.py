"""A state to begin with, and one arrival from beginning to end."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.correlation_clustering._arrival import link, retest
from jaxlab.correlation_clustering._clusters import Costs, count_costs, recluster
from jaxlab.correlation_clustering._windows import at_most_once
from jaxlab.correlation_clustering.ratios import Ratio
from jaxlab.correlation_clustering.types import Links, OnlineState, StepMetrics

__all__ = ["arrive", "empty_state"]


def empty_state(n: int, slots: int, active_capacity: int, rule: str) -> OnlineState:
    """Before the first arrival."""
    ids = 3 * n if rule == "consistent" else n
    vertices = jnp.arange(n, dtype=jnp.int32)
    zeros = jnp.zeros(n, jnp.int32)
    zero = jnp.int32(0)
    cost = jnp.zeros((), jax.dtypes.canonicalize_dtype(jnp.int64))
    return OnlineState(
        common=jnp.full(slots, 2, jnp.int32),
        agree=jnp.zeros(slots, bool),
        degree=zeros,
        agreeing=zeros,
        stamp=jnp.full(n, -1, jnp.int32),
        active=jnp.zeros(active_capacity, jnp.int32),
        num_active=zero,
        agreement_labels=vertices,
        heavy_labels=vertices,
        clustered=jnp.zeros(n, bool),
        maintained=vertices,
        origin_size=jnp.zeros(ids, jnp.int32),
        used=jnp.zeros(ids if rule == "published" else 0, jnp.int32),
        next_id=zero,
        last_change=jnp.int32(-1),
        per_vertex_recourse=zeros,
        per_vertex_recourse_off=zeros,
        cost_on=cost,
        cost_off=cost,
        counted_edges=zero,
        stale=jnp.zeros((), bool),
        num_edges=zero,
        step=zero,
        overflow=jnp.zeros((), bool),
    )


def arrive(
    state: OnlineState,
    links: Links,
    start: Array,
    stop: Array,
    count: Any,
    *,
    beta: Ratio | Array,
    lam: Ratio | Array,
    rule: str,
    strict: bool,
    width: int,
    counted: Array,
) -> tuple[OnlineState, StepMetrics]:
    """The next vertex arrives with the edges from ``start`` to ``stop``.

    ``count(state)`` gives the common neighbours after it; ``counted`` says whether costs are.
    """
    state, turned = link(state, links, start, stop, width, lam)
    state = state.replace(common=count(state))  # type: ignore[attr-defined]
    state, flipped = retest(state, links, start, stop, width, beta, strict)
    state = _issue(state, rule)

    def follow(carry: Any) -> Any:
        return recluster(carry[0], links, lam, rule)

    zero = jnp.int32(0)
    state, moved_off, moved_on = at_most_once(turned | flipped, follow, (state, zero, zero))

    # vertices that changed nothing arrive alone, and add their edges to the cost
    added = (state.num_edges - state.counted_edges).astype(state.cost_on.dtype)
    costs = Costs(state.cost_off + added, state.cost_on + added)
    costs = at_most_once(counted & state.stale, lambda _: count_costs(state, links), costs)
    state = state.replace(  # type: ignore[attr-defined]
        cost_off=jnp.where(counted, costs.off, state.cost_off),
        cost_on=jnp.where(counted, costs.on, state.cost_on),
        counted_edges=jnp.where(counted, state.num_edges, state.counted_edges),
        stale=state.stale & ~counted,
        step=state.step + 1,
    )
    metrics = StepMetrics(
        state.cost_off,
        state.cost_on,
        moved_off,
        moved_on,
        state.num_edges,
        state.num_active,
    )
    return state, metrics


def _issue(state: OnlineState, rule: str) -> OnlineState:
    """The newcomer's id."""
    newcomer = state.step
    if rule == "off":
        return state
    if rule == "published":  # its own number, which nobody has held
        return state.replace(  # type: ignore[attr-defined]
            origin_size=state.origin_size.at[newcomer].set(1),
            used=state.used.at[newcomer].add(1),
        )
    n, ids = state.degree.shape[0], state.origin_size.shape[0]
    # at most one id for the newcomer and one for each cluster of two or more is issued at a time
    state = at_most_once(state.next_id + n // 2 + 1 > ids, _recycle, state)
    return state.replace(  # type: ignore[attr-defined]
        maintained=state.maintained.at[newcomer].set(state.next_id),
        origin_size=state.origin_size.at[state.next_id].set(1),
        next_id=state.next_id + 1,
    )


def _recycle(state: OnlineState) -> OnlineState:
    """Numbers the ids that are held from 0 on, in their order."""
    n, ids = state.degree.shape[0], state.origin_size.shape[0]
    arrived = jnp.arange(n) < state.step
    held = jnp.zeros(ids, bool)
    held = held.at[jnp.where(arrived, state.maintained, ids)].set(True, mode="drop")
    number = jnp.cumsum(held, dtype=jnp.int32) - 1
    place = jnp.where(held, number, ids)
    origin = jnp.zeros(ids, jnp.int32).at[place].set(state.origin_size, mode="drop")
    return state.replace(  # type: ignore[attr-defined]
        maintained=jnp.where(arrived, number[state.maintained], state.maintained),
        origin_size=origin,
        next_id=number[-1] + 1,
    )
