"""Who holds which points: the flow of a private assignment, compressed to the centers.

Two forms with the same operations. :class:`Points` holds whole points, a bit each, 32 of them in a
word: counting and moving cost a thirty-second of a pass over the points. :class:`Weighted` holds
any number of the units that a point weighs.

``held [k + 1, ...]`` has a row for each center and one for what is free. ``reach [k, ...]`` says
what lies within the radius of each center.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.kcenter.order_statistics import kth_smallest
from jaxlab.varying import vary_like

__all__ = ["Points", "Weighted", "pack", "summed", "unpack"]

LANES = 32


class Points(NamedTuple):
    """Points of weight one.

    Point ``32 w + b`` is bit ``b`` of word ``w``; its distances stand at ``[b, :, w]``, so that
    packing works on whole vectors of words.

    Attributes:
        distances: ``[32, k, words]``, infinite for points that are not there.
        present: bits of the points that are there, ``[words]``.
    """

    distances: Array
    present: Array

    @classmethod
    def of(cls, dist: Array, mask: Array | None) -> "Points":
        """The points of a table ``[n, k]``."""
        n = dist.shape[0]
        words = -(-n // LANES)
        present = jnp.ones(n, bool) if mask is None else mask
        known = jnp.where(present[:, None], dist, jnp.inf)
        padded = jnp.pad(known, ((0, words * LANES - n), (0, 0)), constant_values=jnp.inf)
        lanes = padded.reshape(words, LANES, -1).transpose(1, 2, 0)
        there = jnp.pad(present, (0, words * LANES - n)).reshape(words, LANES).T
        return vary_like(cls(lanes, pack(there)))

    def free(self) -> Array:
        """All points, held by no center."""
        k, words = self.distances.shape[1:]
        return jnp.zeros((k + 1, words), jnp.uint32).at[k].set(self.present)

    def within(self, radius: Array) -> Array:
        """What each center can reach."""
        return pack((self.distances <= radius) & (self.distances < jnp.inf))

    def there(self) -> Array:
        """Which points are there."""
        return unpack(self.present)

    def total(self) -> Array:
        """Number of points on this device."""
        return _ones(self.present)

    def amounts(self, held: Array, reach: Array) -> Array:
        """How much of what each row holds each center can reach, ``[k + 1, k]``."""
        return _ones(held[:, None] & reach[None])

    def first(self, eligible: Array, amount: Array) -> Array:
        """The first points of ``eligible``, so many."""
        ones = _ones(eligible[:, None])
        before = jnp.cumsum(ones) - ones
        whole = before + ones <= amount
        cut = jnp.argmin(whole)  # the word that is taken in part, if there is one
        bits = unpack(eligible[cut])
        part = pack(bits & (jnp.cumsum(bits) <= amount - before[cut]))
        taken = jnp.where(whole, eligible, 0)
        return taken.at[cut].set(jnp.where(whole[cut], taken[cut], part))

    def eligible(self, held: Array, reach: Array) -> Array:
        """What is held in one row and reached by one center."""
        return held & reach

    def amount(self, moved: Array) -> Array:
        """How much that is."""
        return _ones(moved)

    def transfer(self, held: Array, source: Array, target: Array, moved: Array) -> Array:
        """Give ``moved`` from one row to another."""
        held = held.at[source].set(held[source] ^ moved)
        return held.at[target].set(held[target] | moved)

    def nearest_to(self, chosen: Array) -> Array:
        """Distance of each point to the nearest of the chosen centers."""
        return jnp.min(jnp.where(chosen[:, None], self.distances, jnp.inf), axis=1)

    def kth(self, values: Array, rank: Array, axis_name: str | None) -> Array:
        """The value that ``rank`` points do not exceed."""
        return kth_smallest(values, rank, axis_name=axis_name)

    def column(self, center: Array | int) -> Array:
        """Distances to one center."""
        return jax.lax.dynamic_index_in_dim(self.distances, center, axis=1, keepdims=False)

    def row(self, position: Array) -> Array:
        """Distances of one point to all centers."""
        return self.distances[position % LANES, :, position // LANES]

    def holders(self, held: Array) -> Array:
        """Row that holds each point, ``[n]`` and padding; −1 for none."""
        numbers = jnp.arange(1, held.shape[0] + 1, dtype=jnp.int32)[:, None]
        found = jnp.where(unpack(held), numbers, 0)
        return jnp.sum(found, axis=1, dtype=jnp.int32).T.reshape(-1) - 1

    def locate(self, hits: Array) -> Array:
        """Position of the first point where ``hits``; past the end if there is none."""
        lanes, words = hits.shape
        lane = jnp.arange(lanes, dtype=jnp.int32)[:, None]
        position = jnp.arange(words, dtype=jnp.int32) * LANES + lane
        return jnp.min(jnp.where(hits, position, words * LANES))


class Weighted(NamedTuple):
    """Points of several units each.

    Attributes:
        distances: ``[k, n]``, infinite for points that are not there.
        weights: units of each point, ``[n]`` int32; 0 for points that are not there.
    """

    distances: Array
    weights: Array

    @classmethod
    def of(cls, dist: Array, weights: Array) -> "Weighted":
        """The points of a table ``[n, k]``."""
        return vary_like(cls(jnp.where(weights > 0, dist.T, jnp.inf), weights.astype(jnp.int32)))

    def free(self) -> Array:
        """All units, held by no center."""
        k, n = self.distances.shape
        return jnp.zeros((k + 1, n), jnp.int32).at[k].set(self.weights)

    def within(self, radius: Array) -> Array:
        """What each center can reach."""
        return (self.distances <= radius) & (self.distances < jnp.inf)

    def there(self) -> Array:
        """Which points are there."""
        return self.weights > 0

    def total(self) -> Array:
        """Units on this device."""
        return jnp.sum(self.weights, dtype=jnp.int32)

    def amounts(self, held: Array, reach: Array) -> Array:
        """How much of what each row holds each center can reach, ``[k + 1, k]``."""
        return jax.lax.map(lambda row: self.amount(self.eligible(row[None], reach)), held)

    def first(self, eligible: Array, amount: Array) -> Array:
        """The first units of ``eligible``, so many."""
        before = jnp.cumsum(eligible) - eligible
        return jnp.clip(amount - before, 0, eligible)

    def eligible(self, held: Array, reach: Array) -> Array:
        """What is held in one row and reached by one center."""
        return jnp.where(reach, held, 0)

    def amount(self, moved: Array) -> Array:
        """How much that is."""
        return jnp.sum(moved, axis=-1, dtype=jnp.int32)

    def transfer(self, held: Array, source: Array, target: Array, moved: Array) -> Array:
        """Give ``moved`` from one row to another."""
        return held.at[source].add(-moved).at[target].add(moved)

    def nearest_to(self, chosen: Array) -> Array:
        """Distance of each point to the nearest of the chosen centers."""
        return jnp.min(jnp.where(chosen[:, None], self.distances, jnp.inf), axis=0)

    def kth(self, values: Array, rank: Array, axis_name: str | None) -> Array:
        """The value that ``rank`` units do not exceed."""
        return kth_smallest(values, rank, weights=self.weights, axis_name=axis_name)

    def column(self, center: Array | int) -> Array:
        """Distances to one center."""
        return self.distances[center]

    def row(self, position: Array) -> Array:
        """Distances of one point to all centers."""
        return self.distances[:, position]

    def locate(self, hits: Array) -> Array:
        """Position of the first point where ``hits``; past the end if there is none."""
        n = hits.shape[0]
        return jnp.min(jnp.where(hits, jnp.arange(n, dtype=jnp.int32), n))


def pack(bits: Array) -> Array:
    """Words of the bits ``[32, ...]``."""
    lanes = jnp.arange(LANES, dtype=jnp.uint32).reshape((LANES,) + (1,) * (bits.ndim - 1))
    values = bits.astype(jnp.uint32) << lanes
    # a sum, as no bit is there twice: XLA on CPUs has no "or" over devices
    return jnp.sum(values, axis=0, dtype=jnp.uint32)


def unpack(words: Array) -> Array:
    """Bits ``[32, ...]`` of words."""
    lanes = jnp.arange(LANES, dtype=jnp.uint32).reshape((LANES,) + (1,) * words.ndim)
    return (words >> lanes) & 1 == 1


def summed(value: Any, axis_name: str | None) -> Any:
    """Sum over the devices, if there are several."""
    return value if axis_name is None else jax.lax.psum(value, axis_name)


def _ones(words: Array) -> Array:
    """Number of bits set along the last axis."""
    return jnp.sum(jax.lax.population_count(words).astype(jnp.int32), axis=-1, dtype=jnp.int32)
