"""What the registry knows of a data set before it is loaded."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxlab.data.files import FileSpec

__all__ = ["PIXEL_DTYPES", "Entry", "pixels"]

PIXEL_DTYPES = ("float32", "uint8")

ReadFile = Callable[[str], bytes]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """One data set: its record, its pinned files, and the function that reads them.

    Attributes:
        name: the name it is loaded by.
        description: one sentence, with the shapes.
        source: canonical URL, or the package that embeds it.
        licence: licence, or terms of use.
        citation: how to cite it.
        splits: names of its splits, the default one first.
        read: ``read(read_file, split, **options) -> arrays``. ``read_file(name)`` gives the
            verified content of a file of ``files``. The options are the keyword-only arguments,
            each with a default; ``read`` checks their values.
        files: the files it may ask for; none when a package embeds the data.
    """

    name: str
    description: str
    source: str
    licence: str
    citation: str
    splits: tuple[str, ...]
    read: Callable[..., Mapping[str, np.ndarray]]
    files: tuple[FileSpec, ...] = ()

    @property
    def options(self) -> dict[str, Any]:
        """Name and default of every option."""
        parameters = inspect.signature(self.read).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def pixels(images: np.ndarray, dtype: str) -> np.ndarray:
    """Byte images as ``"float32"`` in [0, 1] (value / 255), or left as ``"uint8"``."""
    if dtype == "uint8":
        return np.ascontiguousarray(images)
    scaled = images.astype(np.float32, order="C")
    scaled /= 255
    return scaled
