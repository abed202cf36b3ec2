"""Example arguments for the reductions."""

import jax.numpy as jnp

from jaxlab.graphs import digraph_from_arcs
from tests.helpers import Example

ROOM = "jaxlab.graph_algorithms"
ENDS = jnp.array([0, 0, 1], jnp.int32), jnp.array([0, 1, 1], jnp.int32)
COST = jnp.array([5, 2, 3], jnp.int32)
ONES = jnp.ones(2, jnp.int32)
GRAPH = digraph_from_arcs([[0, 1], [0, 2], [2, 1]], 3, weights=COST)
SUPPLY = jnp.array([1, -1, 0], jnp.int32)

EXAMPLES = {
    f"{ROOM}.b_matching.b_matching_reduction": Example(
        (jnp.ones((2, 2), jnp.int32), ONES, ONES), {"size": 2}
    ),
    f"{ROOM}.degree_constrained.dcs_reduction": Example((*ENDS, COST, ONES, ONES)),
    f"{ROOM}.degree_constrained.degree_constrained_subgraph": Example((*ENDS, COST, ONES, ONES)),
    f"{ROOM}.flow_reduction.flow_reduction": Example((GRAPH, SUPPLY)),
    f"{ROOM}.flow_reduction.difference_constraints": Example((*ENDS, COST), {"n": 2}),
    f"{ROOM}.flow.min_cost_flow_01": Example((GRAPH, SUPPLY)),
}

HOST_SIDE: dict[str, str] = {}
