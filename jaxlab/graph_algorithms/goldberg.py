"""Goldberg's scaling algorithm: feasible potentials, started from a prediction.

Reduced lengths are rounded up to multiples of a power of two that shrinks from scale to scale. All
of them are then at least −1 in its units, and a scale removes those that are −1: each of its phases
removes the square root of their heads' number.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Num

from jaxlab.checks import check_dtype
from jaxlab.graph_algorithms._incoming import (
    Incoming,
    absent,
    incoming,
    infinity,
    lay,
    no_parents,
    table_of,
)
from jaxlab.graph_algorithms._labels import (
    Fixpoint,
    as_potentials,
    check_lengths,
    fits,
    lengths_of,
    reduced_lengths,
    settle,
)
from jaxlab.graph_algorithms.path_types import PotentialResult
from jaxlab.graph_algorithms.status import NEGATIVE_CYCLE, OK, OVERFLOW
from jaxlab.graphs.containers import Digraph
from jaxlab.graphs.layouts import InArcs
from jaxlab.graphs.segments import take_or_fill
from jaxlab.varying import vary_like

__all__ = ["goldberg_potentials"]


def goldberg_potentials(
    graph: Digraph, potentials: Num[Array, " n"] | None = None, *, in_arcs: InArcs | None = None
) -> PotentialResult:
    """Feasible potentials by Goldberg's scaling algorithm, or the proof of a negative cycle.

    With ``R = ℓ_ŷ`` and ``β = ⌈log2(1 + max(0, −min R))⌉``, for ``i = β … 0`` the potentials
    ``p ← 2p`` are improved until ``⌈R / 2^i⌉`` has no negative reduced length. A prediction that
    some feasible ``y`` differs from by at most ``η`` has ``min R ≥ −2η``, hence at most
    ``⌈log2(2η + 1)⌉ + 1`` scales; a scale has at most ``2√n + 1`` phases. A phase labels vertices
    with their distances along arcs of nonpositive length, and then either lowers all vertices from
    one layer of labels on (cut–relabel), or removes all negative arcs into the vertices of a
    longest path (chain elimination), whichever removes more.

    Args:
        graph: lengths are its weights, or all 1; integers.
        potentials: the prediction; None for 0. Numbers beyond the range of the labels are clipped.
        in_arcs: as for :func:`~jaxlab.graph_algorithms.label_correcting.bellman_ford`.

    Returns:
        Potentials ``ŷ + p``, status, scales, phases and rounds over all arcs. A feasible
        prediction is returned as it is, with one scale and no phase.

    Raises:
        ValueError: lengths that are not integers, potentials that are NaN or of another size, or
            as for ``bellman_ford``.

    Cost:
        O(arcs) per round. The bound on phases gives O(m √n log η) where a phase takes O(m); here it
        takes as many rounds as paths of nonpositive length have arcs.

    Source:
        Goldberg 1995, *Scaling algorithms for the shortest paths problem*; Chen et al. 2022,
        section on shortest paths, for the start from a prediction.

    Example:
        >>> from jaxlab.graphs import digraph_from_arcs
        >>> graph = digraph_from_arcs([[0, 1], [1, 2]], 3, weights=[-5, 4])
        >>> result = goldberg_potentials(graph, jnp.array([7, 2, 5]))
        >>> result.potentials.tolist(), int(result.scales), int(result.phases)
        ([7, 2, 5], 1, 0)
    """
    check_lengths(graph)
    if graph.weights is not None:
        check_dtype("graph.weights", graph.weights, "integer")
    start = as_potentials(graph, potentials)
    if graph.node_capacity == 0:
        nothing = jnp.int32(0)
        return PotentialResult(start, nothing, nothing, nothing, nothing)
    return goldberg(graph, table_of(graph, in_arcs), start)


class _State(NamedTuple):
    potentials: Array
    scale: Array
    phases: Array
    rounds: Array
    status: Array
    go: Array


@jax.jit
def goldberg(graph: Digraph, table: Array | None, potentials: Array) -> PotentialResult:
    graph, table, potentials = vary_like((graph, table, potentials))
    arcs = incoming(graph, table)
    lengths = reduced_lengths(graph, potentials)
    fitting = fits(lengths_of(graph), graph.mask, graph.n_node)
    deepest = -jnp.min(jnp.where(graph.mask, lengths, 0), initial=0)
    # powers of two up to the deepest reduced length: one more than its highest bit
    bits = jnp.iinfo(lengths.dtype).bits
    beta = bits - jax.lax.clz(deepest).astype(jnp.int32)
    lowest = -infinity(lengths.dtype)

    def step(state: _State) -> _State:
        rounded = jnp.where(graph.mask, -((-lengths) >> state.scale), absent(lengths.dtype))
        tail = state.potentials.at[graph.senders].get(mode="fill", fill_value=0)
        head = state.potentials.at[graph.receivers].get(mode="fill", fill_value=0)
        current = rounded + (tail - head)
        negative = graph.mask & (current < 0)
        busy = state.go & jnp.any(negative)
        change, status, rounds = _phase(arcs, graph, current, negative, busy)
        potentials = state.potentials + change
        last = state.scale == 0
        # before potentials double there has to be room for it
        small = jnp.min(potentials, initial=0) >= jnp.where(busy | last, lowest, lowest // 2)
        status = jnp.where(small, status, OVERFLOW)
        potentials = jnp.where(busy | last | ~small, potentials, 2 * potentials)
        return _State(
            potentials,
            jnp.where(busy | last, state.scale, state.scale - 1),
            state.phases + busy,
            state.rounds + rounds,
            status,
            (busy | ~last) & (status == OK),
        )

    zero = jnp.zeros_like(beta)
    status = jnp.where(fitting, OK, OVERFLOW).astype(jnp.int32)
    start = _State(jnp.zeros_like(potentials), beta, zero, zero, status, fitting)
    end = jax.lax.while_loop(lambda state: state.go, step, start)
    return PotentialResult(
        potentials + end.potentials, end.status, beta + 1, end.phases, end.rounds
    )


def _phase(
    arcs: Incoming, graph: Digraph, current: Array, negative: Array, busy: Array
) -> tuple[Array, Array, Array]:
    """Change of the potentials in one phase, its status and rounds; no change where not busy."""
    n, missing = graph.node_capacity, absent(current.dtype)
    start, none = jnp.zeros_like(current, shape=(n,)), no_parents(arcs)

    downhill = lay(arcs, jnp.where(current <= 0, current, missing))
    deep = settle(arcs, downhill, start, none, go=busy, n_node=graph.n_node)
    layer = -deep.labels
    improvable = jnp.zeros(n, bool).at[graph.receivers].max(negative, mode="drop")
    sizes = jnp.zeros(n + 1, jnp.int32).at[layer].add(improvable, mode="drop")
    # the largest layer; of equal ones the lowest
    largest = jnp.max(sizes[1:], initial=0)
    layers = jnp.arange(n + 1, dtype=current.dtype)
    best = jnp.min(jnp.where((sizes == largest) & (layers > 0), layers, n), initial=n)
    # count² ≥ k without the square: it may overflow
    cut = largest >= -(-jnp.sum(improvable, dtype=jnp.int32) // jnp.maximum(largest, 1))
    solved = deep.status == OK

    relabel = -(layer >= best).astype(current.dtype)
    chain = _chain(arcs, deep, layer)
    entering = negative & chain.at[graph.receivers].get(mode="fill", fill_value=False)
    lifted = jnp.where(graph.mask & ~entering, jnp.maximum(current, 0), current)
    eliminating = busy & solved & ~cut
    gone = settle(arcs, lay(arcs, lifted), start, none, go=eliminating, n_node=graph.n_node)

    fine = solved & (gone.status == OK)
    status = jnp.where(fine, OK, NEGATIVE_CYCLE).astype(jnp.int32)
    change = jnp.where(cut, relabel, gone.labels)
    return jnp.where(busy & solved, change, 0), status, deep.rounds + gone.rounds


def _chain(arcs: Incoming, deep: Fixpoint, layer: Array) -> Array:
    """The vertices on the path along parents to a vertex of the last layer."""
    n, m = layer.shape[0], arcs.senders.shape[0]
    last = jnp.max(layer, initial=0)
    vertices = jnp.arange(n, dtype=jnp.int32)
    first = jnp.min(jnp.where(layer == last, vertices, n), initial=n)

    def walk(state: tuple[Array, Array]) -> tuple[Array, Array]:
        chain, vertex = state
        arc = deep.parents.at[vertex].get(mode="fill", fill_value=m)
        above = take_or_fill(arcs.senders, arc, n)
        return chain.at[vertex].set(True, mode="drop"), jnp.where(arc < m, above, n)

    def below(state: tuple[Array, Array]) -> Array:
        return state[1] < n

    # a cycle of parents has no end, but then the chain is not wanted
    start = jnp.where((deep.status == OK) & (last > 0), first, n)
    return jax.lax.while_loop(below, walk, (jnp.zeros_like(layer, bool), start))[0]
