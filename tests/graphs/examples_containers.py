"""Example arguments of containers, and host-side builders."""

from jaxlab.graphs.containers import graph_from_edges
from tests.helpers import Example

HOST_SIDE = {
    "jaxlab.graphs.containers.digraph_from_arcs": "reads a list on the host",
    "jaxlab.graphs.containers.graph_from_edges": "reads a list on the host",
}
EXAMPLES = {
    "jaxlab.graphs.containers.compact_graph": Example(
        (graph_from_edges([[0, 1]], 2),), {"edge_capacity": 3}
    ),
    "jaxlab.graphs.containers.pad_graph": Example(
        (graph_from_edges([[0, 1]], 2),), {"node_capacity": 4, "edge_capacity": 3}
    ),
}
