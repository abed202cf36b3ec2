"""The newest finished run of every experiment, read from run directories.

No experiment is imported: a run directory says all there is to say.
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jaxlab.runner.registry import room_of
from jaxlab.runner.report import describe_device, duration
from jaxlab.runner.store import read_json

__all__ = ["Shown", "gather", "headline", "title"]

_WAS = {
    "unfinished": "is not finished",
    "interrupted": "was interrupted",
    "failed": "failed",
}
_UNREADABLE = (OSError, ValueError, KeyError, TypeError)


@dataclasses.dataclass(frozen=True)
class Shown:
    """One experiment on the scoreboard.

    Attributes:
        path: directory of its newest finished run.
        name: the experiment.
        room: the method it belongs to.
        summary: what it is, in one sentence.
        preset: name of the preset.
        claims: every claim with its verdict.
        figures: captions by name.
        facts: preset, overrides, device, date and duration, each in a few words.
        newer: what became of the newest run, when that is a later and not a finished one.
    """

    path: Path
    name: str
    room: str
    summary: str
    preset: str
    claims: list[dict[str, Any]]
    figures: dict[str, str]
    facts: list[str]
    newer: str | None


def gather(runs: Path) -> tuple[list[Shown], list[str]]:
    """The newest finished run of every experiment, by room and name; and what could not be read.

    The newest is the one whose last session began last, whichever folder of ``runs`` it lies in.
    """
    runs_of: dict[str, list[tuple[str, bool, Path, Any, Any]]] = {}
    warnings = []
    for file in sorted(runs.glob("*/*/results.json")):
        path = file.parent
        try:
            environment, results = read_json(path / "environment.json"), read_json(file)
            started, name = environment["started"], results["experiment"]
            if not isinstance(started, str):
                raise TypeError(f"started: expected a date, got {started!r}")
            original = path.parent.name == name  # of a run and copies of it
            runs_of.setdefault(name, []).append((started, original, path, results, environment))
        except _UNREADABLE as error:
            warnings.append(_left_out(path, error))
    found: list[Shown] = []
    for name, candidates in runs_of.items():
        last: str | None = None
        for started, _, path, results, environment in sorted(candidates, reverse=True):
            try:
                if results["status"] == "finished":
                    newer = None if last is None else f"a newer run {last}"
                    found.append(_shown(path, results, environment, newer))
                    break
                if last is None:
                    facts = f"({results['preset']}, {started[:10]})"
                    last = f"{facts} {_WAS[results['status']]}"
            except _UNREADABLE as error:
                warnings.append(_left_out(path, error))
        else:
            if last is not None:
                warnings.append(f"{name} has no finished run; its newest {last}")
    return sorted(found, key=lambda one: (one.room, one.name)), warnings


def title(room: str) -> str:
    """The name of a room as a heading.

    Example:
        >>> title("graph_algorithms")
        'Graph algorithms'
    """
    return room.replace("_", " ").capitalize()


def headline(shown: Iterable[Shown]) -> str:
    """How many claims hold, in one line."""
    verdicts = [claim["holds"] for one in shown for claim in one.claims]
    if not verdicts:
        return "No finished run yet."
    held, failed, undecided = (verdicts.count(kind) for kind in (True, False, None))
    line = f"{held} of {len(verdicts)} claims {'holds' if held == 1 else 'hold'}"
    line += f", {failed} {'does' if failed == 1 else 'do'} not" if failed else ""
    line += f", {undecided} {'is' if undecided == 1 else 'are'} not decided" if undecided else ""
    return f"{line}."


def _left_out(path: Path, error: Exception) -> str:
    return f"left out {path}: {type(error).__name__}: {error}"


def _shown(
    path: Path, results: dict[str, Any], environment: dict[str, Any], newer: str | None
) -> Shown:
    facts = [f"preset {results['preset']}", *results["overrides"]]
    facts += [describe_device(environment), environment["started"][:10]]
    return Shown(
        path=path,
        name=results["experiment"],
        room=room_of(results["module"]),
        summary=results["summary"],
        preset=results["preset"],
        claims=results["claims"],
        figures=results["figures"],
        facts=[*facts, duration(read_json(path / "timings.json")["seconds"])],
        newer=newer,
    )
