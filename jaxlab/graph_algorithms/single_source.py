"""The front door to shortest paths from one source, with predictions."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Num

from jaxlab.checks import check_choice, check_dtype, check_shape
from jaxlab.graph_algorithms._incoming import (
    incoming,
    infinity,
    labels_from,
    lay,
    no_parents,
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
    paths,
    reduced_lengths,
    settle,
)
from jaxlab.graph_algorithms.goldberg import goldberg
from jaxlab.graph_algorithms.label_setting import settle_by_distance
from jaxlab.graph_algorithms.path_types import ShortestPaths
from jaxlab.graph_algorithms.policy_iteration import policy, predicted
from jaxlab.graph_algorithms.status import OK, OVERFLOW
from jaxlab.graphs.containers import Digraph
from jaxlab.graphs.layouts import InArcs
from jaxlab.varying import vary_like

__all__ = ["shortest_paths"]


def shortest_paths(
    graph: Digraph,
    source: int | Int[Array, ""],
    *,
    potentials: Num[Array, " n"] | None = None,
    tree: Int[Array, " n"] | None = None,
    method: str = "policy",
    in_arcs: InArcs | None = None,
) -> ShortestPaths:
    """Exact shortest paths from one source, negative lengths allowed, with learned predictions.

    * ``"policy"``: :func:`~jaxlab.graph_algorithms.policy_iteration.policy`, the fastest with
      predictions.
    * ``"bellman_ford"``: the rounds of
      :func:`~jaxlab.graph_algorithms.label_correcting.bellman_ford`, from the walks that the
      predictions name.
    * ``"goldberg"``: feasible potentials from the prediction by
      :func:`~jaxlab.graph_algorithms.goldberg.goldberg_potentials` on what the source reaches, then
      Dijkstra's algorithm on reduced lengths: the algorithm with the best proven bound. Integer
      lengths only; ``tree`` is not used.

    Args:
        graph: lengths are its weights, or all 1.
        source: a vertex.
        potentials: predicted distances, up to a common shift.
        tree: predicted parents.
        method: "policy", "bellman_ford" or "goldberg".
        in_arcs: as for ``bellman_ford``.

    Returns:
        Distances, parents, status and rounds; the same distances whatever the predictions.

    Raises:
        ValueError: unknown method, predictions of other sizes or types or NaN, or as for
            ``bellman_ford``. Inside ``jit`` a source that is not there gives the status
            ``NO_SOURCE``.

    Cost:
        That of the method.

    Source:
        Chen et al. 2022, section on shortest paths, for "goldberg".

    Example:
        >>> from jaxlab.graphs import digraph_from_arcs
        >>> graph = digraph_from_arcs([[0, 1], [0, 2], [2, 1]], 3, weights=[5, 4, -2])
        >>> yesterday = shortest_paths(graph, 0)
        >>> today = graph.replace(weights=graph.weights.at[1].set(8))
        >>> shortest_paths(today, 0, potentials=yesterday.dist, tree=yesterday.parent).dist.tolist()
        [0, 5, 8]
    """
    check_choice("method", method, ("policy", "bellman_ford", "goldberg"))
    if method == "policy":
        return policy(graph, source, potentials=potentials, tree=tree, in_arcs=in_arcs)
    check_lengths(graph)
    source = check_source(graph, source)
    table = table_of(graph, in_arcs)
    if method == "goldberg":
        if graph.weights is not None:
            check_dtype("graph.weights", graph.weights, "integer")
        return _goldberg_dijkstra(graph, table, source, as_potentials(graph, potentials))
    start = None if potentials is None else as_potentials(graph, potentials)
    if tree is not None:
        check_shape("tree", tree, (graph.node_capacity,))
        check_dtype("tree", tree, "integer")
        tree = clipped(tree)
    return _warm_bellman_ford(graph, table, source, start, tree)


@jax.jit
def _warm_bellman_ford(
    graph: Digraph,
    table: Array | None,
    source: Array,
    potentials: Array | None,
    tree: Array | None,
) -> ShortestPaths:
    given = (graph, table, source, potentials, tree)
    graph, table, source, potentials, tree = vary_like(given)
    arcs, lengths = incoming(graph, table), lengths_of(graph)
    fitting = fits(lengths, graph.mask, graph.n_node)
    start = predicted(arcs, lengths, source, potentials, tree, fitting)
    found = settle(arcs, lay(arcs, lengths), *start, go=fitting, n_node=graph.n_node)
    return paths(graph, arcs, found, source, fitting)


@jax.jit
def _goldberg_dijkstra(
    graph: Digraph, table: Array | None, source: Array, potentials: Array
) -> ShortestPaths:
    graph, table, source, potentials = vary_like((graph, table, source, potentials))
    arcs, lengths = incoming(graph, table), lengths_of(graph)
    infinite = infinity(lengths.dtype)
    fitting = fits(lengths, graph.mask, graph.n_node)
    # a negative cycle elsewhere is none of the source's business
    steps = lay(arcs, jnp.where(graph.mask, jnp.zeros_like(lengths), lengths))
    start = labels_from(arcs, source, lengths.dtype)
    reach = settle(arcs, steps, start, no_parents(arcs), go=fitting, n_node=graph.n_node)
    reached = reach.labels < infinite
    mask = graph.mask & reached.at[graph.senders].get(mode="fill", fill_value=False)
    near = graph.replace(mask=mask)  # type: ignore[attr-defined]

    feasible = goldberg(near, table, potentials)
    go = fitting & (feasible.status == OK)
    y = feasible.potentials
    found = settle_by_distance(arcs, reduced_lengths(near, y), source, go=go)
    dist = jnp.where(found.labels < infinite, found.labels + (y - y[source]), infinite)
    # potentials far below the distances push reduced ones out of range
    missed = jnp.any(reached & (found.labels >= infinite))
    status = jnp.where(go & missed, OVERFLOW, feasible.status)
    rounds = reach.rounds + feasible.rounds + found.rounds
    return paths(graph, arcs, Fixpoint(dist, found.parents, status, rounds), source, fitting)
