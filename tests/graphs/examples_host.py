"""What works on the host."""

HOST_SIDE = {
    "jaxlab.graphs.conversions.digraph_from_scipy": "SciPy's matrices are not JAX's",
    "jaxlab.graphs.conversions.from_networkx": "networkx's graphs are not JAX's",
    "jaxlab.graphs.conversions.graph_from_scipy": "SciPy's matrices are not JAX's",
    "jaxlab.graphs.conversions.to_networkx": "networkx's graphs are not JAX's",
    "jaxlab.graphs.conversions.to_scipy": "SciPy's matrices are not JAX's",
    "jaxlab.graphs.triangles.count_triangles": "lists triangles on the host",
    "jaxlab.graphs.triangles.list_triangles": "lists triangles on the host",
    "jaxlab.graphs.edge_lists.read_edge_list": "reads a file",
    "jaxlab.graphs.edge_lists.write_edge_list": "writes a file",
    "jaxlab.graphs.matrix_market.read_matrix_market": "reads a file",
    "jaxlab.graphs.metis.read_metis": "reads a file",
    "jaxlab.graphs.metis.write_metis": "writes a file",
    "jaxlab.graphs.stacks.power_of_two": "a size is a Python integer",
    "jaxlab.graphs.stacks.stack_graphs": "joins graphs of different shapes on the host",
    "jaxlab.graphs.stacks.unstack_graphs": "makes a list",
    "jaxlab.graphs.tuples.digraph_from_jraph": "its shapes depend on values",
    "jaxlab.graphs.tuples.graph_from_jraph": "its shapes depend on values",
}
