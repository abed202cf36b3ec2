"""Farthest-first traversal of points that are split over the devices of a mesh."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Int

from jaxlab.checks import check_choice
from jaxlab.kcenter._checks import check_centers, check_first, check_points
from jaxlab.kcenter._order import Order
from jaxlab.kcenter.gonzalez import gradient_of_pairs, traverse
from jaxlab.kcenter.metrics import Metric, from_comparable
from jaxlab.kcenter.types import Gonzalez

__all__ = ["gonzalez_sharded"]


def gonzalez_sharded(
    points: Float[Array, "n d"],
    k: int,
    *,
    mesh: Mesh,
    axis_name: str = "data",
    first: int | Int[Any, ""] = 0,
    metric: Metric = "euclidean",
) -> Gonzalez:
    """:func:`~jaxlab.kcenter.gonzalez.gonzalez` on all devices along an axis of a mesh.

    In every step each device offers its farthest point, and the farthest of these, the lowest index
    among equals, is the next pick: the order is that of one device. Inside ``jax.shard_map``, call
    ``gonzalez(..., axis_name=...)``.

    Args:
        points: coordinates; split along ``axis_name`` already, or else they are first.
        k: number of picks; static.
        mesh: the devices; within ``jax.set_mesh``, the same; static.
        axis_name: axis of the mesh along which points are split; static.
        first: the first pick.
        metric: a name of :data:`~jaxlab.kcenter.metrics.METRICS` or a function; static.

    Returns:
        As of :func:`~jaxlab.kcenter.gonzalez.gonzalez`; distances and labels are split along the
        axis where its size divides ``n``, explicitly where points or the mesh of ``jax.set_mesh``
        are explicit.

    Raises:
        ValueError: as of :func:`~jaxlab.kcenter.gonzalez.gonzalez`; an axis that the mesh lacks.

    Cost:
        O(n k d / D) on each of ``D`` devices, which tell one another ``d + 3`` numbers a step.

    Example:
        >>> mesh = jax.make_mesh((len(jax.devices()),), ("data",))
        >>> line = jnp.array([[0.0], [1.0], [5.0], [9.0]])
        >>> gonzalez_sharded(line, 2, mesh=mesh).indices.tolist()
        [0, 3]
    """
    check_points(points, metric)
    check_centers(k, points.shape[0])
    check_first(first, points.shape[0])
    check_choice("axis_name", axis_name, mesh.axis_names)
    return _sharded(points, k, first, mesh, axis_name, metric)


@functools.partial(jax.jit, static_argnames=("k", "mesh", "axis_name", "metric"))
def _sharded(
    points: Array, k: int, first: Any, mesh: Mesh, axis_name: str, metric: Metric
) -> Gonzalez:
    # axes of explicit type would ask for arrays that are split beforehand
    auto = Mesh(mesh.devices, mesh.axis_names)
    run = functools.partial(_on_mesh, k=k, mesh=auto, axis_name=axis_name, metric=metric)
    placed = jax.typeof(points).sharding.mesh
    if placed.explicit_axes or jax.sharding.get_abstract_mesh().explicit_axes:
        even = points.shape[0] % mesh.shape[axis_name] == 0
        whole: Any = NamedSharding(mesh, PartitionSpec())
        split: Any = NamedSharding(mesh, PartitionSpec(axis_name if even else None))
        run = jax.sharding.auto_axes(run, out_sharding=Gonzalez(whole, whole, split, split))
    return run(points, first)


def _on_mesh(
    points: Array, first: Any, *, k: int, mesh: Mesh, axis_name: str, metric: Metric
) -> Gonzalez:
    n = points.shape[0]
    devices = mesh.shape[axis_name]
    padding = -n % devices
    padded = jnp.pad(jax.lax.stop_gradient(points), ((0, padding), (0, 0)))
    present = jnp.arange(n + padding) < n
    whole: Any = PartitionSpec()
    split: Any = PartitionSpec(axis_name)
    order = jax.shard_map(
        lambda points, present, first: traverse(points, k, first, present, metric, axis_name),
        mesh=mesh,
        in_specs=(split, split, whole),
        out_specs=Order(whole, whole, whole, whole, split, split),
        check_vma=False,
    )(padded, present, jnp.asarray(first, jnp.int32))
    pairs = order.farthest, order.indices[order.nearest]
    radii = from_comparable(order.radii, metric) + gradient_of_pairs(points, *pairs, metric)
    distances = from_comparable(order.values[:n], metric)
    return Gonzalez(order.indices, radii, distances, order.labels[:n])
