"""Signals on the sphere that are known in closed form: random fields, and shapes with exact masks.

A shape is a set of points, known by a frame and a size. Turning it turns the frame, and its mask is
then sampled afresh: no interpolation comes between a rotated shape and its mask.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from jaxlab.checks import (
    check_dtype,
    check_integer,
    check_key,
    check_number,
    check_scalar,
    check_shape,
)
from jaxlab.spherical.grids import sphere_points
from jaxlab.spherical.projection import check_points
from jaxlab.spherical.rotation import check_rotation, random_rotations
from jaxlab.spherical.spectra import S2Spectrum
from jaxlab.spherical.spherical_images import SphericalBatch
from jaxlab.spherical.types import Grid

__all__ = [
    "SHAPE_NAMES",
    "Shapes",
    "SphericalShapes",
    "bandlimited_field",
    "rotate_shapes",
    "sample_shapes",
    "spherical_shapes",
]

SHAPE_NAMES = ("cap", "ellipse", "ring", "bar")
"""Classes of the shapes, in the order of their labels."""
BRIGHT = 255.0


class Shapes(NamedTuple):
    """Caps, ellipses, rings and bars on the sphere.

    Attributes:
        label: kind of each shape, its place in :data:`SHAPE_NAMES`.
        frame: rotation whose third column is the centre of the shape and whose first is its long
            axis.
        radius: angle from the centre to the farthest point along the long axis, radians.
        ratio: of the short axis to the long one, for ellipses and bars.
    """

    label: Int[Array, " n"]
    frame: Float[Array, "n 3 3"]
    radius: Float[Array, " n"]
    ratio: Float[Array, " n"]


class SphericalShapes(NamedTuple):
    """What :func:`spherical_shapes` returns.

    Attributes:
        x: 255 on the shape and 0 off it, ``[n, β, α]``.
        mask: ``label + 1`` on the shape and 0 off it.
        shapes: the shapes, to be rotated and sampled again.
    """

    x: Float[Array, "n k j"]
    mask: Int[Array, "n k j"]
    shapes: Shapes


def bandlimited_field(
    key: Key[Array, ""], b: int, slope: int | float | Float[Array, ""] = 1.0
) -> S2Spectrum:
    """A random field with ``b`` degrees whose law no rotation changes.

    ``F^l_m = (1 + l)^{−slope} ξ^l_m`` with independent normal ``ξ`` of unit variance, real for
    ``m = 0`` and complex above.

    Args:
        key: PRNG key; ``jax.vmap`` over keys gives a batch.
        b: number of degrees.
        slope: how fast the degrees fade; 0 is white noise.

    Returns:
        The spectrum, in complex64.

    Raises:
        ValueError: if ``b`` is no integer >= 1 or ``slope`` not a finite number.

    Cost:
        O(b²).

    Example:
        >>> bandlimited_field(jax.random.key(0), 4).coeffs.shape
        (4, 4)
    """
    check_key("key", key)
    check_integer("b", b, minimum=1)
    check_scalar("slope", slope)
    zonal_key, complex_key = jax.random.split(key)
    orders = jax.random.normal(complex_key, (b, b), jnp.complex64)
    orders = orders.at[:, 0].set(jax.random.normal(zonal_key, (b,), jnp.float32))
    fade = (1 + jnp.arange(b, dtype=jnp.float32)) ** (-jnp.asarray(slope, jnp.float32))
    return S2Spectrum(jnp.tril(orders * fade[:, None]))


def spherical_shapes(key: Key[Array, ""], n: int, b: int, grid: Grid = "soft") -> SphericalShapes:
    """Random shapes in random orientations, sampled on a grid with their exact masks.

    Kinds, centres and orientations are uniform, radii uniform in 0.2 … 0.6 radians, ratios uniform
    in 0.3 … 1.

    Args:
        key: PRNG key.
        n: number of shapes, one to an image.
        b: bandwidth of the grid.
        grid: kind of grid.

    Returns:
        Signals, masks and shapes.

    Raises:
        ValueError: for a bad size or an unknown grid.

    Cost:
        O(n b²).

    Example:
        >>> data = spherical_shapes(jax.random.key(0), n=3, b=8)
        >>> data.x.shape, bool(jnp.all((data.mask > 0) == (data.x > 150)))
        ((3, 16, 16), True)
    """
    check_key("key", key)
    check_integer("n", n, minimum=0)
    points = sphere_points(b, grid)
    shapes = _draw(key, n)
    return SphericalShapes(*sample_shapes(shapes, points), shapes)


@functools.partial(jax.jit, static_argnums=1)
def _draw(key: Array, n: int) -> Shapes:
    frame_key, number_key = jax.random.split(key)
    kind, radius, ratio = jax.random.uniform(number_key, (3, n), jnp.float32)
    label = jnp.floor(kind * len(SHAPE_NAMES)).astype(jnp.int32)
    return Shapes(label, random_rotations(frame_key, n), 0.2 + 0.4 * radius, 0.3 + 0.7 * ratio)


def rotate_shapes(
    shapes: Shapes, R: Float[Array | np.ndarray, "3 3"] | Float[Array | np.ndarray, "n 3 3"]
) -> Shapes:
    """The shapes in another orientation, ``{R p : p in shape}``.

    Args:
        shapes: shapes.
        R: one rotation matrix for all, or one for each.

    Returns:
        The rotated shapes.

    Raises:
        ValueError: if ``R`` has another shape or is no rotation.

    Cost:
        O(n).

    Example:
        >>> shapes = spherical_shapes(jax.random.key(0), n=2, b=2).shapes
        >>> half_turn = jnp.diag(jnp.array([1.0, -1.0, -1.0]))
        >>> bool(jnp.all(rotate_shapes(shapes, half_turn).frame[:, 2] == -shapes.frame[:, 2]))
        True
    """
    count = shapes.label.shape[0]
    check_shape("R", R, (3, 3) if np.ndim(R) == 2 else (count, 3, 3))
    check_rotation("R", R)
    R = jnp.asarray(R, shapes.frame.dtype)
    frame = jnp.matmul(R, shapes.frame, precision=jax.lax.Precision.HIGHEST)
    return shapes._replace(frame=frame)


def sample_shapes(shapes: Shapes, points: Float[Array | np.ndarray, "3 k j"]) -> SphericalBatch:
    """Signals and masks of shapes at points of the sphere.

    With θ the angle of a point from the centre and ``(u, v)`` the part of θ along the long and the
    short axis (``θ² = u² + v²``), radius ``r`` and ratio ``ρ``, the points of a

    * cap have ``θ ≤ r``;
    * ellipse, ``u² + (v/ρ)² ≤ r²``;
    * ring, ``r/2 ≤ θ ≤ r``;
    * bar, ``|u| ≤ r`` and ``|v| ≤ ρr/3``.

    Args:
        shapes: shapes, one to an image.
        points: unit vectors, as of :func:`~jaxlab.spherical.sphere_points`.

    Returns:
        255 and ``label + 1`` on a shape, 0 off it.

    Raises:
        ValueError: if ``points`` are no unit vectors, or ``shapes`` have another dtype or a label
            that is none.

    Cost:
        O(n k j).

    Example:
        >>> cap = Shapes(jnp.array([0]), jnp.eye(3)[None], jnp.array([0.5]), jnp.array([1.0]))
        >>> sample_shapes(cap, sphere_points(4)).mask[0, :, 0].tolist()  # at the north pole
        [1, 0, 0, 0, 0, 0, 0, 0]
    """
    check_points(points)
    check_dtype("shapes.label", shapes.label, "integer")
    check_number("shapes.label", shapes.label, minimum=0, maximum=len(SHAPE_NAMES) - 1)
    for name in ("frame", "radius", "ratio"):
        check_dtype(f"shapes.{name}", getattr(shapes, name), "floating")
    return _sample(shapes, jnp.asarray(points))


@jax.jit
def _sample(shapes: Shapes, points: Array) -> SphericalBatch:
    dtype = shapes.frame.dtype
    compute = jnp.promote_types(dtype, jnp.float32)
    points = points.astype(compute)

    def one(label: Array, frame: Array, radius: Array, ratio: Array) -> tuple[Array, Array]:
        q = jnp.einsum(
            "ba,bkj->akj", frame.astype(compute), points, precision=jax.lax.Precision.HIGHEST
        )
        sine = jnp.hypot(q[0], q[1])
        theta = jnp.arctan2(sine, q[2])
        u, v = theta * q[:2] / jnp.where(sine > 0, sine, 1)
        inside = [
            theta <= radius,
            u**2 + (v / ratio) ** 2 <= radius**2,
            (theta >= radius / 2) & (theta <= radius),
            (jnp.abs(u) <= radius) & (jnp.abs(v) <= ratio * radius / 3),
        ]
        on = jnp.stack(inside)[label]
        return jnp.where(on, BRIGHT, 0.0).astype(dtype), jnp.where(on, label + 1, 0)

    return SphericalBatch(*jax.vmap(one)(*shapes))
