"""Tables as the UCI repository publishes them and as copies: one text, one checksum."""

import dataclasses
import hashlib
import io
import os
import random
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

import jaxlab.data
from jaxlab.data import DataUnavailableError, registry, uci
from jaxlab.data.lzw import expand

SHARED = Path(os.environ.get("JAXLAB_DATA", "nowhere")) / "graph_algorithms"
ROWS = {
    "skin_segmentation": [[74, 85, 123, 1], [0, 255, 9, 2], [74, 85, 123, 1]],
    "statlog_shuttle": [
        [50, 21, 77, 0, 28, 0, 27, 48, 22, 2],
        [53, 0, 82, 0, 52, -5, 29, 30, 2, 7],
    ],
}
TEXT = {
    "skin_segmentation": b"74\t85\t123\t1\r\n0\t255\t9\t2\r\n74\t85\t123\t1\r\n",
    "statlog_shuttle": b"50 21 77 0 28 0 27 48 22 2\n53 0 82 0 52 -5 29 30 2 7\n",
}
SIZES = {"skin_segmentation": (245057, 3), "statlog_shuttle": (43500, 9)}
COUNTS = {
    "skin_segmentation": [50859, 194198],
    "statlog_shuttle": [34108, 37, 132, 6748, 2458, 6, 11],
}


def packed(data, last_width=16, clear=()):
    """A .Z file of ``data``; the table is emptied at some of the places in ``clear``."""
    out, group = bytearray([0x1F, 0x9D, 0x80 | last_width]), []

    def flush():
        whole = sum(code << width * k for k, code in enumerate(group))
        out.extend(whole.to_bytes(width, "little"))
        group.clear()

    fresh = {bytes([byte]): byte for byte in range(256)}
    table, width, word, told = dict(fresh), 9, b"", 256
    for place in range(len(data) + 1):
        byte = data[place : place + 1]
        if byte and word + byte in table:
            word += byte
            continue
        if not word:
            continue
        group.append(table[word])
        told = min(told + 1, 1 << last_width)  # the reader's table, one entry behind ours
        if len(group) == 8:
            flush()
        if told >> width and width < last_width:
            if group:
                flush()
            width += 1
        if place in clear:
            group.append(256)
            flush()
            table, width, told = dict(fresh), 9, 256
        elif byte and len(table) + 1 < 1 << last_width:
            table[word + byte] = len(table) + 1
        word = byte
    if group:
        size = -(-len(group) * width // 8)
        flush()
        del out[len(out) - width + size :]
    return bytes(out)


@pytest.mark.parametrize("letters", [1, 2, 256])
@pytest.mark.parametrize("last_width", [10, 12, 16])
def test_compressed_files_are_read(letters, last_width):
    rng = random.Random(letters)
    for size in (0, 1, 2, 3, 500, 6000):
        data = bytes(rng.randrange(letters) for _ in range(size))
        for clear in ((), range(0, size, 2001)):
            file = packed(data, last_width, clear)
            assert expand(file) == data
    if shutil.which("gzip"):
        shown = subprocess.run(["gzip", "-dc"], input=file, capture_output=True, check=True)
        assert shown.stdout == data


@pytest.mark.parametrize(
    "content", [b"", b"\x1f\x9d", b"\x1f\x9d\x89", b"\x1f\x8b\x90aaa", packed(b"aaa")[:3] + b"aaa"]
)
def test_what_is_not_compressed_so_is_refused(content):
    with pytest.raises(ValueError, match=r"content: expected .*\.Z file"):
        expand(content)


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def copy_of(name, rows):
    rows, buffer = np.array(rows), io.BytesIO()
    feature, dtype = {"skin_segmentation": ("bgr", "u1"), "statlog_shuttle": ("features", "i2")}[
        name
    ]
    np.savez(buffer, **{feature: rows[:, :-1].astype(dtype), "label": rows[:, -1].astype("u1")})
    return buffer.getvalue()


@pytest.mark.parametrize("name", ROWS)
def test_download_and_copy_give_one_table(name, monkeypatch, tmp_path, server, published, cache):
    url, requests = server
    entry = registry.DATASETS[name]
    spec = dataclasses.replace(
        entry.files[0],
        urls=(f"{url}/{entry.files[0].name}",),
        content_sha256=hashlib.sha256(TEXT[name]).hexdigest(),
    )
    monkeypatch.setitem(registry.DATASETS, name, dataclasses.replace(entry, files=(spec,)))
    member = spec.copies[0]
    members = {"Index": b"none", member: TEXT[name]}
    if name == "statlog_shuttle":
        members = {"shuttle.tst": b"1 2 3", f"{member}.Z": packed(TEXT[name])}
    (published / spec.name).write_bytes(zipped(members))

    folder = tmp_path / "copies"
    (folder / "graph_algorithms").mkdir(parents=True)
    copy = folder / spec.copies[-1]
    copy.write_bytes(copy_of(name, ROWS[name]))
    from_copy = jaxlab.data.load(name, root=folder)
    assert not requests
    downloaded = jaxlab.data.load(name)
    assert len(requests) == 1
    assert (cache / name / spec.name).exists()
    (tmp_path / member).write_bytes(TEXT[name])
    plain = jaxlab.data.load(name, root=tmp_path)
    assert len(requests) == 1

    expected = np.array(ROWS[name])
    for found in (from_copy, downloaded, plain):
        np.testing.assert_array_equal(found["features"], expected[:, :-1])
        np.testing.assert_array_equal(found["labels"], expected[:, -1] - 1)
        assert (found["features"].dtype, found["labels"].dtype) == (np.float32, np.int32)
        assert found.info.sha256 == {spec.name: spec.checksum}

    # rows in another order: another table
    copy.write_bytes(copy_of(name, ROWS[name][1:] + ROWS[name][:1]))
    with pytest.raises(DataUnavailableError, match="wrong checksum"):
        jaxlab.data.load(name, root=folder)


def test_an_archive_of_something_else_is_refused(tmp_path):
    layout = uci.Layout("table.txt", " ", "\n", ("features", "label"))
    encrypted = bytearray(zipped({"table.txt": b"1 2"}))
    encrypted[6] |= 1
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    copy = copy_of("skin_segmentation", [[1, 2, 3, 1]])
    for content in (b"PK", zipped({"a.txt": b"1 2"}), copy, bytes(encrypted)):
        with pytest.raises(ValueError, match=r"content: expected table\.txt"):
            uci.published_text(content, layout)
    (tmp_path / "skin+segmentation.zip").write_bytes(zipped({"a.txt": b"1 2"}))
    with pytest.raises(DataUnavailableError, match=r"refusing a bad file.*content: expected Skin"):
        jaxlab.data.load("skin_segmentation", root=tmp_path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs copies of the tables in $JAXLAB_DATA")
@pytest.mark.parametrize("name", SIZES)
def test_copies_have_the_published_text(name):
    data = jaxlab.data.load(name, root=SHARED.parent)
    assert data["features"].shape == SIZES[name]
    assert len(data["feature_names"]) == SIZES[name][1]
    assert np.bincount(data["labels"]).tolist() == COUNTS[name]
    assert len(data["label_names"]) == len(COUNTS[name])
