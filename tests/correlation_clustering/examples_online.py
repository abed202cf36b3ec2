"""Example arguments for the online algorithms."""

import jax.numpy as jnp

from jaxlab.correlation_clustering import init_online, make_arrival_plan
from tests.helpers import Example

PLAN = make_arrival_plan([[0, 1], [0, 2], [1, 2], [2, 3]], [0, 1, 2, 3])
STREAM = init_online(4, degree_capacity=4, edge_capacity=8, active_capacity=8)

EXAMPLES = {
    "jaxlab.correlation_clustering.online.run_online": Example((PLAN,), {"active_capacity": 8}),
    "jaxlab.correlation_clustering.online_pivot.run_online_pivot": Example(
        (PLAN, jnp.array([2, 0, 3, 1]))
    ),
    "jaxlab.correlation_clustering.streaming.online_step": Example((STREAM, jnp.array([-1, -1]))),
    "jaxlab.correlation_clustering.streaming.grow": Example((STREAM,), {"node_capacity": 6}),
    "jaxlab.correlation_clustering.streaming.to_graph": Example((STREAM,)),
    "jaxlab.correlation_clustering.streaming.init_online": Example(
        (), {"node_capacity": 4, "degree_capacity": 4, "edge_capacity": 8, "active_capacity": 8}
    ),
}
