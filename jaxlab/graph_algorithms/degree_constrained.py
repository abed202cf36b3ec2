"""Degree-constrained subgraphs of bipartite graphs, by assignment."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Num

from jaxlab.checks import check_dtype, check_integer, check_shape, check_uncut, concrete, require
from jaxlab.graph_algorithms._ends import check_ends
from jaxlab.graph_algorithms._labels import as_prediction, lengths_type
from jaxlab.graph_algorithms.assignment import linear_sum_assignment
from jaxlab.graph_algorithms.b_matching import copies
from jaxlab.graph_algorithms.reduction import AssignmentProblem, Lipschitz, Reduction
from jaxlab.graph_algorithms.status import INFEASIBLE
from jaxlab.graph_algorithms.types import AssignmentResult, AssignmentStats, Duals
from jaxlab.graphs.segments import at_least_int32

__all__ = ["SubgraphResult", "dcs_reduction", "degree_constrained_subgraph"]


class SubgraphResult(NamedTuple):
    """What :func:`degree_constrained_subgraph` returns.

    Attributes:
        chosen: which edges are in the subgraph.
        cost: their sum.
        duals: optimal duals of left (``row``) and right (``col``) vertices; the dual of edge ``e``
            from ``u`` to ``v`` is ``min(0, c_e − y_u − y_v)``.
        status: of :mod:`~jaxlab.graph_algorithms.status`: ``OK`` optimal, ``INFEASIBLE`` no
            subgraph has these degrees, otherwise that of the assignment.
        stats: work of the assignment solver.
    """

    chosen: Bool[Array, " edges"]
    cost: Num[Array, ""]
    duals: Duals
    status: Int[Array, ""]
    stats: AssignmentStats


class _Gadget(NamedTuple):
    """Ends and costs of the edges, and the vertex of each internal copy."""

    senders: Array
    receivers: Array
    cost: Array
    mask: Array
    left: Array  # owner of each internal copy among the columns
    right: Array  # owner of each internal copy among the rows
    counts: tuple[Array, Array]  # their degrees, for the number of vertices


def dcs_reduction(
    senders: Int[Array, " edges"],
    receivers: Int[Array, " edges"],
    cost: Num[Array, " edges"],
    degree_left: Int[Array, " left"],
    degree_right: Int[Array, " right"],
    *,
    mask: Bool[Array, " edges"] | None = None,
    size: int | None = None,
) -> Reduction:
    """Cheapest edges that give each vertex exactly its degree, each at most once, as assignment.

    Edge ``e = uv`` becomes a row ``u_e`` and a column ``v_e``; it is chosen when they are matched,
    at ``c_e``. The ``d(u) − b(u)`` edges that ``u`` leaves out are matched, at 0, to as many
    internal columns of ``u``, and likewise those of ``v`` to internal rows. Predictions become
    duals that are feasible as they are, of the same value::

        z_e = min(0, c_e − y_u − y_v),   u_e: y_u + z_e,   v_e: y_v,   internal copies of x: −y_x

    and back ``y_u = max_e u_e``, ``y_v = max_e v_e``, which loses no value either.

    Args:
        senders: left end of each edge; parallel edges are allowed.
        receivers: right end of each edge.
        cost: of each edge.
        degree_left: ``b`` of the left vertices.
        degree_right: ``b`` of the right vertices.
        mask: which edges are there; None for all.
        size: internal copies to make room for on either side; static. None for as many as there
            are, or, inside ``jit``, for as many as there can be: one an edge.

    Returns:
        The reduction. Its solutions are masks of the edges, its predictions and duals
        :class:`~jaxlab.graph_algorithms.types.Duals` of left and right vertices.

    Raises:
        ValueError: shapes or types do not fit, an end is not a vertex, a degree is negative or
            exceeds the number of edges there, the sums of degrees differ, or ``size`` is too small.
            Inside ``jit`` ``feasible`` is False instead. Costs of NumPy that do not fit the type
            jax gives them.

    Cost:
        O((edges + size)²) time and memory.

    Source:
        Chen et al. 2022, section on reductions; the gadget is the classical one for b-matchings.

    Example:
        >>> left, right, cost = jnp.array([0, 0, 1]), jnp.array([0, 1, 1]), jnp.array([5, 2, 3])
        >>> reduction = dcs_reduction(left, right, cost, jnp.array([1, 0]), jnp.array([0, 1]))
        >>> reduction.instance.mask.astype(int).tolist()
        [[1, 0, 0, 1, 0], [0, 1, 0, 1, 0], [0, 0, 1, 0, 1], [1, 0, 0, 0, 0], [0, 1, 1, 0, 0]]
    """
    count = senders.shape[0]
    check_shape("senders", senders, ("edges",))
    check_shape("receivers", receivers, (count,))
    check_shape("cost", cost, (count,))
    check_shape("degree_left", degree_left, ("left",))
    check_shape("degree_right", degree_right, ("right",))
    for name, value in (
        ("senders", senders),
        ("receivers", receivers),
        ("degree_left", degree_left),
        ("degree_right", degree_right),
    ):
        check_dtype(name, value, "integer")
    if mask is not None:
        check_shape("mask", mask, (count,))
        check_dtype("mask", mask, "bool")
    check_uncut("cost", cost, mask)
    _check_degrees(senders, receivers, degree_left, degree_right, mask)

    cost = jnp.asarray(cost)
    mask = jnp.ones(count, bool) if mask is None else mask
    senders, receivers = at_least_int32(senders), at_least_int32(receivers)
    degree_left, degree_right = at_least_int32(degree_left), at_least_int32(degree_right)
    there = (senders >= 0) & (senders < degree_left.shape[0])
    there &= (receivers >= 0) & (receivers < degree_right.shape[0])
    outside = jnp.any(mask & ~there)
    mask = mask & there
    senders = jnp.where(mask, senders, degree_left.shape[0]).astype(jnp.int32)
    receivers = jnp.where(mask, receivers, degree_right.shape[0]).astype(jnp.int32)
    d_left = jnp.zeros_like(degree_left).at[senders].add(1, mode="drop")
    d_right = jnp.zeros_like(degree_right).at[receivers].add(1, mode="drop")
    spare_left, spare_right = d_left - degree_left, d_right - degree_right
    size = _size(spare_left, count, size)

    left, right = copies(spare_left, size), copies(spare_right, size)
    none_left, none_right = degree_left.shape[0], degree_right.shape[0]
    spared = (senders[:, None] == left) & mask[:, None]
    sparing = (right[:, None] == receivers) & mask
    padding = (right >= none_right)[:, None] & (left >= none_left)
    own = jnp.eye(count, dtype=bool)
    edges = jnp.block([[own, spared], [sparing, padding]])
    cost = jnp.where(mask, cost, 0).astype(lengths_type(cost))
    costs = jnp.zeros(edges.shape, cost.dtype).at[jnp.arange(count), jnp.arange(count)].set(cost)

    feasible = (
        (jnp.sum(spare_left) == jnp.sum(spare_right))
        & (jnp.sum(spare_left) <= size)
        & jnp.all((spare_left >= 0) & (degree_left >= 0))
        & jnp.all((spare_right >= 0) & (degree_right >= 0))
        & ~outside
    )
    # the row of an edge moves with either end, its column and the internal copies with one
    l1 = jnp.maximum(
        jnp.max(d_left + spare_left, initial=1), jnp.max(2 * d_right + spare_right, initial=1)
    )
    return Reduction(
        instance=AssignmentProblem(costs, edges),
        feasible=feasible,
        lipschitz=Lipschitz(l1, jnp.ones_like(l1)),
        data=_Gadget(senders, receivers, cost, mask, left, right, (d_left, d_right)),
        prediction_map=_prediction,
        solution_map=_solution,
        dual_map=_duals,
    )


def degree_constrained_subgraph(
    senders: Int[Array, " edges"],
    receivers: Int[Array, " edges"],
    cost: Num[Array, " edges"],
    degree_left: Int[Array, " left"],
    degree_right: Int[Array, " right"],
    *,
    duals: Duals | None = None,
    mask: Bool[Array, " edges"] | None = None,
    size: int | None = None,
    method: str = "auto",
    initial: str = "maximum",
    key: str = "auto",
) -> SubgraphResult:
    """Cheapest edges that give each vertex exactly its degree, each at most once.

    ``min Σ c_e x_e`` with ``x`` in {0, 1} and ``Σ_{e ∋ v} x_e = b_v``, by
    :func:`dcs_reduction` and
    :func:`~jaxlab.graph_algorithms.assignment.linear_sum_assignment`.

    Args:
        senders: left end of each edge.
        receivers: right end of each edge.
        cost: of each edge.
        degree_left: ``b`` of the left vertices.
        degree_right: ``b`` of the right vertices.
        duals: prediction, one number a left (``row``) and right (``col``) vertex; None for none.
        mask: which edges are there; None for all.
        size: as for :func:`dcs_reduction`.
        method: of the assignment solver.
        initial: of the assignment solver. The many ties among internal copies are why it is not
            "greedy": with "maximum" optimal duals leave nothing to augment.
        key: of the assignment solver. Inside ``jit`` costs too wide for "auto" leave the status
            ``OVERFLOW``, where "two_pass" finds the subgraph.

    Returns:
        The subgraph, its cost and optimal duals; status 1 where there is none.

    Raises:
        ValueError: as for :func:`dcs_reduction`.

    Cost:
        That of an assignment with (edges + size) rows.

    Example:
        >>> left, right, cost = jnp.array([0, 0, 1]), jnp.array([0, 1, 1]), jnp.array([5, 2, 3])
        >>> result = degree_constrained_subgraph(
        ...     left, right, cost, jnp.array([1, 1]), jnp.array([1, 1])
        ... )
        >>> result.chosen.tolist(), int(result.cost)
        ([True, False, True], 8)
    """
    reduction = dcs_reduction(
        senders, receivers, cost, degree_left, degree_right, mask=mask, size=size
    )
    predicted = None if duals is None else reduction.map_prediction(duals)
    problem = reduction.instance
    result = linear_sum_assignment(
        problem.cost, predicted, mask=problem.mask, method=method, initial=initial, key=key
    )
    chosen = reduction.map_solution(result)
    costs = reduction.data.cost
    total = jnp.sum(jnp.where(chosen, costs, 0), dtype=costs.dtype)
    status = jnp.where(reduction.feasible, result.status, INFEASIBLE)
    return SubgraphResult(
        chosen, total, reduction.map_duals(result.duals), status.astype(jnp.int32), result.stats
    )


def _size(spare: Array, count: int, size: int | None) -> int:
    known = concrete(spare)
    least = 0 if known is None else int(known.sum())
    if size is None:
        return count if known is None else least
    check_integer("size", size, minimum=least)
    return size


def _check_degrees(senders: Any, receivers: Any, left: Any, right: Any, mask: Any) -> None:
    """Refuse concrete ends that are not vertices and degrees that cannot be met."""
    sums = []
    for name, ends, degree in (("senders", senders, left), ("receivers", receivers, right)):
        degrees = concrete(degree)
        side = "degree_left" if name == "senders" else "degree_right"
        if degrees is None:
            continue
        require(bool((degrees >= 0).all()), side, degree, "no negative number")
        sums.append(int(degrees.sum()))
        vertices = check_ends(name, ends, len(degrees), mask)
        if vertices is None:
            continue
        edges = np.bincount(vertices.astype(np.int64), minlength=len(degrees))
        above = degrees[degrees > edges][:1]
        require(above.size == 0, side, above, "at most as many as there are edges at the vertex")
    if len(sums) == 2:
        require(sums[0] == sums[1], "degree_right", sums[1], f"the sum on the left, {sums[0]}")


def _prediction(data: _Gadget, duals: Duals) -> Duals:
    left, right = (
        as_prediction(f"duals.{name}", value, data.cost.dtype)
        for name, value in zip(Duals._fields, duals, strict=True)
    )
    for name, value, degrees in zip(Duals._fields, (left, right), data.counts, strict=True):
        check_shape(f"duals.{name}", value, degrees.shape)
    # edges that are not there keep 0: they are matched among themselves
    from_left = left.at[data.senders].get(mode="fill", fill_value=0)
    from_right = right.at[data.receivers].get(mode="fill", fill_value=0)
    edge = jnp.minimum(0, data.cost - from_left - from_right)
    row = jnp.concatenate([from_left + edge, -right.at[data.right].get(mode="fill", fill_value=0)])
    col = jnp.concatenate([from_right, -left.at[data.left].get(mode="fill", fill_value=0)])
    return Duals(row, col)


def _solution(data: _Gadget, result: AssignmentResult) -> Array:
    count = data.cost.shape[0]
    return (result.col_for_row[:count] == jnp.arange(count)) & data.mask


def _duals(data: _Gadget, duals: Duals) -> Duals:
    count = data.cost.shape[0]
    made = []
    ends = (data.senders, data.receivers)
    for values, vertices, degrees in zip(duals, ends, data.counts, strict=True):
        lowest = jnp.iinfo if jnp.issubdtype(values.dtype, jnp.integer) else jnp.finfo
        largest = jnp.full(degrees.shape, lowest(values.dtype).min, values.dtype)
        largest = largest.at[vertices].max(values[:count], mode="drop")
        made.append(jnp.where(degrees > 0, largest, 0))
    return Duals(*made)
