"""Products with a Jacobian, for networks that only reverse mode can differentiate too."""

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array

__all__ = ["push_forward"]


def push_forward(function: Callable[..., Any], leaves: list[Array]) -> Callable[..., Any]:
    """``J`` as the transpose of ``Jᵀ``: the cost of forward mode, also where that is not defined.

    A function with a custom reverse-mode rule has no forward-mode one. What comes back takes what
    ``jax.vjp`` returns, a tuple around the tangents of ``leaves``, and returns a tuple as well.
    """
    outputs, pull = jax.vjp(function, leaves)
    return jax.linear_transpose(pull, outputs)
