"""What :func:`jaxlab.data.load` returns: arrays, and where they come from."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

__all__ = ["Dataset", "DatasetInfo"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """Where a data set comes from.

    Attributes:
        name: the name it is loaded by.
        description: one sentence.
        source: canonical URL, or the package that embeds it.
        licence: licence, or terms of use.
        citation: how to cite it.
        sha256: checksum of every verified file, by file name; empty for embedded sets.
    """

    name: str
    description: str
    source: str
    licence: str
    citation: str
    sha256: Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Named NumPy arrays and a metadata record.

    Example:
        >>> import jaxlab.data
        >>> digits = jaxlab.data.load("digits")
        >>> digits["images"].shape, digits.info.source
        ((1797, 8, 8), 'scikit-learn')
    """

    arrays: Mapping[str, np.ndarray]
    info: DatasetInfo

    def __contains__(self, name: object) -> bool:
        return name in self.arrays

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.arrays:
            raise KeyError(f"{self.info.name} has {', '.join(self.arrays)}; got {name!r}")
        return self.arrays[name]
