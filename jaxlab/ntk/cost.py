"""What a kernel costs with each implementation, and which one costs least.

An implementation is traced on the shapes of a problem, its operations are counted and its memory is
estimated by :mod:`jaxlab.ntk.counting`; nothing runs and nothing is compiled.
"""

import math
import weakref
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxlab.checks import check_choice
from jaxlab.ntk._flops import tally
from jaxlab.ntk._implementations import IMPLEMENTATIONS
from jaxlab.ntk._liveness import peak
from jaxlab.ntk._options import check_options
from jaxlab.ntk._problem import Problem, prepare, traced
from jaxlab.ntk.counting import breakdown, count_flops, peak_bytes
from jaxlab.ntk.types import ApplyFn, StructuredOptions, VmapAxes

__all__ = [
    "Estimate",
    "ImplementationCost",
    "breakdown",
    "compare",
    "count_flops",
    "format_table",
    "peak_bytes",
]


class Estimate(NamedTuple):
    """What a kernel takes.

    Attributes:
        flops: floating-point operations, as :func:`count_flops` counts them.
        peak_bytes: bytes of temporaries and results at once, as :func:`peak_bytes` estimates them.
    """

    flops: int
    peak_bytes: int


class ImplementationCost(NamedTuple):
    """What a kernel takes with one implementation.

    Attributes:
        implementation: its name, as :func:`jaxlab.ntk.ntk_fn` takes it.
        flops: floating-point operations.
        peak_bytes: bytes of temporaries and results at once.
        flops_per_entry: operations divided by the number of entries of the kernel.
    """

    implementation: str
    flops: int
    peak_bytes: int
    flops_per_entry: float


def kernel_estimate(problem: Problem, implementation: str, options: StructuredOptions) -> Estimate:
    """What one implementation takes for ``problem``, without running it.

    Args:
        problem: what ``jaxlab.ntk._problem.prepare`` made.
        implementation: "jacobian", "vector_products" or "structured".
        options: those that the implementation would get.

    Returns:
        Operations and bytes.

    Raises:
        ValueError: an unknown implementation, or a network with a ``while`` loop.

    Cost: one trace of the implementation.

    Example:
        >>> from jaxlab.ntk._problem import prepare
        >>> def linear(w, x):
        ...     return x @ w
        >>> x, w = jnp.ones((4, 100)), jnp.ones((100, 10))
        >>> (problem,), _ = prepare(
        ...     linear, x, None, w, trace_axes=(), diagonal_axes=(), vmap_axes=0
        ... )
        >>> kernel_estimate(problem, "jacobian", StructuredOptions()).flops >= 2 * 40**2 * 1000
        True
    """
    check_choice("implementation", implementation, IMPLEMENTATIONS)
    return _estimate(_program(problem, implementation, options))


def kernel_peak(problem: Problem, implementation: str, options: StructuredOptions) -> int:
    """The bytes of :func:`kernel_estimate` alone, of networks with ``while`` loops too."""
    return peak(_program(problem, implementation, options))


def _program(problem: Problem, implementation: str, options: StructuredOptions) -> Any:
    def kernel(leaves: Any, x1: Any, x2: Any) -> Any:
        x2 = x1 if problem.symmetric else x2
        return _run(problem._replace(leaves=leaves, x1=x1, x2=x2), implementation, options)

    x2 = None if problem.symmetric else problem.x2
    return jax.make_jaxpr(kernel)(problem.leaves, problem.x1, x2)


_CHOICES: weakref.WeakKeyDictionary[Any, dict[Hashable, str]] = weakref.WeakKeyDictionary()


def cheapest(
    problem: Problem,
    options: StructuredOptions,
    *,
    apply_fn: ApplyFn | None = None,
    output: int = 0,
) -> str:
    """The implementation with fewest operations whose peak is within ``options.memory_limit``.

    Args:
        problem: what ``jaxlab.ntk._problem.prepare`` made.
        options: those that the implementation would get; without ``memory_limit`` all three fit.
        apply_fn: the network that the problem was made from. The choice is remembered for as long
            as this object lives, and taken again for equal shapes, and equal numbers among the
            parameters that have no derivative. None remembers nothing.
        output: which of the network's outputs the problem is.

    Returns:
        "structured", "vector_products" or "jacobian"; the first of them in a tie.

    Raises:
        ValueError: none fits the limit; the message gives the three estimates.

    Cost: one trace of each implementation.

    Example:
        >>> from jaxlab.ntk._problem import prepare
        >>> def network(w, x):
        ...     return jnp.tanh(x @ w[0]) @ w[1]
        >>> x, w = jnp.ones((8, 100)), [jnp.ones((100, 100)), jnp.ones((100, 10))]
        >>> (problem,), _ = prepare(
        ...     network, x, None, w, trace_axes=(), diagonal_axes=(), vmap_axes=0
        ... )
        >>> cheapest(problem, StructuredOptions())
        'structured'
    """
    key = (_abstract(problem), problem.layout, options, output)
    try:
        known = {} if apply_fn is None else _CHOICES.setdefault(apply_fn, {})
    except TypeError:  # not hashable, or without weak references
        known = {}
    if key not in known:
        known[key] = _cheapest(problem, options)
    return known[key]


def compare(
    apply_fn: ApplyFn,
    x1: Any,
    x2: Any,
    params: Any,
    *,
    trace_axes: tuple[int, ...] = (),
    diagonal_axes: tuple[int, ...] = (),
    vmap_axes: int | VmapAxes | None = None,
    options: StructuredOptions = StructuredOptions(),  # noqa: B008 (immutable)
) -> tuple[ImplementationCost, ...]:
    """What the kernel of a network takes with each implementation, without running any.

    Args:
        apply_fn: ``(params, x) -> outputs``, a network on a batch.
        x1: first batch; arrays or ``jax.ShapeDtypeStruct``.
        x2: second batch; None means ``x2 = x1``.
        params: parameters; floating leaves may be ``jax.ShapeDtypeStruct``.
        trace_axes: axes of the output that are contracted.
        diagonal_axes: axes of the output that appear once.
        vmap_axes: axis of the examples, where they do not interact.
        options: those that the implementations would get; ``memory_limit`` leaves none out.

    Returns:
        One row for each implementation, the cheapest first.

    Raises:
        ValueError: as :func:`jaxlab.ntk.ntk_fn`, or a network with a ``while`` loop.

    Cost: one trace of each implementation.

    Example:
        >>> def network(w, x):
        ...     return jnp.tanh(x @ w[0]) @ w[1]
        >>> shape = jax.ShapeDtypeStruct
        >>> params = [shape((100, 100), jnp.float32), shape((100, 10), jnp.float32)]
        >>> rows = compare(network, shape((8, 100), jnp.float32), None, params, vmap_axes=0)
        >>> rows[0].implementation
        'structured'
    """
    check_options(options)
    leaves, merge = traced(params)

    def estimate(implementation: str) -> tuple[Estimate, int]:
        entries = 0

        def kernels(leaves: list[Any], x1: Any, x2: Any) -> list[Any]:
            nonlocal entries
            problems, _ = prepare(
                apply_fn,
                x1,
                x2,
                merge(leaves),
                trace_axes=trace_axes,
                diagonal_axes=diagonal_axes,
                vmap_axes=vmap_axes,
            )
            entries = sum(math.prod(problem.kernel_shape) for problem in problems)
            return [_run(problem, implementation, options) for problem in problems]

        program = jax.make_jaxpr(kernels)(leaves, x1, x2)
        return _estimate(program), entries

    rows = []
    for name in IMPLEMENTATIONS:
        found, entries = estimate(name)
        rows.append(ImplementationCost(name, *found, found.flops / max(1, entries)))
    return tuple(sorted(rows, key=lambda row: row.flops))


def format_table(rows: Sequence[ImplementationCost]) -> str:
    """The rows of :func:`compare` as a table of text.

    Args:
        rows: one for each implementation.

    Returns:
        A heading and one line for each row.

    Cost: none to speak of.

    Example:
        >>> print(format_table([ImplementationCost("structured", 12_000, 640, 750.0)]))
        implementation   FLOPs  peak bytes  FLOPs per entry
        structured      12,000         640            750.0
    """
    table = [("implementation", "FLOPs", "peak bytes", "FLOPs per entry")]
    table += [
        (row.implementation, f"{row.flops:,}", f"{row.peak_bytes:,}", f"{row.flops_per_entry:,.1f}")
        for row in rows
    ]
    first, *others = (max(map(len, column)) for column in zip(*table, strict=True))
    return "\n".join(
        "  ".join([name.ljust(first), *map(str.rjust, numbers, others)]) for name, *numbers in table
    )


def _cheapest(problem: Problem, options: StructuredOptions) -> str:
    found = {name: kernel_estimate(problem, name, options) for name in IMPLEMENTATIONS}
    limit = math.inf if options.memory_limit is None else options.memory_limit
    fitting = {name: one.flops for name, one in found.items() if one.peak_bytes <= limit}
    if not fitting:
        estimates = ", ".join(f"{name} {one.peak_bytes}" for name, one in found.items())
        raise ValueError(
            f"options.memory_limit: expected room for at least one implementation of a kernel of "
            f"shape {problem.kernel_shape}, whose estimated peaks in bytes are {estimates}, "
            f"got {options.memory_limit}"
        )
    return min(fitting, key=lambda name: fitting[name])


def _run(problem: Problem, implementation: str, options: StructuredOptions) -> Any:
    if 0 in problem.shape1 + problem.shape2:
        return jnp.zeros(problem.kernel_shape, problem.dtype)
    return IMPLEMENTATIONS[implementation](problem, options)


def _estimate(jaxpr: Any) -> Estimate:
    return Estimate(tally(jaxpr, None).total(), peak(jaxpr))


def _abstract(problem: Problem) -> Hashable:
    leaves, structure = jax.tree.flatten((problem.leaves, problem.x1, problem.x2))
    axes = jax.tree.structure(problem.in_axes, is_leaf=lambda axis: axis is None)
    return (
        tuple(jax.typeof(leaf) for leaf in leaves),
        structure,
        problem.constants,
        tuple(jax.tree.leaves(problem.in_axes, is_leaf=lambda axis: axis is None)),
        axes,
        problem.symmetric,
    )
