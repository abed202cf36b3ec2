"""Making a predicted dual feasible, in three ways.

A prediction ``ŷ = (û, v̂)`` is compared with an optimal dual ``y*``; ``y'`` is what comes out.

================  ====================================================  ==========================
method            rule                                                  guarantee
================  ====================================================  ==========================
``c_transform``   forget ``û``; ``u_i = min_j c_ij − v̂_j``              ``‖u' − u*‖∞ ≤ ‖v̂ − v*‖∞``
``cover``         change only a vertex cover of the violated edges      ``‖y' − y*‖₀ ≤ 3 ‖ŷ − y*‖₀``
``greedy``        walk along the largest violations, lowering one end   ``‖y' − y*‖₁ ≤ 3 ‖ŷ − y*‖₁``
================  ====================================================  ==========================

The guarantees hold for every optimal ``y*`` at once, hence for the nearest.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Num

from jaxlab.checks import check_choice
from jaxlab.graph_algorithms.duals import (
    check_problem,
    largest,
    reduced_costs,
    smallest,
    tighten_duals,
    widened,
)
from jaxlab.graph_algorithms.types import Duals
from jaxlab.varying import vary_like

__all__ = ["ROUNDINGS", "round_duals"]

ROUNDINGS = ("c_transform", "cover", "greedy")


def round_duals(
    cost: Num[Array, "n m"],
    duals: Duals,
    *,
    method: str = "c_transform",
    mask: Bool[Array, "n m"] | None = None,
) -> Duals:
    """Feasible duals near predicted ones.

    ``"c_transform"`` is :func:`~jaxlab.graph_algorithms.duals.tighten_duals`: its columns are
    tight as well. The other two do not tighten, so that their guarantees hold for what is returned;
    solvers tighten them afterwards, which leaves edges tight whose two ends were right.

    Args:
        cost: of the edges.
        duals: prediction, in the dtype of the cost; sums of its entries must not overflow.
        method: ``"c_transform"``, ``"cover"`` or ``"greedy"``.
        mask: which edges are there; None for all.

    Returns:
        Duals with ``u_i + v_j <= c_ij`` on every edge.

    Raises:
        ValueError: an unknown method; the shapes of duals or mask do not fit the cost; numbers of
            NumPy that do not fit the type jax gives them.

    Cost:
        ``O(n m)`` for the first method; for ``"cover"`` that times the rounds of a parallel
        matching, few unless most edges are violated; ``O((n + m)²)`` in ``n + m`` steps for
        ``"greedy"``.

    Source:
        Dinitz et al., *Faster Matchings via Learned Duals*, NeurIPS 2021, for ``"greedy"``.

    Example:
        >>> cost = jnp.array([[3, 5], [4, 1]])
        >>> round_duals(cost, Duals(jnp.array([9, 9]), jnp.array([2, 0])))
        Duals(row=Array([1, 1], dtype=int32), col=Array([2, 0], dtype=int32))
    """
    check_choice("method", method, ROUNDINGS)
    check_problem(cost, duals, mask)
    return _round(cost, duals, mask, method=method)


@functools.partial(jax.jit, static_argnames=("method",))
def _round(cost: Array, duals: Duals, mask: Array | None, *, method: str) -> Duals:
    cost, duals = widened(cost, duals)
    if 0 in cost.shape:
        return duals
    if method == "c_transform":
        return tighten_duals(cost, duals, mask=mask)
    cost, duals, mask = vary_like((cost, duals, mask))
    return (_cover if method == "cover" else _greedy)(cost, duals, mask)


def _cover(cost: Array, duals: Duals, mask: Array | None) -> Duals:
    rows, columns = cost.shape
    violated = reduced_costs(cost, duals) < 0
    if mask is not None:
        violated &= mask
    row_index = jnp.arange(rows, dtype=jnp.int32)
    column_index = jnp.arange(columns, dtype=jnp.int32)

    def proposals(row_covered: Array, col_covered: Array) -> Array:
        """Lowest uncovered column of a violated edge for each uncovered row, else ``columns``."""
        open_edges = violated & ~row_covered[:, None] & ~col_covered
        return jnp.min(jnp.where(open_edges, column_index, columns), axis=1)

    def accept(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        row_covered, col_covered, proposal = carry
        winner = jax.ops.segment_min(row_index, proposal, columns + 1)[:columns]
        col_covered |= winner < rows
        won = jnp.where(
            proposal < columns, winner[jnp.minimum(proposal, columns - 1)] == row_index, False
        )
        row_covered |= won
        return row_covered, col_covered, proposals(row_covered, col_covered)

    nowhere = jnp.zeros_like(duals.row, dtype=bool), jnp.zeros_like(duals.col, dtype=bool)
    row_cover, col_cover, _ = jax.lax.while_loop(
        lambda carry: jnp.any(carry[2] < columns), accept, (*nowhere, proposals(*nowhere))
    )
    outside = jnp.broadcast_to(~col_cover, cost.shape)
    if mask is not None:
        outside &= mask
    # a covered row with all its columns in the cover may take any value: those follow it
    anything = smallest(cost, mask, axis=1, otherwise=duals.row) - jnp.max(duals.col)
    lowered = smallest(cost - duals.col[None], outside, axis=1, otherwise=anything)
    row = jnp.where(row_cover, lowered, duals.row)
    followed = smallest(cost - row[:, None], mask, axis=0, otherwise=duals.col)
    return Duals(row, jnp.where(col_cover, followed, duals.col))


def _greedy(cost: Array, duals: Duals, mask: Array | None) -> Duals:
    rows, columns = cost.shape
    far = -largest(cost.dtype)
    there = jnp.ones_like(cost, bool) if mask is None else mask

    def worst(
        own: Array, across: Array, costs: Array, edges: Array, visited: Array
    ) -> tuple[Array, Array]:
        """Largest violation of a vertex over its unvisited edges, and the end it lies at."""
        excess = jnp.where(edges & ~visited, own + across - costs, far)
        value = jnp.max(excess)
        index = jnp.arange(excess.shape[0], dtype=jnp.int32)
        return value, jnp.min(jnp.where(excess == value, index, excess.shape[0]))

    def from_row(vertex: Array, row_seen: Array, col_seen: Array) -> tuple[Array, Array]:
        value, end = worst(duals.row[vertex], duals.col, cost[vertex], there[vertex], col_seen)
        return value, rows + end

    def from_col(vertex: Array, row_seen: Array, col_seen: Array) -> tuple[Array, Array]:
        column = vertex - rows
        across = duals.row, cost[:, column], there[:, column]
        return worst(duals.col[column], *across, row_seen)

    def visit(carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        decrease, seen, vertex, count = carry
        value, end = jax.lax.cond(
            vertex < rows, from_row, from_col, vertex, seen[:rows], seen[rows:]
        )
        seen = seen.at[vertex].set(True)
        violated = value > 0
        decrease = decrease.at[vertex].set(jnp.where(violated, value, 0))
        index = jnp.arange(rows + columns, dtype=jnp.int32)
        unseen = jnp.min(jnp.where(seen, rows + columns, index))
        return decrease, seen, jnp.where(violated, end, unseen), count + 1

    both = jnp.concatenate([duals.row, duals.col])
    none = jnp.zeros_like(both)
    start = none, none > 0, jnp.zeros_like(both[0], jnp.int32), jnp.zeros_like(both[0], jnp.int32)
    decrease, *_ = jax.lax.while_loop(lambda carry: carry[3] < rows + columns, visit, start)
    return Duals(duals.row - decrease[:rows], duals.col - decrease[rows:])
