"""The public functions of every room, with arguments to lower or compile them with.

Each room keeps, in ``tests/<room>/examples.py``, ``EXAMPLES``: arguments for every public function
under its qualified name; for a factory, the function it makes and arguments for that. What computes
nothing with arrays is named in ``HOST_SIDE`` there, with the reason.
"""

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from typing import Any

import jax

import jaxlab

__all__ = ["entry_points", "registry", "rooms", "traceable"]

JITTED = type(jax.jit(lambda: None))
OUTSIDE = {"runner", "experiments", "data", "training"}  # training steps: tests/training


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


def registry(room: str) -> Any:
    """The module with the room's ``EXAMPLES`` and ``HOST_SIDE``."""
    return importlib.import_module(f"tests.{room}.examples")


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
