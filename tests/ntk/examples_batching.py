"""Example arguments for kernels computed in tiles."""

import jax.numpy as jnp

from jaxlab.ntk.batching import batched
from tests.helpers import Example


def outputs(x1, x2, params):
    return (x1 @ params) @ (x2 @ params).T


EXAMPLES = {
    "jaxlab.ntk.batching.batched": Example(
        (jnp.ones((5, 3)), jnp.ones((4, 3)), jnp.ones((3, 2))), made=batched(outputs, 2)
    ),
}
