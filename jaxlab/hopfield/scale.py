"""Large banks of memories: retrieval block by block, and over devices.

All functions here need memory for one block of memories at a time, not for a score of every query
with every memory, and take ``axis_name`` for memories sharded over devices.

* :func:`retrieve_blocked`: softmax retrieval, differentiable (:mod:`jaxlab.hopfield.blocked`);
* :func:`logsumexp_blocked`: the energy that goes with it;
* :func:`top_k_memories`: the most similar memories (:mod:`jaxlab.hopfield.top_k`);
* :func:`quantize_memories`: a bank in eight bits for it;
* :func:`manhattan_scores`: a similarity as a kernel for GPU and TPU
  (:mod:`jaxlab.hopfield.manhattan_kernel`).

Example:
    Two devices' worth of memories, each with its own rows:

    >>> import jax
    >>> from jaxlab.hopfield.similarity import manhattan
    >>> memories = jax.random.uniform(jax.random.key(0), (2, 500, 16))
    >>> query = memories[1, 7] + 0.01
    >>> nearest = jax.vmap(  # as jax.shard_map or jax.pmap would
    ...     lambda rows: top_k_memories(query, rows, k=2, similarity=manhattan, axis_name="bank"),
    ...     axis_name="bank",
    ... )(memories)
    >>> nearest.indices[:, 0].tolist()
    [507, 507]
"""

from jaxlab.hopfield.blocked import logsumexp_blocked, retrieve_blocked
from jaxlab.hopfield.manhattan_kernel import manhattan_scores
from jaxlab.hopfield.top_k import QuantizedMemories, TopK, quantize_memories, top_k_memories

__all__ = [
    "QuantizedMemories",
    "TopK",
    "logsumexp_blocked",
    "manhattan_scores",
    "quantize_memories",
    "retrieve_blocked",
    "top_k_memories",
]
