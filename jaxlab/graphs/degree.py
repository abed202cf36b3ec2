"""How many edges meet in a vertex, and how much they weigh."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Num

from jaxlab.checks import check_bool, require
from jaxlab.graphs.containers import Digraph, Graph, check_directed, check_undirected

__all__ = ["degrees", "in_degrees", "out_degrees"]


@functools.partial(jax.jit, static_argnames=("weighted",))
def degrees(graph: Graph, *, weighted: bool = False) -> Num[Array, " n"]:
    """Number, or total weight, of the edges at each vertex of an undirected graph.

    Args:
        graph: the graph.
        weighted: sum the weights; static.

    Returns:
        int32, or the weights' dtype; 0 for padding.

    Raises:
        ValueError: a directed graph, or a stack; ``weighted`` is asked of a graph without weights.

    Cost:
        One scatter of two entries an edge.

    Example:
        >>> from jaxlab.graphs.containers import graph_from_edges
        >>> path = graph_from_edges([[0, 1], [1, 2]], 3, weights=[2.0, 3.0])
        >>> degrees(path).tolist(), degrees(path, weighted=True).tolist()
        ([1, 2, 1], [2.0, 5.0, 3.0])
    """
    check_bool("weighted", weighted)
    check_undirected(graph)
    return _count(graph, weighted, graph.senders, graph.receivers)


@functools.partial(jax.jit, static_argnames=("weighted",))
def out_degrees(graph: Digraph, *, weighted: bool = False) -> Num[Array, " n"]:
    """Number, or total weight, of the arcs that leave each vertex; a loop counts once.

    Args:
        graph: the graph.
        weighted: sum the weights; static.

    Returns:
        int32, or the weights' dtype; 0 for padding.

    Raises:
        ValueError: an undirected graph, or a stack; ``weighted`` is asked of a graph without
            weights.

    Cost:
        One scatter of an entry an arc.

    Example:
        >>> from jaxlab.graphs.containers import digraph_from_arcs
        >>> out_degrees(digraph_from_arcs([[0, 1], [0, 2]], 3)).tolist()
        [2, 0, 0]
    """
    check_bool("weighted", weighted)
    check_directed(graph)
    return _count(graph, weighted, graph.senders)


@functools.partial(jax.jit, static_argnames=("weighted",))
def in_degrees(graph: Digraph, *, weighted: bool = False) -> Num[Array, " n"]:
    """Number, or total weight, of the arcs that enter each vertex; a loop counts once.

    Args:
        graph: the graph.
        weighted: sum the weights; static.

    Returns:
        int32, or the weights' dtype; 0 for padding.

    Raises:
        ValueError: an undirected graph, or a stack; ``weighted`` is asked of a graph without
            weights.

    Cost:
        One scatter of an entry an arc.

    Example:
        >>> from jaxlab.graphs.containers import digraph_from_arcs
        >>> in_degrees(digraph_from_arcs([[0, 1], [0, 2]], 3)).tolist()
        [0, 1, 1]
    """
    check_bool("weighted", weighted)
    check_directed(graph)
    return _count(graph, weighted, graph.receivers)


def _count(graph: Graph | Digraph, weighted: bool, *ends: Any) -> Any:
    if weighted:
        require(graph.weights is not None, "graph", None, "a graph with weights")
        counted = jnp.where(graph.mask, graph.weights, 0)
    else:
        counted = graph.mask.astype(jnp.int32)
    total = jnp.zeros(graph.node_capacity, counted.dtype)
    for vertices in ends:
        total = total.at[vertices].add(counted, mode="drop")
    return total
