"""How a kernel is cut into tiles, which device computes which, and how they are put together.

A kernel of a batch with itself needs one tile of each pair ``(i, j)``, ``(j, i)``. Row ``i`` takes
the columns ``i, i + 1, …`` round the grid until half of it, so that every row, and with it every
device, has the same work; an upper triangle would give the first device most of it.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from jaxlab.checks import require
from jaxlab.ntk._layout import Layout, as_axes

__all__ = ["Grid", "Schedule", "assemble", "count_examples", "mirror_axes", "place_tile", "split"]


class Grid(NamedTuple):
    """A kernel ``[n, m, …]`` cut into equal tiles, the last ones padded.

    Attributes:
        n: rows, that is examples of the first batch.
        m: columns.
        rows: tiles along the rows, a multiple of the devices.
        columns: tiles along the columns.
        height: examples along the rows of one tile.
        width: examples along its columns.
        devices: how many devices share the rows.
        symmetric: whether the kernel is that of one batch with itself.
    """

    n: int
    m: int
    rows: int
    columns: int
    height: int
    width: int
    devices: int
    symmetric: bool

    @classmethod
    def of(cls, n: int, m: int | None, batch_size: int, devices: int) -> "Grid":
        """As few tiles of at most ``batch_size`` as there can be; ``m`` None: symmetric."""
        rows, height = _cut(n, batch_size, devices)
        columns, width = (rows, height) if m is None else _cut(m, batch_size, 1)
        return cls(n, n if m is None else m, rows, columns, height, width, devices, m is None)

    def schedule(self) -> "Schedule":
        """Who computes what."""
        owned = np.ones((self.rows, self.columns), bool)
        if self.symmetric:
            i, j = np.indices(owned.shape)
            ahead = (j - i) % self.rows
            # halfway round, (i, j) and (j, i) are equally far: the pairs alternate
            alternate = (np.minimum(i, j) % 2 == 0) == (i < j)
            owned = (2 * ahead < self.rows) | ((2 * ahead == self.rows) & alternate)
        per_device = self.rows // self.devices
        work = [
            np.argwhere(owned[device * per_device : (device + 1) * per_device])
            for device in range(self.devices)
        ]
        turns = max(len(tiles) for tiles in work)
        tiles = np.zeros((self.devices, turns, 2), np.int32)
        index = np.zeros(owned.shape, np.int64)
        for device, mine in enumerate(work):
            tiles[device, : len(mine)] = mine
            index[mine[:, 0] + device * per_device, mine[:, 1]] = device * turns + np.arange(
                len(mine)
            )
        if self.symmetric:
            index = np.where(owned, index, index.T)
        counts = tuple(len(mine) for mine in work)
        return Schedule(tiles[..., 0], tiles[..., 1], counts, index, ~owned)


class Schedule(NamedTuple):
    """Which tiles each device computes, in turn.

    Attributes:
        rows: row of tiles, counted within the device's own rows.
        columns: column of tiles.
        counts: turns in which each device has work; after them it repeats tile ``(0, 0)``.
        source: where tile ``(i, j)``, or the tile that it mirrors, is among the results of all
            devices, one after the other.
        mirrored: whether ``(i, j)`` is the mirror image of a computed tile.
    """

    rows: Int[np.ndarray, "devices turns"]
    columns: Int[np.ndarray, "devices turns"]
    counts: tuple[int, ...]
    source: Int[np.ndarray, "rows columns"]
    mirrored: Bool[np.ndarray, "rows columns"]


def count_examples(argument: str, x: Any) -> int:
    """Size of the leading axis that all leaves of ``x`` share.

    Raises:
        ValueError: no leaves, or leaves without a common leading axis.
    """
    shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(x)]
    require(bool(shapes), argument, x, "at least one array")
    sizes = {shape[0] if shape else None for shape in shapes}
    require(
        len(sizes) == 1 and None not in sizes,
        argument,
        shapes,
        "arrays with one leading axis of examples, of equal size in all leaves",
    )
    return shapes[0][0]


def split(x: Any, tiles: int, size: int) -> Any:
    """``x`` with its examples in ``tiles`` rows of ``size``.

    Padding repeats the last example, on which the network is defined and differentiable wherever
    it is on the data; zeros could give NaN, which zero cotangents do not remove from a gradient.
    """

    def cut(leaf: Any) -> Array:
        leaf = jnp.asarray(leaf)
        if len(leaf) != tiles * size:
            leaf = leaf[np.minimum(np.arange(tiles * size), len(leaf) - 1)]
        return leaf.reshape(tiles, size, *leaf.shape[1:])

    return jax.tree.map(cut, x)


def mirror_axes(
    shape: tuple[int, ...], trace_axes: tuple[int, ...], diagonal_axes: tuple[int, ...]
) -> tuple[int, ...]:
    """Order of the axes of ``K(x2, x1)`` in which it is ``K(x1, x2)``: the axes of a pair swapped.

    Args:
        shape: shape of the kernel.
        trace_axes: axes of the network's output that the kernel averages over.
        diagonal_axes: axes of the network's output that appear once in the kernel.

    Raises:
        ValueError: the kernel is not the zipped one of these axes.
    """
    trace_axes = as_axes("trace_axes", trace_axes)
    diagonal_axes = as_axes("diagonal_axes", diagonal_axes)
    paired, odd = divmod(len(shape) - len(diagonal_axes), 2)
    expected = (
        f"the axes that appear once in the kernel, as given to the kernel function: without them "
        f"axes come in pairs of equal size, (n, m) and then (o, p), …; the kernel of a pair of "
        f"examples has shape {shape[2:]}"
    )
    require(not odd and paired > 0, "diagonal_axes", diagonal_axes, expected)
    layout = Layout.of(paired + len(diagonal_axes) + len(trace_axes), trace_axes, diagonal_axes)
    for name, axes in (("trace_axes", layout.trace), ("diagonal_axes", layout.diagonal)):
        require(0 not in axes, name, axes, "axes of one example's output: tiles need (n, m)")
    order = layout.mirror
    fits = all(shape[axis] == shape[other] for axis, other in enumerate(order) if axis > 1)
    require(fits, "diagonal_axes", diagonal_axes, expected)
    return order


def assemble(tiles: Array, grid: Grid, schedule: Schedule, order: tuple[int, ...] | None) -> Array:
    """The kernel ``[n, m, …]`` from the tiles ``[devices · turns, height, width, …]``."""
    if order is None:
        blocks = tiles.reshape(grid.rows, grid.columns, *tiles.shape[1:])
    else:
        blocks = tiles[schedule.source]
        swapped = blocks.transpose(0, 1, *(axis + 2 for axis in order))
        over = (...,) + (None,) * len(order)
        blocks = jnp.where(schedule.mirrored[over], swapped, blocks)
        diagonal = np.eye(grid.rows, dtype=bool)[over]
        blocks = jnp.where(diagonal, _mean(blocks, swapped), blocks)
    kernel = jnp.swapaxes(blocks, 1, 2)
    kernel = kernel.reshape(grid.rows * grid.height, grid.columns * grid.width, *kernel.shape[4:])
    return kernel[: grid.n, : grid.m]


def place_tile(
    kernel: np.ndarray,
    tile: np.ndarray,
    grid: Grid,
    i: int,
    j: int,
    order: tuple[int, ...] | None,
) -> None:
    """Write tile ``(i, j)``, and where ``order`` is given its mirror image, into the kernel."""
    top, left = i * grid.height, j * grid.width
    tile = tile[: max(grid.n - top, 0), : max(grid.m - left, 0)]
    if order is not None:
        image = tile.transpose(order)
        if i == j:
            tile = _mean(tile, image)
        else:
            kernel[left : left + len(image), top : top + image.shape[1]] = image
    kernel[top : top + len(tile), left : left + tile.shape[1]] = tile


def _mean(one: Any, other: Any) -> Any:
    return (0.5 * one + 0.5 * other).astype(one.dtype)


def _cut(n: int, batch_size: int, devices: int) -> tuple[int, int]:
    """Number of tiles and their equal size: the least padding for as few tiles as there can be."""
    tiles = devices * max(math.ceil(n / (batch_size * devices)), 1)
    return tiles, math.ceil(n / tiles)
