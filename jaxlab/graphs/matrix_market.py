"""Graphs in the Matrix Market format: the entries of a sparse matrix."""

import zlib
from pathlib import Path

import numpy as np
import scipy.io

from jaxlab.checks import check_bool
from jaxlab.graphs._files import GraphFile, refuse_line, simple_file

__all__ = ["read_matrix_market"]


def read_matrix_market(
    path: str | Path, *, directed: bool = False, weighted: bool = False
) -> GraphFile:
    r"""The graph of a square matrix in a Matrix Market file: each stored entry is an edge.

    Args:
        path: the file; compressed if its name ends in ".gz".
        directed: read entry ``ij`` as an arc from ``i`` to ``j``, not as an edge.
        weighted: keep the values as weights.

    Returns:
        The simple graph; vertex 0 is row 1 of the file.

    Raises:
        ValueError: naming the file, and the line where there is one, for a file that is not of the
            format, a dense or rectangular matrix, and, with weights, a pattern, complex numbers, or
            an undirected edge of two weights.

    Cost:
        ``O(m log m)`` on the host.

    Example:
        >>> import tempfile
        >>> text = "%%MatrixMarket matrix coordinate pattern symmetric\n3 3 2\n2 1\n3 1\n"
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "star.mtx"
        ...     _ = path.write_text(text)
        ...     read_matrix_market(path).edges.tolist()
        [[0, 1], [0, 2]]
    """
    check_bool("directed", directed)
    check_bool("weighted", weighted)
    Path(path).stat()  # SciPy calls a file that is missing badly formed
    try:
        _, _, _, layout, field, _ = scipy.io.mminfo(path)
        matrix = scipy.io.mmread(path, spmatrix=False)
    except (ValueError, OverflowError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path}: expected a Matrix Market file: {error}") from error
    if layout != "coordinate":
        refuse_line(path, None, layout, "a sparse matrix: layout coordinate")
    rows, columns = matrix.shape
    if rows != columns:
        refuse_line(path, None, f"{rows} × {columns}", "a square matrix")
    if weighted and field in ("pattern", "complex"):
        refuse_line(path, None, field, "real or integer weights")
    pairs = np.stack([matrix.row, matrix.col], axis=1).astype(np.int64)
    return simple_file(
        path,
        pairs,
        np.arange(1, rows + 1),
        directed=directed,
        weights=matrix.data if weighted else None,
    )
