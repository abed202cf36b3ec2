"""Few weighted points in place of many: coresets, their union, and solutions carried back."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int32

from jaxlab.checks import check_bool, check_dtype, check_integer, check_shape, concrete, require
from jaxlab.kcenter._checks import INT32, check_centers, check_points, check_weights
from jaxlab.kcenter._devices import gathered
from jaxlab.kcenter.gonzalez import gonzalez
from jaxlab.kcenter.metrics import Metric, check_metric
from jaxlab.kcenter.types import Coreset

__all__ = [
    "Summary",
    "distributed_summary",
    "kcenter_coreset",
    "lift_assignment",
    "merge_coresets",
]


class Summary(NamedTuple):
    """What :func:`distributed_summary` returns.

    Attributes:
        solution: what ``solve`` made of the coreset of all points, the same on all devices.
        coreset: that coreset; ``source_index`` counts over all devices.
        units: representative of each of this device's points, a position in the coreset.
    """

    solution: Any
    coreset: Coreset
    units: Int32[Array, " n"]


def kcenter_coreset(
    points: Float[Array, "n d"],
    groups: Int[Array, " n"],
    size: int,
    *,
    num_groups: int | None = None,
    per_group: bool = True,
    weights: Int[Array, " n"] | None = None,
    metric: Metric = "euclidean",
) -> Coreset:
    """The first ``size`` picks of the farthest-first order, of each group or of all points.

    Each stands for the points nearest to it (of its own group). Where the coreset has a private
    solution of radius ``r``, its centers, found again among the points by ``source_index``, have
    one of all points of radius at most ``r + ρ``, where ``ρ`` is the radius of the coreset:
    :func:`~jaxlab.kcenter.private_assignment.private_assignment` of all points finds it. Where the
    optimal centers have distinct representatives of their groups, the optimum of the coreset is at
    most ``OPT + 2 ρ``.

    Args:
        points: coordinates.
        groups: group of each point, from 0 on.
        size: representatives, of each group if ``per_group``; static.
        num_groups: number of groups; by default one more than the largest group; static.
        per_group: whether groups are represented apart; static.
        weights: how many points each stands for already, 0 for padding; once by default.
        metric: of the farthest-first order; static.

    Returns:
        ``size`` representatives, or ``size`` for every group, group after group. Where a group has
        fewer points, the rest is padding of weight 0.

    Raises:
        ValueError: as of :func:`~jaxlab.kcenter.gonzalez.gonzalez` with ``size`` in place of ``k``;
            groups and points that are not of the same length; group labels outside of
            ``[0, num_groups)``; traced groups without ``num_groups``; weights that are negative or
            add up to 2³¹; "precomputed", which has no coordinates to keep, and "sqeuclidean", which
            is no metric.

    Cost:
        O(n size d), times the number of groups if ``per_group``.

    Source:
        None in the paper; the coreset is that of Charikar, Chekuri, Feder, Motwani 2004.

    Example:
        >>> line = jnp.array([[0.0], [1.0], [5.0], [9.0]])
        >>> coreset = kcenter_coreset(line, jnp.array([0, 0, 1, 1]), 1)
        >>> coreset.source_index.tolist(), coreset.weights.tolist(), coreset.radius.tolist()
        ([0, 2], [2, 2], 4.0)
    """
    check_bool("per_group", per_group)
    count = check_sources(points, groups, size, num_groups, weights, metric)
    return _coreset(points, groups, size, count, per_group, weights, metric)[0]


def merge_coresets(coresets: Sequence[Coreset], *, sizes: Sequence[int] | None = None) -> Coreset:
    """The union of coresets of disjoint sets of points is a coreset of them all.

    To shrink it again, make a coreset of its points with its weights; the radii add up.

    Args:
        coresets: at least one.
        sizes: how many points each was chosen from, so that ``source_index`` counts through all of
            them one after the other; by default it stays what it is.

    Returns:
        All representatives; the radius is the largest.

    Raises:
        ValueError: no coresets, or one that is in no list; points of different dimensions;
            ``sizes`` of another length, or that add up to more than int32 holds.

    Cost:
        O(total size).

    Example:
        >>> line, other = jnp.array([[0.0], [1.0], [5.0], [9.0]]), jnp.array([0, 0, 1, 1])
        >>> parts = [kcenter_coreset(line, groups, 1) for groups in (other, 1 - other)]
        >>> merged = merge_coresets(parts, sizes=[4, 4])
        >>> merged.source_index.tolist(), merged.weights.tolist(), merged.radius.tolist()
        ([0, 2, 6, 4], [2, 2, 2, 2], 4.0)
    """
    listed = not isinstance(coresets, Coreset)
    require(listed and len(coresets) > 0, "coresets", coresets, "a list of at least one")
    offsets = np.zeros(len(coresets), np.int32)
    if sizes is not None:
        require(len(sizes) == len(coresets), "sizes", sizes, f"{len(coresets)}, one per coreset")
        total = sum(int(size) for size in sizes)
        require(total <= INT32.max, "sizes", total, "a sum that fits int32")
        offsets[1:] = np.cumsum(sizes)[:-1]
    d = coresets[0].points.shape[-1]
    for part in coresets:
        check_shape("coresets.points", part.points, ("q", d))
    return _merge(list(coresets), offsets)


def lift_assignment(units: Int[Array, " n"], flow: Int[Array, "q k"]) -> Int32[Array, " n"]:
    """Give every point to a center as the weight of its unit was given.

    The first points of a unit go to the first of its centers, as many as ``flow`` says, and so on.
    This carries a solution of :func:`distributed_summary` back, which returns the units;
    :func:`kcenter_coreset` keeps none.

    Args:
        units: representative of each point, a position in the coreset, as in :class:`Summary`; −1
            for padding.
        flow: how much of each unit each center holds, such as
            :func:`~jaxlab.kcenter.private_assignment.private_assignment` with weights returns; a
            row adds up to the number of points of the unit.

    Returns:
        Center of each point, a column of ``flow``; −1 for padding.

    Raises:
        ValueError: units or a flow of other shapes, or that are not integers; units that are no
            rows of the flow.

    Cost:
        O(n log n + n k).

    Example:
        >>> lift_assignment(jnp.array([0, 1, 0, 0]), jnp.array([[2, 1], [0, 1]])).tolist()
        [0, 1, 0, 1]
    """
    check_shape("units", units, ("n",))
    check_dtype("units", units, "integer")
    check_shape("flow", flow, ("q", "k"))
    check_dtype("flow", flow, "integer")
    known, q = concrete(units), flow.shape[0]
    inside = known is None or bool(((known >= -1) & (known < q)).all())
    require(inside, "units", units, f"rows of flow, 0 <= unit < {q}, or -1 for padding")
    return _lift(units, flow)


@jax.jit
def _lift(units: Array, flow: Array) -> Array:
    n, units = units.shape[0], units.astype(jnp.int32)
    position = jnp.arange(n, dtype=jnp.int32)
    sorted_units, order = jax.lax.sort((units, position), num_keys=1)
    starts = jnp.searchsorted(sorted_units, sorted_units, side="left").astype(jnp.int32)
    rank = jnp.zeros(n, jnp.int32).at[order].set(position - starts)
    ends = jnp.cumsum(flow, axis=1, dtype=jnp.int32)[units]
    center = jnp.sum(ends <= rank[:, None], axis=1, dtype=jnp.int32)
    return jnp.where(units >= 0, jnp.minimum(center, flow.shape[1] - 1), -1)


def distributed_summary(
    points: Float[Array, "n d"],
    groups: Int[Array, " n"],
    size: int,
    solve: Callable[[Coreset], Any],
    *,
    axis_name: str,
    num_groups: int,
    per_group: bool = True,
    weights: Int[Array, " n"] | None = None,
    metric: Metric = "euclidean",
) -> Summary:
    """Two rounds: every device summarises its points, and all solve the union of the summaries.

    To be called inside ``jax.shard_map``. What the solution loses against one that sees all points
    is bounded by the radius of the coreset, as for :func:`kcenter_coreset`.

    Args:
        points: this device's points, as many as on the others.
        groups: their groups.
        size: representatives on each device, of each group if ``per_group``; static.
        solve: makes anything of the coreset, a pure function; static.
        axis_name: the axis that points are split along; static.
        num_groups: number of groups; static.
        per_group: whether groups are represented apart; static.
        weights: how many points each stands for already, 0 for padding; once by default.
        metric: of the farthest-first order; static.

    Returns:
        What was solved, the coreset, and which of its points stands for each of this device's.

    Raises:
        ValueError: as of :func:`kcenter_coreset`.

    Cost:
        That of :func:`kcenter_coreset` of a device's points, and of ``solve``; every device sends
        ``size`` points (of each group) to all.

    Example:
        >>> from jax.sharding import Mesh, PartitionSpec as P
        >>> mesh = Mesh(jax.devices()[:1], ("data",))
        >>> def two_rounds(points, groups):
        ...     def solve(coreset):
        ...         return gonzalez(coreset.points, 2, mask=coreset.weights > 0).radii
        ...
        ...     return distributed_summary(
        ...         points, groups, 1, solve, axis_name="data", num_groups=2
        ...     ).solution
        >>> summarise = jax.shard_map(two_rounds, mesh=mesh, in_specs=P("data"), out_specs=P())
        >>> line, groups = jnp.array([[0.0], [1.0], [5.0], [9.0]]), jnp.array([0, 0, 1, 1])
        >>> jax.jit(summarise)(line, groups).tolist()
        [5.0, 0.0]
    """
    check_bool("per_group", per_group)
    count = check_sources(points, groups, size, num_groups, weights, metric)
    local, units = _coreset(points, groups, size, count, per_group, weights, metric)
    device = jax.lax.axis_index(axis_name)
    index = local.source_index
    index = jnp.where(index >= 0, index + device * points.shape[0], -1)
    of_all = gathered(local._replace(source_index=index), axis_name)
    parts = jax.tree.map(lambda part: part.reshape(-1, *part.shape[2:]), of_all)
    whole = parts._replace(radius=jnp.max(of_all.radius))
    return Summary(solve(whole), whole, jnp.where(units >= 0, units + device * len(index), -1))


def check_sources(
    points: Array, groups: Array, size: Any, num_groups: Any, weights: Array | None, metric: Metric
) -> int:
    """Refuse points, groups or sizes that make no coreset; the number of groups."""
    check_metric(metric)
    require(metric != "precomputed", "metric", metric, "one of coordinates")
    require(metric != "sqeuclidean", "metric", metric, "one with a triangle inequality")
    check_points(points, metric, padded=weights is not None)
    n = points.shape[0]
    check_centers(size, n, name="size")
    fits = np.shape(groups) == (n,)
    require(fits, "groups", groups, f"shape [{n}], the same length as points")
    check_dtype("groups", groups, "integer")
    known = concrete(groups)
    if num_groups is None:
        require(known is not None, "num_groups", None, "an integer where groups are traced")
        num_groups = int(np.max(known)) + 1  # type: ignore[arg-type]
    check_integer("num_groups", num_groups, minimum=1)
    inside = known is None or bool(np.all((known >= 0) & (known < num_groups)))
    require(inside, "groups", groups, f"group labels in [0, {num_groups})")
    if weights is not None:
        check_weights(weights, n)
    return int(num_groups)


@jax.jit
def _merge(coresets: list[Coreset], offsets: Array) -> Coreset:
    index = [
        jnp.where(part.source_index >= 0, part.source_index + offset, -1)
        for part, offset in zip(coresets, offsets, strict=True)
    ]
    return Coreset(
        jnp.concatenate([part.points for part in coresets]),
        jnp.concatenate([part.groups for part in coresets]),
        jnp.concatenate([part.weights for part in coresets]),
        jnp.max(jnp.stack([part.radius for part in coresets])),
        jnp.concatenate(index),
    )


@functools.partial(jax.jit, static_argnames=("size", "num_groups", "per_group", "metric"))
def _coreset(
    points: Array,
    groups: Array,
    size: int,
    num_groups: int,
    per_group: bool,
    weights: Array | None,
    metric: Metric,
) -> tuple[Coreset, Array]:
    """The coreset, and the position in it of what stands for each point."""
    n = points.shape[0]
    units_of = jnp.ones(n, jnp.int32) if weights is None else weights.astype(jnp.int32)
    present = units_of > 0

    def represent(mask: Bool[Array, " n"]) -> tuple[Array, Array, Array]:
        first = jnp.argmax(mask).astype(jnp.int32)
        order = gonzalez(points, size, first=first, mask=mask, metric=metric)
        return order.indices, order.labels, order.radii[-1]

    if per_group:
        part = groups.astype(jnp.int32)
        masks = present & (part == jnp.arange(num_groups)[:, None])
    else:
        part = jnp.zeros(n, jnp.int32)
        masks = present[None]
    index, labels, radii = jax.lax.map(represent, masks)
    units = labels[part, jnp.arange(n)]
    units = jnp.where(units >= 0, units + part * size, -1)
    index = index.reshape(-1)
    there = index >= 0
    slot = jnp.where(units >= 0, units, len(index))
    total = jnp.zeros(len(index), jnp.int32).at[slot].add(units_of, mode="drop")
    coreset = Coreset(
        jnp.where(there[:, None], points[index], 0),
        jnp.where(there, groups[index], 0).astype(jnp.int32),
        total,
        jnp.max(radii),
        index,
    )
    return coreset, units
