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
    >>> cost = jnp.array([[3, 5], [4, 1]])
    >>> duals = graph_algorithms.Duals(jnp.array([3, 1]), jnp.array([0, 0]))
    >>> graph_algorithms.feasibility_violation(cost, duals)
    Array(0, dtype=int32)
"""

from jaxlab.graph_algorithms.duals import dual_objective, feasibility_violation, tighten_duals
from jaxlab.graph_algorithms.rounding import round_duals
from jaxlab.graph_algorithms.types import AssignmentResult, AssignmentStats, Duals

__all__ = [
    "AssignmentResult",
    "AssignmentStats",
    "Duals",
    "dual_objective",
    "feasibility_violation",
    "round_duals",
    "tighten_duals",
]
