"""Progress of long work: a bar where someone watches, plain lines where nobody does.

On a terminal, one live line shows the count, the rate, the time left and the latest values; where
it is too narrow for all, the title and the latest values are cut short. When the output is a file
or a pipe, a plain line is written at most every ``interval`` seconds, and one at the end unless
none was due before.
"""

import io
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.table import Column
from rich.text import Text

__all__ = ["Progress"]


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.3g}/s" if task.speed else "-/s")


class _Yielding(TextColumn):
    """Text that is cut short where the line is too narrow."""

    def __init__(self, text_format: str):
        # a column that may wrap is one that rich takes room from before it touches the others
        super().__init__(text_format, markup=False, table_column=Column())

    def render(self, task: Task) -> Text:
        text = super().render(task)
        text.no_wrap, text.overflow = True, "ellipsis"
        return text


class Progress:
    """Counts up to ``total`` under a ``title``; use it as a context manager.

    Args:
        title: what is being done.
        total: number of units of work.
        initial: units already done, for resumed work.
        stream: where to write; default standard error.
        interval: seconds between plain lines.

    Example:
        >>> stream = io.StringIO()
        >>> with Progress("fit", total=1, stream=stream, interval=0.0) as progress:
        ...     progress.advance(latest={"loss": 0.25})
        >>> print(stream.getvalue().splitlines()[0])  # doctest: +ELLIPSIS
        fit 1/1 (100%), .../s, ... left, loss=0.25
    """

    def __init__(
        self,
        title: str,
        total: int,
        *,
        initial: int = 0,
        stream: TextIO | io.TextIOBase | None = None,
        interval: float = 10.0,
    ):
        self._title, self._total, self._done, self._initial = title, total, initial, initial
        self._stream = sys.stderr if stream is None else stream
        self._interval = interval
        self._latest = ""
        self._written = initial
        self._started = self._last_line = time.monotonic()
        self._bar: RichProgress | None = None
        if _is_terminal(self._stream):
            whole = Column(no_wrap=True)
            self._bar = RichProgress(
                _Yielding("{task.description}"),
                BarColumn(bar_width=10),
                MofNCompleteColumn(table_column=whole),
                _Rate(table_column=whole),
                TimeElapsedColumn(table_column=whole),
                TextColumn("left", table_column=whole),
                TimeRemainingColumn(table_column=whole),
                _Yielding("{task.fields[latest]}"),
                console=Console(file=self._stream),  # type: ignore[arg-type]
                # what is printed to a file or a pipe meanwhile is to arrive there
                redirect_stdout=_is_terminal(sys.stdout),
                redirect_stderr=_is_terminal(sys.stderr),
            )
            self._task = self._bar.add_task(title, total=total, completed=initial, latest="")

    def __enter__(self) -> "Progress":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self._done > self._written and self._last_line != self._started:
            # the closing line, unless no line was due before: short work stays quiet
            self._write_line()

    def advance(self, units: int = 1, *, latest: Mapping[str, float | str] | None = None) -> None:
        """Count ``units`` more as done and show the ``latest`` values beside the count."""
        self._done += units
        if latest is not None:
            self._latest = ", ".join(f"{name}={_short(value)}" for name, value in latest.items())
        if self._bar is not None:
            self._bar.update(self._task, advance=units, latest=self._latest)
        elif time.monotonic() - self._last_line >= self._interval:
            self._write_line()

    def message(self, text: str) -> None:
        """Write one line without disturbing the bar."""
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=self._stream, flush=True)

    def _write_line(self) -> None:
        now = time.monotonic()
        rate = (self._done - self._initial) / max(now - self._started, 1e-9)
        left = (self._total - self._done) / rate if rate > 0 else float("inf")
        percent = 100 * self._done / max(self._total, 1)
        line = f"{self._title} {self._done}/{self._total} ({percent:.0f}%), {rate:.3g}/s, "
        line += f"{_duration(left)} left" + (f", {self._latest}" if self._latest else "")
        print(line, file=self._stream, flush=True)
        self._last_line, self._written = now, self._done


def _is_terminal(stream: Any) -> bool:
    """Of whatever stands in for ``sys.stdout``: None, closed, or only able to write, too."""
    closed = getattr(stream, "closed", False)
    return hasattr(stream, "isatty") and not closed and bool(stream.isatty())


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def _duration(seconds: float) -> str:
    if seconds == float("inf"):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
