"""Leiden on the constant Potts model at resolution ½, whose optima are those of the disagreements.

It is igraph's, an optional peer: without the package there is nothing to compare with.
"""

import importlib
import importlib.util
import random

import numpy as np

__all__ = ["installed", "leiden"]


def installed() -> bool:
    """Whether igraph can be imported."""
    return importlib.util.find_spec("igraph") is not None


def leiden(edges: np.ndarray, vertices: int, seed: int) -> np.ndarray:
    """Cluster of each vertex, after as many iterations as change anything."""
    igraph = importlib.import_module("igraph")
    graph = igraph.Graph(n=vertices, edges=edges.tolist())
    igraph.set_random_number_generator(random.Random(seed))
    try:
        found = graph.community_leiden(objective_function="CPM", resolution=0.5, n_iterations=-1)
    finally:
        igraph.set_random_number_generator(random)
    return np.asarray(found.membership, np.int32)
