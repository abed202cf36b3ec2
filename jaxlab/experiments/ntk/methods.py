"""The three ways to compute one kernel: operations counted, calls compared and timed."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.measure import (
    Compiled,
    compile_call,
    interleaved_seconds,
    max_relative_difference,
    mebibytes,
    shape_structs,
)
from jaxlab.experiments.ntk.networks import Network, parameter_shapes
from jaxlab.ntk.cost import count_flops
from jaxlab.ntk.kernel import ntk_fn

__all__ = [
    "METHODS",
    "Method",
    "compare",
    "compile_methods",
    "jacobian_flops",
    "judge_agreement",
    "kernel_call",
    "kernel_flops",
    "looks",
    "report_cost",
    "time_methods",
]

Method = Literal["jacobian", "vector_products", "structured"]

METHODS: Mapping[Method, str] = {
    "jacobian": "Jacobian contraction",
    "vector_products": "NTK-vector products",
    "structured": "structured derivatives",
}


def kernel_call(network: Network, method: Method) -> Callable[[Any, Array, Array], Array]:
    """``(params, x1, x2) -> kernel [n, m, o, o]`` of independent examples, by one method."""
    kernel = ntk_fn(network.apply, vmap_axes=0, implementation=method)
    return lambda params, x1, x2: kernel(x1, x2, params)


def kernel_flops(network: Network, method: Method, shape: tuple[int, ...]) -> int:
    """Floating-point operations of the kernel of two batches of ``shape``; nothing is run."""
    batch = jax.ShapeDtypeStruct(shape, jnp.float32)
    return int(count_flops(kernel_call(network, method), parameter_shapes(network), batch, batch))


def jacobian_flops(network: Network, shape: tuple[int, ...]) -> int:
    """Floating-point operations of the Jacobians of two batches of ``shape``; nothing is run."""

    def of_one(params: Any, example: Array) -> Array:
        return network.apply(params, example[None])[0]

    jacobian = jax.vmap(jax.jacrev(of_one), in_axes=(None, 0))
    batch = jax.ShapeDtypeStruct(shape, jnp.float32)
    return 2 * int(count_flops(jacobian, parameter_shapes(network), batch))


def compile_methods(network: Network, params: Any, x1: Array, x2: Array) -> dict[Method, Compiled]:
    """The kernel of ``x1`` and ``x2`` compiled for every method."""
    arguments = shape_structs((params, x1, x2))
    return {method: compile_call(kernel_call(network, method), *arguments) for method in METHODS}


def compare(calls: Mapping[Method, Compiled], *arguments: Any) -> dict[str, Any]:
    """What is reproducible about compiled kernels.

    Returns:
        ``"bytes"``: temporary memory of each method; ``"largest"``: largest entry of the kernel by
        Jacobian contraction; ``"differences"``: largest difference of each from it, over that.
    """
    kernels = {method: call.call(*arguments) for method, call in calls.items()}
    differences = max_relative_difference(kernels, "jacobian")
    return {
        "bytes": {method: call.temporary_bytes for method, call in calls.items()},
        "largest": float(f"{float(jnp.abs(kernels['jacobian']).max()):.3g}"),
        "differences": {method: float(f"{value:.1e}") for method, value in differences.items()},
    }


def judge_agreement(compared: Iterable[Mapping[str, Any]], reporter: Reporter) -> None:
    """The verdict on the claim ``methods-agree``, from results of :func:`compare`."""
    cases = list(compared)
    # a NaN would drop out of Python's max
    worst = float(np.max([d for case in cases for d in case["differences"].values()]))
    zero = any(case["largest"] == 0 for case in cases)  # as of units that are never on
    agree = worst < 1e-4
    reporter.verdict(
        "methods-agree",
        ours="a kernel is zero" if zero and agree else f"largest relative difference {worst:.1e}",
        holds=None if zero and agree else agree,
    )


def time_methods(
    reporter: Reporter,
    label: str,
    calls: Mapping[Method, Compiled],
    *arguments: Any,
    repeats: int,
) -> dict[Method, float]:
    """Median seconds of every method, reported under ``label``."""
    seconds: dict[Method, float] = interleaved_seconds(
        {method: call.call for method, call in calls.items()}, *arguments, repeats=repeats
    )
    for method, median in seconds.items():
        reporter.timing(f"seconds, {METHODS[method]}, {label}", median)
    return seconds


def report_cost(
    reporter: Reporter,
    first: str,
    calls: Mapping[Any, Mapping[Method, Compiled]],
    seconds: Mapping[Any, Mapping[Method, float]],
    compared: Mapping[Any, Mapping[str, Any]],
    caption: str,
) -> None:
    """The table ``cost``: one row for every case and method.

    Args:
        reporter: takes the table.
        first: heading of the column that tells the cases.
        calls: by case and method.
        seconds: results of :func:`time_methods` by case.
        compared: results of :func:`compare` by case.
        caption: what was timed.
    """
    rows = []
    for case, by_method in calls.items():
        for method, call in by_method.items():
            rows.append(
                [
                    case,
                    METHODS[method],
                    float(f"{1000 * seconds[case][method]:.3g}"),
                    float(f"{seconds[case]['jacobian'] / seconds[case][method]:.3g}"),
                    mebibytes(compared[case]["bytes"][method]),
                    float(f"{call.seconds:.2g}"),
                    compared[case]["differences"].get(method),
                ]
            )
    columns = [
        first,
        "method",
        "ms",
        "× faster than Jacobian contraction",
        "temporary MiB",
        "compile s",
        "relative difference",
    ]
    reporter.table(
        "cost",
        columns,
        rows,
        f"{caption}; {jax.device_count()} × {jax.devices()[0].device_kind}. Relative difference: "
        "the largest, from the kernel by Jacobian contraction, over its largest entry.",
        timed=True,
    )


def looks() -> dict[str, dict[str, Any]]:
    """Colour, marker and line of every method, and of ``"jacobians alone"``."""
    styles = plotting.styles([*METHODS, "jacobians alone"])
    styles["jacobians alone"] |= {"color": "#4D4D4D", "linestyle": ":"}
    return styles
