"""Graphs of the Stanford Large Network Dataset Collection, as simple undirected graphs.

A graph is read from the file that the collection publishes or from a copy of it as a compressed
sparse row (``.npz``). The two are different bytes for one graph, so what is compared with the
pinned checksum is a fingerprint of the graph: it depends on the edges and not on the order of the
rows, the direction they are written in, the file's format, or the numbering of the vertices.
"""

import io
import zipfile
from typing import NamedTuple

import numpy as np

from jaxlab.checks import check_dtype, check_shape, require
from jaxlab.data.entry import Entry, ReadFile
from jaxlab.data.files import FileSpec
from jaxlab.data.matrices import is_number

__all__ = ["ENTRIES", "SimpleGraph", "arrival_key", "fingerprint", "read_graph", "simple_graph"]


class SimpleGraph(NamedTuple):
    """A simple undirected graph, and what its source had beyond it.

    Attributes:
        edges: ``[m, 2]`` int32, each edge once as (smaller, larger), in lexicographic order.
        ids: ``[n]`` int64, the source's number of every vertex, ascending.
        self_loops: rows that led from a vertex to itself.
        duplicates: rows that repeated an edge, in either direction.
    """

    edges: np.ndarray
    ids: np.ndarray
    self_loops: int
    duplicates: int


def simple_graph(pairs: np.ndarray, *, largest_component: bool = False) -> SimpleGraph:
    """The simple undirected graph of a list of pairs, vertices numbered by ascending id.

    Args:
        pairs: ``[rows, 2]`` integers: ids of the two ends, in either order, repeated or equal.
        largest_component: keep only the largest connected component.

    Example:
        >>> simple_graph(np.array([[7, 3], [3, 7], [7, 7], [9, 7]])).edges.tolist()
        [[0, 1], [1, 2]]
    """
    pairs = np.asarray(pairs)
    check_shape("pairs", pairs, ("rows", 2))
    check_dtype("pairs", pairs, "integer")
    ids, ends = np.unique(pairs, return_inverse=True)
    ends = np.sort(ends.reshape(-1, 2), axis=1)
    proper = ends[ends[:, 0] < ends[:, 1]]
    packed = np.unique(proper[:, 0] * len(ids) + proper[:, 1])
    edges = np.stack(np.divmod(packed, max(len(ids), 1)), axis=1).astype(np.int32)
    loops, duplicates = len(ends) - len(proper), len(proper) - len(edges)
    if largest_component and len(ids):
        edges, ids = _largest_component(edges, ids)
    return SimpleGraph(edges, ids.astype(np.int64), loops, duplicates)


def arrival_key(arxiv_id: np.ndarray) -> np.ndarray:
    """Key by which papers of the arXiv come in the order of their submission.

    Ids are ``YYMMNNN`` without leading zeros, some of them behind the prefix 11. The prefix goes,
    and the years 2000 and later come after 1999.

    Example:
        >>> arrival_key(np.array([9912001, 1001, 110001002])).tolist()
        [9912001, 10001001, 10001002]
    """
    key = np.asarray(arxiv_id, np.int64)
    key = np.where(key > 9_999_999, key - 110_000_000, key)
    return np.where(key < 9_000_000, key + 10_000_000, key)


def read_graph(
    content: bytes, *, largest_component: bool = False, dated: bool = False
) -> SimpleGraph:
    """The graph of a published file or of a copy of it.

    Args:
        content: rows of two ids, apart by white space or a comma, with comments (``#``) or one
            heading; or a zip archive with one such file of edges (``*edges.csv``); or an ``.npz``
            with ``num_nodes``, ``indptr``, ``indices``: the strict upper triangle by rows, and
            ``arxiv_id`` where the vertices are ``dated``.
        largest_component: keep only the largest connected component of a published file; copies
            have been reduced to it.
        dated: the ids of the vertices are dates, in the order of which they arrive.

    Raises:
        ValueError: the content is none of these.
    """
    if content[:2] != b"PK":
        return simple_graph(_rows(content), largest_component=largest_component)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            tables = [name for name in archive.namelist() if name.endswith("edges.csv")]
            if tables:
                rows = _rows(archive.read(tables[0]))
                return simple_graph(rows, largest_component=largest_component)
        with np.load(io.BytesIO(content)) as arrays:
            names = ("num_nodes", "indptr", "indices", *(("arxiv_id",) if dated else ()))
            return _of_copy(*(arrays[name] for name in names))
    except Exception as error:  # whatever damage does to the readers
        raise ValueError(
            f"content: expected a graph, got an archive without one: {error!r}"
        ) from None


def fingerprint(graph: SimpleGraph) -> bytes:
    """Bytes that damage to a graph changes, and that are the same for every numbering of it.

    They tell other data sets apart too, but are no proof: two graphs that three rounds of colour
    refinement cannot tell apart, such as regular ones of one size and degree, have the same. In a
    round each vertex's colour, at first its degree, is mixed with the sum of its neighbours'
    colours. Numbers of vertices and edges and the sorted colours are given.

    Example:
        >>> path, turned = ([[0, 1], [1, 2]], [[5, 9], [2, 9]])
        >>> fingerprint(simple_graph(np.array(path))) == fingerprint(simple_graph(np.array(turned)))
        True
    """
    n = len(graph.ids)
    first, second = graph.edges.T
    colour = np.bincount(graph.edges.ravel(), minlength=n).astype(np.uint64)
    for _ in range(3):
        mixed = _mix(colour)
        total = np.zeros(n, np.uint64)
        np.add.at(total, first, mixed[second])
        np.add.at(total, second, mixed[first])
        colour = _mix(mixed + np.uint64(3) * total)
    numbers = np.array([n, len(graph.edges)], "<u8")
    return numbers.tobytes() + np.sort(colour).astype("<u8").tobytes()


def _mix(number: np.ndarray) -> np.ndarray:
    """The finalising step of SplitMix64: a bijection of 64 bits in which every bit matters."""
    number = number + np.uint64(0x9E3779B97F4A7C15)
    number = (number ^ (number >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    number = (number ^ (number >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return number ^ (number >> np.uint64(31))


def _of_copy(
    num_nodes: np.ndarray,
    indptr: np.ndarray,
    indices: np.ndarray,
    ids: np.ndarray | None = None,
) -> SimpleGraph:
    check_shape("num_nodes", num_nodes, ())
    check_dtype("num_nodes", num_nodes, "integer")
    n = int(num_nodes)
    check_shape("indptr", indptr, (n + 1,))  # before anything of n entries is made
    counts = np.diff(indptr)
    check_shape("indices", indices, (int(counts.sum()),))
    check_dtype("indices", indices, "integer")
    ids = np.arange(n) if ids is None else ids
    check_shape("arxiv_id", ids, (n,))
    check_dtype("arxiv_id", ids, "integer")
    senders = np.repeat(np.arange(n), counts)
    triangle = bool(((senders < indices) & (indices < n)).all())
    require(triangle, "indices", indices, "an upper triangle")
    edges = np.stack([senders, indices], axis=1).astype(np.int32)
    return SimpleGraph(edges, ids.astype(np.int64), 0, 0)


def _rows(content: bytes) -> np.ndarray:
    lines = content.decode("ascii", "replace").replace(",", " ").splitlines()
    rows = [line for line in lines if line.strip() and not line.startswith("#")]
    if rows and not any(is_number(word) for word in rows[0].split()):
        rows = rows[1:]
    uneven = next((row for row in rows if len(row.split()) != 2), None)
    require(uneven is None, "content", uneven, "two integers in every row")
    try:
        return np.array(" ".join(rows).split(), np.int64).reshape(-1, 2)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"content: expected rows of two integers, got {error}") from None


def _largest_component(edges: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    import scipy.sparse as sp

    ones = np.ones(len(edges), np.int8)
    matrix = sp.coo_array((ones, (edges[:, 0], edges[:, 1])), shape=(len(ids), len(ids)))
    component = sp.csgraph.connected_components(matrix, directed=False)[1]
    kept = component == np.bincount(component).argmax()
    number = np.cumsum(kept) - 1
    return number[edges[kept[edges[:, 0]]]].astype(np.int32), ids[kept]


def _entry(
    name: str,
    file: str,
    digest: str,
    *,
    description: str,
    licence: str,
    citation: str,
    largest_component: bool = False,
    dated: bool = False,
) -> Entry:
    def graph(content: bytes) -> SimpleGraph:
        return read_graph(content, largest_component=largest_component, dated=dated)

    def read(read_file: ReadFile, split: str) -> dict[str, np.ndarray]:
        found = graph(read_file(file))
        arrays = {
            "edges": found.edges,
            "num_nodes": np.array(len(found.ids), np.int32),
            "dropped": np.array([found.self_loops, found.duplicates], np.int32),
        }
        if dated:
            arrays["arxiv_id"] = found.ids
            arrays["arrival_key"] = arrival_key(found.ids)
        return arrays

    def compared(content: bytes) -> bytes:
        return fingerprint(graph(content))

    url = f"https://snap.stanford.edu/data/{file}"
    spec = FileSpec(
        folder=name,
        name=file,
        urls=(url,),
        content_sha256=digest,
        compared=compared,
        copies=(f"{name}.npz", f"correlation_clustering/{name}.npz"),
    )
    return Entry(
        name=name,
        description=description,
        source=url,
        licence=licence,
        citation=citation,
        splits=("all",),
        read=read,
        files=(spec,),
    )


SNAP = "none stated; SNAP asks to be cited"
COLLECTION = "J. Leskovec, A. Krevl, SNAP Datasets: Stanford Large Network Dataset Collection, 2014"

ENTRIES = (
    _entry(
        "musae_facebook",
        "facebook_large.zip",
        "e5105de98b1ea7086ce194830ad2c4e05bed847bd67958f3f857e1f45e73b932",
        description="Facebook pages and their mutual likes: edges [170823, 2] of 22470.",
        licence="GPL-3.0 (the MUSAE repository, code and data)",
        citation="B. Rozemberczki, C. Allen, R. Sarkar, Multi-scale attributed node embedding, "
        f"2019; {COLLECTION}.",
    ),
    _entry(
        "ca_astroph",
        "ca-AstroPh.txt.gz",
        "5424887ca3b483b36b544fafe9de6d849724d9b599b8c416615bb511245c98c3",
        description="Co-authors in astrophysics, largest component: edges [196972, 2] of 17903.",
        licence=SNAP,
        citation="J. Leskovec, J. Kleinberg, C. Faloutsos, Graph evolution: densification and "
        f"shrinking diameters, ACM TKDD 1(1), 2007; {COLLECTION}.",
        largest_component=True,
    ),
    _entry(
        "cit_hepth",
        "cit-HepTh.txt.gz",
        "90616c3b6f17e9c27e32ff1ab0fbd240a7f836e023556355bcd9534f4115c4ba",
        description="Citations in high-energy physics, undirected: edges [352285, 2], arrival_key.",
        licence=SNAP,
        citation="J. Leskovec, J. Kleinberg, C. Faloutsos, Graphs over time: densification laws, "
        "shrinking diameters and possible explanations, KDD 2005; J. Gehrke, P. Ginsparg, "
        "J. Kleinberg, Overview of the 2003 KDD Cup, SIGKDD Explorations 5(2), 2003; "
        f"{COLLECTION}.",
        dated=True,
    ),
    _entry(
        "email_enron",
        "email-Enron.txt.gz",
        "10c242e621a63d6bf50686b77f2cf9513192a6a8a86cc68fcfffeeb79fbc90b2",
        description="E-mail between addresses at Enron: edges [183831, 2] of 36692 vertices.",
        licence=SNAP,
        citation="J. Leskovec, K. Lang, A. Dasgupta, M. Mahoney, Community structure in large "
        "networks, Internet Mathematics 6(1), 2009; B. Klimt, Y. Yang, Introducing the Enron "
        f"corpus, CEAS 2004; {COLLECTION}.",
    ),
    _entry(
        "ego_facebook",
        "facebook_combined.txt.gz",
        "cf7154e9a2031c599b86a28daa307772c90a53a02403b1377241d79cee5c21d6",
        description="Friends around ten Facebook users: edges [88234, 2] of 4039 vertices.",
        licence=SNAP,
        citation="J. McAuley, J. Leskovec, Learning to discover social circles in ego networks, "
        f"NIPS 2012; {COLLECTION}.",
    ),
)
