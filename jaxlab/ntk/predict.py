r"""What a network would output after training, from its kernel alone.

In the linear regime training moves the outputs as ``df/dt = −η Θ ∂L/∂f``. A train kernel is
decomposed once, by :func:`factorize`, and the factor serves every prediction made with it:

* :func:`gradient_descent_mse`: trained on the mean squared error, at any times and at infinity;
* :func:`gp_inference`, :func:`gradient_descent_mse_ensemble`: distributions over outputs;
* :func:`kernel_ridge`: kernel ridge regression.

:func:`gradient_descent` integrates any loss, with or without momentum, and
:func:`max_learning_rate` bounds the rate. Kernels have the shape ``[N1, N2, o, o, ...]``; those
that lack the axes ``trace_axes`` of the outputs stand for ``K ⊗ I`` there. Results carry a status:
``OK``, ``SINGULAR``, ``INDEFINITE``, ``NOT_CONVERGED`` or ``NOT_FINITE`` of
:mod:`jaxlab.ntk.status`.

Example:
    Two inputs that agree, with different targets: no training can tell them apart.

    >>> import jax.numpy as jnp
    >>> from jaxlab.ntk.status import OK, SINGULAR
    >>> kernel = jnp.ones((2, 2))
    >>> y = jnp.array([[0.0], [4.0]])
    >>> factor = factorize(kernel)
    >>> after = gradient_descent_mse(factor, y, jnp.array([0.5, 1000.0]))
    >>> after.train[1].round(3).tolist(), after.status.tolist() == [OK, OK]
    ([[2.0], [2.0]], True)
    >>> gradient_descent_mse(factor, y).status.item() == SINGULAR  # at infinite time
    True
"""

from jaxlab.ntk._factor import (
    Factor,
    factorize,
)
from jaxlab.ntk._gaussian import Gaussian, Prior, gp_inference, gradient_descent_mse_ensemble
from jaxlab.ntk._gradient_flow import gradient_descent
from jaxlab.ntk._mse import (
    Predictions,
    Ridge,
    gradient_descent_mse,
    kernel_ridge,
    max_learning_rate,
)

__all__ = [
    "Factor",
    "Gaussian",
    "Predictions",
    "Prior",
    "Ridge",
    "factorize",
    "gp_inference",
    "gradient_descent",
    "gradient_descent_mse",
    "gradient_descent_mse_ensemble",
    "kernel_ridge",
    "max_learning_rate",
]
