"""Example arguments of what runs on the device."""

import jax.numpy as jnp

from jaxlab.graphs.containers import graph_from_edges
from tests.helpers import Example

GRAPH = graph_from_edges([[0, 1], [1, 2]], 3, edge_capacity=4, node_capacity=5)
IDS = jnp.array([0, 2, 2, 3])

EXAMPLES = {
    "jaxlab.graphs.components.connected_components": Example((IDS, IDS, None), {"n": 5}),
    "jaxlab.graphs.components.graph_components": Example((GRAPH,)),
    "jaxlab.graphs.components.largest_component": Example((GRAPH,)),
}
