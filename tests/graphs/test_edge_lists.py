"""Edge lists: what is dropped and counted, round trips, errors with their line."""

import gzip

import numpy as np
import pytest

from jaxlab.graphs.containers import digraph_from_arcs, graph_from_edges
from jaxlab.graphs.edge_lists import read_edge_list, write_edge_list
from tests.graphs.instances import edges_of, random_digraph, random_graph, shuffled
from tests.helpers import peak_bytes

RNG = np.random.default_rng(41)

SNAP = """# Undirected graph: example.txt
# FromNodeId\tToNodeId
30\t10
10\t30

10\t10
  % another comment
20 10 7
20 10 8
"""


def test_snap(tmp_path):
    path = tmp_path / "graph.txt"
    path.write_text(SNAP)
    found = read_edge_list(path)
    assert found.edges.tolist() == [[0, 1], [0, 2]]
    assert found.ids.tolist() == [10, 20, 30]
    assert (found.n_node, found.self_loops, found.duplicates) == (3, 1, 1)
    assert found.weights is None
    assert found.node_weights is None
    directed = read_edge_list(path, directed=True)
    assert directed.edges.tolist() == [[0, 2], [1, 0], [2, 0]]
    assert (directed.self_loops, directed.duplicates) == (1, 1)
    packed = tmp_path / "graph.txt.gz"
    packed.write_bytes(gzip.compress(SNAP.encode()))
    assert read_edge_list(packed).edges.tolist() == found.edges.tolist()


def test_commas_a_heading_and_weights(tmp_path):
    path = tmp_path / "graph.csv"
    path.write_text("Source,Target,Weight\n0, 1, 0.5\n1, 0, 0.5\n3, 1, -2\n")
    found = read_edge_list(path, weighted=True, skip_lines=1)
    assert found.edges.tolist() == [[0, 1], [1, 2]]
    assert found.weights.tolist() == [0.5, -2.0]
    numbered = read_edge_list(path, skip_lines=1, n_node=6)
    assert numbered.edges.tolist() == [[0, 1], [1, 3]]
    assert numbered.n_node == 6


@pytest.mark.parametrize(
    "text",
    ["1\t2\tfoo,bar\n2\t3\tbaz\n", "1,2\n2,3", "1 , 2\n2,3", " 1 ,2, a b\n2, 3", "1\t,2\n2,3"],
)
def test_commas_separate_where_the_first_two_columns_are(tmp_path, text):
    path = tmp_path / "graph.txt"
    path.write_text(text)
    assert read_edge_list(path).ids.tolist() == [1, 2, 3]


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    for name, data in (
        ("graph.txt", "\ufeff1 2\n2 3\n".encode()),
        ("graph.gz", gzip.compress(b"\xef\xbb\xbf# comment\n1 2\n2 3\n")),
    ):
        (tmp_path / name).write_bytes(data)
        assert read_edge_list(tmp_path / name).ids.tolist() == [1, 2, 3]


@pytest.mark.parametrize("weighted", [False, True])
def test_a_file_is_read_into_numbers_line_by_line(tmp_path, weighted):
    path, m = tmp_path / "graph.txt", 8000
    rows = np.arange(10**6, 10**6 + 2 * m).reshape(m, 2)
    np.savetxt(path, RNG.permutation(rows), fmt="%d\t%d\t1.5")
    found, peak = peak_bytes(lambda: read_edge_list(path, weighted=weighted))
    assert len(found.edges) == m
    assert peak < 10 * path.stat().st_size


def test_nothing_in_it(tmp_path):
    path = tmp_path / "graph.txt"
    path.write_text("# nothing\n")
    found = read_edge_list(path, weighted=True)
    assert found.edges.shape == (0, 2)
    assert found.weights.shape == (0,)
    assert found.n_node == 0
    assert read_edge_list(path, n_node=2).n_node == 2


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("name", ["graph.txt", "graph.txt.gz"])
def test_round_trips(tmp_path, weights, name):
    path = tmp_path / name
    for _ in range(20):
        graph = shuffled(RNG, random_graph(RNG, weights=weights)[0])
        write_edge_list(path, graph)
        found = read_edge_list(path, weighted=weights, n_node=int(graph.n_node))
        assert edges_of(graph_from_edges(*found[:2], weights=found.weights)) == edges_of(graph)
        graph = shuffled(RNG, random_digraph(RNG)[0])
        write_edge_list(path, graph)
        found = read_edge_list(path, directed=True, n_node=int(graph.n_node))
        arcs = [arc[:2] for arc in edges_of(graph)]
        simple = {tuple(arc) for arc in arcs if arc[0] != arc[1]}
        assert set(map(tuple, found.edges.tolist())) == simple
        assert found.self_loops == sum(u == v for u, v in arcs)
        assert found.self_loops + found.duplicates + len(simple) == len(arcs)
        digraph_from_arcs(*found[:2])


def test_weights_are_written_in_full(tmp_path):
    weight = np.float32(0.1)
    write_edge_list(tmp_path / "graph.txt", graph_from_edges([[0, 1]], 2, weights=[weight]))
    found = read_edge_list(tmp_path / "graph.txt", weighted=True)
    assert np.float32(found.weights[0]) == weight


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("0 1\n1 x\n", {}, r"txt, line 2: expected two integers, got '1 x'"),
        ("# c\n\n0 1\n2\n", {}, r"txt, line 4: expected two integers, got '2'"),
        ("0 1\n1 2.5\n", {}, r"txt, line 2: expected two integers"),
        ("0 1\n1_0 2\n", {}, r"txt, line 2: expected two integers, got '1_0 2'"),
        ("0 99999999999999999999\n", {}, r"txt, line 1: expected two integers"),
        ("1,2\n2,x\n", {}, r"txt, line 2: expected two integers, got '2 x'"),
        ("0 1 2\n1 2\n", {"weighted": True}, r"txt, line 2: expected a weight in the third"),
        ("0 1 nan\n", {"weighted": True}, r"txt, line 1: expected a finite weight"),
        ("0 1 2\n1 0 3\n", {"weighted": True}, r"line 2: expected the weight of 0 and 1 as before"),
        ("0 1\n0 2\n", {"n_node": 2}, r"txt, line 2: expected vertices from 0 to 1, got \[0, 2\]"),
        ("-1 0\n", {"n_node": 2}, r"txt, line 1: expected vertices from 0 to 1"),
        ("0 1\n", {"skip_lines": -1}, r"skip_lines: expected an integer >= 0"),
    ],
)
@pytest.mark.usefixtures("bad_input")
def test_bad_lines_are_named(tmp_path, text, options, message):
    path = tmp_path / "graph.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_edge_list(path, **options)


def test_bytes_that_are_no_text(tmp_path):
    for name in ("graph.txt", "graph.gz"):
        (tmp_path / name).write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ValueError, match=f"{name}: expected text, or compressed text"):
            read_edge_list(tmp_path / name)
    cut = gzip.compress(b"0 1\n" * 1000)[:-9]
    spoilt = bytearray(gzip.compress(b"0 1\n" * 1000))
    spoilt[10:14] = b"\xff" * 4
    for data in (cut, bytes(spoilt)):
        (tmp_path / "bad.gz").write_bytes(data)
        with pytest.raises(ValueError, match=r"bad\.gz: expected text, or compressed text"):
            read_edge_list(tmp_path / "bad.gz")
