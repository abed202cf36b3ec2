"""Pivot kept up while vertices arrive: the baseline whose clusters change often."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Int32

from jaxlab.checks import check_integer
from jaxlab.correlation_clustering._clusters import cost_of, moved_among, touched_by
from jaxlab.correlation_clustering._windows import at_most_once, for_windows, window
from jaxlab.correlation_clustering.cost import check_countable
from jaxlab.correlation_clustering.pivot import check_ranks, vertices_by_rank
from jaxlab.correlation_clustering.types import ArrivalPlan, check_plan
from jaxlab.varying import vary_like

__all__ = ["OnlinePivot", "run_online_pivot"]

#: edges at a vertex are taken so many at a time
WIDTH = 64


class OnlinePivot(NamedTuple):
    """What :func:`run_online_pivot` returns.

    Attributes:
        labels: pivot of each vertex's cluster after the last arrival.
        per_vertex_recourse: how often each vertex changed cluster.
        cost: disagreements after each arrival.
        recourse: vertices that changed cluster at each arrival.
        num_edges: edges that have arrived, the cost of singletons.
    """

    labels: Int32[Array, " n"]
    per_vertex_recourse: Int32[Array, " n"]
    cost: Int[Array, " n"]
    recourse: Int32[Array, " n"]
    num_edges: Int32[Array, " n"]


def run_online_pivot(
    plan: ArrivalPlan, ranks: Int[Array, " n"], *, metrics_every: int = 1
) -> OnlinePivot:
    """Pivot on the vertices that have arrived, after every arrival, with ranks that stay.

    Only vertices of higher rank than the newcomer can change. They are visited by rank, beginning
    with the newcomer, as far as a pivot appeared or vanished among their neighbours of lesser rank;
    of random ranks, a constant number in expectation.

    Args:
        plan: arrivals.
        ranks: of the vertices by arrival, a permutation of 0 to ``n − 1``.
        metrics_every: count costs at every so many arrivals, and at the last; between them the
            last count is repeated. Static.

    Returns:
        Clusters at the end, and cost and recourse after each arrival.

    Raises:
        ValueError: a stack of plans outside of ``jax.vmap``; ``ranks`` that are no permutation;
            more than 65,536 vertices without x64.

    Cost:
        For an arrival: O(n) and the edges at the vertices that are visited; O(m) for costs.

    Source:
        Baseline of Cohen-Addad, Lattanzi, Maggiori, Parotsidis 2022; expected number of changes:
        Censor-Hillel, Haramaty, Karnin 2016, *Optimal dynamic distributed MIS*.

    Example:
        >>> from jaxlab.correlation_clustering import make_arrival_plan
        >>> path = make_arrival_plan([[0, 1], [1, 2]], [0, 1, 2])
        >>> run = run_online_pivot(path, jnp.array([2, 1, 0]))
        >>> run.labels.tolist(), run.cost.tolist(), run.recourse.tolist()
        ([0, 2, 2], [0, 0, 1], [0, 0, 1])
    """
    check_plan(plan)
    check_ranks(plan.num_nodes, ranks)
    check_integer("metrics_every", metrics_every, minimum=1)
    check_countable(plan.num_nodes)
    return _run(plan, ranks.astype(jnp.int32), metrics_every)


class _State(NamedTuple):
    degree: Array
    labels: Array
    changes: Array
    cost: Array


@functools.partial(jax.jit, static_argnames=("metrics_every",))
def _run(plan: ArrivalPlan, ranks: Array, metrics_every: int) -> OnlinePivot:
    n, links = plan.num_nodes, plan.links
    of_rank = vertices_by_rank(ranks)
    dtype = jax.dtypes.canonicalize_dtype(jnp.int64)

    def around(degree: Array, vertex: Array, body: Any, carry: Any) -> Any:
        """``carry = body(neighbors, carry)`` over windows of a vertex's neighbours."""
        first = links.rows[vertex]
        stop = first + degree[vertex]

        def step(position: Array, carry: Any) -> Any:
            places = position + jnp.arange(WIDTH, dtype=jnp.int32)
            edges = links.incident[jnp.minimum(places, links.incident.shape[0] - 1)]
            other = links.senders[edges] + links.receivers[edges] - vertex
            return body(jnp.where(places < stop, other, n), carry)

        return for_windows(first, stop, WIDTH, step, carry)

    def arrive(state: _State, newcomer: Array) -> tuple[_State, tuple[Array, Array, Array]]:
        start, stop = plan.edge_ptr[newcomer], plan.edge_ptr[newcomer + 1]

        def add(position: Array, degree: Array) -> Array:
            there = position + jnp.arange(plan.edge_window) < stop
            ends = window(links.senders, position, plan.edge_window)
            return degree.at[jnp.where(there, ends, n)].add(1, mode="drop")

        degree = for_windows(start, stop, plan.edge_window, add, state.degree)
        degree = degree.at[newcomer].set(stop - start)

        def visit(carry: tuple[Array, Array]) -> tuple[Array, Array]:
            labels, waiting = carry
            rank = jnp.min(jnp.where(waiting, ranks, n))
            vertex = of_rank[rank]

            def seek(neighbors: Array, least: Array) -> Array:
                pivot = (neighbors < n) & (labels[neighbors] == neighbors)
                return jnp.minimum(least, jnp.min(jnp.where(pivot, ranks[neighbors], n)))

            least = around(degree, vertex, seek, rank)
            label = of_rank[least]
            was = (labels[vertex] == vertex) & (vertex != newcomer)
            turned = was != (label == vertex)

            def warn(neighbors: Array, waiting: Array) -> Array:
                later = turned & (ranks[neighbors] > rank)
                return waiting.at[jnp.where(later, neighbors, n)].set(True, mode="drop")

            waiting = around(degree, vertex, warn, waiting.at[vertex].set(False))
            return labels.at[vertex].set(label), waiting

        waiting = jnp.zeros(n, bool).at[newcomer].set(True)
        labels, _ = jax.lax.while_loop(
            lambda carry: jnp.any(carry[1]), visit, vary_like((state.labels, waiting))
        )

        arrived = jnp.arange(n) <= newcomer
        touched = touched_by(state.labels, labels, arrived, n)
        others = (state.labels != labels) & (jnp.arange(n) < newcomer)

        def move(_: Array) -> Array:
            return moved_among(state.labels, labels, touched, newcomer, n)

        moved = at_most_once(jnp.any(others), move, jnp.zeros(n, jnp.int32))
        counted = ((newcomer + 1) % metrics_every == 0) | (newcomer == n - 1)

        def recount(_: Array) -> Array:
            return cost_of(labels, n, links, stop, arrived, dtype)

        cost = at_most_once(counted, recount, state.cost)
        state = _State(degree, labels, state.changes + moved, cost)
        return state, (cost, jnp.sum(moved, dtype=jnp.int32), stop)

    zeros = jnp.zeros(n, jnp.int32)
    vertices = jnp.arange(n, dtype=jnp.int32)
    start = _State(zeros, vertices, zeros, jnp.zeros((), dtype))
    if n == 0:
        return OnlinePivot(zeros, zeros, zeros.astype(dtype), zeros, zeros)
    start = vary_like(start, plan, ranks)
    state, (cost, recourse, edges) = jax.lax.scan(arrive, start, vertices)
    return OnlinePivot(state.labels, state.changes, cost, recourse, edges)
