"""Tables of integers from the UCI Machine Learning Repository, a class in the last column.

A table is read from the archive that the repository publishes, from the file in it, or from a copy
as ``.npz``. Those are different bytes for one table, so what is compared with the pinned checksum
is the text of the published file; a copy is written out as that text first.
"""

import io
import zipfile
from typing import NamedTuple

import numpy as np

from jaxlab.data.entry import Entry, ReadFile
from jaxlab.data.files import FileSpec
from jaxlab.data.lzw import expand

__all__ = ["ENTRIES", "Layout", "published_text", "read_table"]


class Layout(NamedTuple):
    """How a table is written.

    Attributes:
        member: the published file in its archive; there it may be packed, with ``.Z`` to its name.
        separator: between the numbers of a row.
        end: of each row.
        arrays: features and classes, in a copy.
    """

    member: str
    separator: str
    end: str
    arrays: tuple[str, str]


def published_text(content: bytes, layout: Layout) -> bytes:
    """The text of the published file, from its archive, from itself, or from a copy.

    Raises:
        ValueError: an archive of something else.
    """
    if content[:2] != b"PK":
        return content
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                if name.split("/")[-1] == layout.member:
                    return archive.read(name)
                if name.split("/")[-1] == f"{layout.member}.Z":
                    return expand(archive.read(name))
        with np.load(io.BytesIO(content)) as copy:
            features, classes = (copy[name].astype(np.int64) for name in layout.arrays)
        rows = np.column_stack([features, classes]).tolist()
    except Exception as error:  # whatever damage does to the readers
        raise ValueError(
            f"content: expected {layout.member}, got an archive without it: {error!r}"
        ) from None
    return "".join(layout.separator.join(map(str, row)) + layout.end for row in rows).encode()


def read_table(text: bytes) -> np.ndarray:
    r"""Rows of integers between white space.

    Example:
        >>> read_table(b"74 85 123 1\n73 84 122 1\n").tolist()
        [[74, 85, 123, 1], [73, 84, 122, 1]]
    """
    columns = len(text.split(b"\n", 1)[0].split())
    return np.array(text.split(), np.int32).reshape(-1, columns)


def _entry(
    name: str,
    number: int,
    title: str,
    layout: Layout,
    digest: str,
    *,
    copy: str,
    description: str,
    citation: str,
    feature_names: tuple[str, ...],
    label_names: tuple[str, ...],
    split: str,
) -> Entry:
    file = f"{title}.zip"

    def compared(content: bytes) -> bytes:
        return published_text(content, layout)

    def read(read_file: ReadFile, split: str) -> dict[str, np.ndarray]:
        table = read_table(compared(read_file(file)))
        return {
            "features": table[:, :-1].astype(np.float32, order="C"),
            "labels": table[:, -1] - 1,  # classes are counted from 1
            "feature_names": np.array(feature_names),
            "label_names": np.array(label_names),
        }

    spec = FileSpec(
        folder=name,
        name=file,
        urls=(f"https://archive.ics.uci.edu/static/public/{number}/{file}",),
        content_sha256=digest,
        compared=compared,
        copies=(layout.member, copy, f"graph_algorithms/{copy}"),
    )
    return Entry(
        name=name,
        description=description,
        source=f"https://archive.ics.uci.edu/dataset/{number}/{title}",
        licence="CC BY 4.0",
        citation=citation,
        splits=(split,),
        read=read,
        files=(spec,),
    )


ENTRIES = (
    _entry(
        "skin_segmentation",
        229,
        "skin+segmentation",
        Layout("Skin_NonSkin.txt", "\t", "\r\n", ("bgr", "label")),
        "e30c0a845385dcc95a45c45ed263465674a49638e98ef740afd520769c7714a4",
        copy="skin.npz",
        description="Colours of pixels of photographs of faces and others: features [245057, 3].",
        citation="R. Bhatt, A. Dhall, Skin segmentation, UCI Machine Learning Repository, 2012, "
        "doi:10.24432/C5T30C.",
        feature_names=("blue", "green", "red"),
        label_names=("skin", "other"),
        split="all",
    ),
    _entry(
        "statlog_shuttle",
        148,
        "statlog+shuttle",
        Layout("shuttle.trn", " ", "\n", ("features", "label")),
        "87b24ee9fb5137e1d417659cf905d84d0e15342bbaa60770f1ae83da1a38200a",
        copy="shuttle_train.npz",
        description="Sensors of a space shuttle, labelled by its state: features [43500, 9].",
        citation="Statlog (Shuttle), UCI Machine Learning Repository, doi:10.24432/C5WS31.",
        feature_names=("time", *(f"sensor {number}" for number in range(2, 10))),
        label_names=(
            "Rad Flow",
            "Fpv Close",
            "Fpv Open",
            "High",
            "Bypass",
            "Bpv Close",
            "Bpv Open",
        ),
        split="train",
    ),
)
