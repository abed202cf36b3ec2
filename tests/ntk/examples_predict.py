"""Example arguments for linearised networks, predictions, spectra and closed-form kernels."""

import jax.numpy as jnp

from jaxlab.ntk import linearization, predict
from tests.helpers import Example

KERNEL = jnp.array([[2.0, 1.0, 0.5], [1.0, 2.0, 1.0], [0.5, 1.0, 2.0]])
TEST_KERNEL = jnp.array([[1.0, 0.5, 0.2], [0.2, 1.0, 0.5]])
TARGETS = jnp.arange(6.0).reshape(3, 2)
FACTOR = predict.factorize(KERNEL)
PRIOR = predict.Prior(KERNEL, TEST_KERNEL, jnp.eye(2))
TIMES = jnp.array([0.5, 2.0])
INPUTS = jnp.arange(6.0).reshape(3, 2)
WEIGHTS = jnp.ones((2, 2))


def network(params, x):
    return jnp.tanh(x @ params)


def loss(outputs, targets):
    return jnp.mean((outputs - targets) ** 4)


EXAMPLES = {
    "jaxlab.ntk.linearization.linearize": Example(
        (WEIGHTS, INPUTS), made=linearization.linearize(network, WEIGHTS)
    ),
    "jaxlab.ntk.linearization.taylor_expand": Example(
        (WEIGHTS, INPUTS), made=linearization.taylor_expand(network, WEIGHTS, 2)
    ),
    "jaxlab.ntk._factor.factorize": Example((KERNEL,), {"diag_reg": 0.1}),
    "jaxlab.ntk._mse.gradient_descent_mse": Example(
        (FACTOR, TARGETS, TIMES), {"k_test_train": TEST_KERNEL}
    ),
    "jaxlab.ntk._mse.kernel_ridge": Example((FACTOR, TARGETS, TEST_KERNEL)),
    "jaxlab.ntk._mse.max_learning_rate": Example((KERNEL,), {"y_size": 6}),
    "jaxlab.ntk._gaussian.gp_inference": Example((FACTOR, TARGETS, TEST_KERNEL, jnp.eye(2), TIMES)),
    "jaxlab.ntk._gaussian.gradient_descent_mse_ensemble": Example(
        (FACTOR, TARGETS, TEST_KERNEL, PRIOR, TIMES)
    ),
    "jaxlab.ntk._gradient_flow.gradient_descent": Example(
        (KERNEL, TARGETS, TIMES),
        {"k_test_train": TEST_KERNEL, "momentum": 0.9},
        made=lambda *args, **kwargs: predict.gradient_descent(loss, *args, **kwargs),
    ),
    "jaxlab.ntk.spectrum.eigenvalues": Example((KERNEL,)),
    "jaxlab.ntk.spectrum.condition_number": Example((KERNEL,)),
    "jaxlab.ntk.spectrum.effective_rank": Example((KERNEL,)),
    "jaxlab.ntk.spectrum.entropy_rank": Example((KERNEL,)),
    "jaxlab.ntk.spectrum.target_alignment": Example((KERNEL, TARGETS)),
    "jaxlab.ntk.spectrum.kernel_distance": Example((KERNEL, jnp.eye(3))),
    "jaxlab.ntk.analytic.fully_connected": Example((INPUTS, INPUTS), {"depth": 2}),
}

HOST_SIDE: dict[str, str] = {}
