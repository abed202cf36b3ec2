"""The points that each preliminary center may open in its place."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxlab.checks import check_dtype, check_integer, check_shape, check_uncut
from jaxlab.kcenter._checks import as_integers
from jaxlab.kcenter.types import Candidates

__all__ = ["candidate_lists"]


def candidate_lists(
    dist: Float[Array, "n k"],
    groups: Int[Array, " n"],
    lower: Int[Array, " m"],
    upper: Int[Array, " m"],
    k: int,
) -> Candidates:
    """Of each group ``c`` the ``a_c`` nearest points, then the nearest others up to ``k``.

    Of group ``c`` there are never more than ``b_c``: what lies behind those can be replaced.

    Args:
        dist: distance of every point to each preliminary center.
        groups: group of each point, below ``m``.
        lower: ``a_c``, how many centers of each group there must be.
        upper: ``b_c``, how many there may be.
        k: number of centers and length of the lists; static.

    Returns:
        Lists of at most ``k`` points.

    Raises:
        ValueError: shapes that disagree; bounds that are no integers; groups of NumPy that do not
            fit the type jax gives them.

    Cost:
        ``m`` selections of the ``k`` smallest of ``n`` for each center; O(n k + m k²) memory.

    Source:
        Angelidakis et al. 2022, phase 4.

    Example:
        >>> dist = jnp.array([[0.0, 3.0], [1.0, 2.0], [2.0, 1.0], [3.0, 0.0]])
        >>> groups, one = jnp.array([0, 0, 0, 1]), jnp.array([1, 1])
        >>> candidate_lists(dist, groups, one, one, 2).index.tolist()
        [[0, 3], [3, 2]]
    """
    check_integer("k", k, minimum=1)
    check_shape("dist", dist, ("n", k))
    check_dtype("dist", dist, "floating")
    check_shape("groups", groups, (dist.shape[0],))
    check_uncut("groups", groups)
    lower, upper = as_integers("lower", lower), as_integers("upper", upper)
    check_shape("upper", upper, lower.shape)
    return _candidate_lists(dist, groups, lower, upper)


@jax.jit
def _candidate_lists(dist: Array, groups: Array, lower: Array, upper: Array) -> Candidates:
    n, k = dist.shape
    m = lower.shape[0]
    nearness = -dist.T
    longest = min(n, k)

    def of_group(c: Array) -> tuple[Array, Array]:
        nearest, index = jax.lax.top_k(jnp.where(groups == c, nearness, -jnp.inf), longest)
        return nearest, index

    nearness, index = jax.lax.map(of_group, jnp.arange(m))  # [m, k, longest]
    rank = jnp.arange(longest)
    there = (nearness > -jnp.inf) & (rank < upper[:, None, None])
    needed = there & (rank < lower[:, None, None])

    def table(entries: Array) -> Array:
        return jnp.swapaxes(entries, 0, 1).reshape(k, m * longest)

    # needed ones come first, then by distance, then by index
    first = table(jnp.where(needed, 0, jnp.where(there, 1, 2)))
    distance = table(jnp.where(there, -nearness, jnp.inf))
    index = table(jnp.where(there, index, n)).astype(jnp.int32)
    chosen = jax.lax.sort((first, distance, index), num_keys=3)
    distance, index = (jnp.pad(part, ((0, 0), (0, k)))[:, :k] for part in chosen[1:])
    there = jnp.pad(chosen[0] < 2, ((0, 0), (0, k)))[:, :k]
    distance = jnp.where(there, distance, jnp.inf)
    distance, index = jax.lax.sort((distance, jnp.where(there, index, n)), num_keys=2)
    there = index < n
    return Candidates(jnp.where(there, index, -1), distance, there)
