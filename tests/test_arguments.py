"""Flags and required PRNG keys of every public function of a method are refused by their name.

Functions that have no example arguments of their own (files to read, networks to hand over) are
called with a key at most: there the flags and keys are looked at before anything else.
"""

import inspect

import jax
import pytest

from tests.entry_points import entry_points, registry, rooms


def cases():
    for room in rooms():
        for name, function in sorted(entry_points(room).items()):
            signature = inspect.signature(function)
            example = registry(room).examples.get(name)
            if example is None or example.made is not None:
                required = (p for p in signature.parameters.values() if p.default is p.empty)
                given = {p.name: jax.random.key(0) if p.name == "key" else None for p in required}
            else:
                given = signature.bind(*example.args, **example.kwargs).arguments
            for argument, parameter in signature.parameters.items():
                case = f"{name}-{argument}"
                if parameter.annotation is bool:
                    yield pytest.param(function, given, argument, "no", id=case)
                elif argument == "key" and parameter.default is parameter.empty:
                    yield pytest.param(function, given, argument, 0, id=case)


@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize(("function", "given", "argument", "bad"), list(cases()))
def test_is_refused_by_name(function, given, argument, bad):
    expected = "one typed PRNG key" if argument == "key" else "True or False"
    with pytest.raises(ValueError, match=f"^{argument}: expected {expected}"):
        function(**given | {argument: bad})
