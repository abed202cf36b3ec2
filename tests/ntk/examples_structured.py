"""Example arguments for structured derivatives and what explains them."""

import jax.numpy as jnp

from jaxlab.ntk.structured import contract, factors
from tests.helpers import Example


def _network(params, x):
    return jnp.tanh(x @ params["w"] + params["b"]) @ params["v"]


_PARAMS = {"w": jnp.ones((3, 8)), "b": jnp.ones(8), "v": jnp.ones((8, 2))}
_X = jnp.arange(12.0).reshape(4, 3)

EXAMPLES = {
    "jaxlab.ntk.structured.factors": Example(
        (_PARAMS, _X), made=lambda params, x: factors(_network, params, x, vmap_axes=0)
    ),
    "jaxlab.ntk.structured.contract": Example(
        (_PARAMS, _X),
        made=lambda params, x: contract(
            factors(_network, params, x, vmap_axes=0), factors(_network, params, x, vmap_axes=0)
        ),
    ),
}

HOST_SIDE = {
    "jaxlab.ntk._sites.register_site_rule": "puts a rule into a table",
    "jaxlab.ntk.explain.explain": "looks at shapes, computes nothing",
    "jaxlab.ntk.explain.format_reports": "makes a text",
}
