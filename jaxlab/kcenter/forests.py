"""Minimum spanning trees of every prefix of the Gonzalez order, grown from its first center.

Cutting the edges longer than a threshold leaves rooted forests, along which surplus points are
pushed from the leaves to the roots.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxlab.checks import check_dtype, require
from jaxlab.kcenter.types import Forest
from jaxlab.varying import vary_like

__all__ = ["prefix_spanning_trees"]


#: centers outside of the tree, their parents, their distances to it
_Tree = tuple[Array, Array, Array]


@jax.jit
def prefix_spanning_trees(center_dist: Float[Array, "k k"]) -> Forest:
    """Prim's tree from center 0, for each prefix of the centers.

    ``j* = argmin_{j outside} min_{u inside} d(u, j)``, ties to the lowest index at either end.

    Args:
        center_dist: symmetric distances between the centers.

    Returns:
        Parents, edge lengths and insertion order of every tree.

    Raises:
        ValueError: distances that are not a square matrix of floating point numbers.

    Cost:
        O(k³) time, O(k²) memory.

    Source:
        Angelidakis et al. 2022, phase 3.

    Example:
        >>> line = jnp.array([0.0, 5.0, 2.0])
        >>> forest = prefix_spanning_trees(jnp.abs(line[:, None] - line))
        >>> forest.parent.tolist()
        [[0, 1, 2], [0, 0, 2], [0, 2, 0]]
        >>> forest.order[2].tolist(), forest.length[2].tolist()
        ([0, 2, 1], [0.0, 3.0, 2.0])
    """
    check_dtype("center_dist", center_dist, "floating")
    shape = center_dist.shape
    square = len(shape) == 2 and shape[0] == shape[1]
    require(square, "center_dist", center_dist, "a square matrix")
    k = shape[0]
    centers = jnp.arange(k, dtype=jnp.int32)

    def tree(last: Array) -> Forest:
        inside = centers <= last

        def insert(carry: _Tree, _: None) -> tuple[_Tree, Array]:
            outside, parent, length = carry
            j = jnp.argmin(jnp.where(outside, length, jnp.inf)).astype(jnp.int32)
            outside = outside & (centers != j)
            closer = (center_dist[j] < length) | ((center_dist[j] == length) & (j < parent))
            closer &= outside  # nobody, once all of the prefix are in
            parent = jnp.where(closer, j, parent)
            return (outside, parent, jnp.where(closer, center_dist[j], length)), j

        # the root stands at 0; the rest at infinity, where centers beyond the prefix stay
        length = jnp.where(centers == 0, 0, jnp.inf).astype(center_dist.dtype)
        start = vary_like((inside, centers, length), center_dist)
        (_, parent, length), order = jax.lax.scan(insert, start, None, length=k)
        order = jnp.where(inside, order, centers)
        return Forest(parent, jnp.where(inside, length, 0), order)

    return jax.vmap(tree)(centers)
