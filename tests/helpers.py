"""What the tests of several rooms share."""

import dataclasses
import json
import tracemalloc
from collections.abc import Callable
from typing import Any
from unittest import mock

import jax
import numpy as np

__all__ = [
    "Example",
    "aligned_zeros",
    "finished",
    "is_array",
    "peak_bytes",
    "to_device",
    "verdicts_of",
]


@dataclasses.dataclass(frozen=True)
class Example:
    """Arguments with which a public function can be lowered.

    Attributes:
        args: positional arguments, traced.
        kwargs: keyword arguments, static unless the function is itself jitted.
        made: the function that is lowered, where the public name is a factory that makes it.
        apart: lower for one platform at a time, which a kernel with a form per platform needs.
    """

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = dataclasses.field(default_factory=dict)
    made: Callable[..., Any] | None = None
    apart: bool = False


def is_array(leaf: Any) -> bool:
    """Whether a leaf of an :class:`Example` is an array, or stands for one."""
    return isinstance(leaf, jax.Array | np.ndarray | jax.ShapeDtypeStruct)


def aligned_zeros(size: int, dtype: Any = np.float32) -> np.ndarray:
    """A buffer of NumPy that ``jax.device_put`` shares with a CPU device."""
    buffer = np.zeros(size * np.dtype(dtype).itemsize + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : buffer.size - 64 + start].view(dtype)


def to_device(values: Any, dtype: Any = None) -> jax.Array:
    """A device array of what NumPy makes of ``values``: without the program that jnp compiles."""
    return jax.device_put(np.asarray(values, dtype))


def peak_bytes(function: Callable[[], Any]) -> tuple[Any, int]:
    """Result of a function, and the most memory of Python and NumPy that it held at once."""
    function()  # what it imports does not count
    tracemalloc.start()
    try:
        return function(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def finished(outcome: Any) -> dict[str, Any]:
    """Results of a run of an experiment that ended well, with figures drawn and claims judged."""
    results = json.loads((outcome.path / "results.json").read_text())
    assert results["status"] == "finished", results["error"]
    for figure in results["figures"]:
        assert (outcome.path / "figures" / f"{figure}.png").stat().st_size > 5000
    assert all(claim["ours"] for claim in results["claims"])
    return results


def verdicts_of(reporter: mock.Mock) -> dict[str, bool | None]:
    """Whether claims hold, by claim, as a mock of a ``Reporter`` was told in words and in truth."""
    calls = reporter.verdict.call_args_list
    assert all(call.kwargs["ours"] for call in calls)
    return {call.args[0]: call.kwargs["holds"] for call in calls}
