"""CIFAR-10 and CIFAR-100, from their binary archives (no pickles are read)."""

import functools
import io
import tarfile
from collections.abc import Sequence

import numpy as np

from jaxlab.checks import require
from jaxlab.data.entry import Entry, ReadFile, pixels
from jaxlab.data.files import FileSpec

__all__ = ["ENTRIES", "read_records"]

CIFAR10_ARCHIVE = "cifar-10-binary.tar.gz"
CIFAR10_FOLDER = "cifar-10-batches-bin"
CIFAR10_BATCHES = {
    "train": [f"data_batch_{number}.bin" for number in range(1, 6)],
    "test": ["test_batch.bin"],
}
CIFAR100_ARCHIVE = "cifar-100-binary.tar.gz"
CIFAR100_FOLDER = "cifar-100-binary"
SIDE = 32


def read_records(content: bytes, num_labels: int) -> tuple[np.ndarray, np.ndarray]:
    """Records of ``num_labels`` label bytes and an image in planes of red, green and blue.

    Returns:
        Images ``uint8 [n, 32, 32, 3]``, channels last, and labels ``int32 [n, num_labels]``.
    """
    size = num_labels + 3 * SIDE * SIDE
    require(len(content) % size == 0, "content", len(content), f"a multiple of {size} bytes")
    records = np.frombuffer(content, np.uint8).reshape(-1, size)
    images = records[:, num_labels:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return images, records[:, :num_labels].astype(np.int32)


def _members(archive: bytes, names: Sequence[str]) -> list[bytes]:
    """Content of the named members; nothing is unpacked to disk, so no path can lead astray."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        found = {member.name: member for member in tar if member.isfile()}
        for name in names:
            require(name in found, "archive", sorted(found), f"a member {name}")
        return [tar.extractfile(found[name]).read() for name in names]  # type: ignore[union-attr]


def _lines(content: bytes) -> np.ndarray:
    return np.array(content.decode("ascii").split())


def _cifar10(read_file: ReadFile, split: str, *, dtype: str = "float32") -> dict[str, np.ndarray]:
    names = [*CIFAR10_BATCHES[split], "batches.meta.txt"]
    *batches, meta = _members(
        read_file(CIFAR10_ARCHIVE), [f"{CIFAR10_FOLDER}/{name}" for name in names]
    )
    images, labels = read_records(b"".join(batches), 1)
    return {
        "images": pixels(images, dtype),
        "labels": labels[:, 0],
        "label_names": _lines(meta),
    }


def _cifar100(read_file: ReadFile, split: str, *, dtype: str = "float32") -> dict[str, np.ndarray]:
    names = [f"{split}.bin", "fine_label_names.txt", "coarse_label_names.txt"]
    records, fine, coarse = _members(
        read_file(CIFAR100_ARCHIVE), [f"{CIFAR100_FOLDER}/{name}" for name in names]
    )
    images, labels = read_records(records, 2)
    return {
        "images": pixels(images, dtype),
        "labels": labels[:, 1],
        "coarse_labels": labels[:, 0],
        "label_names": _lines(fine),
        "coarse_label_names": _lines(coarse),
    }


_Cifar = functools.partial(
    Entry,
    source="https://www.cs.toronto.edu/~kriz/cifar.html",
    licence="none stated; the authors ask to be cited",
    citation="A. Krizhevsky, Learning multiple layers of features from tiny images, technical "
    "report, University of Toronto, 2009.",
    splits=("train", "test"),
)

ENTRIES = (
    _Cifar(
        name="cifar10",
        description="Colour photographs in 10 classes: images [50000 | 10000, 32, 32, 3], labels.",
        read=_cifar10,
        files=(
            FileSpec(
                folder="cifar10",
                name=CIFAR10_ARCHIVE,
                urls=(f"https://www.cs.toronto.edu/~kriz/{CIFAR10_ARCHIVE}",),
                sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
    ),
    _Cifar(
        name="cifar100",
        description="Colour photographs in 100 classes: images [50000 | 10000, 32, 32, 3], labels.",
        read=_cifar100,
        files=(
            FileSpec(
                folder="cifar100",
                name=CIFAR100_ARCHIVE,
                urls=(f"https://www.cs.toronto.edu/~kriz/{CIFAR100_ARCHIVE}",),
                sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            ),
        ),
    ),
)
