"""Column selection, canonical correlations and what is made of them."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.leverage import moments_init
from tests.helpers import Example

ROOM = "jaxlab.leverage."
A, B = (
    jax.device_put(np.random.default_rng(seed).normal(size=(9, 6)).astype(np.float32))
    for seed in range(2)
)
COLUMNS = jax.device_put(np.arange(2))
KEY = jax.random.key(0)

EXAMPLES = {
    ROOM + "cca.cca": Example((A, B), {"q": 2}),
    ROOM + "cur.cur": Example((A,), {"c": 2, "r": 3}),
    ROOM + "from_moments.gcss_from_moments": Example(
        (moments_init(6, 6),), {"c": 2, "method": "hybrid"}
    ),
    ROOM + "from_moments.sparse_cca_from_moments": Example(
        (moments_init(6, 6),), {"ca": 2, "cb": 2, "method": "forward"}
    ),
    ROOM + "gcss.cssp": Example((A,), {"c": 2, "method": "qdeim"}),
    ROOM + "gcss.gcss": Example((A, B), {"c": 2, "method": "local_search"}),
    ROOM + "greedy.greedy_gcss": Example((A, B), {"c": 2}),
    ROOM + "interpolative.interpolative": Example((A, COLUMNS)),
    ROOM + "local_search.local_search_gcss": Example((A, B, COLUMNS)),
    ROOM + "pmd.pmd_sparse_cca": Example((A, B, jnp.float32(1.5), jnp.float32(1.5))),
    ROOM + "sparse_cca.sparse_cca": Example((A, B), {"ca": 2, "cb": 2, "method": "subspace"}),
}
