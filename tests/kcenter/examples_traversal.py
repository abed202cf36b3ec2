"""Example arguments: traversal, private assignments, coresets."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from jaxlab import kcenter
from tests.helpers import Example

N, D, K = 40, 2, 3
POINTS = jax.ShapeDtypeStruct((N, D), jnp.float32)
DIST = jax.ShapeDtypeStruct((N, K), jnp.float32)
GROUPS = jax.ShapeDtypeStruct((N,), jnp.int32)
LEAST = jax.ShapeDtypeStruct((), jnp.int32)
STATE = jax.eval_shape(lambda: kcenter.stream_init(3, D, num_groups=2))
CORESET = kcenter.Coreset(
    jax.ShapeDtypeStruct((6, D), jnp.float32),
    jax.ShapeDtypeStruct((6,), jnp.int32),
    jax.ShapeDtypeStruct((6,), jnp.int32),
    jax.ShapeDtypeStruct((), jnp.float32),
    jax.ShapeDtypeStruct((6,), jnp.int32),
)


def mesh():
    return Mesh(np.array(jax.devices()[:1]), ("data",))


def summarise(points, groups):
    split = PartitionSpec("data")

    def solve(points, groups):
        return kcenter.distributed_summary(
            points, groups, 3, lambda coreset: coreset.radius, axis_name="data", num_groups=2
        ).solution

    return jax.shard_map(solve, mesh=mesh(), in_specs=(split, split), out_specs=PartitionSpec())(
        points, groups
    )


EXAMPLES = {
    "jaxlab.kcenter.bounds.lower_bound": Example((POINTS,), {"k": K, "min_size": 4}),
    "jaxlab.kcenter.coreset.distributed_summary": Example((POINTS, GROUPS), made=summarise),
    "jaxlab.kcenter.coreset.kcenter_coreset": Example(
        (POINTS, GROUPS), {"size": 3, "num_groups": 2}
    ),
    "jaxlab.kcenter.coreset.lift_assignment": Example(
        (GROUPS, jax.ShapeDtypeStruct((6, K), jnp.int32))
    ),
    "jaxlab.kcenter.coreset.merge_coresets": Example(([CORESET, CORESET],), {"sizes": (6, 6)}),
    # without the kernel it is lowered as part of lower_bound and kcenter_coreset
    "jaxlab.kcenter.gonzalez.gonzalez": Example(
        (POINTS,), {"k": K, "use_pallas": True}, apart=True
    ),
    "jaxlab.kcenter.metrics.distance_matrix": Example((POINTS, POINTS)),
    "jaxlab.kcenter.metrics.safe_sqrt": Example((DIST,)),
    "jaxlab.kcenter.order_statistics.kth_smallest": Example((DIST, LEAST)),
    "jaxlab.kcenter.private_assignment.private_assignment": Example((DIST, LEAST)),
    "jaxlab.kcenter.private_assignment.private_prefixes": Example((DIST, LEAST)),
    "jaxlab.kcenter.sharded.gonzalez_sharded": Example(
        (POINTS,), made=functools.partial(kcenter.gonzalez_sharded, k=K, mesh=mesh())
    ),
    "jaxlab.kcenter.streaming.stream_finalize": Example((STATE,)),
    "jaxlab.kcenter.streaming.stream_init": Example((), {"size": 3, "dimension": 2}),
    "jaxlab.kcenter.streaming.stream_update": Example((STATE, POINTS, GROUPS)),
}
