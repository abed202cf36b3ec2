"""How many centers each private cluster may open, once surplus points are pushed to the roots."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from jaxlab.checks import check_dtype, check_shape
from jaxlab.kcenter._checks import check_min_size
from jaxlab.kcenter.types import Budgets, Forest
from jaxlab.varying import vary_like

__all__ = ["opening_budgets"]


def opening_budgets(
    counts: Int[Array, "k k"], forest: Forest, min_size: int | Int[Array, ""]
) -> Budgets:
    """Opening budgets of every center, for each prefix and each threshold on the tree's edges.

    Of the tree only edges no longer than the threshold ``τ`` are kept. From the leaves to the
    roots ``η_j = ⌊N_j / L⌋``, and the surplus ``N_j − η_j L`` moves on to the parent.

    Args:
        counts: points in the private cluster of each center, ``[prefix, center]``.
        forest: the trees of the same prefixes.
        min_size: ``L``; with 0 every center may open all ``k``.

    Returns:
        The thresholds, 0 and the lengths of edges, and the budgets at each of them.

    Raises:
        ValueError: shapes that disagree; a ``min_size`` that is negative or no integer.

    Cost:
        O(k³) time and memory.

    Source:
        Angelidakis et al. 2022, phase 3.

    Example:
        >>> from jaxlab.kcenter import prefix_spanning_trees
        >>> forest = prefix_spanning_trees(jnp.array([[0.0, 2.0], [2.0, 0.0]]))
        >>> thresholds, eta = opening_budgets(jnp.array([[12, 0], [5, 7]]), forest, 4)
        >>> thresholds.tolist()
        [[0.0, inf], [0.0, 2.0]]
        >>> eta[1].tolist()
        [[1, 1], [2, 1]]
    """
    check_shape("counts", counts, forest.parent.shape)
    check_dtype("counts", counts, "integer")
    check_min_size(min_size)
    return _opening_budgets(counts, forest, min_size)


@jax.jit
def _opening_budgets(counts: Array, forest: Forest, min_size: int | Array) -> Budgets:
    k = counts.shape[0]
    size = jnp.maximum(jnp.asarray(min_size, jnp.int32), 1)
    inside = jnp.tri(k, dtype=bool)
    thresholds = jnp.sort(jnp.where(inside, forest.length, jnp.inf), axis=1)

    def budgets(counts: Array, parent: Array, length: Array, order: Array, tau: Array) -> Array:
        def leave(points: Array, j: Array) -> tuple[Array, Array]:
            whole = points[j] // size
            up = (parent[j] != j) & (length[j] <= tau)
            surplus = jnp.where(up, points[j] - whole * size, 0)
            return points.at[parent[j]].add(surplus), whole

        start = vary_like(counts.astype(jnp.int32), parent, length, order, tau, size)
        _, whole = jax.lax.scan(leave, start, order, reverse=True)
        return jnp.zeros(k, jnp.int32).at[order].set(whole)

    per_threshold = jax.vmap(budgets, (None, None, None, None, 0))
    eta = jax.vmap(per_threshold)(counts, *forest, thresholds)
    eta = jnp.where(jnp.asarray(min_size) == 0, k, eta)
    return Budgets(thresholds, jnp.where(inside[:, None, :], eta, 0))
