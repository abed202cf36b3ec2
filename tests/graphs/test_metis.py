"""METIS files: the variants of the manual, round trips, errors with their line."""

import numpy as np
import pytest

from jaxlab.graphs.containers import digraph_from_arcs, graph_from_edges
from jaxlab.graphs.metis import read_metis, write_metis
from tests.graphs.instances import edges_of, random_graph, shuffled
from tests.helpers import peak_bytes

RNG = np.random.default_rng(43)

PLAIN = "% a square\n4 4\n 2 4\n1 3\n% in between\n2 4\n1 3 \n\n\n"
WEIGHTED = "3 2 1\n2 7\n1 7 3 9\n2 9\n"
EVERYTHING = "3 2 111 2\n5 1 2 2 7\n6 3 4 1 7 3 9\n7 5 6 2 9\n"


def test_variants(tmp_path):
    path = tmp_path / "a.graph"
    path.write_text(PLAIN)
    found = read_metis(path)
    assert found.edges.tolist() == [[0, 1], [0, 3], [1, 2], [2, 3]]
    assert (found.n_node, found.weights, found.node_weights) == (4, None, None)
    assert found.ids.tolist() == [1, 2, 3, 4]
    path.write_text(WEIGHTED)
    assert read_metis(path).weights.tolist() == [7, 9]
    path.write_text(EVERYTHING)
    found = read_metis(path)
    assert found.edges.tolist() == [[0, 1], [1, 2]]
    assert found.weights.tolist() == [7, 9]
    assert found.node_weights.tolist() == [[1, 2], [3, 4], [5, 6]]
    path.write_text("3 1 010\n4\n5 3\n6 2")
    assert read_metis(path).node_weights.tolist() == [[4], [5], [6]]


def test_blank_lines_are_vertices(tmp_path):
    path = tmp_path / "a.graph"
    path.write_text("4 1\n\n3\n2\n\n")
    assert read_metis(path).edges.tolist() == [[1, 2]]
    path.write_text("0 0\n")
    found = read_metis(path)
    assert found.edges.shape == (0, 2)
    assert found.n_node == 0


def test_a_file_is_read_into_numbers_line_by_line(tmp_path):
    path, n, m = tmp_path / "a.graph", 500, 8000
    edges = np.stack(np.triu_indices(n, 1), axis=1)
    write_metis(path, graph_from_edges(RNG.choice(edges, m, replace=False), n))
    found, peak = peak_bytes(lambda: read_metis(path))
    assert len(found.edges) == m
    assert peak < 35 * path.stat().st_size


@pytest.mark.parametrize("declared", [1, 2, 3, 4])
def test_loops_and_repeats_are_dropped_and_counted(tmp_path, declared):
    path = tmp_path / "a.graph"
    path.write_text(f"2 {declared}\n1 2 2\n1\n")
    if declared == 4:
        with pytest.raises(ValueError, match=r"line 1: expected 4 edges below it"):
            read_metis(path)
        return
    found = read_metis(path)
    assert found.edges.tolist() == [[0, 1]]
    assert (found.self_loops, found.duplicates) == (1, 1)


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("kinds", [None, 1, 2])
def test_round_trips(tmp_path, weights, kinds):
    for k in range(10):
        path = tmp_path / ("a.graph.gz" if k % 2 else "a.graph")
        graph = shuffled(RNG, random_graph(RNG, weights=weights)[0])
        n = int(graph.n_node)
        vertices = None if kinds is None else RNG.integers(0, 5, (n, kinds))
        write_metis(path, graph, node_weights=vertices)
        found = read_metis(path)
        again = graph_from_edges(found.edges, found.n_node, weights=found.weights)
        assert edges_of(again) == edges_of(graph)
        assert found.n_node == n
        if kinds is None:
            assert found.node_weights is None
        else:
            np.testing.assert_array_equal(found.node_weights, vertices)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"graph: expected a line with the numbers of vertices and edges"),
        ("3\n", r"line 1: expected n m \[fmt \[ncon\]\], got '3'"),
        ("2 -1\n", r"line 1: expected n m"),
        ("2 1 020\n2\n1\n", r"line 1: expected a format of three digits 0 or 1, got '020'"),
        ("% c\n3 1\n2\n1\n", r"line 2: expected 3 lines below it.*got '2 lines'"),
        ("2 1\n2\n1\n1\n", r"line 1: expected 2 lines below it.*got '3 lines'"),
        ("2 1\n2\n% c\nx\n", r"line 4: expected integers, got 'x'"),
        ("11 1\n1_1\n" + "\n" * 9 + "1\n", r"line 2: expected integers, got '1_1'"),
        ("2 1\n2.0\n1\n", r"line 2: expected integers, got '2.0'"),
        ("2 1\n3\n1\n", r"line 2: expected neighbours from 1 to 2, got 3"),
        ("2 1\n0\n1\n", r"line 2: expected neighbours from 1 to 2, got 0"),
        ("3 1\n2\n1 3\n\n", r"line 3: expected neighbour 3 to list 2 too"),
        ("2 1 1\n2 5\n1 6\n", r"line 3: expected the weight of 1 and 2 as before, 5, got 6"),
        ("2 1 1\n2 5\n1\n", r"line 3: expected 0 numbers and then pairs.*got '1 numbers'"),
        ("2 1 1\n2 0\n1 0\n", r"line 2: expected edge weights above 0, got 0"),
        ("2 1 10\n1 2\n\n", r"line 3: expected 1 numbers and then neighbours"),
        ("2 1 10\n1 2\n-3 1\n", r"line 3: expected sizes and weights of at least 0, got -3"),
        ("2 2\n2\n1\n", r"line 1: expected 2 edges below it, got '1 edges below it'"),
    ],
)
@pytest.mark.usefixtures("bad_input")
def test_bad_lines_are_named(tmp_path, text, message):
    path = tmp_path / "a.graph"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_metis(path)


@pytest.mark.usefixtures("bad_input")
def test_what_the_format_does_not_hold(tmp_path):
    path = tmp_path / "a.graph"
    heavy = graph_from_edges([[0, 1]], 2, weights=[0.5])
    with pytest.raises(ValueError, match=r"graph.weights: expected dtype integer"):
        write_metis(path, heavy)
    with pytest.raises(ValueError, match=r"graph.weights: expected a finite number >= 1"):
        write_metis(path, graph_from_edges([[0, 1]], 2, weights=[0]))
    edge = graph_from_edges([[0, 1]], 2)
    with pytest.raises(ValueError, match=r"node_weights: expected shape \[2, c\]"):
        write_metis(path, edge, node_weights=[1, 2, 3])
    with pytest.raises(ValueError, match=r"graph: expected an undirected graph"):
        write_metis(path, digraph_from_arcs([[0, 1]], 2))
    assert not path.exists()
