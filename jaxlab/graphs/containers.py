"""Graphs with room to spare: static capacities, dynamic sizes, a mask of the edges that are there.

Everything that shapes a program is static, so graphs of different sizes share one compiled program
once they have equal capacities, and a stack of them goes through ``jax.vmap``. Padding stands at
the end: vertices from ``n_node`` on are isolated, and an edge that is masked out has both ends at
``node_capacity``, one past the last vertex, where scatters drop it.
"""

import functools
from typing import Any, TypeVar

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.checks import check_dtype, check_fit, check_integer, check_shape, concrete, require
from jaxlab.graphs.segments import take_or_fill

__all__ = [
    "AnyGraph",
    "Digraph",
    "Graph",
    "compact_graph",
    "digraph_from_arcs",
    "graph_from_edges",
    "pad_graph",
]

LARGEST = np.iinfo(np.int32).max


@flax.struct.dataclass
class Graph:
    """A simple undirected graph: each edge once, its smaller end in ``senders``.

    A PyTree. Its arrays are annotated ``Any``, because jax also puts tracers, shapes and None in
    their place.

    Attributes:
        senders: smaller end of each edge, ``[edges]`` int32.
        receivers: larger end of each edge, ``[edges]`` int32.
        mask: which edges are there, ``[edges]`` bool.
        weights: of the edges, ``[edges]``; None where all weigh the same.
        n_node: number of vertices that are there, an int32 scalar.
        node_capacity: number of vertices there is room for.
        directed: False. JAX compares PyTrees by their fields and not by their class, and without
            it would take the program of one kind of graph for the other's.
    """

    senders: Any  # Int32[Array, " edges"]
    receivers: Any  # Int32[Array, " edges"]
    mask: Any  # Bool[Array, " edges"]
    weights: Any  # Num[Array, " edges"] | None
    n_node: Any  # Int32[Array, ""]
    node_capacity: int = flax.struct.field(pytree_node=False)
    directed: bool = flax.struct.field(pytree_node=False, default=False)

    @property
    def edge_capacity(self) -> int:
        """Number of edges there is room for."""
        return self.senders.shape[-1]


@flax.struct.dataclass
class Digraph:
    """A directed graph, parallel arcs and loops allowed: arc ``a`` leads from sender to receiver.

    A PyTree. Its arrays are annotated ``Any``, because jax also puts tracers, shapes and None in
    their place.

    Attributes:
        senders: tail of each arc, ``[arcs]`` int32.
        receivers: head of each arc, ``[arcs]`` int32.
        mask: which arcs are there, ``[arcs]`` bool.
        weights: of the arcs, ``[arcs]``; None where all weigh the same.
        n_node: number of vertices that are there, an int32 scalar.
        node_capacity: number of vertices there is room for.
        directed: True; see :class:`Graph`.
    """

    senders: Any  # Int32[Array, " arcs"]
    receivers: Any  # Int32[Array, " arcs"]
    mask: Any  # Bool[Array, " arcs"]
    weights: Any  # Num[Array, " arcs"] | None
    n_node: Any  # Int32[Array, ""]
    node_capacity: int = flax.struct.field(pytree_node=False)
    directed: bool = flax.struct.field(pytree_node=False, default=True)

    @property
    def edge_capacity(self) -> int:
        """Number of arcs there is room for."""
        return self.senders.shape[-1]


AnyGraph = TypeVar("AnyGraph", Graph, Digraph)
"""A graph or a digraph; what comes out is what went in."""


def graph_from_edges(
    edges: Any,
    n_node: int,
    *,
    weights: Any = None,
    node_capacity: int | None = None,
    edge_capacity: int | None = None,
) -> Graph:
    """An undirected graph, from a list of its edges.

    Args:
        edges: pairs of vertices, ``[m, 2]`` integers in either order.
        n_node: number of vertices.
        weights: of the edges, ``[m]``.
        node_capacity: number of vertices to leave room for; None for ``n_node``.
        edge_capacity: number of edges to leave room for; None for ``m``.

    Returns:
        The graph, its edges in the order given.

    Raises:
        ValueError: for a vertex that is not there, a loop, an edge given twice (either way round),
            weights of another length or that are no real numbers of at most the width jax works
            in, or a capacity that is too small.

    Cost:
        O(m log m) on the host.

    Example:
        >>> path = graph_from_edges([[0, 1], [2, 1]], 3, edge_capacity=4)
        >>> path.senders.tolist(), path.receivers.tolist(), path.mask.tolist()
        ([0, 1, 3, 3], [1, 2, 3, 3], [True, True, False, False])
    """
    edges = _ends("edges", edges, n_node)
    loops = np.flatnonzero(edges[:, 0] == edges[:, 1])
    require(loops.size == 0, "edges", edges[loops[:1]].tolist(), "no edge from a vertex to itself")
    edges = np.sort(edges, axis=1)
    capacities = _capacities(n_node, len(edges), node_capacity, edge_capacity)
    keys = pair_keys(edges, n_node)
    _, index, count = np.unique(keys, return_index=True, return_counts=True)
    twice = edges[index[count > 1][:1]].tolist()
    require(not twice, "edges", twice, "each edge once, in one of its two directions")
    return Graph(**_fields(edges, n_node, weights, *capacities))


def digraph_from_arcs(
    arcs: Any,
    n_node: int,
    *,
    weights: Any = None,
    node_capacity: int | None = None,
    edge_capacity: int | None = None,
) -> Digraph:
    """A directed graph, from a list of its arcs.

    Args:
        arcs: pairs of tail and head, ``[m, 2]`` integers.
        n_node: number of vertices.
        weights: of the arcs, ``[m]``.
        node_capacity: number of vertices to leave room for; None for ``n_node``.
        edge_capacity: number of arcs to leave room for; None for ``m``.

    Returns:
        The graph, its arcs in the order given.

    Raises:
        ValueError: for a vertex that is not there, weights of another length or that are no real
            numbers of at most the width jax works in, or a capacity that is too small.

    Cost:
        O(m) on the host.

    Example:
        >>> triangle = digraph_from_arcs([[0, 1], [1, 2], [2, 0]], 3, weights=[4, 5, 6])
        >>> triangle.weights.tolist(), int(triangle.n_node)
        ([4, 5, 6], 3)
    """
    arcs = _ends("arcs", arcs, n_node)
    capacities = _capacities(n_node, len(arcs), node_capacity, edge_capacity)
    return Digraph(**_fields(arcs, n_node, weights, *capacities))


def pad_graph(graph: AnyGraph, *, node_capacity: int, edge_capacity: int) -> AnyGraph:
    """The same graph with more room.

    Args:
        graph: one graph, not a stack.
        node_capacity: at least that of ``graph``.
        edge_capacity: at least that of ``graph``.

    Returns:
        The graph; results for it are those for ``graph``, padded.

    Raises:
        ValueError: for a capacity below that of ``graph``, or a stack.

    Cost:
        O(edge_capacity).

    Example:
        >>> edge = graph_from_edges([[0, 1]], 2)
        >>> pad_graph(edge, node_capacity=4, edge_capacity=3).receivers.tolist()
        [1, 4, 4]
    """
    check_single(graph)
    before = graph.node_capacity, graph.edge_capacity
    check_integer("node_capacity", node_capacity, minimum=before[0])
    check_integer("edge_capacity", edge_capacity, minimum=before[1])
    more = (0, edge_capacity - before[1])

    def ends(vertices: Any) -> Any:
        return jnp.pad(
            jnp.where(graph.mask, vertices, node_capacity), more, constant_values=node_capacity
        )

    return graph.replace(  # type: ignore[attr-defined]
        senders=ends(graph.senders),
        receivers=ends(graph.receivers),
        mask=jnp.pad(graph.mask, more),
        weights=None if graph.weights is None else jnp.pad(graph.weights, more),
        node_capacity=node_capacity,
    )


def compact_graph(graph: AnyGraph, *, edge_capacity: int | None = None) -> AnyGraph:
    """The same graph with its edges in front of the padding, and with less of that.

    Args:
        graph: one graph, not a stack.
        edge_capacity: number of edges to leave room for; None for as many as there are, which has
            to be known: not inside ``jit``.

    Returns:
        The graph, its edges in the order they had.

    Raises:
        ValueError: less room than there are edges, or, inside ``jit``, than there may be; a stack.

    Cost:
        O(edges); one program for each pair of capacities.

    Example:
        >>> path = graph_from_edges([[0, 1], [1, 2]], 3)
        >>> path = path.replace(mask=jnp.array([False, True]))
        >>> compact_graph(path).senders.tolist()
        [1]
    """
    check_single(graph)
    mask = concrete(graph.mask)
    if edge_capacity is None:
        require(mask is not None, "edge_capacity", None, "a number, for a graph inside jit")
        edge_capacity = int(np.count_nonzero(mask))  # type: ignore[arg-type]
    least = graph.edge_capacity if mask is None else int(np.count_nonzero(mask))
    check_integer("edge_capacity", edge_capacity, minimum=least)
    return _compact(graph, edge_capacity)


@functools.partial(jax.jit, static_argnames=("edge_capacity",))
def _compact(graph: AnyGraph, edge_capacity: int) -> AnyGraph:
    taken = jnp.nonzero(graph.mask, size=edge_capacity, fill_value=graph.edge_capacity)[0]

    return graph.replace(  # type: ignore[attr-defined]
        senders=take_or_fill(graph.senders, taken, graph.node_capacity),
        receivers=take_or_fill(graph.receivers, taken, graph.node_capacity),
        mask=take_or_fill(graph.mask, taken, False),
        weights=None if graph.weights is None else take_or_fill(graph.weights, taken, 0),
    )


def check_single(graph: Any) -> None:
    """Refuse a stack of graphs, which functions of one graph take under ``jax.vmap``."""
    require(jnp.ndim(graph.mask) == 1, "graph", graph.mask, "one graph; for a stack use jax.vmap")


def check_undirected(graph: Any) -> None:
    """Refuse what is not one undirected graph."""
    require(isinstance(graph, Graph), "graph", type(graph).__name__, "a Graph, undirected")
    check_single(graph)


def check_directed(graph: Any, name: str = "graph") -> None:
    """Refuse what is not one directed graph."""
    require(isinstance(graph, Digraph), name, type(graph).__name__, "a Digraph: see to_digraph")
    check_single(graph)


def pair_keys(pairs: np.ndarray, n: int) -> np.ndarray:
    """Numbers of pairs of vertices below ``n``, in lexicographic order: equal for equal pairs.

    ``np.unique`` and sorts of them take a tenth of the time that they take of rows.
    """
    return pairs @ np.array([n, 1], np.int64)


def _ends(name: str, pairs: Any, n_node: int) -> np.ndarray:
    """Pairs of vertices as an array of int64, refused unless all of them are there."""
    check_integer("n_node", n_node, minimum=0)
    pairs = np.asarray(pairs)
    if pairs.size == 0:
        return np.zeros((0, 2), np.int64)
    check_shape(name, pairs, ("m", 2))
    check_dtype(name, pairs, "integer")
    outside = pairs[((pairs < 0) | (pairs >= n_node)).any(axis=1)][:1].tolist()
    require(not outside, name, outside, f"vertices from 0 to n_node - 1 = {n_node - 1}")
    return pairs.astype(np.int64)


def _capacities(
    n_node: int, edges: int, node_capacity: int | None, edge_capacity: int | None
) -> tuple[int, int]:
    node_capacity = n_node if node_capacity is None else node_capacity
    edge_capacity = edges if edge_capacity is None else edge_capacity
    check_integer("node_capacity", node_capacity, minimum=n_node)
    check_integer("edge_capacity", edge_capacity, minimum=edges)
    require(node_capacity < LARGEST, "node_capacity", node_capacity, "what int32 can number")
    return node_capacity, edge_capacity


def _numbers(weights: np.ndarray) -> np.ndarray:
    """Weights in the type that jax gives them, refused where that is none or too narrow."""
    real = jnp.issubdtype(weights.dtype, jnp.integer) or jnp.issubdtype(weights.dtype, jnp.floating)
    require(real, "weights", weights, "real numbers")
    check_fit("weights", weights)
    return weights.astype(jax.dtypes.canonicalize_dtype(weights.dtype))


def _fields(
    pairs: np.ndarray, n_node: int, weights: Any, node_capacity: int, edge_capacity: int
) -> dict[str, Any]:
    padded = np.full((edge_capacity, 2), node_capacity, np.int32)
    padded[: len(pairs)] = pairs
    if weights is not None:
        weights = np.asarray(weights)
        check_shape("weights", weights, (len(pairs),))
        weights = jnp.asarray(np.pad(_numbers(weights), (0, edge_capacity - len(pairs))))
    return {
        "senders": jnp.asarray(padded[:, 0]),
        "receivers": jnp.asarray(padded[:, 1]),
        "mask": jnp.asarray(np.arange(edge_capacity) < len(pairs)),
        "weights": weights,
        "n_node": jnp.int32(n_node),
        "node_capacity": node_capacity,
    }
