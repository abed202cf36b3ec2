"""Example arguments for operators, their solvers and approximations of the kernel."""

import jax
import jax.numpy as jnp

from jaxlab.ntk.approximate import pseudo_ntk_fn, sketched_ntk
from jaxlab.ntk.lanczos import random_vector, tridiagonalize
from jaxlab.ntk.products import (
    dataset_operator,
    dense_operator,
    jacobi_preconditioner,
    logdet,
    solve,
    top_eigenpairs,
    trace,
)
from tests.helpers import Example

KEY = jax.random.key(0)
X = jnp.arange(12.0).reshape(4, 3)
W = jnp.ones((3, 2))
KERNEL = jnp.diag(jnp.arange(1.0, 5.0))
B = jnp.ones(4)


def network(w, x):
    return jnp.tanh(x @ w)


def data_product(w, x, vector):
    operator = dataset_operator(network, w, x, micro_batch=2)
    return operator.matvec(vector), operator.diagonal()


EXAMPLES = {
    "jaxlab.ntk.operators.dataset_operator": Example((W, X, jnp.ones((4, 2))), made=data_product),
    "jaxlab.ntk.operators.dense_operator": Example(
        (jnp.eye(4), B), made=lambda kernel, vector: dense_operator(kernel).matvec(vector)
    ),
    "jaxlab.ntk.conjugate_gradient.solve": Example(
        (KERNEL, B), made=lambda kernel, b: tuple(solve(dense_operator(kernel), b))
    ),
    "jaxlab.ntk.conjugate_gradient.jacobi_preconditioner": Example(
        (KERNEL, B), made=lambda kernel, b: jacobi_preconditioner(dense_operator(kernel))(b)
    ),
    "jaxlab.ntk.lanczos.top_eigenpairs": Example(
        (KEY, KERNEL),
        made=lambda key, kernel: tuple(top_eigenpairs(key, dense_operator(kernel), 2)),
    ),
    "jaxlab.ntk.lanczos.tridiagonalize": Example(
        (KERNEL, B), made=lambda kernel, b: tuple(tridiagonalize(dense_operator(kernel), b, 3))
    ),
    "jaxlab.ntk.lanczos.random_vector": Example(
        (KEY, KERNEL),
        made=lambda key, kernel: random_vector(key, dense_operator(kernel), jax.random.normal),
    ),
    "jaxlab.ntk.stochastic_trace.trace": Example(
        (KEY, KERNEL), made=lambda key, kernel: tuple(trace(key, dense_operator(kernel), 2))
    ),
    "jaxlab.ntk.stochastic_trace.logdet": Example(
        (KEY, KERNEL), made=lambda key, kernel: tuple(logdet(key, dense_operator(kernel), 2, 3))
    ),
    "jaxlab.ntk.approximate.pseudo_ntk_fn": Example(
        (X, W), made=lambda x, w: pseudo_ntk_fn(network)(x, None, w)
    ),
    "jaxlab.ntk.approximate.sketched_ntk": Example(
        (KEY, X, W), made=lambda key, x, w: sketched_ntk(key, network, x, None, w, dim=2)
    ),
}

HOST_SIDE = {
    "jaxlab.ntk.adapters.to_scipy": "hands an operator to scipy, which calls it from the host",
    "jaxlab.ntk.adapters.to_lineax": "wraps an operator in another library's type",
}
