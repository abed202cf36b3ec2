"""Example arguments of the metrics, the dynamics and the classical models."""

import functools

import jax
import jax.numpy as jnp

from jaxlab.hopfield import metrics
from jaxlab.hopfield.lagrangians import quadratic_lagrangian, softmax_lagrangian
from jaxlab.hopfield.similarity import dot_product
from jaxlab.hopfield.sparse_distributed_memory import SDMState
from tests.helpers import Example

PATTERNS = jnp.ones((3, 8))
WEIGHTS = jnp.ones((8, 8))
INDEX = jnp.zeros(3, jnp.int32)

KEY = jax.random.key(0)

SPARSE = SDMState(jnp.ones((9, 8), jnp.int8), jnp.zeros((9, 8), jnp.int32))
STATES = (PATTERNS, jnp.ones((3, 3)))
NETWORK = {"similarity": dot_product, "hidden": softmax_lagrangian(2.0)}

DYNAMICS = {**NETWORK, "visible": quadratic_lagrangian()}

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
    "jaxlab.hopfield.classical.asynchronous_recall": Example(
        (KEY, PATTERNS, WEIGHTS), {"max_sweeps": 3}
    ),
    "jaxlab.hopfield.sparse_distributed_memory.sdm_init": Example(
        (KEY,), {"num_locations": 9, "dim": 8}
    ),
    "jaxlab.hopfield.patterns.random_bipolar": Example((KEY,), {"n": 3, "d": 8}),
    "jaxlab.hopfield.adiabatic.modern_hopfield_energy": Example(
        (PATTERNS, PATTERNS), {"beta": 2.0}
    ),
    "jaxlab.hopfield.bipolar.dense_associative_memory": Example((PATTERNS, PATTERNS), {"power": 3}),
    "jaxlab.hopfield.bipolar.hopfield_network": Example((PATTERNS, PATTERNS)),
    "jaxlab.hopfield.bipolar.sparse_distributed_memory": Example(
        (PATTERNS, PATTERNS), {"radius": 2}
    ),
    "jaxlab.hopfield.models.attention": Example((PATTERNS, PATTERNS, PATTERNS)),
    "jaxlab.hopfield.models.modern_hopfield": Example((PATTERNS, PATTERNS), {"beta": 2.0}),
    "jaxlab.hopfield.models.predictive_coding_memory": Example((PATTERNS, PATTERNS), {"beta": 2.0}),
    "jaxlab.hopfield.sparse_distributed_memory.sdm_read": Example(
        (SPARSE, PATTERNS), {"radius": 2}
    ),
    "jaxlab.hopfield.sparse_distributed_memory.sdm_recall": Example(
        (SPARSE, PATTERNS), {"radius": 2, "max_steps": 3}
    ),
    "jaxlab.hopfield.sparse_distributed_memory.sdm_write": Example(
        (SPARSE, PATTERNS, PATTERNS), {"radius": 2}
    ),
    "jaxlab.hopfield.patterns.correlated_bipolar": Example(
        (KEY,), {"n": 3, "d": 8, "num_prototypes": 2, "flip_probability": 0.1}
    ),
    "jaxlab.hopfield.patterns.spherical_gaussian": Example((KEY,), {"n": 3, "d": 8}),
    "jaxlab.hopfield.energy.energy_rate": Example((*STATES, PATTERNS), DYNAMICS),
    "jaxlab.hopfield.energy.vector_field": Example((*STATES, PATTERNS), DYNAMICS),
    "jaxlab.hopfield.dynamics.simulate": Example(
        (*STATES, PATTERNS), {**DYNAMICS, "dt": 0.1, "num_steps": 2}
    ),
    "jaxlab.hopfield.metrics.basin_radius": Example(
        (jnp.linspace(0.0, 1.0, 5),),
        made=functools.partial(metrics.basin_radius, lambda level: 1.0 - level),
    ),
}
