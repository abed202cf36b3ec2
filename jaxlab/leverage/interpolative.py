"""Interpolative decomposition: all columns as combinations of some."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxlab.leverage._inputs import check_matrix
from jaxlab.leverage._pairs import check_indices, matmul, scaled, whiten

__all__ = ["Interpolative", "interpolative"]


class Interpolative(NamedTuple):
    """A matrix in terms of its own columns, ``A ≈ A_S X``.

    Attributes:
        coefficients: ``X``, ``[c, n]``; the identity at independent chosen columns.
        residual: ``‖A − A_S X‖_F``.
    """

    coefficients: Float[Array, "c n"]
    residual: Float[Array, ""]


def interpolative(a: Float[Array, "m n"], columns: Int[Array, " c"]) -> Interpolative:
    """The best coefficients with which chosen columns give all, ``min_X ‖A_S X − A‖_F``.

    That is ``X = A_S⁺ A`` where the chosen columns are independent. Where they are not, ``X`` has
    the least norm in terms of them at unit length, so that it does not hang on their units.
    Derivatives are those of changes that keep the rank of the chosen columns.

    Args:
        a: the matrix, ``[m, n]``.
        columns: the chosen columns, ``[c]``, from any way to choose them.

    Returns:
        Coefficients and residual.

    Raises:
        ValueError: a matrix that is not 2-D, empty or not finite; indices that are no columns.

    Cost:
        ``O(m n c)``.

    Source:
        Cheng, Gimbutas, Martinsson, Rokhlin 2005, *On the compression of low rank matrices*.

    Example:
        >>> a = jnp.array([[1.0, 0.0, 2.0], [0.0, 1.0, 3.0]])
        >>> interpolative(a, jnp.array([0, 1])).coefficients.round(4).tolist()
        [[1.0, 0.0, 2.0], [0.0, 1.0, 3.0]]
    """
    check_matrix("a", a)
    return _interpolative(a, check_indices("columns", columns, a.shape[1]))


@jax.jit
def _interpolative(a: Array, columns: Array) -> Interpolative:
    a, scale = scaled(a)
    basis, white = whiten(a[:, columns])
    inside = matmul(basis.T, a)
    left = a - matmul(basis, inside)
    return Interpolative(matmul(white.weights, inside), scale * jnp.sqrt(jnp.sum(left * left)))
