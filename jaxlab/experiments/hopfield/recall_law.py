"""Exact recall of random bipolar patterns in one step, and the law its capacity follows.

One step is ``sign(Mᵀ sep(M q))``, or the rule of Krotov and Hopfield, which compares the two values
that a neuron may take and so leaves out what a neuron tells itself:

    z_i = sign Σ_μ [F(m_μi + s_μ^{(i)}) − F(−m_μi + s_μ^{(i)})],  F(x) = x^{p+1},
    s_μ^{(i)} = Σ_{j≠i} m_μj q_j.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from jaxlab.hopfield.corruption import flip_bits
from jaxlab.hopfield.models import bipolar_sign
from jaxlab.hopfield.patterns import random_bipolar
from jaxlab.hopfield.retrieval import retrieve
from jaxlab.hopfield.separation import exponential, polynomial, rectified_polynomial
from jaxlab.hopfield.similarity import dot_product
from jaxlab.hopfield.types import Separation

__all__ = [
    "Law",
    "Rule",
    "count_grid",
    "exact_recall",
    "fit_law",
    "half_recall",
    "self_excluded_field",
]


class Rule(NamedTuple):
    """One way to compute the field: ``kind`` and, but for the exponential, a ``power``."""

    kind: Literal["signed", "unsigned", "rectified", "excluded", "exponential"]
    power: int = 1

    @property
    def label(self) -> str:
        """Name in keys, tables and legends."""
        return {
            "signed": f"power {self.power}",
            "unsigned": f"power {self.power}, unsigned",
            "rectified": f"power {self.power}, rectified",
            "excluded": f"power {self.power}, no self-coupling",
            "exponential": "exponential",
        }[self.kind]

    @property
    def separation(self) -> Separation:
        """The separation function; the ``excluded`` kind has none."""
        return {
            "signed": polynomial(self.power, signed=True),
            "unsigned": polynomial(self.power),
            "rectified": rectified_polynomial(self.power),
            "exponential": exponential(1.0),
        }[self.kind]


def self_excluded_field(
    query: Float[Array, "q d"],
    memories: Float[Array, "n d"],
    stored: Float[Array, " n"],
    *,
    power: int,
) -> Float[Array, "q d"]:
    """Field of Krotov and Hopfield's update, without the coupling of a neuron to itself.

    ``Σ_μ stored_μ [F(m + x) − F(−m + x)]`` with ``F(x) = x^{p+1}``, ``m = m_μi = ±1`` and
    ``x = s_μ − m_μi q_i``. As ``m² = 1`` the bracket is ``2 m Σ_{k odd} C(p+1, k) x^{p+1−k}``,
    which is how it is computed: nothing cancels.

    Args:
        query: bipolar queries.
        memories: bipolar patterns.
        stored: 1 for memories that count, 0 for the others.
        power: separation power ``p``.

    Returns:
        One field per query and neuron.

    Cost: O(q·n·d·p) time, O(n·d) memory.

    Source: Krotov and Hopfield 2016, equation 3.

    Example:
        >>> memories = jnp.array([[1.0, 1.0, -1.0]])
        >>> self_excluded_field(memories, memories, jnp.array([1.0]), power=1)
        Array([[ 8.,  8., -8.]], dtype=float32)
    """
    degree = power + 1
    odd = range(1, degree + 1, 2)

    def of_one(q: Array) -> Array:
        others = (memories @ q)[:, None] - memories * q
        change = sum(math.comb(degree, k) * others ** (degree - k) for k in odd)
        return 2 * jnp.sum(stored[:, None] * memories * change, axis=0)

    return jax.lax.map(of_one, query)


@functools.partial(jax.jit, static_argnames=("rule", "dim", "max_count", "queries"))
def exact_recall(
    key: Key[Array, ""],
    counts: Int[Array, " c"],
    flip: Float[Array, ""],
    *,
    rule: Rule,
    dim: int,
    max_count: int,
    queries: int,
) -> Float[Array, " c"]:
    """Share of queries recalled exactly in one step, for every number of stored patterns.

    All counts share patterns, queries and flips: query ``j`` is a corrupted pattern ``j mod N``.
    """
    of_patterns, of_flips = jax.random.split(key)
    patterns = random_bipolar(of_patterns, n=max_count, d=dim)
    flips = flip_bits(of_flips, jnp.ones((queries, dim), jnp.float32), flip)

    def at(count: Array) -> Array:
        stored = jnp.arange(max_count) < count
        target = patterns[jnp.arange(queries) % count]
        query = target * flips
        if rule.kind == "excluded":
            field = self_excluded_field(query, patterns, stored * 1.0, power=rule.power)
        else:
            field = retrieve(
                query,
                patterns,
                similarity=dot_product,
                separation=rule.separation,
                mask=stored,
            ).output
        return jnp.mean(jnp.all(bipolar_sign(field) == target, axis=-1))

    return jax.lax.map(at, counts)


def half_recall(counts: Sequence[int], recall: Sequence[float]) -> float:
    """``N½``: where ``recall`` first falls below ½, interpolated in ``log N``.

    It is infinite when recall does not fall below ½, and 0 when it is below from the start.

    Example:
        >>> half_recall([2, 8, 32], [1.0, 0.75, 0.25])
        16.0
        >>> half_recall([2, 8, 32], [1.0, 1.0, 0.75])
        inf
    """
    below = [index for index, value in enumerate(recall) if value < 0.5]
    if not below:
        return math.inf
    if below[0] == 0:
        return 0.0
    low, high = below[0] - 1, below[0]
    share = (recall[low] - 0.5) / (recall[low] - recall[high])
    logs = np.log([counts[low], counts[high]])
    return round(float(np.exp(logs[0] + share * (logs[1] - logs[0]))), 6)


def count_grid(max_count: int) -> list[int]:
    """2, 3, 4, 6, 8, 11, 16, … up to ``max_count``: half octaves, rounded."""
    top = int(2 * math.log2(max_count))
    return sorted({round(2 ** (step / 2)) for step in range(2, top + 1)} | {max_count})


class Law(NamedTuple):
    """N½ of one rule at several dimensions, and the exponent fitted to it.

    Attributes:
        halves: N½ per seed by dimension; see :func:`half_recall` for 0 and infinity.
        exponents: slope of log N½ against log d, one per seed; None with fewer than two dimensions
            whose N½ lies inside the grid for every seed.
    """

    halves: Mapping[int, list[float]]
    exponents: list[float] | None

    @property
    def inside(self) -> tuple[np.ndarray, np.ndarray]:
        """Dimensions whose N½ lies inside the grid, and N½ there, ``[dims, seeds]``."""
        found = {dim: half for dim, half in self.halves.items() if _is_inside(half)}
        return np.array(list(found)), np.array(list(found.values()))


def fit_law(halves: Mapping[int, list[float]]) -> Law:
    """The law of one rule from its N½ per seed, by dimension.

    Example:
        >>> fit_law({8: [4.0], 16: [16.0], 32: [math.inf]}).exponents
        [2.0]
    """
    law = Law(halves, None)
    dims, inside = law.inside
    if len(dims) < 2:
        return law
    slopes = np.polyfit(np.log(dims), np.log(inside), 1)[0]
    return law._replace(exponents=slopes.round(6).tolist())


def _is_inside(half: Sequence[float]) -> bool:
    return all(0 < value < math.inf for value in half)
