"""Example arguments for shortest paths and potentials."""

import jax
import jax.numpy as jnp

from jaxlab.graphs import digraph_from_arcs
from tests.helpers import Example

ROOM = "jaxlab.graph_algorithms"
GRAPH = digraph_from_arcs([[0, 1], [0, 2], [2, 1]], 3, weights=jnp.array([5, 4, -2], jnp.int32))
POTENTIALS = jnp.array([0, 2, 4], jnp.int32)
SOURCE = jnp.int32(0)
TREE = jnp.array([0, 2, 0], jnp.int32)
KEY = jax.random.key(0)

EXAMPLES = {
    f"{ROOM}.label_correcting.bellman_ford": Example((GRAPH, SOURCE)),
    f"{ROOM}.label_setting.dijkstra": Example((GRAPH, SOURCE)),
    f"{ROOM}.trees.evaluate_tree": Example((GRAPH, TREE, SOURCE)),
    f"{ROOM}.trees.tree_from_potentials": Example((GRAPH, POTENTIALS, SOURCE)),
    f"{ROOM}.potentials.reduced_weights": Example((GRAPH, POTENTIALS)),
    f"{ROOM}.potentials.feasible_potentials": Example((GRAPH, POTENTIALS)),
    f"{ROOM}.goldberg.goldberg_potentials": Example((GRAPH, POTENTIALS)),
    f"{ROOM}.negative_cycles.find_negative_cycle": Example((GRAPH,)),
    f"{ROOM}.policy_iteration.policy": Example((GRAPH, SOURCE)),
    f"{ROOM}.single_source.shortest_paths": Example((GRAPH, SOURCE), {"method": "goldberg"}),
    f"{ROOM}.perturbation.hiding_potentials": Example((KEY, GRAPH)),
    f"{ROOM}.perturbation.perturbed_potential_graph": Example((KEY, GRAPH, jnp.float32(0.1))),
}

HOST_SIDE: dict[str, str] = {}
