"""Shortest paths by policy iteration: whole subtrees move in one round.

A policy names the arc by which each vertex is reached. Evaluating it by pointer doubling costs
log2 n gathers whatever its depth, so that the number of rounds is that of successive switches of
arcs, and not that of arcs on a path.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Num

from jaxlab.checks import check_dtype, check_shape
from jaxlab.graph_algorithms._incoming import (
    Incoming,
    arcs_from,
    incoming,
    infinity,
    labels_from,
    lay,
    no_parents,
    relax,
    table_of,
)
from jaxlab.graph_algorithms._labels import (
    Fixpoint,
    as_potentials,
    check_lengths,
    check_source,
    clipped,
    fits,
    lengths_of,
    on_cycle,
    paths,
    settle,
    walk_lengths,
)
from jaxlab.graph_algorithms.path_types import ShortestPaths
from jaxlab.graph_algorithms.status import NEGATIVE_CYCLE
from jaxlab.graph_algorithms.trees import evaluated, implied
from jaxlab.graphs.containers import Digraph
from jaxlab.graphs.layouts import InArcs
from jaxlab.varying import vary_like

__all__ = ["policy"]

ROUNDS_BEYOND_LOG = 64


def policy(
    graph: Digraph,
    source: int | Int[Array, ""],
    *,
    potentials: Num[Array, " n"] | None = None,
    tree: Int[Array, " n"] | None = None,
    in_arcs: InArcs | None = None,
) -> ShortestPaths:
    """Shortest paths from one source, started from predicted distances and a tree of another day.

    The start is the shorter, vertex by vertex, of two walks: along the stored tree, and along
    ``argmin_u ŷ_u + ℓ(u, v)``. A round relaxes all arcs, switches the parents of the vertices whose
    label fell, and evaluates the new parents by pointer doubling. Labels are lengths of walks
    throughout, so that the fixpoint is exact whatever the predictions.

    Parents form a cycle only if its length is negative, which ends the search; of floats, also by
    rounding errors, see :func:`~jaxlab.graph_algorithms.label_correcting.bellman_ford`. After
    ``⌈log2 n⌉ + 64`` rounds, or such a cycle, those of Bellman–Ford follow, which are shorter.

    Args:
        graph: lengths are its weights, or all 1.
        source: a vertex.
        potentials: predicted distances, up to a common shift; None for 0.
        tree: predicted parents; None for no second walk.
        in_arcs: as for :func:`~jaxlab.graph_algorithms.label_correcting.bellman_ford`.

    Returns:
        Distances, parents, status and rounds; 1 round if the prediction was exact.

    Raises:
        ValueError: predictions of other sizes or types or NaN, or as for ``bellman_ford``.
            Inside ``jit`` a source that is not there gives the status ``NO_SOURCE``.

    Cost:
        O(arcs + n·log2(depth of the tree)) per round.

    Example:
        >>> from jaxlab.graphs import digraph_from_arcs
        >>> graph = digraph_from_arcs([[0, 1], [0, 2], [2, 1]], 3, weights=[5, 4, -2])
        >>> result = policy(graph, 0, potentials=jnp.array([10, 12, 15]))
        >>> result.dist.tolist(), int(result.rounds)
        ([0, 2, 4], 1)
    """
    check_lengths(graph)
    source = check_source(graph, source)
    potentials = as_potentials(graph, potentials)
    if tree is not None:
        check_shape("tree", tree, (graph.node_capacity,))
        check_dtype("tree", tree, "integer")
        tree = clipped(tree)
    return _policy(graph, table_of(graph, in_arcs), source, potentials, tree)


@jax.jit
def _policy(
    graph: Digraph, table: Array | None, source: Array, potentials: Array, tree: Array | None
) -> ShortestPaths:
    given = (graph, table, source, potentials, tree)
    graph, table, source, potentials, tree = vary_like(given)
    n = graph.node_capacity
    arcs, lengths = incoming(graph, table), lengths_of(graph)
    laid, infinite = lay(arcs, lengths), infinity(lengths.dtype)
    fitting = fits(lengths, graph.mask, graph.n_node)
    root = jnp.arange(n) == source
    first = predicted(arcs, lengths, source, potentials, tree, fitting)

    def round_(state: tuple[Array, ...]) -> tuple[Array, ...]:
        labels, parents, _, _, rounds = state
        lower, parents = relax(arcs, laid, labels, parents)
        falling = jnp.any(lower < labels)
        walked = walk_lengths(arcs.senders, lengths, parents, root, falling)
        # a finite label whose walk has no end: the cycle it runs into is negative, or of floats
        lost = jnp.any((lower < infinite) & (walked >= infinite)) | jnp.any(root & (lower < 0))
        return jnp.minimum(lower, walked), parents, falling, falling & lost, rounds + 1

    limit = math.ceil(math.log2(max(n, 2))) + ROUNDS_BEYOND_LOG

    def open_(state: tuple[Array, ...]) -> Array:
        _, _, falling, cyclic, rounds = state
        return falling & ~cyclic & (rounds < limit)

    zero = jnp.zeros_like(fitting, jnp.int32)
    start: tuple[Array, ...] = (*first, fitting, ~fitting & fitting, zero)
    labels, parents, falling, cyclic, rounds = jax.lax.while_loop(open_, round_, start)
    if jnp.issubdtype(labels.dtype, jnp.floating):
        # settle tells a negative cycle from rounding errors, from a start without a cycle
        labels = jnp.where(cyclic, first[0], labels)
        parents = jnp.where(cyclic, first[1], parents)
        cyclic = jnp.zeros_like(cyclic)
    rest = settle(arcs, laid, labels, parents, go=falling & ~cyclic, n_node=graph.n_node)
    status = jnp.where(cyclic, NEGATIVE_CYCLE, rest.status)
    found = Fixpoint(rest.labels, rest.parents, status, rounds + rest.rounds)
    return paths(graph, arcs, found, source, fitting)


def predicted(
    arcs: Incoming,
    lengths: Array,
    source: Array,
    potentials: Array | None,
    tree: Array | None,
    active: Array,
) -> tuple[Array, Array]:
    """Labels and parent arcs, without a cycle, of the shorter of the walks predictions name."""
    laid = lay(arcs, lengths)
    labels, parents = labels_from(arcs, source, lengths.dtype), no_parents(arcs)
    if potentials is not None:
        policy_ = implied(arcs, laid, potentials)
        labels, parents = evaluated(arcs, lengths, policy_, source, active)
    if tree is not None:
        stored = arcs_from(arcs, laid, tree)
        walked, stored = evaluated(arcs, lengths, stored, source, active)
        # on ties always the same side: only then is no cycle of length 0 put together
        shorter = walked < labels
        if potentials is not None and jnp.issubdtype(labels.dtype, jnp.floating):
            # rounding errors do so all the same: from there on, the first walks alone
            merged = jnp.where(shorter, stored, parents)
            shorter &= ~on_cycle(arcs.senders, merged, active)
        labels, parents = jnp.where(shorter, walked, labels), jnp.where(shorter, stored, parents)
    return labels, parents
