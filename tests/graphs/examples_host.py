"""What works on the host."""

HOST_SIDE = {
    "jaxlab.graphs.triangles.count_triangles": "lists triangles on the host",
    "jaxlab.graphs.triangles.list_triangles": "lists triangles on the host",
}
