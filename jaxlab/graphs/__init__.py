"""Padded graphs, and the algorithms on them that several methods share.

Example:
    >>> from jaxlab import graphs
    >>> path = graphs.graph_from_edges([[0, 1], [1, 2]], 3)
    >>> path.edge_capacity
    2
"""

from jaxlab.graphs.components import (
    Components,
    connected_components,
    graph_components,
    largest_component,
)
from jaxlab.graphs.containers import (
    AnyGraph,
    Digraph,
    Graph,
    digraph_from_arcs,
    graph_from_edges,
    pad_graph,
)

__all__ = [
    "AnyGraph",
    "Components",
    "Digraph",
    "Graph",
    "connected_components",
    "digraph_from_arcs",
    "graph_components",
    "graph_from_edges",
    "largest_component",
    "pad_graph",
]
