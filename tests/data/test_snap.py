"""Graphs in the format that SNAP publishes and as compressed copies: one graph, one fingerprint."""

import dataclasses
import gzip
import hashlib
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

import jaxlab.data
from jaxlab.data import DataUnavailableError, registry, snap

SHARED = Path(os.environ.get("JAXLAB_DATA", "nowhere")) / "correlation_clustering"
NAMES = ("musae_facebook", "ca_astroph", "cit_hepth", "email_enron", "ego_facebook")
#: of ids 1001, 9304045, 9912001, 110001002 and, apart, 9501001 and 9501002
TEXT = (
    "# Directed graph\n# FromNodeId\tToNodeId\n9912001\t1001\n1001\t9304045\n9304045\t1001\n"
    "110001002\t9912001\n9304045\t9912001\n9912001\t9912001\n9501002\t9501001\n"
)
IDS = [1001, 9304045, 9501001, 9501002, 9912001, 110001002]
EDGES = [[0, 1], [0, 4], [1, 4], [2, 3], [4, 5]]
COMPONENT = [[0, 1], [0, 2], [1, 2], [2, 3]]


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def copy_of(edges, n, **changes):
    edges = np.array(edges)
    counts = np.bincount(edges[:, 0], minlength=n)
    arrays = {
        "num_nodes": np.int32(n),
        "indptr": np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        "indices": edges[:, 1].astype(np.uint16),
    }
    buffer = io.BytesIO()
    np.savez(buffer, **arrays | changes)
    return buffer.getvalue()


def marked(content, *, encrypted=0, method=0):
    """An archive whose members' headers say that they are encrypted, or packed in another way."""
    content = bytearray(content)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.find(mark)
        while place >= 0:
            content[place + offset] |= encrypted
            content[place + offset + 2] |= method
            place = content.find(mark, place + 4)
    return bytes(content)


def formats(name):
    """The tiny graph as published, and as a copy."""
    table = TEXT.split("\n", 2)[2].replace("\t", ",")
    packed = {
        "facebook_large/readme.txt": "none",
        "facebook_large/musae_facebook_edges.csv": "id_1,id_2\r\n" + table.replace("\n", "\r\n"),
    }
    published = zipped(packed) if name == "musae_facebook" else gzip.compress(TEXT.encode())
    if name == "ca_astroph":
        return published, copy_of(COMPONENT, 4)
    return published, copy_of(EDGES, 6, **dates(name))


def dates(name):
    return {"arxiv_id": np.array(IDS, np.int32)} if name == "cit_hepth" else {}


@pytest.mark.parametrize("name", NAMES)
def test_download_and_copy_give_one_graph(name, monkeypatch, tmp_path, server, published, cache):
    url, requests = server
    entry = registry.DATASETS[name]
    file, copy = formats(name)
    compared = entry.files[0].compared
    spec = dataclasses.replace(
        entry.files[0],
        urls=(f"{url}/{entry.files[0].name}",),
        content_sha256=hashlib.sha256(compared(copy)).hexdigest(),
    )
    monkeypatch.setitem(registry.DATASETS, name, dataclasses.replace(entry, files=(spec,)))
    (published / spec.name).write_bytes(file)

    folder = tmp_path / "copies"
    (folder / "correlation_clustering").mkdir(parents=True)
    (folder / "correlation_clustering" / f"{name}.npz").write_bytes(copy)
    from_copy = jaxlab.data.load(name, root=folder)
    assert not requests
    downloaded = jaxlab.data.load(name)
    assert len(requests) == 1
    assert (cache / name / spec.name).exists()

    expected = COMPONENT if name == "ca_astroph" else EDGES
    for found in (from_copy, downloaded):
        assert found["edges"].tolist() == expected
        assert found["edges"].dtype == np.int32
        assert found["num_nodes"] == 1 + np.max(expected)
        assert found.info.sha256 == {spec.name: spec.checksum}
    assert downloaded["dropped"].tolist() == [1, 1]
    assert from_copy["dropped"].tolist() == [0, 0]
    if name == "cit_hepth":
        for found in (from_copy, downloaded):
            assert found["arxiv_id"].tolist() == IDS
            assert np.argsort(found["arrival_key"]).tolist() == [1, 2, 3, 4, 0, 5]

    # one edge moved: another graph, whatever its format
    moved = np.array(expected)
    moved[-1] = [0, len(moved) - 1]
    bad = copy_of(moved, 6, **dates(name))
    (folder / "correlation_clustering" / f"{name}.npz").write_bytes(bad)
    with pytest.raises(DataUnavailableError, match="wrong checksum"):
        jaxlab.data.load(name, root=folder)


@pytest.mark.parametrize(
    "content",
    [
        b"PK",
        zipped({"a.txt": "1 2"}),
        zipped({"edges.csv": "1 2\n3\n"}),
        marked(copy_of(EDGES, 6), encrypted=1),
        marked(copy_of(EDGES, 6), method=77),
        copy_of(EDGES, 6, num_nodes=np.arange(2)),
        copy_of(EDGES, 6, num_nodes=10**13),
        copy_of(EDGES, 6, num_nodes=-1, indptr=np.zeros(0, int), indices=np.zeros(0, int)),
        copy_of(EDGES, 6, indptr=np.array([0, 10**13, 0, 0, 0, 0, 5])),
        copy_of(EDGES, 6, indices=np.array([1, 4, 4, 3, 6])),
        copy_of(EDGES, 6, indices=np.array([1, 4, 4, 3, 2**32 + 5])),
        copy_of(EDGES, 6, indices=np.array([1, 4, 4, 3, 5.5])),
        b"1 2\n3\n",
        b"1 2 3\n4\n",
        b"1.5 2\n3 4\n",
        b"1.5 2.5\n3 4\n",
        b"1 99999999999999999999\n",
        b"a b\nc d\n",
    ],
)
def test_what_is_no_graph_is_refused(content, tmp_path):
    with pytest.raises(ValueError, match="content: expected"):
        snap.read_graph(content)
    (tmp_path / "email-Enron.txt").write_bytes(content)
    with pytest.raises(DataUnavailableError, match=r"refusing a bad file.*content: expected"):
        jaxlab.data.load("email_enron", root=tmp_path)


def test_a_copy_of_a_dated_graph_has_its_dates():
    for dates in ({}, {"arxiv_id": np.array(IDS[1:])}, {"arxiv_id": np.array(IDS, float)}):
        with pytest.raises(ValueError, match=r"content: expected a graph.*arxiv_id"):
            snap.read_graph(copy_of(EDGES, 6, **dates), dated=True)


def test_a_first_row_of_numbers_is_no_heading():
    for content in (b"-1 2\n3 2\n", b"id_1,id_2\n-1,2\n3,2\n"):
        assert snap.read_graph(content).ids.tolist() == [-1, 2, 3]


def test_fingerprint_depends_on_the_graph_alone():
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 40, (120, 2))
    graph = snap.simple_graph(pairs)
    mark = snap.fingerprint(graph)
    for _ in range(5):
        number = rng.permutation(1000)[:40]
        turned = number[rng.permuted(pairs, axis=1)][rng.permutation(120)]
        assert snap.fingerprint(snap.simple_graph(turned)) == mark
    # a swap of ends keeps every degree
    edges = graph.edges.copy()
    distinct = [i for i in range(1, len(edges)) if len({*edges[0], *edges[i]}) == 4]
    edges[[0, distinct[0]], 1] = edges[[distinct[0], 0], 1]
    assert snap.fingerprint(graph._replace(edges=edges)) != mark


def test_empty_table():
    graph = snap.read_graph(b"# nothing\n", largest_component=True)
    assert graph.edges.shape == (0, 2)
    assert snap.fingerprint(graph) == bytes(16)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs copies of the graphs in $JAXLAB_DATA")
@pytest.mark.parametrize("name", NAMES)
def test_copies_have_the_published_sizes(name):
    data = jaxlab.data.load(name, root=SHARED.parent)
    sizes = {
        "musae_facebook": (22470, 170823),
        "ca_astroph": (17903, 196972),
        "cit_hepth": (27770, 352285),
        "email_enron": (36692, 183831),
        "ego_facebook": (4039, 88234),
    }
    assert (data["num_nodes"], len(data["edges"])) == sizes[name]
    assert (data["edges"][:, 0] < data["edges"][:, 1]).all()
    if name == "cit_hepth":
        stored = np.load(SHARED / "cit_hepth.npz")
        np.testing.assert_array_equal(data["arrival_key"], stored["arrival_key"])
