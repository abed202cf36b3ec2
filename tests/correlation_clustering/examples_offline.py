"""Example arguments for costs, agreement, Pivot, moves and what is made on the host."""

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxlab.correlation_clustering import sharded_agreement_clustering
from jaxlab.graphs import Graph, graph_from_edges
from tests.helpers import Example

GRAPH = graph_from_edges([[0, 1], [0, 2], [1, 2], [2, 3]], 4)
LABELS = jnp.array([0, 0, 0, 3])
RANKS = jnp.array([2, 0, 3, 1])
TRIANGLES = jnp.array([[0, 1, 2]])
WHOLE = Graph(P("parts"), P("parts"), P("parts"), None, P(), 4)


def over_one_device(graph, triangles):
    def part(graph, triangles):
        return sharded_agreement_clustering(graph, triangles, axis_name="parts")[None]

    mesh = Mesh(jax.devices()[:1], ("parts",))
    specs = (WHOLE, P("parts"))
    return jax.shard_map(part, mesh=mesh, in_specs=specs, out_specs=P("parts"))(graph, triangles)


EXAMPLES = {
    "jaxlab.correlation_clustering.cost.disagreements": Example((GRAPH, LABELS)),
    "jaxlab.correlation_clustering.cost.vertex_disagreements": Example((GRAPH, LABELS)),
    "jaxlab.correlation_clustering.cost.constant_potts_quality": Example((GRAPH, LABELS)),
    "jaxlab.correlation_clustering.cost.singletons": Example((GRAPH,)),
    "jaxlab.correlation_clustering.neighborhoods.common_neighbors": Example(
        (GRAPH,), {"method": "bitset"}
    ),
    "jaxlab.correlation_clustering.agreement.agreement_mask": Example(
        (GRAPH, jnp.array([3, 3, 3, 2])), {"beta": 0.2}
    ),
    "jaxlab.correlation_clustering.agreement.heavy_mask": Example(
        (GRAPH, GRAPH.mask), {"lam": 0.2}
    ),
    "jaxlab.correlation_clustering.agreement.agreement_clustering": Example((GRAPH,)),
    "jaxlab.correlation_clustering.sharded.sharded_agreement_clustering": Example(
        (GRAPH, TRIANGLES), made=over_one_device
    ),
    "jaxlab.correlation_clustering.pivot.pivot_clustering": Example((GRAPH, RANKS)),
    "jaxlab.correlation_clustering.pivot.pivot_sequential": Example((GRAPH, RANKS)),
    "jaxlab.correlation_clustering.recourse.match_overlap": Example((LABELS, RANKS, 3)),
    "jaxlab.correlation_clustering.recourse.recourse": Example((LABELS, RANKS, 3)),
    "jaxlab.correlation_clustering.local_moves.local_moves": Example(
        (jax.random.key(0), GRAPH, LABELS), {"rounds": 3}
    ),
    "jaxlab.correlation_clustering.generators.planted_partition": Example(
        (jax.random.key(0),), {"sizes": (3, 2), "p_in": 0.9, "p_out": 0.1}
    ),
    "jaxlab.graphs.components.connected_components": Example(
        (GRAPH.senders, GRAPH.receivers), {"n": 4}
    ),
}

HOST_SIDE = {
    "jaxlab.correlation_clustering.ratios.ratio": "nearest fractions of concrete numbers",
    "jaxlab.correlation_clustering.bounds.lp_lower_bound": "SciPy's linear programming",
    "jaxlab.correlation_clustering.bounds.triangle_packing_lower_bound": "a greedy packing",
    "jaxlab.correlation_clustering.bounds.brute_force_optimum": "looks at every partition",
    "jaxlab.correlation_clustering.generators.geometric_cliques": "makes a list of edges",
    "jaxlab.correlation_clustering.plan.make_arrival_plan": "sorts edges, lists triangles",
}
