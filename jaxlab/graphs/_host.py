"""A graph's edges on the host, without the padding."""

import numpy as np

from jaxlab.checks import concrete, require
from jaxlab.graphs.containers import Digraph, Graph

__all__ = ["listed", "positions"]


def positions(graph: Graph | Digraph) -> np.ndarray:
    """Positions of the edges that are there; refuses stacks, and graphs inside ``jit``."""
    mask = concrete(graph.mask)
    require(mask is not None and mask.ndim == 1, "graph", graph.mask, "one graph, outside of jit")
    return np.flatnonzero(mask)  # type: ignore[arg-type]


def listed(graph: Graph | Digraph) -> tuple[np.ndarray, np.ndarray | None, int]:
    """Ends ``[m, 2]`` of the edges that are there, their weights, and the number of vertices."""
    there = positions(graph)
    arcs = np.stack([np.asarray(graph.senders), np.asarray(graph.receivers)], axis=1)[there]
    weights = None if graph.weights is None else np.asarray(graph.weights)[there]
    return arcs.astype(np.int64), weights, int(graph.n_node)
