"""Points with groups: a small file like the study's, its refusals, and the published ones."""

import dataclasses
import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest

import jaxlab.data
from jaxlab.data import DataUnavailableError, demographics, registry

SHARED = Path(os.environ.get("JAXLAB_DATA", "nowhere"))
GROUPS = {
    "count_query": (2, [2092, 147, 3808, 2621, 1110, 201, 21]),
    "gender_diabetes": (2, [54708, 47055]),
    "race_adult": (6, [311, 1039, 3124, 271, 27816]),
}


def file_of(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


X = np.array([[0.25, 0.5], [1.0, 1 / 3], [0.0, 0.5]])
Y = np.array([1, 0, 1])


@pytest.mark.parametrize("folder", ["count_query", "kcenter"])
def test_points_of_a_file(monkeypatch, tmp_path, folder):
    content = file_of(x=X, y=Y)
    entry = registry.DATASETS["count_query"]
    digest = hashlib.sha256(content).hexdigest()
    spec = dataclasses.replace(entry.files[0], content_sha256=digest)
    monkeypatch.setitem(registry.DATASETS, entry.name, dataclasses.replace(entry, files=(spec,)))
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "countQuery.npz").write_bytes(content)
    data = jaxlab.data.load("count_query", root=tmp_path)
    np.testing.assert_array_equal(data["features"], X)
    assert data["labels"].tolist() == [1, 0, 1]
    assert data["labels"].dtype == np.int32
    assert data.info.sha256 == {"countQuery.npz": digest}


def test_another_file_under_the_name_is_refused(tmp_path):
    (tmp_path / "raceAdult.npz").write_bytes(file_of(x=X, y=Y))
    with pytest.raises(DataUnavailableError, match="wrong checksum"):
        jaxlab.data.load("race_adult", root=tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no archive", "content: expected points and groups"),
        (file_of(x=X), "content: expected points and groups"),
        (file_of(x=X[0], y=Y), "x: expected shape"),
        (file_of(x=X, y=Y[:2]), r"y: expected shape \[3\]"),
        (file_of(x=X, y=Y / 2), "y: expected integers"),
        (file_of(x=X, y=Y - 1), "y: expected groups counted from 0"),
    ],
)
def test_what_has_no_points_and_groups_is_refused(content, message, bad_input):
    with pytest.raises(ValueError, match=message):
        demographics.read_points(content)


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.skipif(not (SHARED / "kcenter").is_dir(), reason="needs the files in $JAXLAB_DATA")
def test_the_published_points(name):
    data = jaxlab.data.load(name, root=SHARED)
    dims, counts = GROUPS[name]
    assert data["features"].shape == (sum(counts), dims)
    assert data["features"].min() == 0
    assert data["features"].max() == 1
    assert np.bincount(data["labels"]).tolist() == counts
