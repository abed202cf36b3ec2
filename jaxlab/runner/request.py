"""What is to be run: an experiment's module and a checked config for it."""

import dataclasses
import importlib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxlab.experiments.interface import Experiment
from jaxlab.runner.registry import Entry, UsageError, configs_folder, find_entry
from jaxlab.runner.settings import apply, differences, parse_set, spelled, to_values, validate
from jaxlab.runner.store import read_results

__all__ = ["Request", "load_experiment", "resolve", "resolve_resumed"]


@dataclasses.dataclass(frozen=True)
class Request:
    """An experiment with its complete config.

    Attributes:
        entry: the experiment as its TOML file describes it.
        experiment: its module.
        preset: name of the preset.
        overrides: what was set over the preset, as ``key=value``.
        config: the checked ``Config``.
    """

    entry: Entry
    experiment: Experiment
    preset: str
    overrides: list[str]
    config: Any

    @property
    def values(self) -> dict[str, Any]:
        """The config's plain values."""
        return to_values(self.config)


def resolve(
    name: str, preset: str = "default", sets: Sequence[str] = (), configs: Path | None = None
) -> Request:
    """Find an experiment and check its config; nothing is run or written.

    Args:
        name: the experiment.
        preset: ``"smoke"``, ``"default"`` or ``"paper"``.
        sets: values over the preset, each string ``"key=value key.sub=value"``.
        configs: folder of TOML files; default jaxlab's own.

    Raises:
        UsageError: unknown experiment or preset, or values that the ``Config`` refuses.

    Example:
        >>> request = resolve("hopfield-similarity-capacity", "smoke", ["seeds=4"])
        >>> request.preset, request.overrides, request.config.seeds
        ('smoke', ['seeds=4'], 4)
    """
    entry = find_entry(name, configs_folder(configs))
    values = entry.values(preset)
    pairs = [pair for text in sets for pair in parse_set(text)]
    experiment = load_experiment(entry)
    where = f"{name}, preset {preset}"
    config = validate(experiment.Config, apply(values, pairs), where)
    overrides = [f"{key}={spelled(value)}" for key, value in pairs]
    return Request(entry, experiment, preset, overrides, config)


def resolve_resumed(
    path: Path, name: str, preset: str | None, sets: Sequence[str], configs: Path | None
) -> Request:
    """The request that began the run in ``path``; one that differs from it is refused."""
    recorded = read_results(path)
    entry = find_entry(name, configs_folder(configs))
    experiment = load_experiment(entry)
    file = path / "config.toml"
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    config = validate(experiment.Config, values, str(file))
    begun = Request(entry, experiment, recorded["preset"], recorded["overrides"], config)
    if preset is None and not sets:
        return begun
    asked = resolve(name, preset or begun.preset, sets, configs)
    changed = differences(begun.values, asked.values)
    if changed or asked.preset != begun.preset:
        what = ", ".join(changed) if changed else "the preset's name"
        raise UsageError(
            f"--resume: {path} was begun with preset {begun.preset} and other values of {what}; "
            "leave --preset and --set out to go on with its own config"
        )
    return begun


def load_experiment(entry: Entry) -> Experiment:
    """Import an experiment's module and check that it has the shape of one."""
    try:
        module: Any = importlib.import_module(entry.module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{entry.module}.".startswith(f"{error.name}."):
            raise  # the module is there; something that it imports is not
        raise UsageError(
            f"{entry.path}: no module {entry.module!r}; it must be installed or on PYTHONPATH"
        ) from error
    for name in ("Config", "CLAIMS", "run"):
        if not hasattr(module, name):
            raise UsageError(f"{entry.module} is no experiment: it defines no {name}")
    ids = [claim.id for claim in module.CLAIMS]
    if len(set(ids)) < len(ids):
        raise UsageError(f"{entry.module}: two claims have the same id: {ids}")
    return module
