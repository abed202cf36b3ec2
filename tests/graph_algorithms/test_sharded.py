"""Solvers on graphs, one graph on each device, as on one device."""

import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab import graph_algorithms
from jaxlab.graphs import digraph_from_arcs, in_arcs, stack_graphs

N, ARCS = 5, 9
# one for each kind of loop; what is shared is run in one layout
CASES = [
    ("bellman_ford", np.float32, {}, True),
    ("policy", np.int32, {}, True),
    ("dijkstra", np.int32, {}, False),
    ("find_negative_cycle", np.int32, {}, False),
]
NAMES = ("name", "dtype", "options", "tabled")
RNG = np.random.default_rng(3)
# The programs are tiny and run once: most of their time is the compiler's.
jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def on_stack(name, options, tabled):
    """The solver on a stack of one graph, with arguments that are the same on every device."""
    function = getattr(graph_algorithms, name)
    taken = inspect.signature(function).parameters
    given = {"source": jnp.int32(0), "supply": jnp.zeros(N, jnp.int32)}
    given = {key: value for key, value in given.items() if key in taken}

    def solve(stack):
        graph = jax.tree.map(lambda leaf: leaf[0], stack)
        table = {"in_arcs": in_arcs(graph, width=ARCS)} if tabled else {}
        found = function(graph, **given, **options, **table)
        return jax.tree.map(lambda leaf: leaf[None], found)

    return solve


def spread(solve, devices):
    mesh = jax.sharding.Mesh(np.array(devices), ("graphs",))
    spec = jax.sharding.PartitionSpec("graphs")
    return jax.shard_map(solve, mesh=mesh, in_specs=spec, out_specs=spec)


@pytest.mark.parametrize(NAMES, CASES)
def test_one_graph_on_each_device(name, dtype, options, tabled, devices):
    devices = devices[:2]
    hidden = RNG.integers(-9, 9, N) if name != "dijkstra" else np.zeros(N, int)
    graphs = []
    for _ in devices:
        arcs = RNG.integers(0, N, (ARCS, 2))
        weights = RNG.integers(0, 9, ARCS) + hidden[arcs[:, 1]] - hidden[arcs[:, 0]]
        graphs.append(digraph_from_arcs(arcs, N, weights=weights.astype(dtype)))
    if name == "find_negative_cycle":
        graphs[1] = graphs[1].replace(weights=graphs[1].weights - 6)
    solve = on_stack(name, options, tabled)
    stack = functools.partial(stack_graphs, node_capacity=N, edge_capacity=ARCS)
    sharded = jit(spread(solve, devices))(stack(graphs))
    alone = jit(solve)
    for device, graph in enumerate(graphs):
        expected = alone(stack([graph]))
        found = jax.tree.map(lambda leaf: leaf[device : device + 1], sharded)  # noqa: B023
        jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize("tabled", [False, True])
def test_lengths_alone_may_differ_between_devices(tabled, devices):
    arcs, lengths = [[0, 1], [0, 2], [2, 1]], np.float32([5, 4, 2])
    graph = digraph_from_arcs(arcs, 3, weights=lengths)
    table = {"in_arcs": in_arcs(graph, width=2)} if tabled else {}
    ga = graph_algorithms

    def solve(weights):
        today = graph.replace(weights=weights[0])
        whole = graph.replace(weights=weights[0].astype(jnp.int32))
        found = [ga.shortest_paths(today, 0, method="bellman_ford", **table)]
        found += [find(today, 0, **table) for find in (ga.policy, ga.dijkstra)]
        found += [ga.evaluate_tree(today, jnp.array([0, 2, 0]), 0, **table)]
        found += [ga.shortest_paths(whole, 0, method="goldberg", **table)]
        found += [ga.find_negative_cycle(today, **table), ga.feasible_potentials(today, **table)]
        found += [ga.goldberg_potentials(whole, **table)]
        found += [ga.min_cost_flow_01(whole, jnp.array([1, -1, 0]))]
        return jnp.stack([result.status for result in found])[None]

    spread_ = jax.eval_shape(spread(solve, devices[:2]), jax.ShapeDtypeStruct((2, 3), jnp.float32))
    assert spread_.shape == (2, 9)


def test_a_mask_alone_may_differ_between_devices(devices):
    def solve(masks):
        found = graph_algorithms.bottleneck_assignment(jnp.array([[3, 5], [9, 7]]), mask=masks[0])
        return found.cost[None]

    masks = jnp.array([[[True, True], [True, True]], [[False, True], [True, True]]])
    assert jit(spread(solve, devices[:2]))(masks).tolist() == [7, 9]


@pytest.mark.parametrize(
    NAMES,
    [
        *CASES,
        ("min_cost_flow_01", np.int32, {}, False),
        ("shortest_paths", np.int32, {"method": "goldberg"}, False),
    ],
)
def test_graphs_without_arcs_trace(name, dtype, options, tabled, devices):
    empty = digraph_from_arcs(np.zeros((0, 2), int), N, weights=np.zeros(0, dtype))
    solve = spread(on_stack(name, options, tabled), devices[:2])
    jax.eval_shape(solve, stack_graphs([empty, empty], node_capacity=N, edge_capacity=0))
