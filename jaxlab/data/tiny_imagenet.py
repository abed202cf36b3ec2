"""Tiny ImageNet: 64×64 photographs of 200 ImageNet classes, from the course's zip archive.

Some of its pictures are grey-scale JPEGs. They are dropped: loaders that keep them as they are
leave them without channels, or as zero images.
"""

import io
import zipfile
from collections.abc import Iterator

import numpy as np

from jaxlab.checks import check_integer
from jaxlab.data.entry import Entry, ReadFile, pixels
from jaxlab.data.files import FileSpec
from jaxlab.progress import Progress

__all__ = ["ENTRIES"]

ARCHIVE = "tiny-imagenet-200.zip"
FOLDER = "tiny-imagenet-200"
PER_CLASS = 500


def _pictures(
    archive: zipfile.ZipFile, split: str, classes: list[str]
) -> Iterator[tuple[str, str]]:
    """Member name and class of every picture, one class after the other in turn.

    So every beginning of the training set holds the classes in equal shares.
    """
    if split == "train":
        members = set(archive.namelist())
        for number in range(PER_CLASS):
            for name in classes:
                member = f"{FOLDER}/train/{name}/images/{name}_{number}.JPEG"
                if member in members:
                    yield member, name
    else:
        table = archive.read(f"{FOLDER}/val/val_annotations.txt").decode("ascii")
        for line in table.splitlines():
            picture, name = line.split("\t")[:2]
            yield f"{FOLDER}/val/images/{picture}", name


def _tiny_imagenet(
    read_file: ReadFile, split: str, *, limit: int | None = None, dtype: str = "float32"
) -> dict[str, np.ndarray]:
    """``limit``: stop after so many colour pictures; all of them in float32 take 4.9 GB."""
    from PIL import Image

    if limit is not None:
        check_integer("limit", limit, minimum=1)
    with zipfile.ZipFile(io.BytesIO(read_file(ARCHIVE))) as archive:
        classes = sorted(archive.read(f"{FOLDER}/wnids.txt").decode("ascii").split())
        words = archive.read(f"{FOLDER}/words.txt").decode("utf-8")
        names = dict(line.split("\t", 1) for line in words.splitlines())
        pictures = list(_pictures(archive, split, classes))
        total = len(pictures) if limit is None else min(limit, len(pictures))
        images: list[np.ndarray] = []
        labels: list[int] = []
        with Progress("tiny_imagenet: decode", total) as progress:
            for member, name in pictures:
                if len(images) == total:
                    break
                with Image.open(io.BytesIO(archive.read(member))) as picture:
                    if picture.mode != "RGB":
                        continue
                    images.append(np.asarray(picture))
                labels.append(classes.index(name))
                progress.advance()
    return {
        "images": pixels(np.stack(images), dtype),
        "labels": np.array(labels, np.int32),
        "label_names": np.array([names[name] for name in classes]),
    }


ENTRIES = (
    Entry(
        name="tiny_imagenet",
        description="Colour photographs in 200 classes: images [n, 64, 64, 3], labels; "
        "grey-scale pictures are dropped.",
        source="http://cs231n.stanford.edu/tiny-imagenet-200.zip",
        licence="ImageNet's terms of access: non-commercial research and education",
        citation="Y. Le, X. Yang, Tiny ImageNet visual recognition challenge, CS 231N course "
        "report, Stanford University, 2015.",
        splits=("train", "validation"),
        read=_tiny_imagenet,
        files=(
            FileSpec(
                folder="tiny_imagenet",
                name=ARCHIVE,
                urls=(f"http://cs231n.stanford.edu/{ARCHIVE}",),
                sha256="6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
            ),
        ),
    ),
)
