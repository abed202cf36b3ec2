"""A network that predicts column duals from the costs themselves."""

from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Num

from jaxlab.checks import check_finite, check_integer, check_uncut, require
from jaxlab.graph_algorithms._labels import as_prediction
from jaxlab.graph_algorithms.duals import check_problem, tighten_for_assignment, working_dtype
from jaxlab.graph_algorithms.types import Duals

__all__ = ["DualPredictor", "column_features", "predict_duals"]


def column_features(cost: Num[Array, "n m"], *, smallest: int = 8) -> Float[Array, "m features"]:
    """What a column looks like on its own: its smallest costs in order, and their mean.

    Costs are first centred and scaled, so that the features change with neither a constant added
    to all costs nor their unit.

    Args:
        cost: of the edges, all of them there and finite.
        smallest: how many of the smallest entries.

    Returns:
        ``smallest + 1`` numbers for each column.

    Raises:
        ValueError: ``smallest`` is not from 1 to ``n``; outside ``jit``, costs that are not finite.

    Cost:
        A sort of each column.

    Example:
        >>> column_features(jnp.array([[3.0, 5.0], [4.0, 1.0]]), smallest=2).shape
        (2, 3)
    """
    require(jnp.ndim(cost) == 2, "cost", cost, "a matrix")
    check_integer("smallest", smallest, minimum=1)
    require(smallest <= cost.shape[0], "smallest", smallest, f"at most {cost.shape[0]} rows")
    check_finite("cost", cost)
    center, scale = _moments(cost)
    ordered = jnp.sort((cost - center) / scale, axis=0)
    mean = jnp.mean(ordered, axis=0, keepdims=True)
    return jnp.concatenate([ordered[:smallest], mean]).T


class DualPredictor(nn.Module):
    """Column duals by one multilayer perceptron for all columns, applied to each on its own.

    It commutes with permutations of columns, ignores those of rows, and applies to any size.
    Problems with missing edges are none for it: all costs have to be finite.

    Attributes:
        hidden: widths of the hidden layers.
        smallest: how many of a column's smallest costs are its features.
    """

    hidden: Sequence[int] = (64, 64)
    smallest: int = 8

    @nn.compact
    def __call__(self, cost: Num[Array, "n m"]) -> Float[Array, " m"]:
        """Predict ``v`` in units of the cost; see :func:`predict_duals` for feasible duals."""
        x = column_features(cost, smallest=self.smallest)
        for width in self.hidden:
            x = nn.relu(nn.Dense(width)(x))
        _, scale = _moments(cost)
        return scale * nn.Dense(1)(x)[:, 0]


def predict_duals(cost: Num[Array, "n m"], col: Num[Array, " m"]) -> Duals:
    """Feasible duals from any prediction of the columns', by the c-transform.

    On the longer side of problems that are not square they are at most zero, as optimal ones are,
    and larger predictions count as zero.

    Args:
        cost: of the edges.
        col: predicted, such as a :class:`DualPredictor` gives; where costs are integers it is
            rounded, and clipped to what their sums have room for.

    Returns:
        Duals in the dtype of the cost, or that of 32 bits, feasible by construction.

    Raises:
        ValueError: the cost is not a matrix; ``col`` has another length than it has columns, or is
            NaN; costs of NumPy do not fit the type jax gives them.

    Cost:
        O(n m).

    Example:
        >>> predict_duals(jnp.array([[3, 5], [4, 1]]), jnp.array([0.2, -0.3]))
        Duals(row=Array([3, 1], dtype=int32), col=Array([0, 0], dtype=int32))
    """
    check_uncut("cost", cost)
    cost = jnp.asarray(cost)  # its dtype may be narrower than NumPy's
    require(jnp.ndim(cost) == 2, "cost", cost, "a matrix")
    dtype = working_dtype(cost.dtype)
    col = as_prediction("col", col, dtype)
    duals = Duals(jnp.zeros_like(cost, dtype, shape=cost.shape[:1]), col)
    check_problem(cost, duals, None)
    return tighten_for_assignment(cost, duals)


def _moments(cost: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of all costs, the latter 1 where they are constant."""
    floats = cost.astype(jnp.promote_types(cost.dtype, jnp.float32))
    deviation = jnp.std(floats)
    return jnp.mean(floats), jnp.where(deviation > 0, deviation, 1)
