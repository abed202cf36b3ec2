"""The data sets by name. Adding one is one :class:`~jaxlab.data.entry.Entry` in one module."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxlab.checks import check_choice, require
from jaxlab.data import (
    cifar,
    demographics,
    embedded,
    idx,
    minnesota,
    photographs,
    snap,
    tiny_imagenet,
    uci,
)
from jaxlab.data.dataset import Dataset, DatasetInfo
from jaxlab.data.entry import PIXEL_DTYPES, Entry
from jaxlab.data.files import fetch, is_offline

__all__ = ["DATASETS", "Availability", "available", "load"]

DATASETS: dict[str, Entry] = {
    entry.name: entry
    for module in (
        embedded,
        photographs,
        idx,
        cifar,
        tiny_imagenet,
        snap,
        uci,
        minnesota,
        demographics,
    )
    for entry in module.ENTRIES
}


class Availability(NamedTuple):
    """What :func:`available` tells of a data set.

    Attributes:
        description: one sentence.
        offline: whether it can be had now without a network: every file of it is embedded in a
            package or lies in one of the places that :mod:`jaxlab.data.files` looks in. Checksums
            are compared when a file is loaded, not here.
    """

    description: str
    offline: bool


def available(root: str | os.PathLike[str] | None = None) -> Mapping[str, Availability]:
    """Every name that :func:`load` knows, with one line on it.

    Example:
        >>> available()["digits"]
        Availability(description='Small handwritten digits: images [1797, 8, 8], labels 0-9.',
                     offline=True)
    """
    return {
        name: Availability(entry.description, all(is_offline(spec, root) for spec in entry.files))
        for name, entry in DATASETS.items()
    }


def load(
    name: str,
    split: str | None = None,
    root: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Dataset:
    """A named data set as NumPy arrays, with the record of where it comes from.

    Images are ``[n, height, width]`` or ``[n, height, width, channels]``, float32 in [0, 1]
    (bytes / 255; ``dtype="uint8"`` leaves the bytes of the sets that have them); labels are int32.

    Args:
        name: one of :func:`available`.
        split: one of the set's splits; default its first, which is ``"train"`` where the set comes
            split and ``"all"`` where it does not.
        root: a folder to look for the set's files in before any other place; sets embedded in a
            package have no use for it.
        **options: of the set: ``dtype`` ("float32", "uint8") of mnist, fashion_mnist, cifar10,
            cifar100, tiny_imagenet and natural_patches; ``limit`` of tiny_imagenet;
            ``photographs`` and ``seed`` of natural_patches; ``scaled`` of diabetes.

    Returns:
        The :class:`~jaxlab.data.Dataset`; ``info.sha256`` lists the files that were read.

    Raises:
        ValueError: unknown name, split or option, or an option's value out of range.
        DataUnavailableError: a file is nowhere to be had, or is not the published one.

    Example:
        >>> iris = load("iris")
        >>> iris["features"].shape, [str(name) for name in iris["label_names"]]
        ((150, 4), ['setosa', 'versicolor', 'virginica'])
    """
    check_choice("name", name, DATASETS)
    entry = DATASETS[name]
    split = entry.splits[0] if split is None else split
    check_choice("split", split, entry.splits)
    for option in options:
        require(bool(entry.options), f"option of {name}", option, "no options")
        check_choice(f"option of {name}", option, entry.options)
    if "dtype" in options:  # refused here, before anything is fetched
        check_choice("dtype", options["dtype"], PIXEL_DTYPES)

    files = {spec.name: spec for spec in entry.files}
    used: dict[str, str] = {}

    def read_file(file: str) -> bytes:
        content = fetch(files[file], root)
        used[file] = files[file].checksum
        return content

    arrays = entry.read(read_file, split, **options)
    info = DatasetInfo(
        name=entry.name,
        description=entry.description,
        source=entry.source,
        licence=entry.licence,
        citation=entry.citation,
        sha256=used,
    )
    return Dataset(arrays, info)
