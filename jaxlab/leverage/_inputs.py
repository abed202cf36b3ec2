"""What the room refuses, and the three ways to name some of the singular vectors."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxlab.checks import check_dtype, check_finite, concrete, require

__all__ = [
    "check_columns",
    "check_matrix",
    "check_precision",
    "check_rank",
    "subset_array",
    "subset_mask",
]


def check_matrix(argument: str, a: Any) -> None:
    """Refuse what is no finite, non-empty matrix of single or double precision."""
    require(np.ndim(a) == 2, argument, a, "a 2-D array")
    require(0 not in np.shape(a), argument, a, "a matrix that is not empty")
    check_dtype(argument, a, "floating")
    check_precision(argument, getattr(a, "dtype", np.float64))
    check_finite(argument, a)


def check_precision(argument: str, dtype: Any) -> None:
    """Refuse a dtype in which there are no decompositions."""
    require(np.dtype(dtype) in (np.float32, np.float64), argument, dtype, "float32 or float64")


def check_columns(argument: str, c: int, n: int, *, what: str = "columns") -> None:
    """Refuse a number of columns, or of something else, outside of 1 to ``n``."""
    fits = isinstance(c, int | np.integer) and not isinstance(c, bool) and 1 <= c <= n
    require(fits, argument, c, f"a number of {what} from 1 to {n}")


def check_rank(mask: Array, rank: Array, *, name: str = "subset") -> None:
    """Refuse a subset of singular vectors beyond the rank, where both have values."""
    chosen, known = concrete(mask), concrete(rank)
    if chosen is None or known is None or chosen.ndim > 1:
        return
    largest = int(np.flatnonzero(chosen)[-1]) if chosen.any() else -1
    require(
        largest < int(known),
        name,
        largest,
        f"indices below {int(known)}: the index exceeds numerical rank",
    )


def subset_array(subset: Any) -> Any:
    """An array of a subset; of NumPy where its values are known, which under ``jit`` jax hides."""
    if hasattr(subset, "dtype"):
        return subset
    known = concrete(subset)
    return jnp.asarray(subset) if known is None else known


def subset_mask(subset: Any, size: int, *, name: str = "subset") -> Array:
    """Mask of ``size`` singular vectors from indices or a mask; traced ones beyond do not count."""
    if not hasattr(subset, "dtype"):
        empty = isinstance(subset, Sequence) and len(subset) == 0
        subset = np.asarray(subset, np.int32 if empty else None)
    known = concrete(subset)
    if subset.dtype == np.bool_:
        require(subset.shape == (size,), name, subset, f"a mask of {size} singular vectors")
        some = known is None or bool(known.any())
        require(some, name, subset, "at least one singular vector")
        return jnp.asarray(subset)
    check_dtype(name, subset, "integer")
    require(subset.ndim == 1, name, subset, "indices of shape [k]")
    require(subset.shape[0] >= 1, name, subset, "at least one singular vector")
    if known is not None:
        fits = bool((known >= 0).all() and (known < size).all())
        expected = f"indices from 0 to {size - 1}: an index exceeds numerical rank"
        require(fits, name, known.tolist(), expected)
        distinct = np.unique(known).size == known.size
        require(distinct, name, known.tolist(), "no duplicate indices")
        mask = np.zeros(size, bool)
        mask[known] = True
        return jax.device_put(mask)
    return jnp.any(subset[:, None] == jnp.arange(size), axis=0)
