"""Thresholds as ratios of integers, so that no rounding decides a tie.

Agreement and heaviness compare counts with a fraction of a count. ``0.2 · 5`` in floating point may
fall on either side of 1; ``1 · 5`` against ``5 · 1`` does not.
"""

from fractions import Fraction
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from jaxlab.checks import check_dtype, check_shape, concrete, require

__all__ = ["Ratio", "ratio"]

#: denominators stay below this, so that products with counts of neighbours fit int32
LARGEST_DENOMINATOR = 10_000


class Ratio(NamedTuple):
    """Numbers in (0, 1) as ratios of integers; an axis may run over several of them.

    Attributes:
        numerator: ``p``.
        denominator: ``q``, at most 10,000.
    """

    numerator: Any  # Int32[Array, "..."]
    denominator: Any  # Int32[Array, "..."]


def ratio(values: Any) -> Ratio:
    """The nearest ratios with denominators up to 10,000; ``0.2`` becomes ``1/5``.

    A grid of them goes through ``jax.vmap`` and stays exact, which traced floats are not.

    Args:
        values: numbers in (0, 1), of any shape.

    Returns:
        Numerators and denominators of that shape.

    Raises:
        ValueError: a value outside of (0, 1), or so near to an end that its ratio is 0 or 1.

    Cost:
        A continued fraction for each, on the host.

    Example:
        >>> numerator, denominator = ratio([0.2, 0.25])
        >>> numerator.tolist(), denominator.tolist()
        ([1, 1], [5, 4])
    """
    return Ratio(*map(jnp.asarray, _nearest("values", values)))


def as_ratio(name: str, value: Any, vertices: int) -> Ratio | Array:
    """A concrete number as a ratio; a traced one as a number, to be compared in floating point."""
    if not isinstance(value, Ratio):
        if concrete(value) is None:
            value = jnp.asarray(value)
            check_shape(name, value, ())
            check_dtype(name, value, "floating")
            # counts of neighbours are cast to its dtype, and half precision would round them
            return value.astype(jnp.promote_types(value.dtype, jnp.float32))
        value = _nearest(name, value)
    for part in value:
        check_shape(name, part, ())
        check_dtype(name, part, "integer")
    numerator, denominator = concrete(value.numerator), concrete(value.denominator)
    if numerator is not None and denominator is not None:
        require(bool(0 < numerator < denominator), name, value, "a ratio in (0, 1)")
    # a traced denominator may be any that a ratio can have
    largest = LARGEST_DENOMINATOR if denominator is None else int(denominator)
    wide = jax.dtypes.canonicalize_dtype(jnp.int64) == jnp.int64
    require(
        wide or 2 * vertices * largest < 2**31,
        name,
        f"a denominator of {largest} with {vertices} vertices",
        "products of degrees and denominator that fit int32 (x64 is off)",
    )
    return Ratio(jnp.asarray(value.numerator), jnp.asarray(value.denominator))


def at_most(
    count: Int[Array, "..."], threshold: Ratio | Array, of: Int[Array, "..."], *, strict: bool
) -> Bool[Array, "..."]:
    """Whether ``count ≤ threshold · of``, or ``<`` where ``strict``."""
    if isinstance(threshold, Ratio):
        wide = jax.dtypes.canonicalize_dtype(jnp.int64)
        left = count.astype(wide) * threshold.denominator
        right = of.astype(wide) * threshold.numerator
    else:
        left, right = count.astype(threshold.dtype), threshold * of
    return left < right if strict else left <= right


def _nearest(name: str, values: Any) -> Ratio:
    """The nearest ratios, of NumPy: what jnp makes inside ``jit`` cannot be looked at there."""
    try:
        numbers = np.asarray(values, np.float64)
    except (TypeError, ValueError):  # no numbers at all
        numbers = np.array(np.nan)
    fits = bool(np.all((numbers > 0) & (numbers < 1)))
    require(fits, name, values, "a number in (0, 1)")
    fractions = [
        Fraction(float(number)).limit_denominator(LARGEST_DENOMINATOR) for number in numbers.flat
    ]
    near = all(0 < part < 1 for part in fractions)
    within = f"a number whose nearest ratio with a denominator up to {LARGEST_DENOMINATOR}"
    require(near, name, values, f"{within} is in (0, 1)")
    parts = [[part.numerator, part.denominator] for part in fractions]
    both = np.array(parts, np.int32).reshape(*numbers.shape, 2)
    return Ratio(both[..., 0], both[..., 1])
