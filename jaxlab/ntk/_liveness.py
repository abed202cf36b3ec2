"""How many bytes a program holds at once: a walk over its steps, from allocation to last use."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxlab.ntk._flops import is_elementwise
from jaxlab.ntk._steps import Step, flatten, scan_counts, shards, sub_jaxprs

__all__ = ["peak"]

# A compiler gives these no memory of their own: they are another reading of their operand.
_VIEWS = """
    broadcast_in_dim copy device_put expand_dims iota name optimization_barrier pcast pvary
    random_unwrap random_wrap reshape sharding_constraint squeeze stop_gradient
"""
_UPDATES = ("convert_element_type", "dynamic_update_slice", "scatter")


class _Need(NamedTuple):
    """Bytes that a step takes.

    Attributes:
        running: on top of what is alive before it, its results included.
        reusable: operands whose memory its results may take over, if nothing reads them later.
    """

    running: int
    reusable: tuple[int | None, ...]


def peak(jaxpr: Any, needed: Sequence[bool] | None = None, *, outermost: bool = True) -> int:
    """Largest number of bytes in temporaries and results at any step of ``jaxpr``.

    With ``outermost``, results that share memory with an argument or a broadcast get their own.
    """
    flat = flatten(jaxpr, needed)
    source: dict[int, int | None] = {}  # a view -> what it reads; None: nothing that takes memory

    def root(value: int | None) -> int | None:
        while value in source:
            value = source[value]
        return value

    for step in flat.steps:
        if _is_view(step):
            inputs = step.inputs or (None,) * len(step.outputs)
            source |= zip(step.outputs, inputs, strict=True)
    last: dict[int, int] = {}
    for index, step in enumerate(flat.steps):
        for value in map(root, step.inputs):
            if value is not None:
                last[value] = index
    kept = {root(value) for value in flat.results}
    held: dict[int, int] = {}
    live = highest = 0
    for index, step in enumerate(flat.steps):
        if _is_view(step):
            continue
        need = _need(step)
        dying = {
            value
            for value in map(root, step.inputs)
            if value in held and last[value] == index and value not in kept
        }
        taken_over = sum(held[value] for value in dying & {root(one) for one in need.reusable})
        results = {
            out: _bytes(var) for out, var in zip(step.outputs, step.eqn.outvars, strict=True)
        }
        total = sum(results.values())
        highest = max(highest, live + need.running - min(taken_over, total))
        stored = {out: n for out, n in results.items() if out in last or out in kept}
        live += sum(stored.values()) - sum(held.pop(value) for value in dying)
        held |= stored
    if outermost:
        counted: set[int | None] = set()
        for value, aval in zip(flat.results, flat.avals, strict=True):
            base = root(value)
            own = 0 if base in counted or base is None else held.get(base, 0)
            counted.add(base)
            live += max(0, _aval_bytes(aval) - own)
    return max(highest, live)


def _is_view(step: Step) -> bool:
    name = step.eqn.primitive.name
    return name in _VIEWS.split() and len(step.inputs) in (0, len(step.outputs))


def _need(step: Step) -> _Need:
    eqn, bodies = step.eqn, sub_jaxprs(step.eqn)
    name = eqn.primitive.name
    results = sum(_bytes(out) for out, used in zip(eqn.outvars, step.needed, strict=True) if used)
    if name == "scan":
        (body,) = bodies
        constants, carried = scan_counts(eqn)
        # The carry that goes in lies in the memory of the carry that comes out at the end.
        slices = sum(_bytes(var) for var in body.invars[constants + carried :])
        used = [i < carried or keep for i, keep in enumerate(step.needed)]
        results = sum(_bytes(out) for out, keep in zip(eqn.outvars, used, strict=True) if keep)
        running = results + slices + peak(body, used, outermost=False)
        return _Need(running, step.inputs[constants : constants + carried])
    if name == "while":
        results = sum(_bytes(out) for out in eqn.outvars)
        parts = (peak(body, outermost=False) for body in bodies)
        return _Need(results + max(parts), step.inputs[-len(eqn.outvars) :])
    if name == "cond":
        branches = (peak(body, step.needed, outermost=False) for body in bodies)
        return _Need(max(results, *branches), ())
    if shards(eqn) > 1 or name == "shard_map":
        return _Need(max(results, *(shards(eqn) * peak(body) for body in bodies)), ())
    if is_elementwise(eqn) or name.startswith(_UPDATES):
        return _Need(results, step.inputs)
    return _Need(results + max((peak(body, outermost=False) for body in bodies), default=0), ())


def _bytes(atom: Any) -> int:
    return _aval_bytes(atom.aval)


def _aval_bytes(aval: Any) -> int:
    itemsize = getattr(getattr(aval, "dtype", None), "itemsize", 0)
    return math.prod(getattr(aval, "shape", (0,))) * int(itemsize)
