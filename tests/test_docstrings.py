"""Every public function of a method shows a use of itself, which pytest runs as a doctest."""

import inspect

import pytest

from tests.entry_points import entry_points, rooms


@pytest.mark.parametrize("room", rooms())
def test_every_public_function_has_an_example(room):
    functions = entry_points(room)
    silent = [name for name, function in functions.items() if ">>> " not in str(function.__doc__)]
    assert not silent


@pytest.mark.parametrize("room", rooms())
def test_every_public_function_tells_what_it_takes_and_returns(room):
    for name, function in entry_points(room).items():
        described = str(function.__doc__)
        for argument in inspect.signature(function).parameters:
            assert argument in described, f"{name} does not tell what {argument} is"
