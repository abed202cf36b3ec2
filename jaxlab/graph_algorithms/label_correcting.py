"""The Bellman–Ford algorithm in rounds over all arcs, with a start from known walks."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from jaxlab.checks import check_integer, check_shape
from jaxlab.graph_algorithms._incoming import (
    arcs_from,
    incoming,
    infinity,
    labels_from,
    lay,
    no_parents,
    table_of,
)
from jaxlab.graph_algorithms._labels import (
    check_lengths,
    check_source,
    fits,
    lengths_of,
    paths,
    settle,
)
from jaxlab.graph_algorithms.path_types import ShortestPaths
from jaxlab.graphs.containers import Digraph
from jaxlab.graphs.layouts import InArcs
from jaxlab.varying import vary_like

__all__ = ["bellman_ford"]


def bellman_ford(
    graph: Digraph,
    source: int | Int[Array, ""],
    *,
    init: ShortestPaths | None = None,
    max_rounds: int | None = None,
    in_arcs: InArcs | None = None,
) -> ShortestPaths:
    """Shortest paths from one source, negative lengths allowed, by the Bellman–Ford algorithm.

    Rounds of ``d_v ← min(d_v, min_u d_u + ℓ(u, v))`` over all arcs at once, until no label falls.
    A reachable negative cycle is found from the cycle it makes among parents, which is looked for
    every 64 rounds, or else after as many rounds as there are vertices.

    Floats: where sums of lengths are exact, so are the distances. A cycle is negative if its
    lengths sum to less than ``−4ε Σ|ℓ|``. One that is not, and that rounding errors make lower the
    labels all the same, starts the rounds anew, without ``init`` and with labels that fall by more
    than such errors; ``OVERFLOW`` where labels have no room for them.

    Args:
        graph: lengths are its weights, or all 1.
        source: a vertex.
        init: walks in this graph to start from, as
            :func:`~jaxlab.graph_algorithms.trees.evaluate_tree` returns them. None for none.
        max_rounds: most rounds; None for as many as there are vertices, which is enough.
        in_arcs: the arcs into each vertex, of :func:`jaxlab.graphs.in_arcs`, all of them: one that
            it dropped is not seen. Without it a concrete graph with even degrees is laid out anew
            in each call, and another one is reduced by segments, which takes longer.

    Returns:
        Distances, parents, status and rounds; with a negative cycle, labels as they were when it
        was found.

    Raises:
        ValueError: the source is not a vertex, ``init`` has other sizes, lengths are NaN or −inf,
            or n·max|ℓ| could overflow the labels. Inside ``jit`` a source that is not there gives
            the status ``NO_SOURCE``, lengths that are NaN or −inf or could overflow ``OVERFLOW``.

    Cost:
        O(arcs) per round; rounds are one more than the arcs on the longest shortest path.

    Example:
        >>> from jaxlab.graphs import digraph_from_arcs
        >>> graph = digraph_from_arcs([[0, 1], [0, 2], [2, 1]], 3, weights=[5, 4, -2])
        >>> result = bellman_ford(graph, 0)
        >>> result.dist.tolist(), result.parent.tolist(), int(result.rounds)
        ([0, 2, 4], [0, 2, 0], 3)
    """
    check_lengths(graph)
    source = check_source(graph, source)
    if max_rounds is not None:
        check_integer("max_rounds", max_rounds, minimum=0)
    if init is not None:
        check_shape("init.dist", init.dist, (graph.node_capacity,))
        check_shape("init.parent", init.parent, (graph.node_capacity,))
        init = init._replace(status=None, rounds=None)  # type: ignore[arg-type]
    return _bellman_ford(graph, table_of(graph, in_arcs), source, init, max_rounds=max_rounds)


@functools.partial(jax.jit, static_argnames=("max_rounds",))
def _bellman_ford(
    graph: Digraph,
    table: Array | None,
    source: Array,
    init: Any,
    *,
    max_rounds: int | None,
) -> ShortestPaths:
    graph, table, source, init = vary_like((graph, table, source, init))
    n, m = graph.node_capacity, graph.edge_capacity
    arcs, lengths = incoming(graph, table), lengths_of(graph)
    laid = lay(arcs, lengths)
    infinite = infinity(lengths.dtype)
    root = jnp.arange(n) == source
    labels, parents = labels_from(arcs, source, lengths.dtype), no_parents(arcs)
    if init is not None:
        dist = jnp.where(root, 0, init.dist.astype(lengths.dtype))
        tree = arcs_from(arcs, laid, init.parent)
        known = (dist < infinite) & ((tree < m) | root)
        labels = jnp.where(known, dist, infinite)
        parents = jnp.where(known & ~root, tree, m)
    fitting = fits(lengths, graph.mask, graph.n_node)
    found = settle(
        arcs, laid, labels, parents, go=fitting, n_node=graph.n_node, max_rounds=max_rounds
    )
    return paths(graph, arcs, found, source, fitting)
