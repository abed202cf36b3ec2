"""Every public function of a method lowers for CPU, CUDA and TPU, without the hardware.

``tests/entry_points.py`` says where the arguments come from.
"""

import contextlib

import jax
import pytest
from jax import export

from tests.entry_points import entry_points, registry, rooms, traceable

PLATFORMS = ("cpu", "cuda", "tpu")
KERNELS = [export.DisabledSafetyCheck.custom_call("__gpu$xla.gpu.triton")]


def cases():
    for room in rooms():
        for name, function in sorted(entry_points(room).items()):
            if name not in registry(room).host_side:
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
    examples = registry(room).examples
    assert name in examples, f"{name} needs an Example in tests/{room}/examples*.py"
    function, args, kwargs = traceable(function, examples[name])
    for platforms in [(one,) for one in PLATFORMS] if examples[name].apart else [PLATFORMS]:
        exporter = export.export(function, platforms=platforms, disabled_checks=KERNELS)
        with on_gpu() if platforms == ("cuda",) else contextlib.nullcontext():
            exported = exporter(*args, **kwargs)
        assert exported.platforms == platforms


@pytest.mark.parametrize("room", rooms())
def test_no_example_is_left_over(room):
    known = registry(room)
    unknown = (set(known.examples) | set(known.host_side)) - set(entry_points(room))
    assert not unknown, f"tests/{room}/examples*.py names what is not public: {unknown}"
