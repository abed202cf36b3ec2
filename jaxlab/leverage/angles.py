"""Principal angles between two subspaces, accurate for small and for large ones."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.checks import require
from jaxlab.leverage._inputs import check_matrix
from jaxlab.leverage._pairs import matmul
from jaxlab.leverage.decomposition import orthonormal_basis

__all__ = ["principal_angles"]


def principal_angles(
    x: Float[Array, "m p"], y: Float[Array, "m q"], *, rtol: Any = None
) -> Float[Array, " k"]:
    """Principal angles between the spans of two sets of columns.

    ``θ_i = atan2(sin_i, cos_i)`` with ``cos_i = σ_i(Q_xᵀ Q_y)`` in descending and ``sin_i`` the
    singular values of ``Q_y − Q_x Q_xᵀ Q_y`` in ascending order. A cosine near 1 says nothing of a
    small angle, and a sine near 1 nothing of a large one; together they are accurate everywhere.

    Args:
        x: columns that span the first subspace; they may depend on each other.
        y: columns that span the second.
        rtol: relative to the largest singular value, what counts as dependent; as of
            :func:`orthonormal_basis`.

    Returns:
        ``min(p, q)`` angles in radians, ascending, in [0, π/2]; π/2 for each column that depends
        on others.

    Raises:
        ValueError: ``x`` or ``y`` not 2-D, empty or not finite; not the same number of rows; a
            negative ``rtol``.

    Cost:
        O(m (p + q)²).

    Source:
        Björck, Golub 1973; Knyazev, Argentati 2002.

    Example:
        >>> print(principal_angles(jnp.eye(3)[:, :2], jnp.eye(3)[:, 1:]))
        [0.        1.5707964]
    """
    check_matrix("x", x)
    check_matrix("y", y)
    require(x.shape[0] == y.shape[0], "y", y, f"the same number of rows as x, {x.shape[0]}")
    if y.shape[1] > x.shape[1]:
        x, y = y, x
    basis_x, _ = orthonormal_basis(x, rtol=rtol)
    basis_y, rank = orthonormal_basis(y, rtol=rtol)
    return _angles(basis_x, basis_y, rank, y.shape[1])


@functools.partial(jax.jit, static_argnames=("size",))
def _angles(x: Array, y: Array, rank: Array, size: int) -> Array:
    common = matmul(x.T, y)
    cosines = jnp.linalg.svd(common, full_matrices=False, compute_uv=False)
    # with full matrices, room for m x m numbers is taken even where no vectors are asked for
    residual = jnp.linalg.svd(y - matmul(x, common), full_matrices=False, compute_uv=False)
    # columns of zeros stand for dependent directions: their zeros are no sines
    order = rank - 1 - jnp.arange(residual.shape[0])
    sines = jnp.where(order >= 0, residual[jnp.maximum(order, 0)], 1)
    angles = jnp.arctan2(jnp.clip(sines, 0, 1), jnp.clip(cosines, 0, 1))
    # more columns than rows leave directions that cannot exist
    return jnp.append(angles, jnp.full(size - angles.shape[0], jnp.pi / 2, angles.dtype))
