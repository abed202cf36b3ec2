"""Example arguments of every similarity, separation and corruption."""

import jax
import jax.numpy as jnp

from jaxlab.hopfield import separation, similarity
from tests.helpers import Example

QUERY, MEMORIES, SCORES = jnp.ones((3, 5)), jnp.ones((4, 5)), jnp.ones((3, 4))
PATTERNS = (QUERY, MEMORIES)
IMAGES = jnp.ones((2, 4 * 4 * 3))
KEY = jax.random.key(0)

SIMILARITIES = {
    "distances": "bipolar_hamming chebyshev hamming jaccard manhattan",
    "divergences": "jensen_shannon kl_divergence published_jensen_shannon reverse_kl_divergence "
    "symmetric_kl",
    "similarity": "biased_dot_product cosine dot_product euclidean normalized_dot_product "
    "squared_euclidean",
}

MADE_SIMILARITIES = {
    "distances.minkowski": similarity.minkowski(3.0),
    "distances.smooth_manhattan": similarity.smooth_manhattan(0.1),
    "similarity.mahalanobis": similarity.mahalanobis(jnp.eye(5, 2)),
    "wrappers.embedded": similarity.embedded(similarity.dot_product, jnp.tanh),
    "wrappers.reciprocal": similarity.reciprocal(similarity.manhattan),
    "wrappers.sum_normalized": similarity.sum_normalized(similarity.dot_product),
}

MADE_SEPARATIONS = {
    "power_separation.polynomial": separation.polynomial(2, signed=True),
    "power_separation.rectified_polynomial": separation.rectified_polynomial(2),
    "separation.exponential": separation.exponential(2.0),
    "separation.maximum": separation.maximum(),
    "separation.softmax": separation.softmax(2.0),
    "separation.threshold": separation.threshold(0.5),
    "separation.top_k": separation.top_k(2, separation.softmax(2.0)),
    "sparse_separation.entmax15": separation.entmax15(2.0),
    "sparse_separation.sparsemax": separation.sparsemax(2.0),
}

CORRUPTIONS = {
    "corruption.flip_bits": Example((KEY, IMAGES, 0.1)),
    "corruption.gaussian_noise": Example((KEY, IMAGES, 0.2)),
    "corruption.salt_and_pepper": Example((KEY, IMAGES, 0.1)),
    "masking.border_mask": Example((IMAGES, 0.5), {"image_shape": (4, 4, 3)}),
    "masking.center_mask": Example((IMAGES, 0.5), {"image_shape": (4, 4, 3)}),
    "masking.mask_rows": Example((IMAGES, 0.5), {"image_shape": (4, 4, 3)}),
    "masking.random_mask": Example((KEY, IMAGES, 0.5), {"image_shape": (4, 4, 3)}),
}

EXAMPLES = (
    {
        f"jaxlab.hopfield.{module}.{name}": Example(PATTERNS)
        for module, names in SIMILARITIES.items()
        for name in names.split()
    }
    | {
        f"jaxlab.hopfield.{name}": Example(PATTERNS, made=made)
        for name, made in MADE_SIMILARITIES.items()
    }
    | {f"jaxlab.hopfield.separation.{name}": Example((SCORES,)) for name in ("identity", "log")}
    | {
        f"jaxlab.hopfield.{name}": Example((SCORES,), made=made)
        for name, made in MADE_SEPARATIONS.items()
    }
    | {f"jaxlab.hopfield.{name}": example for name, example in CORRUPTIONS.items()}
)
