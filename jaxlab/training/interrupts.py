"""Stopping at a good moment: signals that set a flag instead of raising at once."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["StopRequest", "TrainingInterrupted", "stop_signals"]


_AT_ONCE: dict[signal.Signals, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}


class TrainingInterrupted(KeyboardInterrupt):
    """A run was stopped by a signal after its state had been saved.

    It is a ``KeyboardInterrupt``: a program that does not expect it stops, as Ctrl-C should.

    Attributes:
        step: the step after which the run stopped.
        checkpoint: where the state was saved.
    """

    def __init__(self, message: str, step: int, checkpoint: Path):
        super().__init__(message)
        self.step, self.checkpoint = step, checkpoint


class StopRequest:
    """Whether a signal asked to stop, and which.

    Attributes:
        signal: the signal's name, such as ``"SIGINT"``; ``None`` while nobody asked.
    """

    def __init__(self) -> None:
        self.signal: str | None = None


@contextlib.contextmanager
def stop_signals() -> Iterator[StopRequest]:
    """While inside, the first SIGINT (Ctrl-C) or SIGTERM sets a flag; a second one acts at once.

    Outside the main thread, where Python does not allow handlers, and for a signal whose handler
    was not set from Python or that is ignored, as Ctrl-C is by what a script runs in the
    background, nothing is changed.

    Example:
        >>> with stop_signals() as stop:
        ...     signal.raise_signal(signal.SIGINT)
        ...     stop.signal
        'SIGINT'
    """
    stop = StopRequest()
    previous: dict[signal.Signals, Any] = {}

    def request(number: int, frame: FrameType | None) -> None:
        stop.signal = signal.Signals(number).name
        for each in previous:
            signal.signal(each, _AT_ONCE[each])

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if (handler := signal.getsignal(number)) not in (None, signal.SIG_IGN):
                previous[number] = handler
                signal.signal(number, request)
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
