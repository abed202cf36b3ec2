"""The text format of METIS, KaHIP and the DIMACS challenges: one line of neighbours a vertex."""

from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxlab.checks import check_dtype, check_number, check_shape, require
from jaxlab.graphs._files import (
    GraphFile,
    distinct,
    lines_of,
    number_of,
    refuse_line,
    simple_file,
    write_text,
)
from jaxlab.graphs._host import listed
from jaxlab.graphs.containers import Graph, pair_keys

__all__ = ["read_metis", "write_metis"]


def read_metis(path: str | Path) -> GraphFile:
    r"""The graph of a METIS file.

    The first line says ``n m [fmt [ncon]]``; the next ``n`` lines, one for each vertex, list its
    size, its ``ncon`` weights and its neighbours, counted from 1, each with the weight of the edge;
    the digits of ``fmt``, such as ``011``, say which of sizes, weights and edge weights there are.
    Lines that begin with ``%`` are comments.

    Args:
        path: the file; compressed if its name ends in ".gz".

    Returns:
        The simple graph; ``node_weights`` are the weights, without the sizes.

    Raises:
        ValueError: naming file and line, for what is not an integer, a vertex that is not there, an
            edge listed at one of its ends only or with two weights, a weight below 0, an edge
            weight of 0, and a number of lines or edges other than the first line says (loops and
            repeated edges count there or not).

    Cost:
        ``O(m log m)`` on the host, for a million edges about two seconds; memory for 27 numbers of
        eight bytes an edge.

    Source:
        Karypis, *METIS: a software package for partitioning unstructured graphs*, manual of version
        5, section 4.1.1.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "path.graph"
        ...     _ = path.write_text("% edges weigh 5 and 6\n3 2 001\n2 5\n1 5 3 6\n2 6\n")
        ...     found = read_metis(path)
        >>> found.edges.tolist(), found.weights.tolist()
        ([[0, 1], [1, 2]], [5, 6])
    """
    rows = (row for row in enumerate(lines_of(path), 1) if not row[1].startswith("%"))
    first, header = next(rows, (0, ""))
    if first == 0:
        refuse_line(path, None, "an empty file", "a line with the numbers of vertices and edges")
    n, declared, sizes, weights, edge_weights = _header(path, first, header)
    values, length, number = _read_rows(path, rows, n)
    if len(length) != n:
        refuse_line(path, first, f"{len(length)} lines", f"{n} lines below it, one for each vertex")
    leading = sizes + weights
    wrong = np.flatnonzero((length < leading) | ((length - leading) % (1 + edge_weights) != 0))
    if wrong.size:
        row = int(wrong[0])
        each = "pairs of neighbour and weight" if edge_weights else "neighbours"
        expected = f"{leading} numbers and then {each}"
        refuse_line(path, int(number[row]), f"{length[row]} numbers", expected)

    start = np.cumsum(length) - length
    leads = np.arange(values.size) - np.repeat(start, length) < leading
    front, values = values[leads].reshape(n, leading), values[~leads]
    negative = np.flatnonzero((front < 0).any(axis=1))
    if negative.size:
        row = int(negative[0])
        refuse_line(path, int(number[row]), front[row].min(), "sizes and weights of at least 0")
    neighbour = values[:: 1 + edge_weights] - 1
    vertex = np.repeat(np.arange(n), (length - leading) // (1 + edge_weights))
    row_lines = number[vertex]
    outside = np.flatnonzero((neighbour < 0) | (neighbour >= n))
    if outside.size:
        row = int(outside[0])
        refuse_line(path, int(row_lines[row]), neighbour[row] + 1, f"neighbours from 1 to {n}")
    pair_weights = values[1::2] if edge_weights else None
    if pair_weights is not None and (small := np.flatnonzero(pair_weights < 1)).size:
        row = int(small[0])
        refuse_line(path, int(row_lines[row]), pair_weights[row], "edge weights above 0")

    pairs = np.stack([vertex, neighbour], axis=1)
    _both_ways(path, pairs, n, row_lines)
    found = simple_file(
        path,
        pairs,
        np.arange(1, n + 1),
        directed=False,
        weights=pair_weights,
        node_weights=front[:, sizes:] if weights else None,
        lines=row_lines,
    )
    least, most = len(found.edges), len(found.edges) + found.self_loops + found.duplicates
    if not least <= declared <= most:
        refuse_line(path, first, f"{least} edges below it", f"{declared} edges below it")
    return found


def write_metis(path: str | Path, graph: Graph, *, node_weights: Any = None) -> None:
    """Write a METIS file.

    Args:
        path: the file; compressed if its name ends in ".gz".
        graph: one graph, not inside ``jit``. Weights have to be integers above 0.
        node_weights: weights of the vertices that are there, ``[n_node]`` or, of several kinds,
            ``[n_node, c]``: integers from 0 on.

    Raises:
        ValueError: other weights, a graph inside ``jit``, or a stack.

    Cost:
        ``O(m log m)`` on the host.

    Example:
        >>> import tempfile
        >>> from jaxlab.graphs.containers import graph_from_edges
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "edge.graph"
        ...     write_metis(path, graph_from_edges([[0, 2]], 3))
        ...     path.read_text().splitlines()
        ['3 1', '3', '', '1']
    """
    require(isinstance(graph, Graph), "graph", type(graph).__name__, "an undirected graph")
    edges, weights, n = listed(graph)
    front: list[list[int]] = [[] for _ in range(n)]
    kind = "0"
    if node_weights is not None:
        node_weights = np.asarray(node_weights)
        node_weights = node_weights[:, None] if node_weights.ndim == 1 else node_weights
        check_shape("node_weights", node_weights, (n, "c"))
        _check_at_least("node_weights", node_weights, 0)
        kind, front = "1", node_weights.tolist()
    if weights is not None:
        _check_at_least("graph.weights", weights, 1)
    kind += "0" if weights is None else "1"
    format_ = "" if kind == "00" else f" 0{kind}"
    if node_weights is not None and node_weights.shape[1] != 1:
        format_ += f" {node_weights.shape[1]}"

    ends = np.concatenate([edges, edges[:, ::-1]])
    order = np.lexsort(ends.T[::-1])
    entries = ends[order, 1:] + 1
    if weights is not None:
        entries = np.concatenate([entries, np.tile(weights, 2)[order, None]], axis=1)
    split = np.searchsorted(ends[order, 0], np.arange(1, n))
    lines = [f"{n} {len(edges)}{format_}"]
    rows = np.split(entries, split) if n else []
    for lead, row in zip(front, rows, strict=True):
        lines.append(" ".join(map(str, [*lead, *row.ravel().tolist()])))
    write_text(path, "\n".join(lines) + "\n")


def _header(path: str | Path, line: int, header: str) -> tuple[int, int, int, int, int]:
    """Numbers of vertices, edges, sizes and weights of a vertex, and weights of an edge."""
    tokens = header.split()
    fits = 2 <= len(tokens) <= 4 and all(token.isascii() and token.isdigit() for token in tokens)
    if not fits:
        refuse_line(path, line, header, "n m [fmt [ncon]]")
    format_ = tokens[2].zfill(3) if len(tokens) > 2 else "000"
    if len(format_) > 3 or set(format_) - {"0", "1"}:
        refuse_line(path, line, tokens[2], "a format of three digits 0 or 1")
    sizes, weights, edge_weights = (int(digit) for digit in format_)
    if len(tokens) > 3:
        weights *= int(tokens[3])
    return int(tokens[0]), int(tokens[1]), sizes, weights, edge_weights


def _read_rows(
    path: str | Path, rows: Iterator[tuple[int, str]], n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of all rows, how many each has, and its line, without empty rows behind the last."""
    # as lists, or as words, they take several times the memory
    values, length, lines = array("q"), array("q"), array("q")
    for number, line in rows:
        before = len(values)
        for token in line.split():
            try:
                values.append(number_of(token, int))
            except (ValueError, OverflowError):
                refuse_line(path, number, token, "integers")
        length.append(len(values) - before)
        lines.append(number)
    while len(lines) > n and length[-1] == 0:
        length.pop()
        lines.pop()
    return np.asarray(values), np.asarray(length), np.asarray(lines)


def _both_ways(path: str | Path, pairs: np.ndarray, n: int, lines: np.ndarray) -> None:
    """Refuse an edge that only one of its ends lists."""
    there, back = pair_keys(pairs, n), pair_keys(pairs[:, ::-1], n)
    if not np.array_equal(distinct(there), distinct(back)):
        row = int(np.flatnonzero(~np.isin(there, back))[0])
        vertex, neighbour = (pairs[row] + 1).tolist()
        expected = f"neighbour {neighbour} to list {vertex} too"
        refuse_line(path, int(lines[row]), "a line that does not", expected)


def _check_at_least(name: str, weights: np.ndarray, least: int) -> None:
    check_dtype(name, weights, "integer")
    check_number(name, weights, minimum=least)
