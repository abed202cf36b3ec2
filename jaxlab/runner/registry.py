"""The experiments there are: the TOML files of one folder.

``NAME.toml`` states the ``module`` with the code, a ``summary`` in one sentence, and one table of
values per preset. ``[default]`` is complete; ``[smoke]`` and ``[paper]`` state only what differs.
Listing reads these files alone: neither jax nor an experiment is imported.
"""

import copy
import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import jaxlab
from jaxlab.checks import nearest

__all__ = [
    "PRESETS",
    "Entry",
    "UsageError",
    "all_entries",
    "configs_folder",
    "find_entry",
    "merge",
    "room_of",
]

PRESETS = ("default", "smoke", "paper")


class UsageError(Exception):
    """The request cannot be carried out as made; the message says what to ask instead."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One experiment as its TOML file describes it.

    Attributes:
        name: the file's name without its ending.
        path: the file.
        module: import path of the experiment's module.
        summary: one sentence.
        presets: complete values by preset name.
    """

    name: str
    path: Path
    module: str
    summary: str
    presets: dict[str, dict[str, Any]]

    @property
    def room(self) -> str:
        """The method it belongs to, after the package that holds its module."""
        return room_of(self.module)

    def values(self, preset: str) -> dict[str, Any]:
        """The values of a preset, free to be changed."""
        if preset not in self.presets:
            message = f"unknown preset {preset!r} of {self.name}"
            raise UsageError(f"{message}{_suggest(preset, self.presets)}")
        return copy.deepcopy(self.presets[preset])


def configs_folder(explicit: Path | None = None) -> Path:
    """The folder of configs: ``explicit``, the repository's, or the wheel's own copy."""
    if explicit is not None:
        if not explicit.is_dir():
            raise UsageError(f"no folder of configs at {explicit}")
        return explicit
    package = Path(jaxlab.__file__).parent
    repository = package.parent
    # site-packages may hold a foreign "configs"; only a source tree has pyproject.toml beside it
    if (repository / "pyproject.toml").is_file() and (repository / "configs").is_dir():
        return repository / "configs"
    return package / "_configs"


def all_entries(folder: Path) -> list[Entry]:
    """Every experiment of a folder of configs, by name."""
    return [_read(path) for path in sorted(folder.glob("*.toml"))]


def find_entry(name: str, folder: Path) -> Entry:
    """The experiment called ``name``, or a refusal that suggests the nearest one."""
    path = folder / f"{name}.toml"
    names = sorted(file.stem for file in folder.glob("*.toml"))
    if name not in names:
        raise UsageError(f"unknown experiment {name!r}{_suggest(name, names)}")
    return _read(path)


def merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` over it: tables are merged, everything else is replaced.

    Example:
        >>> merge({"seeds": 5, "data": {"name": "mnist", "size": 9}}, {"data": {"name": "digits"}})
        {'seeds': 5, 'data': {'name': 'digits', 'size': 9}}
    """
    merged = dict(base)
    for key, value in changes.items():
        below = merged.get(key)
        both_tables = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = merge(below, value) if both_tables else value  # type: ignore[arg-type]
    return merged


def room_of(module: str) -> str:
    """The package holding a module: ``hopfield`` of ``jaxlab.experiments.hopfield.energy``."""
    return module.split(".")[-2] if "." in module else module


def _suggest(asked: str, known: Any) -> str:
    """The end of a refusal: the nearest known name, and all of them."""
    names = list(known)
    close = nearest(asked, names)
    hint = f"; did you mean {close!r}?" if close is not None else ";"
    return f"{hint} known: {', '.join(names) if names else 'none'}"


def _read(path: Path) -> Entry:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    allowed = ("module", "summary", *PRESETS)
    for key in content:
        if key not in allowed:
            raise UsageError(f"{path}: unknown key {key!r}{_suggest(key, allowed)}")
    for key, kind in (("module", str), ("summary", str), ("default", dict)):
        if not isinstance(content.get(key), kind):
            what = "a string" if kind is str else "a table"
            raise UsageError(f"{path}: {key}: expected {what}, got {content.get(key)!r}")
    for preset in PRESETS:
        if not isinstance(content.get(preset, {}), dict):
            raise UsageError(f"{path}: {preset}: expected a table, got {content[preset]!r}")
    default = content["default"]
    presets = {name: merge(default, content[name]) for name in PRESETS if name in content}
    return Entry(path.stem, path, content["module"], content["summary"], presets)
