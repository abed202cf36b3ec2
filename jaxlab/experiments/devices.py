"""Calls on several devices from a process that may have one.

A laptop has one device: :func:`on_devices` then starts a second process, where the CPU poses as
several.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

__all__ = ["on_devices"]


def on_devices(compare: Callable[..., Any], devices: int, **arguments: Any) -> Any:
    """``compare(devices=devices, **arguments)``, here or in a process that is given the devices.

    Args:
        compare: a function of a module, by name, that takes and returns JSON values.
        devices: how many it needs.
        **arguments: its other arguments.

    Raises:
        RuntimeError: the other process failed; with what it said.
    """
    if jax.device_count() >= devices:
        return compare(devices=devices, **arguments)
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    search = os.pathsep.join(path for path in sys.path if path)
    virtual = {"XLA_FLAGS": flags.strip(), "JAX_PLATFORMS": "cpu", "PYTHONPATH": search}
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        question = json.dumps({"devices": devices, **arguments})
        which = [compare.__module__, compare.__name__]
        finished = subprocess.run(
            [sys.executable, "-m", __name__, *which, question, str(answer)],
            env=os.environ | virtual,
            capture_output=True,
            text=True,
            check=False,
        )
        if finished.returncode != 0:
            raise RuntimeError(f"the process with {devices} devices failed:\n{finished.stderr}")
        return json.loads(answer.read_text())


if __name__ == "__main__":
    module, name, question, answer = sys.argv[1:]
    compare = getattr(importlib.import_module(module), name)
    Path(answer).write_text(json.dumps(compare(**json.loads(question))))
