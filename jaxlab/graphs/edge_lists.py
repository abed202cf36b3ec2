"""Text files with one edge a line, as the Stanford Network Analysis Project (SNAP) keeps them."""

from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.checks import check_bool, check_integer
from jaxlab.graphs._files import (
    GraphFile,
    number_of,
    read_text,
    refuse_line,
    simple_file,
    write_text,
)
from jaxlab.graphs._host import listed
from jaxlab.graphs.containers import Digraph, Graph

__all__ = ["GraphFile", "read_edge_list", "write_edge_list"]


def read_edge_list(
    path: str | Path,
    *,
    directed: bool = False,
    weighted: bool = False,
    n_node: int | None = None,
    comments: str = "#%",
    skip_lines: int = 0,
) -> GraphFile:
    r"""The graph of a text file with one edge a line: two integers, and perhaps a weight.

    Columns are separated by blanks or tabs, or by commas where the first line has one before its
    second column ends; further columns are not read. Empty lines are passed over.

    Args:
        path: the file; compressed if its name ends in ".gz".
        directed: read arcs from the first to the second vertex.
        weighted: read the third column as weights.
        n_node: vertices are named 0 to ``n_node − 1``; None if they are those that occur, with any
            names, and are to be numbered in the order of their names.
        comments: lines that begin with one of these characters are passed over.
        skip_lines: number of lines to pass over at the top of the file.

    Returns:
        The simple graph; weights are float64.

    Raises:
        ValueError: naming file and line, for a line without two integers, or without a weight that
            is one; a vertex that is not there; an edge that is repeated with another weight; text
            that cannot be decoded.

    Cost:
        ``O(m log m)`` on the host, for a million lines about four seconds.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "graph.txt"
        ...     _ = path.write_text("# from to\n7 3\n3 7\n7 7\n9 7\n")
        ...     found = read_edge_list(path)
        >>> found.edges.tolist(), found.ids.tolist(), found.self_loops
        ([[0, 1], [1, 2]], [3, 7, 9], 1)
    """
    check_bool("directed", directed)
    check_bool("weighted", weighted)
    check_integer("skip_lines", skip_lines, minimum=0)
    lines = read_text(path).splitlines()
    kept = [k for k in range(skip_lines, len(lines)) if _counts(lines[k], comments)]
    first = lines[kept[0]].split(None, 2)[:2] if kept else []
    separator = "," if any("," in column for column in first) else None
    rows = [lines[k].split(separator, 3)[: 2 + weighted] for k in kept]
    numbers = np.array(kept, np.int64) + 1
    names = _parsed(path, numbers, [row[:2] for row in rows], np.int64, "two integers")
    weights = None
    if weighted:
        column = [row[2:] for row in rows]
        weights = _parsed(path, numbers, column, np.float64, "a weight in the third column")[:, 0]
        bad = np.flatnonzero(~np.isfinite(weights))
        if bad.size:
            refuse_line(path, int(numbers[bad[0]]), weights[bad[0]], "a finite weight")
    if n_node is None:
        ids, pairs = np.unique(names, return_inverse=True)
        pairs = pairs.reshape(-1, 2)
    else:
        check_integer("n_node", n_node, minimum=0)
        ids, pairs = np.arange(n_node), names
        outside = np.flatnonzero(((pairs < 0) | (pairs >= n_node)).any(axis=1))
        if outside.size:
            row, expected = int(outside[0]), f"vertices from 0 to {n_node - 1}"
            refuse_line(path, int(numbers[row]), names[row].tolist(), expected)
    return simple_file(path, pairs, ids, directed=directed, weights=weights, lines=numbers)


def write_edge_list(path: str | Path, graph: Graph | Digraph) -> None:
    """Write one edge a line: its ends, and its weight where there are weights.

    Args:
        path: the file; compressed if its name ends in ".gz".
        graph: one graph, not inside ``jit``.

    Raises:
        ValueError: for a graph inside ``jit``, or a stack.

    Cost:
        ``O(m)`` on the host.

    Example:
        >>> import tempfile
        >>> from jaxlab.graphs.containers import graph_from_edges
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_edge_list(Path(folder) / "graph.txt.gz", graph_from_edges([[0, 2]], 3))
        ...     read_edge_list(Path(folder) / "graph.txt.gz", n_node=3).edges.tolist()
        [[0, 2]]
    """
    arcs, weights, n = listed(graph)
    kind = "Undirected" if isinstance(graph, Graph) else "Directed"
    lines = [f"# {kind} graph", f"# Nodes: {n} Edges: {len(arcs)}"]
    if weights is None:
        lines += [f"{u}\t{v}" for u, v in arcs.tolist()]
    else:
        pairs = zip(arcs.tolist(), weights.tolist(), strict=True)
        lines += [f"{u}\t{v}\t{w!r}" for (u, v), w in pairs]
    write_text(path, "\n".join(lines) + "\n")


def _counts(line: str, comments: str) -> bool:
    line = line.strip()
    return bool(line) and line[0] not in comments


def _parsed(
    path: str | Path, numbers: np.ndarray, rows: list[list[str]], dtype: Any, expected: str
) -> np.ndarray:
    """Rows of numbers as an array, or an error for the first that is none."""
    width, kind = (2, int) if dtype is np.int64 else (1, float)
    try:
        # flat lists of Python numbers: NumPy takes several times as long for lists of strings
        columns = [np.array([number_of(row[k], kind) for row in rows], dtype) for k in range(width)]
        return np.stack(columns, axis=1)
    except (ValueError, IndexError, OverflowError):
        for number, row in zip(numbers.tolist(), rows, strict=True):
            try:
                fits = np.array([number_of(token, kind) for token in row], dtype).shape == (width,)
            except (ValueError, OverflowError):
                fits = False
            if not fits:
                refuse_line(path, number, " ".join(row), expected)
        raise
