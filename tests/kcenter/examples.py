"""Example arguments of the room's public functions, gathered from its parts."""

import importlib
import pkgutil
from pathlib import Path

from tests.helpers import Example

EXAMPLES: dict[str, Example] = {}
HOST_SIDE: dict[str, str] = {}
for _info in pkgutil.iter_modules([str(Path(__file__).parent)]):
    if _info.name.startswith("examples_"):
        _part = importlib.import_module(f"tests.kcenter.{_info.name}")
        EXAMPLES |= getattr(_part, "EXAMPLES", {})
        HOST_SIDE |= getattr(_part, "HOST_SIDE", {})
