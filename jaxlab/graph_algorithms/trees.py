"""Trees of walks from a source: what they are worth on today's lengths, and those of potentials."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Int32, Num

from jaxlab.checks import check_dtype, check_shape
from jaxlab.graph_algorithms._incoming import (
    Incoming,
    arcs_from,
    incoming,
    infinity,
    lay,
    no_parents,
    relax,
    table_of,
)
from jaxlab.graph_algorithms._labels import (
    Fixpoint,
    as_potentials,
    check_lengths,
    check_source,
    clipped,
    fits,
    lengths_of,
    paths,
    walk_lengths,
)
from jaxlab.graph_algorithms.path_types import ShortestPaths
from jaxlab.graph_algorithms.status import OK
from jaxlab.graphs.containers import Digraph
from jaxlab.graphs.layouts import InArcs
from jaxlab.graphs.segments import take_or_fill
from jaxlab.varying import vary_like

__all__ = ["evaluate_tree", "tree_from_potentials"]


def evaluate_tree(
    graph: Digraph,
    parent: Int[Array, " n"],
    source: int | Int[Array, ""],
    *,
    in_arcs: InArcs | None = None,
) -> ShortestPaths:
    """Lengths of the walks that a tree of another day's shortest paths makes in this graph.

    By pointer doubling, ``w ← w + w[p]`` and ``p ← p[p]``. Any numbers will do as ``parent``: a
    vertex is unreachable where its walk ends elsewhere than in the source, uses an arc that is not
    there, or runs into a cycle. Of parallel arcs the shortest is taken.

    Args:
        graph: lengths are its weights, or all 1.
        parent: the vertex before each one.
        source: where walks begin; its own parent does not matter.
        in_arcs: as for :func:`~jaxlab.graph_algorithms.label_correcting.bellman_ford`.

    Returns:
        Lengths of the walks as ``dist``, upper bounds on the distances; the parents that are in
        use; status ``OK``, ``OVERFLOW`` of lengths or ``NO_SOURCE``; ``rounds`` 0.

    Raises:
        ValueError: ``parent`` is not integer or of another size, or as for ``bellman_ford``.

    Cost:
        One pass over the arcs, and 2·log2(depth of the tree) gathers of n entries.

    Example:
        >>> from jaxlab.graphs import digraph_from_arcs
        >>> graph = digraph_from_arcs([[0, 1], [0, 2], [2, 1]], 3, weights=[5, 4, -2])
        >>> evaluate_tree(graph, jnp.array([0, 0, 0]), 0).dist.tolist()
        [0, 5, 4]
    """
    check_lengths(graph)
    check_shape("parent", parent, (graph.node_capacity,))
    check_dtype("parent", parent, "integer")
    source = check_source(graph, source)
    return _evaluate_tree(graph, table_of(graph, in_arcs), clipped(parent), source)


def tree_from_potentials(
    graph: Digraph,
    potentials: Num[Array, " n"],
    source: int | Int[Array, ""],
    *,
    in_arcs: InArcs | None = None,
) -> Int32[Array, " n"]:
    """Parents that predicted distances imply, ``parent(v) = argmin_u y_u + ℓ(u, v)``.

    Where ``y`` are the distances, these are shortest paths, up to cycles of length 0; of a poor
    prediction they may form any cycles, which :func:`evaluate_tree` notices.

    Args:
        graph: lengths are its weights, or all 1.
        potentials: predicted distances.
        source: its own parent.
        in_arcs: as for :func:`~jaxlab.graph_algorithms.label_correcting.bellman_ford`.

    Returns:
        The vertex before each one; −1 where no arc enters.

    Raises:
        ValueError: potentials are NaN or of another size, or as for ``bellman_ford``.

    Cost:
        One pass over the arcs.

    Example:
        >>> from jaxlab.graphs import digraph_from_arcs
        >>> graph = digraph_from_arcs([[0, 1], [0, 2], [2, 1]], 3, weights=[5, 4, -2])
        >>> tree_from_potentials(graph, jnp.array([0, 2, 4]), 0).tolist()
        [0, 2, 0]
    """
    check_lengths(graph)
    source = check_source(graph, source)
    potentials = as_potentials(graph, potentials)
    return _tree_from_potentials(graph, table_of(graph, in_arcs), potentials, source)


@jax.jit
def _evaluate_tree(
    graph: Digraph, table: Array | None, parent: Array, source: Array
) -> ShortestPaths:
    graph, table, parent, source = vary_like((graph, table, parent, source))
    arcs, lengths = incoming(graph, table), lengths_of(graph)
    fitting = fits(lengths, graph.mask, graph.n_node)
    parents = arcs_from(arcs, lay(arcs, lengths), parent)
    labels, parents = evaluated(arcs, lengths, parents, source, fitting)
    nothing = jnp.int32(0)
    return paths(graph, arcs, Fixpoint(labels, parents, jnp.int32(OK), nothing), source, fitting)


@jax.jit
def _tree_from_potentials(
    graph: Digraph, table: Array | None, potentials: Array, source: Array
) -> Array:
    graph, table, potentials, source = vary_like((graph, table, potentials, source))
    arcs, lengths = incoming(graph, table), lengths_of(graph)
    parents = implied(arcs, lay(arcs, lengths), potentials)
    parent = take_or_fill(arcs.senders, parents, -1)
    return jnp.where(jnp.arange(graph.node_capacity) == source, source, parent)


def implied(arcs: Incoming, laid: Array, potentials: Array) -> Array:
    """Arc by which the least ``y_u + ℓ(u, v)`` reaches each vertex; ``arcs`` for none."""
    unreached = jnp.full_like(potentials, infinity(laid.dtype), laid.dtype)
    return relax(arcs, laid, unreached, no_parents(arcs), potentials)[1]


def evaluated(
    arcs: Incoming, lengths: Array, parents: Array, source: Array, active: Array
) -> tuple[Array, Array]:
    """Length of each walk along parents, and the parents that lie on a walk from the source."""
    m = arcs.senders.shape[0]
    root = jnp.arange(parents.shape[0]) == source
    labels = walk_lengths(arcs.senders, lengths, parents, root, active)
    reached = active & (labels < infinity(lengths.dtype)) & ~root
    return labels, jnp.where(reached, parents, m)
