"""Bilinear resampling of signals on the sphere: reading a grid between its points.

Between two colatitudes and two longitudes a signal is read as bilinear in the angles, around the
circle of longitudes, and from the first and the last colatitude to the poles, where it is taken to
be the mean of the nearest circle. The error is of second order in the step of the grid;
:func:`~jaxlab.spherical.rotate_s2` rotates bandlimited signals exactly, but spreads what is not
bandlimited, such as a mask.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxlab.checks import check_choice, check_dtype, check_shape, require
from jaxlab.spherical.grids import GRIDS, colatitudes, sphere_points
from jaxlab.spherical.projection import check_vectors
from jaxlab.spherical.rotation import check_rotation
from jaxlab.spherical.types import Grid

__all__ = ["resample_grid", "rotate_grid"]


def rotate_grid(
    f: Float[Array, "*batch k j"], R: Float[Array | np.ndarray, "3 3"], grid: Grid = "soft"
) -> Float[Array, "*batch k j"]:
    """Rotated signals on the same grid, ``(Rf)(x) = f(R⁻¹x)``, interpolated.

    Args:
        f: samples ``[..., β, α]``.
        R: rotation matrix.
        grid: kind of grid.

    Returns:
        Samples of the rotated signals; float16 and bfloat16 are interpolated in float32.

    Raises:
        ValueError: if the last axes of ``f`` are no grid of that kind, or ``R`` is no rotation.

    Cost:
        O(b²) a signal, time and memory.

    Example:
        >>> from jaxlab.spherical import sphere_points
        >>> z = jnp.asarray(sphere_points(8)[2], jnp.float32)
        >>> half_turn = jnp.diag(jnp.array([1.0, -1.0, -1.0]))
        >>> bool(jnp.allclose(rotate_grid(z, half_turn), -z, atol=1e-6))
        True
    """
    b = _bandwidth(f, grid)
    check_shape("R", R, (3, 3))
    check_rotation("R", R)
    return _rotate(f, jnp.asarray(R), jnp.asarray(sphere_points(b, grid)), grid)


def resample_grid(
    f: Float[Array, "*batch k j"], points: Float[Array | np.ndarray, "3 q r"], grid: Grid = "soft"
) -> Float[Array, "*batch q r"]:
    """Signals on a grid, read at other points of the sphere.

    Args:
        f: samples ``[..., β, α]``.
        points: vectors from the centre, of any length, such as
            :func:`~jaxlab.spherical.sphere_points` of another bandwidth or grid.
        grid: kind of grid that ``f`` is on.

    Returns:
        One value for each point; float16 and bfloat16 are interpolated in float32.

    Raises:
        ValueError: if the last axes of ``f`` are no grid of that kind, or ``points`` no
            finite vectors.

    Cost:
        O(q r) a signal, time and memory.

    Example:
        >>> pole = jnp.array([0.0, 0.0, 1.0]).reshape(3, 1, 1)
        >>> resample_grid(jnp.arange(4.0)[:, None] + jnp.zeros((4, 4)), pole)
        Array([[0.]], dtype=float32)
    """
    _bandwidth(f, grid)
    check_vectors(points)
    return _resample(f, jnp.asarray(points), grid)


@functools.partial(jax.jit, static_argnames="grid")
def _rotate(f: Array, R: Array, points: Array, grid: Grid) -> Array:
    compute = jnp.promote_types(f.dtype, jnp.float32)
    R, points = R.astype(compute), points.astype(compute)
    back = jnp.einsum("ba,bkj->akj", R, points, precision=jax.lax.Precision.HIGHEST)
    return _resample(f, back, grid)


@functools.partial(jax.jit, static_argnames="grid")
def _resample(f: Array, points: Array, grid: Grid) -> Array:
    b = f.shape[-1] // 2
    compute = jnp.promote_types(f.dtype, jnp.float32)
    points = points.astype(compute)
    size = jax.lax.stop_gradient(jnp.abs(points).max(axis=0))  # squares stay in range
    x, y, z = points / jnp.where(size > 0, size, 1)
    # the circles of the grid between two poles
    nodes = jnp.asarray(np.concatenate([[0], colatitudes(b, grid), [np.pi]]), compute)
    circles = f.astype(compute)
    means = jnp.broadcast_to(circles.mean(axis=-1, keepdims=True), circles.shape)
    circles = jnp.concatenate([means[..., :1, :], circles, means[..., -1:, :]], axis=-2)

    square = x**2 + y**2
    # on the axis the root and the longitude have no derivative: a gradient there would be NaN
    axis = square == 0
    beta = jnp.arctan2(jnp.where(axis, 0, jnp.sqrt(jnp.where(axis, 1, square))), z)
    alpha = jnp.arctan2(y, jnp.where(axis, 1, x))
    row = jnp.clip(jnp.searchsorted(nodes, beta, side="right") - 1, 0, nodes.size - 2)
    gap = nodes[row + 1] - nodes[row]
    down = (beta - nodes[row]) / jnp.where(gap > 0, gap, 1)
    position = alpha * (b / jnp.pi)
    column = jnp.floor(position)
    along = position - column
    left = column.astype(jnp.int32) % (2 * b)
    right = (left + 1) % (2 * b)
    upper = (1 - along) * circles[..., row, left] + along * circles[..., row, right]
    lower = (1 - along) * circles[..., row + 1, left] + along * circles[..., row + 1, right]
    return ((1 - down) * upper + down * lower).astype(f.dtype)


def _bandwidth(f: Array, grid: Grid) -> int:
    check_choice("grid", grid, GRIDS)
    check_shape("f", f, ("...", "β", "α"))
    check_dtype("f", f, "floating")
    b = f.shape[-1] // 2
    fits = b > 0 and f.shape[-2:] == (b if grid == "gauss_legendre" else 2 * b, 2 * b)
    require(fits, "f", f, f"axes [..., β, α] of a {grid} grid: 2b longitudes")
    return b
