"""Kernels of more examples than fit at once: tile by tile, on one device or many, with resume.

Entry ``(n, m)`` of a kernel depends on examples ``n`` and ``m`` alone wherever examples do not
interact, so that the kernel can be computed in tiles of at most ``batch_size`` examples a side,
all by one compiled function.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxlab.checks import check_choice, check_integer, require
from jaxlab.ntk._devices import pmapped, sharded, tile_by_tile
from jaxlab.ntk._store import TileStore, digest
from jaxlab.ntk._tiles import (
    Grid,
    assemble,
    count_examples,
    mirror_axes,
    place_tile,
    split,
)
from jaxlab.ntk.types import KernelFn, Store

__all__ = ["batched"]


def batched(
    kernel_fn: KernelFn,
    batch_size: int,
    *,
    trace_axes: tuple[int, ...] = (),
    diagonal_axes: tuple[int, ...] = (),
    mesh: Mesh | None = None,
    axis_name: str = "data",
    pmap_devices: Sequence[jax.Device] | None = None,
    store: Store = "device",
    progress: Callable[[int, int], None] | None = None,
    resume_path: str | os.PathLike | None = None,
) -> KernelFn:
    """``kernel_fn`` computed in tiles of at most ``batch_size`` by ``batch_size`` examples.

    ``K[n, m] = kernel_fn(x1[tile of n], x2[tile of m], params)[n, m]``: the same numbers as without
    tiles, up to rounding, for every ``batch_size``, provided that examples do not interact
    (:func:`jaxlab.ntk.independence.check_independence` tests that). Sizes need not divide: the last
    tiles are padded with copies of the last example, and the padding is cut off.

    With ``x2=None`` each pair of tiles ``(i, j)``, ``(j, i)`` is computed once and mirrored, with
    ``(n, m)`` and every pair of output axes swapped; the result is exactly symmetric. This takes
    ``kernel_fn(a, b)`` to be the mirror image of ``kernel_fn(b, a)``, as NTK and NNGP kernels are.

    Several devices share the rows; the columns and ``params`` are on each of them whole. Results
    stay there where ``store="device"``. What comes split along explicit axes of a mesh is gathered
    first.

    Args:
        kernel_fn: ``(x1, x2, params) -> kernel``, such as :func:`jaxlab.ntk.ntk_fn` or
            :func:`jaxlab.ntk.kernel_fn` make it, for one array, a PyTree of arrays or Kernels.
            Every array has the axes ``(n, m, …)``. It is always called with both batches.
        batch_size: most examples along a side of one tile.
        trace_axes: the ``trace_axes`` that ``kernel_fn`` was made with. Needed only together with
            ``diagonal_axes``.
        diagonal_axes: the ``diagonal_axes`` that ``kernel_fn`` was made with; without them axes of
            the kernel count as pairs when it is mirrored. The axis of the examples, 0, can be in
            neither: such kernels are not made of tiles.
        mesh: devices that share the rows through ``jax.shard_map``; within ``jax.set_mesh``, the
            same. Derivatives taken there lie on it with automatic axes, which jax does not mix with
            explicit ones.
        axis_name: the axis of ``mesh`` that does.
        pmap_devices: devices of this process that share the rows through ``jax.pmap`` instead.
        store: "device" computes all tiles in one ``jax.jit`` by ``jax.lax.map``: usable inside
            jit, differentiable (derivatives recompute each tile) and mappable. "host" loops in
            Python and writes the tiles into numpy arrays: for kernels larger than the devices'
            memory.
        progress: with ``store="host"``, called as ``progress(done, total)`` with numbers of tiles
            after each turn of all devices.
        resume_path: with ``store="host"``, a folder, made if need be, in which every finished tile
            is kept. The same call later goes on from there, and its result is bitwise that of a
            run without interruption. Tiles of other inputs, parameters, sizes, devices or another
            kernel function are refused; damaged ones are computed again. Delete the folder when
            it has served.

    Returns:
        The kernel function ``(x1, x2, params) -> kernel``. ``x1`` and ``x2`` are PyTrees of arrays
        with a common leading axis of examples, ``params`` one of arrays.

    Raises:
        ValueError: ``batch_size < 1``; an axis that ``mesh`` lacks; both ``mesh`` and
            ``pmap_devices``; an unknown ``store``; ``progress`` or ``resume_path`` without
            ``store="host"``. When called: leaves of ``x1`` or ``x2`` without a common leading axis;
            a kernel whose first axes are not ``(n, m)``, as where the examples are traced or on
            the diagonal; with ``x2=None``, further axes that do not pair; ``store="host"`` inside
            jit; a ``resume_path`` that is no folder or holds tiles of another computation.
        NotImplementedError: jax's, on a ``mesh`` or ``pmap_devices``, for a network with grouped
            convolutions by "jacobian" or "vector_products"; "structured" needs none of it.

    Cost:
        ``t₁·t₂`` tiles for ``t`` tiles a side, ``t(t+1)/2`` with ``x2=None``; what ``kernel_fn``
        does per example is done once per tile, so that large tiles are cheaper. Memory of one tile
        per device, and the kernel: on the devices twice (tiles and result), or on the host once.
        ``resume_path`` keeps all computed tiles on disk.

    Source:
        Novak et al. 2022, section 2 (kernels of batches); mirrored tiles are ours.

    Example:
        >>> def outputs(x1, x2, w):
        ...     return (x1 @ w) @ (x2 @ w).T
        >>> x = jnp.arange(10.0).reshape(5, 2)
        >>> kernel = batched(outputs, 2)(x, None, jnp.eye(2))
        >>> kernel.shape, float(kernel[4, 0]), float(kernel[0, 4])
        ((5, 5), 9.0, 9.0)
    """
    require(callable(kernel_fn), "kernel_fn", kernel_fn, "a function (x1, x2, params) -> kernel")
    check_integer("batch_size", batch_size, minimum=1)
    check_choice("store", store, get_args(Store))
    if store == "device":
        for name, value in (("progress", progress), ("resume_path", resume_path)):
            require(value is None, name, value, "None unless store='host'")
    if mesh is not None:
        check_choice("axis_name", axis_name, mesh.axis_names)
        require(pmap_devices is None, "pmap_devices", pmap_devices, "None where a mesh is given")
        # arrays of any placement are welcome, as they are without a mesh
        mesh = Mesh(
            mesh.devices, mesh.axis_names, axis_types=(AxisType.Auto,) * len(mesh.axis_names)
        )
        run, devices = sharded(kernel_fn, mesh, axis_name), mesh.shape[axis_name]
    elif pmap_devices is not None:
        require(len(pmap_devices) > 0, "pmap_devices", pmap_devices, "at least one device")
        run, devices = pmapped(kernel_fn, pmap_devices, axis_name), len(pmap_devices)
    else:
        run, devices = tile_by_tile(kernel_fn), 1
    one_pair = jax.jit(kernel_fn)

    def prepare(x1: Any, x2: Any, params: Any) -> tuple[Grid, Any, Any]:
        """The grid, the kernel's shapes and, leaf by leaf, how it is mirrored."""
        n = count_examples("x1", x1)
        m = None if x2 is None else count_examples("x2", x2)
        grid = Grid.of(n, m, batch_size, devices)
        # sizes that differ, and are not the tiles', tell the examples' axes from others
        probe = jax.eval_shape(one_pair, _some(x1, 1), _some(x1 if x2 is None else x2, 2), params)
        for leaf in jax.tree.leaves(probe):
            require(
                leaf.shape[:2] == (1, 2),
                "kernel_fn",
                leaf,
                "a kernel of shape [n, m, …] for n = 1 and m = 2 examples; kernels that are "
                "traced or diagonal along the examples cannot be tiled",
            )
        orders = [
            mirror_axes((grid.n, grid.m, *leaf.shape[2:]), trace_axes, diagonal_axes)
            if grid.symmetric
            else None
            for leaf in jax.tree.leaves(probe)
        ]
        shapes = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct((grid.n, grid.m, *leaf.shape[2:]), leaf.dtype), probe
        )
        return grid, shapes, orders

    def cut(grid: Grid, x1: Any, x2: Any) -> tuple[Any, Any]:
        rows = split(x1, grid.rows, grid.height)
        return rows, rows if grid.symmetric else split(x2, grid.columns, grid.width)

    def on_device(x1: Any, x2: Any, params: Any) -> Any:
        x1, x2, params = _whole((x1, x2, params))
        grid, shapes, orders = prepare(x1, x2, params)
        if grid.n == 0 or grid.m == 0:
            return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        schedule = grid.schedule()
        tiles = run(
            *cut(grid, x1, x2), schedule.rows.reshape(-1), schedule.columns.reshape(-1), params
        )
        leaves, structure = jax.tree.flatten(tiles)
        kernels = [
            assemble(leaf, grid, schedule, order)
            for leaf, order in zip(leaves, orders, strict=True)
        ]
        return jax.tree.unflatten(structure, kernels)

    # pmap compiles by itself
    step = run if pmap_devices is not None else jax.jit(run)

    def on_host(x1: Any, x2: Any, params: Any) -> Any:
        for name, tree in (("x1", x1), ("x2", x2), ("params", params)):
            traced = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree))
            require(not traced, name, tree, "values: inside jit, use store='device'")
        x1, x2, params = _whole((x1, x2, params))
        grid, shapes, orders = prepare(x1, x2, params)
        kernels = [np.zeros(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(shapes)]
        structure = jax.tree.structure(shapes)
        if grid.n == 0 or grid.m == 0:
            return jax.tree.unflatten(structure, kernels)
        schedule = grid.schedule()
        rows, columns = cut(grid, x1, x2)
        arguments = params
        if mesh is not None:  # once, not at every turn
            rows = jax.device_put(rows, NamedSharding(mesh, PartitionSpec(axis_name)))
            whole = NamedSharding(mesh, PartitionSpec())
            columns, arguments = jax.device_put((columns, params), whole)
        turns, total = schedule.rows.shape[1], sum(schedule.counts)

        def call(turn: int) -> tuple[Any, ...]:
            at = schedule.rows[:, turn], schedule.columns[:, turn]
            return rows, columns, *at, arguments

        saved = None
        if resume_path is not None:
            program = jax.jit(run).lower(*call(0)).as_text()
            saved = TileStore.open(resume_path, _fingerprint(grid, x1, x2, params, program))
        tile_shapes = [
            jax.ShapeDtypeStruct((devices, grid.height, grid.width, *k.shape[2:]), k.dtype)
            for k in kernels
        ]

        def compute(turn: int) -> tuple[list[Any], bool]:
            found = None if saved is None else saved.load(turn, tile_shapes)
            if found is not None:
                return found, True
            return jax.tree.leaves(step(*call(turn))), False

        done, ahead = 0, compute(0)
        for turn in range(turns):
            leaves, loaded = ahead
            if turn + 1 < turns:  # the devices go on while the host copies
                ahead = compute(turn + 1)
            tiles = [np.asarray(leaf) for leaf in leaves]
            if saved is not None and not loaded:
                saved.save(turn, tiles)
            for device, count in enumerate(schedule.counts):
                if turn >= count:
                    continue
                i = device * (grid.rows // devices) + int(schedule.rows[device, turn])
                j = int(schedule.columns[device, turn])
                for kernel, tile, order in zip(kernels, tiles, orders, strict=True):
                    place_tile(kernel, tile[device], grid, i, j, order)
                done += 1
            if progress is not None:
                progress(done, total)
        return jax.tree.unflatten(structure, kernels)

    return jax.jit(on_device) if store == "device" else on_host


def _whole(tree: Any) -> Any:
    """``tree`` with every array that is split along explicit axes gathered."""

    def gather(leaf: Any) -> Any:
        if not isinstance(leaf, jax.Array):
            return leaf
        sharding = jax.typeof(leaf).sharding
        if all(part is None for part in sharding.spec):
            return leaf
        return jax.sharding.reshard(leaf, NamedSharding(sharding.mesh, PartitionSpec()))

    return jax.tree.map(gather, tree)


def _some(x: Any, count: int) -> Any:
    """``count`` examples like those of ``x``: real ones where there are any, for their types."""

    def take(leaf: Any) -> Any:
        leaf = jnp.asarray(leaf)
        if len(leaf) == 0:
            return jax.ShapeDtypeStruct((count, *leaf.shape[1:]), leaf.dtype)
        return leaf[np.zeros(count, int)]

    return jax.tree.map(take, x)


def _fingerprint(grid: Grid, x1: Any, x2: Any, params: Any, program: str) -> dict[str, str]:
    """All that the tiles depend on; the program has the constants that the function closes over."""
    return {
        "x1": digest(x1),
        "x2": "x1" if x2 is None else digest(x2),
        "params": digest(params),
        "sizes": str(tuple(grid)),
        "kernel function": digest(np.frombuffer(program.encode(), np.uint8)),
        "device": jax.devices()[0].device_kind,
        "jax version": jax.__version__,
    }
