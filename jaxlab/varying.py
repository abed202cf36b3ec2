"""What differs between the devices of an enclosing ``jax.shard_map``, by the axes of its mesh.

Inside of it jax tells arrays that are the same on all devices from arrays that differ, and a loop
must carry the same kind from its first turn on: a loop over sharded data that starts from constants
has to declare that these will differ too. Outside of ``shard_map`` nothing differs and nothing is
done.
"""

from typing import Any

import jax
import numpy as np

__all__ = ["vary", "vary_arrays", "vary_like", "varying"]


def varying(tree: Any) -> frozenset[str]:
    """Axes over which some array of ``tree`` differs between devices."""
    axes: frozenset[str] = frozenset()
    for value in jax.tree.leaves(tree):
        kind = _kind(value)
        manual = getattr(kind, "manual_axis_type", None)  # jax 0.10 also has it as ``vma``
        axes |= frozenset(manual.varying if manual is not None else getattr(kind, "vma", ()))
    return axes


def _kind(value: Any) -> Any:
    """The type of an array or a number; None of another leaf, which does not differ."""
    try:
        return jax.typeof(value)
    except TypeError:
        return None


def vary(tree: Any, axes: frozenset[str]) -> Any:
    """``tree``, declared to differ between the devices along ``axes``.

    Without it the derivative with respect to what all devices share is summed over them.
    """
    if not axes:
        return tree

    def declare(value: Any) -> Any:
        missing = tuple(sorted(axes - varying(value))) if _kind(value) is not None else ()
        return jax.lax.pcast(value, missing, to="varying") if missing else value

    return jax.tree.map(declare, tree)


def vary_like(tree: Any, *data: Any) -> Any:
    """``tree``, every array of which differs wherever one of them or of ``data`` does.

    So must the start of a loop over ``data``, and what a kernel is given.
    """
    return vary(tree, varying((tree, data)))


def vary_arrays(tree: Any, *data: Any) -> Any:
    """As :func:`vary_like`, of arrays alone: numbers in ``tree`` stay as they are.

    So must what a network is given that may branch on a number in it.
    """
    axes, number = varying((tree, data)), bool | int | float | complex | np.generic
    return jax.tree.map(lambda x: x if isinstance(x, number) else vary(x, axes), tree)
