"""Example arguments of the retrieval functions."""

import jax.numpy as jnp

from jaxlab.hopfield.separation import maximum, softmax
from jaxlab.hopfield.similarity import dot_product, manhattan, reciprocal
from tests.helpers import Example

QUERY, MEMORIES = jnp.ones((3, 5)), jnp.eye(4, 5)


def _energy(states, memories):
    return -(states @ memories.T).max(-1)


EXAMPLES = {
    "jaxlab.hopfield.retrieval.retrieve": Example(
        args=(QUERY, MEMORIES, jnp.ones((4, 2))),
        kwargs={
            "similarity": reciprocal(manhattan),
            "separation": maximum(),
            "mask": jnp.array([True, True, False, True]),
            "normalize_scores": True,
            "normalize_weights": True,
        },
    ),
    "jaxlab.hopfield.retrieval.recall": Example(
        args=(QUERY, MEMORIES),
        kwargs={
            "similarity": dot_product,
            "separation": softmax(8.0),
            "max_steps": 3,
            "energy": _energy,
        },
    ),
}
