"""The public functions of every room, with arguments to lower or compile them with.

Each room keeps, in its modules ``tests/<room>/examples*.py``, ``EXAMPLES``: arguments for every
public function under its qualified name; for a factory, the function it makes and arguments for
that. What computes nothing with arrays is named in ``HOST_SIDE`` there, with the reason.
"""

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax

import jaxlab
from tests.helpers import Example

__all__ = ["Registry", "entry_points", "examples", "registry", "rooms", "traceable"]

JITTED = type(jax.jit(lambda: None))
OUTSIDE = {"runner", "experiments", "data", "training"}  # training steps: tests/training


class Registry(NamedTuple):
    """What a room's examples say of its public functions, under their qualified names.

    Attributes:
        examples: arguments to lower a function with.
        host_side: why a function computes nothing with arrays.
    """

    examples: dict[str, Example]
    host_side: dict[str, str]


def rooms() -> list[str]:
    """The packages whose public functions are pure functions of arrays."""
    packages = [module.name for module in pkgutil.iter_modules(jaxlab.__path__) if module.ispkg]
    return [name for name in packages if name not in OUTSIDE and not name.startswith("_")]


def entry_points(room: str) -> dict[str, Callable[..., Any]]:
    """Every function in an ``__all__`` of the room, under the name of where it is defined."""
    found = {}
    for module in _public_modules(room):
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if isinstance(value, JITTED) or inspect.isfunction(value):
                inner = inspect.unwrap(value)
                found[f"{inner.__module__}.{inner.__qualname__}"] = value
    return found


@functools.cache
def registry(room: str) -> Registry:
    """The ``EXAMPLES`` and ``HOST_SIDE`` of all ``tests/<room>/examples*.py``."""
    gathered = Registry({}, {})
    for path in sorted((Path(__file__).parent / room).glob("examples*.py")):
        part = importlib.import_module(f"tests.{room}.{path.stem}")
        gathered.examples.update(getattr(part, "EXAMPLES", {}))
        gathered.host_side.update(getattr(part, "HOST_SIDE", {}))
    return gathered


def examples() -> Iterator[tuple[str, Callable[..., Any], Example]]:
    """Every public function that has an Example; tests/test_portability.py misses the others."""
    for room in rooms():
        for name, function in sorted(entry_points(room).items()):
            if (example := registry(room).examples.get(name)) is not None:
                yield name, function, example


def traceable(function: Callable[..., Any], example: Any) -> tuple[Any, tuple, dict]:
    """A jitted function, and arguments for its ``lower``, from a public one and its Example."""
    function = example.made or function
    if isinstance(function, JITTED):
        return function, example.args, example.kwargs
    return jax.jit(functools.partial(function, **example.kwargs)), example.args, {}


def _public_modules(room: str) -> Iterator[Any]:
    package = importlib.import_module(f"jaxlab.{room}")
    yield package
    for info in pkgutil.walk_packages(package.__path__, f"jaxlab.{room}."):
        if not info.name.rsplit(".", 1)[-1].startswith("_"):
            yield importlib.import_module(info.name)
