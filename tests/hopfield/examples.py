"""Example arguments of the room's public jitted entry points, gathered from its parts."""

import importlib
import pkgutil
from pathlib import Path

from tests.helpers import Example

EXAMPLES: dict[str, Example] = {}
for _info in pkgutil.iter_modules([str(Path(__file__).parent)]):
    if _info.name.startswith("examples_"):
        EXAMPLES |= importlib.import_module(f"tests.hopfield.{_info.name}").EXAMPLES
