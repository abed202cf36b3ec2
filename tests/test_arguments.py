"""What every public function of a method does with flags, PRNG keys and arrays of NumPy."""

import contextlib
import inspect

import jax
import numpy as np
import pytest

from tests.entry_points import entry_points, examples, registry, rooms
from tests.helpers import is_array


def flags_and_keys():
    """Every flag and required key.

    Functions that have no example arguments of their own (files to read, networks to hand over)
    are called with a key at most: there the flags and keys are looked at before anything else.
    """
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
@pytest.mark.parametrize(("function", "given", "argument", "bad"), list(flags_and_keys()))
def test_is_refused_by_name(function, given, argument, bad):
    expected = "one typed PRNG key" if argument == "key" else "True or False"
    with pytest.raises(ValueError, match=f"^{argument}: expected {expected}"):
        function(**given | {argument: bad})


def of_numpy(leaf):
    """An array of the same shape and dtype; keys, which NumPy does not know, stay jax's."""
    if not is_array(leaf):
        return leaf
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.split(jax.random.key(0), leaf.shape)
    if isinstance(leaf, jax.ShapeDtypeStruct):
        return np.ones(leaf.shape, leaf.dtype)
    return np.asarray(leaf)


@pytest.mark.slow
@pytest.mark.usefixtures("bad_input")
@pytest.mark.parametrize(
    ("function", "example"),
    [
        pytest.param(example.made or function, example, id=name)
        for name, function, example in examples()
    ],
)
def test_one_array_is_traced_and_the_others_are_of_numpy(function, example):
    """As under ``vmap`` over keys, or ``jit`` of one argument, with data that the call closes over.

    Ones are not what every function accepts: it may refuse them.
    """
    leaves, structure = jax.tree.flatten((example.args, example.kwargs))
    leaves = [of_numpy(leaf) for leaf in leaves]

    def call(at, array):
        args, kwargs = jax.tree.unflatten(structure, [*leaves[:at], array, *leaves[at + 1 :]])
        return jax.tree.map(jax.numpy.asarray, function(*args, **kwargs))

    for at, leaf in enumerate(leaves):
        if is_array(leaf):
            with contextlib.suppress(ValueError):
                jax.eval_shape(lambda array, at=at: call(at, array), leaf)
