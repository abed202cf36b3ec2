"""Exact graph optimisation that learned predictions make fast.

J. Y. Chen, S. Silwal, A. Vakilian, F. Zhang. *Faster Fundamental Graph Algorithms via Learned
Predictions.* ICML 2022, PMLR 162:3583-3602, arXiv 2204.12055. Its experiments are those of the
paper it improves: M. Dinitz, S. Im, T. Lavastida, B. Moseley, S. Vassilvitskii, *Faster Matchings
via Learned Duals*, NeurIPS 2021, arXiv 2107.09770.

The same combinatorial problem is solved again and again on related inputs. A dual solution learned
from past instances starts an exact primal-dual solver on the next one: the better the prediction,
the less is left to do, and however bad it is the answer stays exact. For the assignment problem::

    min Σ c_ij x_ij  =  max Σ u_i + Σ v_j      subject to  u_i + v_j <= c_ij

    (û, v̂)  →  feasible (u, v)  →  matching of tight edges  →  augmenting paths

Example:
    >>> import jax.numpy as jnp
    >>> from jaxlab import graph_algorithms
    >>> cost = jnp.array([[8, 4, 7], [5, 2, 3], [9, 4, 8]])
    >>> today = graph_algorithms.linear_sum_assignment(cost)
    >>> today.cost
    Array(15, dtype=int32)

    Tomorrow's costs differ a little, and start from today's duals:

    >>> tomorrow = graph_algorithms.linear_sum_assignment(cost.at[1, 2].add(1), today.duals)
    >>> tomorrow.cost, tomorrow.stats.augmentations
    (Array(16, dtype=int32), Array(0, dtype=int32))
"""

from jaxlab.graph_algorithms.assignment import is_optimal_certificate, linear_sum_assignment
from jaxlab.graph_algorithms.batch import linear_sum_assignment_batch
from jaxlab.graph_algorithms.bottleneck import bottleneck_assignment
from jaxlab.graph_algorithms.cardinality import Matching, maximum_cardinality_matching
from jaxlab.graph_algorithms.duals import dual_objective, feasibility_violation, tighten_duals
from jaxlab.graph_algorithms.gradient import assignment_cost
from jaxlab.graph_algorithms.primal_dual import primal_dual_matching
from jaxlab.graph_algorithms.quantization import QuantizedCosts, quantize_costs
from jaxlab.graph_algorithms.rounding import round_duals
from jaxlab.graph_algorithms.types import AssignmentResult, AssignmentStats, Duals

__all__ = [
    "AssignmentResult",
    "AssignmentStats",
    "Duals",
    "Matching",
    "QuantizedCosts",
    "assignment_cost",
    "bottleneck_assignment",
    "dual_objective",
    "feasibility_violation",
    "is_optimal_certificate",
    "linear_sum_assignment",
    "linear_sum_assignment_batch",
    "maximum_cardinality_matching",
    "primal_dual_matching",
    "quantize_costs",
    "round_duals",
    "tighten_duals",
]
