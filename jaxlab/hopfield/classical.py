"""The classical Hopfield network of ±1 neurons and symmetric weights.

Its energy ``E(v) = −½ vᵀWv`` never rises when neurons change one after the other, each to the sign
of its field ``(Wv)_i``, provided that ``W`` is symmetric with a zero diagonal; so asynchronous
recall ends in a fixed point. When all change at once, a symmetric network ends in a fixed point or
in a cycle of two states.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float, Int, Key, Real

from jaxlab.checks import check_dtype, check_integer, check_key, check_shape, require
from jaxlab.hopfield._declare import EXACT, as_bipolar
from jaxlab.hopfield.bipolar import bipolar_sign
from jaxlab.hopfield.retrieval import Recall
from jaxlab.varying import vary_like

__all__ = [
    "AsynchronousRecall",
    "asynchronous_recall",
    "hopfield_energy",
    "synchronous_recall",
]


@jax.jit
def hopfield_energy(state: Real[Array, "*b d"], weights: Float[Array, "d d"]) -> Float[Array, "*b"]:
    """Energy ``−½ vᵀWv`` of the classical network.

    Args:
        state: bipolar states, ``[*b, d]``.
        weights: symmetric weights, ``[d, d]``.

    Returns:
        Energies ``[*b]``.

    Raises:
        ValueError: shapes that do not fit; boolean states.

    Cost: one matrix product.

    Source: Hopfield 1982, equation 7.

    Example:
        >>> hopfield_energy(jnp.array([1.0, -1.0]), jnp.array([[0.0, -1.0], [-1.0, 0.0]]))
        Array(-1., dtype=float32)
    """
    v = _checked_state("state", state, weights)
    return -0.5 * jnp.sum(v * jnp.matmul(v, weights, precision=EXACT), axis=-1)


@functools.partial(jax.jit, static_argnames=("max_steps",))
def synchronous_recall(
    query: Real[Array, "*b d"], weights: Float[Array, "d d"], *, max_steps: int
) -> Recall:
    """All neurons at once, ``v ← sign(Wv)`` with 0 ↦ +1, until nothing changes.

    ``max_steps=1`` is the one-step recall of capacity theory. A state caught in a cycle of two ends
    after ``max_steps`` with ``converged`` False. Each query is on its own.

    Args:
        query: bipolar states to start from, ``[*b, d]``.
        weights: symmetric weights, ``[d, d]``.
        max_steps: most steps, >= 1, static.

    Returns:
        A :class:`~jaxlab.hopfield.retrieval.Recall` with the energies of every step,
        ``[*b, max_steps + 1]``; they may rise, unlike those of :func:`asynchronous_recall`.

    Raises:
        ValueError: shapes that do not fit; boolean states; ``max_steps`` below 1.

    Cost: ``max_steps`` matrix products.

    Source: Little 1974; Millidge et al. 2022, section 3.1.

    Example:
        >>> from jaxlab.hopfield.learning_rules import hebbian_weights
        >>> weights = hebbian_weights(jnp.array([[1.0, -1.0, 1.0, 1.0]]))
        >>> recalled = synchronous_recall(jnp.array([1.0, -1.0, 1.0, -1.0]), weights, max_steps=5)
        >>> recalled.output, int(recalled.steps), bool(recalled.converged)
        (Array([ 1., -1.,  1.,  1.], dtype=float32), 2, True)
    """
    check_integer("max_steps", max_steps, minimum=1)
    state = _checked_state("query", query, weights)

    def step(carry: tuple[Array, Array, Array], _: None) -> tuple[tuple, Array]:
        state, steps, converged = carry
        proposal = bipolar_sign(jnp.matmul(state, weights, precision=EXACT))
        moved = jnp.where(converged[..., None], state, proposal)
        steps = steps + ~converged
        converged = converged | jnp.all(proposal == state, axis=-1)
        return (moved, steps, converged), hopfield_energy(moved, weights)

    steps = jnp.zeros(state.shape[:-1], jnp.int32)
    first = hopfield_energy(state, weights)
    start = vary_like((state, steps, steps > 0), weights)
    (state, steps, converged), later = jax.lax.scan(step, start, length=max_steps)
    return Recall(
        state, steps, converged, jnp.moveaxis(jnp.concatenate([first[None], later]), 0, -1)
    )


class AsynchronousRecall(NamedTuple):
    """Result of :func:`asynchronous_recall`.

    Attributes:
        output: final states, ``[*b, d]``.
        sweeps: sweeps over all neurons until one made no flip, that one included, ``[*b]`` int32.
        converged: whether the last sweep made no flip and the energy is finite, ``[*b]``.
        energies: energy before the first and after every sweep, constant once converged,
            ``[*b, max_sweeps + 1]``.
    """

    output: Float[Array, "*b d"]
    sweeps: Int[Array, "*b"]
    converged: Bool[Array, "*b"]
    energies: Float[Array, "*b sweeps"]


@functools.partial(jax.jit, static_argnames=("max_sweeps",))
def asynchronous_recall(
    key: Key[Array, ""],
    query: Real[Array, "*b d"],
    weights: Float[Array, "d d"],
    max_sweeps: int,
) -> AsynchronousRecall:
    """One neuron after the other, in a fresh random order every sweep, until a sweep flips none.

    A neuron whose field is 0 keeps its state, so the energy falls with every flip by at least
    ``2|field|`` and the recall converges after finitely many sweeps.

    Args:
        key: typed PRNG key, split among the queries of a batch.
        query: bipolar states to start from, ``[*b, d]``.
        weights: symmetric weights with zero diagonal, ``[d, d]``. Otherwise energies can rise.
        max_sweeps: most sweeps, >= 1, static.

    Returns:
        An :class:`AsynchronousRecall`.

    Raises:
        ValueError: shapes that do not fit; boolean states; ``max_sweeps`` below 1.

    Cost: O(d²) per query and sweep: O(d) per neuron, sequentially; a copy of the weights.

    Source: Hopfield 1982.

    Example:
        >>> from jaxlab.hopfield.learning_rules import hebbian_weights
        >>> weights = hebbian_weights(jnp.array([[1.0, -1.0, 1.0, 1.0]]))
        >>> start = jnp.array([1.0, -1.0, 1.0, -1.0])
        >>> recalled = asynchronous_recall(jax.random.key(0), start, weights, max_sweeps=10)
        >>> recalled.output, int(recalled.sweeps), bool(recalled.converged)
        (Array([ 1., -1.,  1.,  1.], dtype=float32), 2, True)
    """
    check_key("key", key)
    check_integer("max_sweeps", max_sweeps, minimum=1)
    state = _checked_state("query", query, weights)
    recall = functools.partial(_recall_one, weights=weights, max_sweeps=max_sweeps)
    batch = state.shape[:-1]
    if not batch:
        return recall(key, state)
    count = math.prod(batch)
    found = jax.vmap(recall)(jax.random.split(key, count), state.reshape(count, state.shape[-1]))
    return jax.tree.map(lambda x: x.reshape(*batch, *x.shape[1:]), found)


def _recall_one(key: Array, state: Array, *, weights: Array, max_sweeps: int) -> AsynchronousRecall:
    dim = state.shape[0]
    columns = weights.T  # laid out one after the other: every visit reads one

    def sweep(carry: AsynchronousRecall) -> AsynchronousRecall:
        v, done, _, energies = carry
        order = jax.random.permutation(jax.random.fold_in(key, done), dim)

        def visit(place: Int[ArrayLike, ""], carry: tuple[Array, Array]) -> tuple[Array, Array]:
            v, field = carry
            i = order[place]
            new = jnp.where(field[i] > 0, 1, jnp.where(field[i] < 0, -1, v[i])).astype(v.dtype)
            return v.at[i].set(new), field + columns[i] * (new - v[i])

        field = jnp.matmul(weights, v, precision=EXACT)
        new, _ = jax.lax.fori_loop(0, dim, visit, (v, field))
        done = done + 1
        later = jnp.arange(max_sweeps + 1) >= done
        energy = hopfield_energy(new, weights)
        # a field that is NaN flips no neuron either
        converged = jnp.all(new == v) & jnp.isfinite(energy)
        return AsynchronousRecall(new, done, converged, jnp.where(later, energy, energies))

    energies = jnp.full(max_sweeps + 1, hopfield_energy(state, weights))
    start = AsynchronousRecall(state, jnp.int32(0), jnp.bool_(False), energies)
    start = vary_like(start, weights, key)
    return jax.lax.while_loop(
        lambda carry: (carry.sweeps < max_sweeps) & ~carry.converged, sweep, start
    )


def _checked_state(argument: str, state: Array, weights: Array) -> Float[Array, "*b d"]:
    check_shape("weights", weights, ("d", "d"))
    check_dtype("weights", weights, "floating")
    require(weights.shape[0] == weights.shape[1], "weights", weights, "a square matrix")
    check_shape(argument, state, ("...", weights.shape[0]))
    return as_bipolar(argument, state).astype(weights.dtype)
