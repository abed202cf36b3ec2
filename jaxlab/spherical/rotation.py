"""Rotations: random ones, and matrices to and from zyz Euler angles.

    R(α, β, γ) = R_z(α) R_y(β) R_z(γ)

A rotation is given to the room's functions as a matrix ``[..., 3, 3]`` or as its three angles.
"""

import functools
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from jaxlab.checks import (
    check_dtype,
    check_integer,
    check_key,
    check_number,
    check_shape,
    concrete,
    require,
)
from jaxlab.spherical.tables import check_table_dtype

__all__ = [
    "Angle",
    "EulerAngles",
    "Rotation",
    "arvo_rotation",
    "euler_angles",
    "random_rotations",
    "rotation_matrix",
]

Angle: TypeAlias = int | float | Float[Array, "..."] | Float[np.ndarray, "..."]
TOLERANCE = 1e-3  # how far from orthogonal a matrix may be that is taken for a rotation


class EulerAngles(NamedTuple):
    """Angles of ``R_z(alpha) R_y(beta) R_z(gamma)``, in radians; the three broadcast.

    Attributes:
        alpha: longitude of the image of the north pole.
        beta: colatitude of the image of the north pole.
        gamma: turn about the north pole, before the others.
    """

    alpha: Angle
    beta: Angle
    gamma: Angle


Rotation: TypeAlias = (
    EulerAngles
    | tuple[Angle, Angle, Angle]
    | Float[Array, "*rotations 3 3"]
    | Float[np.ndarray, "*rotations 3 3"]
)


def random_rotations(
    key: Key[Array, ""], n: int, dtype: Any = jnp.float32
) -> Float[Array, "n 3 3"]:
    """Rotations drawn uniformly (Haar): those of normalised Gaussian quaternions.

    Args:
        key: PRNG key.
        n: number of rotations.
        dtype: float32, or float64 where jax has it enabled.

    Returns:
        Rotation matrices.

    Raises:
        ValueError: if ``n`` is no integer >= 0 or ``dtype`` is another.

    Cost:
        O(n).

    Source:
        Shoemake, *Uniform random rotations*, Graphics Gems III, 1992.

    Example:
        >>> R = random_rotations(jax.random.key(0), 4)
        >>> bool(jnp.allclose(R @ R.mT, jnp.eye(3), atol=1e-6))
        True
    """
    check_key("key", key)
    check_integer("n", n, minimum=0)
    return _uniform(key, n, check_table_dtype(dtype))


def arvo_rotation(u: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3 3"]:
    """The rotation of three uniform numbers, ``(V Vᵀ − 1) R_z(−2πu₀)``.

    ``V = (√z sin φ, √z cos φ, √(2−z))`` with ``φ = 2πu₁`` and ``z = 2u₂``: a turn about the z axis,
    then a half turn about ``V``. Uniform ``u`` give uniform rotations.

    Args:
        u: three numbers in [0, 1] along the last axis.

    Returns:
        Rotation matrices.

    Raises:
        ValueError: if ``u`` has another last axis, or is concrete and outside [0, 1].

    Cost:
        O(1) a rotation.

    Source:
        Arvo, *Fast random rotation matrices*, Graphics Gems III, 1992.

    Example:
        >>> arvo_rotation(jnp.array([0.0, 0.0, 0.0])).round(1).tolist()
        [[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    check_shape("u", u, ("...", 3))
    check_dtype("u", u, "floating")
    check_number("u", u, minimum=0, maximum=1)
    return _arvo(u)


def rotation_matrix(alpha: Angle, beta: Angle, gamma: Angle) -> Float[Array, "*batch 3 3"]:
    """``R_z(α) R_y(β) R_z(γ)``.

    Args:
        alpha: radians; the three angles broadcast.
        beta: radians.
        gamma: radians.

    Returns:
        Rotation matrices, in the precision of the angles and at least float32.

    Raises:
        ValueError: if an angle is concrete and not finite, or the shapes do not broadcast.

    Cost:
        O(1) a rotation.

    Example:
        >>> [round(float(entry)) for entry in rotation_matrix(jnp.pi / 2, 0.0, 0.0)[:, 0]]
        [0, 1, 0]
    """
    return _matrix(*as_angles("alpha, beta, gamma", (alpha, beta, gamma)))


def euler_angles(R: Float[Array, "*batch 3 3"] | Float[np.ndarray, "*batch 3 3"]) -> EulerAngles:
    """Angles of rotation matrices: ``R = R_z(α) R_y(β) R_z(γ)`` with ``0 ≤ β ≤ π``.

    ``β = atan2(√(R₁₃² + R₂₃²), R₃₃)``, ``α = atan2(R₂₃, R₁₃)``, and ``γ`` is what ``R_z(−α)``
    leaves in the middle row of ``R``, so that it makes up for the rounding of ``α`` near the poles.
    Where ``sin β`` is zero to rounding, the north pole stays on the axis and only one angle is
    determined: there ``γ = 0`` and ``β`` is 0 or π.

    Args:
        R: rotation matrices.

    Returns:
        Angles in radians, ``α`` and ``γ`` from −π to π. Gradients are finite everywhere; where the
        north pole stays on the axis they leave out the tilt, in which ``β`` has no derivative.

    Raises:
        ValueError: if ``R`` is not ``[..., 3, 3]``, or is concrete and no rotation: ``|det R − 1|``
            or ``‖RRᵀ − 1‖`` above 10⁻³.

    Cost:
        O(1) a rotation.

    Example:
        >>> angles = euler_angles(rotation_matrix(0.1, 0.2, 0.3))
        >>> [round(float(angle), 6) for angle in angles]
        [0.1, 0.2, 0.3]
    """
    check_rotation("R", R)
    R = jnp.asarray(R)
    return EulerAngles(*_angles(R.astype(jnp.promote_types(R.dtype, jnp.float32))))


def as_angles(argument: str, rotation: Any, dtype: Any = None) -> tuple[Array, Array, Array]:
    """Angles of a rotation given either way, as arrays of one shape and dtype."""
    if isinstance(rotation, tuple):
        require(len(rotation) == 3, argument, rotation, "three Euler angles, or matrices")
        for angle in rotation:
            check_number(argument, angle)
        angles = EulerAngles(*rotation)
    else:
        check_rotation(argument, rotation)
        angles = euler_angles(rotation)
    shapes = [np.shape(angle) for angle in angles]
    try:
        shape = jnp.broadcast_shapes(*shapes)
    except ValueError:
        require(False, argument, shapes, "three angles whose shapes broadcast")
    if dtype is None:
        dtype = jnp.promote_types(jnp.result_type(0.0, *angles), jnp.float32)
    alpha, beta, gamma = (jnp.broadcast_to(jnp.asarray(angle, dtype), shape) for angle in angles)
    return alpha, beta, gamma


def check_rotation(argument: str, R: Any) -> None:
    """Refuse what is not ``[..., 3, 3]`` floating, or is concrete and no rotation."""
    check_shape(argument, R, ("...", 3, 3))
    check_dtype(argument, R, "floating")
    check_number(argument, R)
    matrices = concrete(R)
    if matrices is None:
        return
    matrices = matrices.astype(np.float64)
    skew = np.linalg.norm(matrices @ np.swapaxes(matrices, -1, -2) - np.eye(3), axis=(-2, -1))
    volume = np.abs(np.linalg.det(matrices) - 1)
    worst = f"{volume.max(initial=0):.2g} and {skew.max(initial=0):.2g}"
    fits = bool(np.all(skew <= TOLERANCE) and np.all(volume <= TOLERANCE))
    expected = f"rotations, |det R - 1| and |R R^T - 1| at most {TOLERANCE} (they are {worst})"
    require(fits, argument, R, expected)


def from_quaternion(q: Float[Array, "*batch 4"]) -> Float[Array, "*batch 3 3"]:
    """Rotation of the quaternion ``q₀ + q₁i + q₂j + q₃k``, of any length."""
    w, x, y, z = jnp.moveaxis(q / jnp.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    return _rows(
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    )


@functools.partial(jax.jit, static_argnames=("n", "dtype"))
def _uniform(key: Array, n: int, dtype: np.dtype) -> Float[Array, "n 3 3"]:
    return from_quaternion(jax.random.normal(key, (n, 4), dtype))


@jax.jit
def _arvo(u: Float[Array, "*batch 3"]) -> Float[Array, "*batch 3 3"]:
    u = u.astype(jnp.promote_types(u.dtype, jnp.float32))
    turn, phi, z = 2 * jnp.pi * u[..., 0], 2 * jnp.pi * u[..., 1], 2 * u[..., 2]
    axis = jnp.stack(
        [jnp.sqrt(z) * jnp.sin(phi), jnp.sqrt(z) * jnp.cos(phi), jnp.sqrt(2 - z)], axis=-1
    )
    half_turn = axis[..., :, None] * axis[..., None, :] - jnp.eye(3, dtype=u.dtype)
    zero = jnp.zeros_like(turn)
    return jnp.matmul(half_turn, _matrix(-turn, zero, zero), precision=jax.lax.Precision.HIGHEST)


@jax.jit
def _matrix(
    alpha: Float[Array, "*batch"], beta: Float[Array, "*batch"], gamma: Float[Array, "*batch"]
) -> Float[Array, "*batch 3 3"]:
    (ca, sa), (cb, sb), (cg, sg) = ((jnp.cos(x), jnp.sin(x)) for x in (alpha, beta, gamma))
    return _rows(
        [ca * cb * cg - sa * sg, -ca * cb * sg - sa * cg, ca * sb],
        [sa * cb * cg + ca * sg, -sa * cb * sg + ca * cg, sa * sb],
        [-sb * cg, sb * sg, cb],
    )


@jax.jit
def _angles(R: Float[Array, "*batch 3 3"]) -> tuple[Array, Array, Array]:
    square = R[..., 0, 2] ** 2 + R[..., 1, 2] ** 2
    locked = square < (8 * jnp.finfo(R.dtype).eps) ** 2
    # the root is taken of 1 where it is not used: its derivative at 0 would make a gradient NaN
    sine = jnp.where(locked, 0, jnp.sqrt(jnp.where(locked, 1, square)))
    y = jnp.where(locked, -R[..., 0, 1], R[..., 1, 2])
    x = jnp.where(locked, R[..., 1, 1], R[..., 0, 2])
    alpha = jnp.arctan2(y, x)
    cos, sin = jnp.cos(alpha)[..., None], jnp.sin(alpha)[..., None]
    middle = cos * R[..., 1, :] - sin * R[..., 0, :]
    gamma = jnp.where(locked, 0, jnp.arctan2(middle[..., 0], middle[..., 1]))
    return alpha, jnp.arctan2(sine, R[..., 2, 2]), gamma


def _rows(*rows: list[Array]) -> Float[Array, "*batch 3 3"]:
    return jnp.stack([jnp.stack(row, axis=-1) for row in rows], axis=-2)
