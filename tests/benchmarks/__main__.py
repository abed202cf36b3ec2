"""Run the benchmarks and print the table of ratios: ``python -m tests.benchmarks``.

Every ``tests/benchmarks/bench_<room>.py`` runs in this one process, outside the settings of the
test suite: no xdist, no runtime shape checks, one device, no compilation cache. The convention
that cases follow is in ``tests/benchmarks/timing.py``. The table goes to the terminal and to
``.benchmarks/latest.md`` and ``.json``; ``--save FILE`` writes the Markdown to FILE as well, which
is how ``tests/benchmarks/<room>.md``, the tables that README quotes, are renewed:

    make bench
    .venv/bin/python -m tests.benchmarks -k hopfield --save tests/benchmarks/hopfield.md
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import pytest

from tests.benchmarks.table import environment, markdown, rows_of

HERE = Path(__file__).resolve().parent
LATEST = HERE.parent.parent / ".benchmarks"


class Skips:
    """Pytest plugin that remembers what was skipped, and why."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._remember(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._remember(report)

    def _remember(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            file, _, case = report.nodeid.partition("::")
            name = "::".join(filter(None, (file.rsplit("/", 1)[-1], case)))
            self.lines.append(f"{name}: {str(reason).removeprefix('Skipped: ')}")


def run(expression: str) -> tuple[int, list[dict], list[str]]:
    """Run the cases matching ``expression``: pytest's exit code, the records, the skips."""
    skips = Skips()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "benchmark.json"
        options = ["--noconftest", "--override-ini=addopts=", "--import-mode=importlib"]
        options += ["--override-ini=python_files=bench_*.py", "-p", "no:xdist"]
        options += ["-p", "no:cacheprovider", "--benchmark-disable-gc", "--benchmark-quiet"]
        options += ["-q", f"--benchmark-json={output}", "-k", expression, str(HERE)]
        code = pytest.main(options, plugins=[skips])
        text = output.read_text() if output.exists() else ""
    return int(code), json.loads(text)["benchmarks"] if text else [], skips.lines


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("-k", dest="expression", default="", help="pytest expression of cases")
    parser.add_argument("--save", type=Path, help="also write the Markdown table to this file")
    arguments = parser.parse_args()
    os.environ.setdefault("JAX_ENABLE_COMPILATION_CACHE", "false")
    code, records, skipped = run(arguments.expression)
    if not records:
        print("no case was measured", file=sys.stderr)
        return code or 1
    rows = rows_of(records)
    machine = environment(row.package for row in rows if row.package)
    text = markdown(rows, machine, skipped)
    print(text)
    result = {"environment": machine, "rows": [row._asdict() for row in rows], "skipped": skipped}
    LATEST.mkdir(exist_ok=True)
    (LATEST / "latest.json").write_text(json.dumps(result, indent=2) + "\n")
    targets = [LATEST / "latest.md"]
    if arguments.save and code == 0:
        targets.append(arguments.save)
    elif arguments.save:
        print(f"a case failed: {arguments.save} is left as it was", file=sys.stderr)
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        print(f"saved {os.path.relpath(target)}")
    return code


if __name__ == "__main__":
    sys.exit(main())
