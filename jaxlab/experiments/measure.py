"""Wall clock, compilation and temporary memory of calls, and how far results differ."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

__all__ = [
    "Compiled",
    "at_least",
    "compile_call",
    "interleaved_seconds",
    "max_relative_difference",
    "mebibytes",
    "median_seconds",
    "shape_structs",
]


class Compiled(NamedTuple):
    """A compiled call.

    Attributes:
        call: takes the arguments it was compiled for.
        seconds: time of tracing and compiling it; a call found in jax's compilation cache is fast.
        temporary_bytes: XLA's account of the temporary memory of one call; None where it keeps
            none.
    """

    call: Callable[..., Any]
    seconds: float
    temporary_bytes: int | None


def compile_call(function: Callable[..., Any], *arguments: Any) -> Compiled:
    """Compile ``jit(function)`` for arguments of these shapes.

    Args:
        function: a function of arrays.
        *arguments: arrays, or ``jax.ShapeDtypeStruct`` in their place.

    Example:
        >>> compiled = compile_call(lambda x: x @ x, jax.numpy.eye(3))
        >>> compiled.call(jax.numpy.eye(3)).shape
        (3, 3)
    """
    began = time.perf_counter()
    compiled = jax.jit(function).lower(*arguments).compile()
    seconds = time.perf_counter() - began
    memory = compiled.memory_analysis()
    return Compiled(compiled, seconds, None if memory is None else int(memory.temp_size_in_bytes))


def median_seconds(call: Callable[..., Any], *arguments: Any, repeats: int) -> float:
    """Median wall time of ``call(*arguments)`` over ``repeats`` calls, after one warm-up."""
    return interleaved_seconds({"call": call}, *arguments, repeats=repeats)["call"]


def interleaved_seconds(
    calls: Mapping[Any, Callable[..., Any]], *arguments: Any, repeats: int
) -> dict[Any, float]:
    """:func:`median_seconds` of several calls, which take turns: a passing load meets all alike."""
    for call in calls.values():
        jax.block_until_ready(call(*arguments))
    times: dict[Any, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            began = time.perf_counter()
            jax.block_until_ready(call(*arguments))
            times[name].append(time.perf_counter() - began)
    return {name: float(np.median(values)) for name, values in times.items()}


def at_least(ratio: int | float) -> str:
    """The next lower of 1, 2, 5, 10, … in words: a ratio of times that repeats.

    A ratio that is not finite is one of times that could not be measured.

    Example:
        >>> at_least(347.0), at_least(1.3), at_least(0.4), at_least(math.nan)
        ('at least 200×', 'at least 1×', 'less than 1×', 'not measurable')
    """
    if not math.isfinite(ratio):
        return "not measurable"
    if ratio < 1:
        return "less than 1×"
    step, found = 1, 1
    while step <= ratio:
        found = max(factor * step for factor in (1, 2, 5) if factor * step <= ratio)
        step *= 10
    return f"at least {found}×"


def max_relative_difference(kernels: Mapping[Any, Array], reference: Any) -> dict[Any, float]:
    """Largest difference of every kernel from ``reference``, over the reference's largest entry.

    A kernel with an entry that is not finite has difference infinity, as any but zeros has from a
    reference of zeros.

    Example:
        >>> kernels = {"a": jax.numpy.ones(2), "b": jax.numpy.array([1.0, 1.5])}
        >>> max_relative_difference(kernels, "a")
        {'b': 0.5}
    """
    exact = np.asarray(kernels[reference], np.float64)
    scale = np.abs(exact).max()
    found = {}
    for name, kernel in kernels.items():
        if name != reference:
            difference = np.abs(np.asarray(kernel, np.float64) - exact).max()
            if difference != 0:
                finite = scale > 0 and math.isfinite(difference)
                difference = difference / scale if finite else math.inf
            found[name] = float(difference)
    return found


def mebibytes(count: int | None) -> float | None:
    """Bytes as MiB to three digits."""
    return None if count is None else float(f"{count / 2**20:.3g}")


def shape_structs(tree: Any) -> Any:
    """The arrays of ``tree`` as ``jax.ShapeDtypeStruct``."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), tree)
