"""Other layouts of a graph: neighbours of a vertex in a row (CSR), or in a table (ELL).

Rows are as long as they need be in the one, and all as long as the longest in the other. The table
suits bounded degrees: a reduction over its rows is a gather and no scatter.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32

from jaxlab.checks import check_choice, check_integer, concrete, require
from jaxlab.graphs.containers import Digraph, Graph, check_single
from jaxlab.graphs.degree import degrees, in_degrees
from jaxlab.graphs.segments import take_or_fill

__all__ = ["Csr", "InArcs", "csr", "in_arcs"]


class Csr(NamedTuple):
    """Compressed sparse rows: what :func:`csr` returns.

    Entries ``indptr[v]`` to ``indptr[v + 1] - 1`` are those of vertex ``v``, by rising neighbour;
    padding stands behind entry ``indptr[n]``.

    Attributes:
        indptr: where each vertex's entries begin, and the number of all entries at the end.
        indices: the neighbour; the node capacity in padding.
        edges: position of the edge in the graph; the edge capacity in padding.
    """

    indptr: Int32[Array, " n+1"]
    indices: Int32[Array, " k"]
    edges: Int32[Array, " k"]


class InArcs(NamedTuple):
    """Arcs into each vertex, in a table of equally long rows: what :func:`in_arcs` returns.

    Attributes:
        index: tail of the arc; the node capacity where there is none.
        arc: position of the arc in the graph; the edge capacity where there is none.
        mask: whether there is one. It fills rows from the left, by rising tail.
        dropped: number of arcs for which there was no room.
    """

    index: Int32[Array, "n d"]  # type: ignore[assignment]  # a tuple has a method of that name
    arc: Int32[Array, "n d"]
    mask: Bool[Array, "n d"]
    dropped: Int32[Array, ""]


@functools.partial(jax.jit, static_argnames=("by",))
def csr(graph: Graph | Digraph, *, by: str = "senders") -> Csr:
    """Neighbours of each vertex as compressed sparse rows.

    Args:
        graph: the graph. Of an undirected one each edge is listed at both of its ends.
        by: of a directed graph, whose arcs a row lists: "senders" for the arcs that leave the
            vertex, "receivers" for those that enter it; static.

    Returns:
        Rows of ``k`` entries in all: the edge capacity, twice that for an undirected graph.

    Raises:
        ValueError: for another ``by``, or a stack.

    Cost:
        One sort of ``k`` entries.

    Example:
        >>> from jaxlab.graphs.containers import graph_from_edges
        >>> rows = csr(graph_from_edges([[0, 2], [0, 1]], 3))
        >>> rows.indptr.tolist(), rows.indices.tolist(), rows.edges.tolist()
        ([0, 2, 3, 4], [1, 2, 0, 0], [1, 0, 1, 0])
    """
    check_choice("by", by, ("senders", "receivers"))
    check_single(graph)
    n, count = graph.node_capacity, graph.edge_capacity
    number = jnp.arange(count, dtype=jnp.int32)
    rows, columns = graph.senders, graph.receivers
    if by == "receivers":
        rows, columns = columns, rows
    mask = graph.mask
    if isinstance(graph, Graph):
        rows, columns = jnp.concatenate([rows, columns]), jnp.concatenate([columns, rows])
        number, mask = jnp.tile(number, 2), jnp.tile(mask, 2)
    entries = jnp.where(mask, rows, n), jnp.where(mask, columns, n), jnp.where(mask, number, count)
    rows, columns, number = jax.lax.sort(entries, num_keys=2)
    length = jnp.zeros(n, jnp.int32).at[rows].add(1, mode="drop", indices_are_sorted=True)
    indptr = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.cumsum(length, dtype=jnp.int32)])
    return Csr(indptr, columns, number)


def in_arcs(graph: Graph | Digraph, *, width: int | None = None) -> InArcs:
    """Arcs into each vertex, in a table of equally long rows.

    Args:
        graph: the graph. Of an undirected one each edge counts as an arc either way.
        width: length ``d`` of the rows; static. None for the largest in-degree, which has to be
            known: not inside ``jit``.

    Returns:
        The table. Inside ``jit`` arcs beyond ``width`` are left out and counted in ``dropped``.

    Raises:
        ValueError: more arcs than ``width`` enter a vertex; None inside ``jit``.

    Cost:
        One sort of all arcs, and a gather of ``n d``.

    Example:
        >>> from jaxlab.graphs.containers import digraph_from_arcs
        >>> table = in_arcs(digraph_from_arcs([[2, 0], [1, 0], [0, 1]], 3))
        >>> table.index.tolist(), table.arc.tolist()
        ([[1, 2], [0, 3], [3, 3]], [[1, 0], [2, 3], [3, 3]])
    """
    entering = concrete(degrees(graph) if isinstance(graph, Graph) else in_degrees(graph))
    if width is None:
        require(entering is not None, "width", width, "a number, for a graph inside jit")
        width = int(entering.max(initial=0))  # type: ignore[union-attr]
    check_integer("width", width, minimum=0)
    if entering is not None:
        most = int(entering.max(initial=0))
        require(width >= most, "width", width, f"room for {most} arcs into one vertex")
    return _table(graph, width)


@functools.partial(jax.jit, static_argnames=("width",))
def _table(graph: Graph | Digraph, width: int) -> InArcs:
    rows = csr(graph, by="receivers")
    first, last = rows.indptr[:-1, None], rows.indptr[1:, None]
    entry = first + jnp.arange(width, dtype=jnp.int32)
    mask = entry < last
    entry = jnp.where(mask, entry, rows.indices.shape[0])
    return InArcs(
        take_or_fill(rows.indices, entry, graph.node_capacity),
        take_or_fill(rows.edges, entry, graph.edge_capacity),
        mask,
        jnp.sum(jnp.maximum(last - first - width, 0), dtype=jnp.int32),
    )
