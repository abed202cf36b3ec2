"""Example arguments of the kernel functions."""

import jax.numpy as jnp

from jaxlab.ntk.independence import check_independence
from jaxlab.ntk.kernel import kernel_fn, nngp_fn, ntk_fn
from jaxlab.ntk.vector_products import ntk_vp
from tests.helpers import Example

X1, X2 = jnp.arange(6.0).reshape(3, 2), jnp.ones((2, 2))
PARAMS = {"w": jnp.arange(8.0).reshape(2, 4) / 8, "v": jnp.ones((4, 3))}


def network(params, x):
    return jnp.tanh(x @ params["w"]) @ params["v"]


EXAMPLES = {
    "jaxlab.ntk.kernel.ntk_fn": Example((X1, X2, PARAMS), made=ntk_fn(network, vmap_axes=0)),
    "jaxlab.ntk.kernel.nngp_fn": Example((X1, X2, PARAMS), made=nngp_fn(network)),
    "jaxlab.ntk.kernel.kernel_fn": Example((X1, X2, PARAMS), made=kernel_fn(network)),
    "jaxlab.ntk.flattening.flatten_kernel": Example((jnp.ones((3, 2, 4, 4)),)),
    "jaxlab.ntk.flattening.unflatten_kernel": Example(
        (jnp.ones((12, 8)),), {"shape1": (3, 4), "shape2": (2, 4)}
    ),
    "jaxlab.ntk.vector_products.ntk_vp": Example(
        (X1, X2, PARAMS, jnp.ones((2, 3))),
        made=lambda x1, x2, params, v: ntk_vp(network, x1, x2, params)(v),
    ),
    "jaxlab.ntk.independence.check_independence": Example(
        (PARAMS, X1), made=lambda params, x: check_independence(network, params, x)
    ),
}
