"""Flags and required PRNG keys of every public function of a method are refused by their name."""

import inspect

import pytest

from tests.entry_points import entry_points, registry, rooms


def cases():
    for room in rooms():
        for name, function in sorted(entry_points(room).items()):
            example = registry(room).examples.get(name)
            if example is None or example.made is not None:
                continue
            for argument, parameter in inspect.signature(function).parameters.items():
                if parameter.annotation is bool:
                    yield pytest.param(function, example, argument, "no", id=f"{name}-{argument}")
                elif argument == "key" and parameter.default is parameter.empty:
                    yield pytest.param(function, example, argument, 0, id=f"{name}-{argument}")


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize(("function", "example", "argument", "bad"), list(cases()))
def test_is_refused_by_name(function, example, argument, bad):
    expected = "one typed PRNG key" if argument == "key" else "True or False"
    given = inspect.signature(function).bind(*example.args, **example.kwargs).arguments
    with pytest.raises(ValueError, match=f"^{argument}: expected {expected}"):
        function(**given | {argument: bad})
