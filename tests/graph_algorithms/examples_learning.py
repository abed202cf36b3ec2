"""Example arguments for learned duals and random problems."""

import jax
import jax.numpy as jnp

from jaxlab.graph_algorithms import online
from jaxlab.graph_algorithms.types import Duals
from tests.helpers import Example

ROOM = "jaxlab.graph_algorithms"
KEY = jax.random.key(0)
COST = jnp.array([[3, 5, 2], [4, 1, 6], [7, 2, 2]], jnp.int32)
SAMPLES = Duals(jnp.arange(12.0).reshape(4, 3), jnp.ones((4, 3)))
ONE = Duals(jnp.zeros(3), jnp.ones(3))
POINTS = jnp.arange(12.0).reshape(6, 2)
LABELS = jnp.array([0, 0, 1, 1, 2, 3])
MEDIAN = online.median_learner(4)
GRADIENT = online.online_learner("linf", 0.1, 5.0)

EXAMPLES = {
    f"{ROOM}.instances.block_means": Example((KEY,), {"groups": 3}),
    f"{ROOM}.instances.type_model": Example((KEY, jnp.full((2, 2), 40)), {"n": 6, "variance": 10}),
    f"{ROOM}.instances.geometric_instances": Example(
        (KEY, POINTS, LABELS, jnp.array([0, 1]), jnp.array([3, 2]))
    ),
    f"{ROOM}.instances.planted_matching": Example((KEY,), {"n": 5}),
    f"{ROOM}.learning.canonicalize": Example((SAMPLES,)),
    f"{ROOM}.learning.fit_duals": Example((SAMPLES,), {"loss": "linf", "steps": 5}),
    f"{ROOM}.learning.predict_or_fallback": Example((COST, Duals(COST[0], COST[1]))),
    f"{ROOM}.online.online_learner": Example((ONE, GRADIENT.init(ONE)), made=GRADIENT.update),
    f"{ROOM}.online.median_learner": Example((ONE, MEDIAN.init(ONE)), made=MEDIAN.update),
    f"{ROOM}.online.regret": Example((SAMPLES, SAMPLES)),
    f"{ROOM}.predictor.column_features": Example((COST,), {"smallest": 2}),
    f"{ROOM}.predictor.predict_duals": Example((COST, jnp.zeros(3))),
}

HOST_SIDE = {f"{ROOM}.learning.sample_complexity": "computes one number on the host"}
