"""Universal Hopfield networks: single-shot associative memory.

B. Millidge, T. Salvatori, Y. Song, T. Lukasiewicz, R. Bogacz. *Universal Hopfield Networks: A
General Framework for Single-Shot Associative Memory Models.* ICML 2022, PMLR 162:15561-15583,
arXiv 2202.04557.

A memory holds ``n`` patterns; given a corrupted one, return the stored pattern, or the value that
belongs to it. Classical and dense Hopfield networks, sparse distributed memory and attention all do
so in three operations, and differ only in which::

    z  =  Pᵀ  ·  separation( similarity(q, M) )

    M [n, d]  stored patterns          q [d]  query
    P [n, p]  what they retrieve       z [p]  retrieved   (auto-association: P = M)

Example:
    >>> import jax
    >>> from jaxlab import hopfield
    >>> memories = jax.random.uniform(jax.random.key(0), (100, 64))
    >>> query = memories[7].at[32:].set(0.0)  # half of it is lost
    >>> result = hopfield.retrieve(
    ...     query,
    ...     memories,
    ...     similarity=hopfield.similarity.manhattan,
    ...     separation=hopfield.separation.softmax(beta=10.0),
    ... )
    >>> int(result.weights.argmax())
    7
    >>> bool(abs(result.output - memories[7]).max() < 0.01)
    True
"""

import importlib
from types import ModuleType

from jaxlab.hopfield import (
    corruption,
    energy,
    metrics,
    models,
    patterns,
    scale,
    separation,
    similarity,
)
from jaxlab.hopfield.retrieval import Recall, Retrieval, recall, retrieve
from jaxlab.hopfield.scale import TopK, retrieve_blocked, top_k_memories
from jaxlab.hopfield.types import Separation, Similarity

__all__ = [
    "Recall",
    "Retrieval",
    "Separation",
    "Similarity",
    "TopK",
    "corruption",
    "energy",
    "layer",
    "metrics",
    "models",
    "patterns",
    "recall",
    "retrieve",
    "retrieve_blocked",
    "scale",
    "separation",
    "similarity",
    "top_k_memories",
]


def __getattr__(name: str) -> ModuleType:
    """``hopfield.layer`` loads flax, and does so when it is first asked for."""
    if name == "layer":
        return importlib.import_module("jaxlab.hopfield.layer")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
