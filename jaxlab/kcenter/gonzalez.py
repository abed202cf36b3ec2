"""Farthest-first traversal: the 2-approximation of k-center, and the order all else builds on."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxlab.checks import check_bool, check_dtype, check_shape, require
from jaxlab.kcenter._checks import check_centers, check_first, check_points
from jaxlab.kcenter._devices import alike, gathered
from jaxlab.kcenter._gonzalez_kernel import traverse_by_kernel
from jaxlab.kcenter._order import Order
from jaxlab.kcenter.metrics import (
    Metric,
    comparable_to,
    coordinates_of,
    from_comparable,
    paired_distances,
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
    axis_name: str | None = None,
) -> Gonzalez:
    """Pick ``k`` points, each the farthest from those before it.

    ``s_i = argmax_p min_{j<i} d(p, s_j)``, the lowest index among equals. The covering radius of
    ``k`` picks is at most twice the least one of any ``k`` points, and the picks are pairwise at
    least ``radii[k − 2]`` apart. Where only duplicates of the picks are left, those that have not
    been picked follow in order of their index, so that no point is picked twice.

    Under ``jax.vmap`` over clouds of unequal sizes, ``mask`` tells the points from the padding. A
    cloud with fewer than ``k`` points has −1 for the picks that are missing, and radius 0.

    Euclidean distances are compared by their squares. Concrete points so far apart in a coordinate
    that its square overflows are refused, unless there is a ``mask``; all other distances whose
    squares overflow are infinite. Distances whose squares underflow, below 10⁻¹⁹ in float32, count
    as 0.

    Args:
        points: coordinates; for "precomputed" the ``[n, n]`` distances.
        k: number of picks; static.
        first: the first pick. Where it is traced and masked away, its place stays empty, with pick
            −1 and an infinite radius, and the lowest index of the others follows.
        mask: which points are there; all of them by default.
        metric: a name of :data:`~jaxlab.kcenter.metrics.METRICS` or a function; static.
        use_pallas: compute by a kernel that reads the points once for every pick ("euclidean" and
            "sqeuclidean" only); interpreted, slowly, on CPU, where ``jax.shard_map`` needs
            ``check_vma=False``; compiled on GPUs, where it takes as long as the form without it
            (``tests/benchmarks/accelerator.md``), and on TPUs, for which only its lowering is
            tested; static.
        axis_name: inside ``jax.shard_map``, the axis that points are split along, in equal parts;
            picks count over all devices, and radii are constants; static. Not for "precomputed",
            which :func:`~jaxlab.kcenter.gonzalez_sharded` splits.

    Returns:
        Picks, covering radii of all prefixes, and the nearest pick of every point. ``radii`` is
        differentiable in ``points``; distances are constants.

    Raises:
        ValueError: ``k < 1``; fewer points than ``k``; coordinates that are not finite, or so far
            apart that distances overflow; negative distances; ``first`` that is no point; unknown
            metric; "precomputed" with ``axis_name``.

    Cost:
        O(n k d) time; memory for three numbers a point beside the coordinates.

    Source:
        Gonzalez 1985, *Clustering to minimize the maximum intercluster distance*; phase 1 of
        Angelidakis et al. 2022.

    Example:
        >>> line = jnp.array([[0.0], [1.0], [5.0], [9.0]])
        >>> order = gonzalez(line, 2)
        >>> order.indices.tolist(), order.radii.tolist(), order.labels.tolist()
        ([0, 3], [9.0, 4.0], [0, 0, 1, 1])
    """
    check_bool("use_pallas", use_pallas)
    whole = axis_name is None or metric != "precomputed"
    require(whole, "metric", metric, "one of coordinates with axis_name")
    check_points(points, metric, padded=mask is not None)
    n = points.shape[0]
    devices = 1 if axis_name is None else jax.lax.axis_size(axis_name)
    check_centers(k, n * devices)
    if mask is not None:
        check_shape("mask", mask, (n,))
        check_dtype("mask", mask, "bool")
    check_first(first, n * devices, mask if devices == 1 else None)
    if use_pallas:
        by_squares = metric in ("euclidean", "sqeuclidean")
        require(by_squares, "metric", metric, "'euclidean' or 'sqeuclidean' with use_pallas")
        require(axis_name is None, "axis_name", axis_name, "None with use_pallas")
    return _gonzalez(points, k, first, mask, metric, use_pallas, axis_name)


@functools.partial(jax.jit, static_argnames=("k", "metric", "use_pallas", "axis_name"))
def _gonzalez(
    points: Array,
    k: int,
    first: Any,
    mask: Array | None,
    metric: Metric,
    use_pallas: bool,
    axis_name: str | None,
) -> Gonzalez:
    present = jnp.ones(points.shape[0], bool) if mask is None else mask
    start = jnp.asarray(first, jnp.int32)
    (points, present), start = alike((points, present), start, axis_name)
    known = jax.lax.stop_gradient(points)
    if use_pallas:
        order = traverse_by_kernel(known, k, start, present)
    else:
        order = traverse(known, k, start, present, metric, axis_name)
    radii = from_comparable(order.radii, metric)
    if axis_name is None:
        one, other = order.farthest, order.indices[order.nearest]
        radii = radii + gradient_of_pairs(points, one, other, metric)
    distances = from_comparable(order.values, metric)
    return Gonzalez(order.indices, radii, distances, order.labels)


def traverse(
    points: Array, k: int, first: Array, present: Array, metric: Metric, axis_name: str | None
) -> Order:
    """Farthest-first order by values that compare as the distances do."""
    n = points.shape[0]
    offset = jnp.int32(0) if axis_name is None else n * jax.lax.axis_index(axis_name)
    coordinates = points if metric == "precomputed" else coordinates_of(points, metric)

    def values_to(pick: Array) -> Array:
        if metric == "precomputed":
            return coordinates[:, pick]
        center = coordinates[:, jnp.clip(pick - offset, 0, n - 1)]
        if axis_name is not None:
            device = jnp.clip(pick // n, 0)
            center = gathered(center, axis_name)[device]
        return comparable_to(coordinates, center, metric)

    def step(i: Array, state: tuple[Array, Array, Order]) -> tuple[Array, Array, Order]:
        value, pick, order = state
        # else XLA on CPU computes the distances twice, for the labels and for the minimum
        new = jax.lax.optimization_barrier(values_to(pick))
        closer = (pick >= 0) & (new < value)
        here = (pick >= offset) & (pick < offset + n)
        slot = jnp.where(here, pick - offset, n)
        # at an infinite distance from the picks so far it is nearest to the first of them
        mine = closer | ((pick >= 0) & (order.labels < 0) & (value >= 0))
        labels = jnp.where(mine, i, order.labels).at[slot].set(i, mode="drop")
        value = jnp.where(closer, new, value).at[slot].set(-1, mode="drop")
        far = jnp.argmax(value).astype(jnp.int32)
        best, label, far = value[far], labels[far], far + offset
        if axis_name is not None:  # devices come in the order of the points: so do equals
            bests = gathered(best, axis_name)
            winner = jnp.argmax(bests)
            best = bests[winner]
            label, far = gathered(jnp.stack([label, far]), axis_name)[winner]
        order = order.record(i, pick, best, far, label)._replace(labels=labels)
        return value, jnp.where(best >= 0, far, -1), order

    value = jnp.where(present, jnp.asarray(jnp.inf, points.dtype), -1)
    start = first - offset
    there = (start >= 0) & (start < n) & present[jnp.clip(start, 0, n - 1)]
    if axis_name is not None:
        there = jax.lax.psum(there.astype(jnp.int32), axis_name) > 0
    pick = jnp.where(there, first, -1)
    state = value, pick, Order.empty(k, value, pick)
    value, _, order = jax.lax.fori_loop(0, k, step, state)
    return order._replace(values=jnp.maximum(value, 0))


def gradient_of_pairs(points: Array, one: Array, other: Array, metric: Metric) -> Array:
    """Zeros with the gradient of the distances between points ``one`` and points ``other``."""
    length = paired_distances(points, one, other, metric)
    length = jnp.where((one >= 0) & (other >= 0) & (length < jnp.inf), length, 0)
    return length - jax.lax.stop_gradient(length)
