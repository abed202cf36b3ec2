"""What differs between the devices of an enclosing ``jax.shard_map``, by the axes of its mesh."""

from typing import Any

import jax

__all__ = ["vary", "vary_together", "varying"]


def varying(tree: Any) -> frozenset[str]:
    """Axes over which some array of ``tree`` differs between devices."""
    axes: frozenset[str] = frozenset()
    for value in jax.tree.leaves(tree):
        kind = jax.typeof(value)
        manual = getattr(kind, "manual_axis_type", None)  # jax 0.10 also has it as ``vma``
        axes |= frozenset(manual.varying if manual is not None else getattr(kind, "vma", ()))
    return axes


def vary(tree: Any, axes: frozenset[str]) -> Any:
    """``tree``, declared to differ between the devices along ``axes``.

    Without it the derivative with respect to what all devices share is summed over them.
    """
    if not axes:
        return tree

    def declare(value: Any) -> Any:
        missing = tuple(sorted(axes - varying(value)))
        return jax.lax.pcast(value, missing, to="varying") if missing else value

    return jax.tree.map(declare, tree)


def vary_together(tree: Any) -> Any:
    """``tree``, every array of which differs between devices wherever one of them does."""
    return vary(tree, varying(tree))
