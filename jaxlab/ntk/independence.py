"""Whether the examples of a batch influence one another.

Kernels with ``vmap_axes`` treat each example on its own. On a network whose examples interact, such
as one with batch normalisation in training mode, they are kernels of another function.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from jaxlab.checks import check_scalar, require
from jaxlab.convolutions import canonical_convolutions
from jaxlab.ntk._problem import prepare
from jaxlab.ntk.status import DEPENDENT, OK, UNTESTED
from jaxlab.ntk.types import ApplyFn, VmapAxes

__all__ = ["DEPENDENT", "INDEPENDENT", "UNTESTED", "Independence", "check_independence"]

INDEPENDENT = OK


class Independence(NamedTuple):
    """How strongly examples influence one another.

    Attributes:
        influence: largest change of an output when another example is replaced, relative to the
            largest output of the batch; ``inf`` where it makes an output finite or not finite.
        source: the example that was replaced in that case.
        target: the example whose output changed.
        status: ``INDEPENDENT`` (0); ``DEPENDENT`` (7); ``UNTESTED`` (8): no example of the batch
            differs from its successor, so that replacing one changed nothing.
    """

    influence: Float[Array, ""]
    source: Int[Array, ""]
    target: Int[Array, ""]
    status: Int[Array, ""]


def check_independence(
    apply_fn: ApplyFn,
    params: PyTree,
    x: PyTree,
    *,
    vmap_axes: int | VmapAxes = 0,
    tolerance: int | float | None = None,
) -> Independence:
    """Whether any example of a batch influences the outputs of another.

    One example at a time is replaced by its successor::

        influence  =  max over i ≠ j of  |f(x with x_j ← x_{j+1})_i − f(x)_i| / max |f(x)|

    The check is of values at these parameters and inputs: a few distinct, typical examples are
    enough to find batch statistics; an influence that they do not excite is not found.

    Args:
        apply_fn: ``(params, x) -> outputs``, a network on a batch.
        params: parameters.
        x: at least one example; two or more distinct ones to test anything.
        vmap_axes: axis of the examples in ``x`` and in the outputs, as in
            :func:`jaxlab.ntk.kernel.ntk_fn`.
        tolerance: influences up to this count as rounding; None means 100 units of rounding of
            each output, and at most 0.05.

    Returns:
        The strongest influence between two examples, over all outputs.

    Raises:
        ValueError: no example; example axes that do not fit; what :func:`jaxlab.ntk.kernel.ntk_fn`
            refuses.

    Cost: a forward pass of the whole batch for each example, one after the other.

    Example:
        >>> def normalised(w, x):
        ...     h = x @ w
        ...     return h - h.mean(0)
        >>> x = jnp.array([[1.0], [2.0], [4.0]])
        >>> found = check_independence(normalised, jnp.ones((1, 1)), x)
        >>> int(found.status) == DEPENDENT
        True
        >>> int(check_independence(lambda w, x: x @ w, jnp.ones((1, 1)), x).status) == INDEPENDENT
        True
    """
    require(vmap_axes is not None, "vmap_axes", vmap_axes, "the axis of the examples")
    if tolerance is not None:
        check_scalar("tolerance", tolerance, minimum=0)
    problems, _ = prepare(
        apply_fn, x, None, params, trace_axes=(), diagonal_axes=(), vmap_axes=vmap_axes
    )
    first = problems[0]
    assert first.layout.batch is not None
    number = first.shape1[first.layout.batch]
    require(number > 0, "x", x, "at least one example")
    dtypes = [jax.eval_shape(each.apply, each.leaves, x).dtype for each in problems]
    tolerances = jnp.asarray(
        [
            min(100 * float(jnp.finfo(dtype).eps), 0.05) if tolerance is None else tolerance
            for dtype in dtypes
        ]
    )

    def outputs(x: Any) -> list[Array]:
        """One row for each example, from each output."""
        return [
            jnp.moveaxis(each.apply(each.leaves, x), each.layout.batch or 0, 0).reshape(number, -1)
            for each in problems
        ]

    unchanged = outputs(x)
    positions = jnp.arange(number)

    def influences(source: Array) -> tuple[Array, Array]:
        """Change of each output of each example; whether the input changed at all."""
        replaced = first.example(x, positions.at[source].set((source + 1) % number))
        changes = [
            _relative_change(before, after)
            for before, after in zip(unchanged, outputs(replaced), strict=True)
        ]
        differs = [
            jnp.any(a != b) for a, b in zip(*map(jax.tree.leaves, (x, replaced)), strict=True)
        ]
        change = jnp.where(positions == source, 0, jnp.stack(changes))
        return change, jnp.any(jnp.stack(differs))

    loop = functools.partial(jax.lax.map, influences)
    found, tested = canonical_convolutions(loop)(positions)
    matrix = jnp.max(found, 1)
    source, target = jnp.unravel_index(jnp.argmax(matrix), matrix.shape)
    dependent = jnp.any(jnp.max(found, (0, 2)) > tolerances)
    untested = jnp.where(jnp.any(tested), INDEPENDENT, UNTESTED)
    status = jnp.where(dependent, DEPENDENT, untested).astype(jnp.int32)
    return Independence(matrix[source, target], source, target, status)


def _relative_change(before: Array, after: Array) -> Array:
    """Largest change in each row, relative to the largest finite entry of ``before``."""
    finite = jnp.isfinite(before)
    scale = jnp.max(jnp.where(finite, jnp.abs(before), 0), initial=0)
    change = jnp.where(finite & jnp.isfinite(after), jnp.abs(after - before), jnp.inf)
    same = (before == after) | (jnp.isnan(before) & jnp.isnan(after))
    change = jnp.where(same, 0, change / jnp.where(scale > 0, scale, 1))
    return jnp.max(change, 1, initial=0)
