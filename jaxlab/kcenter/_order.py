"""A farthest-first order while it is made."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from jaxlab.varying import vary_like

__all__ = ["Order"]


class Order(NamedTuple):
    """Picks, and who is farthest after each.

    Points that have been picked or are masked away have the value −1, below all others.

    Attributes:
        indices: the picks; −1 where nothing was left to pick.
        farthest: the point farthest from the first ``i + 1`` picks.
        nearest: position of the pick that it is nearest to.
        radii: its value, which compares as the distance does.
        values: values of all points to their nearest picks.
        labels: position of each point's nearest pick.
    """

    indices: Array
    farthest: Array
    nearest: Array
    radii: Array
    values: Array
    labels: Array

    @classmethod
    def empty(cls, k: int, values: Array, pick: Array) -> "Order":
        """Nothing picked, where a loop over these values begins with this pick."""
        none, radii = jnp.full(k, -1, jnp.int32), jnp.zeros(k, values.dtype)
        none, radii = vary_like((none, radii), pick)
        nothing = jnp.zeros_like(values), jnp.full(values.shape, -1, jnp.int32)
        return cls(none, none, none, radii, *vary_like(nothing, values))

    def record(self, i: Array, pick: Array, best: Array, far: Array, label: Array) -> "Order":
        """Pick ``i``, after which ``far``, nearest to pick ``label``, is farthest."""
        left = best >= 0
        return self._replace(
            indices=self.indices.at[i].set(pick),
            farthest=self.farthest.at[i].set(jnp.where(left, far, pick)),
            nearest=self.nearest.at[i].set(jnp.where(left, label, i)),
            radii=self.radii.at[i].set(jnp.maximum(best, 0)),
        )
