"""Decompositions, scores, angles, selection and moments."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.leverage import fd_init, moments_init, svd
from tests.helpers import Example

ROOM = "jaxlab.leverage."
A = jax.device_put(np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32))
COLUMNS = jax.device_put(np.arange(6) < 3)
SCORES = jax.device_put(np.arange(6, dtype=np.float32))
DECOMPOSITION = svd(A)
KEY = jax.random.key(0)
MESH = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("data",))
MOMENTS = moments_init(6, 6)
SKETCH = fd_init(2, 6)

EXAMPLES = {
    ROOM + "angles.principal_angles": Example((A, A[:, :2])),
    ROOM + "bounds.angle_bounds": Example((DECOMPOSITION, COLUMNS, COLUMNS)),
    ROOM + "bounds.leverage_deficit": Example((SCORES, COLUMNS, 15.0)),
    ROOM + "decomposition.orthonormal_basis": Example((A,)),
    ROOM + "decomposition.randomized_svd": Example((KEY, A), {"rank": 2}),
    ROOM + "decomposition.relative_gap": Example((DECOMPOSITION, COLUMNS)),
    ROOM + "decomposition.svd": Example((A,), {"method": "gram"}),
    ROOM + "frequent_directions.fd_merge": Example((SKETCH, SKETCH)),
    ROOM + "frequent_directions.fd_scores": Example((SKETCH,), {"subset": jnp.array([0])}),
    ROOM + "frequent_directions.fd_update": Example((SKETCH, A)),
    ROOM + "gram.gram": Example((A,)),
    ROOM + "gram.gram_sharded": Example((A,), {"mesh": MESH}),
    ROOM + "gram.tsqr": Example((A,), {"mesh": MESH}),
    ROOM + "moments.moments_merge": Example((MOMENTS, MOMENTS)),
    ROOM + "moments.moments_psum": Example(
        (jax.tree.map(lambda field: field[None], MOMENTS),),
        made=lambda stacked: jax.vmap(_psum, axis_name="data")(stacked),
    ),
    ROOM + "moments.moments_update": Example((MOMENTS, A, A)),
    ROOM + "pivoted_qr.pivoted_qr": Example((A,), {"k": 3}),
    ROOM + "row_scores.row_leverage_scores": Example((A,)),
    ROOM + "scores.generalized_leverage_scores": Example((A,), {"subset": (1, 2)}),
    ROOM + "scores.leverage_scores": Example((A,), {"k": 2}),
    ROOM + "scores.ridge_leverage_scores": Example((A, 0.1)),
    ROOM + "scores.subspace_leverage_scores": Example((A,)),
    ROOM + "selection.sample_columns": Example((KEY, SCORES), {"c": 2}),
    ROOM + "selection.select_columns": Example((SCORES,), {"c": 2}),
    ROOM + "selection.select_singular_subset": Example((DECOMPOSITION, A), {"k": 2}),
}

HOST_SIDE = {
    ROOM + "bounds.columns_needed": "a formula of three numbers",
    ROOM + "frequent_directions.fd_init": "makes zeros",
    ROOM + "moments.moments_init": "makes zeros",
}


def _psum(state):
    from jaxlab.leverage import moments_psum

    return moments_psum(state, "data")
