"""Ends of edges in lists, of which each side of a bipartite graph has its own count."""

from typing import Any

import numpy as np

from jaxlab.checks import concrete, require

__all__ = ["check_ends"]


def check_ends(
    name: str, ends: Any, count: int, mask: Any, *, what: str = "vertices"
) -> np.ndarray | None:
    """Refuse ends that are not among ``count`` vertices; those that are there, if it is known."""
    vertices, there = concrete(ends), None if mask is None else concrete(mask)
    if vertices is None or (mask is not None and there is None):
        return None
    vertices = vertices if there is None else vertices[there]
    outside = vertices[(vertices < 0) | (vertices >= count)][:1]
    require(outside.size == 0, name, outside, f"{what} from 0 to {count - 1}")
    return vertices
