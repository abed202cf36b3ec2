"""A user's own matrix, from the file formats that matrices are kept in."""

import csv
import gzip
import itertools
import os
import zipfile
import zlib
from array import array as array_of_numbers
from collections.abc import Iterator
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

    Cost:
        One pass over the file; memory for the matrix, a third of it more, and the file's own matrix
        where that is sparse or of another type.

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
    matrix = matrix.astype(np.float64, copy=False)
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
    numbers = array_of_numbers("d")  # as lists, or as words, they take several times the memory
    width = 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        text = csv.reader(file, delimiter=delimiter)
        lines: Iterator[list[str]] = filter(None, text)
        first = next(lines, [])
        if any(is_number(word) for word in first):
            lines = itertools.chain([first], lines)
        for line in lines:
            try:
                numbers.extend(map(float, line))
            except ValueError as error:
                raise ValueError(
                    f"{path}, line {text.line_num}: expected numbers: {error}"
                ) from error
            width = width or len(line)
            if len(line) != width:
                raise ValueError(
                    f"{path}, line {text.line_num}: expected {width} numbers, got {len(line)}"
                )
    return np.asarray(numbers).reshape(-1, max(width, 1))


def is_number(word: str) -> bool:
    """Whether ``word`` is a number, and so no name of a column."""
    try:
        float(word)
    except ValueError:
        return False
    return True
