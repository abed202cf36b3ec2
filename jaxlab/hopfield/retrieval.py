"""Retrieval: projection ∘ separation ∘ similarity, once or until nothing changes.

The composition is the whole model. Classical and dense Hopfield networks, sparse distributed
memory and attention are choices of the two functions handed to :func:`retrieve`.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaxlab.checks import check_bool, check_integer, check_scalar, check_shape, require, uncut
from jaxlab.hopfield._declare import (
    check_comparable,
    check_mask,
    check_patterns,
    float_dtype,
    output_dtype,
    present_rows,
)
from jaxlab.hopfield.types import Number, Separation, Similarity
from jaxlab.hopfield.wrappers import check_normalizable, divide_by_sum, scores_of
from jaxlab.varying import vary_like

__all__ = ["Recall", "Retrieval", "recall", "retrieve"]


class Retrieval(NamedTuple):
    """What :func:`retrieve` returns.

    Attributes:
        output: retrieved patterns ``z = Pᵀ w``, in the units of the projection.
        weights: what each memory contributes; 0 for masked ones.
        scores: what the separation saw, after score normalisation; −inf for masked memories.
    """

    output: Float[Array, "*b p"]
    weights: Float[Array, "*b n"]
    scores: Float[Array, "*b n"]


class Recall(NamedTuple):
    """What :func:`recall` returns.

    Attributes:
        output: the state of each query after its last step.
        steps: retrievals made for each query until it converged, or ``max_steps``.
        converged: whether the last step changed no feature by more than ``tol``.
        energies: energy of each query before the first and after every step, constant once it has
            converged; None unless an energy was given.
    """

    output: Float[Array, "*b d"]
    steps: Int[Array, "*b"]
    converged: Bool[Array, "*b"]
    energies: Float[Array, "*b steps"] | None


@functools.partial(uncut, whole=("query",))
@functools.partial(
    jax.jit,
    static_argnames=(
        "similarity",
        "separation",
        "normalize_scores",
        "normalize_weights",
        "precision",
    ),
)
def retrieve(
    query: Shaped[Array, "*b d"],
    memories: Shaped[Array, "n c"],
    projection: Shaped[Array, "n p"] | None = None,
    *,
    similarity: Similarity,
    separation: Separation,
    mask: Bool[Array, " n"] | None = None,
    normalize_scores: bool = False,
    normalize_weights: bool = False,
    precision: jax.lax.Precision | None = None,
) -> Retrieval:
    """Single-shot associative recall of each query.

    ``z = Pᵀ sep(sim(q, M))`` with, where asked for, ``s ← s/Σ_j s_j`` before and ``w ← w/Σ_j w_j``
    after the separation. Auto-association has ``P = M``, hetero-association any ``P``.

    Differentiable in all arrays and in whatever the similarity and the separation close over
    (``softmax(beta)`` with a traced ``beta``). Inside ``jit`` nothing is raised for values; instead

    * with every memory masked, output and weights are 0;
    * where normalised scores or weights sum to 0, they are 0;
    * where a query, or a single memory that is not masked, holds NaN, the output is NaN (for
      ``hamming``, NaN is only one more difference).

    Args:
        query: query patterns; leading axes are independent queries, and may be empty.
        memories: stored patterns ``M``, one a row (for :func:`~jaxlab.hopfield.similarity.embedded`
            similarities, their codes).
        projection: what each memory retrieves, ``P``; default ``memories``.
        similarity: compares a query with the memories; static.
        separation: makes weights of scores; static.
        mask: which memories are there; the others, padding with any content, change nothing
            (derivatives ask for finite content).
        normalize_scores: divide each query's scores by their sum.
        normalize_weights: divide each query's weights by their sum.
        precision: of the product of weights and projection; static. The default is the device's,
            which on an accelerator may round whole numbers above 256.

    Returns:
        Output in the floating dtype common to query and projection; weights and scores in float32
        or wider.

    Raises:
        ValueError: feature sizes of query and memories differ; projection and memories differ in
            rows; the bank is empty; ``mask`` is not boolean of shape ``[n]``; a dtype does not fit
            the similarity; scores that are never positive are to be normalised (their order would
            turn around) or to be separated by a function that needs positive ones; numbers of NumPy
            that do not fit the type jax gives them.

    Cost:
        That of the similarity, the separation, and ``2 Q n p``; ``O(Q n)`` memory and, with a mask,
        a copy of the projection. For larger banks see :mod:`jaxlab.hopfield.scale`.

    Source:
        Millidge et al. 2022, section 3, equation for ``z = P·sep(sim(M, q))``.

    Example:
        >>> from jaxlab.hopfield.separation import softmax
        >>> from jaxlab.hopfield.similarity import dot_product
        >>> query, memories = jnp.array([0.8, 0.3]), jnp.eye(2)
        >>> result = retrieve(query, memories, similarity=dot_product, separation=softmax(2.0))
        >>> result.output.tolist()
        [0.731..., 0.268...]
    """
    check_bool("normalize_scores", normalize_scores)
    check_bool("normalize_weights", normalize_weights)
    check_comparable(similarity, query, memories)
    if projection is None:
        projection = memories
    check_shape("projection", projection, (memories.shape[0], "p"))
    check_mask(mask, (memories.shape[0],))
    _check_scores_fit(similarity, separation, normalize_scores)

    scores = scores_of(similarity, query, memories, mask)
    if normalize_scores:
        scores = divide_by_sum(scores, mask)
    if mask is None:
        weights = separation(scores)
    else:
        missing = getattr(separation, "mask_value", -jnp.inf)
        weights = jnp.where(mask, separation(jnp.where(mask, scores, missing)), 0)
        scores = jnp.where(mask, scores, -jnp.inf)
    if normalize_weights:
        weights = divide_by_sum(weights)
    output = jnp.matmul(
        weights,
        present_rows(projection, mask).astype(float_dtype(projection)),
        precision=precision,
        preferred_element_type=weights.dtype,
    )
    return Retrieval(output.astype(output_dtype(query, projection)), weights, scores)


@functools.partial(uncut, whole=("query",))
def recall(
    query: Shaped[Array, "*b d"],
    memories: Shaped[Array, "n d"],
    *,
    similarity: Similarity,
    separation: Separation,
    max_steps: int,
    tol: Number = 1e-6,
    activation: Callable[[Float[Array, "*b d"]], Float[Array, "*b d"]] | None = None,
    mask: Bool[Array, " n"] | None = None,
    energy: Callable[[Float[Array, "*b d"], Float[Array, "n d"]], Float[Array, "*b"]] | None = None,
) -> Recall:
    """Iterated auto-associative recall, ``z_{t+1} = activation(Mᵀ sep(sim(z_t, M)))``.

    A query has converged when a step changes none of its features by more than ``tol``. It is then
    frozen, so that its result does not depend on the queries beside it. A query that never does
    ends after ``max_steps`` with ``converged`` False; a state that has become NaN is such a one.

    Without ``energy`` the loop ends with the last query to converge and can be differentiated in
    forward mode only; with it, all ``max_steps`` are run, and reverse mode works too.

    Args:
        query: initial states.
        memories: stored patterns.
        similarity: compares a state with the memories; static.
        separation: makes weights of scores; static.
        max_steps: most retrievals per query; static.
        tol: largest change of a feature that counts as none, >= 0; may be traced.
        activation: applied to each retrieved state, such as ``jnp.sign``; static.
        mask: which memories are there.
        energy: ``(states [*b, d], memories [n, d]) -> [*b]``, recorded along the way; static. It is
            not told of ``mask``.

    Returns:
        Final states, steps, convergence and energies ``[*b, max_steps + 1]``.

    Raises:
        ValueError: as :func:`retrieve`; ``max_steps`` is not an integer >= 0; ``tol`` is not one
            number, or known and not a finite number >= 0.

    Cost:
        At most ``max_steps`` times that of :func:`retrieve`.

    Source:
        Ramsauer et al. 2021 (iterated update of the modern Hopfield network); Millidge et al. 2022,
        section 4.

    Example:
        >>> from jaxlab.hopfield.separation import softmax
        >>> from jaxlab.hopfield.similarity import dot_product
        >>> final = recall(
        ...     jnp.array([0.8, 0.3]),
        ...     jnp.eye(2),
        ...     similarity=dot_product,
        ...     separation=softmax(20.0),
        ...     max_steps=10,
        ... )
        >>> final.output.round(3), bool(final.converged)
        (Array([1., 0.], dtype=float32), True)
    """
    check_scalar("tol", tol, minimum=0)
    return _recall(
        query, memories, similarity, separation, max_steps, tol, activation, mask, energy
    )


@functools.partial(
    jax.jit, static_argnames=("similarity", "separation", "max_steps", "activation", "energy")
)
def _recall(
    query: Array,
    memories: Array,
    similarity: Similarity,
    separation: Separation,
    max_steps: int,
    tol: Number,
    activation: Callable[[Array], Array] | None,
    mask: Array | None,
    energy: Callable[[Array, Array], Array] | None,
) -> Recall:
    check_integer("max_steps", max_steps, minimum=0)
    check_patterns(query, memories)
    state = query.astype(output_dtype(query, memories))

    def advance(carry: Carry) -> Carry:
        state, steps, converged = carry
        result = retrieve(state, memories, similarity=similarity, separation=separation, mask=mask)
        proposal = result.output if activation is None else activation(result.output)
        proposal = proposal.astype(state.dtype)
        change = jnp.max(jnp.abs(proposal - state), axis=-1)
        moved = jnp.where(converged[..., None], state, proposal)
        return moved, steps + ~converged, converged | (change <= tol)

    steps = jnp.zeros_like(state[..., 0], dtype=jnp.int32)
    start = (state, steps, steps > 0)
    carry: Carry = vary_like(start, jax.eval_shape(advance, start))
    if energy is None:

        def unfinished(counted: tuple[Array, Carry]) -> Array:
            count, (_, _, converged) = counted
            return (count < max_steps) & ~jnp.all(converged)

        _, carry = jax.lax.while_loop(
            unfinished, lambda counted: (counted[0] + 1, advance(counted[1])), (jnp.int32(0), carry)
        )
        return Recall(*carry, None)

    def record(carry: Carry, _: None) -> tuple[Carry, Array]:
        carry = advance(carry)
        return carry, energy(carry[0], memories)

    first = energy(carry[0], memories)
    carry, later = jax.lax.scan(record, carry, length=max_steps)
    return Recall(*carry, jnp.moveaxis(jnp.concatenate([first[None], later]), 0, -1))


Carry = tuple[Array, Array, Array]


def _check_scores_fit(
    similarity: Similarity, separation: Separation, normalize_scores: bool
) -> None:
    if normalize_scores:
        check_normalizable(similarity)
    elif getattr(separation, "nonnegative_scores", False):
        _, highest = getattr(similarity, "score_range", (-np.inf, np.inf))
        require(
            highest > 0,
            "separation",
            separation,
            "one that is defined on the negative scores of this similarity "
            "(or another score convention, such as reciprocal(similarity))",
        )
