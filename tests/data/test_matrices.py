"""A user's matrix in every format, and what each refuses."""

import gzip
import io

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from jaxlab.data import read_matrix
from tests.helpers import peak_bytes

MATRIX = np.array([[1.0, 0.0, -2.5], [0.0, 3.0, 4.0]])


def write(path, matrix):
    """``matrix`` in the format of the file's name."""
    sparse = scipy.sparse.coo_array(matrix)
    if path.suffix == ".npy":
        np.save(path, matrix)
    elif path.name.startswith("sparse") and path.suffix == ".npz":
        scipy.sparse.save_npz(path, sparse.tocsr())
    elif path.suffix == ".npz":
        np.savez(path, only=matrix)
    elif ".mtx" in path.name.lower():
        text = io.BytesIO()
        scipy.io.mmwrite(text, sparse if path.name.startswith("sparse") else matrix)
        packed = path.name.lower().endswith(".gz")
        path.write_bytes(gzip.compress(text.getvalue()) if packed else text.getvalue())
    else:
        delimiter = "\t" if path.suffix == ".tsv" else ","
        header = delimiter.join("abc") if path.name.startswith("named") else ""
        np.savetxt(path, matrix, delimiter=delimiter, header=header, comments="")
    return path


@pytest.mark.parametrize(
    "name",
    [
        *("a.npy", "a.npz", "sparse.npz", "a.mtx", "sparse.mtx", "a.mtx.gz", "A.MTX.GZ"),
        *("a.csv", "named.csv", "a.tsv", "A.CSV"),
    ],
)
def test_every_format_gives_the_matrix(tmp_path, name):
    found = read_matrix(write(tmp_path / name, MATRIX))
    np.testing.assert_array_equal(found, MATRIX)
    assert found.dtype == np.float64


@pytest.mark.parametrize("name", ["a.csv", "a.npy", "a.mtx"])
def test_a_file_is_read_into_little_more_than_the_matrix(tmp_path, name):
    matrix = np.random.default_rng(0).normal(size=(2000, 20))
    path = write(tmp_path / name, matrix)
    found, peak = peak_bytes(lambda: read_matrix(path))
    np.testing.assert_array_equal(found, matrix)
    found[0] = 0  # it is the caller's own
    assert peak < 1.5 * matrix.nbytes


def test_an_array_of_several_is_named(tmp_path):
    path = tmp_path / "two.npz"
    np.savez(path, a=MATRIX, b=2 * MATRIX)
    np.testing.assert_array_equal(read_matrix(path, "b"), 2 * MATRIX)
    with pytest.raises(ValueError, match=r"one of its arrays \['a', 'b'\], got None"):
        read_matrix(path)
    sparse = tmp_path / "sparse.npz"
    scipy.sparse.save_npz(sparse, scipy.sparse.csr_array(MATRIX))
    np.testing.assert_array_equal(read_matrix(sparse), MATRIX)
    np.testing.assert_array_equal(read_matrix(sparse, "data")[:, 0], MATRIX[MATRIX != 0])
    with pytest.raises(ValueError, match=r"one of its arrays .*, got a"):
        read_matrix(sparse, "a")


def test_an_encrypted_archive_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", a=MATRIX)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.npz: expected a \.npz file: .*encrypted"):
        read_matrix(tmp_path / "a.npz")


def test_a_vector_is_a_column_and_integers_are_numbers(tmp_path):
    np.save(tmp_path / "labels.npy", np.array([2, 0, 1], np.int8))
    np.testing.assert_array_equal(read_matrix(tmp_path / "labels.npy"), [[2.0], [0.0], [1.0]])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", "", "path: expected a file ending in .npy"),
        ("a.csv", "x,y\n1,2\n3\n", "line 3: expected 2 numbers, got 1"),
        ("a.csv", '"age\n(years)",height\n\n1,2\n3,4,5\n', "line 5: expected 2 numbers, got 3"),
        ("a.csv", "1,2\n3,four\n", "line 2: expected numbers: .*four"),
        ("a.csv", "x,y\n", "expected entries"),
        ("a.csv", "1,2\n3,nan\n", "finite entries, got nan in row 1, column 1"),
        ("a.npy", "not numpy", "expected a .npy file"),
        ("a.mtx", "not a matrix", "expected a .mtx file"),
        ("a.npz", "PK\x03\x04 and no more", "a.npz: expected a .npz file"),
        ("a.csv", f"1,{'2' * 200_000}\n", "a.csv: expected a .csv file: field larger"),
        ("a.csv", "1,,3\n4,5,6\n", "line 1: expected numbers"),
    ],
)
def test_what_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        read_matrix(tmp_path / name)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 2, 2)), "expected a matrix, got shape"),
        (np.zeros((2, 2), np.complex64), "expected real numbers"),
        (np.array([["a"]]), "expected real numbers"),
    ],
)
def test_arrays_that_are_no_matrix(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ValueError, match=message):
        read_matrix(tmp_path / "a.npy")


def test_a_missing_file_and_a_name_too_many(tmp_path, bad_input):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_matrix(tmp_path / "a.npy")
    with pytest.raises(ValueError, match=r"array: expected None: a.npy holds one matrix"):
        read_matrix(write(tmp_path / "a.npy", MATRIX), "b")
