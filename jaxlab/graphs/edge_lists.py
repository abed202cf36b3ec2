"""Text files with one edge a line, as the Stanford Network Analysis Project (SNAP) keeps them."""

import math
from array import array
from pathlib import Path

import numpy as np

from jaxlab.checks import check_bool, check_integer
from jaxlab.graphs._files import (
    GraphFile,
    lines_of,
    number_of,
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
        ``O(m log m)`` on the host, for a million lines about two seconds; memory for 17 numbers of
        eight bytes a line.

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
    names, weights, numbers = _read_rows(path, weighted, comments, skip_lines)
    if n_node is None:
        ids, names = np.unique(names, return_inverse=True)
        pairs = names.reshape(-1, 2)
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


def _read_rows(
    path: str | Path, weighted: bool, comments: str, skip_lines: int
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """Names of the ends and weights of all rows, and the line that each is in."""
    # as lists, or as words, they take several times the memory
    names, weights, numbers = array("q"), array("d"), array("q")
    separator = None
    for number, line in enumerate(lines_of(path), 1):
        if number <= skip_lines or not _counts(line, comments):
            continue
        if not numbers:
            separator = "," if any("," in column for column in line.split(None, 2)[:2]) else None
        row = line.split(separator, 3)
        got, expected = row[:2], "two integers"
        try:
            u, v = got
            names.extend((number_of(u, int), number_of(v, int)))
            if weighted:
                got, expected = row[2:3], "a weight in the third column"
                (w,) = got
                weights.append(number_of(w, float))
        except (ValueError, OverflowError):
            refuse_line(path, number, " ".join(got), expected)
        if weighted and not math.isfinite(weights[-1]):
            refuse_line(path, number, weights[-1], "a finite weight")
        numbers.append(number)
    pairs = np.asarray(names).reshape(-1, 2)
    return pairs, np.asarray(weights) if weighted else None, np.asarray(numbers)


def _counts(line: str, comments: str) -> bool:
    line = line.strip()
    return bool(line) and line[0] not in comments
