"""What works on the host."""

HOST_SIDE = {
    "jaxlab.graphs.conversions.digraph_from_scipy": "SciPy's matrices are not JAX's",
    "jaxlab.graphs.conversions.from_networkx": "networkx's graphs are not JAX's",
    "jaxlab.graphs.conversions.graph_from_scipy": "SciPy's matrices are not JAX's",
    "jaxlab.graphs.conversions.to_networkx": "networkx's graphs are not JAX's",
    "jaxlab.graphs.conversions.to_scipy": "SciPy's matrices are not JAX's",
    "jaxlab.graphs.triangles.count_triangles": "lists triangles on the host",
    "jaxlab.graphs.triangles.list_triangles": "lists triangles on the host",
}
