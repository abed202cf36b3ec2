"""The scoreboard: every claim, as the newest finished run of its experiment measured it."""

import dataclasses
from itertools import groupby
from pathlib import Path

from jaxlab.runner.gather import Shown, gather, headline, title
from jaxlab.runner.page import write_page
from jaxlab.runner.peers import COLUMNS, Peers, peers_of
from jaxlab.runner.registry import UsageError, all_entries
from jaxlab.runner.report import claims_table, markdown_table
from jaxlab.runner.store import write_atomic

__all__ = ["Board", "write_scoreboard"]


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
        configs: folder of configs, to name the experiments without a finished run, and to find the
            benchmark tables beside it.

    Raises:
        UsageError: they cannot be written there.
    """
    shown, warnings = gather(runs)
    found = {room: peers_of(room, configs) for room in {one.room for one in shown}}
    peers = {room: table for room, table in found.items() if table}
    known = [entry.name for entry in all_entries(configs)]
    missing = sorted(set(known) - {one.name for one in shown})
    line = headline(shown)
    markdown, html = runs / "scoreboard.md", runs / "scoreboard.html"
    try:
        runs.mkdir(parents=True, exist_ok=True)
        write_atomic(markdown, _markdown(shown, peers, missing, line, runs))
        write_atomic(html, write_page(shown, peers, missing, line))
    except OSError as error:
        raise UsageError(f"cannot write a scoreboard in {runs}: {error.strerror}") from error
    return Board(markdown, html, line, warnings)


def _markdown(
    shown: list[Shown], peers: dict[str, Peers], missing: list[str], line: str, runs: Path
) -> str:
    parts = ["# Scoreboard", line]
    for room, members in groupby(shown, key=lambda one: one.room):
        parts.append(f"## {title(room)}")
        for one in members:
            report = (one.path / "report.md").relative_to(runs).as_posix()
            parts += [f"### [{one.name}]({report})", one.summary, " · ".join(one.facts)]
            if one.newer is not None:
                parts.append(f"*This is the newest finished run; {one.newer}.*")
            if one.claims:
                parts.append(claims_table(one.claims))
            for name, caption in one.figures.items():
                figure = (one.path / "figures" / f"{name}.png").relative_to(runs).as_posix()
                flat = " ".join(caption.split())
                parts += [f"![{name}]({figure})", f"*{flat}*"]
        if room in peers:
            table = markdown_table(COLUMNS, peers[room].rows)
            parts += ["### Against peers", table, peers[room].measured]
    if missing:
        parts += ["## No finished run yet", "\n".join(f"- `{name}`" for name in missing)]
    return "\n\n".join(parts) + "\n"
