"""A user's own matrix, from the file formats that matrices are kept in."""

import csv
import gzip
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from jaxlab.checks import require

__all__ = ["SUFFIXES", "is_number", "read_matrix"]

SUFFIXES = (".npy", ".npz", ".mtx", ".mtx.gz", ".csv", ".tsv")

# what the readers of damaged files raise
_UNREADABLE = (
    *(ValueError, OSError, EOFError, OverflowError, KeyError, TypeError),
    *(RuntimeError, zipfile.BadZipFile, zlib.error, csv.Error),
)


def read_matrix(path: str | os.PathLike[str], array: str | None = None) -> Float[np.ndarray, "m n"]:
    r"""The matrix in a file, dense, float64.

    Args:
        path: ``.npy``; ``.npz``, of arrays or of one SciPy sparse matrix; Matrix Market ``.mtx``,
            dense or sparse, also ``.mtx.gz``; ``.csv`` or ``.tsv`` of numbers, under a line of
            names, none of them a number, or not.
        array: name of the array of an ``.npz`` file that holds several; without it, the file of a
            SciPy sparse matrix is read as that matrix.

    Returns:
        The matrix. A vector is one column.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: naming the file, for a suffix that is not listed, a file that is not what its
            suffix says, numbers of no or several matrices, more than two axes, no entries, or an
            entry that is not a finite real number.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "two.csv"
        ...     _ = path.write_text("age,height\n30,1.7\n40,1.8\n")
        ...     read_matrix(path)
        array([[30. ,  1.7],
               [40. ,  1.8]])
    """
    path = Path(path)
    suffix = next((end for end in SUFFIXES if path.name.lower().endswith(end)), None)
    require(suffix is not None, "path", path.name, f"a file ending in {', '.join(SUFFIXES)}")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    if array is not None:
        require(suffix == ".npz", "array", array, f"None: {path.name} holds one matrix")
    try:
        if suffix == ".npy":
            matrix: Any = np.load(path, allow_pickle=False)
        elif suffix == ".npz":
            matrix = _of_npz(path, array)
        elif suffix in (".csv", ".tsv"):
            matrix = _of_table(path, "\t" if suffix == ".tsv" else ",")
        else:
            matrix = _of_matrix_market(path)
    except _UNREADABLE as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: expected a {suffix} file: {error}") from error
    matrix = np.asarray(matrix)
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim != 2:
        raise ValueError(f"{path}: expected a matrix, got shape {matrix.shape}")
    if matrix.size == 0:
        raise ValueError(f"{path}: expected entries, got shape {matrix.shape}")
    if matrix.dtype.kind not in "biuf":
        raise ValueError(f"{path}: expected real numbers, got dtype {matrix.dtype}")
    matrix = matrix.astype(np.float64)
    bad = np.argwhere(~np.isfinite(matrix))
    if bad.size:
        row, column = bad[0].tolist()
        raise ValueError(
            f"{path}: expected finite entries, got {matrix[row, column]} in row {row}, "
            f"column {column}, counted from 0"
        )
    return matrix


def _of_npz(path: Path, array: str | None) -> Any:
    with np.load(path, allow_pickle=False) as content:
        names = list(content.files)
        if array is None and {"format", "shape", "data"} <= set(names):
            import scipy.sparse

            return scipy.sparse.load_npz(path).toarray()
        if array is None and len(names) == 1:
            return content[names[0]]
        if array not in names:
            raise ValueError(f"{path}: expected the name of one of its arrays {names}, got {array}")
        return content[array]


def _of_matrix_market(path: Path) -> Any:
    import scipy.io

    with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
        matrix = scipy.io.mmread(file, spmatrix=False)
    return matrix if isinstance(matrix, np.ndarray) else matrix.toarray()


def _of_table(path: Path, delimiter: str) -> Any:
    """Rows of numbers; a first line without a number is names."""
    text = path.read_text(encoding="utf-8-sig")
    lines = [
        (number, line)
        for number, line in enumerate(csv.reader(text.splitlines(), delimiter=delimiter), 1)
        if line
    ]
    rows: list[list[float]] = []
    if lines and not any(is_number(word) for word in lines[0][1]):
        lines = lines[1:]
    for number, line in lines:
        try:
            row = [float(word) for word in line]
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: expected numbers: {error}") from error
        if rows and len(row) != len(rows[0]):
            raise ValueError(
                f"{path}, line {number}: expected {len(rows[0])} numbers, got {len(row)}"
            )
        rows.append(row)
    return np.array(rows, dtype=np.float64)


def is_number(word: str) -> bool:
    """Whether ``word`` is a number, and so no name of a column."""
    try:
        float(word)
    except ValueError:
        return False
    return True
