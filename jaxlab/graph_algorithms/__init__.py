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

    Shortest paths start from predicted distances and from the tree of another day:

    >>> from jaxlab.graphs import digraph_from_arcs
    >>> roads = digraph_from_arcs([[0, 1], [0, 2], [2, 1]], 3, weights=[5, 4, -2])
    >>> yesterday = graph_algorithms.shortest_paths(roads, 0)
    >>> roads = roads.replace(weights=roads.weights + 1)
    >>> today = graph_algorithms.shortest_paths(
    ...     roads, 0, potentials=yesterday.dist, tree=yesterday.parent
    ... )
    >>> today.dist.tolist(), int(today.rounds)
    ([0, 4, 5], 1)
"""

from jaxlab.graph_algorithms import status
from jaxlab.graph_algorithms.assignment import is_optimal_certificate, linear_sum_assignment
from jaxlab.graph_algorithms.b_matching import b_matching_reduction
from jaxlab.graph_algorithms.batch import linear_sum_assignment_batch
from jaxlab.graph_algorithms.bottleneck import bottleneck_assignment
from jaxlab.graph_algorithms.cardinality import Matching, maximum_cardinality_matching
from jaxlab.graph_algorithms.degree_constrained import (
    SubgraphResult,
    dcs_reduction,
    degree_constrained_subgraph,
)
from jaxlab.graph_algorithms.duals import dual_objective, feasibility_violation, tighten_duals
from jaxlab.graph_algorithms.flow import FlowResult, min_cost_flow_01
from jaxlab.graph_algorithms.flow_reduction import difference_constraints, flow_reduction
from jaxlab.graph_algorithms.goldberg import goldberg_potentials
from jaxlab.graph_algorithms.gradient import assignment_cost
from jaxlab.graph_algorithms.instances import (
    block_means,
    geometric_instances,
    planted_matching,
    type_model,
)
from jaxlab.graph_algorithms.label_correcting import bellman_ford
from jaxlab.graph_algorithms.label_setting import dijkstra
from jaxlab.graph_algorithms.learning import (
    canonicalize,
    fit_duals,
    predict_or_fallback,
    sample_complexity,
)
from jaxlab.graph_algorithms.negative_cycles import NegativeCycle, find_negative_cycle
from jaxlab.graph_algorithms.online import OnlineLearner, median_learner, online_learner, regret
from jaxlab.graph_algorithms.path_types import PotentialResult, ShortestPaths
from jaxlab.graph_algorithms.perturbation import hiding_potentials, perturbed_potential_graph
from jaxlab.graph_algorithms.policy_iteration import policy
from jaxlab.graph_algorithms.potentials import feasible_potentials, reduced_weights
from jaxlab.graph_algorithms.predictor import DualPredictor, column_features, predict_duals
from jaxlab.graph_algorithms.primal_dual import primal_dual_matching
from jaxlab.graph_algorithms.quantization import QuantizedCosts, quantize_costs
from jaxlab.graph_algorithms.reduction import (
    AssignmentProblem,
    Lipschitz,
    Reduction,
    SubgraphProblem,
)
from jaxlab.graph_algorithms.rounding import round_duals
from jaxlab.graph_algorithms.single_source import shortest_paths
from jaxlab.graph_algorithms.sparse_cardinality import maximum_cardinality_matching_sparse
from jaxlab.graph_algorithms.trees import evaluate_tree, tree_from_potentials
from jaxlab.graph_algorithms.types import AssignmentResult, AssignmentStats, Duals

__all__ = [
    "AssignmentProblem",
    "AssignmentResult",
    "AssignmentStats",
    "DualPredictor",
    "Duals",
    "FlowResult",
    "Lipschitz",
    "Matching",
    "NegativeCycle",
    "OnlineLearner",
    "PotentialResult",
    "QuantizedCosts",
    "Reduction",
    "ShortestPaths",
    "SubgraphProblem",
    "SubgraphResult",
    "assignment_cost",
    "b_matching_reduction",
    "bellman_ford",
    "block_means",
    "bottleneck_assignment",
    "canonicalize",
    "column_features",
    "dcs_reduction",
    "degree_constrained_subgraph",
    "difference_constraints",
    "dijkstra",
    "dual_objective",
    "evaluate_tree",
    "feasibility_violation",
    "feasible_potentials",
    "find_negative_cycle",
    "fit_duals",
    "flow_reduction",
    "geometric_instances",
    "goldberg_potentials",
    "hiding_potentials",
    "is_optimal_certificate",
    "linear_sum_assignment",
    "linear_sum_assignment_batch",
    "maximum_cardinality_matching",
    "maximum_cardinality_matching_sparse",
    "median_learner",
    "min_cost_flow_01",
    "online_learner",
    "perturbed_potential_graph",
    "planted_matching",
    "policy",
    "predict_duals",
    "predict_or_fallback",
    "primal_dual_matching",
    "quantize_costs",
    "reduced_weights",
    "regret",
    "round_duals",
    "sample_complexity",
    "shortest_paths",
    "status",
    "tighten_duals",
    "tree_from_potentials",
    "type_model",
]
