"""What the tests of several functions of the room check alike."""

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import AxisType, PartitionSpec

__all__ = ["SPLIT", "WHOLE", "assert_precision_reaches_every_product", "jit", "sharded"]

# The programs are tiny and run once: most of their time is the compiler's.
jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})

SPLIT, WHOLE = PartitionSpec("data"), PartitionSpec()


def assert_precision_reaches_every_product(
    make: Callable[[str | None], Callable[..., Any]], *args: Any
) -> None:
    """Every product of ``make(precision)`` has that precision, and None leaves what is outside."""

    def precisions(precision):
        text = jax.jit(make(precision)).lower(*args).as_text()
        return ["HIGHEST" in line for line in text.splitlines() if "stablehlo.dot_general" in line]

    assert len(precisions("highest")) > 1
    assert all(precisions("highest"))
    with jax.default_matmul_precision(None):
        assert not any(precisions(None))
    with jax.default_matmul_precision("highest"):
        assert all(precisions(None))


def sharded(
    function: Callable[..., Any], *in_specs: PartitionSpec, check_vma: bool
) -> Callable[..., Any]:
    """``function`` on eight devices, rows of its result split over them."""
    devices = jax.devices("cpu")[:8]
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,), devices=devices)
    return jax.jit(
        jax.shard_map(function, mesh=mesh, in_specs=in_specs, out_specs=SPLIT, check_vma=check_vma)
    )
