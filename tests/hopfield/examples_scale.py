"""Example arguments for blocked retrieval and exact top-k."""

import jax.numpy as jnp

from jaxlab.hopfield import similarity
from tests.helpers import Example

QUERY = jnp.ones((2, 4))
MEMORIES = jnp.arange(24.0).reshape(6, 4)

EXAMPLES = {
    "jaxlab.hopfield.top_k.quantize_memories": Example((MEMORIES,)),
    "jaxlab.hopfield.top_k.top_k_memories": Example(
        (QUERY, MEMORIES),
        {"k": 2, "similarity": similarity.squared_euclidean, "block_size": 4},
    ),
    "jaxlab.hopfield.blocked.retrieve_blocked": Example(
        (QUERY, MEMORIES), {"similarity": similarity.dot_product, "beta": 2.0, "block_size": 4}
    ),
    "jaxlab.hopfield.blocked.logsumexp_blocked": Example(
        (QUERY, MEMORIES), {"similarity": similarity.dot_product, "beta": 2.0, "block_size": 4}
    ),
    "jaxlab.hopfield.manhattan_kernel.manhattan_scores": Example((QUERY, MEMORIES), apart=True),
}
