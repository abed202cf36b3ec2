"""At least L points for every center, at the least possible radius."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxlab.checks import check_dtype, check_shape, require
from jaxlab.kcenter._checks import check_min_size, check_table, check_weights
from jaxlab.kcenter._devices import alike
from jaxlab.kcenter._hall import (
    Flow,
    empty_flow,
    on_first_device,
    satisfy,
)
from jaxlab.kcenter._held import Points, Weighted, pack, summed
from jaxlab.kcenter.types import PrivateAssignment, PrivatePrefixes
from jaxlab.varying import vary_like

__all__ = ["private_assignment", "private_prefixes"]


def private_assignment(
    dist: Float[Array, "n k"],
    min_size: int | Int[Any, ""],
    *,
    center_mask: Bool[Array, " k"] | None = None,
    weights: Int[Array, " n"] | None = None,
    mask: Bool[Array, " n"] | None = None,
    axis_name: str | None = None,
) -> PrivateAssignment:
    """Assign all points, at least ``min_size`` to each center, within the least radius.

    ``ρ`` is the least radius within which every center has ``min_size`` points of its own. By
    Hall's theorem::

        ρ = max over non-empty T of q(T),    q(T) = (L |T|)-th smallest of min_{t∈T} d(p, t)

    A flow is extended at some radius as far as it goes; then a violated set ``T`` shows, and the
    radius jumps to ``q(T)``. This ends after a few jumps, exactly at ``ρ``. Points that no center
    needs go to their nearest, so that the whole radius is ``max(ρ, max_p min_t d(p, t))``.

    With ``axis_name``, inside ``jax.shard_map`` over rows of the table, all results but ``labels``
    and ``flow`` are the same on all devices, and those of one device.

    Args:
        dist: distances of points to centers, infinite where a point must not go.
        min_size: points that each center needs; may be traced.
        center_mask: which columns are centers; all of them by default.
        weights: units of each point, which may be split among centers; less than 2³¹ together.
        mask: which points are there, where there are no weights; all of them by default.
        axis_name: the axis that points are split along; static.

    Returns:
        The assignment. Where ``feasible`` is False, as many points as possible are held, and the
        rest is with the nearest center.

    Raises:
        ValueError: no points or centers; a negative ``min_size``; distances that are negative or
            NaN; weights that are negative or add up to 2³¹; shapes that do not fit; both
            ``weights`` and ``mask``.

    Cost:
        O(n k) for every jump and O(n k / 32) for every augmentation; with weights O(n k²) and
        O(n k).

    Source:
        The problem of phase 2 of Angelidakis et al. 2022, whose procedure is not always minimal;
        Hall 1935, *On representatives of subsets*.

    Example:
        >>> dist = jnp.array([[0.0, 9.0], [1.0, 8.0], [2.0, 7.0], [9.0, 0.0]])
        >>> private = private_assignment(dist, 2)
        >>> private.labels.tolist(), private.radius.tolist()
        ([0, 0, 1, 1], 7.0)
    """
    check_table(dist)
    check_min_size(min_size)
    n, k = dist.shape
    for name, array, size, kind in (
        ("center_mask", center_mask, k, "bool"),
        ("mask", mask, n, "bool"),
    ):
        if array is not None:
            check_shape(name, array, (size,))
            check_dtype(name, array, kind)
    if weights is not None:
        check_weights(weights, n)
    both = weights is not None and mask is not None
    require(not both, "mask", mask, "None with weights, where weight 0 says the same")
    return _assign(dist, min_size, center_mask, weights, mask, axis_name)


def private_prefixes(
    dist: Float[Array, "n k"],
    min_size: int | Int[Any, ""],
    *,
    mask: Bool[Array, " n"] | None = None,
    axis_name: str | None = None,
) -> PrivatePrefixes:
    """:func:`private_assignment` for the first ``i + 1`` centers, for every ``i``.

    ``ρ_i`` never falls, so that the radius and the flow of one prefix are where the next begins.
    For columns in the order of :func:`~jaxlab.kcenter.gonzalez.gonzalez`, the best prefix is a
    2-approximation of private k-center.

    Args:
        dist: distances of points to centers, in the order in which centers are added.
        min_size: points that each center needs; may be traced.
        mask: which points are there; all of them by default.
        axis_name: the axis that points are split along; static.

    Returns:
        Radii, labels and counts of all prefixes.

    Raises:
        ValueError: as of :func:`private_assignment`.

    Cost:
        O(n k²) in all, most of it counted 32 points at a time; labels take ``n k`` integers.

    Source:
        Phase 2 of Angelidakis et al. 2022; Aggarwal et al. 2006, *Achieving anonymity via
        clustering*, for the factor.

    Example:
        >>> dist = jnp.array([[0.0, 9.0], [1.0, 8.0], [2.0, 7.0], [9.0, 0.0]])
        >>> prefixes = private_prefixes(dist, 2)
        >>> prefixes.private_radii.tolist(), prefixes.cover_radii.tolist()
        ([1.0, 7.0], [9.0, 2.0])
        >>> prefixes.counts.tolist()
        [[4, 0], [2, 2]]
    """
    check_table(dist)
    check_min_size(min_size)
    if mask is not None:
        check_shape("mask", mask, (dist.shape[0],))
        check_dtype("mask", mask, "bool")
    return _prefixes(dist, min_size, mask, axis_name)


@functools.partial(jax.jit, static_argnames=("axis_name",))
def _assign(
    dist: Array,
    min_size: Any,
    center_mask: Array | None,
    weights: Array | None,
    mask: Array | None,
    axis_name: str | None,
) -> PrivateAssignment:
    n, k = dist.shape
    own, common = (dist, weights, mask), (min_size, center_mask)
    (dist, weights, mask), (min_size, center_mask) = alike(own, common, axis_name)
    known = jax.lax.stop_gradient(dist)
    active = jnp.ones(k, bool) if center_mask is None else center_mask
    least = jnp.asarray(min_size, jnp.int32)
    table: Points | Weighted
    if weights is None:
        table = Points.of(known, mask)
        present = jnp.ones(n, bool) if mask is None else mask
    else:
        table = Weighted.of(known, weights)
        present = weights > 0

    flow = satisfy(table, empty_flow(table, axis_name), active, active, least, axis_name)

    columns = jnp.where(active, known, jnp.inf)
    nearest = jnp.argmin(columns, axis=1).astype(jnp.int32)
    nearest = jnp.where(active[nearest], nearest, jnp.argmax(active).astype(jnp.int32))
    shares = None
    if isinstance(table, Points):
        owner = table.holders(flow.held[:k])[:n]
        labels = jnp.where(owner >= 0, owner, nearest)
        given = jnp.where(owner >= 0, 0, present)
    else:
        given = flow.held[k]
        shares = flow.held[:k].T.at[jnp.arange(n), nearest].add(given)
        labels = jnp.argmax(shares, axis=1).astype(jnp.int32)
    rest = jnp.zeros(k, jnp.int32).at[nearest].add(given.astype(jnp.int32))
    counts = flow.counts + summed(rest, axis_name)

    private_radius = as_distance(dist, (flow.radius, flow.point, flow.center), axis_name)
    cover = covering(table, table.nearest_to(active), active, axis_name)
    cover_radius = as_distance(dist, cover, axis_name)
    return PrivateAssignment(
        labels=jnp.where(present, labels, -1),
        radius=larger(private_radius, cover_radius),
        private_radius=private_radius,
        cover_radius=cover_radius,
        counts=counts,
        feasible=jnp.all(~active | (flow.counts >= least)) & jnp.any(active),
        flow=shares,
    )


@functools.partial(jax.jit, static_argnames=("axis_name",))
def _prefixes(
    dist: Array, min_size: Any, mask: Array | None, axis_name: str | None
) -> PrivatePrefixes:
    n, k = dist.shape
    (dist, mask), min_size = alike((dist, mask), min_size, axis_name)
    known = jax.lax.stop_gradient(dist)
    least = jnp.asarray(min_size, jnp.int32)
    table = Points.of(known, mask)
    centers = jnp.arange(k)

    def add(state: tuple[Flow, Array, Array], center: Array) -> tuple[tuple, tuple]:
        flow, cover, nearest = state
        values = table.column(center)
        closer = pack((values < cover) | (center == 0)) & table.present
        nearest = (nearest & ~closer).at[center].set(closer)
        cover = jnp.minimum(cover, values)

        active = centers <= center
        flow = satisfy(table, flow, active, centers == center, least, axis_name)
        given = flow.held[:k] | (nearest & flow.held[k])
        counts = summed(table.amount(given), axis_name)
        critical = (flow.radius, flow.point, flow.center)
        covered = covering(table, cover, active, axis_name)
        return (flow, cover, nearest), (critical, covered, table.holders(given)[:n], counts)

    farthest = jnp.full(table.column(0).shape, jnp.inf, known.dtype)
    nobody = jnp.zeros((k, *table.present.shape), jnp.uint32)
    start = (
        empty_flow(table, axis_name),
        *vary_like((farthest, nobody), table),
    )
    _, (critical, covered, labels, counts) = jax.lax.scan(add, start, centers)
    distances = jax.vmap(lambda critical: as_distance(dist, critical, axis_name))
    return PrivatePrefixes(distances(critical), distances(covered), labels, counts)


def covering(
    table: Points | Weighted, values: Array, chosen: Array, axis_name: str | None
) -> tuple[Array, Array, Array]:
    """Largest distance to the nearest of the chosen centers, of which point, and to which."""
    values = jnp.where(table.there(), values, -1)
    radius = jnp.max(values)
    if axis_name is not None:
        radius = jax.lax.pmax(radius, axis_name)
    radius = jnp.maximum(radius, 0)
    point = on_first_device(table.locate(values == radius), values.size, axis_name)
    center = jnp.argmax(chosen & (table.row(point) == radius)).astype(jnp.int32)
    return radius, point, center


def as_distance(dist: Array, critical: tuple[Array, Array, Array], axis_name: str | None) -> Array:
    """A radius with the gradient of the distance, of a point to a center, that it is."""
    radius, point, center = critical
    here = (point < dist.shape[0]) & (radius < jnp.inf)
    length = jnp.where(here, dist[jnp.where(here, point, 0), center], 0)
    return radius + summed(length - jax.lax.stop_gradient(length), axis_name)


def larger(private: Array, cover: Array) -> Array:
    """The larger radius, with the gradient of that one alone."""
    return jnp.where(private >= cover, private, cover)
