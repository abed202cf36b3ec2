"""The offline algorithm: neighbours that agree stay together, if one of them is heavy.

``N(v)`` holds the neighbours of ``v`` and ``v`` itself, ``d(v) = |N(v)|``. Two neighbours agree
when their neighbourhoods differ little; a vertex is heavy when it agrees with most of its own.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Int32

from jaxlab.checks import check_bool, check_dtype, check_shape
from jaxlab.correlation_clustering.neighborhoods import common_neighbors
from jaxlab.correlation_clustering.ratios import Ratio, as_ratio, at_most
from jaxlab.graphs import Graph, connected_components, degrees
from jaxlab.graphs.segments import take_or_fill

__all__ = ["agreement_clustering", "agreement_mask", "heavy_mask"]


def agreement_mask(
    graph: Graph, common: Int[Array, " e"], beta: Any, *, strict: bool = False
) -> Bool[Array, " e"]:
    """Which edges join vertices whose neighbourhoods differ little.

    ``|N(u) △ N(v)| = d(u) + d(v) − 2 |N(u) ∩ N(v)| ≤ β max(d(u), d(v))``

    Args:
        graph: the + pairs.
        common: ``|N(u) ∩ N(v)|`` of every edge, from
            :func:`~jaxlab.correlation_clustering.common_neighbors`.
        beta: ``β`` in (0, 1). A number is compared as the ratio of integers nearest to it; a
            :class:`Ratio` is as exact; a traced number is compared in floating point.
        strict: ``<`` in the place of ``≤``; static.

    Returns:
        A mask of the edges; False for padding.

    Raises:
        ValueError: ``beta`` outside of (0, 1); ``common`` that does not fit the graph.

    Cost:
        Two scatters and two gathers of ``e``.

    Source:
        Cohen-Addad et al. 2021, definition of agreement, where it is strict.

    Example:
        >>> from jaxlab.graphs import graph_from_edges
        >>> triangle = graph_from_edges([[0, 1], [0, 2], [1, 2], [2, 3]], 4)
        >>> agreement_mask(triangle, common_neighbors(triangle), 0.3).tolist()
        [True, True, True, False]
    """
    check_shape("common", common, graph.senders.shape)
    check_dtype("common", common, "integer")
    check_bool("strict", strict)
    return _agreement_mask(graph, common, as_ratio("beta", beta, graph.node_capacity), strict)


def heavy_mask(graph: Graph, agree: Bool[Array, " e"], lam: Any) -> Bool[Array, " n"]:
    """Which vertices agree with most of their neighbours.

    ``d(v) − (a(v) + 1) ≤ λ d(v)``, with ``a(v)`` neighbours in agreement; ``v`` agrees with itself.

    Args:
        graph: the + pairs.
        agree: which edges are in agreement.
        lam: ``λ`` in (0, 1), as ``beta`` of :func:`agreement_mask`.

    Returns:
        A mask of the vertices; False for padding.

    Raises:
        ValueError: ``lam`` outside of (0, 1); ``agree`` that does not fit the graph.

    Cost:
        Four scatters of ``e``.

    Example:
        >>> from jaxlab.graphs import graph_from_edges
        >>> star = graph_from_edges([[0, 1], [0, 2]], 4)
        >>> heavy_mask(star, jnp.array([True, False]), 0.4).tolist()
        [True, True, False, True]
    """
    check_shape("agree", agree, graph.senders.shape)
    check_dtype("agree", agree, "bool")
    return _heavy_mask(graph, agree, as_ratio("lam", lam, graph.node_capacity))


def agreement_clustering(
    graph: Graph,
    beta: Any = 0.2,
    lam: Any = 0.2,
    *,
    method: str = "auto",
    strict: bool = False,
    triangles: Int[Array, "t 3"] | None = None,
) -> Int32[Array, " n"]:
    """Clusters: components of the edges in agreement that have a heavy end.

    A light vertex hangs on the heavy ones it agrees with, and is alone where there are none. The
    cost is within a constant factor of the optimum for small ``β`` and ``λ``.

    Args:
        graph: the + pairs.
        beta: largest difference of neighbourhoods, as of :func:`agreement_mask`.
        lam: largest share of disagreeing neighbours, as of :func:`heavy_mask`.
        method: how common neighbours are counted, see :func:`common_neighbors`; static.
        strict: agreement with ``<``; static.
        triangles: for ``method="triangles"`` under ``jit``, see :func:`common_neighbors`.

    Returns:
        Least vertex of each vertex's cluster; padding is alone.

    Raises:
        ValueError: ``beta`` or ``lam`` outside of (0, 1), and as :func:`common_neighbors`.

    Cost:
        Counting, then O(log n) rounds of O(e).

    Source:
        Cohen-Addad, Lattanzi, Mitrović, Norouzi-Fard, Parotsidis, Tarnawski 2021, *Correlation
        clustering in constant many parallel rounds*.

    Example:
        >>> from jaxlab.graphs import graph_from_edges
        >>> two = graph_from_edges([[0, 1], [0, 2], [1, 2], [3, 4]], 5)
        >>> agreement_clustering(two).tolist()
        [0, 0, 0, 3, 3]
    """
    beta = as_ratio("beta", beta, graph.node_capacity)
    lam = as_ratio("lam", lam, graph.node_capacity)
    check_bool("strict", strict)
    common = common_neighbors(graph, method=method, triangles=triangles)
    return _clusters(graph, common, beta, lam, strict)


def degrees_with_self(graph: Graph) -> Int32[Array, " n"]:
    """``d(v) = |N(v)|``: neighbours and the vertex itself."""
    return 1 + degrees(graph)


def is_agreed(
    first: Array, second: Array, common: Array, beta: Ratio | Array, strict: bool
) -> Array:
    """Agreement of vertices with ``d`` of ``first`` and ``second`` and so much in common."""
    return at_most(first + second - 2 * common, beta, jnp.maximum(first, second), strict=strict)


def is_heavy(degree: Array, agreeing: Array, lam: Ratio | Array) -> Array:
    """Heaviness of vertices with ``d`` of ``degree`` and so many agreeing neighbours."""
    return at_most(degree - agreeing - 1, lam, degree, strict=False)


@functools.partial(jax.jit, static_argnames=("strict",))
def _agreement_mask(graph: Graph, common: Array, beta: Ratio | Array, strict: bool) -> Array:
    degree = degrees_with_self(graph)
    first, second = (take_or_fill(degree, ends, 1) for ends in (graph.senders, graph.receivers))
    return graph.mask & is_agreed(first, second, common, beta, strict)


@jax.jit
def _heavy_mask(graph: Graph, agree: Array, lam: Ratio | Array) -> Array:
    n = graph.node_capacity
    ones = (agree & graph.mask).astype(jnp.int32)
    agreeing = jnp.zeros(n, jnp.int32).at[graph.senders].add(ones, mode="drop")
    agreeing = agreeing.at[graph.receivers].add(ones, mode="drop")
    return is_heavy(degrees_with_self(graph), agreeing, lam) & (jnp.arange(n) < graph.n_node)


@functools.partial(jax.jit, static_argnames=("strict",))
def _clusters(
    graph: Graph, common: Array, beta: Ratio | Array, lam: Ratio | Array, strict: bool
) -> Array:
    agree = _agreement_mask(graph, common, beta, strict)
    heavy = _heavy_mask(graph, agree, lam)
    first, second = (take_or_fill(heavy, ends, False) for ends in (graph.senders, graph.receivers))
    kept = agree & (first | second)
    return connected_components(graph.senders, graph.receivers, graph.node_capacity, mask=kept)
