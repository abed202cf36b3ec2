"""Random graphs of many sizes in one capacity, so that a test compiles once."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.graphs.containers import digraph_from_arcs, graph_from_edges
from jaxlab.graphs.conversions import to_networkx

NODES, EDGES = 12, 24


def random_graph(rng, *, weights=False, nodes=NODES, edges=EDGES):
    n = int(rng.integers(0, nodes + 1))
    pairs = np.stack(np.triu_indices(n, 1), axis=1)
    m = int(rng.integers(0, min(len(pairs), edges) + 1))
    pairs = rng.permuted(pairs[rng.permutation(len(pairs))[:m]], axis=1)
    numbers = rng.integers(1, 10, m) if weights else None
    return graph_from_edges(
        pairs, n, weights=numbers, node_capacity=nodes, edge_capacity=edges
    ), pairs


def random_digraph(rng, *, weights=False, nodes=NODES, edges=EDGES):
    n = int(rng.integers(0, nodes + 1))
    m = int(rng.integers(0, edges + 1)) if n else 0
    arcs = rng.integers(0, max(n, 1), (m, 2))  # loops and parallel arcs among them
    numbers = rng.integers(1, 10, m) if weights else None
    return digraph_from_arcs(
        arcs, n, weights=numbers, node_capacity=nodes, edge_capacity=edges
    ), arcs


def shuffled(rng, graph):
    """The same graph with its padding strewn among the edges."""
    order = jnp.asarray(rng.permutation(graph.edge_capacity))
    weights = None if graph.weights is None else graph.weights[order]
    return graph.replace(
        senders=graph.senders[order],
        receivers=graph.receivers[order],
        mask=graph.mask[order],
        weights=weights,
    )


def stacked(graphs):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *graphs)


def numpy(tree):
    """Leaves on the host, where reading single entries is cheap."""
    return jax.tree.map(np.asarray, tree)


def edges_of(graph):
    """Edges with weights, in lexicographic order."""
    mask = np.asarray(graph.mask)
    weights = np.ones(mask.size) if graph.weights is None else graph.weights
    columns = np.stack([graph.senders, graph.receivers, np.asarray(weights)], axis=1)[mask]
    return sorted(columns.tolist())


def matrix_of(graph, directed):
    matrix = np.zeros((NODES, NODES))
    for u, v, w in edges_of(graph):
        matrix[int(u), int(v)] += w
        if not directed:
            matrix[int(v), int(u)] += w
    return matrix


def same(graph, wanted):
    """Assert that a graph is networkx's."""
    found = to_networkx(graph)
    assert found.number_of_nodes() == wanted.number_of_nodes()
    assert set(found.edges) == {tuple(sorted(edge)) for edge in wanted.edges}


def dtypes(tree):
    return {str(leaf.dtype) for leaf in jax.tree.leaves(tree)}
