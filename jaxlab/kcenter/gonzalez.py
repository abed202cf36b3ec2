"""Farthest-first traversal: the 2-approximation of k-center, and the order all else builds on."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxlab.checks import check_dtype, check_shape, require
from jaxlab.kcenter._checks import check_centers, check_first, check_points
from jaxlab.kcenter.metrics import (
    Metric,
    comparable_to,
    coordinates_of,
    from_comparable,
)
from jaxlab.kcenter.types import Gonzalez

__all__ = ["gonzalez"]


def gonzalez(
    points: Float[Array, "n d"],
    k: int,
    *,
    first: int | Int[Any, ""] = 0,
    mask: Bool[Array, " n"] | None = None,
    metric: Metric = "euclidean",
    use_pallas: bool = False,
) -> Gonzalez:
    """Pick ``k`` points, each the farthest from those before it.

    ``s_i = argmax_p min_{j<i} d(p, s_j)``, the lowest index among equals. The covering radius of
    ``k`` picks is at most twice the least one of any ``k`` points, and the picks are pairwise at
    least ``radii[k − 2]`` apart. Where only duplicates of the picks are left, those that have not
    been picked follow in order of their index, so that no point is picked twice.

    Under ``jax.vmap`` over clouds of unequal sizes, ``mask`` tells the points from the padding. A
    cloud with fewer than ``k`` points has −1 for the picks that are missing, and radius 0.

    Args:
        points: coordinates; for "precomputed" the ``[n, n]`` distances.
        k: number of picks; static.
        first: the first pick.
        mask: which points are there; all of them by default.
        metric: a name of :data:`~jaxlab.kcenter.metrics.METRICS` or a function; static.
        use_pallas: compute by a kernel that reads the points once for every pick ("euclidean" and
            "sqeuclidean" only); it runs compiled on GPU and TPU and interpreted, slowly, on CPU;
            static.

    Returns:
        Picks, covering radii of all prefixes, and the nearest pick of every point. ``radii`` is
        differentiable in ``points``; distances are constants.

    Raises:
        ValueError: ``k < 1``; fewer points than ``k``; coordinates that are not finite; ``first``
            that is no point; unknown metric.

    Cost:
        O(n k d) time; memory for three numbers a point beside the coordinates.

    Source:
        Gonzalez 1985, *Clustering to minimize the maximum intercluster distance*; phase 1 of
        Angelidakis et al. 2022.

    Example:
        >>> line = jnp.array([[0.0], [1.0], [5.0], [9.0]])
        >>> order = gonzalez(line, 3)
        >>> order.indices.tolist(), order.radii.tolist(), order.labels.tolist()
        ([0, 3, 2], [9.0, 4.0, 1.0], [0, 0, 2, 1])
    """
    check_points(points, metric)
    n = points.shape[0]
    check_centers(k, n)
    if mask is not None:
        check_shape("mask", mask, (n,))
        check_dtype("mask", mask, "bool")
    check_first(first, n, mask)
    if use_pallas:
        by_squares = metric in ("euclidean", "sqeuclidean")
        require(by_squares, "metric", metric, "'euclidean' or 'sqeuclidean' with use_pallas")
    return _gonzalez(points, k, first, mask, metric, use_pallas)


@functools.partial(jax.jit, static_argnames=("k", "metric", "use_pallas"))
def _gonzalez(
    points: Array, k: int, first: Any, mask: Array | None, metric: Metric, use_pallas: bool
) -> Gonzalez:
    known = jax.lax.stop_gradient(points)
    start = jnp.asarray(first, jnp.int32)
    traverse = _traverse
    indices, farthest, nearest, values, labels = traverse(known, k, start, mask, metric)
    radii = from_comparable(values[0], metric)
    radii = radii + gradient_of_pairs(points, farthest, indices[nearest], metric)
    distances = from_comparable(values[1], metric)
    return Gonzalez(indices, radii, distances, labels)


def _traverse(
    points: Array, k: int, first: Array, mask: Array | None, metric: Metric
) -> tuple[Array, Array, Array, tuple[Array, Array], Array]:
    """Picks, who is farthest after each and from which pick, at what value, and all points'.

    Points that have been picked or are masked away stand at −1, below all others.
    """
    n = points.shape[0]
    coordinates = points if metric == "precomputed" else coordinates_of(points, metric)

    def step(i: Array, state: tuple) -> tuple:
        value, labels, pick, indices, farthest, nearest, radii = state
        if metric == "precomputed":
            new = coordinates[:, pick]
        else:
            new = comparable_to(coordinates, coordinates[:, pick], metric)
        # else XLA on CPU computes the distances twice, for the labels and for the minimum
        new = jax.lax.optimization_barrier(new)
        there = pick >= 0
        closer = there & (new < value)
        labels = jnp.where(closer, i, labels)
        value = jnp.where(closer, new, value)
        slot = jnp.where(there, pick, n)
        value = value.at[slot].set(-1, mode="drop")
        labels = labels.at[slot].set(i, mode="drop")
        far = jnp.argmax(value).astype(jnp.int32)
        left = value[far] >= 0
        indices = indices.at[i].set(pick)
        farthest = farthest.at[i].set(jnp.where(left, far, pick))
        nearest = nearest.at[i].set(jnp.where(left, labels[far], i))
        radii = radii.at[i].set(jnp.maximum(value[far], 0))
        return value, labels, jnp.where(left, far, -1), indices, farthest, nearest, radii

    present = jnp.ones(n, bool) if mask is None else mask
    value = jnp.where(present, jnp.asarray(jnp.inf, points.dtype), -1)
    empty = jnp.full(k, -1, jnp.int32)
    state = (
        value,
        jnp.full(n, -1, jnp.int32),
        jnp.where(present[first], first, -1),
        empty,
        empty,
        empty,
        jnp.zeros(k, points.dtype),
    )
    value, labels, _, *picked, radii = jax.lax.fori_loop(0, k, step, state)
    return *picked, (radii, jnp.maximum(value, 0)), labels


def gradient_of_pairs(points: Array, one: Array, other: Array, metric: Metric) -> Array:
    """Zeros with the gradient of the distances between points ``one`` and points ``other``."""
    if metric == "precomputed":
        length = points[one, other]
    else:
        coordinates = coordinates_of(points, metric)

        def distance(i: Array, j: Array) -> Array:
            return comparable_to(coordinates[:, i][:, None], coordinates[:, j], metric)[0]

        length = from_comparable(jax.vmap(distance)(one, other), metric)
    length = jnp.where((one >= 0) & (other >= 0), length, 0)
    return length - jax.lax.stop_gradient(length)
