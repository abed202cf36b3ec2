"""Flows of at most one unit an arc as degree-constrained subgraphs, and difference constraints."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Num

from jaxlab.checks import check_dtype, check_integer, check_shape, check_uncut, concrete, require
from jaxlab.graph_algorithms._ends import check_ends
from jaxlab.graph_algorithms._labels import as_prediction, lengths_type
from jaxlab.graph_algorithms.b_matching import copies
from jaxlab.graph_algorithms.path_types import PotentialResult
from jaxlab.graph_algorithms.reduction import Lipschitz, Reduction, SubgraphProblem
from jaxlab.graph_algorithms.types import Duals
from jaxlab.graphs.containers import Digraph, check_directed
from jaxlab.graphs.segments import at_least_int32

__all__ = ["difference_constraints", "flow_reduction"]


class _Arcs(NamedTuple):
    """Which edges are arcs, and what stands for a potential."""

    mask: Array
    like: Array


def flow_reduction(
    graph: Digraph, supply: Int[Array, " n"], *, slack_capacity: int | None = None
) -> Reduction:
    """Cheapest flow with 0 or 1 unit on each arc, as degree-constrained subgraph.

    Vertex ``v`` becomes ``v_out`` on the left and ``v_in`` on the right, an arc ``ab`` the edge
    ``a_out b_in``. With ``D_v = max(in-degree, out-degree)`` there are ``D_v + |s_v|`` edges
    ``v_out v_in`` of cost 0, and degrees ``b(v_out) = D_v + max(s_v, 0)`` and
    ``b(v_in) = D_v + max(−s_v, 0)``: what leaves minus what enters is ``s_v``. Potentials become
    the duals ``y(v_out) = −π_v`` and ``y(v_in) = π_v``.

    Args:
        graph: costs of the arcs are its weights, or all 1.
        supply: what each vertex sends out more than it takes in.
        slack_capacity: edges of cost 0 to make room for; static. None for as many as there are,
            or, inside ``jit``, for as many as there can be: four an arc.

    Returns:
        The reduction, to a :class:`~jaxlab.graph_algorithms.reduction.SubgraphProblem`. Its
        solutions are masks of the arcs, its predictions and duals potentials with reduced costs
        ``c + π_u − π_v``: at an optimum nonnegative where the arc is empty, nonpositive where full.

    Raises:
        ValueError: shapes or types do not fit, supplies do not sum to 0 or do not fit int32, or one
            exceeds the arcs at its vertex, or ``slack_capacity`` is too small. Inside ``jit``
            ``feasible`` is False.

    Cost:
        O(arcs + slack_capacity) time and memory.

    Source:
        Chen et al. 2022, section on reductions.

    Example:
        >>> from jaxlab.graphs import digraph_from_arcs
        >>> graph = digraph_from_arcs([[0, 1]], 2, weights=[7])
        >>> problem = flow_reduction(graph, jnp.array([1, -1])).instance
        >>> problem.senders.tolist(), problem.receivers.tolist(), problem.cost.tolist()
        ([0, 0, 0, 1, 1], [1, 0, 0, 1, 1], [7, 0, 0, 0, 0])
        >>> problem.degree_left.tolist(), problem.degree_right.tolist()
        ([2, 1], [1, 2])
    """
    check_directed(graph)
    check_supply(graph, supply)
    n, m = graph.node_capacity, graph.edge_capacity
    supply = jnp.asarray(supply, jnp.int32)
    out_ = jnp.zeros(n, jnp.int32).at[graph.senders].add(graph.mask, mode="drop")
    in_ = jnp.zeros(n, jnp.int32).at[graph.receivers].add(graph.mask, mode="drop")
    possible = (supply <= out_) & (-supply <= in_)
    _check_possible(supply, possible)
    # clipped, so that the room needed is bounded where nothing meets them anyway
    clipped = jnp.clip(supply, -in_, out_)
    through = jnp.maximum(out_, in_)
    count = through + jnp.abs(clipped)
    capacity = _capacity(count, m, slack_capacity)

    owner = copies(count, capacity)
    weights = jnp.ones(m, jnp.int32) if graph.weights is None else graph.weights
    cost = jnp.where(graph.mask, weights, 0).astype(lengths_type(graph.weights))
    problem = SubgraphProblem(
        senders=jnp.concatenate([graph.senders, owner]),
        receivers=jnp.concatenate([graph.receivers, owner]),
        cost=jnp.concatenate([cost, jnp.zeros(capacity, cost.dtype)]),
        degree_left=through + jnp.maximum(clipped, 0),
        degree_right=through + jnp.maximum(-clipped, 0),
        mask=jnp.concatenate([graph.mask, owner < n]),
    )
    two = jnp.int32(2)
    return Reduction(
        instance=problem,
        feasible=jnp.all(possible) & (jnp.sum(supply) == 0) & (jnp.sum(count) <= capacity),
        lipschitz=Lipschitz(two, jnp.ones_like(two)),
        data=_Arcs(graph.mask, jnp.zeros(n, cost.dtype)),
        prediction_map=_duals_of_potentials,
        solution_map=_flow,
        dual_map=_potentials_of_duals,
    )


def difference_constraints(
    senders: Int[Array, " constraints"],
    receivers: Int[Array, " constraints"],
    bounds: Num[Array, " constraints"],
    n: int,
    *,
    mask: Bool[Array, " constraints"] | None = None,
) -> Reduction:
    """Constraints ``x_v − x_u ≤ w`` as feasible potentials of a digraph.

    A constraint is an arc ``uv`` of length ``w``, and solutions are potentials with
    ``w + x_u − x_v ≥ 0``: :func:`~jaxlab.graph_algorithms.potentials.feasible_potentials` finds
    some near a prediction, or a negative cycle where there are none.

    Args:
        senders: ``u`` of each constraint.
        receivers: ``v``.
        bounds: ``w``.
        n: number of unknowns; static.
        mask: which constraints are there; None for all.

    Returns:
        The reduction, to a :class:`~jaxlab.graphs.Digraph`. Predictions, solutions and duals are
        the unknowns themselves.

    Raises:
        ValueError: shapes or types do not fit, an unknown is not there, or bounds of NumPy do not
            fit the type jax gives them.

    Cost:
        O(constraints).

    Source:
        Chen et al. 2022, section on reductions; Bellman 1958 for the equivalence.

    Example:
        >>> from jaxlab.graph_algorithms.potentials import feasible_potentials
        >>> reduction = difference_constraints(
        ...     jnp.array([0, 1]), jnp.array([1, 0]), jnp.array([-2, 5]), 2
        ... )
        >>> reduction.map_solution(feasible_potentials(reduction.instance)).tolist()
        [0, -2]
    """
    check_integer("n", n, minimum=0)
    check_shape("senders", senders, ("constraints",))
    count = senders.shape[0]
    check_shape("receivers", receivers, (count,))
    check_shape("bounds", bounds, (count,))
    mask = jnp.ones(count, bool) if mask is None else mask
    check_shape("mask", mask, (count,))
    check_dtype("mask", mask, "bool")
    check_uncut("bounds", bounds, mask)
    for name, value in (("senders", senders), ("receivers", receivers)):
        check_dtype(name, value, "integer")
        check_ends(name, value, n, mask, what="unknowns")
    graph = Digraph(
        senders=jnp.where(mask, at_least_int32(senders), n).astype(jnp.int32),
        receivers=jnp.where(mask, at_least_int32(receivers), n).astype(jnp.int32),
        mask=mask,
        weights=jnp.asarray(bounds),
        n_node=jnp.int32(n),
        node_capacity=n,
    )
    one = jnp.int32(1)
    return Reduction(
        instance=graph,
        feasible=jnp.bool_(True),
        lipschitz=Lipschitz(one, one),
        data=None,
        prediction_map=_same,
        solution_map=_potentials,
        dual_map=_same,
    )


def check_supply(graph: Digraph, supply: Any) -> None:
    """Refuse supplies that do not fit the graph or jax, or concrete ones that do not sum to 0."""
    check_shape("supply", supply, (graph.node_capacity,))
    check_dtype("supply", supply, "integer")
    check_uncut("supply", supply)
    numbers, n_node = concrete(supply), concrete(graph.n_node)
    if numbers is None or numbers.ndim != 1:
        return
    total = int(numbers.astype(object).sum()) if numbers.size else 0
    require(total == 0, "supply", total, "supplies that sum to 0")
    if n_node is not None:
        padding = numbers[int(n_node) :]
        require(not padding.any(), "supply", padding, "no supply of vertices that are not there")


def _check_possible(supply: Any, possible: Any) -> None:
    fine = concrete(possible)
    if fine is not None and fine.ndim == 1:
        beyond = supply[~fine][:1]
        require(bool(fine.all()), "supply", beyond, "at most as many units as arcs can carry")


def _capacity(count: Array, arcs: int, capacity: int | None) -> int:
    known = concrete(count)
    least = 0 if known is None else int(known.sum())
    if capacity is None:
        return 4 * arcs if known is None else least
    check_integer("slack_capacity", capacity, minimum=least)
    return capacity


def _duals_of_potentials(data: _Arcs, potentials: Array) -> Duals:
    check_shape("potentials", potentials, data.like.shape)
    potentials = as_prediction("potentials", potentials, data.like.dtype)
    return Duals(-potentials, potentials)


def _potentials_of_duals(data: _Arcs, duals: Duals) -> Array:
    # with −π in place of y(v_out) the value does not fall: D_v is at least the arcs at v
    return duals.col


def _flow(data: _Arcs, result: Any) -> Array:
    return result.chosen[: data.mask.shape[0]] & data.mask


def _same(_: None, values: Array) -> Array:
    return values


def _potentials(_: None, result: PotentialResult) -> Array:
    return result.potentials
