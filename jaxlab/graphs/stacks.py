"""Graphs of different sizes in one stack, for ``jax.vmap``."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.checks import check_integer, concrete, require
from jaxlab.graphs.containers import AnyGraph

__all__ = ["power_of_two", "stack_graphs", "unstack_graphs"]


def power_of_two(size: int, *, minimum: int = 1) -> int:
    """The least power of two that is at least ``size``: a capacity that many sizes share.

    Args:
        size: what there has to be room for.
        minimum: the least capacity.

    Returns:
        The capacity. One program for each takes at most twice the work of one for each size.

    Raises:
        ValueError: a size below 0, or a minimum that is not a power of two.

    Cost:
        O(1).

    Example:
        >>> power_of_two(5), power_of_two(8), power_of_two(0), power_of_two(5, minimum=32)
        (8, 8, 1, 32)
    """
    check_integer("size", size, minimum=0)
    check_integer("minimum", minimum, minimum=1)
    require(minimum & (minimum - 1) == 0, "minimum", minimum, "a power of two")
    return max(minimum, 1 << max(int(size) - 1, 0).bit_length())


def stack_graphs(
    graphs: Sequence[AnyGraph],
    *,
    node_capacity: int | None = None,
    edge_capacity: int | None = None,
) -> AnyGraph:
    """One graph whose arrays have a leading axis, all of them with the same capacities.

    Args:
        graphs: graphs of one kind, all with weights or all without.
        node_capacity: number of vertices to leave room for; None for the least power of two that
            the graphs' capacities fit in.
        edge_capacity: number of edges to leave room for; None likewise.

    Returns:
        The stack: functions of one graph take it under ``jax.vmap``.

    Raises:
        ValueError: no graph, graphs of different kinds, some with weights and some without, or a
            capacity below that of a graph.

    Cost:
        ``O(len(graphs) edge_capacity)`` on the host.

    Example:
        >>> from jaxlab.graphs.containers import graph_from_edges
        >>> from jaxlab.graphs.degree import degrees
        >>> paths = [graph_from_edges([[0, 1], [1, 2]], 3), graph_from_edges([[0, 1]], 2)]
        >>> jax.vmap(degrees)(stack_graphs(paths)).tolist()
        [[1, 2, 1, 0], [1, 1, 0, 0]]
    """
    require(len(graphs) > 0, "graphs", graphs, "at least one graph")
    kinds = {type(graph).__name__ for graph in graphs}
    require(len(kinds) == 1, "graphs", sorted(kinds), "graphs of one kind")
    weighted = [graph.weights is not None for graph in graphs]
    require(len(set(weighted)) == 1, "graphs", weighted, "weights in all of them or in none")
    if node_capacity is None:
        node_capacity = power_of_two(max(graph.node_capacity for graph in graphs))
    if edge_capacity is None:
        edge_capacity = power_of_two(max(graph.edge_capacity for graph in graphs))
    check_integer("node_capacity", node_capacity, minimum=max(g.node_capacity for g in graphs))
    check_integer("edge_capacity", edge_capacity, minimum=max(g.edge_capacity for g in graphs))

    masks = [concrete(graph.mask) for graph in graphs]
    require(all(mask is not None for mask in masks), "graphs", graphs[0], "graphs outside of jit")

    # in NumPy: with jax.numpy each new size would be a program to compile
    def gather(name: str, fill: Any) -> Any:
        rows = [np.asarray(getattr(graph, name)) for graph in graphs]
        stack = np.full((len(graphs), edge_capacity), fill, np.result_type(*rows))
        for target, row, mask in zip(stack, rows, masks, strict=True):
            target[: row.size] = np.where(mask, row, fill)  # type: ignore[arg-type]
        return jnp.asarray(stack)

    return graphs[0].replace(  # type: ignore[attr-defined]
        senders=gather("senders", node_capacity),
        receivers=gather("receivers", node_capacity),
        mask=gather("mask", False),
        weights=gather("weights", 0) if weighted[0] else None,
        n_node=jnp.asarray(np.stack([np.asarray(graph.n_node) for graph in graphs])),
        node_capacity=node_capacity,
    )


def unstack_graphs(stack: AnyGraph) -> list[AnyGraph]:
    """The graphs of a stack, each with the capacities of the stack.

    Args:
        stack: of :func:`stack_graphs`, or what ``jax.vmap`` returned.

    Returns:
        The graphs.

    Raises:
        ValueError: for a single graph.

    Cost:
        O(len(stack)) slices of each array.

    Example:
        >>> from jaxlab.graphs.containers import graph_from_edges
        >>> graphs = unstack_graphs(stack_graphs([graph_from_edges([[0, 1]], 2)] * 3))
        >>> len(graphs), graphs[0].senders.tolist()
        (3, [0])
    """
    require(stack.senders.ndim == 2, "stack", stack.senders, "one leading axis")
    leaves, shape = jax.tree.flatten(stack)
    return [jax.tree.unflatten(shape, one) for one in zip(*leaves, strict=True)]
