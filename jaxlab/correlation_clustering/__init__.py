r"""Correlation clustering, online and consistent.

V. Cohen-Addad, S. Lattanzi, A. Maggiori, N. Parotsidis. *Online and Consistent Correlation
Clustering.* ICML 2022, PMLR 162:4157-4179.

Every pair of vertices is similar (+, an edge) or dissimilar (−), and a partition should disagree
with as few pairs as possible. Vertices arrive one at a time; after each, clusters must be held
whose cost is within a constant factor of the optimum, while no vertex changes cluster more than
``O(\log n)`` times::

    cost(C)  =  #{+ pairs across clusters}  +  #{− pairs inside of them}

    u, v agree     |N(u) △ N(v)| ≤ β max(d(u), d(v))          N(v) with v itself, d(v) = |N(v)|
    v is heavy     d(v) − #{u ∈ N(v): u, v agree} ≤ λ d(v)
    clusters       components of the agreeing edges with a heavy end

Maintained ids follow these clusters lazily: a vertex takes another only when it enters a cluster,
or when its cluster has grown by half since the id was issued.

Example:
    >>> import jax.numpy as jnp
    >>> from jaxlab import correlation_clustering as cc
    >>> edges = [(u, v) for u in range(8) for v in range(u) if (u - v) % 2 == 0]  # two cliques
    >>> plan = cc.make_arrival_plan(edges, jnp.arange(8))
    >>> state, metrics = cc.run_online(plan, active_capacity=32)
    >>> state.agreement_labels.tolist()
    [0, 1, 0, 1, 0, 1, 0, 1]
    >>> metrics.cost_on.tolist(), int(metrics.recourse_on.sum())
    ([0, 0, 0, 0, 0, 0, 0, 0], 0)

Agreement's constant factor is large. On sparse social networks its clusters cost nearly what
singletons do; :func:`local_moves` gets much lower, with a bound on how often a vertex moves.
"""

from jaxlab.correlation_clustering.agreement import (
    agreement_clustering,
    agreement_mask,
    heavy_mask,
)
from jaxlab.correlation_clustering.bounds import (
    Optimum,
    brute_force_optimum,
    lp_lower_bound,
    triangle_packing_lower_bound,
)
from jaxlab.correlation_clustering.cost import (
    constant_potts_quality,
    disagreements,
    singletons,
    vertex_disagreements,
)
from jaxlab.correlation_clustering.generators import (
    PlantedPartition,
    geometric_cliques,
    planted_partition,
)
from jaxlab.correlation_clustering.local_moves import LocalMoves, local_moves
from jaxlab.correlation_clustering.neighborhoods import common_neighbors
from jaxlab.correlation_clustering.online import run_online
from jaxlab.correlation_clustering.online_pivot import OnlinePivot, run_online_pivot
from jaxlab.correlation_clustering.pivot import pivot_clustering, pivot_sequential
from jaxlab.correlation_clustering.plan import make_arrival_plan
from jaxlab.correlation_clustering.ratios import Ratio, ratio
from jaxlab.correlation_clustering.recourse import Recourse, match_overlap, recourse
from jaxlab.correlation_clustering.sharded import sharded_agreement_clustering
from jaxlab.correlation_clustering.streaming import grow, init_online, online_step, to_graph
from jaxlab.correlation_clustering.types import (
    ArrivalPlan,
    Links,
    OnlineState,
    StepMetrics,
    StreamState,
)
from jaxlab.graphs import connected_components

__all__ = [
    "ArrivalPlan",
    "Links",
    "LocalMoves",
    "OnlinePivot",
    "OnlineState",
    "Optimum",
    "PlantedPartition",
    "Ratio",
    "Recourse",
    "StepMetrics",
    "StreamState",
    "agreement_clustering",
    "agreement_mask",
    "brute_force_optimum",
    "common_neighbors",
    "connected_components",
    "constant_potts_quality",
    "disagreements",
    "geometric_cliques",
    "grow",
    "heavy_mask",
    "init_online",
    "local_moves",
    "lp_lower_bound",
    "make_arrival_plan",
    "match_overlap",
    "online_step",
    "pivot_clustering",
    "pivot_sequential",
    "planted_partition",
    "ratio",
    "recourse",
    "run_online",
    "run_online_pivot",
    "sharded_agreement_clustering",
    "singletons",
    "to_graph",
    "triangle_packing_lower_bound",
    "vertex_disagreements",
]
