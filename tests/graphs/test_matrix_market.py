"""Matrix Market: files that SciPy wrote, symmetric and general, and what is refused."""

import gzip

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from jaxlab.graphs.conversions import to_scipy
from jaxlab.graphs.matrix_market import read_matrix_market
from tests.graphs.instances import edges_of, random_digraph, random_graph

RNG = np.random.default_rng(47)


def test_what_scipy_writes(tmp_path):
    path = tmp_path / "a.mtx"
    for symmetry in ("symmetric", "general"):
        for _ in range(10):
            graph = random_graph(RNG, weights=True)[0]
            scipy.io.mmwrite(path, to_scipy(graph), symmetry=symmetry)
            found = read_matrix_market(path, weighted=True)
            columns = [*found.edges.T, found.weights]
            assert np.stack(columns, axis=1).tolist() == edges_of(graph)
            assert (found.n_node, found.duplicates) == (graph.n_node, 0)
    for _ in range(10):
        matrix = to_scipy(random_digraph(RNG)[0])
        scipy.io.mmwrite(path, matrix, symmetry="general")
        found = read_matrix_market(path, directed=True, weighted=True)
        assert found.self_loops == np.count_nonzero(matrix.diagonal())
        rest = matrix.toarray()
        np.fill_diagonal(rest, 0)
        assert found.edges.tolist() == np.argwhere(rest).tolist()
        np.testing.assert_array_equal(found.weights, rest[tuple(found.edges.T)])


def test_pattern_compressed(tmp_path):
    plain, path = tmp_path / "a.mtx", tmp_path / "a.mtx.gz"
    matrix = scipy.sparse.coo_array(([1, 1, 1], ([2, 0, 1], [0, 2, 1])), shape=(3, 3))
    scipy.io.mmwrite(plain, matrix, field="pattern", symmetry="general")
    path.write_bytes(gzip.compress(plain.read_bytes()))
    found = read_matrix_market(path)
    assert found.edges.tolist() == [[0, 2]]
    assert found.weights is None
    assert found.self_loops == 1


HEAD = "%%MatrixMarket matrix coordinate integer general\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 1\n", r"a.mtx: expected a Matrix Market file: Line 1"),
        (HEAD + "2 2 1\n1 x 1\n", r"a.mtx: expected a Matrix Market file: Line 3"),
        (HEAD + "2 2 1\n3 1 1\n", r"a.mtx: expected a Matrix Market file: Line 3"),
        (HEAD + "2 2 2\n1 2 1\n", r"a.mtx: expected a Matrix Market file: .*[Tt]runcated"),
        (HEAD + "2 3 1\n1 2 1\n", r"a.mtx: expected a square matrix, got '2 × 3'"),
        (HEAD + "2 2 2\n1 2 1\n2 1 3\n", r"a.mtx: expected the weight of 1 and 2 as before, 1"),
        (
            "%%MatrixMarket matrix array integer general\n1 1\n1\n",
            r"a.mtx: expected a sparse matrix: layout coordinate, got 'array'",
        ),
        (
            "%%MatrixMarket matrix coordinate pattern general\n2 2 1\n1 2\n",
            r"a.mtx: expected real or integer weights, got 'pattern'",
        ),
    ],
)
@pytest.mark.usefixtures("bad_input")
def test_bad_files_are_named(tmp_path, text, message):
    path = tmp_path / "a.mtx"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_matrix_market(path, weighted=True)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_matrix_market(tmp_path / "a.mtx")
