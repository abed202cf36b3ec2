"""Reductions that carry predictions along.

A problem is turned into one that has a fast solver with predictions, together with maps for the
prediction, the solution and the duals. If the prediction map is Lipschitz in the norm in which the
solver's time depends on the error, that time carries over with the error times the constant.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.struct

__all__ = ["AssignmentProblem", "Lipschitz", "Reduction", "SubgraphProblem"]


class Lipschitz(NamedTuple):
    """By how much a prediction map magnifies errors at most.

    Attributes:
        l1: in the sum of absolute errors.
        linf: in the largest absolute error.
    """

    l1: Any  # Num[Array, ""]
    linf: Any  # Num[Array, ""]


class AssignmentProblem(NamedTuple):
    """Arguments of :func:`~jaxlab.graph_algorithms.assignment.linear_sum_assignment`.

    Attributes:
        cost: square matrix.
        mask: which of its entries are edges.
    """

    cost: Any  # Num[Array, "N N"]
    mask: Any  # Bool[Array, "N N"]


class SubgraphProblem(NamedTuple):
    """Edges of a bipartite graph to choose from, so that vertices get exactly their degrees.

    Attributes:
        senders: left end of each edge.
        receivers: right end of each edge.
        cost: of each edge.
        degree_left: how many chosen edges each left vertex is to have.
        degree_right: the same of right vertices.
        mask: which edges are there.
    """

    senders: Any  # Int32[Array, " edges"]
    receivers: Any  # Int32[Array, " edges"]
    cost: Any  # Num[Array, " edges"]
    degree_left: Any  # Int32[Array, " left"]
    degree_right: Any  # Int32[Array, " right"]
    mask: Any  # Bool[Array, " edges"]


@flax.struct.dataclass
class Reduction:
    """An instance of the target problem, and the maps to and from it.

    A PyTree: the maps are static and read what they need from ``data``.

    Attributes:
        instance: what the target's solver takes: an :class:`AssignmentProblem`, a
            :class:`SubgraphProblem` or a ``Digraph``.
        feasible: False where degrees or supplies show at once that nothing meets them.
        lipschitz: constants of the prediction map.
        data: what the maps read.
        prediction_map: ``(data, prediction) -> prediction`` for the target.
        solution_map: ``(data, result of the target's solver) -> solution``.
        dual_map: ``(data, duals of the target) -> duals``.
    """

    instance: Any
    feasible: Any  # Bool[Array, ""]
    lipschitz: Any  # Lipschitz
    data: Any
    prediction_map: Callable[..., Any] = flax.struct.field(pytree_node=False)
    solution_map: Callable[..., Any] = flax.struct.field(pytree_node=False)
    dual_map: Callable[..., Any] = flax.struct.field(pytree_node=False)

    def map_prediction(self, prediction: Any) -> Any:
        """Duals of the original problem, predicted, as duals of the target."""
        return self.prediction_map(self.data, prediction)

    def map_solution(self, result: Any) -> Any:
        """What the target's solver returned, as a solution of the original problem."""
        return self.solution_map(self.data, result)

    def map_duals(self, duals: Any) -> Any:
        """Duals of the target as duals of the original problem; optimal ones keep their value."""
        return self.dual_map(self.data, duals)
