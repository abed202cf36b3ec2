"""What each primitive costs in floating-point operations."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from jax.extend.core import JaxprEqn

from jaxlab.ntk._steps import flatten, scan_counts, shape_of, shards, sub_jaxprs

__all__ = ["is_elementwise", "size", "tally"]

_MOVEMENT = """
    all_gather all_to_all axis_index bitcast_convert_type broadcast_in_dim concatenate
    convert_element_type copy copy_p create_token device_put dynamic_slice dynamic_update_slice
    empty empty2 expand_dims gather imag iota name optimization_barrier pad pcast ppermute pvary
    random_unwrap random_wrap real reshape rev scatter sharding_constraint slice split squeeze
    stack stop_gradient tile transpose unstack
"""


def tally(
    jaxpr: Any, while_trips: int | None, needed: Sequence[bool] | None = None
) -> Counter[str]:
    """Operations of each primitive in ``jaxpr``, those of loops and branches under their own name.

    Raises:
        ValueError: a ``while`` loop without ``while_trips``.
    """
    total: Counter[str] = Counter()
    for step in flatten(jaxpr, needed).steps:
        name = step.eqn.primitive.name
        bodies = sub_jaxprs(step.eqn)
        if name == "while":
            total += _while(step.eqn, while_trips)
        elif name == "cond":
            total += _costliest([tally(body, while_trips, step.needed) for body in bodies])
        elif name == "scan":
            (body,) = bodies
            _, carried = scan_counts(step.eqn)
            kept = [i < carried or used for i, used in enumerate(step.needed)]
            total += _times(step.eqn.params["length"], tally(body, while_trips, kept))
        elif bodies and _rule(name) is None:
            # Several bodies belong to one computation and its transpose, of which one runs.
            costliest = _costliest([tally(body, while_trips) for body in bodies])
            total += _times(_runs(step.eqn), costliest)
        else:
            total += Counter({name: (_rule(name) or _per_output)(step.eqn)})
    return total


def is_elementwise(eqn: JaxprEqn) -> bool:
    """Whether the equation is counted as one operation per element of its outputs."""
    return not sub_jaxprs(eqn) and _rule(eqn.primitive.name) is None


def size(atom: Any) -> int:
    """Number of elements; 0 for a token, which has none."""
    return math.prod(shape_of(atom))


def _costliest(tallies: list[Counter[str]]) -> Counter[str]:
    return max(tallies, key=lambda costs: sum(costs.values()))


def _times(count: int, costs: Counter[str]) -> Counter[str]:
    return Counter({name: count * cost for name, cost in costs.items()})


def _runs(eqn: JaxprEqn) -> int:
    """How often an equation runs its body: once on each device, or at each point of a grid."""
    if eqn.primitive.name == "pallas_call":
        return math.prod(eqn.params["grid_mapping"].grid)
    return shards(eqn)


def _while(eqn: JaxprEqn, while_trips: int | None) -> Counter[str]:
    if while_trips is None:
        raise ValueError(
            "while_trips: expected the number of iterations, since the function has a while loop "
            "whose length its shapes do not tell (lax.scan, or fori_loop with static bounds, "
            "needs none), got None"
        )
    condition = tally(eqn.params["cond_jaxpr"], while_trips)
    body = tally(eqn.params["body_jaxpr"], while_trips)
    return _times(while_trips + 1, condition) + _times(while_trips, body)


def _rule(name: str) -> Callable[[JaxprEqn], int] | None:
    """The rule of a primitive; None where each output element costs one operation."""
    name = name.replace("-", "_")
    if name in _MOVEMENT.split():
        return _free
    if name in _RULES:
        return _RULES[name]
    for prefix, rule in _FAMILIES.items():
        if name.startswith(prefix) and name != "reduce_precision":
            return rule
    return None


def _free(eqn: JaxprEqn) -> int:
    return 0


def _per_output(eqn: JaxprEqn) -> int:
    return sum(size(out) for out in eqn.outvars)


def _per_input(eqn: JaxprEqn) -> int:
    return size(eqn.invars[0])


def _per_update(eqn: JaxprEqn) -> int:
    return size(eqn.invars[2])


def _dot(eqn: JaxprEqn) -> int:
    (contracted, _), _ = eqn.params["dimension_numbers"]
    shape = shape_of(eqn.invars[0])
    return 2 * size(eqn.outvars[0]) * math.prod(shape[axis] for axis in contracted)


def _ragged_dot(eqn: JaxprEqn) -> int:
    """Each row is multiplied by one group's matrix, however many groups there are."""
    numbers = eqn.params["ragged_dot_dimension_numbers"]
    (_, contracted), (_, batch) = numbers.dot_dimension_numbers
    taken = {*contracted, *batch, *numbers.rhs_group_dimensions}
    columns = [n for axis, n in enumerate(shape_of(eqn.invars[1])) if axis not in taken]
    return 2 * size(eqn.invars[0]) * math.prod(columns)


def _convolution(eqn: JaxprEqn) -> int:
    """Taps on padding and on the holes of a dilated input count: they are multiplied too."""
    kernel = shape_of(eqn.invars[1])
    features = kernel[eqn.params["dimension_numbers"].rhs_spec[0]]
    taps = math.prod(kernel) // features if features else 0
    return 2 * size(eqn.outvars[0]) * taps


def _window(eqn: JaxprEqn) -> int:
    return size(eqn.outvars[0]) * math.prod(eqn.params["window_dimensions"])


def _scattered_window(eqn: JaxprEqn) -> int:
    return size(eqn.invars[0]) * math.prod(eqn.params["window_dimensions"])


def _sort(eqn: JaxprEqn) -> int:
    shape = shape_of(eqn.invars[0])
    axis = eqn.params.get("dimension", eqn.params.get("axis", -1))
    return math.prod(shape) * max(1, math.ceil(math.log2(max(1, shape[axis]))))


def _cholesky(eqn: JaxprEqn) -> int:
    return size(eqn.invars[0]) * shape_of(eqn.invars[0])[-1] // 3


def _lu(eqn: JaxprEqn) -> int:
    return 2 * size(eqn.invars[0]) * min(shape_of(eqn.invars[0])[-2:]) // 3


def _triangular_solve(eqn: JaxprEqn) -> int:
    return size(eqn.invars[1]) * shape_of(eqn.invars[0])[-1]


_RULES: dict[str, Callable[[JaxprEqn], int]] = {
    "argmax": _per_input,
    "argmin": _per_input,
    "cholesky": _cholesky,
    "conv_general_dilated": _convolution,
    "dot_general": _dot,
    "lu": _lu,
    "ragged_dot_general": _ragged_dot,
    "reduce": _per_input,
    "select_and_gather_add": _window,
    "select_and_scatter": _scattered_window,
    "select_and_scatter_add": _scattered_window,
    "sort": _sort,
    "top_k": _sort,
    "triangular_solve": _triangular_solve,
}

_FAMILIES: dict[str, Callable[[JaxprEqn], int]] = {
    "reduce_window": _window,
    "reduce_": _per_input,
    "scatter_": _per_update,
}
