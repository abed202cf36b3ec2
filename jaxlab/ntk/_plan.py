"""Which parameters are contracted at their sites, and which in weight space.

``survey`` follows every parameter leaf through a linear program: reshapes and the like leave it a
*view* of the leaf, a primitive with a site rule makes a *use* of it, anything else means that its
Jacobian must be materialised. ``_choice.choose`` compares, for leaves that could be contracted at
their sites, the work of both ways. Only shapes are looked at, never values.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np
from jax.extend import core

from jaxlab.checks import concrete
from jaxlab.ntk._program import Program, Step, Value
from jaxlab.ntk._sites import Call, Site, site_of

__all__ = ["Box", "Survey", "Use", "View", "survey"]

Box: TypeAlias = tuple[tuple[int, int], ...]
"""A part of a leaf: first and last-plus-one index along each axis."""

_COPIES = {"copy", "copy_p", "pvary", "pcast", "convert_element_type"}
_RESHAPES = {"reshape", "squeeze", "broadcast_in_dim", "expand_dims"}


class View(NamedTuple):
    """A part of a leaf with its entries rearranged, and scaled by known scalars.

    Attributes:
        leaf: which leaf.
        box: which part of it.
        chain: the rearrangements, in order.
        scales: known scalars that multiply (True) or divide (False) it.
        sign: 1 or -1, a factor as well.
    """

    leaf: int
    box: Box
    chain: tuple[Hashable, ...] = ()
    scales: tuple[tuple[Value, bool], ...] = ()
    sign: int = 1


class Use(NamedTuple):
    """A site in a program.

    Attributes:
        step: index of the equation.
        view: what of the leaf enters it.
        site: how.
        others: the equation's remaining inputs.
        output: the variable that it defines.
    """

    step: int
    view: View
    site: Site
    others: tuple[Value, ...]
    output: int

    @property
    def signature(self) -> Hashable:
        """Equal for uses that index the leaf's entries alike."""
        return self.view.chain, self.site.kind, self.site.signature


class Survey(NamedTuple):
    """How a program uses its leaves.

    Attributes:
        uses: uses of each part of each leaf.
        obstacles: why a leaf cannot be contracted at its sites.
        views: variables that are views, with what they view.
        shapes: shape of every leaf.
    """

    uses: dict[tuple[int, Box], list[Use]]
    obstacles: dict[int, str]
    views: dict[int, View]
    shapes: list[tuple[int, ...]]


def survey(program: Program) -> Survey:
    """Follow every leaf of ``program`` to where it is used."""
    shapes = [tuple(program.types[number].shape) for number in program.inputs]
    views = {
        number: View(leaf, tuple((0, size) for size in shape))
        for leaf, (number, shape) in enumerate(zip(program.inputs, shapes, strict=True))
    }
    uses: dict[tuple[int, Box], list[Use]] = {}
    obstacles: dict[int, str] = {}
    scalars: dict[int, Value] = {}  # known arrays that repeat one scalar
    for index, step in enumerate(program.steps):
        linear = [value for value in step.inputs if not program.is_known(value)]
        viewed = [value for value in linear if value in views]
        if not linear:
            if step.name == "broadcast_in_dim" and _shape(program, step.inputs[0]) == ():
                scalars[step.outputs[0]] = step.inputs[0]
            continue
        if len(linear) == 1 and viewed:
            view = views[viewed[0]]
            further = _advance(program, step, view, viewed[0], scalars)
            if further is not None:
                views.update(zip(step.outputs, further, strict=True))
                continue
            use = _use(program, index, step, view, viewed[0])
            if use is not None:
                uses.setdefault((view.leaf, view.box), []).append(use)
                continue
        for value in viewed:
            obstacles.setdefault(views[value].leaf, f"enters {step.name}, which is not a site")
    if program.output in views:
        obstacles.setdefault(views[program.output].leaf, "is an output")
    _compare_uses(uses, obstacles)
    return Survey(uses, obstacles, views, shapes)


def _shape(program: Program, value: Value) -> tuple[int, ...]:
    kind: Any = value.aval if isinstance(value, core.Literal) else program.types[value]
    return tuple(kind.shape)


def _advance(
    program: Program, step: Step, view: View, number: int, scalars: Mapping[int, Value]
) -> list[View] | None:
    """The views that ``step`` makes of ``view``; None if what it makes is no view."""
    name, params = step.name, step.params
    shape, result = _shape(program, number), program.types[step.outputs[0]]
    if name in _COPIES:
        floating = jnp.issubdtype(result.dtype, jnp.floating)
        return [view] if floating and len(step.outputs) == 1 else None
    if name == "neg":
        return [view._replace(sign=-view.sign)]
    if name in _RESHAPES and np.prod(result.shape) == np.prod(shape):
        if name == "reshape" and params.get("dimensions") is not None:  # it can transpose first
            view = _transposed(view, params["dimensions"])
            shape = tuple(shape[axis] for axis in params["dimensions"])
        return [_rearranged(view, ("reshape", tuple(result.shape)), tuple(result.shape) == shape)]
    if name == "transpose":
        return [_transposed(view, params["permutation"])]
    if name == "rev":
        return [_rearranged(view, ("rev", tuple(params["dimensions"])), False)]
    if name in ("mul", "div"):
        other = step.inputs[1] if step.inputs[0] == number else step.inputs[0]
        if name == "div" and step.inputs[0] != number:
            return None
        if isinstance(other, int):
            other = scalars.get(other, other)
        if _shape(program, other) != ():
            return None
        return [view._replace(scales=(*view.scales, (other, name == "mul")))]
    boxes = None if view.chain else _parts(program, step, view.box, number)
    if boxes is None:
        return None
    parts = [view._replace(box=box) for box in boxes]
    if name != "unstack":
        return parts
    return [_rearranged(part, ("reshape", tuple(result.shape)), False) for part in parts]


def _transposed(view: View, axes: Sequence[int]) -> View:
    return _rearranged(view, ("transpose", tuple(axes)), tuple(axes) == tuple(range(len(axes))))


def _rearranged(view: View, operation: Hashable, unchanged: bool) -> View:
    return view if unchanged else view._replace(chain=(*view.chain, operation))


def _parts(program: Program, step: Step, box: Box, number: int) -> list[Box] | None:
    """The parts of a leaf that a slicing equation takes out of ``box``."""
    name, params = step.name, step.params
    if name == "slice":
        strides = params["strides"]
        if strides is not None and any(stride != 1 for stride in strides):
            return None
        return [_inside(box, params["start_indices"], params["limit_indices"])]
    if name in ("split", "unstack"):
        shape, axis, boxes, start = _shape(program, number), params["axis"], [], 0
        for size in params["sizes"] if name == "split" else [1] * shape[axis]:
            low, high = [0] * len(shape), list(shape)
            low[axis], high[axis] = start, start + int(size)
            boxes.append(_inside(box, low, high))
            start += int(size)
        return boxes
    if name == "dynamic_slice":
        shape, sizes = _shape(program, number), params["slice_sizes"]
        starts = [_number(program, value) for value in step.inputs[1:]]
        if any(start is None for start in starts):
            return None
        low = [min(max(s, 0), n - k) for s, n, k in zip(starts, shape, sizes, strict=True)]  # type: ignore[type-var]
        return [_inside(box, low, [s + k for s, k in zip(low, sizes, strict=True)])]
    return None


def _inside(box: Box, low: Sequence[int], high: Sequence[int]) -> Box:
    return tuple(
        (start + int(a), start + int(b)) for (start, _), a, b in zip(box, low, high, strict=True)
    )


def _number(program: Program, value: Value) -> int | None:
    """A known integer whose value is there while the program is planned."""
    found = concrete(value.val if isinstance(value, core.Literal) else program.residuals.get(value))
    return int(found) if found is not None and found.dtype != object else None


def _use(program: Program, index: int, step: Step, view: View, number: int) -> Use | None:
    if len(step.outputs) != 1:
        return None
    position = step.inputs.index(number)
    types = tuple(
        value.aval if isinstance(value, core.Literal) else program.types[value]
        for value in step.inputs
    )
    site = site_of(step.name, Call(step.params, position, types, program.types[step.outputs[0]]))
    if site is None:
        return None
    others = step.inputs[:position] + step.inputs[position + 1 :]
    return Use(index, view, site, others, step.outputs[0])


def _compare_uses(uses: Mapping[tuple[int, Box], list[Use]], obstacles: dict[int, str]) -> None:
    """Note the leaves whose uses differ, or use overlapping parts."""
    boxes: dict[int, list[Box]] = {}
    for (leaf, box), found in uses.items():
        if len({use.signature for use in found}) > 1:
            obstacles.setdefault(leaf, "is used in several ways")
        if any(_overlap(box, other) for other in boxes.get(leaf, [])):
            obstacles.setdefault(leaf, "is used in overlapping parts")
        boxes.setdefault(leaf, []).append(box)


def _overlap(one: Box, two: Box) -> bool:
    return all(
        max(start, other_start) < min(stop, other_stop)
        for (start, stop), (other_start, other_stop) in zip(one, two, strict=True)
    )
