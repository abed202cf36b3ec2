"""A jaxpr as one list of equations, calls inlined and dead ones dropped: what counting walks over.

Nothing is evaluated and no equation is changed. Calls are found by what they look like, a single
jaxpr among the parameters with the equation's own inputs and outputs, because the names of calling
primitives differ between versions of jax.
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

__all__ = ["Flat", "Step", "flatten", "scan_counts", "shape_of", "shards", "sub_jaxprs"]

_NOT_A_CALL = frozenset({"cond", "scan", "shard_map", "while", "xla_pmap"})


class Step(NamedTuple):
    """One equation that the results need.

    Attributes:
        eqn: the equation.
        inputs: number of the value of each operand; None for a literal.
        outputs: number of the value of each result.
        needed: whether something later reads each result.
    """

    eqn: JaxprEqn
    inputs: tuple[int | None, ...]
    outputs: tuple[int, ...]
    needed: tuple[bool, ...]


class Flat(NamedTuple):
    """A program as a list of steps.

    Attributes:
        steps: in order of execution.
        results: number of the value of each result; None for a literal.
        avals: shape and dtype of each result.
    """

    steps: list[Step]
    results: tuple[int | None, ...]
    avals: tuple[Any, ...]


def flatten(jaxpr: Any, needed: Sequence[bool] | None = None) -> Flat:
    """The steps of ``jaxpr`` that its results need (those marked in ``needed``, or all)."""
    jaxpr = _open(jaxpr)
    numbers = itertools.count()
    steps: list[tuple[JaxprEqn, tuple[int | None, ...], tuple[int, ...]]] = []

    def walk(body: Jaxpr, arguments: Sequence[int | None]) -> list[int | None]:
        values: dict[Any, int | None] = {var: next(numbers) for var in body.constvars}
        values |= zip(body.invars, arguments, strict=True)

        def read(atom: Any) -> int | None:
            return None if isinstance(atom, Literal) else values[atom]

        for eqn in body.eqns:
            inputs = tuple(read(atom) for atom in eqn.invars)
            called = _called(eqn)
            if called is None:
                outputs = tuple(next(numbers) for _ in eqn.outvars)
                steps.append((eqn, inputs, outputs))
                values |= zip(eqn.outvars, outputs, strict=True)
            else:
                values |= zip(eqn.outvars, walk(called, inputs), strict=True)
        return [read(atom) for atom in body.outvars]

    results = walk(jaxpr, [next(numbers) for _ in jaxpr.invars])
    if needed is not None:
        results = [one if keep else None for one, keep in zip(results, needed, strict=True)]
    alive = {one for one in results if one is not None}
    kept = []
    for eqn, inputs, outputs in reversed(steps):
        read_later = tuple(one in alive for one in outputs)
        if any(read_later) or eqn.effects:
            kept.append(Step(eqn, inputs, outputs, read_later))
            alive |= {one for one in inputs if one is not None}
    return Flat(kept[::-1], tuple(results), tuple(var.aval for var in jaxpr.outvars))


def sub_jaxprs(eqn: JaxprEqn) -> list[Jaxpr]:
    """Every jaxpr among the parameters of an equation, alone or in a tuple."""
    found = []
    for value in eqn.params.values():
        for part in value if isinstance(value, tuple | list) else (value,):
            if isinstance(part, Jaxpr | ClosedJaxpr):
                found.append(_open(part))
    return found


def scan_counts(eqn: JaxprEqn) -> tuple[int, int]:
    """How many constants and how many carried values a ``scan`` takes, in this order.

    Read from the shapes, since the parameters that say so differ between versions of jax: what is
    scanned over has one axis more outside than inside the body.
    """
    (body,) = sub_jaxprs(eqn)

    def same(outer: Sequence[Any], inner: Sequence[Any]) -> int:
        pairs = zip(outer, inner, strict=True)
        return sum(len(shape_of(one)) == len(shape_of(two)) for one, two in pairs)

    carried = same(eqn.outvars, body.outvars)
    return same(eqn.invars, body.invars) - carried, carried


def shape_of(atom: Any) -> tuple[int, ...]:
    """Shape of a value in a jaxpr; ``(0,)`` for a token, which has none."""
    return getattr(atom.aval, "shape", (0,))


def shards(eqn: JaxprEqn) -> int:
    """On how many devices a ``shard_map`` or ``pmap`` runs its body; 1 for any other equation."""
    if eqn.primitive.name == "xla_pmap":
        return int(eqn.params["axis_size"])
    if eqn.primitive.name != "shard_map":
        return 1
    sizes = dict(eqn.params["mesh"].shape)
    count = 1
    for axis in eqn.params.get("newly_manual_axes", sizes):
        count *= sizes[axis]
    return count


def _open(jaxpr: Any) -> Any:
    return jaxpr.jaxpr if isinstance(jaxpr, ClosedJaxpr) else jaxpr


def _called(eqn: JaxprEqn) -> Jaxpr | None:
    bodies = sub_jaxprs(eqn)
    if len(bodies) != 1 or eqn.primitive.name in _NOT_A_CALL:
        return None
    inside = [*bodies[0].invars, *bodies[0].outvars]
    outside = [*eqn.invars, *eqn.outvars]
    if len(bodies[0].invars) != len(eqn.invars) or len(inside) != len(outside):
        return None
    pairs = zip(inside, outside, strict=True)
    fits = all(shape_of(one) == shape_of(two) for one, two in pairs)
    return bodies[0] if fits else None
