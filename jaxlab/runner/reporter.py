"""The runner's Reporter: collects what an experiment reports, and keeps its finished cells."""

import dataclasses
import io
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from jaxlab.checks import nearest
from jaxlab.experiments.interface import Claim
from jaxlab.progress import Progress
from jaxlab.runner.store import Metrics, plain, write_atomic

if TYPE_CHECKING:
    import matplotlib.figure

__all__ = ["Results", "RunReporter"]


@dataclasses.dataclass(kw_only=True)
class Results:
    """Everything that one run has to say; :meth:`to_json` is the content of ``results.json``.

    Attributes:
        experiment: name of the experiment.
        module: import path of its module.
        summary: what it is, in one sentence.
        preset: name of the preset.
        overrides: the values set over the preset, as ``key=value``.
        claims: what the paper claims.
        status: ``"unfinished"``, ``"finished"``, ``"failed"`` or ``"interrupted"``.
        error: what went wrong in a failed run.
        scalars: numbers by name.
        tables: columns, rows and caption by name; timed ones go to ``timings.json``.
        figures: captions by name, in the order they came.
        notes: paragraphs.
        verdicts: ``ours`` and ``holds`` by claim id.
        timings: numbers that differ from run to run, by name.
    """

    experiment: str
    module: str
    summary: str
    preset: str
    overrides: list[str]
    claims: tuple[Claim, ...]
    status: str = "unfinished"
    error: str | None = None
    scalars: dict[str, Any] = dataclasses.field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    figures: dict[str, str] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)
    verdicts: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    timings: dict[str, Any] = dataclasses.field(default_factory=dict)

    def judged_claims(self) -> list[dict[str, Any]]:
        """Every claim with ``ours`` and ``holds``; both None while there is no verdict."""
        undecided = {"ours": None, "holds": None}
        return [
            dataclasses.asdict(claim) | self.verdicts.get(claim.id, undecided)
            for claim in self.claims
        ]

    def to_json(self) -> dict[str, Any]:
        """The reproducible part: equal for two runs of one config on one device."""
        return {
            "experiment": self.experiment,
            "module": self.module,
            "summary": self.summary,
            "preset": self.preset,
            "overrides": self.overrides,
            "status": self.status,
            "error": self.error,
            "claims": self.judged_claims(),
            "scalars": self.scalars,
            "tables": {
                name: {key: table[key] for key in ("columns", "rows", "caption")}
                for name, table in self.tables.items()
                if not table["timed"]
            },
            "figures": self.figures,
            "notes": self.notes,
        }


class RunReporter:
    """Implements :class:`jaxlab.experiments.interface.Reporter` for one run directory.

    Args:
        results: filled by the experiment's calls.
        run_dir: where figures go.
        metrics: the cells finished before, and where new ones are kept.
        stream: where progress is shown; default standard error.
        interval: seconds between progress lines where nobody watches.
    """

    def __init__(
        self,
        results: Results,
        run_dir: Path,
        metrics: Metrics,
        *,
        stream: TextIO | io.TextIOBase | None = None,
        interval: float = 10.0,
    ):
        self.results = results
        self._run_dir = run_dir
        self._metrics = metrics
        self._stream = stream
        self._interval = interval
        self._seen: set[str] = set()
        self._progress: Progress | None = None

    @property
    def preset(self) -> str:
        """Name of the preset that is running."""
        return self.results.preset

    def plan(self, total: int) -> None:
        """Start a progress bar over ``total`` cells, those finished before counted as done."""
        self.close()
        waiting = len(self._metrics.stored.keys() - self._seen)
        self._progress = Progress(
            self.results.experiment,
            total,
            initial=min(waiting, total),
            stream=self._stream,
            interval=self._interval,
        )
        self._progress.__enter__()

    def cell(self, key: str, compute: Callable[[], Any]) -> Any:
        """The value of a cell: read back when it was finished before, otherwise computed."""
        if key in self._seen:
            raise ValueError(f"two cells of {self.results.experiment} have the key {key!r}")
        self._seen.add(key)
        if key in self._metrics.stored:
            return self._metrics.stored[key]["value"]
        began = time.monotonic()
        value = plain(compute(), key)
        self._metrics.append(key, value, time.monotonic() - began)
        if self._progress is not None:
            self._progress.advance(latest=_latest(key, value))
        return value

    def scalar(self, name: str, value: Any) -> None:
        """A reproducible number."""
        self._new("scalar", name, self.results.scalars)
        self.results.scalars[name] = plain(value, name)

    def timing(self, name: str, value: Any) -> None:
        """A number that differs from run to run."""
        self._new("timing", name, self.results.timings)
        self.results.timings[name] = plain(value, name)

    def table(
        self,
        name: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        caption: str,
        *,
        timed: bool = False,
    ) -> None:
        """A table of the report."""
        self._new("table", name, self.results.tables)
        for row in rows:
            if len(row) != len(columns):
                message = f"table {name!r}: {len(columns)} columns, but a row of {len(row)} entries"
                raise ValueError(message)
        self.results.tables[name] = {
            "columns": list(columns),
            "rows": plain([list(row) for row in rows], name),
            "caption": caption,
            "timed": timed,
        }

    def figure(self, name: str, figure: "matplotlib.figure.Figure", caption: str) -> None:
        """Save ``figures/NAME.png`` and close the figure."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise ValueError(
                f"figure {name!r}: a name is made of letters, digits, '.', '_' and '-'"
            )
        self._new("figure", name, self.results.figures)
        drawn = io.BytesIO()
        # without matplotlib's version in it, equal figures are equal files
        figure.savefig(drawn, format="png", metadata={"Software": None})
        folder = self._run_dir / "figures"
        folder.mkdir(exist_ok=True)
        write_atomic(folder / f"{name}.png", drawn.getvalue())
        self.results.figures[name] = caption
        if pyplot := sys.modules.get("matplotlib.pyplot"):
            pyplot.close(figure)
        figure.clear()

    def note(self, text: str) -> None:
        """A paragraph of the report."""
        self.results.notes.append(text)

    def verdict(self, claim_id: str, *, ours: str, holds: bool | np.bool_ | None) -> None:
        """The measured counterpart of a claim."""
        known = [claim.id for claim in self.results.claims]
        if claim_id not in known:
            close = nearest(claim_id, known)
            hint = f"; did you mean {close!r}?" if close is not None else ""
            raise ValueError(f"verdict on unknown claim {claim_id!r}{hint}; known: {known}")
        self._new("verdict on", claim_id, self.results.verdicts)
        decided = None if holds is None else bool(holds)  # numpy's bool is no JSON
        self.results.verdicts[claim_id] = {"ours": ours, "holds": decided}

    def close(self) -> None:
        """Take the progress bar down."""
        if self._progress is not None:
            self._progress.__exit__(None, None, None)
            self._progress = None

    def seconds_read_back(self) -> float:
        """What the cells that were not computed again had cost."""
        stored = self._metrics.stored
        return float(sum(stored[key]["seconds"] for key in self._seen & stored.keys()))

    def _new(self, what: str, name: str, known: Any) -> None:
        if name in known:
            raise ValueError(f"{self.results.experiment} reports {what} {name!r} twice")


def _latest(key: str, value: Any) -> dict[str, float | str]:
    """What the progress bar shows of a cell."""
    numbers = value if isinstance(value, dict) else {key: value}
    return {
        name: float(number)
        for name, number in list(numbers.items())[:3]
        if isinstance(number, int | float) and not isinstance(number, bool)
    }
