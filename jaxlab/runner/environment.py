"""What a run ran on: versions, devices and the state of the source, without names or paths."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import jaxlab

__all__ = ["describe_environment", "git_state"]

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "scipy", "scikit-learn")


def describe_environment(seed: int | None) -> dict[str, Any]:
    """Content of ``environment.json``, but for the times."""
    import jax

    devices = jax.devices()
    return {
        "jaxlab": jaxlab.__version__,
        "python": platform.python_version(),
        # asked of the installed distributions: importing them all would cost seconds
        "packages": {name: _version(name) for name in _PACKAGES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "device": {
            "platform": devices[0].platform,
            "kind": devices[0].device_kind,
            "count": len(devices),
            "processes": jax.process_count(),
        },
        "x64": bool(jax.numpy.result_type(float) == jax.numpy.float64),
        "git": git_state(Path(jaxlab.__file__).parent.parent),
        "seed": seed,
    }


def git_state(root: Path) -> dict[str, Any] | None:
    """Revision of the repository at ``root`` and whether it has uncommitted changes.

    None when ``root`` is not itself a repository: an installed copy may lie inside a foreign one.
    """
    try:
        top = _git(root, "rev-parse", "--show-toplevel")
        if Path(top).resolve() != root.resolve():
            return None
        changes = _git(root, "status", "--porcelain", "--untracked-files=no")
        return {"revision": _git(root, "rev-parse", "HEAD"), "dirty": bool(changes)}
    except (OSError, subprocess.SubprocessError):
        return None


def _git(root: Path, *command: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *command], capture_output=True, text=True, check=True, timeout=20
    )
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
