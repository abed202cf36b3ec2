"""One einsum per parameter: the contraction of two sides' factors in the cheapest order.

The four-operand product ``Σ C₁ x₁ x₂ C₂`` is the paper's matrix-Jacobian-Jacobian-matrix product;
contracting ``C`` with ``x`` first is Jacobian contraction, ``x₁`` with ``x₂`` first is the Gram
form. All orders are priced, by their operations and by what they write to memory and read again,
and the cheapest is taken.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import jax.numpy as jnp
import opt_einsum
from jaxtyping import Array

from jaxlab.ntk._layout import Layout

__all__ = ["Kind", "Order", "best_order", "contract_factors", "price", "subscripts"]

Kind: TypeAlias = Literal["dense", "lookup", "weights"]

# Operations in the time in which one entry of an intermediate array is written and read again.
_TRAFFIC = 64

# letters beside those of the output axes (a, b, … and A, B, …)
_BLOCK, _LEFT, _RIGHT, _IN, _OUT = "zxyvw"


class Order(NamedTuple):
    """An order of pairwise contractions.

    Attributes:
        path: pairs of operands, as ``opt_einsum`` writes them.
        flops: additions and multiplications.
        largest: entries of the largest array that it makes.
        entries: entries of all intermediate arrays together, the result left out.
    """

    path: tuple[tuple[int, ...], ...]
    flops: int
    largest: int
    entries: int


def price(flops: int, entries: int) -> int:
    """Operations and ``entries`` of intermediate arrays in one number, to compare times by."""
    return flops + _TRAFFIC * entries


def subscripts(layout: Layout, kind: Kind) -> str:
    """The einsum that contracts factors of this kind to the kernel."""
    lead1, lead2 = _lead(layout, layout.left), _lead(layout, layout.right)
    batch1 = "" if layout.batch is None else layout.left[layout.batch]
    batch2 = "" if layout.batch is None else layout.right[layout.batch]
    if kind == "weights":
        operands = [lead1 + _OUT, lead2 + _OUT]
    elif kind == "lookup":
        pair = batch1 if batch1 == batch2 else batch1 + batch2
        operands = [lead1 + _LEFT + _OUT, pair + _LEFT + _RIGHT, lead2 + _RIGHT + _OUT]
    else:
        operands = [
            lead1 + _BLOCK + _LEFT + _OUT,
            batch1 + _BLOCK + _LEFT + _IN,
            batch2 + _BLOCK + _RIGHT + _IN,
            lead2 + _BLOCK + _RIGHT + _OUT,
        ]
    return ",".join(operands) + "->" + layout.result


def _lead(layout: Layout, letters: str) -> str:
    """Letters of a cotangent's leading axes: the examples come first."""
    if layout.batch is None:
        return letters
    return letters[layout.batch] + letters[: layout.batch] + letters[layout.batch + 1 :]


@functools.lru_cache(maxsize=4096)
def best_order(
    expression: str, shapes: tuple[tuple[int, ...], ...], limit: int | None = None
) -> Order:
    """The cheapest order whose intermediates stay within ``limit`` entries.

    Where no order does, the one with the smallest largest intermediate.
    """
    orders = []
    for path in _paths(len(shapes)):
        _, info = opt_einsum.contract_path(expression, *shapes, shapes=True, optimize=list(path))
        *intermediates, result = map(int, info.size_list)
        largest = max([*intermediates, result])
        orders.append(Order(path, int(info.opt_cost), largest, sum(intermediates)))
    fitting = [order for order in orders if limit is None or order.largest <= limit]
    if fitting:
        return min(fitting, key=lambda order: (price(order.flops, order.entries), order.largest))
    return min(orders, key=lambda order: (order.largest, order.flops))


def _paths(operands: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Every order of contracting ``operands`` arrays two at a time."""
    if operands <= 2:
        yield (tuple(range(operands)),)
        return
    for first in range(operands):
        for second in range(first + 1, operands):
            for rest in _paths(operands - 1):
                yield ((first, second), *rest)


def contract_factors(
    layout: Layout,
    kind: Kind,
    left: Sequence[Any],
    right: Sequence[Any],
    *,
    dtype: Any,
    limit: int | None = None,
) -> Array:
    """What one parameter adds to the kernel (before the division by the traced size).

    Args:
        layout: how output axes pair.
        kind: what the factors are.
        left: the first side's factors: ``(C, x)``, for a lookup ``(C, (index, valid))``, in weight
            space ``(J,)``; leading axes are examples (when independent) and outputs.
        right: the second side's.
        dtype: in what to accumulate.
        limit: largest number of entries of an intermediate array, where there is a choice.
    """
    expression = subscripts(layout, kind)
    if kind == "weights":
        operands = [left[0], right[0]]
    elif kind == "lookup":
        operands = [left[0], _equal(layout, left[1], right[1], dtype), right[0]]
    else:
        operands = [left[0], left[1], right[1], right[0]]
    operands = [operand.astype(dtype) for operand in operands]
    expression, operands = _without_unit_axes(expression, operands)
    order = best_order(expression, tuple(operand.shape for operand in operands), limit)
    return jnp.einsum(
        expression, *operands, optimize=list(order.path), preferred_element_type=dtype
    )


def _equal(layout: Layout, left: Any, right: Any, dtype: Any) -> Array:
    """1 where two lookups read the same row, ``[n, m, X, Y]`` (or as the layout shares axes)."""
    (index1, valid1), (index2, valid2) = left, right

    def spread1(values: Array) -> Array:
        if layout.batch is None or layout.left[layout.batch] == layout.right[layout.batch]:
            return values[..., :, None]
        return values[:, None, :, None]

    def spread2(values: Array) -> Array:
        return values[..., None, :]

    same = (spread1(index1) == spread2(index2)) & spread1(valid1) & spread2(valid2)
    return same.astype(dtype)


def _without_unit_axes(expression: str, operands: list[Array]) -> tuple[str, list[Array]]:
    """Drop axes of size 1 that the result does not have: XLA need not see them."""
    inputs, result = expression.split("->")
    terms, smaller = [], []
    for term, operand in zip(inputs.split(","), operands, strict=True):
        kept = [
            axis for axis, letter in enumerate(term) if letter in result or operand.shape[axis] != 1
        ]
        terms.append("".join(term[axis] for axis in kept))
        smaller.append(operand.reshape([operand.shape[axis] for axis in kept]))
    return ",".join(terms) + "->" + result, smaller
