"""The toy experiment, in this process and in others."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TOY = Path(__file__).resolve().parent / "toy"
NAME = "toy-room-growth"


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """Keyword arguments with which ``jaxlab.runner.run`` finds the toy and writes to a scratch."""
    monkeypatch.syspath_prepend(str(TOY))
    monkeypatch.chdir(tmp_path)
    return {"configs": TOY / "configs", "runs": tmp_path / "runs"}


@pytest.fixture
def start(tmp_path):
    """Start ``jaxlab`` as a process of its own, in a scratch directory."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{TOY}", "XLA_FLAGS": ""}
    processes = []

    def begin(*arguments, file_limit=None):
        command = [sys.executable, "-m", "jaxlab.runner", *arguments]
        if arguments[0] in ("run", "list", "show", "report"):
            command += ["--configs", str(TOY / "configs")]
        if file_limit is not None:  # in KiB; the kernel then refuses to let a file grow further
            command = ["bash", "-c", f'ulimit -f {file_limit} && exec "$@"', "bash", *command]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()
