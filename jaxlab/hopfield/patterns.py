"""Synthetic patterns, for capacity laws and for tests whose answer is known."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from jaxlab.checks import check_integer, check_key, check_scalar
from jaxlab.hopfield.types import Number

__all__ = ["CorrelatedPatterns", "correlated_bipolar", "random_bipolar", "spherical_gaussian"]


@functools.partial(jax.jit, static_argnames=("n", "d"))
def random_bipolar(key: Key[Array, ""], n: int, d: int) -> Float[Array, "n d"]:
    """Independent entries −1 and +1, equally likely: the patterns of the capacity theorems.

    Args:
        key: typed PRNG key.
        n: number of patterns, static.
        d: entries of each, static.

    Returns:
        Patterns ``[n, d]`` in the default float dtype.

    Raises:
        ValueError: ``n`` or ``d`` below 1.

    Cost: O(n d).

    Source: Hopfield 1982.

    Example:
        >>> patterns = random_bipolar(jax.random.key(0), n=3, d=5)
        >>> patterns.shape, bool((jnp.abs(patterns) == 1).all())
        ((3, 5), True)
    """
    check_key("key", key)
    check_integer("n", n, minimum=1)
    check_integer("d", d, minimum=1)
    return jax.random.rademacher(key, (n, d), dtype=jnp.result_type(float))


class CorrelatedPatterns(NamedTuple):
    """Result of :func:`correlated_bipolar`.

    Attributes:
        patterns: noisy copies of the prototypes, ``[n, d]``.
        prototypes: what they are copies of, ``[k, d]``.
        prototype_index: whose copy each pattern is, ``[n]`` int32.
    """

    patterns: Float[Array, "n d"]
    prototypes: Float[Array, "k d"]
    prototype_index: Int[Array, " n"]


def correlated_bipolar(
    key: Key[Array, ""],
    n: int,
    d: int,
    *,
    num_prototypes: int,
    flip_probability: Number,
) -> CorrelatedPatterns:
    """Copies of random prototypes whose entries are flipped with probability ``p`` each.

    Two copies of one prototype agree in ``p² + (1−p)²`` of their entries on average: their mean
    correlation is ``(1 − 2p)²``. Pattern ``i`` is a copy of prototype ``i mod k``.

    Args:
        key: typed PRNG key.
        n: number of patterns, static.
        d: entries of each, static.
        num_prototypes: number ``k`` of prototypes, static.
        flip_probability: ``p``, in ``[0, 1]``; may be traced. ½ gives independent patterns.

    Returns:
        A :class:`CorrelatedPatterns`.

    Raises:
        ValueError: a size below 1, ``p`` not one number in ``[0, 1]``.

    Cost: O((n + k) d).

    Source: not in the paper; the usual model of families of alike patterns.

    Example:
        >>> key = jax.random.key(0)
        >>> made = correlated_bipolar(key, 4, 6, num_prototypes=2, flip_probability=0.0)
        >>> bool((made.patterns[:2] == made.prototypes).all()), made.prototype_index
        (True, Array([0, 1, 0, 1], dtype=int32))
    """
    check_key("key", key)
    check_scalar("flip_probability", flip_probability, minimum=0, maximum=1)
    return _correlated(key, flip_probability, n=n, d=d, num_prototypes=num_prototypes)


@functools.partial(jax.jit, static_argnames=("n", "d", "num_prototypes"))
def _correlated(
    key: Array, flip_probability: Number, *, n: int, d: int, num_prototypes: int
) -> CorrelatedPatterns:
    check_integer("n", n, minimum=1)
    check_integer("num_prototypes", num_prototypes, minimum=1)
    prototype_key, flip_key = jax.random.split(key)
    prototypes = random_bipolar(prototype_key, n=num_prototypes, d=d)
    index = jnp.arange(n, dtype=jnp.int32) % num_prototypes
    flipped = jax.random.uniform(flip_key, (n, d)) < flip_probability
    copies = prototypes[index]
    return CorrelatedPatterns(jnp.where(flipped, -copies, copies), prototypes, index)


def spherical_gaussian(
    key: Key[Array, ""], n: int, d: int, *, scale: Number = 1.0
) -> Float[Array, "n d"]:
    """Independent normal entries of standard deviation ``scale``: no direction is preferred.

    Norms concentrate around ``scale·√d``, and the angles between patterns around 90°.

    Args:
        key: typed PRNG key.
        n: number of patterns, static.
        d: entries of each, static.
        scale: standard deviation of every entry, >= 0; may be traced.

    Returns:
        Patterns ``[n, d]`` in the default float dtype.

    Raises:
        ValueError: a size below 1, a scale that is not one number >= 0.

    Cost: O(n d).

    Source: the random patterns of Ramsauer et al. 2021, up to their normalisation.

    Example:
        >>> spherical_gaussian(jax.random.key(0), 3, 5, scale=0.1).shape
        (3, 5)
    """
    check_key("key", key)
    check_integer("n", n, minimum=1)
    check_integer("d", d, minimum=1)
    check_scalar("scale", scale, minimum=0)
    return _gaussian(key, scale, n=n, d=d)


@functools.partial(jax.jit, static_argnames=("n", "d"))
def _gaussian(key: Array, scale: Number, *, n: int, d: int) -> Array:
    return scale * jax.random.normal(key, (n, d))
