"""Computed tiles in a folder, from which a run that was killed goes on.

One file per turn: a line of JSON with the fingerprint of the whole computation and the digest of
what follows, then the bytes of the tiles. Files appear under their name only when complete, and a
file whose digest is wrong counts as absent.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxlab.checks import require

__all__ = ["TileStore", "digest"]


class TileStore(NamedTuple):
    """A folder of tiles of one computation.

    Attributes:
        folder: where they are.
        fingerprint: what the tiles depend on, each part under the name that an error gives it.
    """

    folder: Path
    fingerprint: dict[str, str]

    @classmethod
    def open(cls, path: str | os.PathLike, fingerprint: dict[str, str]) -> "TileStore":
        """The store at ``path``, made when it is not there.

        Raises:
            ValueError: ``path`` is no folder, or holds tiles of another computation.
        """
        folder = Path(path)
        require(
            folder.is_dir() or not folder.exists(), "resume_path", str(path), "the path of a folder"
        )
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted(folder.glob("ntk-tiles-*")):
            with open(file, "rb") as lines:
                found = _header(lines.readline())
            if found is None:
                continue
            other = found["fingerprint"]
            names = {*fingerprint, *other}
            changed = sorted(name for name in names if fingerprint.get(name) != other.get(name))
            require(
                not changed,
                "resume_path",
                str(path),
                f"tiles of this computation (delete the folder or give another one): "
                f"{file.name} was computed with different {', '.join(changed)}",
            )
        return cls(folder, fingerprint)

    def load(self, turn: int, shapes: Sequence[jax.ShapeDtypeStruct]) -> list[np.ndarray] | None:
        """The tiles of one turn, or None where they are not there in full."""
        try:
            line, _, content = self._file(turn).read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        header = _header(line)
        if header is None or header["digest"] != hashlib.sha256(content).hexdigest():
            return None
        arrays, start = [], 0
        for shape in shapes:
            stop = start + shape.size * shape.dtype.itemsize
            flat = np.frombuffer(content[start:stop], np.uint8)
            arrays.append(flat.view(shape.dtype).reshape(shape.shape))
            start = stop
        return arrays

    def save(self, turn: int, tiles: Sequence[np.ndarray]) -> None:
        """Keep the tiles of one turn; a kill leaves all of them or none."""
        content = b"".join(tile.tobytes() for tile in tiles)
        header = {
            "fingerprint": self.fingerprint,
            "digest": hashlib.sha256(content).hexdigest(),
        }
        file = self._file(turn)
        part = file.with_name(f".{file.name}.{os.getpid()}")
        part.write_bytes(json.dumps(header).encode() + b"\n" + content)
        os.replace(part, file)

    def _file(self, turn: int) -> Path:
        return self.folder / f"ntk-tiles-{turn:08d}"


def digest(tree: Any) -> str:
    """SHA-256 over names, shapes, dtypes and bytes of the leaves of ``tree``."""
    total = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        if jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key):
            total.update(str(jax.random.key_impl(leaf)).encode())
            leaf = jax.random.key_data(leaf)
        values = np.asarray(leaf)
        total.update(f"{jax.tree_util.keystr(path)} {values.dtype} {values.shape}".encode())
        total.update(values.tobytes())
    return total.hexdigest()


def _header(line: bytes) -> dict[str, Any] | None:
    """What the first line says; None where it is not one of ours in full."""
    try:
        header = json.loads(line)
    except ValueError:
        return None
    complete = isinstance(header, dict) and {"fingerprint", "digest"} <= header.keys()
    return header if complete else None
