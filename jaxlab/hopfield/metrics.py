"""How well was a pattern recalled: by its pixels, and by the memory that was picked.

The paper counts a recall as correct when the squared error over the whole image is below an
absolute threshold. That also counts blurred averages of many memories as correct, so
:func:`index_recall` (did the largest weight fall on the right memory) is reported beside it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Real

from jaxlab.checks import (
    check_dtype,
    check_integer,
    check_number,
    check_scalar,
    check_shape,
    concrete,
    require,
    uncut,
)
from jaxlab.hopfield._declare import float_dtype
from jaxlab.hopfield.types import Number
from jaxlab.varying import vary_like

__all__ = [
    "BasinRadius",
    "basin_radius",
    "fraction_correct",
    "index_recall",
    "scaled_threshold",
    "separation_margin",
    "squared_error",
]


@jax.jit
def squared_error(output: Real[Array, "*b d"], target: Real[Array, "*b d"]) -> Float[Array, "*b"]:
    """Squared error of each pattern, summed over its entries: ``Σ_i (output_i − target_i)²``.

    Args:
        output: recalled patterns, ``[*b, d]``.
        target: true patterns, ``[*b, d]``.

    Returns:
        Errors ``[*b]``, in squared units of the patterns, float32 or wider.

    Raises:
        ValueError: the shapes differ.

    Cost: O(size of output) time.

    Source: Millidge et al. 2022, section 4.

    Example:
        >>> squared_error(jnp.array([[1.0, 0.0]]), jnp.array([[0.0, 2.0]]))
        Array([5.], dtype=float32)
    """
    check_shape("output", output, ("...", "d"))
    check_shape("target", target, output.shape)
    dtype = float_dtype(output, target)  # the difference of small integers would wrap around
    return jnp.sum(jnp.square(output.astype(dtype) - target.astype(dtype)), axis=-1)


@jax.jit
def fraction_correct(
    output: Real[Array, "*b d"],
    target: Real[Array, "*b d"],
    threshold: Number,
    valid: Bool[Array, "*b"] | None = None,
) -> Float[Array, ""]:
    """Share of the patterns whose :func:`squared_error` is at most ``threshold``.

    Args:
        output: recalled patterns, ``[*b, d]``.
        target: true patterns, ``[*b, d]``.
        threshold: largest squared error of a correct recall; may be traced. The paper's figures
            use 50 for 28×28 images, see :func:`scaled_threshold`.
        valid: which patterns count, ``[*b]``; default all.

    Returns:
        A share in ``[0, 1]``; 0 when no pattern counts. A NaN error is not correct.

    Raises:
        ValueError: the shapes differ, ``valid`` is not boolean of shape ``[*b]``.

    Cost: O(size of output) time.

    Source: Millidge et al. 2022, section 4.

    Example:
        >>> output = jnp.array([[1.0, 0.0], [0.0, 0.0]])
        >>> fraction_correct(output, jnp.ones((2, 2)), 1.0)
        Array(0.5, dtype=float32)
    """
    check_shape("threshold", threshold, ())
    return _share(squared_error(output, target) <= threshold, valid)


@uncut
@jax.jit
def index_recall(
    weights: Real[Array, "*b n"],
    target_index: Int[Array, "*b"],
    valid: Bool[Array, "*b"] | None = None,
) -> Float[Array, ""]:
    """Share of the queries whose largest weight falls on the right memory.

    Args:
        weights: separated scores, ``[*b, n]``; of equal largest weights the first counts.
        target_index: number of the right memory, ``[*b]``.
        valid: which queries count, ``[*b]``; default all.

    Returns:
        A share in ``[0, 1]``; 0 when no query counts. Weights that are NaN are not a recall.

    Raises:
        ValueError: no memories, ``target_index`` not integer of shape ``[*b]``, or of NumPy and
            too wide for the type jax gives it, ``valid`` not boolean of that shape.

    Cost: O(size of weights) time.

    Source: not in the paper; see the module's docstring.

    Example:
        >>> index_recall(jnp.array([[0.9, 0.1], [0.8, 0.2]]), jnp.array([0, 1]))
        Array(0.5, dtype=float32)
    """
    _check_scores("weights", weights, target_index)
    return _share(picks(weights, target_index), valid)


def picks(weights: Real[Array, "*b n"], index: Int[Array, "*b"]) -> Bool[Array, "*b"]:
    """Whether the largest weight is at ``index``; not where one is NaN."""
    return (jnp.argmax(weights, axis=-1) == index) & ~jnp.isnan(jnp.max(weights, axis=-1))


def scaled_threshold(base: float = 50.0, reference_dim: int = 784, *, dim: int) -> float:
    """The error threshold that allows the same error per pixel: ``base·dim/reference_dim``.

    The official code's ``normalize_error_threshold`` does the reverse, ``base·reference_dim/dim``,
    and so asks more of larger images; pass ``dim`` and ``reference_dim`` exchanged to reproduce it.

    Args:
        base: threshold at ``reference_dim``, >= 0.
        reference_dim: pixels of the images for which ``base`` was chosen.
        dim: pixels of the images at hand.

    Returns:
        The threshold, in squared units of the patterns.

    Raises:
        ValueError: a negative base or a size below 1.

    Cost: O(1).

    Source: Millidge et al. 2022, section 4, and the official code.

    Example:
        >>> scaled_threshold(dim=3072)
        195.91836734693877
        >>> round(scaled_threshold(60.0, 3072, dim=784), 2)
        15.31
    """
    check_scalar("base", base, minimum=0)
    check_integer("reference_dim", reference_dim, minimum=1)
    check_integer("dim", dim, minimum=1)
    return base * dim / reference_dim


@uncut
@jax.jit
def separation_margin(
    scores: Real[Array, "*b n"], target_index: Int[Array, "*b"]
) -> Real[Array, "*b"]:
    """By how much the right memory's score beats the best other one: ``s_i − max_{j≠i} s_j``.

    Softmax retrieval with margin ``m`` errs by at most
    ``(N−1)e^{−βm}/(1+(N−1)e^{−βm})·max_j‖p_j − p_i‖``.

    Args:
        scores: similarity scores, ``[*b, n]``, floating; masked ones are −inf.
        target_index: number of the right memory, ``[*b]``.

    Returns:
        Margins ``[*b]`` in units of the scores: positive if the right memory wins, +inf if it has
        no rival, NaN if ``target_index`` is no memory's number.

    Raises:
        ValueError: no memories, ``target_index`` not integer of shape ``[*b]``, or of NumPy and
            too wide for the type jax gives it.

    Cost: O(size of scores) time.

    Source: Ramsauer et al. 2021, "Hopfield Networks is All You Need", definition 2.

    Example:
        >>> separation_margin(jnp.array([3.0, 1.0, 2.5]), jnp.array(0))
        Array(0.5, dtype=float32)
    """
    _check_scores("scores", scores, target_index)
    check_dtype("scores", scores, "floating")
    own = jnp.arange(scores.shape[-1]) == target_index[..., None]
    target = jnp.max(jnp.where(own, scores, -jnp.inf), axis=-1)
    rival = jnp.max(jnp.where(own, -jnp.inf, scores), axis=-1)
    return jnp.where(jnp.any(own, axis=-1), target - rival, jnp.nan)


class BasinRadius(NamedTuple):
    """Result of :func:`basin_radius`.

    Attributes:
        radius: largest level of the grid with enough recall, ``[]``; 0 if even the first fails.
        level: its place in the grid, ``[]`` int32; −1 if even the first fails.
        rate: the recall measured there, ``[]``; NaN if even the first fails.
    """

    radius: Float[Array, ""]
    level: Int[Array, ""]
    rate: Float[Array, ""]


def basin_radius(
    recall_at: Callable[[Float[Array, ""]], Float[Array, ""]],
    levels: Sequence[float] | Float[Array, " levels"],
    required: float = 0.95,
) -> BasinRadius:
    """The largest corruption that is still recalled well enough, by bisection over a grid.

    Assumes that recall does not rise with the level of corruption; draw all levels from one key
    (as the functions of :mod:`jaxlab.hopfield.corruption` then do nested corruptions) to make this
    true within sampling error.

    Args:
        recall_at: share of patterns recalled at a given level, a traceable function from a scalar
            to a scalar in ``[0, 1]``.
        levels: increasing levels of corruption, ``[levels]``; at least one.
        required: recall that counts as good enough, in ``[0, 1]``.

    Returns:
        A :class:`BasinRadius`.

    Raises:
        ValueError: no levels, levels that do not increase, ``required`` outside ``[0, 1]``.

    Cost: ``⌈log2(levels + 1)⌉`` calls of ``recall_at``, traced twice.

    Source: the basin of attraction as in Hopfield 1982; 95 % is this package's convention.

    Example:
        >>> basin_radius(lambda level: 1.0 - level, [0.01, 0.04, 0.2, 0.5]).radius
        Array(0.04, dtype=float32)
    """
    check_number("levels", levels)
    check_scalar("required", required, minimum=0, maximum=1)
    grid = jnp.asarray(levels, dtype=jnp.result_type(float))
    check_shape("levels", grid, ("levels",))
    require(grid.shape[0] >= 1, "levels", grid, "at least one level")
    values = concrete(grid)
    increasing = values is None or bool((values[1:] > values[:-1]).all())
    require(increasing, "levels", levels, "levels that increase")

    def step(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        # Invariant: recall suffices at `low` (or low = -1) and fails at `high` (or it is the end).
        low, high, rate = state
        middle = (low + high) // 2
        measured = jnp.asarray(recall_at(grid[middle]), grid.dtype)
        enough = measured >= required
        return (
            jnp.where(enough, middle, low),
            jnp.where(enough, high, middle),
            jnp.where(enough, measured, rate),
        )

    start = (jnp.int32(-1), jnp.int32(grid.shape[0]), jnp.asarray(jnp.nan, grid.dtype))
    start = vary_like(start, grid, required, jax.eval_shape(recall_at, grid[0]))
    low, _, rate = jax.lax.while_loop(lambda state: state[0] + 1 < state[1], step, start)
    radius = jnp.where(low >= 0, grid[jnp.maximum(low, 0)], 0)
    return BasinRadius(radius, low, rate)


def _share(right: Bool[Array, "*b"], valid: Bool[Array, "*b"] | None) -> Float[Array, ""]:
    """Mean of ``right`` over the valid entries, 0 if there are none."""
    if valid is None:
        valid = jnp.ones(right.shape, bool)
    check_dtype("valid", valid, "bool")
    check_shape("valid", valid, right.shape)
    return jnp.sum(right & valid) / jnp.maximum(jnp.sum(valid), 1)


def _check_scores(argument: str, scores: Array, target_index: Array) -> None:
    check_shape(argument, scores, ("...", "n"))
    require(scores.shape[-1] >= 1, argument, scores, "at least one memory")
    check_dtype("target_index", target_index, "integer")
    check_shape("target_index", target_index, scores.shape[:-1])
