"""MNIST and Fashion-MNIST: grey images and labels in IDX files."""

import math
from collections.abc import Mapping

import numpy as np

from jaxlab.checks import require
from jaxlab.data.entry import Entry, ReadFile, pixels
from jaxlab.data.files import FileSpec

__all__ = ["ENTRIES", "read_idx"]

# "third byte" of the format's header: https://yann.lecun.com/exdb/mnist, "the IDX file format"
IDX_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
PREFIX = {"train": "train", "test": "t10k"}


def read_idx(content: bytes) -> np.ndarray:
    """The array in an IDX file: two zero bytes, type, rank, big-endian sizes, row-major values.

    Example:
        >>> read_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
        array([7, 8, 9], dtype=uint8)
    """
    header = content[:4]
    fits = len(header) == 4 and header[:2] == b"\0\0" and header[2] in IDX_DTYPES
    require(fits, "content", header, "an IDX header (0, 0, type, rank)")
    dtype, rank = np.dtype(IDX_DTYPES[header[2]]), header[3]
    start = 4 + 4 * rank
    require(len(content) >= start, "content", len(content), f"at least {start} bytes of IDX header")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", rank, offset=4))
    wanted = start + math.prod(shape) * dtype.itemsize
    require(
        len(content) == wanted, "content", len(content), f"{wanted} bytes for IDX sizes {shape}"
    )
    values = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def _mnist(read_file: ReadFile, split: str, *, dtype: str = "float32") -> dict[str, np.ndarray]:
    images = read_idx(read_file(f"{PREFIX[split]}-images-idx3-ubyte.gz"))
    labels = read_idx(read_file(f"{PREFIX[split]}-labels-idx1-ubyte.gz"))
    return {"images": pixels(images, dtype), "labels": labels.astype(np.int32)}


FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def _fashion_mnist(
    read_file: ReadFile, split: str, *, dtype: str = "float32"
) -> Mapping[str, np.ndarray]:
    arrays = _mnist(read_file, split, dtype=dtype)
    return arrays | {"label_names": np.array(FASHION_CLASSES)}


# SHA-256 of the decompressed files: the archives circulate re-compressed.
MNIST_FILES = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
FASHION_FILES = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
MNIST_URLS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
FASHION_URLS = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
FASHION_SYSTEM = {
    "/usr/share/datasets/fashion-mnist": "on Debian and Ubuntu: apt install dataset-fashion-mnist"
}

ENTRIES = (
    Entry(
        name="mnist",
        description="Handwritten digits: images [60000 | 10000, 28, 28], labels 0-9.",
        source="https://ossci-datasets.s3.amazonaws.com/mnist/",
        licence="none stated by the authors; commonly redistributed under CC BY-SA 3.0",
        citation="Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Gradient-based learning applied to "
        "document recognition, Proceedings of the IEEE 86(11):2278-2324, 1998.",
        splits=("train", "test"),
        read=_mnist,
        files=tuple(
            FileSpec(
                folder="mnist",
                name=f"{name}.gz",
                urls=tuple(f"{url}{name}.gz" for url in MNIST_URLS),
                content_sha256=digest,
            )
            for name, digest in MNIST_FILES.items()
        ),
    ),
    Entry(
        name="fashion_mnist",
        description="Clothes in MNIST's format: images [60000 | 10000, 28, 28], labels 0-9.",
        source="https://github.com/zalandoresearch/fashion-mnist",
        licence="MIT",
        citation="H. Xiao, K. Rasul, R. Vollgraf, Fashion-MNIST: a novel image dataset for "
        "benchmarking machine learning algorithms, arXiv:1708.07747, 2017.",
        splits=("train", "test"),
        read=_fashion_mnist,
        files=tuple(
            FileSpec(
                folder="fashion_mnist",
                name=f"{name}.gz",
                urls=tuple(f"{url}{name}.gz" for url in FASHION_URLS),
                content_sha256=digest,
                system=FASHION_SYSTEM,
            )
            for name, digest in FASHION_FILES.items()
        ),
    ),
)
