"""Successive shortest paths for flows of 0 or 1 unit an arc, many disjoint paths at a time."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.graph_algorithms._incoming import absent, incoming, infinity, lay, no_parents
from jaxlab.graph_algorithms._labels import bounded, fits, lengths_of, reduced_lengths, settle
from jaxlab.graph_algorithms.status import INFEASIBLE, OK, OVERFLOW
from jaxlab.graph_algorithms.types import AssignmentStats
from jaxlab.graphs.components import roots
from jaxlab.graphs.containers import Digraph
from jaxlab.graphs.segments import take_or_fill
from jaxlab.varying import vary_like

__all__ = ["Routed", "both_ways", "route"]


class Routed(NamedTuple):
    """Flow, potentials, status and work."""

    flow: Array
    potentials: Array
    status: Array
    stats: AssignmentStats


class _State(NamedTuple):
    flow: Array
    potentials: Array
    excess: Array
    go: Array
    phases: Array
    rounds: Array
    paths: Array


def both_ways(graph: Digraph) -> Digraph:
    """Every arc and, after all of them, its reverse: the arcs a residual graph can have."""
    return graph.replace(  # type: ignore[attr-defined]
        senders=jnp.concatenate([graph.senders, graph.receivers]),
        receivers=jnp.concatenate([graph.receivers, graph.senders]),
        mask=jnp.concatenate([graph.mask, graph.mask]),
        weights=None,
    )


@jax.jit
def route(graph: Digraph, table: Array | None, supply: Array, potentials: Array) -> Routed:
    """Cheapest flow by successive shortest paths from predicted potentials.

    Arcs of negative reduced cost are filled at the start, so that no residual arc has any; a
    phase then finds shortest paths from all vertices with excess, raises the potentials by the
    distances up to the farthest path it uses, and routes one unit along a path in each tree of the
    forest: trees share no vertex. ``table`` is that of :func:`both_ways`.
    """
    graph, table, supply, potentials = vary_like((graph, table, supply, potentials))
    n, m = graph.node_capacity, graph.edge_capacity
    arcs = incoming(both_ways(graph), table)
    cost = lengths_of(graph)
    dtype, infinite = cost.dtype, infinity(cost.dtype)
    # reduced lengths of paths hold two potentials, and a phase adds a third
    scale = jnp.maximum(8 * graph.n_node, m)
    fitting = fits(cost, graph.mask, scale)
    if jnp.issubdtype(dtype, jnp.integer):
        potentials = jnp.clip(potentials, -(infinite // 8), infinite // 8)
    else:
        potentials = bounded(graph, potentials)
    vertices = jnp.arange(n, dtype=jnp.int32)

    def phase(state: _State) -> _State:
        # tight arcs of floats may be off by a rounding error, and must not close a negative cycle
        reduced = reduced_lengths(graph, state.potentials)
        forward = jnp.where(state.flow, absent(dtype), jnp.maximum(reduced, 0))
        backward = jnp.where(state.flow, jnp.maximum(-reduced, 0), absent(dtype))
        laid = lay(arcs, jnp.concatenate([forward, backward]))
        start = jnp.where(state.excess > 0, 0, infinite).astype(dtype)
        forest = settle(arcs, laid, start, no_parents(arcs), go=state.go, n_node=graph.n_node)
        labels, parents = forest.labels, forest.parents

        above = jnp.where(parents < 2 * m, take_or_fill(arcs.senders, parents, 0), vertices)
        root = roots(above)
        end = (state.excess < 0) & (labels < infinite) & state.go
        tree = jnp.where(end, root, n)
        nearest = jnp.full(n, infinite, dtype).at[tree].min(labels, mode="drop")
        end &= labels == nearest[root]
        tree = jnp.where(end, root, n)
        target = jnp.full(n, n, jnp.int32).at[tree].min(vertices, mode="drop")

        found = target < n
        reach = jnp.max(jnp.where(found, nearest, 0), initial=0)
        raised = jnp.where(jnp.any(found), jnp.minimum(labels, reach), 0)
        used = _walks(arcs.senders, parents, target)
        flow = state.flow ^ (used[:m] | used[m:])
        routed = found.astype(jnp.int32)
        excess = (state.excess - routed).at[target].add(routed, mode="drop")
        return _State(
            flow,
            state.potentials + raised,
            excess,
            state.go & jnp.any(found) & jnp.any(excess > 0),
            state.phases + 1,
            state.rounds + forest.rounds,
            state.paths + jnp.sum(routed, dtype=jnp.int32),
        )

    flow = graph.mask & (reduced_lengths(graph, potentials) < 0) & fitting
    units = flow.astype(jnp.int32)
    # under shard_map the sum varies over the graph's mesh axes, even without an arc
    excess = jnp.zeros_like(graph.senders, shape=(n,)) + jnp.asarray(supply, jnp.int32)
    excess = excess.at[graph.senders].add(-units, mode="drop")
    excess = excess.at[graph.receivers].add(units, mode="drop")
    unrouted = jnp.sum(jnp.maximum(excess, 0), dtype=jnp.int32)
    zero = jnp.zeros_like(unrouted)
    start = _State(flow, potentials, excess, fitting & (unrouted > 0), zero, zero, zero)
    end = jax.lax.while_loop(lambda state: state.go, phase, start)
    status = jnp.where(jnp.any(end.excess != 0), INFEASIBLE, OK)
    status = jnp.where(fitting, status, OVERFLOW).astype(jnp.int32)
    stats = AssignmentStats(unrouted, end.paths, zero, end.phases, end.rounds)
    return Routed(end.flow, end.potentials, status, stats)


def _walks(senders: Array, parents: Array, target: Array) -> Array:
    """Which arcs lie on the walks from the targets up to their roots, all followed at once."""
    n, arcs = parents.shape[0], senders.shape[0]

    def step(state: tuple[Array, Array]) -> tuple[Array, Array]:
        used, at = state
        arc = parents.at[at].get(mode="fill", fill_value=arcs)
        above = take_or_fill(senders, arc, n)
        return used.at[arc].set(True, mode="drop"), jnp.where(arc < arcs, above, n)

    def below(state: tuple[Array, Array]) -> Array:
        return jnp.any(state[1] < n)

    return jax.lax.while_loop(below, step, (jnp.zeros_like(senders, bool), target))[0]
