"""The scoreboard: every claim, as the newest finished run of its experiment measured it.

Only run directories are read; no experiment is imported.
"""

import dataclasses
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from jaxlab.runner.page import write_page
from jaxlab.runner.registry import all_entries, room_of
from jaxlab.runner.report import describe_device, duration, holds_word, markdown_table
from jaxlab.runner.store import read_json, write_atomic

__all__ = ["Board", "Shown", "gather", "headline", "write_scoreboard"]


@dataclasses.dataclass(frozen=True)
class Shown:
    """One experiment on the scoreboard.

    Attributes:
        path: directory of its newest finished run.
        results: content of ``results.json``.
        environment: content of ``environment.json``.
        seconds: how long the run took.
        newer: what became of the newest run, when that is a later and not a finished one.
    """

    path: Path
    results: dict[str, Any]
    environment: dict[str, Any]
    seconds: float
    newer: str | None

    @property
    def name(self) -> str:
        """The experiment."""
        return str(self.results["experiment"])

    @property
    def room(self) -> str:
        """The method it belongs to."""
        return room_of(self.results["module"]).replace("_", " ")

    @property
    def facts(self) -> list[str]:
        """Preset, overrides, device, date and duration, each in a few words."""
        facts = [f"preset {self.results['preset']}", *self.results["overrides"]]
        facts += [describe_device(self.environment), self.environment["started"][:10]]
        return [*facts, duration(self.seconds)]


@dataclasses.dataclass(frozen=True)
class Board:
    """Where the scoreboard is and what it says in one line."""

    markdown: Path
    html: Path
    headline: str
    warnings: list[str]


def write_scoreboard(runs: Path, configs: Path) -> Board:
    """Write ``scoreboard.md`` and ``scoreboard.html`` into ``runs``.

    Args:
        runs: folder of run directories; need not exist yet.
        configs: folder of configs, to name the experiments that have not been run.
    """
    shown, warnings = gather(runs)
    known = [entry.name for entry in all_entries(configs)]
    missing = sorted(set(known) - {one.name for one in shown})
    line = headline(shown)
    runs.mkdir(parents=True, exist_ok=True)
    markdown, html = runs / "scoreboard.md", runs / "scoreboard.html"
    write_atomic(markdown, _markdown(shown, missing, line, runs))
    write_atomic(html, write_page(shown, missing, line))
    return Board(markdown, html, line, warnings)


def gather(runs: Path) -> tuple[list[Shown], list[str]]:
    """The newest finished run of every experiment, by room and name; and what could not be read."""
    found: list[Shown] = []
    warnings = []
    for folder in sorted(path for path in runs.glob("*") if path.is_dir()):
        candidates = []
        for file in folder.glob("*/results.json"):
            try:
                environment = read_json(file.parent / "environment.json")
                candidates.append((environment["started"], file.parent.name, file, environment))
            except (OSError, ValueError, KeyError) as error:
                warnings.append(f"left out {file.parent}: {type(error).__name__}: {error}")
        newer = None
        for _, _, file, environment in sorted(candidates, reverse=True):
            try:
                results = read_json(file)
                if results["status"] == "finished":
                    seconds = read_json(file.parent / "timings.json")["seconds"]
                    found.append(Shown(file.parent, results, environment, seconds, newer))
                    break
                status, preset = results["status"], results["preset"]
                newer = (
                    newer or f"a newer run ({preset}, {environment['started'][:10]}) {_WAS[status]}"
                )
            except (OSError, ValueError, KeyError) as error:
                warnings.append(f"left out {file.parent}: {type(error).__name__}: {error}")
        else:
            if newer is not None:
                warnings.append(f"{folder.name} has no finished run; {newer}")
    return sorted(found, key=lambda one: (one.room, one.name)), warnings


def headline(shown: Iterable[Shown]) -> str:
    """How many claims hold, in one line."""
    verdicts = [claim["holds"] for one in shown for claim in one.results["claims"]]
    if not verdicts:
        return "No finished run yet."
    counts = [(holds_word(kind), verdicts.count(kind)) for kind in (False, None)]
    rest = "".join(f", {count} {word}" for word, count in counts if count)
    held = verdicts.count(True)
    return f"{held} of {len(verdicts)} claims hold{rest.replace('does not hold', 'not holding')}."


_WAS = {
    "unfinished": "is not finished",
    "interrupted": "was interrupted",
    "failed": "failed",
}


def _markdown(shown: list[Shown], missing: list[str], line: str, runs: Path) -> str:
    parts = ["# Scoreboard", line]
    for room, members in groupby(shown, key=lambda one: one.room):
        parts.append(f"## {room[:1].upper()}{room[1:]}")
        for one in members:
            report = (one.path / "report.md").relative_to(runs).as_posix()
            parts += [f"### [{one.name}]({report})", one.results["summary"], " · ".join(one.facts)]
            if one.newer is not None:
                parts.append(f"*This is the newest finished run; {one.newer}.*")
            rows = [
                (
                    f"{claim['statement']} ({claim['source']})",
                    claim["paper"],
                    claim["ours"] or "not measured",
                    claim["criterion"],
                    holds_word(claim["holds"]),
                )
                for claim in one.results["claims"]
            ]
            if rows:
                columns = ("Claim", "Paper", "Ours", "Criterion", "Verdict")
                parts.append(markdown_table(columns, rows))
            for name, caption in one.results["figures"].items():
                figure = (one.path / "figures" / f"{name}.png").relative_to(runs).as_posix()
                flat = " ".join(caption.split())
                parts += [f"![{flat}]({figure})", f"*{flat}*"]
    if missing:
        parts += ["## Not run yet", "\n".join(f"- `{name}`" for name in missing)]
    return "\n\n".join(parts) + "\n"
