"""One function that computes tiles in turn, on one device, a mesh, or the devices of ``jax.pmap``.

It takes all rows and columns of tiles, for every turn the row and the column of the tile (on many
devices: those of the first device, then those of the second, …, rows counted within the device's
own), and the parameters; it returns the tiles in the same order.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array

from jaxlab.convolutions import canonical_convolutions
from jaxlab.ntk.types import KernelFn

__all__ = ["Run", "pmapped", "sharded", "tile_by_tile"]

Run = Callable[[Any, Any, Any, Any, Any], Any]


def tile_by_tile(kernel_fn: KernelFn) -> Run:
    """Tiles of one device: ``(rows, columns, i, j, params) -> kernel_fn(rows[i], columns[j])``."""

    # a derivative would otherwise keep the intermediates of all tiles
    @jax.checkpoint
    def one_tile(rows: Any, columns: Any, params: Any) -> Any:
        return kernel_fn(rows, columns, params)

    def run(rows: Any, columns: Any, i: Any, j: Any, params: Any) -> Any:
        def tile(at: tuple[Array, Array]) -> Any:
            return one_tile(_pick(rows, at[0]), _pick(columns, at[1]), params)

        return canonical_convolutions(lambda at: jax.lax.map(tile, at))((i, j))

    return run


def sharded(kernel_fn: KernelFn, mesh: Mesh, axis_name: str) -> Run:
    """Tiles of the devices along one axis of ``mesh``, which share rows and turns."""
    over, whole = PartitionSpec(axis_name), PartitionSpec()
    run = jax.shard_map(
        tile_by_tile(kernel_fn),
        mesh=mesh,
        in_specs=(over, whole, over, over, whole),
        out_specs=over,
        # with the check, a derivative in the parameters that a kernel function takes would be
        # summed over the devices, and loops that start from constants would be refused
        check_vma=False,
    )
    # the mesh of jax.set_mesh may have explicit axes: inside they are automatic too
    return jax.sharding.auto_axes(run, out_sharding=whole)


def pmapped(kernel_fn: KernelFn, devices: Sequence[jax.Device], axis_name: str) -> Run:
    """The same through ``jax.pmap``."""
    mapped = jax.pmap(
        tile_by_tile(kernel_fn),
        axis_name=axis_name,
        devices=list(devices),
        in_axes=(0, None, 0, 0, None),
    )

    def shared(tree: Any) -> Any:
        return jax.tree.map(lambda leaf: leaf.reshape(len(devices), -1, *leaf.shape[1:]), tree)

    def run(rows: Any, columns: Any, i: Any, j: Any, params: Any) -> Any:
        tiles = mapped(shared(rows), columns, shared(i), shared(j), params)
        return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), tiles)

    return run


def _pick(tiles: Any, index: Array) -> Any:
    return jax.tree.map(lambda leaf: leaf[index], tiles)
