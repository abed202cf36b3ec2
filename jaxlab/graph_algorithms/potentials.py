"""Potentials: reduced lengths, and the repair of a prediction by the Bellman–Ford algorithm."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Num

from jaxlab.checks import check_choice, check_shape, check_uncut
from jaxlab.graph_algorithms._incoming import incoming, lay, no_parents, table_of
from jaxlab.graph_algorithms._labels import (
    as_potentials,
    bounded,
    check_lengths,
    fits,
    lengths_of,
    reduced_lengths,
    settle,
)
from jaxlab.graph_algorithms.goldberg import goldberg_potentials
from jaxlab.graph_algorithms.path_types import PotentialResult
from jaxlab.graph_algorithms.status import OVERFLOW
from jaxlab.graphs.containers import Digraph, check_directed
from jaxlab.graphs.layouts import InArcs
from jaxlab.varying import vary_like

__all__ = ["feasible_potentials", "reduced_weights"]


def reduced_weights(graph: Digraph, potentials: Num[Array, " n"]) -> Num[Array, " arcs"]:
    """Reduced lengths ``ℓ_y(u, v) = ℓ(u, v) + y_u − y_v``.

    Lengths of cycles stay, and paths between the same two vertices keep their order. Potentials
    are feasible when no reduced length is negative.

    Args:
        graph: lengths are its weights, or all 1.
        potentials: one number a vertex.

    Returns:
        One number an arc; 0 for arcs that are masked out.

    Raises:
        ValueError: an undirected graph, or a stack; potentials are of another size, or of NumPy
            and do not fit the type jax gives them.

    Cost:
        O(arcs).

    Example:
        >>> from jaxlab.graphs import digraph_from_arcs
        >>> graph = digraph_from_arcs([[0, 1], [0, 2], [2, 1]], 3, weights=[5, 4, -2])
        >>> reduced_weights(graph, jnp.array([0, 2, 4])).tolist()
        [3, 0, 0]
    """
    check_directed(graph)
    check_shape("potentials", potentials, (graph.node_capacity,))
    check_uncut("potentials", potentials)
    return jnp.where(graph.mask, reduced_lengths(graph, potentials), 0)


def feasible_potentials(
    graph: Digraph,
    potentials: Num[Array, " n"] | None = None,
    *,
    method: str = "bellman_ford",
    in_arcs: InArcs | None = None,
) -> PotentialResult:
    """Make predicted potentials feasible, or prove a negative cycle.

    ``y_v = ŷ_v + min(0, shortest distance to v from anywhere)`` with distances by reduced lengths
    ``ℓ_ŷ`` ("bellman_ford"), or by scaling ("goldberg",
    :func:`~jaxlab.graph_algorithms.goldberg.goldberg_potentials`). A feasible prediction is
    returned as it is.

    Args:
        graph: lengths are its weights, or all 1.
        potentials: the prediction; None for 0. Numbers beyond the range of the labels are clipped;
            floats, where they are not feasible and one is beyond ``±n·max|ℓ|``, are moved so that
            the first finite one is 0, and clipped to that: lengths drown in larger ones' rounding.
        method: "bellman_ford" or "goldberg".
        in_arcs: as for :func:`~jaxlab.graph_algorithms.label_correcting.bellman_ford`.

    Returns:
        Potentials, status and work. Of floats, potentials are exact where sums of lengths are, and
        otherwise feasible up to rounding errors.

    Raises:
        ValueError: unknown method, potentials that are NaN or of another size, or as for
            ``bellman_ford``.

    Cost:
        O(arcs) per round, at most n rounds; with "goldberg" see there.

    Example:
        >>> from jaxlab.graphs import digraph_from_arcs
        >>> graph = digraph_from_arcs([[0, 1], [1, 2]], 3, weights=[-5, 4])
        >>> feasible_potentials(graph).potentials.tolist()
        [0, -5, -1]
    """
    check_choice("method", method, ("bellman_ford", "goldberg"))
    if method == "goldberg":
        return goldberg_potentials(graph, potentials, in_arcs=in_arcs)
    check_lengths(graph)
    start = as_potentials(graph, potentials)
    return _feasible_potentials(graph, table_of(graph, in_arcs), start)


@jax.jit
def _feasible_potentials(graph: Digraph, table: Array | None, potentials: Array) -> PotentialResult:
    graph, table, potentials = vary_like((graph, table, potentials))
    arcs = incoming(graph, table)
    given = lengths_of(graph)
    fitting = fits(given, graph.mask, graph.n_node)
    lengths = reduced_lengths(graph, potentials)
    if jnp.issubdtype(lengths.dtype, jnp.floating):
        feasible = ~jnp.any(graph.mask & (lengths < 0))
        potentials = jnp.where(feasible, potentials, bounded(graph, potentials))
        lengths = reduced_lengths(graph, potentials)
    laid, unreduced = lay(arcs, lengths), lay(arcs, given)
    start, none = jnp.zeros_like(potentials), no_parents(arcs)
    found = settle(arcs, laid, start, none, go=fitting, n_node=graph.n_node, unreduced=unreduced)
    status = jnp.where(fitting, found.status, OVERFLOW).astype(jnp.int32)
    zero = jnp.int32(0)
    return PotentialResult(potentials + found.labels, status, zero, zero, found.rounds)
