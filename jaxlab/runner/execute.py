"""One run from start to end, whatever the end is.

The run directory says ``unfinished`` from its first moment, so a kill needs no cleaning up.
``results.json`` is written last: what says ``finished`` is complete.
"""

import contextlib
import dataclasses
import datetime
import errno
import io
import shlex
import shutil
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from jaxlab.runner.environment import describe_environment
from jaxlab.runner.registry import UsageError
from jaxlab.runner.report import write_report
from jaxlab.runner.reporter import Results, RunReporter
from jaxlab.runner.request import Request, resolve, resolve_resumed
from jaxlab.runner.settings import dump_toml
from jaxlab.runner.shell import program, relative
from jaxlab.runner.store import (
    Metrics,
    create,
    find_resumable,
    read_json,
    write_atomic,
    write_json,
)

__all__ = ["Outcome", "run"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        path: its directory.
        results: what it reported, with its status.
        seconds: how long it took, cells of earlier sessions included.
        resume: the command line that goes on with it.
    """

    path: Path
    results: Results
    seconds: float
    resume: str


def run(
    name: str,
    *,
    preset: str | None = None,
    sets: Sequence[str] = (),
    configs: Path | None = None,
    runs: Path = Path("runs"),
    resume: str | None = None,
    announce: Callable[[str], None] = lambda line: None,
    stream: TextIO | io.TextIOBase | None = None,
    interval: float = 10.0,
) -> Outcome:
    """Run an experiment and leave a run directory behind.

    A failure of the experiment, a full disk and Ctrl-C are outcomes, not exceptions.

    Args:
        name: the experiment.
        preset: the preset; default ``"default"``, or the resumed run's.
        sets: values over the preset, each string ``"key=value key.sub=value"``.
        configs: folder of TOML files; default jaxlab's own.
        runs: where run directories are made.
        resume: run directory to go on with, or ``"latest"``.
        announce: is given one line saying what is run where.
        stream: where progress is shown; default standard error.
        interval: seconds between progress lines where nobody watches.

    Raises:
        UsageError: the request is refused; nothing was written.

    Example:
        >>> run("hopfield-similarity-capacity", preset="tiny")
        Traceback (most recent call last):
        ...
        jaxlab.runner.registry.UsageError: ...
    """
    if resume is None:
        request = resolve(name, preset or "default", sets, configs)
        path = _begin(request, runs)
    else:
        path = find_resumable(runs, name, resume, preset)
        request = resolve_resumed(path, name, preset, sets, configs)
    session = _Session(request, path, configs)
    # taken before anything is touched: a process still at work in this directory keeps it
    with Metrics(path / "metrics.jsonl") as metrics:
        announce(f"{name} · preset {request.preset} · {relative(path)}")
        reporter = RunReporter(session.results, path, metrics, stream=stream, interval=interval)
        return session.run(reporter)


class _Session:
    """One process's work in a run directory."""

    def __init__(self, request: Request, path: Path, configs: Path | None):
        self.request, self.path = request, path
        self.results = _results(request)
        self.config = dump_toml(request.values)
        self.environment: dict[str, Any] = {}
        command = [*program(), "run", request.entry.name]
        repeat = ["--preset", request.preset]
        repeat += ["--set", " ".join(request.overrides)] if request.overrides else []
        chosen = ["--configs", relative(configs)] if configs is not None else []
        self.resume = shlex.join([*command, "--resume", relative(path), *chosen])
        self.repeat = shlex.join([*command, *repeat, *chosen])

    def run(self, reporter: RunReporter) -> Outcome:
        began = time.monotonic()
        error: BaseException | None = None
        try:
            self._open()
            self.request.experiment.run(self.request.config, self.path, reporter)
            self.results.status = "finished"
        except KeyboardInterrupt:
            self.results.status = "interrupted"
        except Exception as caught:
            error = caught
        with _deaf_to_ctrl_c():
            reporter.close()
            seconds = time.monotonic() - began + reporter.seconds_read_back()
            if error is None:
                try:
                    self._write(seconds)
                except OSError as caught:
                    error = caught
            if error is not None:
                self._fail(error, seconds)
        return Outcome(self.path, self.results, seconds, self.resume)

    def _open(self) -> None:
        """Say that the run is at work, and where."""
        with contextlib.suppress(FileNotFoundError):
            (self.path / "traceback.txt").unlink()
        environment = describe_environment(getattr(self.request.config, "seed", None))
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")
        self.environment = {"started": now, **environment}
        with contextlib.suppress(OSError, ValueError):  # there is none yet, or a kill cut it short
            before = read_json(self.path / "environment.json")
            earlier = before.pop("earlier_sessions", [])
            self.environment["earlier_sessions"] = [*earlier, before]
        write_json(self.path / "environment.json", self.environment)
        self._write(None)

    def _write(self, seconds: float | None) -> None:
        """Write everything as it stands, ``results.json`` last."""
        if seconds is not None:
            timed = {name: t for name, t in self.results.tables.items() if t["timed"]}
            timings = {"seconds": seconds, "timings": self.results.timings, "tables": timed}
            write_json(self.path / "timings.json", timings)
        report = write_report(
            self.results,
            environment=self.environment,
            seconds=seconds,
            config=self.config,
            commands={"repeat": self.repeat, "resume": self.resume},
        )
        write_atomic(self.path / "report.md", report)
        write_json(self.path / "results.json", self.results.to_json())

    def _fail(self, error: BaseException, seconds: float) -> None:
        """Record a failure as far as the disk allows; without it, ``unfinished`` still stands."""
        self.results.status = "failed"
        self.results.error = _describe(error)
        trace = "".join(traceback.format_exception(error))
        with contextlib.suppress(OSError):
            write_atomic(self.path / "traceback.txt", trace)
        with contextlib.suppress(OSError):
            self._write(seconds)


def _begin(request: Request, runs: Path) -> Path:
    """A run directory that says what is run and that it is unfinished."""
    path = None
    try:
        path = create(runs, request.entry.name, request.preset, datetime.datetime.now())
        header = f"# {request.entry.name}, preset {request.preset}: the complete config\n\n"
        write_atomic(path / "config.toml", header + dump_toml(request.values))
        write_json(path / "results.json", _results(request).to_json())
    except OSError as error:
        if path is not None:  # it holds nothing yet; half a beginning would only be in the way
            shutil.rmtree(path, ignore_errors=True)
        raise UsageError(f"cannot make a run directory in {runs}: {error.strerror}") from error
    return path


def _results(request: Request) -> Results:
    return Results(
        experiment=request.entry.name,
        module=request.entry.module,
        summary=request.entry.summary,
        preset=request.preset,
        overrides=request.overrides,
        claims=request.experiment.CLAIMS,
    )


def _describe(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in _FULL:
        return f"the disk is full ({error.strerror}); earlier runs are untouched"
    return f"{type(error).__name__}: {error}"


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """An impatient second Ctrl-C must not cut short what the first one has to write."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
