"""Stacks: the graphs come back, capacities are shared, mixtures are refused."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlab.graphs.containers import digraph_from_arcs, graph_from_edges, pad_graph
from jaxlab.graphs.stacks import power_of_two, stack_graphs, unstack_graphs
from tests.graphs.instances import edges_of, random_digraph, random_graph, shuffled

RNG = np.random.default_rng(31)


def test_powers_of_two():
    for size in range(70):
        power = power_of_two(size)
        assert power >= max(size, 1) > power // 2
        assert power & (power - 1) == 0
    assert power_of_two(2**30 + 1) == 2**31


@pytest.mark.parametrize("make", [random_graph, random_digraph])
@pytest.mark.parametrize("weights", [False, True])
def test_graphs_come_back(make, weights):
    graphs = [shuffled(RNG, make(RNG, weights=weights)[0]) for _ in range(5)]
    stack = stack_graphs(graphs)
    assert (stack.node_capacity, stack.edge_capacity) == (16, 32)
    assert not np.any(np.asarray(stack.senders)[~np.asarray(stack.mask)] != 16)
    for before, after in zip(graphs, unstack_graphs(stack), strict=True):
        wanted = pad_graph(before, node_capacity=16, edge_capacity=32)
        chex.assert_trees_all_equal(after, wanted)
        assert edges_of(after) == edges_of(before)


def test_sizes_that_differ():
    graphs = [graph_from_edges([[0, 1], [1, 2]], 3), graph_from_edges([], 0)]
    stack = stack_graphs(graphs, node_capacity=3, edge_capacity=2)
    assert stack.receivers.tolist() == [[1, 2], [3, 3]]
    assert stack.n_node.tolist() == [3, 0]


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    edge = graph_from_edges([[0, 1]], 2)
    heavy = graph_from_edges([[0, 1]], 2, weights=[1.0])
    with pytest.raises(ValueError, match="graphs: expected at least one graph"):
        stack_graphs([])
    with pytest.raises(ValueError, match="graphs: expected weights in all of them or in none"):
        stack_graphs([edge, heavy])
    with pytest.raises(ValueError, match="graphs: expected graphs of one kind"):
        stack_graphs([edge, digraph_from_arcs([[0, 1]], 2)])
    with pytest.raises(ValueError, match="node_capacity: expected an integer >= 2, got 1"):
        stack_graphs([edge], node_capacity=1)
    with pytest.raises(ValueError, match="graphs: expected graphs outside of jit"):
        jax.jit(lambda graph: stack_graphs([graph]))(edge)
    with pytest.raises(ValueError, match="stack: expected one leading axis"):
        unstack_graphs(edge)
    with pytest.raises(ValueError, match="minimum: expected a power of two, got 6"):
        power_of_two(3, minimum=6)
    with pytest.raises(ValueError, match="size: expected an integer >= 0"):
        power_of_two(jnp.float32(2.5))
