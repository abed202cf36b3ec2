"""The two kinds of function that a universal Hopfield network is made of, and their parameters."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Array, Float, Shaped

__all__ = ["Number", "NumberPerQuery", "Separation", "Similarity"]

Similarity: TypeAlias = Callable[..., Float[Array, "*b n"]]
"""``(query [*b, d], memories [n, d]) -> scores [*b, n]``, larger for the more alike."""

Separation: TypeAlias = Callable[[Float[Array, "*b n"]], Float[Array, "*b n"]]
"""``scores [*b, n] -> weights [*b, n]``, entry order kept."""

Number: TypeAlias = int | float | np.number | Shaped[Array, ""]
"""A scalar parameter; a jax scalar may be traced."""

NumberPerQuery: TypeAlias = Number | Shaped[Array, "*b"]
"""A scalar, or an array that broadcasts against the leading axes of the scores."""
