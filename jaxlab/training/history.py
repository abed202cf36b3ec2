"""The metrics of a run as JSON lines, without a line twice after a resume.

One line is one record: ``{"step": 20, "loss": 0.25, ...}``. Numbers that JSON does not know are
written as the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``, which ``float()`` reads.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["Record", "append_record", "read_history", "rewind_history"]

Record = dict[str, int | float]
_BEGIN = '{"step": '  # of every line


def read_history(path: str | os.PathLike[str]) -> list[Record]:
    """The records in the file at ``path``; none if there is no file.

    A last record that was cut off in the middle of writing is left out.

    Raises:
        ValueError: if a line is something else, naming it.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     append_record(f"{folder}/history.jsonl", {"step": 1, "loss": 0.5})
        ...     read_history(f"{folder}/history.jsonl")
        [{'step': 1, 'loss': 0.5}]
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    lines = text.split("\n")
    records = []
    for number, line in enumerate(lines, start=1):
        if number == len(lines) and (_BEGIN.startswith(line) or line.startswith(_BEGIN)):
            break  # no newline follows
        try:
            values = json.loads(line)
            record: Record = {name: float(value) for name, value in values.items()}
            records.append({**record, "step": int(values["step"])})
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise ValueError(f"{path}, line {number}: not a record of metrics: {line!r}") from error
    return records


def rewind_history(path: str | os.PathLike[str], step: int) -> list[Record]:
    """Drop from the file what lies after ``step``, and return the records that stay.

    The run that resumes at ``step`` will make the later records again. The file is replaced as a
    whole, so a kill leaves either the old one or the new one. It and its folder are made if
    missing, so that what cannot be written is found now.
    """
    kept = [record for record in read_history(path) if record["step"] <= step]
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    partial.write_text("".join(map(_line, kept)), encoding="utf-8")
    partial.replace(target)
    return kept


def append_record(path: str | os.PathLike[str], record: Mapping[str, int | float]) -> None:
    """Add one line to the file at ``path``, made if missing, and hand it to the system at once."""
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(_line(record))


def _line(record: Mapping[str, int | float]) -> str:
    values = {"step": record["step"]} | {name: _plain(value) for name, value in record.items()}
    return json.dumps(values) + "\n"


def _plain(value: int | float) -> int | float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
