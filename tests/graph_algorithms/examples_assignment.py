"""Example arguments for the assignment solvers."""

import jax.numpy as jnp

from jaxlab.graph_algorithms.assignment import linear_sum_assignment
from jaxlab.graph_algorithms.types import Duals
from tests.helpers import Example

ROOM = "jaxlab.graph_algorithms"
COST = jnp.array([[3, 5, 2], [4, 1, 6], [7, 2, 2]], jnp.int32)
DUALS = Duals(jnp.array([3, 1, 2], jnp.int32), jnp.array([0, 0, 1], jnp.int32))
MASK = jnp.array([[True, True, False], [True, True, True], [True, False, True]])

EXAMPLES = {
    f"{ROOM}.assignment.is_optimal_certificate": Example((COST, linear_sum_assignment(COST))),
    f"{ROOM}.assignment.linear_sum_assignment": Example((COST, DUALS), {"mask": MASK}),
    f"{ROOM}.batch.linear_sum_assignment_batch": Example((COST[None],)),
    f"{ROOM}.gradient.assignment_cost": Example((COST.astype(jnp.float32),)),
    f"{ROOM}.primal_dual.primal_dual_matching": Example((COST, DUALS), {"mask": MASK}),
    f"{ROOM}.quantization.quantize_costs": Example((COST.astype(jnp.float32),), {"bits": 12}),
    f"{ROOM}.bottleneck.bottleneck_assignment": Example((COST,), {"mask": MASK}),
    f"{ROOM}.cardinality.maximum_cardinality_matching": Example((MASK,), {"layered": True}),
    f"{ROOM}.sparse_cardinality.maximum_cardinality_matching_sparse": Example(
        jnp.nonzero(MASK), {"rows": 3, "columns": 3}
    ),
    f"{ROOM}.duals.dual_objective": Example((DUALS,)),
    f"{ROOM}.duals.feasibility_violation": Example((COST, DUALS), {"mask": MASK}),
    f"{ROOM}.duals.tighten_duals": Example((COST, DUALS), {"mask": MASK}),
    f"{ROOM}.rounding.round_duals": Example((COST, DUALS), {"method": "cover", "mask": MASK}),
}

HOST_SIDE: dict[str, str] = {}
