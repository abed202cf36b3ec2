"""Named data sets: found, verified, and read into NumPy arrays.

``load(name)`` returns a :class:`Dataset`: arrays by name, and the record of their source, licence,
citation and checksums. ``available()`` lists the names and says which can be had without a network.
A file is looked for in ``root``, ``$JAXLAB_DATA``, system folders and the cache, and downloaded
last; it is used only if its SHA-256 is the published one (:mod:`jaxlab.data.files`).
``read_matrix(path)`` reads a matrix of your own.

To add a set, write one :class:`Entry` in a module here: its record, a :class:`FileSpec` for each
file, and a function from file contents to arrays; then list the module in
:mod:`jaxlab.data.registry`.

Example:
    >>> import jaxlab.data
    >>> digits = jaxlab.data.load("digits")
    >>> digits["images"].shape, digits["images"].dtype, float(digits["images"].max())
    ((1797, 8, 8), dtype('float32'), 1.0)
"""

from jaxlab.data.dataset import Dataset, DatasetInfo
from jaxlab.data.entry import Entry
from jaxlab.data.files import DataUnavailableError, FileSpec, cache_folder, fetch, is_offline
from jaxlab.data.matrices import read_matrix
from jaxlab.data.registry import Availability, available, load

__all__ = [
    "Availability",
    "DataUnavailableError",
    "Dataset",
    "DatasetInfo",
    "Entry",
    "FileSpec",
    "available",
    "cache_folder",
    "fetch",
    "is_offline",
    "load",
    "read_matrix",
]
