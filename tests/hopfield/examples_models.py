"""Example arguments of the metrics, the dynamics and the classical models."""

import jax
import jax.numpy as jnp

from jaxlab.hopfield.lagrangians import quadratic_lagrangian, softmax_lagrangian
from jaxlab.hopfield.similarity import dot_product
from tests.helpers import Example

PATTERNS = jnp.ones((3, 8))
WEIGHTS = jnp.ones((8, 8))
INDEX = jnp.zeros(3, jnp.int32)

KEY = jax.random.key(0)

NETWORK = {"similarity": dot_product, "hidden": softmax_lagrangian(2.0)}

EXAMPLES = {
    "jaxlab.hopfield.metrics.squared_error": Example((PATTERNS, PATTERNS)),
    "jaxlab.hopfield.metrics.fraction_correct": Example((PATTERNS, PATTERNS, 1.0)),
    "jaxlab.hopfield.metrics.index_recall": Example((PATTERNS, INDEX)),
    "jaxlab.hopfield.metrics.separation_margin": Example((PATTERNS, INDEX)),
    "jaxlab.hopfield.energy.energy": Example(
        (PATTERNS, jnp.ones((3, 3)), PATTERNS), {**NETWORK, "visible": quadratic_lagrangian()}
    ),
    "jaxlab.hopfield.adiabatic.adiabatic_update": Example((PATTERNS, PATTERNS), NETWORK),
    "jaxlab.hopfield.bipolar.bipolar_sign": Example((PATTERNS,)),
    "jaxlab.hopfield.learning_rules.hebbian_weights": Example((PATTERNS,)),
    "jaxlab.hopfield.learning_rules.storkey_weights": Example((PATTERNS,)),
    "jaxlab.hopfield.classical.hopfield_energy": Example((PATTERNS, WEIGHTS)),
    "jaxlab.hopfield.classical.synchronous_recall": Example((PATTERNS, WEIGHTS), {"max_steps": 3}),
    "jaxlab.hopfield.classical.asynchronous_recall": Example((KEY, PATTERNS, WEIGHTS)),
    "jaxlab.hopfield.sparse_distributed_memory.sdm_init": Example(
        (KEY,), {"num_locations": 9, "dim": 8}
    ),
    "jaxlab.hopfield.patterns.random_bipolar": Example((KEY,), {"n": 3, "d": 8}),
}
