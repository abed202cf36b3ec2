"""What the readers of graph files share: the result, errors that name the line, simple graphs."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from jaxlab.checks import require
from jaxlab.graphs.containers import pair_keys

__all__ = [
    "GraphFile",
    "distinct",
    "lines_of",
    "number_of",
    "refuse_line",
    "simple_file",
    "write_text",
]


class GraphFile(NamedTuple):
    """A graph as read from a file, simple: without loops, each edge once.

    ``graph_from_edges(file.edges, file.n_node, weights=file.weights)`` makes a graph of it, or
    ``digraph_from_arcs`` if it was read as directed.

    Attributes:
        edges: pairs of vertices in lexicographic order; the smaller vertex first if undirected.
        n_node: number of vertices.
        weights: of the edges; None if none were read.
        node_weights: of the vertices, one column for each kind; None if the file has none.
        ids: the file's name of each vertex.
        self_loops: number of loops, which were dropped.
        duplicates: number of repeated edges, which were dropped; an undirected edge that is listed
            once from either end is not one.
    """

    edges: Int[np.ndarray, "m 2"]
    n_node: int
    weights: Shaped[np.ndarray, " m"] | None
    node_weights: Shaped[np.ndarray, "n c"] | None
    ids: Int[np.ndarray, " n"]
    self_loops: int
    duplicates: int


def lines_of(path: str | Path) -> Iterator[str]:
    """Lines of a text file, one after the other, without their ends.

    Of a file whose name ends in ".gz", the lines that were compressed.
    """
    open_text: Any = gzip.open if Path(path).suffix == ".gz" else open
    try:
        # some programs put a byte order mark in front
        with open_text(path, "rt", encoding="utf-8-sig") as file:
            for line in file:
                yield line.rstrip("\n")
    except (UnicodeDecodeError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{path}: expected text, or compressed text in .gz: {error}") from error


def write_text(path: str | Path, text: str) -> None:
    """Write a file, compressed if its name ends in ".gz"."""
    data = text.encode()
    # without the time of day: equal graphs make equal files
    data = gzip.compress(data, mtime=0) if Path(path).suffix == ".gz" else data
    Path(path).write_bytes(data)


def number_of(token: str, kind: type) -> Any:
    """A token as an ``int`` or a ``float``; ``ValueError`` if it is none.

    Python itself takes ``1_1`` for 11.
    """
    if "_" in token:
        raise ValueError(token)
    return kind(token)


def refuse_line(path: str | Path, line: int | None, got: object, expected: str) -> None:
    """Raise ``ValueError`` that names the file and the line, counted from 1."""
    where = f"{path}" if line is None else f"{path}, line {line}"
    require(False, where, got, expected)


def simple_file(
    path: str | Path,
    pairs: np.ndarray,
    ids: np.ndarray,
    *,
    directed: bool,
    weights: np.ndarray | None = None,
    node_weights: np.ndarray | None = None,
    lines: np.ndarray | None = None,
) -> GraphFile:
    """The simple graph of rows of vertices ``[rows, 2]``.

    Args:
        path: named in errors.
        pairs: vertices from 0 on, in the order of the file.
        ids: name of each vertex.
        directed: whether ``ab`` and ``ba`` are two arcs or one edge.
        weights: of the rows.
        node_weights: of the vertices.
        lines: the line of each row, named in errors; None where there are no lines.

    Raises:
        ValueError: an edge that is repeated with another weight.
    """
    n = len(ids)
    proper = np.flatnonzero(pairs[:, 0] != pairs[:, 1])
    duplicates = proper.size - distinct(pair_keys(pairs[proper], n)).size
    ends = pairs[proper] if directed else np.sort(pairs[proper], axis=1)
    key = pair_keys(ends, n)
    if weights is None:
        key = distinct(key)
    else:
        key, first, which = np.unique(key, return_index=True, return_inverse=True)
        weights = weights[proper]
        other = np.flatnonzero(weights != weights[first][which])
        if other.size:
            row = int(other[0])
            line = None if lines is None else int(lines[proper[row]])
            names = " and ".join(map(str, ids[ends[row]].tolist()))
            expected = f"the weight of {names} as before, {weights[first][which[row]]}"
            refuse_line(path, line, weights[row], expected)
        weights = weights[first]
    edges = np.stack(np.divmod(key, max(n, 1)), axis=1).reshape(-1, 2)
    loops = len(pairs) - proper.size
    return GraphFile(edges, n, weights, node_weights, ids, loops, duplicates)


def distinct(values: np.ndarray) -> np.ndarray:
    """Distinct values, ascending; ``np.unique`` hashes them, which takes several times as long."""
    values = np.sort(values)
    return values[np.diff(values, prepend=values[:1] - 1) != 0]
