"""Clusters of a graph whose vertices arrive one after the other, all arrivals in one program."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.checks import check_bool, check_choice, check_integer
from jaxlab.correlation_clustering._arrival import add_triangles
from jaxlab.correlation_clustering._step import arrive, empty_state
from jaxlab.correlation_clustering._windows import PADDING
from jaxlab.correlation_clustering.cost import check_countable
from jaxlab.correlation_clustering.ratios import Ratio, as_ratio
from jaxlab.correlation_clustering.types import (
    RULES,
    ArrivalPlan,
    OnlineState,
    StepMetrics,
    check_plan,
)
from jaxlab.varying import vary_like

__all__ = ["run_online"]

#: arrivals are taken in so many pieces, so that want of room costs one of them
PIECES = 32
SHORTEST = 64


def run_online(
    plan: ArrivalPlan,
    *,
    beta: Any = 0.2,
    lam: Any = 0.2,
    rule: str = "consistent",
    metrics_every: int = 1,
    active_capacity: int = 4096,
    strict: bool = False,
) -> tuple[OnlineState, StepMetrics]:
    r"""Agreement clusters after every arrival, and ids for users that change seldom.

    After each arrival the clusters are those of :func:`agreement_clustering` for the vertices that
    are there. Maintained ids follow them lazily: a vertex keeps its id unless it enters a cluster
    of two or more, or its cluster has grown to more than 3/2 of the size at which the id was
    issued; one that its cluster leaves alone keeps it too. So every vertex changes its id
    ``O(\log n)`` times, and the cost stays within a constant factor of the optimum. Ids are
    numbers below ``3 n``: when these run out, those that are held are renumbered from 0 on, in
    their order. Compare ids of two arrivals by :func:`recourse`, which matches them first.

    Args:
        plan: arrivals, from :func:`make_arrival_plan`.
        beta: as of :func:`agreement_mask`.
        lam: as of :func:`heavy_mask`.
        rule: static. "consistent": as above; those who enter a cluster take its most frequent id.
            "published": as the authors' program has it, where they take an agreement label, which
            may be another id. "off": no ids are maintained; they are the agreement labels.
        metrics_every: count costs at every so many arrivals, and at the last; between them the
            last count is repeated. Static.
        active_capacity: how many edges may be in agreement at a time, and how many vertices may be
            in clusters that change at one arrival; static. When too small it is raised, which
            compiles anew, and up to 1/32 of the arrivals, or 64, are repeated; under ``jit`` and
            ``vmap`` ``overflow`` is set instead.
        strict: agreement with ``<``; static.

    Returns:
        The state after the last arrival, and what is reported of each.

    Raises:
        ValueError: a stack of plans outside of ``jax.vmap``; ``beta`` or ``lam`` outside of
            (0, 1); an unknown rule; more than 65,536 vertices without x64.

    Cost:
        For an arrival: its triangles and the edges at its neighbours; where agreements change (at
        one arrival of five in social networks) also O(n) and, for costs, O(m). Memory O(n + m + t).

    Source:
        Cohen-Addad, Lattanzi, Maggiori, Parotsidis 2022, *Online and consistent correlation
        clustering*.

    Example:
        >>> from jaxlab.correlation_clustering import make_arrival_plan
        >>> triangle = make_arrival_plan([[0, 1], [0, 2], [1, 2]], [0, 1, 2])
        >>> state, metrics = run_online(triangle, active_capacity=8)
        >>> metrics.cost_on.tolist(), metrics.num_edges.tolist()
        ([0, 0, 0], [0, 1, 3])
    """
    check_plan(plan)
    check_choice("rule", rule, RULES)
    check_integer("metrics_every", metrics_every, minimum=1)
    check_integer("active_capacity", active_capacity, minimum=1)
    check_bool("strict", strict)
    check_countable(plan.num_nodes)
    beta = as_ratio("beta", beta, plan.num_nodes)
    lam = as_ratio("lam", lam, plan.num_nodes)
    n = plan.num_nodes
    state = empty_state(n, plan.links.senders.shape[0], active_capacity, rule)
    metrics = _nothing_reported(n, state)
    told = jax.tree.leaves((plan, beta, lam, state))
    traced = any(isinstance(leaf, jax.core.Tracer) for leaf in told)
    length = n if traced else max(-(-n // PIECES), SHORTEST)
    arrived = 0
    while arrived < n:
        stop = min(arrived + length, n)
        span = jnp.array([arrived, stop], jnp.int32)
        after, reported = _arrivals(
            plan, state, metrics, span, beta, lam, rule, metrics_every, strict
        )
        if not traced and after.overflow:
            state = _with_room(state, max(plan.links.senders.shape[0] - PADDING, n))
        else:
            state, metrics, arrived = after, reported, stop
    return state, metrics


def _nothing_reported(n: int, state: OnlineState) -> StepMetrics:
    costs = jnp.zeros(n, state.cost_on.dtype)
    counts = jnp.zeros(n, jnp.int32)
    return StepMetrics(costs, costs, counts, counts, counts, counts)


def _with_room(state: OnlineState, enough: int) -> OnlineState:
    """The same state with more room, but no more than is ever enough.

    At least four times as much, as each size is compiled anew; more when the edges to come would
    need it, were as large a part of them in agreement.
    """
    capacity = state.active.shape[0]
    foreseen = capacity * enough // max(int(state.num_edges), 1)
    more = min(max(4 * capacity, foreseen), enough) - capacity
    return state.replace(active=jnp.pad(state.active, (0, more)))  # type: ignore[attr-defined]


@functools.partial(jax.jit, static_argnames=("rule", "metrics_every", "strict"))
def _arrivals(
    plan: ArrivalPlan,
    state: OnlineState,
    metrics: StepMetrics,
    span: Array,
    beta: Ratio | Array,
    lam: Ratio | Array,
    rule: str,
    metrics_every: int,
    strict: bool,
) -> tuple[OnlineState, StepMetrics]:
    """State and reports after the arrivals from ``span[0]`` to ``span[1]``."""
    links = plan.links

    def step(
        newcomer: Array, carry: tuple[OnlineState, StepMetrics]
    ) -> tuple[OnlineState, StepMetrics]:
        def count(state: OnlineState) -> Array:
            first, last = plan.triangle_ptr[newcomer], plan.triangle_ptr[newcomer + 1]
            return add_triangles(state.common, plan.triangles, first, last, plan.triangle_window)

        state, metrics = carry
        state, reported = arrive(
            state,
            links,
            plan.edge_ptr[newcomer],
            plan.edge_ptr[newcomer + 1],
            count,
            beta=beta,
            lam=lam,
            rule=rule,
            strict=strict,
            width=plan.edge_window,
            counted=((newcomer + 1) % metrics_every == 0) | (newcomer == plan.num_nodes - 1),
        )
        return state, jax.tree.map(lambda all, one: all.at[newcomer].set(one), metrics, reported)

    start = vary_like((state, metrics), plan, beta, lam)
    return jax.lax.fori_loop(span[0], span[1], step, start)
