"""The readers of published archives, on tiny ones made here, through the real download path."""

import dataclasses
import gzip
import hashlib
import io
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import jaxlab.data
from jaxlab.data import registry
from jaxlab.data.cifar import read_records
from jaxlab.data.idx import read_idx

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def idx(array):
    codes = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}
    code = codes[array.dtype.str[1:]]
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.fixture
def publish(monkeypatch, server, published):
    """Put small files in the place of a set's published ones: same names, their own checksums."""

    def replace(name, contents):
        entry = registry.DATASETS[name]
        specs = []
        for spec in entry.files:
            content = contents[spec.name]
            is_content = spec.content_sha256 is not None
            (published / spec.name).write_bytes(gzip.compress(content) if is_content else content)
            field = "content_sha256" if is_content else "sha256"
            specs.append(
                dataclasses.replace(
                    spec,
                    urls=(f"{server[0]}/{spec.name}",),
                    system={},
                    **{field: sha256(content)},
                )
            )
        monkeypatch.setitem(registry.DATASETS, name, dataclasses.replace(entry, files=tuple(specs)))

    return replace


# --- IDX ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
def test_idx_round_trip(dtype):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    read = read_idx(idx(array))
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        b"\1\0\x08\1\0\0\0\1x",
        b"\0\0\x07\1\0\0\0\1x",
        b"\0\0\x08\2\0\0\0\1",
        idx(np.arange(5, dtype="u1"))[:-1],
        idx(np.arange(5, dtype="u1")) + b"x",
    ],
)
def test_malformed_idx_is_refused(content):
    with pytest.raises(ValueError, match="content: expected"):
        read_idx(content)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_mnist_family(publish, server, name):
    rng = np.random.default_rng(0)
    images = {"train": rng.integers(0, 256, (7, 28, 28), np.uint8)}
    images["test"] = rng.integers(0, 256, (3, 28, 28), np.uint8)
    labels = {split: np.arange(len(part), dtype=np.uint8) for split, part in images.items()}
    prefix = {"train": "train", "test": "t10k"}
    contents = {}
    for split, stem in prefix.items():
        contents[f"{stem}-images-idx3-ubyte.gz"] = idx(images[split])
        contents[f"{stem}-labels-idx1-ubyte.gz"] = idx(labels[split])
    publish(name, contents)
    for split, stem in prefix.items():
        data = jaxlab.data.load(name, split)
        assert data["images"].dtype == np.float32
        np.testing.assert_array_equal(data["images"], images[split] / np.float32(255))
        np.testing.assert_array_equal(data["labels"], labels[split])
        assert data["labels"].dtype == np.int32
        assert set(data.info.sha256) == {
            f"{stem}-images-idx3-ubyte.gz",
            f"{stem}-labels-idx1-ubyte.gz",
        }
        raw = jaxlab.data.load(name, split, dtype="uint8")["images"]
        np.testing.assert_array_equal(raw, images[split])
    assert len(server[1]) == 4, "each file is fetched once"


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="needs Debian's dataset-fashion-mnist")
def test_fashion_mnist_of_debian(cache):
    data = jaxlab.data.load("fashion_mnist", "test")
    assert data["images"].shape == (10000, 28, 28)
    assert not cache.exists()
    assert list(np.bincount(data["labels"])) == [1000] * 10
    assert str(data["label_names"][data["labels"][0]]) == "Ankle boot"


# --- CIFAR --------------------------------------------------------------------------------------


def tar_gz(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def records(images, *labels):
    """The binary layout, written pixel by pixel from its description."""
    content = bytearray()
    for number, image in enumerate(images):
        content += bytes(int(label[number]) for label in labels)
        for channel in range(3):
            for row in range(32):
                content += bytes(int(value) for value in image[row, :, channel])
    return bytes(content)


def test_cifar10(publish):
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (12, 32, 32, 3), np.uint8)
    labels = rng.integers(0, 10, 12)
    parts = [slice(2 * batch, 2 * batch + 2) for batch in range(6)]
    names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    members = {
        f"cifar-10-batches-bin/{name}": records(images[part], labels[part])
        for name, part in zip(names, parts, strict=True)
    }
    members["cifar-10-batches-bin/batches.meta.txt"] = b"airplane\nautomobile\n\n"
    members["../../escape.bin"] = b"never unpacked"
    publish("cifar10", {"cifar-10-binary.tar.gz": tar_gz(members)})
    train, test = jaxlab.data.load("cifar10"), jaxlab.data.load("cifar10", "test")
    np.testing.assert_array_equal(train["images"], images[:10] / np.float32(255))
    np.testing.assert_array_equal(train["labels"], labels[:10])
    np.testing.assert_array_equal(test["images"], images[10:] / np.float32(255))
    assert list(train["label_names"]) == ["airplane", "automobile"]
    assert train["images"].flags["C_CONTIGUOUS"]


def test_cifar100(publish):
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (3, 32, 32, 3), np.uint8)
    coarse, fine = np.array([19, 0, 7]), np.array([99, 3, 50])
    members = {
        f"cifar-100-binary/{split}.bin": records(images, coarse, fine)
        for split in ("train", "test")
    }
    members["cifar-100-binary/fine_label_names.txt"] = b"apple\nbear\n"
    members["cifar-100-binary/coarse_label_names.txt"] = b"fish\nflowers\n"
    publish("cifar100", {"cifar-100-binary.tar.gz": tar_gz(members)})
    data = jaxlab.data.load("cifar100", "test", dtype="uint8")
    np.testing.assert_array_equal(data["images"], images)
    np.testing.assert_array_equal(data["labels"], fine)
    np.testing.assert_array_equal(data["coarse_labels"], coarse)
    assert list(data["coarse_label_names"]) == ["fish", "flowers"]


def test_cifar_archive_without_a_member(publish):
    publish("cifar10", {"cifar-10-binary.tar.gz": tar_gz({"other": b""})})
    with pytest.raises(ValueError, match=r"a member cifar-10-batches-bin/data_batch_1\.bin"):
        jaxlab.data.load("cifar10")


def test_cifar_record_of_wrong_length():
    with pytest.raises(ValueError, match="a multiple of 3073 bytes"):
        read_records(bytes(3072), 1)


# --- Tiny ImageNet ------------------------------------------------------------------------------


def picture(value, mode="RGB"):
    colour = (value, 255 - value, 7) if mode == "RGB" else value
    buffer = io.BytesIO()
    Image.new(mode, (64, 64), colour).save(buffer, "JPEG", quality=100)
    return buffer.getvalue()


def test_tiny_imagenet(publish):
    base = "tiny-imagenet-200"
    members = {
        f"{base}/wnids.txt": b"n2\nn1\n",
        f"{base}/words.txt": b"n1\tgoldfish, fish\nn2\tbullfrog\nn3\tunused\n",
        f"{base}/val/val_annotations.txt": b"val_0.JPEG\tn2\t0\t0\nval_1.JPEG\tn1\t0\t0\n",
        f"{base}/val/images/val_0.JPEG": picture(200),
        f"{base}/val/images/val_1.JPEG": picture(100, "L"),
        f"{base}/train/n1/images/n1_0.JPEG": picture(10),
        f"{base}/train/n1/images/n1_1.JPEG": picture(20),
        f"{base}/train/n2/images/n2_0.JPEG": picture(30, "L"),
        f"{base}/train/n2/images/n2_1.JPEG": picture(40),
        f"{base}/train/n2/images/n2_2.JPEG": picture(50),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    publish("tiny_imagenet", {"tiny-imagenet-200.zip": buffer.getvalue()})

    train = jaxlab.data.load("tiny_imagenet", dtype="uint8")
    assert train["images"].shape == (4, 64, 64, 3)
    # class after class in turn; the grey picture of n2 is dropped
    assert list(train["labels"]) == [0, 0, 1, 1]
    red = train["images"][:, 32, 32, 0].astype(int)
    assert np.abs(red - [10, 20, 40, 50]).max() <= 3, "JPEG keeps a flat colour within 3 levels"
    assert list(train["label_names"]) == ["goldfish, fish", "bullfrog"]

    limited = jaxlab.data.load("tiny_imagenet", limit=3)
    assert limited["images"].dtype == np.float32
    np.testing.assert_array_equal(limited["images"], train["images"][:3] / np.float32(255))

    validation = jaxlab.data.load("tiny_imagenet", "validation")
    assert list(validation["labels"]) == [1]
