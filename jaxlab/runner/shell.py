"""What a user in a shell reads and types: paths, and the name of this program."""

import contextlib
import os
import shutil
import sys
from pathlib import Path

__all__ = ["program", "relative"]


def relative(path: Path) -> str:
    """``path`` as a user in the current directory would write it."""
    with contextlib.suppress(ValueError):
        return str(path.resolve().relative_to(Path.cwd().resolve()))
    return str(path)


def program() -> list[str]:
    """How the user called this program, so that a printed command can be pasted."""
    called = Path(sys.argv[0])
    if called.name != "jaxlab":
        return ["python", "-m", "jaxlab.runner"]
    on_path = shutil.which("jaxlab")
    same = on_path is not None and os.path.realpath(on_path) == os.path.realpath(called)
    return ["jaxlab"] if same else [relative(called)]
