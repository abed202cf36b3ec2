"""Every public function shows a use of itself, which pytest runs as a doctest."""

import importlib
import inspect
import re

import pytest

from tests.entry_points import entry_points, rooms


@pytest.mark.parametrize("package", ["data", "runner", "training"])
def test_every_function_of_a_front_door_has_an_example(package):
    door = importlib.import_module(f"jaxlab.{package}")
    functions = {name: getattr(door, name) for name in door.__all__}
    silent = [
        name
        for name, function in functions.items()
        if inspect.isfunction(function) and ">>> " not in str(function.__doc__)
    ]
    assert not silent


@pytest.mark.parametrize("room", rooms())
def test_every_public_function_has_an_example(room):
    functions = entry_points(room)
    silent = [name for name, function in functions.items() if ">>> " not in str(function.__doc__)]
    assert not silent


@pytest.mark.parametrize("room", rooms())
def test_every_public_function_tells_what_it_takes_and_returns(room):
    silent = []
    for name, function in entry_points(room).items():
        described, signature = inspect.getdoc(function) or "", inspect.signature(function)
        words = re.findall(r"\w+", described)
        silent += [
            f"{name}: {argument}" for argument in signature.parameters if argument not in words
        ]
        if signature.return_annotation is not None and not re.search(
            r"^(Returns|Yields):$", described, flags=re.M
        ):
            silent.append(f"{name}: what it returns")
    assert not silent
