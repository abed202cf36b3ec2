"""Cheapest flows of 0 or 1 unit an arc, with predicted potentials, by two routes."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Num

from jaxlab.checks import check_choice
from jaxlab.graph_algorithms._incoming import table_of
from jaxlab.graph_algorithms._labels import as_potentials, check_lengths, lengths_of
from jaxlab.graph_algorithms._successive_paths import both_ways, route
from jaxlab.graph_algorithms.degree_constrained import degree_constrained_subgraph
from jaxlab.graph_algorithms.flow_reduction import check_supply, flow_reduction
from jaxlab.graph_algorithms.status import INFEASIBLE
from jaxlab.graph_algorithms.types import AssignmentStats
from jaxlab.graphs.containers import Digraph

__all__ = ["FlowResult", "min_cost_flow_01"]


class FlowResult(NamedTuple):
    """What :func:`min_cost_flow_01` returns.

    Attributes:
        flow: which arcs carry a unit; part of a flow where ``status`` is not ``OK``.
        cost: their sum.
        potentials: ``π``, with reduced costs ``c + π_u − π_v`` that are nonnegative on empty and
            nonpositive on full arcs: the proof of optimality.
        status: of :mod:`~jaxlab.graph_algorithms.status`: ``OK`` optimal, ``INFEASIBLE`` no flow
            meets the supplies, ``OVERFLOW`` of costs, or that of the assignment.
        stats: work. For "ssp" ``free_rows`` are the units that the start leaves unrouted,
            ``augmentations`` paths, ``phases`` forests and ``rounds`` rounds over all arcs; for
            "reduction" that of the assignment solver.
    """

    flow: Bool[Array, " arcs"]
    cost: Num[Array, ""]
    potentials: Num[Array, " n"]
    status: Int[Array, ""]
    stats: AssignmentStats


def min_cost_flow_01(
    graph: Digraph,
    supply: Int[Array, " n"],
    *,
    potentials: Num[Array, " n"] | None = None,
    method: str = "ssp",
) -> FlowResult:
    """Cheapest flow with 0 or 1 unit on each arc that meets all supplies.

    ``min Σ c_a x_a`` with ``x_a`` in {0, 1} and, at each vertex, outflow − inflow = supply.

    * ``"ssp"``: successive shortest paths in the residual graph. Arcs that the predicted potentials
      make negative are filled first, as they are at an optimum if the prediction is; what the
      supplies are then off is routed along shortest paths. Time and memory are those of the arcs.
    * ``"reduction"``: to degree-constrained subgraphs and on to assignment, with the prediction
      carried along (:func:`~jaxlab.graph_algorithms.flow_reduction.flow_reduction`). Optimal
      potentials leave it nothing to augment, while the other route still chooses among tight arcs.

    Args:
        graph: costs of the arcs are its weights, or all 1; negative ones and negative cycles are
            allowed, as are parallel arcs and loops.
        supply: what each vertex sends out more than it takes in.
        potentials: predicted ``π``; None for 0.
        method: "ssp" or "reduction".

    Returns:
        The flow, its cost, potentials that prove it optimal, status and work.

    Raises:
        ValueError: unknown method, supplies that do not sum to 0, do not fit int32 or are of
            another size, for "reduction" a supply that exceeds the arcs at its vertex, or lengths
            as for :func:`~jaxlab.graph_algorithms.label_correcting.bellman_ford`.

    Cost:
        "ssp": O(arcs) per round, and for each unit left unrouted at most n rounds. "reduction": an
        assignment with up to seven rows for each arc there is room for, with ten inside ``jit``.

    Source:
        Chen et al. 2022, section on reductions.

    Example:
        >>> from jaxlab.graphs import digraph_from_arcs
        >>> graph = digraph_from_arcs([[0, 1], [0, 2], [2, 1]], 3, weights=[5, 1, 2])
        >>> result = min_cost_flow_01(graph, jnp.array([1, -1, 0]))
        >>> result.flow.tolist(), int(result.cost)
        ([False, True, True], 3)
    """
    check_choice("method", method, ("ssp", "reduction"))
    check_lengths(graph)
    check_supply(graph, supply)
    prediction = as_potentials(graph, potentials)
    if method == "ssp":
        routed = route(graph, table_of(both_ways(graph)), jnp.asarray(supply), prediction)
        flow, found, status = routed.flow, routed.potentials, routed.status
        stats = routed.stats
    else:
        reduction = flow_reduction(graph, supply)
        duals = None if potentials is None else reduction.map_prediction(prediction)
        problem = reduction.instance
        chosen = degree_constrained_subgraph(
            problem.senders,
            problem.receivers,
            problem.cost,
            problem.degree_left,
            problem.degree_right,
            duals=duals,
            mask=problem.mask,
        )
        flow, found = reduction.map_solution(chosen), reduction.map_duals(chosen.duals)
        status = jnp.where(reduction.feasible, chosen.status, INFEASIBLE).astype(jnp.int32)
        stats = chosen.stats
    there = jnp.arange(graph.node_capacity) < graph.n_node
    costs = lengths_of(graph)
    cost = jnp.sum(jnp.where(flow, costs, 0), dtype=costs.dtype)
    return FlowResult(flow, cost, jnp.where(there, found, 0), status, stats)
