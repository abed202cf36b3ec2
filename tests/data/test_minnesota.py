"""The road network: a small file like it, its refusals, and the published one where it is there."""

import dataclasses
import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse

import jaxlab.data
from jaxlab.data import minnesota, registry

SHARED = Path(os.environ.get("JAXLAB_DATA", "nowhere"))
NAME = "minnesota_roads"


def file_of(matrix, positions):
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"A": scipy.sparse.csc_matrix(matrix), "xy": positions, "labels": "x"})
    return buffer.getvalue()


SQUARE = np.array([[0, 2, 0, 1], [2, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]], float)
CORNERS = np.array([[-97.2, 49.0], [-97.2, 48.5], [-96.0, 48.5], [-96.0, 49.0]])


def test_roads_of_a_file(monkeypatch, tmp_path):
    content = file_of(SQUARE, CORNERS)
    entry = registry.DATASETS[NAME]
    spec = dataclasses.replace(entry.files[0], sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setitem(registry.DATASETS, NAME, dataclasses.replace(entry, files=(spec,)))
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME / spec.name).write_bytes(content)
    roads = jaxlab.data.load(NAME, root=tmp_path)
    assert roads["edges"].tolist() == [[0, 1], [0, 3], [1, 2], [2, 3]]
    assert roads["edges"].dtype == np.int32
    np.testing.assert_array_equal(roads["positions"], CORNERS)
    assert roads.info.sha256 == {spec.name: spec.checksum}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a file", "content: expected a road network"),
        (file_of(np.triu(SQUARE), CORNERS), "A: expected a symmetric matrix"),
        (file_of(SQUARE, CORNERS[:3]), r"A: expected shape \[3, 3\]"),
        (file_of(SQUARE, CORNERS[:, :1]), r"xy: expected shape \[n, 2\]"),
    ],
)
def test_what_is_no_road_network_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        minnesota.read_roads(content)


def test_a_network_without_roads():
    assert minnesota.read_roads(file_of(np.zeros((2, 2)), CORNERS[:2]))["edges"].shape == (0, 2)


@pytest.mark.skipif(not (SHARED / NAME).is_dir(), reason="needs the file in $JAXLAB_DATA")
def test_the_published_network():
    roads = jaxlab.data.load(NAME, root=SHARED)
    assert roads["edges"].shape == (3303, 2)
    assert roads["positions"].shape == (2642, 2)
    ends = roads["edges"].T
    matrix = scipy.sparse.coo_array((np.ones(3303), ends), shape=(2642, 2642))
    components = scipy.sparse.csgraph.connected_components(matrix, directed=False)[1]
    assert sorted(np.bincount(components)) == [2, 2640]
