"""Every public function of a method lowers for CPU, CUDA and TPU, without the hardware.

Each room keeps, in ``tests/<room>/examples.py``, ``EXAMPLES``: arguments for every public function
under its qualified name; for a factory, the function it makes and arguments for that. What computes
nothing with arrays is named in ``HOST_SIDE`` there, with the reason.
"""

import contextlib
import functools
import importlib
import inspect
import pkgutil

import jax
import pytest
from jax import export

import jaxlab

PLATFORMS = ("cpu", "cuda", "tpu")
KERNELS = [export.DisabledSafetyCheck.custom_call("__gpu$xla.gpu.triton")]
JITTED = type(jax.jit(lambda: None))
OUTSIDE = {"runner", "experiments", "data", "training"}  # training steps: tests/training


def rooms() -> list[str]:
    packages = [module.name for module in pkgutil.iter_modules(jaxlab.__path__) if module.ispkg]
    return [name for name in packages if name not in OUTSIDE and not name.startswith("_")]


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
            if isinstance(value, JITTED) or inspect.isfunction(value):
                inner = inspect.unwrap(value)
                found[f"{inner.__module__}.{inner.__qualname__}"] = value
    return found


def registry(room: str):
    return importlib.import_module(f"tests.{room}.examples")


def cases():
    for room in rooms():
        for name, function in sorted(entry_points(room).items()):
            if name not in registry(room).HOST_SIDE:
                yield pytest.param(room, name, function, id=name)


def on_gpu():
    """A GPU to lower a kernel for: jax asks for the number of its cores."""
    gpu = jax.sharding.AbstractDevice(
        device_kind="NVIDIA H100 80GB HBM3", num_cores=132, platform="cuda"
    )
    mesh = jax.sharding.AbstractMesh((1,), ("x",), abstract_device=gpu)
    return jax.sharding.use_abstract_mesh(mesh)


@pytest.mark.parametrize(("room", "name", "function"), list(cases()))
def test_lowers_for_every_platform(room, name, function):
    examples = registry(room).EXAMPLES
    assert name in examples, f"{name} needs an Example in tests/{room}/examples*.py"
    example = examples[name]
    function = example.made or function
    args, kwargs = example.args, example.kwargs
    if not isinstance(function, JITTED):
        function, kwargs = jax.jit(functools.partial(function, **kwargs)), {}
    for platforms in [(one,) for one in PLATFORMS] if example.apart else [PLATFORMS]:
        exporter = export.export(function, platforms=platforms, disabled_checks=KERNELS)
        with on_gpu() if platforms == ("cuda",) else contextlib.nullcontext():
            exported = exporter(*args, **kwargs)
        assert exported.platforms == platforms


@pytest.mark.parametrize("room", rooms())
def test_no_example_is_left_over(room):
    known = registry(room)
    unknown = (set(known.EXAMPLES) | set(known.HOST_SIDE)) - set(entry_points(room))
    assert not unknown, f"tests/{room}/examples*.py names what is not public: {unknown}"
