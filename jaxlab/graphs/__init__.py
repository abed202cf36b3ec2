"""Padded graphs, and the algorithms on them that several methods share.

A :class:`Graph` (undirected) or :class:`Digraph` (directed) has static capacities, a mask of the
edges that are there and a number of vertices that is data. Graphs of equal capacities share one
compiled program, and a stack of them goes through ``jax.vmap``; padding changes no result.

* containers: :func:`graph_from_edges`, :func:`digraph_from_arcs`; more or less room by
  :func:`pad_graph` and :func:`compact_graph`; stacks by :func:`stack_graphs`.
* other forms: :func:`csr` and :func:`in_arcs` for rows and tables of neighbours; dense matrices,
  SciPy, networkx and jraph (:func:`to_dense`, :func:`to_scipy`, :func:`to_networkx`,
  :func:`to_jraph` and back); edges as an array (:func:`to_edges`); files
  (:func:`read_edge_list`, :func:`read_metis`, :func:`read_matrix_market`).
* inside ``jit``: :func:`connected_components`, :func:`breadth_first_search`, :func:`degrees`, and
  reductions over segments, :func:`segment_sum` and its kin. On the host: :func:`list_triangles`.
* graphs to try things on: :func:`erdos_renyi`, :func:`stochastic_block`, :func:`grid_graph` and
  others.

Example:
    >>> import jax
    >>> from jaxlab import graphs
    >>> pair = [graphs.path_graph(3), graphs.graph_from_edges([[0, 1], [2, 3]], 4)]
    >>> stack = graphs.stack_graphs(pair)
    >>> jax.vmap(graphs.graph_components)(stack).number.tolist()
    [1, 2]
    >>> graphs.breadth_first_search(pair[0], 0).distances.tolist()
    [0, 1, 2]
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
    compact_graph,
    digraph_from_arcs,
    graph_from_edges,
    pad_graph,
)
from jaxlab.graphs.conversions import (
    digraph_from_scipy,
    from_networkx,
    graph_from_scipy,
    to_edges,
    to_networkx,
    to_scipy,
)
from jaxlab.graphs.degree import (
    degrees,
    in_degrees,
    out_degrees,
)
from jaxlab.graphs.dense import (
    graph_from_dense,
    to_dense,
    to_digraph,
)
from jaxlab.graphs.edge_lists import (
    GraphFile,
    read_edge_list,
    write_edge_list,
)
from jaxlab.graphs.generators import (
    BlockGraph,
    erdos_renyi,
    planted_partition,
    random_digraph,
    random_edges,
    stochastic_block,
)
from jaxlab.graphs.layouts import (
    Csr,
    InArcs,
    csr,
    in_arcs,
)
from jaxlab.graphs.matrix_market import (
    read_matrix_market,
)
from jaxlab.graphs.metis import (
    read_metis,
    write_metis,
)
from jaxlab.graphs.named_graphs import (
    complete_graph,
    cycle_graph,
    grid_graph,
    path_graph,
)
from jaxlab.graphs.segments import (
    Mode,
    segment_argmin,
    segment_max,
    segment_mean,
    segment_min,
    segment_mode,
    segment_softmax,
    segment_sum,
)
from jaxlab.graphs.stacks import (
    power_of_two,
    stack_graphs,
    unstack_graphs,
)
from jaxlab.graphs.traversal import (
    BreadthFirst,
    breadth_first_search,
)
from jaxlab.graphs.triangles import (
    TriangleCounts,
    Triangles,
    count_triangles,
    list_triangles,
)
from jaxlab.graphs.tuples import (
    digraph_from_jraph,
    graph_from_jraph,
    to_jraph,
)

__all__ = [
    "AnyGraph",
    "BlockGraph",
    "BreadthFirst",
    "Components",
    "Csr",
    "Digraph",
    "Graph",
    "GraphFile",
    "InArcs",
    "Mode",
    "TriangleCounts",
    "Triangles",
    "breadth_first_search",
    "compact_graph",
    "complete_graph",
    "connected_components",
    "count_triangles",
    "csr",
    "cycle_graph",
    "degrees",
    "digraph_from_arcs",
    "digraph_from_jraph",
    "digraph_from_scipy",
    "erdos_renyi",
    "from_networkx",
    "graph_components",
    "graph_from_dense",
    "graph_from_edges",
    "graph_from_jraph",
    "graph_from_scipy",
    "grid_graph",
    "in_arcs",
    "in_degrees",
    "largest_component",
    "list_triangles",
    "out_degrees",
    "pad_graph",
    "path_graph",
    "planted_partition",
    "power_of_two",
    "random_digraph",
    "random_edges",
    "read_edge_list",
    "read_matrix_market",
    "read_metis",
    "segment_argmin",
    "segment_max",
    "segment_mean",
    "segment_min",
    "segment_mode",
    "segment_softmax",
    "segment_sum",
    "stack_graphs",
    "stochastic_block",
    "to_dense",
    "to_digraph",
    "to_edges",
    "to_jraph",
    "to_networkx",
    "to_scipy",
    "unstack_graphs",
    "write_edge_list",
    "write_metis",
]
