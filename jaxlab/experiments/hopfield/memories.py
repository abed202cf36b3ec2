"""The similarity and separation functions that the experiments compare, by the names they plot.

The paper's code turns every distance ``D`` into a score by the reciprocal ``1/D``, and two of its
curves are not what their names say; each is here under a name of its own:

* its dot product divides both vectors by their sums (``normalized_dot_product``);
* its Jensen–Shannon score is built from the reciprocals of two Kullback–Leibler divergences and
  inverted once more, so that the *least* similar memory scores highest
  (:func:`~jaxlab.hopfield.similarity.published_jensen_shannon`).
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, get_args

from pydantic import Field

from jaxlab.experiments.hopfield.capacity import Memory
from jaxlab.hopfield import separation, similarity
from jaxlab.hopfield.types import Separation, Similarity

__all__ = [
    "LABELS",
    "NOTES",
    "Betas",
    "Convention",
    "SeparationName",
    "Separations",
    "Similarities",
    "SimilarityName",
    "negated_memory",
    "published_memories",
    "published_memory",
    "separation_named",
    "similarity_named",
]

SimilarityName = Literal[
    "manhattan",
    "euclidean",
    "dot_product",
    "cosine",
    "kl_divergence",
    "reverse_kl_divergence",
    "jensen_shannon",
    "published_jensen_shannon",
]
SeparationName = Literal[
    "log", "identity", "square_root", "square", "cube", "quartic", "power_10", "softmax", "max"
]
Convention = Literal["reciprocal", "negated"]

Similarities = Annotated[tuple[SimilarityName, ...], Field(min_length=1)]
Separations = Annotated[tuple[SeparationName, ...], Field(min_length=1)]
Betas = Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1)]

LABELS: Mapping[str, str] = {
    "manhattan": "Manhattan",
    "euclidean": "Euclidean (nearest neighbour)",
    "dot_product": "dot product (sum-normalised)",
    "cosine": "cosine (not in the paper)",
    "kl_divergence": "KL",
    "reverse_kl_divergence": "reverse KL",
    "jensen_shannon": "Jensen–Shannon (true)",
    "published_jensen_shannon": "Jensen–Shannon (as published)",
    "log": "log",
    "identity": "identity",
    "square_root": "power ½",
    "square": "power 2",
    "cube": "power 3",
    "quartic": "power 4",
    "power_10": "power 10",
    "softmax": "softmax",
    "max": "max",
    "mean": "mean of the store (baseline)",
    "pca": "PCA of the store (baseline)",
}

NOTES: Mapping[str, str] = {
    "dot_product": "The paper's dot product divides query and memory by their sums; so does this "
    "one.",
    "cosine": "Cosine similarity is not among the paper's curves: what its code calls cosine "
    "divides by the norm of all memories together, which is the plain dot product up to a factor.",
    "published_jensen_shannon": "The published code's Jensen–Shannon score averages two scores "
    "that are already reciprocals of divergences and takes the reciprocal again, so it prefers "
    "the least similar memory. Neither it nor the true Jensen–Shannon divergence stands for the "
    "other.",
}

_NEGATED_DISTANCES: Mapping[str, Similarity] = {
    "manhattan": similarity.manhattan,
    # the square, as in the paper's code; with the max separation it is the same memory
    "euclidean": similarity.squared_euclidean,
    "kl_divergence": similarity.kl_divergence,
    "reverse_kl_divergence": similarity.reverse_kl_divergence,
    "jensen_shannon": similarity.jensen_shannon,
}


@functools.cache  # one object per name, so that jitted functions recognise it
def similarity_named(name: SimilarityName, convention: Convention) -> Similarity:
    """The similarity function that an experiment plots as ``name``."""
    if name in _NEGATED_DISTANCES:
        negated = _NEGATED_DISTANCES[name]
        return similarity.reciprocal(negated) if convention == "reciprocal" else negated
    if name == "dot_product":
        return similarity.normalized_dot_product
    if name == "cosine":
        return similarity.cosine
    return similarity.published_jensen_shannon


@functools.cache
def separation_named(name: SeparationName, beta: float) -> Separation:
    """The separation function that an experiment plots as ``name``; ``beta`` is softmax's."""
    powers = {"square_root": 0.5, "square": 2, "cube": 3, "quartic": 4, "power_10": 10}
    if name in powers:
        return separation.polynomial(powers[name])
    if name == "softmax":
        return separation.softmax(beta)
    if name == "max":
        return separation.maximum()
    return {"log": separation.log, "identity": separation.identity}[name]


def published_memory(
    similarity_name: SimilarityName, separation_name: SeparationName = "max", beta: float = 1000.0
) -> Memory:
    """A memory as the paper's code makes it: reciprocal distances, both normalisations.

    There, a factor ``beta`` that multiplies the scores is lost in their normalisation; the ``beta``
    here multiplies the normalised scores of a softmax.
    """
    return Memory(
        similarity_named(similarity_name, "reciprocal"),
        separation_named(separation_name, beta),
        normalize_scores=True,
        normalize_weights=True,
    )


def published_memories(similarities: Sequence[SimilarityName]) -> dict[str, Memory]:
    """Memories that differ in their similarity alone: the separation is the maximum."""
    return {name: published_memory(name) for name in similarities}


def negated_memory(similarity_name: SimilarityName, beta: float) -> Memory:
    """The other convention: softmax(β) of negated distances, nothing normalised."""
    return Memory(similarity_named(similarity_name, "negated"), separation_named("softmax", beta))


assert set(get_args(SimilarityName)) | set(get_args(SeparationName)) <= set(LABELS)
