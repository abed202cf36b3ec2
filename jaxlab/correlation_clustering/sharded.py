"""The offline algorithm with edges and triangles split over devices."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Int32

from jaxlab.checks import check_bool, check_dtype, check_shape
from jaxlab.correlation_clustering.agreement import is_agreed, is_heavy
from jaxlab.correlation_clustering.ratios import as_ratio
from jaxlab.graphs import Graph, connected_components
from jaxlab.graphs.containers import check_undirected
from jaxlab.graphs.segments import at_least_int32, take_or_fill

__all__ = ["sharded_agreement_clustering"]


def sharded_agreement_clustering(
    graph: Graph,
    triangles: Int[Array, "t 3"],
    beta: Any = 0.2,
    lam: Any = 0.2,
    *,
    axis_name: str,
    strict: bool = False,
) -> Int32[Array, " n"]:
    """:func:`agreement_clustering` of a graph that is split along ``axis_name``.

    To be called inside ``jax.shard_map`` or ``jax.pmap``, where each device holds some of the edges
    and some of the triangles. Counts at vertices and edges are summed over the devices, so that the
    clusters are exactly those of one device.

    Args:
        graph: this device's edges; ``n_node`` is that of the whole graph.
        triangles: some of the triangles, any: the positions of their edges in the whole graph,
            whose edges are those of the devices one after the other. Padding is at or past its end.
        beta: as of :func:`agreement_clustering`; the same on all devices.
        lam: as of :func:`agreement_clustering`.
        axis_name: the axis that edges and triangles are split along.
        strict: agreement with ``<``; static.

    Returns:
        Least vertex of each vertex's cluster, the same on all devices.

    Raises:
        ValueError: a directed graph, or a stack; ``beta`` or ``lam`` outside of (0, 1); triangles
            that are not integers ``[t, 3]``.

    Cost:
        O((e + t)/D + n) and components of ``D n`` links on each of ``D`` devices; two sums of
        ``n`` and one of ``D e`` numbers between them, and labels of ``n`` vertices from each to
        all.

    Example:
        >>> from jax.sharding import Mesh, PartitionSpec as P
        >>> from jaxlab.graphs import graph_from_edges
        >>> from jaxlab.graphs.triangles import list_triangles
        >>> graph = graph_from_edges([[0, 1], [0, 2], [1, 2], [2, 3]], 4)
        >>> mesh = Mesh(jax.devices()[:1], ("edges",))
        >>> split = P("edges")
        >>> specs = Graph(split, split, split, None, P(), graph.node_capacity)
        >>> cluster = jax.shard_map(
        ...     lambda graph, triangles: sharded_agreement_clustering(
        ...         graph, triangles, 0.3, 0.3, axis_name="edges"
        ...     ),
        ...     mesh=mesh,
        ...     in_specs=(specs, split),
        ...     out_specs=P(),
        ...     check_vma=False,
        ... )
        >>> cluster(graph, jnp.asarray(list_triangles(graph).edges)).tolist()
        [0, 0, 0, 3]
    """
    check_bool("strict", strict)
    check_undirected(graph)
    check_shape("triangles", triangles, ("t", 3))
    check_dtype("triangles", triangles, "integer")
    n, e = graph.node_capacity, graph.edge_capacity
    beta, lam = as_ratio("beta", beta, n), as_ratio("lam", lam, n)
    devices = jax.lax.axis_size(axis_name)
    vertices = jnp.arange(n, dtype=jnp.int32)

    def at_ends(counted: Array) -> Array:
        ones = counted.astype(jnp.int32)
        sums = jnp.zeros(n, jnp.int32).at[graph.senders].add(ones, mode="drop")
        return jax.lax.psum(sums.at[graph.receivers].add(ones, mode="drop"), axis_name)

    degree = 1 + at_ends(graph.mask)
    listed = at_least_int32(triangles).reshape(-1)
    over = jnp.zeros(devices * e, jnp.int32).at[listed].add(1, mode="drop")
    # the sum over devices, of which each keeps its own part
    common = 2 + jax.lax.psum_scatter(over, axis_name, tiled=True)
    ends = graph.senders, graph.receivers
    first, second = (take_or_fill(degree, end, 1) for end in ends)
    agree = graph.mask & is_agreed(first, second, common, beta, strict)
    heavy = is_heavy(degree, at_ends(agree), lam) & (vertices < graph.n_node)
    first, second = (take_or_fill(heavy, end, False) for end in ends)
    kept = agree & (first | second)
    # a vertex and the least one that a device joins it to are joined in the whole
    mine = connected_components(graph.senders, graph.receivers, n, mask=kept)
    links = jax.lax.all_gather(mine, axis_name)
    return connected_components(jnp.tile(vertices, devices), links.reshape(-1), n)
