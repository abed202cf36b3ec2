"""Clusters of a graph whose vertices arrive one after the other, all arrivals in one program."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.checks import check_choice, check_integer, concrete, require
from jaxlab.correlation_clustering._arrival import add_triangles
from jaxlab.correlation_clustering._step import arrive, empty_state
from jaxlab.correlation_clustering.cost import check_countable
from jaxlab.correlation_clustering.ratios import Ratio, as_ratio
from jaxlab.correlation_clustering.types import RULES, ArrivalPlan, OnlineState, StepMetrics

__all__ = ["run_online"]


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
    ``O(\log n)`` times, and the cost stays within a constant factor of the optimum.

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
            in clusters that change at one arrival; static. When too small it is doubled and
            everything done anew, except under ``jit`` and ``vmap``, where ``overflow`` is set.
        strict: agreement with ``<``; static.

    Returns:
        The state after the last arrival, and what is reported of each.

    Raises:
        ValueError: ``beta`` or ``lam`` outside of (0, 1); an unknown rule; more than 65,536
            vertices without x64.

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
    check_choice("rule", rule, RULES)
    check_integer("metrics_every", metrics_every, minimum=1)
    check_integer("active_capacity", active_capacity, minimum=1)
    require(isinstance(strict, bool), "strict", strict, "True or False")
    check_countable(plan.num_nodes)
    beta = as_ratio("beta", beta, plan.num_nodes)
    lam = as_ratio("lam", lam, plan.num_nodes)
    while True:
        state, metrics = _scan(plan, beta, lam, rule, metrics_every, active_capacity, strict)
        overflow = concrete(state.overflow)
        if overflow is None or not overflow.any():
            return state, metrics
        active_capacity *= 2


@functools.partial(jax.jit, static_argnames=("rule", "metrics_every", "active_capacity", "strict"))
def _scan(
    plan: ArrivalPlan,
    beta: Ratio | Array,
    lam: Ratio | Array,
    rule: str,
    metrics_every: int,
    active_capacity: int,
    strict: bool,
) -> tuple[OnlineState, StepMetrics]:
    n = plan.num_nodes
    links = plan.links

    def step(state: OnlineState, newcomer: Array) -> tuple[OnlineState, StepMetrics]:
        def count(state: OnlineState) -> Array:
            first, last = plan.triangle_ptr[newcomer], plan.triangle_ptr[newcomer + 1]
            return add_triangles(state.common, plan.triangles, first, last, plan.triangle_window)

        return arrive(
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
            counted=((newcomer + 1) % metrics_every == 0) | (newcomer == n - 1),
        )

    start = empty_state(n, links.senders.shape[0], active_capacity, rule)
    if n == 0:
        nothing = jnp.zeros(0, jnp.int32)
        costs = nothing.astype(start.cost_on.dtype)
        return start, StepMetrics(costs, costs, nothing, nothing, nothing, nothing)
    return jax.lax.scan(step, start, jnp.arange(n, dtype=jnp.int32))
