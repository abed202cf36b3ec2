"""Common neighbours of every edge's ends, counted in three ways that give the same integers."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Int32

from jaxlab.checks import check_choice, check_dtype, check_shape, concrete, require
from jaxlab.graphs import Graph
from jaxlab.graphs.containers import check_undirected
from jaxlab.graphs.segments import at_least_int32
from jaxlab.graphs.triangles import list_triangles

__all__ = ["common_neighbors"]

METHODS = ("auto", "dense", "bitset", "triangles")
#: bytes of one matrix of ``method="dense"``
DENSE_LIMIT = 2**30
#: below so many vertices one matrix product is the fastest way
SMALL = 1024
BLOCK = 1024
WORD = 32


def common_neighbors(
    graph: Graph, *, method: str = "auto", triangles: Int[Array, "t 3"] | None = None
) -> Int32[Array, " e"]:
    """Size of the intersection of the closed neighbourhoods of every edge's ends.

    ``|N(u) ∩ N(v)| = 2 + #{triangles over (u, v)}``, as both ends lie in both neighbourhoods.

    Args:
        graph: the graph; weights are not looked at.
        method: "dense" multiplies the adjacency matrix with itself; "bitset" intersects its rows,
            32 vertices a word; "triangles" counts the triangles over every edge. "auto" takes
            "triangles" where they are given or the graph is concrete and not small, else "dense"
            for up to 1024 vertices and "bitset" beyond. Static.
        triangles: for "triangles", edges of every triangle, ``list_triangles(graph).edges``; found
            on the host when the graph is concrete. Rows that are no triangle, padding, have
            entries at or past the number of edges.

    Returns:
        Counts; 0 for padding.

    Raises:
        ValueError: an unknown method; a directed graph, or a stack; a dense matrix of more than
            1 GiB; "triangles" of a traced graph without ``triangles``.

    Cost:
        "dense": ``2 n³`` operations, ``8 n²`` bytes; "bitset": ``e n/32`` operations, ``n²/8``
        bytes; "triangles": one scatter of ``3 t``, after finding them.

    Example:
        >>> from jaxlab.graphs import graph_from_edges
        >>> triangle = graph_from_edges([[0, 1], [0, 2], [1, 2], [2, 3]], 4)
        >>> common_neighbors(triangle, method="bitset").tolist()
        [3, 3, 3, 2]
    """
    check_choice("method", method, METHODS)
    check_undirected(graph)
    n = graph.node_capacity
    known = concrete(graph.mask) is not None
    if n == 0:  # whose arrays have no row to read
        return jnp.zeros(graph.edge_capacity, jnp.int32)
    if method == "auto":
        if triangles is not None or (known and n > SMALL):
            method = "triangles"
        else:
            method = "dense" if n <= SMALL else "bitset"
    if method == "dense":
        matrix = 4 * n * n
        expected = f"at most {DENSE_LIMIT} bytes a matrix for method 'dense'"
        require(matrix <= DENSE_LIMIT, "node_capacity", f"{n}, {matrix} bytes", expected)
        return _dense(graph)
    if method == "bitset":
        return _bitset(graph)
    if triangles is None:
        expected = "the triangles of a traced graph for method 'triangles'"
        require(known, "triangles", None, expected)
        triangles = jnp.asarray(list_triangles(graph).edges)
    check_shape("triangles", triangles, ("t", 3))
    check_dtype("triangles", triangles, "integer")
    return _triangles(graph, at_least_int32(triangles))


@jax.jit
def _dense(graph: Graph) -> Array:
    n = graph.node_capacity
    ones = graph.mask.astype(jnp.float32)
    # products of zeros and ones, summed in float32, are exact on every unit below 2²⁴
    matrix = jnp.eye(n, dtype=jnp.float32)
    matrix = matrix.at[graph.senders, graph.receivers].add(ones, mode="drop")
    matrix = matrix.at[graph.receivers, graph.senders].add(ones, mode="drop")
    product = jnp.matmul(matrix, matrix, preferred_element_type=jnp.float32)
    found = product.at[graph.senders, graph.receivers].get(mode="fill", fill_value=0)
    return jnp.where(graph.mask, found.astype(jnp.int32), 0)


@jax.jit
def _bitset(graph: Graph) -> Array:
    n, e = graph.node_capacity, graph.edge_capacity
    vertices = jnp.arange(n, dtype=jnp.int32)
    rows = jnp.concatenate([vertices, graph.senders, graph.receivers])
    bits = jnp.concatenate([vertices, graph.receivers, graph.senders])
    there = jnp.concatenate([jnp.ones(n, bool), graph.mask, graph.mask])
    bit = jnp.where(there, jnp.uint32(1) << (bits % WORD).astype(jnp.uint32), 0)
    # every bit is there once: adding is setting
    words = jnp.zeros((n, -(-n // WORD)), jnp.uint32).at[rows, bits // WORD].add(bit, mode="drop")

    def intersect(ends: tuple[Array, Array]) -> Array:
        both = words[ends[0]] & words[ends[1]]
        return jnp.sum(jax.lax.population_count(both), axis=-1, dtype=jnp.int32)

    counts = jax.lax.map(intersect, (graph.senders, graph.receivers), batch_size=min(BLOCK, e) or 1)
    return jnp.where(graph.mask, counts, 0)


@jax.jit
def _triangles(graph: Graph, triangles: Array) -> Array:
    base = jnp.where(graph.mask, 2, 0).astype(jnp.int32)
    return base.at[triangles.reshape(-1)].add(1, mode="drop")
