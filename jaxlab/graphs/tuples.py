"""From and to ``jraph.GraphsTuple``, which graph networks take; nothing else here knows jraph.

A tuple holds several graphs behind one another, vertices and edges without gaps, and at its end one
more that takes the padding: its vertices are isolated, its edges loops at its first vertex.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import jraph
import numpy as np
from jaxtyping import Array, Shaped

from jaxlab.checks import check_bool, check_integer, concrete, require
from jaxlab.graphs.containers import Digraph, Graph, digraph_from_arcs, graph_from_edges
from jaxlab.graphs.dense import to_digraph
from jaxlab.graphs.segments import take_or_fill

__all__ = ["digraph_from_jraph", "graph_from_jraph", "to_jraph"]


def to_jraph(
    graph: Graph | Digraph,
    *,
    nodes: Shaped[Array, "..."] | None = None,
    num_nodes: int | None = None,
    num_edges: int | None = None,
) -> jraph.GraphsTuple:
    """A graph, or a stack of ``g`` graphs, as one padded ``GraphsTuple`` of ``g + 1``.

    Args:
        graph: the graph or stack. Of an undirected one each edge becomes an arc either way.
        nodes: features of the vertices, ``[n, ...]``, or ``[g, n, ...]`` for a stack.
        num_nodes: number of vertices of the tuple, padding among them; static. None for those of
            all capacities, and one.
        num_edges: number of its edges, padding among them; static. None for all capacities.

    Returns:
        The tuple; its ``edges`` are the weights ``[num_edges]``, or None. Edges keep their order,
        of an undirected graph those from smaller to larger vertex before the others.

    Raises:
        ValueError: features of another shape; ``num_nodes`` or ``num_edges`` is too small for the
            graph, or, inside ``jit``, where nothing can tell, below the capacities.

    Cost:
        ``O(g (n + m))``.

    Example:
        >>> from jaxlab.graphs.containers import graph_from_edges
        >>> made = to_jraph(graph_from_edges([[0, 1]], 2), num_nodes=4, num_edges=3)
        >>> made.senders.tolist(), made.n_node.tolist(), made.n_edge.tolist()
        ([0, 1, 2], [2, 2], [2, 1])
    """
    single = graph.senders.ndim == 1
    if single:
        graph = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], graph)
    require(graph.senders.ndim == 2, "graph", graph.senders, "one graph or a stack of them")
    if isinstance(graph, Graph):
        graph = jax.vmap(to_digraph)(graph)
    count, capacity = graph.senders.shape[0], graph.node_capacity
    if nodes is not None:
        leading = (capacity,) if single else (count, capacity)
        fits = nodes.shape[: len(leading)] == leading
        require(fits, "nodes", nodes, f"shape [{', '.join(map(str, leading))}, ...]")
        nodes = nodes.reshape(count * capacity, *nodes.shape[len(leading) :])
    # one vertex more, so that the padding always has one to point to
    num_nodes = _budget("num_nodes", num_nodes, count * capacity + 1, graph.n_node, 1)
    num_edges = _budget("num_edges", num_edges, graph.senders.size, graph.mask, 0)
    return _tuple(graph, nodes, num_nodes, num_edges)


def graph_from_jraph(
    graphs: jraph.GraphsTuple,
    *,
    padded: bool = False,
    node_capacity: int | None = None,
    edge_capacity: int | None = None,
) -> Graph:
    """The undirected graph of a ``GraphsTuple`` that has each edge as an arc either way.

    Args:
        graphs: the tuple; its graphs become parts of one, see ``jraph.unbatch``.
        padded: its last graph is padding and left out.
        node_capacity: number of vertices to leave room for; None for as many as there are.
        edge_capacity: number of edges to leave room for; None for as many as there are.

    Returns:
        The graph; ``graphs.edges`` are its weights if they are an array ``[edges]``.

    Raises:
        ValueError: an arc without the opposite one of equal weight, loops or parallel arcs, or more
            than the capacities hold.

    Cost:
        ``O(m log m)`` on the host.

    Example:
        >>> from jaxlab.graphs.containers import graph_from_edges
        >>> path = graph_from_edges([[0, 1], [1, 2]], 3)
        >>> graph_from_jraph(to_jraph(path), padded=True).receivers.tolist()
        [1, 2]
    """
    check_bool("padded", padded)
    arcs, weights, n = _arcs(graphs, padded)
    upper, lower = arcs[:, 0] <= arcs[:, 1], arcs[:, 0] >= arcs[:, 1]

    def listed(kept: np.ndarray, columns: list[int]) -> list[np.ndarray]:
        found = arcs[kept][:, columns]
        order = np.lexsort(found.T)
        return [found[order]] + ([] if weights is None else [weights[kept][order]])

    same = all(map(np.array_equal, listed(upper, [0, 1]), listed(lower, [1, 0])))
    require(same, "graphs", arcs, "with every arc the opposite one")
    return graph_from_edges(
        arcs[upper],
        n,
        weights=None if weights is None else weights[upper],
        node_capacity=node_capacity,
        edge_capacity=edge_capacity,
    )


def digraph_from_jraph(
    graphs: jraph.GraphsTuple,
    *,
    padded: bool = False,
    node_capacity: int | None = None,
    edge_capacity: int | None = None,
) -> Digraph:
    """The directed graph of a ``GraphsTuple``.

    Args:
        graphs: the tuple; its graphs become parts of one, see ``jraph.unbatch``.
        padded: its last graph is padding and left out.
        node_capacity: number of vertices to leave room for; None for as many as there are.
        edge_capacity: number of arcs to leave room for; None for as many as there are.

    Returns:
        The graph; ``graphs.edges`` are its weights if they are an array ``[edges]``.

    Raises:
        ValueError: an end outside of the graph, or more than the capacities hold.

    Cost:
        ``O(m)`` on the host.

    Example:
        >>> arcs = digraph_from_arcs([[1, 0]], 2)
        >>> digraph_from_jraph(to_jraph(arcs), padded=True).senders.tolist()
        [1]
    """
    check_bool("padded", padded)
    arcs, weights, n = _arcs(graphs, padded)
    return digraph_from_arcs(
        arcs, n, weights=weights, node_capacity=node_capacity, edge_capacity=edge_capacity
    )


def _budget(name: str, budget: int | None, all_of_it: int, sizes: Any, spare: int) -> int:
    """A checked size: ``sizes`` sums to what it has to hold besides ``spare``."""
    if budget is None:
        return all_of_it
    check_integer(name, budget, minimum=0)
    known = concrete(sizes)
    needed = all_of_it if known is None else int(known.sum()) + spare
    require(budget >= needed, name, budget, f"room for {needed}")
    return budget


@functools.partial(jax.jit, static_argnames=("num_nodes", "num_edges"))
def _tuple(graph: Digraph, nodes: Any, num_nodes: int, num_edges: int) -> jraph.GraphsTuple:
    capacity = graph.node_capacity
    total = jnp.sum(graph.n_node)
    before = jnp.cumsum(graph.n_node) - graph.n_node
    taken = _compact(graph.mask.ravel(), num_edges)
    present = taken < graph.mask.size

    def ends(vertices: Any) -> Any:
        shifted = (vertices + before[:, None]).ravel()
        return jnp.where(present, take_or_fill(shifted, taken, 0), total).astype(jnp.int32)

    weights = None
    if graph.weights is not None:
        weights = take_or_fill(graph.weights.ravel(), taken, 0)
    if nodes is not None:
        there = jnp.arange(capacity) < graph.n_node[:, None]
        nodes = take_or_fill(nodes, _compact(there.ravel(), num_nodes), 0)
    n_edge = jnp.sum(graph.mask, axis=1, dtype=jnp.int32)
    return jraph.GraphsTuple(
        nodes=nodes,
        edges=weights,
        senders=ends(graph.senders),
        receivers=ends(graph.receivers),
        globals=None,
        n_node=jnp.append(graph.n_node, num_nodes - total).astype(jnp.int32),
        n_edge=jnp.append(n_edge, num_edges - jnp.sum(n_edge)).astype(jnp.int32),
    )


def _compact(mask: Any, size: int) -> Any:
    """Positions of the first ``size`` entries that are True, ``mask.size`` behind them."""
    return jnp.nonzero(mask, size=size, fill_value=mask.size)[0]


def _arcs(graphs: jraph.GraphsTuple, padded: bool) -> tuple[np.ndarray, np.ndarray | None, int]:
    """Arcs, weights and number of vertices, without the padding."""
    n, m = (_sum(size, padded) for size in (graphs.n_node, graphs.n_edge))
    arcs = np.stack([np.asarray(graphs.senders), np.asarray(graphs.receivers)], axis=1)
    edges = graphs.edges
    weights = np.asarray(edges)[:m] if getattr(edges, "ndim", 0) == 1 else None
    return arcs[:m], weights, n


def _sum(sizes: Any, padded: bool) -> int:
    known = concrete(sizes)
    require(known is not None, "graphs", sizes, "a tuple outside of jit")
    return int(known[:-1].sum() if padded else known.sum())  # type: ignore[index, union-attr]
