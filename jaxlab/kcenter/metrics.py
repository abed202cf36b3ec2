"""Distances between points, and tables of them."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num

from jaxlab.checks import check_choice, check_dtype, check_integer, check_shape, require, uncut
from jaxlab.varying import vary_like

__all__ = ["METRICS", "Metric", "distance_matrix", "safe_sqrt"]

#: distances that have a name; "precomputed" takes distances in place of coordinates
METRICS = ("euclidean", "sqeuclidean", "manhattan", "cosine-angle", "precomputed")

#: a name of :data:`METRICS`, or a function of points ``[n, d]`` and one point ``[d]`` that returns
#: the distances ``[n]``, which are converted to the type of the points
Metric = str | Callable[[Any, Any], Any]

UNROLLED = 16


def safe_sqrt(square: Num[Array, "..."]) -> Float[Array, "..."]:
    """Square root whose gradient at 0 is 0 rather than infinite.

    Args:
        square: numbers that are not negative.

    Returns:
        Their square roots.

    Cost:
        One pass.

    Example:
        >>> float(jax.grad(safe_sqrt)(0.0))
        0.0
    """
    zero = square == 0  # compared so, a NaN stays one
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, square)))


@uncut
@functools.partial(jax.jit, static_argnames=("metric", "block_size"))
def distance_matrix(
    points: Float[Array, "n d"],
    centers: Float[Array, "k d"] | Int[Array, " k"],
    *,
    metric: Metric = "euclidean",
    block_size: int | None = None,
) -> Float[Array, "n k"]:
    """Distances of all points to all centers, ``D[p, j] = d(p, s_j)``.

    Differences come first and squares after: no digits are lost among near points, as they are in
    ``|x|² − 2 x·c + |c|²``. The angle is ``2 atan2(|u − v|, |u + v|)`` of the unit vectors, exact
    to the last digits for small and for large ones; that of a zero vector to any other is ``π/2``.
    Where sums of squared differences overflow, above 10¹⁹ in float32 and 255 in float16, distances
    are infinite; where they underflow, below 10⁻¹⁹ in float32 and 2·10⁻⁴ in float16, distances are
    0, and so are angles in float32. Angles do not overflow. In half precision, sums over the
    coordinates are float32 until they are complete.

    Args:
        points: coordinates; for "precomputed" the ``[n, n]`` distances of all points, which only
            few points have room for.
        centers: coordinates of the centers, or which of the points they are; −1 gives an infinite
            column.
        metric: a name of :data:`METRICS`, or a function of points ``[n, d]`` and one point ``[d]``
            that returns the distances ``[n]``, of any type; static.
        block_size: so many points at a time, which bounds the memory of a metric that broadcasts;
            static.

    Returns:
        The table of distances, squares of them for "sqeuclidean", radians for "cosine-angle", of
        the type that points and centers promote to; differentiable, with gradient 0 at distance 0.

    Raises:
        ValueError: unknown metric; coordinates that are not floating; shapes that do not fit;
            coordinates of centers for distances that are given; numbers of NumPy that do not fit
            the type jax gives them.

    Cost:
        O(n k d) time, and beside the table memory for ``d`` numbers of each point.

    Example:
        >>> points = jnp.array([[0.0, 0.0], [3.0, 4.0], [0.0, 4.0]])
        >>> distance_matrix(points, jnp.array([0, 2])).tolist()
        [[0.0, 4.0], [5.0, 3.0], [4.0, 0.0]]
    """
    check_metric(metric)
    check_shape("points", points, ("n", "d"))
    check_dtype("points", points, "floating")
    require(points.shape[1] > 0, "points", points, "at least one coordinate")
    by_index = jnp.issubdtype(centers.dtype, jnp.integer)
    if metric == "precomputed":
        check_shape("points", points, (points.shape[1], points.shape[1]))
        require(by_index, "centers", centers, "indices of points where metric is 'precomputed'")
    if not by_index:
        check_dtype("centers", centers, "floating")
    check_shape("centers", centers, ("k",) if by_index else ("k", points.shape[1]))
    if block_size is not None:
        check_integer("block_size", block_size, minimum=1)

    if not by_index:
        return _table(points, centers, metric, block_size)
    centers = centers.astype(jnp.int32)  # smaller integers may not hold n
    there = centers >= 0
    chosen = jnp.where(there, centers, 0)
    if metric == "precomputed":
        table = jnp.take(points, chosen, axis=1)
    else:
        table = _table(points, points[chosen], metric, block_size)
    return jnp.where(there, table, jnp.inf)


def _table(points: Array, centers: Array, metric: Metric, block_size: int | None) -> Array:
    """Columns one after the other, of all points or of blocks of them."""
    targets = coordinates_of(centers, metric).T

    def columns(part: Array) -> Array:
        coordinates = coordinates_of(part, metric)
        rows = jax.lax.map(lambda center: comparable_to(coordinates, center, metric), targets)
        return from_comparable(rows, metric).T

    n = points.shape[0]
    if block_size is None or block_size >= n:
        return columns(points)
    blocks = -(-n // block_size)
    padded = jnp.pad(points, ((0, blocks * block_size - n), (0, 0)), mode="edge")
    tables = jax.lax.map(columns, padded.reshape(blocks, block_size, -1))
    return tables.reshape(blocks * block_size, -1)[:n]


def coordinates_of(points: Array, metric: Metric) -> Array:
    """What :func:`comparable_to` compares, ``[d, n]``: unit vectors for angles.

    Coordinates come first, so that a sum over them is one over whole vectors of points.
    """
    if metric == "cosine-angle":
        scale = jax.lax.stop_gradient(jnp.max(jnp.abs(points), axis=1, keepdims=True))
        points = points / jnp.where(scale > 0, scale, 1)  # else squares overflow, or underflow
        norm = safe_sqrt(_total(jnp.square, points.T))
        units = points.astype(norm.dtype) / jnp.where(norm > 0, norm, 1)[:, None]
        points = units.astype(points.dtype)
    return points.T


def comparable_to(coordinates: Array, center: Array, metric: Metric) -> Array:
    """Numbers that are ordered as the distances to ``center`` are; squares for "euclidean"."""
    if callable(metric):
        return _measured(coordinates.T, center, metric)
    shape = center.shape + (1,) * (coordinates.ndim - 1)
    return _compared(coordinates, center.reshape(shape), metric, _total)


def _measured(points: Array, center: Array, metric: Callable[[Any, Any], Any]) -> Array:
    """Distances by a function, which may count in integers or convert half precision to float32."""
    return jnp.asarray(metric(points, center)).astype(jnp.result_type(points, center))


def _compared(one: Array, other: Array, metric: Metric, total: Callable[..., Array]) -> Array:
    """The same of coordinates that broadcast; ``total`` sums over the first axis."""
    kind = jnp.result_type(one, other)
    if metric in ("euclidean", "sqeuclidean"):
        return total(lambda u, v: jnp.square(u - v), one, other).astype(kind)
    if metric == "manhattan":
        return total(lambda u, v: jnp.abs(u - v), one, other).astype(kind)
    apart = safe_sqrt(total(lambda u, v: jnp.square(u - v), one, other))
    together = safe_sqrt(total(lambda u, v: jnp.square(u + v), one, other))
    # two zero vectors are at angle 0, with gradient 0
    nothing = (apart == 0) & (together == 0)
    angle = 2 * jnp.where(nothing, 0, jnp.arctan2(apart, jnp.where(nothing, 1, together)))
    return angle.astype(kind)


def from_comparable(value: Array, metric: Metric) -> Array:
    """The distances that :func:`comparable_to` has ordered."""
    return safe_sqrt(value) if metric == "euclidean" else value


def paired_distances(points: Array, one: Array | None, other: Array, metric: Metric) -> Array:
    """Distances between the points ``one[p]``, or all points, and the points ``other[p]``."""
    if metric == "precomputed":
        return points[jnp.arange(points.shape[0]) if one is None else one, other]
    rows = coordinates_of(points, metric).T

    def distance(u: Array, v: Array) -> Array:
        if callable(metric):
            return _measured(u[None], v, metric)[0]
        return from_comparable(_compared(u, v, metric, _total_of_row), metric)

    return jax.vmap(distance)(rows if one is None else rows[one], rows[other])


def type_of_sums(*operands: Array) -> Any:
    """At least float32: in half precision a sum of many numbers stops growing before its end."""
    return jnp.promote_types(jnp.result_type(*operands), jnp.float32)


def check_metric(metric: Metric) -> None:
    """Refuse what is neither a function nor one of the names."""
    if not callable(metric):
        check_choice("metric", metric, METRICS)


def _total(term: Callable[..., Array], *operands: Array) -> Array:
    """Sum of ``term`` over the coordinates, in order; of half precision, in float32.

    XLA turns a reduction over a leading axis into strided reads, thirty times slower on a CPU than
    the sum written out, so that sixteen coordinates at a time are written out.
    """
    kind = type_of_sums(*operands)

    def written_out(*parts: Array) -> Array:
        coordinates = zip(*parts, strict=True)
        return functools.reduce(
            jnp.add, [term(*(part.astype(kind) for part in each)) for each in coordinates]
        )

    d = operands[0].shape[0]
    whole = d - d % UNROLLED
    if d <= UNROLLED:
        return written_out(*operands)
    start = jnp.zeros(jnp.broadcast_shapes(*(part.shape[1:] for part in operands)), kind)
    start = vary_like(start, operands)
    blocks = [operand[:whole].reshape(-1, UNROLLED, *operand.shape[1:]) for operand in operands]
    total, _ = jax.lax.scan(lambda sum_, part: (sum_ + written_out(*part), None), start, blocks)
    if whole < d:
        total = total + written_out(*(operand[whole:] for operand in operands))
    return total


def _total_of_row(term: Callable[..., Array], *operands: Array) -> Array:
    """The same where each point's coordinates lie side by side, as rows that were looked up do.

    There the written-out sum reads with strides, and a reduction does not; of few coordinates the
    former is faster all the same.
    """
    if operands[0].shape[0] <= UNROLLED:
        return _total(term, *operands)
    kind = type_of_sums(*operands)
    return jnp.sum(term(*(operand.astype(kind) for operand in operands)), axis=0)
