"""Graphs whose clusters are known, and graphs that force every good clustering to change."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Int32, Key

from jaxlab.checks import check_integer, check_key, require
from jaxlab.graphs import Graph, graph_from_edges
from jaxlab.graphs import planted_partition as block_model

__all__ = ["PlantedPartition", "geometric_cliques", "planted_partition"]


class PlantedPartition(NamedTuple):
    """What :func:`planted_partition` returns.

    Attributes:
        graph: the + pairs, with room for all pairs.
        labels: the planted cluster of each vertex.
    """

    graph: Graph
    labels: Int32[Array, " n"]


def planted_partition(
    key: Key[Array, ""], sizes: tuple[int, ...], p_in: Any, p_out: Any
) -> PlantedPartition:
    """Clusters of given sizes, with random + pairs more often inside than across them.

    Args:
        key: draws the pairs.
        sizes: number of vertices of each cluster; static.
        p_in: chance of + for a pair inside a cluster; a share of flipped pairs is ``1 − p_in``.
        p_out: chance of + for a pair across clusters.

    Returns:
        Graph and planted clusters, vertices in the order of the clusters.

    Raises:
        ValueError: sizes below 1; concrete chances outside of [0, 1]; more than 46,340 vertices.

    Cost:
        O(n²) in time and memory.

    Example:
        >>> import jax
        >>> planted = planted_partition(jax.random.key(0), (2, 1), 1.0, 0.0)
        >>> planted.labels.tolist(), planted.graph.mask.tolist()
        ([0, 0, 1], [True, False, False])
    """
    check_key("key", key)
    for size in sizes:
        check_integer("sizes", size, minimum=1)
    return PlantedPartition(*block_model(key, sizes, p_in, p_out))


def geometric_cliques(s: int, base: int, phases: int) -> Graph:
    """A core that joins ever larger cliques: good clusterings must move it at every phase.

    ``s`` vertices, a clique, arrive first. Phase ``i`` brings a clique of ``s · baseⁱ`` vertices,
    each joined to the whole core and to no other clique. After it no clustering within
    ``1 + (base − 2)/s`` times the optimum leaves a vertex of the core behind: the core moves from
    clique to clique, about ``log n`` times.

    Args:
        s: vertices of the core.
        base: factor from a clique to the next; from 6 on, the core leaves the clique before at
            ``β = 0.2``.
        phases: number of cliques.

    Returns:
        The graph, vertices in the order of their arrival.

    Raises:
        ValueError: ``s`` or ``phases`` below 1, ``base`` below 2; 2³¹ edges or more.

    Cost:
        O(s² base^(2 phases)) edges, on the host.

    Source:
        In the spirit of the lower bound of Cohen-Addad, Lattanzi, Maggiori, Parotsidis 2022.

    Example:
        >>> graph = geometric_cliques(2, 6, 1)
        >>> graph.node_capacity, graph.edge_capacity
        (14, 91)
    """
    check_integer("s", s, minimum=1)
    check_integer("base", base, minimum=2)
    check_integer("phases", phases, minimum=1)
    sizes = [s, *(s * base**i for i in range(1, phases + 1))]
    number = sum(size * (size - 1) // 2 + s * size for size in sizes) - s * s
    require(number < 2**31, "phases", phases, "a number of edges that int32 can count")
    edges = []
    start = 0
    for size in sizes:
        members = np.arange(start, start + size)
        edges.append(np.stack(np.triu_indices(size, 1), axis=1) + start)
        if start:
            core = np.arange(s)
            edges.append(np.stack([np.tile(core, size), np.repeat(members, s)], axis=1))
        start += size
    listed = np.concatenate(edges)
    return graph_from_edges(listed[np.lexsort((listed[:, 0], listed[:, 1]))], start)
