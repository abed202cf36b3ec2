"""How many bytes a program holds at once: a walk over its steps, from allocation to last use."""

import math
from collections.abc import Callable, Sequence
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


class _Move(NamedTuple):
    """A step as its memory sees it: views replaced by what they read.

    Attributes:
        inputs: values read.
        outputs: bytes of each value made.
        running: bytes on top of what is alive before it, outputs included.
        reusable: inputs whose memory the outputs may take over.
    """

    inputs: tuple[int | None, ...]
    outputs: dict[int, int]
    running: int
    reusable: set[int | None]


def peak(jaxpr: Any, needed: Sequence[bool] | None = None, *, outermost: bool = True) -> int:
    """Largest number of bytes in temporaries and results at any step of ``jaxpr``.

    A compiler orders steps so that they need little memory: of the program's own order and the one
    in which results ask for their operands, depth first, the better one counts. With
    ``outermost``, results that share memory with an argument or a broadcast get their own.
    """
    flat = flatten(jaxpr, needed)
    source: dict[int, int | None] = {}  # a view -> what it reads; None: nothing that takes memory
    for step in flat.steps:
        if _is_view(step):
            inputs = step.inputs or (None,) * len(step.outputs)
            source |= zip(step.outputs, inputs, strict=True)

    def root(value: int | None) -> int | None:
        while value in source:
            value = source[value]
        return value

    moves = [_move(step, root) for step in flat.steps if not _is_view(step)]
    results = [root(value) for value in flat.results]
    highest, held = min(
        (_walk(order, set(results)) for order in (moves, _depth_first(moves, results))),
        key=lambda found: found[0],
    )
    live = sum(held.values())
    if outermost:
        for value, aval in zip(results, flat.avals, strict=True):
            live += max(0, _aval_bytes(aval) - held.pop(value, 0))
    return max(highest, live)


def _walk(order: Sequence[_Move], kept: set[int | None]) -> tuple[int, dict[Any, int]]:
    """The peak of the steps in this order, and what is alive at the end."""
    last = {value: index for index, move in enumerate(order) for value in move.inputs}
    held: dict[Any, int] = {}
    live = highest = 0
    for index, move in enumerate(order):
        dying = {
            value
            for value in move.inputs
            if value in held and last[value] == index and value not in kept
        }
        taken_over = sum(held[value] for value in dying & move.reusable)
        total = sum(move.outputs.values())
        highest = max(highest, live + move.running - min(taken_over, total))
        stored = {out: n for out, n in move.outputs.items() if out in last or out in kept}
        live += sum(stored.values()) - sum(held.pop(value) for value in dying)
        held |= stored
    return highest, held


def _depth_first(moves: Sequence[_Move], results: Sequence[int | None]) -> list[_Move]:
    """The steps in the order in which the results ask for them."""
    maker = {out: index for index, move in enumerate(moves) for out in move.outputs}
    order: list[_Move] = []
    done: set[int] = set()
    # Steps with side effects come last: no result may ask for them.
    stack = [*reversed(range(len(moves))), *(maker[one] for one in results[::-1] if one in maker)]
    while stack:
        index = stack.pop()
        if index in done:
            continue
        makers = [maker[value] for value in moves[index].inputs if value in maker]
        waiting = [one for one in makers if one not in done]
        if waiting:
            stack += [index, *reversed(waiting)]
        else:
            done.add(index)
            order.append(moves[index])
    return order


def _move(step: Step, root: Callable[[int | None], int | None]) -> _Move:
    need = _need(step)
    return _Move(
        inputs=tuple(map(root, step.inputs)),
        outputs={out: _bytes(var) for out, var in zip(step.outputs, step.eqn.outvars, strict=True)},
        running=need.running,
        reusable={root(value) for value in need.reusable},
    )


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
