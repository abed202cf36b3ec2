"""Dijkstra's algorithm for lengths that are not negative, many vertices settled at a time."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from jaxlab.checks import concrete, require
from jaxlab.graph_algorithms._incoming import (
    Incoming,
    absent,
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
    check_lengths,
    check_source,
    fits,
    lengths_of,
    paths,
)
from jaxlab.graph_algorithms.path_types import ShortestPaths
from jaxlab.graph_algorithms.status import NEGATIVE_ARC, OK
from jaxlab.graphs.containers import Digraph
from jaxlab.graphs.layouts import InArcs
from jaxlab.varying import vary_like

__all__ = ["dijkstra"]


def dijkstra(
    graph: Digraph, source: int | Int[Array, ""], *, in_arcs: InArcs | None = None
) -> ShortestPaths:
    """Shortest paths from one source where no length is negative.

    Labels of open vertices up to ``L = min_u d_u + min_v ℓ(u, v)``, over open ``u``, are final: a
    path that is still to be found leaves an open vertex. All of them are settled in one round.

    Args:
        graph: lengths are its weights, or all 1.
        source: a vertex.
        in_arcs: as for :func:`~jaxlab.graph_algorithms.label_correcting.bellman_ford`.

    Returns:
        Distances, parents, status and rounds.

    Raises:
        ValueError: a length is negative or NaN, the source is not a vertex, or n·max|ℓ| could
            overflow the labels. Inside ``jit`` a negative length gives the status
            ``NEGATIVE_ARC``, a source that is not there ``NO_SOURCE``, lengths that are NaN or −inf
            or could overflow ``OVERFLOW``.

    Cost:
        O(arcs) per round; rounds are between the depth of the tree and the number of vertices. They
        are no fewer, but for the last, than those of
        :func:`~jaxlab.graph_algorithms.label_correcting.bellman_ford`, which is faster.

    Source:
        Crauser, Mehlhorn, Meyer and Sanders 1998, *A parallelization of Dijkstra's shortest path
        algorithm* (the criterion on outgoing arcs).

    Example:
        >>> from jaxlab.graphs import digraph_from_arcs
        >>> graph = digraph_from_arcs([[0, 1], [0, 2], [2, 1]], 4, weights=[5, 1, 2])
        >>> dijkstra(graph, 0).dist.tolist()  # no path leads to the last vertex
        [0, 3, 1, 536870912]
    """
    check_lengths(graph)
    source = check_source(graph, source)
    weights, mask = concrete(graph.weights), concrete(graph.mask)
    if graph.weights is not None and weights is not None and mask is not None:
        negative = weights[mask & (weights < 0)][:1]
        require(negative.size == 0, "graph.weights", negative, "no negative length")
    return _dijkstra(graph, table_of(graph, in_arcs), source)


@jax.jit
def _dijkstra(graph: Digraph, table: Array | None, source: Array) -> ShortestPaths:
    graph, table, source = vary_like((graph, table, source))
    arcs, lengths = incoming(graph, table), lengths_of(graph)
    fitting = fits(lengths, graph.mask, graph.n_node)
    legal = ~jnp.any(graph.mask & (lengths < 0))
    found = settle_by_distance(arcs, lengths, source, go=fitting & legal)
    found = found._replace(status=jnp.where(legal, OK, NEGATIVE_ARC))
    return paths(graph, arcs, found, source, fitting)


def settle_by_distance(arcs: Incoming, lengths: Array, source: Array, *, go: Array) -> Fixpoint:
    """Labels and parents by rounds of Dijkstra's algorithm."""
    n, infinite = arcs.nodes, infinity(lengths.dtype)
    laid = lay(arcs, lengths)
    tails = jnp.where(arcs.receivers < n, arcs.senders, n)
    none = jnp.full_like(lengths, absent(lengths.dtype), shape=(n,))
    shortest = none.at[tails].min(lengths, mode="drop")

    def round_(state: tuple[Array, ...]) -> tuple[Array, ...]:
        labels, parents, settled, _, rounds = state
        open_ = ~settled & (labels < infinite)
        final = jnp.min(
            jnp.where(open_, labels + shortest, absent(labels.dtype)), initial=absent(labels.dtype)
        )
        now = open_ & (labels <= final)
        labels, parents = relax(arcs, laid, labels, parents, jnp.where(now, labels, infinite))
        settled = settled | now
        return labels, parents, settled, jnp.any(~settled & (labels < infinite)), rounds + 1

    labels, zero = labels_from(arcs, source, lengths.dtype), jnp.zeros_like(go, jnp.int32)
    start: tuple[Array, ...] = (labels, no_parents(arcs), labels < 0, go, zero)
    labels, parents, _, _, rounds = jax.lax.while_loop(lambda state: state[3], round_, start)
    return Fixpoint(labels, parents, jnp.int32(OK), rounds)
