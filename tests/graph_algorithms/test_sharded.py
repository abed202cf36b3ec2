"""Solvers on graphs, one graph on each device, as on one device."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab import graph_algorithms
from jaxlab.graphs import digraph_from_arcs, in_arcs, stack_graphs
from tests.graph_algorithms.test_no_arcs import ON_DIGRAPHS

N, ARCS = 5, 9
CASES = [
    *((name, {}) for name in ON_DIGRAPHS),
    ("feasible_potentials", {"method": "goldberg"}),
    ("shortest_paths", {"method": "goldberg"}),
    ("shortest_paths", {"method": "bellman_ford"}),
    ("reduced_weights", {}),
]
RNG = np.random.default_rng(3)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_one_graph_on_each_device(name, options, devices):
    hidden = RNG.integers(-9, 9, N) if name != "dijkstra" else np.zeros(N, int)
    graphs = []
    for _ in devices:
        arcs = RNG.integers(0, N, (ARCS, 2))
        weights = RNG.integers(0, 9, ARCS) + hidden[arcs[:, 1]] - hidden[arcs[:, 0]]
        graphs.append(digraph_from_arcs(arcs, N, weights=weights.astype(np.int32)))
    if name == "find_negative_cycle":
        graphs[2:] = [graph.replace(weights=graph.weights - 6) for graph in graphs[2:]]
    function = getattr(graph_algorithms, name)
    taken = inspect.signature(function).parameters
    # on every device the same
    given = {
        "source": jnp.int32(0),
        "potentials": jnp.asarray(hidden, jnp.int32),
        "parent": jnp.zeros(N, jnp.int32),
        "tree": jnp.zeros(N, jnp.int32),
        "supply": jnp.zeros(N, jnp.int32),
    }
    given = {key: value for key, value in given.items() if key in taken}

    def solve(graph):
        tables = [{}]
        if "in_arcs" in taken:
            tables.append({"in_arcs": in_arcs(graph, width=ARCS)})
        return [function(graph, **given, **options, **table) for table in tables]

    def on_device(stack):
        found = solve(jax.tree.map(lambda leaf: leaf[0], stack))
        return jax.tree.map(lambda leaf: leaf[None], found)

    stack = stack_graphs(graphs, node_capacity=N, edge_capacity=ARCS)
    mesh = jax.sharding.Mesh(np.array(devices), ("graphs",))
    spec = jax.sharding.PartitionSpec("graphs")
    sharded = jax.jit(jax.shard_map(on_device, mesh=mesh, in_specs=spec, out_specs=spec))
    alone = jax.jit(lambda stack: jax.lax.map(solve, stack))
    jax.tree.map(np.testing.assert_array_equal, sharded(stack), alone(stack))
