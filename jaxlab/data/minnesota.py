"""The roads of Minnesota as a graph in the plane, from the file that PyGSP ships."""

import io
import sysconfig
from pathlib import Path

import numpy as np

from jaxlab.checks import check_shape, require
from jaxlab.data.entry import Entry, ReadFile
from jaxlab.data.files import FileSpec

__all__ = ["ENTRIES", "read_roads"]

FILE = "minnesota.mat"
FOLDER = "pygsp/data/pointclouds"


def read_roads(content: bytes) -> dict[str, np.ndarray]:
    """Edges and positions of a road network in MATLAB's format.

    Args:
        content: a file with the symmetric adjacency matrix ``A`` [n, n], of which only the pattern
            is read, and the positions ``xy`` [n, 2].

    Returns:
        ``edges`` [m, 2] int32, each once as (smaller, larger), in lexicographic order;
        ``positions`` [n, 2] float64.

    Raises:
        ValueError: the content is no such file.
    """
    import scipy.io.matlab
    import scipy.sparse

    try:
        arrays = scipy.io.loadmat(io.BytesIO(content), spmatrix=False, variable_names=["A", "xy"])
        matrix, positions = scipy.sparse.coo_array(arrays["A"]), np.asarray(arrays["xy"], float)
    except (scipy.io.matlab.MatReadError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"content: expected a road network, got {error!r}") from None
    check_shape("xy", positions, ("n", 2))
    check_shape("A", matrix, (len(positions), len(positions)))
    pairs = np.stack(matrix.coords, axis=1)[matrix.data != 0]
    there = {(int(i), int(j)) for i, j in pairs}
    require(all((j, i) in there for i, j in there), "A", matrix, "a symmetric matrix")
    edges = np.array(sorted(pair for pair in there if pair[0] < pair[1]), np.int32)
    return {"edges": edges.reshape(-1, 2), "positions": positions}


def _read(read_file: ReadFile, split: str) -> dict[str, np.ndarray]:
    return read_roads(read_file(FILE))


ENTRIES = (
    Entry(
        name="minnesota_roads",
        description="Roads of Minnesota: edges [3303, 2] of 2642 places, positions in degrees.",
        source="https://github.com/epfl-lts2/pygsp",
        licence="BSD-3-Clause (PyGSP)",
        citation="D. Gleich, MatlabBGL: a MATLAB graph library, 2006; M. Defferrard, L. Martin, "
        "R. Pena, N. Perraudin, PyGSP: graph signal processing in Python, 2017.",
        splits=("all",),
        read=_read,
        files=(
            FileSpec(
                folder="minnesota_roads",
                name=FILE,
                urls=(f"https://raw.githubusercontent.com/epfl-lts2/pygsp/v0.5.1/{FOLDER}/{FILE}",),
                sha256="a3cbf534020de2e4cf10fe0d5ba57e903466f5712e757f74e28e0bb91027de08",
                system={str(Path(sysconfig.get_paths()["purelib"]) / FOLDER): "pip install pygsp"},
            ),
        ),
    ),
)
