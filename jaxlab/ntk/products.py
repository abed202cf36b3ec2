"""Kernels that are never formed: products, linear systems, eigenvalues, trace, determinant.

For ``n`` examples and ``O`` outputs the kernel has ``(nO)²`` entries; a product with it costs two
passes over the data and memory for the parameters. What can be had from products alone:

* :func:`ntk_vp`: products between two batches;
* :func:`dataset_operator`: the kernel of a data set, in micro-batches and over devices;
* :func:`solve`: conjugate gradients, with :func:`jacobi_preconditioner`;
* :func:`top_eigenpairs`: Lanczos with error bounds;
* :func:`trace`, :func:`logdet`: estimates with standard errors;
* :func:`dense_operator`: the same for a kernel in memory; :func:`to_scipy` and :func:`to_lineax`:
  other libraries' solvers.

The status codes are those of :mod:`jaxlab.ntk.status`.

Example:
    Kernel ridge regression on 100 examples, looked at 32 at a time:

    >>> import jax, jax.numpy as jnp
    >>> def network(params, x):
    ...     return jnp.tanh(x @ params["w"]) @ params["v"]
    >>> keys = jax.random.split(jax.random.key(0), 3)
    >>> params = {
    ...     "w": jax.random.normal(keys[0], (3, 16)),
    ...     "v": jax.random.normal(keys[1], (16,)) / 4,
    ... }
    >>> x = jax.random.normal(keys[2], (100, 3))
    >>> operator = dataset_operator(network, params, x, micro_batch=32)
    >>> solution = solve(operator, jnp.sin(x[:, 0]), ridge=1.0)
    >>> predict = ntk_vp(network, x[:2], x, params)
    >>> bool(jnp.allclose(predict(solution.value), operator.matvec(solution.value)[:2], atol=1e-4))
    True
"""

from jaxlab.ntk.adapters import to_lineax, to_scipy
from jaxlab.ntk.conjugate_gradient import Solution, jacobi_preconditioner, solve
from jaxlab.ntk.lanczos import Eigenpairs, top_eigenpairs
from jaxlab.ntk.operators import (
    DatasetOperator,
    DenseOperator,
    NTKOperator,
    dataset_operator,
    dense_operator,
)
from jaxlab.ntk.stochastic_trace import LogDeterminant, Trace, logdet, trace
from jaxlab.ntk.vector_products import ntk_vp

__all__ = [
    "DatasetOperator",
    "DenseOperator",
    "Eigenpairs",
    "LogDeterminant",
    "NTKOperator",
    "Solution",
    "Trace",
    "dataset_operator",
    "dense_operator",
    "jacobi_preconditioner",
    "logdet",
    "ntk_vp",
    "solve",
    "to_lineax",
    "to_scipy",
    "top_eigenpairs",
    "trace",
]
