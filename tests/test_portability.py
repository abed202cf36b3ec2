"""Every public jitted entry point lowers for CPU, CUDA and TPU, without the hardware."""

import importlib
import inspect
import pkgutil

import jax
import pytest
from jax import export

import jaxlab

PLATFORMS = ("cpu", "cuda", "tpu")
JITTED = type(jax.jit(lambda: None))
OUTSIDE = {"runner", "experiments", "data", "checks", "progress"}  # the host's side of the house


def rooms() -> list[str]:
    names = [module.name for module in pkgutil.iter_modules(jaxlab.__path__)]
    return [name for name in names if name not in OUTSIDE and not name.startswith("_")]


def public_modules(room: str):
    package = importlib.import_module(f"jaxlab.{room}")
    yield package
    for info in pkgutil.walk_packages(package.__path__, f"jaxlab.{room}."):
        if not info.name.rsplit(".", 1)[-1].startswith("_"):
            yield importlib.import_module(info.name)


def entry_points(room: str) -> dict[str, object]:
    found = {}
    for module in public_modules(room):
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if isinstance(value, JITTED):
                inner = inspect.unwrap(value)
                found[f"{inner.__module__}.{inner.__qualname__}"] = value
    return found


def cases():
    for room in rooms():
        for name, function in sorted(entry_points(room).items()):
            yield pytest.param(room, name, function, id=name)


def examples(room: str) -> dict:
    return importlib.import_module(f"tests.{room}.examples").EXAMPLES


@pytest.mark.parametrize(("room", "name", "function"), cases())
def test_lowers_for_every_platform(room, name, function):
    registry = examples(room)
    assert name in registry, f"{name} needs an Example in tests/{room}/examples.py"
    example = registry[name]
    exported = export.export(function, platforms=PLATFORMS)(*example.args, **example.kwargs)
    assert set(exported.platforms) == set(PLATFORMS)


@pytest.mark.parametrize("room", rooms())
def test_no_example_is_left_over(room):
    if entry_points(room):
        unknown = set(examples(room)) - set(entry_points(room))
        assert not unknown, (
            f"tests/{room}/examples.py has examples of what is not public: {unknown}"
        )
