"""The command line: read a config, run its experiment, report it against the paper.

``jaxlab list | show | run | report``. Each file does one thing: :mod:`registry` finds configs,
:mod:`settings` checks their values, :mod:`request` puts both together, :mod:`store` keeps run
directories, :mod:`reporter` collects what an experiment reports, :mod:`execute` runs one from start
to end, :mod:`report` writes its ``report.md``; :mod:`gather` finds the newest runs, which
:mod:`scoreboard` and :mod:`page` show. What a user in a shell reads and types is in :mod:`shell`.

From Python, :func:`run` does what ``jaxlab run`` does and :func:`resolve` what its ``--dry-run``
does.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxlab.runner.execute import run
    from jaxlab.runner.registry import UsageError
    from jaxlab.runner.request import resolve

__all__ = ["UsageError", "resolve", "run"]

_HOME = {"UsageError": "registry", "resolve": "request", "run": "execute"}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"jaxlab.runner.{_HOME[name]}"), name)
    raise AttributeError(f"module 'jaxlab.runner' has no attribute {name!r}")
