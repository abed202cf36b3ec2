"""Random digraphs of one size, and what networkx says of them."""

import functools
from typing import NamedTuple

import jax
import networkx
import numpy as np

from jaxlab.graphs import digraph_from_arcs
from tests.helpers import to_device

NODES, ARCS, COUNT = 12, 40, 400
INFINITE = 2**29


class Instance(NamedTuple):
    arcs: np.ndarray
    weights: np.ndarray
    n: int
    dist: np.ndarray | None  # from vertex 0; None where it reaches a negative cycle
    negative: bool  # there is a negative cycle anywhere

    @property
    def digraph(self) -> networkx.DiGraph:
        """Of parallel arcs the shortest."""
        graph = networkx.DiGraph()
        graph.add_nodes_from(range(self.n))
        for (tail, head), weight in zip(self.arcs.tolist(), self.weights.tolist(), strict=True):
            known = graph.get_edge_data(tail, head, {"weight": weight})["weight"]
            graph.add_edge(tail, head, weight=min(weight, known))
        return graph


@functools.cache
def instances() -> list[Instance]:
    """Parallel arcs, loops, unreachable vertices, zero cycles, and negative cycles in a third."""
    rng = np.random.default_rng(17)
    made = []
    for number in range(COUNT):
        n = int(rng.integers(1, NODES + 1))
        arcs = rng.integers(0, n, (int(rng.integers(0, ARCS + 1)), 2))
        weights = rng.integers((0, -1, -2, -9)[number % 4], (2, 9, 20)[number % 3], len(arcs))
        if number % 8 < 4:  # lengths of no sign in particular, but without a negative cycle
            hidden = rng.integers(-9, 10, n)
            weights = np.abs(weights) + hidden[arcs[:, 0]] - hidden[arcs[:, 1]]
        instance = Instance(arcs, weights, n, None, False)
        dist = _distances(instance.digraph, 0)
        above = instance.digraph
        above.add_weighted_edges_from((n, vertex, 0) for vertex in range(n))
        negative = _distances(above, n) is None
        made.append(instance._replace(dist=dist, negative=negative))
    return made


@functools.cache
def stack():
    """All instances as one stack."""
    graphs = [
        digraph_from_arcs(
            instance.arcs,
            instance.n,
            weights=instance.weights.astype(np.int32),
            node_capacity=NODES,
            edge_capacity=ARCS,
        )
        for instance in instances()
    ]
    return jax.tree.map(lambda *leaves: to_device(np.stack(leaves)), *graphs)


def garbage(seed: int, most: int = 30) -> np.ndarray:
    """Predictions that predict nothing, one for each instance."""
    rng = np.random.default_rng(seed)
    return rng.integers(-most, most, (COUNT, NODES), dtype=np.int32)


def check_paths(result) -> None:
    """Verdicts, distances and trees of a stack of results from vertex 0."""
    dist, parent, status = (np.asarray(x) for x in (result.dist, result.parent, result.status))
    for number, instance in enumerate(instances()):
        if instance.dist is None:
            assert status[number] == 1, number
            continue
        assert status[number] == 0, number
        np.testing.assert_array_equal(dist[number], instance.dist)
        check_tree(instance, dist[number], parent[number])


def check_tree(instance: Instance, dist: np.ndarray, parent: np.ndarray) -> None:
    """Parents name a walk from the source whose length is the distance."""
    graph, parent = instance.digraph, np.asarray(parent).tolist()
    assert parent[0] == 0
    for vertex in range(NODES):
        if dist[vertex] >= INFINITE:
            assert parent[vertex] == -1
            continue
        length, steps, at = 0, 0, vertex
        while at != 0:
            length += graph[parent[at]][at]["weight"]
            at, steps = parent[at], steps + 1
            assert steps < NODES, "parents form a cycle"
        assert length == dist[vertex]


def check_ends(result) -> None:
    """Every walk along parents ends in vertex 0, where a vertex is reached."""
    parent = np.asarray(result.parent).tolist()
    for vertex, dist in enumerate(np.asarray(result.dist)):
        at, steps = vertex, 0
        while np.isfinite(dist) and at != 0:
            at, steps = parent[at], steps + 1
            assert steps < len(parent), "parents form a cycle"


def _distances(graph: networkx.DiGraph, source: int) -> np.ndarray | None:
    try:
        found = networkx.single_source_bellman_ford_path_length(graph, source)
    except networkx.NetworkXUnbounded:
        return None
    dist = np.full(max(NODES, len(graph)), INFINITE)
    for vertex, length in found.items():
        dist[vertex] = length
    return dist
