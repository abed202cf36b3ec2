"""What the room refuses, and the three ways to name some of the singular vectors."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxlab.checks import check_dtype, check_finite, concrete, require

__all__ = ["check_columns", "check_matrix", "check_rank", "subset_mask"]


def check_matrix(argument: str, a: Any) -> None:
    """Refuse what is no finite, non-empty matrix of floating-point numbers."""
    require(np.ndim(a) == 2, argument, a, "a 2-D array")
    require(0 not in np.shape(a), argument, a, "a matrix that is not empty")
    check_dtype(argument, a, "floating")
    check_finite(argument, a)


def check_columns(argument: str, c: int, n: int) -> None:
    """Refuse a number of columns outside of 1 to ``n``."""
    fits = isinstance(c, int | np.integer) and not isinstance(c, bool) and 1 <= c <= n
    require(fits, argument, c, f"a number of columns from 1 to {n}")


def check_rank(mask: Array, rank: Array) -> None:
    """Refuse a subset of singular vectors beyond the rank, where both have values."""
    chosen, known = concrete(mask), concrete(rank)
    if chosen is None or known is None or chosen.ndim > 1:
        return
    largest = int(np.flatnonzero(chosen)[-1]) if chosen.any() else -1
    require(
        largest < int(known),
        "subset",
        largest,
        f"indices below {int(known)}: the index exceeds numerical rank",
    )


def subset_mask(subset: Any, size: int) -> Array:
    """Mask of ``size`` singular vectors from indices, static or not, or from a mask."""
    if isinstance(subset, Sequence):
        subset = np.asarray(subset, np.int32 if len(subset) == 0 else None)
    if subset.dtype == np.bool_:
        require(subset.shape == (size,), "subset", subset, f"a mask of {size} singular vectors")
        return jnp.asarray(subset)
    check_dtype("subset", subset, "integer")
    require(subset.ndim == 1, "subset", subset, "indices of shape [k]")
    require(subset.shape[0] >= 1, "subset", subset, "at least one singular vector")
    known = concrete(subset)
    if known is not None:
        fits = bool((known >= 0).all() and (known < size).all())
        expected = f"indices from 0 to {size - 1}: an index exceeds numerical rank"
        require(fits, "subset", known.tolist(), expected)
        distinct = np.unique(known).size == known.size
        require(distinct, "subset", known.tolist(), "no duplicate indices")
        mask = np.zeros(size, bool)
        mask[known] = True
        return jax.device_put(mask)
    return jnp.zeros(size, bool).at[subset].set(True, mode="drop")
