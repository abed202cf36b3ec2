"""Layouts: rows rebuilt in Python for a hundred graphs with padding among their edges."""

import jax
import numpy as np
import pytest

from jaxlab.graphs.containers import digraph_from_arcs, graph_from_edges, pad_graph
from jaxlab.graphs.layouts import csr, in_arcs
from tests.graphs.instances import (
    EDGES,
    NODES,
    dtypes,
    numpy,
    random_digraph,
    random_graph,
    shuffled,
    stacked,
)

RNG = np.random.default_rng(5)


def rows_of(graph, directed, by="receivers"):
    """Neighbour and edge of every entry, vertex by vertex."""
    rows = [[] for _ in range(NODES)]
    ends = zip(*numpy((graph.senders, graph.receivers, graph.mask)), strict=True)
    for edge, (tail, head, there) in enumerate(ends):
        if there:
            if by == "receivers" or not directed:
                rows[head].append((tail, edge))
            if by == "senders" or not directed:
                rows[tail].append((head, edge))
    return [sorted(row) for row in rows]


@pytest.mark.parametrize("make", [random_graph, random_digraph])
@pytest.mark.parametrize("by", ["senders", "receivers"])
def test_rows(make, by):
    graphs = [shuffled(RNG, make(RNG)[0]) for _ in range(100)]
    found = numpy(jax.vmap(lambda graph: csr(graph, by=by))(stacked(graphs)))
    for lane, graph in enumerate(graphs):
        wanted = rows_of(graph, make is random_digraph, by)
        indptr = np.asarray(found.indptr[lane])
        np.testing.assert_array_equal(np.diff(indptr), [len(row) for row in wanted])
        entries = np.stack([found.indices[lane], found.edges[lane]], axis=1)
        flat = [entry for row in wanted for entry in row]
        assert [tuple(entry) for entry in entries[: indptr[-1]]] == flat
        np.testing.assert_array_equal(entries[indptr[-1] :, 0], NODES)
        np.testing.assert_array_equal(entries[indptr[-1] :, 1], EDGES)


@pytest.mark.parametrize("make", [random_graph, random_digraph])
def test_table(make):
    graphs = [shuffled(RNG, make(RNG)[0]) for _ in range(100)]
    width = 4  # too narrow for some of them
    found = numpy(jax.vmap(lambda graph: in_arcs(graph, width=width))(stacked(graphs)))
    assert (found.dropped > 0).any()
    for lane, graph in enumerate(graphs):
        wanted = rows_of(graph, make is random_digraph)
        assert found.dropped[lane] == sum(max(len(row) - width, 0) for row in wanted)
        for vertex, row in enumerate(wanted):
            row = row[:width] + [(NODES, EDGES)] * (width - len(row))
            np.testing.assert_array_equal(found.index[lane, vertex], [index for index, _ in row])
            np.testing.assert_array_equal(found.arc[lane, vertex], [arc for _, arc in row])
            assert found.mask[lane, vertex].tolist() == [index < NODES for index, _ in row]


def test_width_of_its_own_and_padding():
    star = digraph_from_arcs([[v, 0] for v in range(1, 5)] + [[0, 3]], 5)
    table = in_arcs(star)
    more = in_arcs(pad_graph(star, node_capacity=7, edge_capacity=9), width=5)
    assert table.index.shape == (5, 4)
    assert table.dropped == more.dropped == 0
    assert table.index.tolist()[0] == more.index.tolist()[0][:4] == [1, 2, 3, 4]
    assert more.mask[5:].sum() == 0
    assert in_arcs(graph_from_edges([], 2)).index.shape == (2, 0)
    assert in_arcs(graph_from_edges([], 0)).index.shape == (0, 0)


@pytest.mark.usefixtures("x64")
def test_integers_stay_int32():
    graph = graph_from_edges([[0, 1]], 2)
    assert dtypes((csr(graph), in_arcs(graph))) == {"int32", "bool"}


@pytest.mark.usefixtures("bad_input")
def test_refusals():
    graph = digraph_from_arcs([[0, 1], [2, 1]], 3)
    with pytest.raises(ValueError, match="by: expected one of 'senders', 'receivers'"):
        csr(graph, by="tails")
    with pytest.raises(ValueError, match="width: expected room for 2 arcs into one vertex, got 1"):
        in_arcs(graph, width=1)
    with pytest.raises(ValueError, match="width: expected a number, for a graph inside jit"):
        jax.jit(in_arcs)(graph)
    with pytest.raises(ValueError, match="width: expected an integer >= 0"):
        in_arcs(graph, width=-1)
