"""The order of arrivals: edges by their later end, triangles by their last vertex."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxlab.checks import check_integer, check_shape, require
from jaxlab.correlation_clustering._windows import PADDING
from jaxlab.correlation_clustering.types import ArrivalPlan, Links
from jaxlab.graphs import graph_from_edges
from jaxlab.graphs.triangles import list_triangles

__all__ = ["make_arrival_plan"]

TRIANGLE_WINDOW = 256
EDGE_WINDOW = 64


def make_arrival_plan(
    edges: Any,
    order: Any,
    *,
    edge_capacity: int | None = None,
    triangle_capacity: int | None = None,
    edge_window: int = EDGE_WINDOW,
    triangle_window: int = TRIANGLE_WINDOW,
) -> ArrivalPlan:
    """What :func:`run_online` needs to know of a graph whose vertices arrive one after the other.

    Args:
        edges: pairs of vertices, ``[m, 2]`` integers, each pair once, in either order.
        order: the vertices in the order of their arrival, ``[n]``: a permutation.
        edge_capacity: number of edges to leave room for; None for ``m``. Plans are stacked for
            ``jax.vmap`` when all capacities are equal.
        triangle_capacity: number of triangles to leave room for; None for what there are.
        edge_window: how many edges of an arrival are taken at a time, up to 1024: about the number
            that most arrivals have.
        triangle_window: how many triangles of an arrival are taken at a time.

    Returns:
        The plan; vertex ``order[t]`` is number ``t`` in it and in all that follows.

    Raises:
        ValueError: an edge with an end that is not there, a loop, or a repeated edge; an ``order``
            that is not a permutation; a capacity or window that is too small.

    Cost:
        That of finding the triangles, on the host: O(m d) for ``d`` the degeneracy.

    Example:
        >>> plan = make_arrival_plan([[0, 1], [1, 2]], [2, 1, 0])
        >>> plan.edge_ptr.tolist(), plan.links.senders[:2].tolist()
        ([0, 0, 1, 2], [0, 1])
    """
    order = np.asarray(order)
    check_shape("order", order, ("n",))
    n = len(order)
    permutes = order.dtype.kind in "iu" and np.array_equal(np.sort(order), np.arange(n))
    require(permutes or n == 0, "order", order, f"a permutation of 0 to {n - 1}")
    arrival = np.empty(n, np.int64)
    arrival[order.astype(np.int64)] = np.arange(n)
    graph_from_edges(edges, n)  # refuses what is no list of pairs, or no simple graph
    given = np.asarray(edges).reshape(-1, 2)  # of an empty list of any shape too
    pairs = np.sort(arrival[given.astype(np.int64)], axis=1)
    pairs = pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))]
    m = len(pairs)
    vertices, triangles = list_triangles(graph_from_edges(pairs, n))
    last = vertices[:, 2]
    triangles = triangles[np.argsort(last, kind="stable")]

    edge_capacity = m if edge_capacity is None else edge_capacity
    count = len(triangles)
    triangle_capacity = count if triangle_capacity is None else triangle_capacity
    check_integer("edge_capacity", edge_capacity, minimum=m)
    check_integer("triangle_capacity", triangle_capacity, minimum=count)
    check_integer("edge_window", edge_window, minimum=1)
    require(edge_window <= PADDING, "edge_window", edge_window, f"at most {PADDING}")
    check_integer("triangle_window", triangle_window, minimum=1)

    slots = edge_capacity + PADDING
    padded = np.full((slots, 2), n, np.int32)
    padded[:m] = pairs
    # a vertex's own edges to those before it come first, then the others in order of arrival:
    # that is the order of the slots
    ends = np.concatenate([pairs[:, 0], pairs[:, 1]])
    slot = np.concatenate([np.arange(m), np.arange(m)])
    incident = np.zeros(2 * edge_capacity + 1, np.int32)
    incident[: 2 * m] = slot[np.lexsort((slot, ends))]
    degree = np.bincount(ends, minlength=n)
    listed = np.full((triangle_capacity + triangle_window, 3), slots, np.int32)
    listed[:count] = triangles
    return ArrivalPlan(
        links=Links(
            senders=jnp.asarray(padded[:, 0]),
            receivers=jnp.asarray(padded[:, 1]),
            incident=jnp.asarray(incident),
            rows=jnp.asarray(_pointers(degree)[:-1]),
        ),
        edge_ptr=jnp.asarray(_pointers(np.bincount(pairs[:, 1], minlength=n))),
        triangles=jnp.asarray(listed),
        triangle_ptr=jnp.asarray(_pointers(np.bincount(last, minlength=n))),
        edge_window=edge_window,
        triangle_window=triangle_window,
    )


def _pointers(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
