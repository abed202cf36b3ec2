r"""Fair and private k-center clustering for data summarization.

H. Angelidakis, A. Kurpisz, L. Sering, R. Zenklusen. *Fair and Fast k-Center Clustering for Data
Summarization.* ICML 2022, PMLR 162:669-702.

A summary keeps at most ``k`` of the points, the centers, and assigns every point to one of them.
Plain k-center may represent groups badly, and may let one center stand for a single point and
another for half of the data; here the centers of every group are counted, and every center stands
for at least ``L`` points::

    minimise    max_p d(p, φ(p))            over centers C and assignments φ: points → C
    subject to  1 ≤ |C| ≤ k
                a_c ≤ #{q ∈ C: q has group c} ≤ b_c      for every group c
                |φ⁻¹(q)| ≥ L                             for every q ∈ C

The paper's algorithm is within a factor of 15 of the optimum in time ``O(n k² + k⁵)``: Gonzalez'
farthest-first order, a private assignment to each of its prefixes, and a small flow that opens
centers of the right groups near by.

Example:
    >>> import jax.numpy as jnp
    >>> from jaxlab import kcenter
    >>> points = jnp.array([[0.0], [1.0], [2.0], [10.0]])
    >>> order = kcenter.gonzalez(points, 2)
    >>> order.indices.tolist(), order.radii.tolist()
    ([0, 3], [10.0, 2.0])
    >>> dist = kcenter.distance_matrix(points, order.indices)
    >>> kcenter.private_assignment(dist, 1).counts.tolist()
    [3, 1]
    >>> private = kcenter.private_assignment(dist, 2)
    >>> private.counts.tolist(), private.radius.tolist()
    ([2, 2], 8.0)
"""

from jaxlab.kcenter.bounds import lower_bound
from jaxlab.kcenter.budgets import opening_budgets
from jaxlab.kcenter.candidates import candidate_lists
from jaxlab.kcenter.check import check_solution
from jaxlab.kcenter.color_flow import open_representatives
from jaxlab.kcenter.coreset import (
    Summary,
    distributed_summary,
    kcenter_coreset,
    lift_assignment,
    merge_coresets,
)
from jaxlab.kcenter.fair import FILLS, fair_kcenter, fair_range_kcenter
from jaxlab.kcenter.forests import prefix_spanning_trees
from jaxlab.kcenter.gonzalez import gonzalez
from jaxlab.kcenter.heuristics import greedy_capped, greedy_per_group
from jaxlab.kcenter.metrics import METRICS, distance_matrix
from jaxlab.kcenter.private_assignment import private_assignment, private_prefixes
from jaxlab.kcenter.refine import refine_minimax
from jaxlab.kcenter.sequential import BASES, sequential_fair_private
from jaxlab.kcenter.sharded import gonzalez_sharded
from jaxlab.kcenter.solver import SELECTIONS, assignment_points, fair_private_kcenter
from jaxlab.kcenter.streaming import stream_finalize, stream_init, stream_update
from jaxlab.kcenter.swap import fair_kcenter_swap
from jaxlab.kcenter.types import (
    Budgets,
    Candidates,
    Coreset,
    Forest,
    Gonzalez,
    Opened,
    PrivateAssignment,
    PrivatePrefixes,
    Report,
    Solution,
    StreamState,
)

__all__ = [
    "BASES",
    "FILLS",
    "METRICS",
    "SELECTIONS",
    "Budgets",
    "Candidates",
    "Coreset",
    "Forest",
    "Gonzalez",
    "Opened",
    "PrivateAssignment",
    "PrivatePrefixes",
    "Report",
    "Solution",
    "StreamState",
    "Summary",
    "assignment_points",
    "candidate_lists",
    "check_solution",
    "distance_matrix",
    "distributed_summary",
    "fair_kcenter",
    "fair_kcenter_swap",
    "fair_private_kcenter",
    "fair_range_kcenter",
    "gonzalez",
    "gonzalez_sharded",
    "greedy_capped",
    "greedy_per_group",
    "kcenter_coreset",
    "lift_assignment",
    "lower_bound",
    "merge_coresets",
    "open_representatives",
    "opening_budgets",
    "prefix_spanning_trees",
    "private_assignment",
    "private_prefixes",
    "refine_minimax",
    "sequential_fair_private",
    "stream_finalize",
    "stream_init",
    "stream_update",
]
