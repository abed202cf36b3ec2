"""The memories of the literature, each a choice of similarity, separation and projection.

===========================  ============================  ======================  ==========
model                        similarity                    separation              then
===========================  ============================  ======================  ==========
hopfield_network             dot product                   identity                sign
dense_associative_memory     dot product                   power                   sign
sparse_distributed_memory    Hamming                       threshold               sign
modern_hopfield              dot product                   softmax                 —
predictive_coding_memory     squared Euclidean distance    softmax                 —
attention                    dot product, scaled           softmax                 —
===========================  ============================  ======================  ==========

Each is one call of :func:`~jaxlab.hopfield.retrieval.retrieve`, which is jitted and differentiable.
The first three are defined in :mod:`jaxlab.hopfield.bipolar`. All else about them is found here
too: the classical network with explicit weights (:mod:`jaxlab.hopfield.classical`,
:mod:`jaxlab.hopfield.learning_rules`), the two-stage memory of Kanerva
(:mod:`jaxlab.hopfield.sparse_distributed_memory`), and theory
(:mod:`jaxlab.hopfield.capacity_theory`).
"""

import math

import jax
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int

from jaxlab.checks import check_integer, check_shape
from jaxlab.hopfield._declare import check_patterns, output_dtype
from jaxlab.hopfield.bipolar import (
    bipolar_sign,
    dense_associative_memory,
    hopfield_network,
    sparse_distributed_memory,
)
from jaxlab.hopfield.capacity_theory import one_step_error_rate, sdm_overlap_probability
from jaxlab.hopfield.classical import (
    AsynchronousRecall,
    asynchronous_recall,
    hopfield_energy,
    synchronous_recall,
)
from jaxlab.hopfield.learning_rules import hebbian_weights, storkey_weights
from jaxlab.hopfield.retrieval import Retrieval, retrieve
from jaxlab.hopfield.separation import softmax
from jaxlab.hopfield.similarity import dot_product, squared_euclidean
from jaxlab.hopfield.sparse_distributed_memory import (
    SDMReading,
    SDMRecall,
    SDMState,
    sdm_init,
    sdm_read,
    sdm_recall,
    sdm_write,
)
from jaxlab.hopfield.types import Number
from jaxlab.varying import vary_like

__all__ = [
    "AsynchronousRecall",
    "SDMReading",
    "SDMRecall",
    "SDMState",
    "asynchronous_recall",
    "attention",
    "bipolar_sign",
    "dense_associative_memory",
    "hebbian_weights",
    "hopfield_energy",
    "hopfield_network",
    "modern_hopfield",
    "one_step_error_rate",
    "predictive_coding_memory",
    "sdm_init",
    "sdm_overlap_probability",
    "sdm_read",
    "sdm_recall",
    "sdm_write",
    "sparse_distributed_memory",
    "storkey_weights",
    "synchronous_recall",
]


def modern_hopfield(
    query: Float[Array, "*b d"],
    memories: Float[Array, "n d"],
    projection: Float[Array, "n p"] | None = None,
    *,
    beta: Number,
    steps: int = 1,
    mask: Bool[Array, " n"] | None = None,
) -> Retrieval:
    """The modern continuous Hopfield network: ``z = Pᵀ softmax(β M q)``.

    With more ``steps``, all but the last feed ``q ← Mᵀ softmax(β M q)`` back, which never raises
    :func:`~jaxlab.hopfield.energy.modern_hopfield_energy`. (``update_steps_max = t`` of the
    ``hflayers`` package is ``steps = t + 1``.) For convergence flags use
    :func:`~jaxlab.hopfield.retrieval.recall`.

    Args:
        query: state patterns, ``[*b, d]``.
        memories: stored patterns, ``[n, d]``.
        projection: what each memory retrieves in the last step, ``[n, p]``; default ``memories``.
        beta: inverse temperature, >= 0; may be traced. 0 averages, large values pick the best.
        steps: number of retrievals, >= 1, static.
        mask: which memories are there, ``[n]``; default all.

    Returns:
        A :class:`~jaxlab.hopfield.retrieval.Retrieval` of the last step.

    Raises:
        ValueError: ``beta`` known and negative or not finite; ``steps`` below 1; otherwise as
            :func:`~jaxlab.hopfield.retrieval.retrieve`.

    Cost: ``2 · steps`` matrix products.

    Source: Ramsauer et al. 2021, equation 3; Millidge et al. 2022, section 3.4.

    Example:
        >>> import jax.numpy as jnp
        >>> modern_hopfield(jnp.array([0.8, 0.3]), jnp.eye(2), beta=2.0).weights.tolist()
        [0.731..., 0.268...]
    """
    check_integer("steps", steps, minimum=1)
    separation = softmax(beta)

    def step(_: Int[ArrayLike, ""], state: Array) -> Array:
        found = retrieve(state, memories, similarity=dot_product, separation=separation, mask=mask)
        return found.output

    if steps > 1:
        check_patterns(query, memories, discrete=False)
        # what a step returns, so that mixed dtypes do not change the type of the carry
        query = vary_like(query.astype(output_dtype(query, memories)), memories, beta, mask)
        query = jax.lax.fori_loop(0, steps - 1, step, query)
    return retrieve(
        query, memories, projection, similarity=dot_product, separation=separation, mask=mask
    )


def predictive_coding_memory(
    query: Float[Array, "*b d"],
    memories: Float[Array, "n d"],
    projection: Float[Array, "n p"] | None = None,
    *,
    beta: Number,
    mask: Bool[Array, " n"] | None = None,
) -> Retrieval:
    """Predictive-coding memory: ``z = Pᵀ softmax(−β ‖q − m_μ‖²)``, the mean shift of the memories.

    The scores are (negated) squared prediction errors of a network with one memory per latent.

    Args:
        query: observed patterns, ``[*b, d]``.
        memories: stored patterns, ``[n, d]``.
        projection: what each memory retrieves, ``[n, p]``; default ``memories``.
        beta: inverse temperature, >= 0; may be traced.
        mask: which memories are there, ``[n]``; default all.

    Returns:
        A :class:`~jaxlab.hopfield.retrieval.Retrieval`.

    Raises:
        ValueError: ``beta`` known and negative or not finite; otherwise as
            :func:`~jaxlab.hopfield.retrieval.retrieve`.

    Cost: two matrix products.

    Source: Millidge et al. 2022, section 3 (official ``PC_update_rule``).

    Example:
        >>> import jax.numpy as jnp
        >>> predictive_coding_memory(jnp.array([0.8, 0.3]), jnp.eye(2), beta=1.0).weights.tolist()
        [0.731..., 0.268...]
    """
    return retrieve(
        query,
        memories,
        projection,
        similarity=squared_euclidean,
        separation=softmax(beta),
        mask=mask,
    )


def attention(
    query: Float[Array, "*b d"],
    keys: Float[Array, "n d"],
    values: Float[Array, "n p"],
    *,
    scale: Number | None = None,
    mask: Bool[Array, " n"] | None = None,
) -> Retrieval:
    """One head of attention as hetero-associative recall: ``z = Vᵀ softmax(scale · K q)``.

    Args:
        query: queries, ``[*b, d]``.
        keys: keys, the stored patterns, ``[n, d]``.
        values: values, what they retrieve, ``[n, p]``.
        scale: inverse temperature, >= 0; default ``1/√d``. May be traced.
        mask: which keys are there, ``[n]``; default all.

    Returns:
        A :class:`~jaxlab.hopfield.retrieval.Retrieval`: ``output`` is what an attention head gives,
        ``weights`` its attention.

    Raises:
        ValueError: ``scale`` known and negative or not finite; otherwise as
            :func:`~jaxlab.hopfield.retrieval.retrieve`.

    Cost: two matrix products.

    Source: Vaswani et al. 2017; Ramsauer et al. 2021; Millidge et al. 2022, section 3.4.

    Example:
        >>> import jax.numpy as jnp
        >>> keys, values = jnp.eye(2), jnp.array([[10.0], [20.0]])
        >>> attention(jnp.array([0.8, 0.3]), keys, values, scale=0.0).output
        Array([15.], dtype=float32)
    """
    if scale is None:
        check_shape("query", query, ("...", "d"))
        scale = 1 / math.sqrt(max(query.shape[-1], 1))
    return retrieve(
        query, keys, values, similarity=dot_product, separation=softmax(scale), mask=mask
    )
