"""Example arguments of what runs on the device."""

import jax
import jax.numpy as jnp

from jaxlab.graphs.containers import digraph_from_arcs, graph_from_edges
from tests.helpers import Example

GRAPH = graph_from_edges([[0, 1], [1, 2]], 3, edge_capacity=4, node_capacity=5)
DIGRAPH = digraph_from_arcs([[0, 1], [1, 2]], 3, edge_capacity=4, node_capacity=5)
VALUES = jnp.array([1.0, 2.0, 3.0, 4.0])
KEY = jax.random.key(0)
IDS = jnp.array([0, 2, 2, 3])

EXAMPLES = {
    "jaxlab.graphs.components.connected_components": Example((IDS, IDS), {"n": 5}),
    "jaxlab.graphs.components.graph_components": Example((GRAPH,)),
    "jaxlab.graphs.components.largest_component": Example((GRAPH,)),
    "jaxlab.graphs.degree.degrees": Example((GRAPH,)),
    "jaxlab.graphs.degree.in_degrees": Example((DIGRAPH,)),
    "jaxlab.graphs.degree.out_degrees": Example((DIGRAPH,)),
    "jaxlab.graphs.dense.graph_from_dense": Example((jnp.zeros((3, 3)),), {"weighted": True}),
    "jaxlab.graphs.dense.to_dense": Example((GRAPH,)),
    "jaxlab.graphs.dense.to_digraph": Example((GRAPH,)),
    "jaxlab.graphs.generators.erdos_renyi": Example((KEY,), {"n": 5, "probability": 0.5}),
    "jaxlab.graphs.generators.planted_partition": Example(
        (KEY,), {"sizes": (2, 3), "p_in": 0.5, "p_out": 0.1}
    ),
    "jaxlab.graphs.generators.random_digraph": Example((KEY,), {"n": 5, "num_arcs": 6}),
    "jaxlab.graphs.generators.random_edges": Example((KEY,), {"n": 5, "num_edges": 6}),
    "jaxlab.graphs.generators.stochastic_block": Example(
        (KEY,), {"sizes": (2, 3), "probabilities": jnp.full((2, 2), 0.5)}
    ),
    "jaxlab.graphs.layouts.csr": Example((GRAPH,)),
    "jaxlab.graphs.layouts.in_arcs": Example((DIGRAPH,), {"width": 2}),
    "jaxlab.graphs.segments.segment_argmin": Example((VALUES, IDS), {"num_segments": 3}),
    "jaxlab.graphs.segments.segment_max": Example((VALUES, IDS), {"num_segments": 3}),
    "jaxlab.graphs.segments.segment_mean": Example((VALUES, IDS), {"num_segments": 3}),
    "jaxlab.graphs.segments.segment_min": Example((VALUES, IDS), {"num_segments": 3}),
    "jaxlab.graphs.segments.segment_mode": Example((IDS, IDS), {"num_segments": 3}),
    "jaxlab.graphs.segments.segment_softmax": Example((VALUES, IDS), {"num_segments": 3}),
    "jaxlab.graphs.segments.segment_sum": Example((VALUES, IDS), {"num_segments": 3}),
    "jaxlab.graphs.traversal.breadth_first_search": Example((GRAPH, IDS)),
    "jaxlab.graphs.tuples.to_jraph": Example((GRAPH,), {"num_nodes": 8}),
}
