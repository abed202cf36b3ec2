"""Run directories: ``runs/NAME/PRESET-TIMESTAMP/`` and what survives a kill in them.

Every file is replaced atomically, except ``metrics.jsonl``, which only grows: one line per finished
cell, on the disk before the next cell starts. A line torn by a kill is dropped on resume.
"""

import contextlib
import datetime
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from jaxlab.runner.registry import UsageError

try:
    import fcntl
except ImportError:  # Windows: two processes in one directory are not detected there
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "Metrics",
    "create",
    "find_resumable",
    "plain",
    "read_json",
    "read_results",
    "write_atomic",
    "write_json",
]


def create(runs: Path, name: str, preset: str, now: datetime.datetime) -> Path:
    """A new directory for a run; two runs in the same second get different ones."""
    stamp = now.strftime("%Y%m%d-%H%M%S")
    parent = runs / name
    parent.mkdir(parents=True, exist_ok=True)
    suffix = 1
    while True:
        path = parent / (f"{preset}-{stamp}" + (f"-{suffix}" if suffix > 1 else ""))
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            return path
        suffix += 1


def find_resumable(runs: Path, name: str, asked: str, preset: str | None) -> Path:
    """The directory that ``--resume`` means: a path, a name under ``runs/NAME/``, or ``latest``."""
    if asked != "latest":
        for path in (Path(asked), runs / name / asked):
            if (path / "results.json").is_file():
                break
        else:
            raise UsageError(f"--resume: no run directory at {asked} nor at {runs / name / asked}")
        results = read_results(path)
        if results["experiment"] != name:
            raise UsageError(f"--resume: {path} is a run of {results['experiment']}, not of {name}")
        if results["status"] == "finished":
            raise UsageError(f"--resume: {path} is finished; there is nothing to resume")
        return path
    candidates = []
    for file in (runs / name).glob("*/results.json"):
        try:
            results = read_results(file.parent)
        except UsageError:  # no run that could be resumed
            continue
        if results["status"] != "finished" and preset in (None, results["preset"]):
            candidates.append((_started(file.parent), file.parent))
    if not candidates:
        of_preset = "" if preset is None else f" of preset {preset}"
        raise UsageError(f"--resume: no unfinished run{of_preset} under {runs / name}")
    return max(candidates)[1]


def write_atomic(path: Path, content: str | bytes) -> None:
    """Replace a file's content as a whole: a reader or a kill sees the old or the new."""
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def write_json(path: Path, content: Any) -> None:
    """Write readable JSON; NaN and infinities as Python's ``json`` spells them."""
    write_atomic(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_results(path: Path) -> dict[str, Any]:
    """What ``results.json`` says of the run in ``path``, which must say what was run."""
    file = path / "results.json"
    try:
        results = read_json(file)
        absent = {"experiment", "preset", "overrides", "status"} - results.keys()
    except (OSError, ValueError, AttributeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    if absent:
        raise UsageError(f"{file} cannot be read: it has no {', '.join(sorted(absent))}")
    return dict(results)


def plain(value: Any, name: str) -> Any:
    """``value`` as JSON gives it back; numpy and jax arrays and scalars become numbers and lists.

    A cell returns this on the first run too, so that a resumed run computes with the same values.

    Example:
        >>> plain({"recall": np.float32(0.5), "counts": (2, 5)}, "cell")
        {'recall': 0.5, 'counts': [2, 5]}
    """

    def convert(item: Any) -> Any:
        if hasattr(item, "__array__"):
            return np.asarray(item).tolist()
        raise TypeError(f"{name}: a {type(item).__name__} cannot be written as JSON")

    return json.loads(json.dumps(value, default=convert))


class Metrics:
    """The finished cells of a run, in ``metrics.jsonl``; a context manager.

    Attributes:
        stored: the line of every cell that was finished before, by key.
    """

    def __init__(self, path: Path):
        try:
            self._file = open(path, "a+b")  # noqa: SIM115  closed by __exit__
        except OSError as error:
            raise UsageError(f"cannot write to {path.parent}: {error.strerror}") from error
        try:
            if fcntl is not None:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise UsageError(
                f"{path.parent} is being written by a process still at work"
            ) from error
        except OSError:
            pass  # a file system without locks: two processes at one run are not noticed there
        self.stored = self._load(path)

    def append(self, key: str, value: Any, seconds: float) -> None:
        """Put one finished cell on the disk."""
        line = json.dumps({"key": key, "value": value, "seconds": round(seconds, 6)})
        self._file.write(line.encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> "Metrics":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):  # what could not be flushed has raised already
            self._file.close()

    def _load(self, path: Path) -> dict[str, Mapping[str, Any]]:
        self._file.seek(0)
        content = self._file.read()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            self._file.truncate(len(whole))
        stored: dict[str, Mapping[str, Any]] = {}
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                cell = json.loads(line)
                stored[cell["key"]] = {name: cell[name] for name in ("value", "seconds")}
            except (ValueError, TypeError, KeyError) as error:
                message = f"{path}: line {number} is damaged; delete that line to resume"
                raise UsageError(message) from error
        return stored


def _started(path: Path) -> str:
    """When the last session of a run began, ISO 8601 in UTC; empty where that is not known."""
    try:
        return str(read_json(path / "environment.json")["started"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
