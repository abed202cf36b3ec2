"""What is left when a run is killed, interrupted, or its disk fills, in processes of their own."""

import json
import signal
import time

import pytest

NAME = "toy-room-growth"
SLOW = ("--set", "cells=12 pause=0.15")


def wait_for_cells(folder, count, process):
    """The run directory, once ``count`` cells are on the disk."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for path in (folder / "runs" / NAME).glob("*/metrics.jsonl"):
            if path.read_bytes().count(b"\n") >= count:
                return path.parent
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError("no cell was finished within a minute")


def status(path):
    return json.loads((path / "results.json").read_text())["status"]


@pytest.fixture
def whole(start, tmp_path):
    """``results.json`` of a run that nothing disturbed, and the folder it is in."""
    process = start("run", NAME, "--runs-dir", "whole", *SLOW)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    (path,) = (tmp_path / "whole" / NAME).iterdir()
    return (path / "results.json").read_bytes()


def test_a_killed_run_is_marked_and_resumes_to_the_same_results(start, tmp_path, whole):
    process = start("run", NAME, *SLOW)
    path = wait_for_cells(tmp_path, 3, process)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    assert status(path) == "unfinished"
    assert "**This run is not finished" in (path / "report.md").read_text()
    done = (path / "metrics.jsonl").read_bytes().count(b"\n")
    with open(path / "metrics.jsonl", "ab") as file:
        file.write(b'{"key": "index=9", "val')
    (path / "computed.txt").unlink()
    process = start("run", NAME, "--resume", "latest")
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert (path / "results.json").read_bytes() == whole
    assert (path / "computed.txt").read_text().split() == [str(i) for i in range(done, 12)]
    assert "report.md" in output


def test_ctrl_c_says_how_to_resume(start, tmp_path, whole):
    process = start("run", NAME, *SLOW)
    path = wait_for_cells(tmp_path, 2, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert f"run {NAME} --resume {path.relative_to(tmp_path)}" in errors
    assert status(path) == "interrupted"
    assert "**This run was interrupted." in (path / "report.md").read_text()
    (command,) = [line for line in errors.splitlines() if line.startswith("  python -m")]
    process = start(*command.split()[3:-2])  # without the interpreter, and --configs at the end
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert (path / "results.json").read_bytes() == whole


def test_a_disk_that_fills_ends_in_one_clear_line(start, tmp_path):
    earlier = start("run", NAME, "--preset", "smoke")
    earlier.communicate(timeout=120)
    (kept,) = (tmp_path / "runs" / NAME).iterdir()
    before = {file: file.read_bytes() for file in kept.rglob("*") if file.is_file()}

    process = start("run", NAME, "--set", "cells=200", file_limit=4)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert "the disk is full" in errors
    assert "earlier runs are untouched" in errors
    assert {file: file.read_bytes() for file in before} == before
    (broken,) = [path for path in (tmp_path / "runs" / NAME).iterdir() if path != kept]
    assert status(broken) == "failed"


def test_runs_started_together_do_not_meet(start, tmp_path):
    processes = [start("run", NAME, "--preset", "smoke") for _ in range(3)]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert len(list((tmp_path / "runs" / NAME).iterdir())) == 3


def test_without_a_terminal_the_output_is_plain_lines(start):
    process = start("run", NAME)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0
    for text in (output, errors):
        assert "\x1b" not in text
        assert "\r" not in text
    lines = output.splitlines()
    assert lines[0].startswith(f"{NAME} · preset default · runs/")
    assert lines[1].split(maxsplit=1) == ["holds", "The value grows with the index (Figure 1)"]
    assert lines[-1].endswith("/report.md")
