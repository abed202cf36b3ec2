"""Points on which the kernels of the equivariant layers live.

A kernel has free values at a small set of points near the identity, or round the equator: a product
grid of angles, whose points are numbered in the order (β, α, γ'), the last fastest.

Source: Cohen, Geiger, Köhler and Welling, *Spherical CNNs*, ICLR 2018; points and order are those
of its published code.
"""

import dataclasses
import warnings
from typing import get_args

import numpy as np
from jaxtyping import Float

from jaxlab.checks import check_choice, check_integer, check_number, check_scalar, require
from jaxlab.spherical.types import GammaGrid

__all__ = [
    "KernelGrid",
    "equatorial_s2",
    "equatorial_so3",
    "kernel_points",
    "near_identity_s2",
    "near_identity_so3",
]


@dataclasses.dataclass(frozen=True)
class KernelGrid:
    """Points of a kernel: every combination of the angles, in radians.

    Attributes:
        beta: colatitudes.
        alpha: longitudes.
        gamma: third angles ``γ'``; none for a kernel on the sphere.
        shear: whether ``γ = γ' − α`` instead of ``γ'``: then all points of one ``(β, γ')`` are
            equally far from the identity.

    Raises:
        ValueError: if an angle is not finite, ``beta`` or ``alpha`` is empty, or ``beta`` leaves
            ``[0, π]``.

    Warns:
        UserWarning: if ``beta`` contains 0 and there are several longitudes: they are all the same
            point then, or turns about one axis.
    """

    beta: tuple[float, ...]
    alpha: tuple[float, ...]
    gamma: tuple[float, ...] = ()
    shear: bool = False

    def __post_init__(self) -> None:
        for name in ("beta", "alpha", "gamma"):
            angles = np.asarray(getattr(self, name), np.float64)
            require(angles.ndim == 1, name, angles, "a flat sequence of angles")
            require(angles.size > 0 or name == "gamma", name, angles, "at least one angle")
            check_number(name, angles)
            object.__setattr__(self, name, tuple(angles.tolist()))
        check_number("beta", self.beta, minimum=0, maximum=np.pi)
        if 0.0 in self.beta and len(self.alpha) > 1:
            warnings.warn(
                "beta contains 0, where all longitudes alpha are the same turn about the pole",
                UserWarning,
                stacklevel=3,
            )

    @property
    def n_points(self) -> int:
        """Number of points, which is the last axis of the kernel's parameters."""
        return len(self.beta) * len(self.alpha) * max(len(self.gamma), 1)


def near_identity_s2(
    max_beta: int | float = np.pi / 8, *, n_alpha: int = 8, n_beta: int = 3
) -> KernelGrid:
    """Rings round the north pole: ``β_i = i·max_beta/n_beta``, ``α_j = 2πj/n_alpha``.

    Args:
        max_beta: colatitude of the outermost ring, radians, in ``(0, π]``.
        n_alpha: points on a ring.
        n_beta: number of rings.

    Returns:
        ``n_beta · n_alpha`` points.

    Raises:
        ValueError: if ``max_beta`` is outside ``(0, π]`` or a number is below 1.

    Cost:
        O(n_points).

    Example:
        >>> near_identity_s2().n_points
        24
    """
    return KernelGrid(_rings(max_beta, n_beta), _turn(n_alpha))


def near_identity_so3(
    max_beta: int | float = np.pi / 8,
    max_gamma: int | float = 2 * np.pi,
    *,
    n_alpha: int = 8,
    n_beta: int = 3,
    n_gamma: int | None = None,
    gamma_grid: GammaGrid = "endpoint",
) -> KernelGrid:
    """Rings of rotations round the identity; those on a ring are equally far from it.

    ``β_i = i·max_beta/n_beta``, ``α_j = 2πj/n_alpha`` and ``γ = γ' − α_j`` with ``γ'`` from
    ``−max_gamma`` to ``max_gamma``, both included. As published, ``max_gamma = 2π``, so that the
    first and the last ``γ'`` are one rotation: of 192 points 24 are there twice.

    Args:
        max_beta: largest rotation angle away from the axis, radians, in ``(0, π]``.
        max_gamma: half the range of ``γ'``, radians, at least 0.
        n_alpha: points on a ring.
        n_beta: number of rings.
        n_gamma: number of ``γ'``; None takes ``n_alpha``.
        gamma_grid: ``"endpoint"`` is as above; ``"uniform"`` spreads ``γ'`` evenly over one turn,
            ``2πk/n_gamma``, where the range is a turn or more, and leaves no duplicate.

    Returns:
        ``n_beta · n_alpha · n_gamma`` points.

    Raises:
        ValueError: for angles out of range, a number below 1 or an unknown name.

    Cost:
        O(n_points).

    Example:
        >>> near_identity_so3().n_points
        192
    """
    check_scalar("max_gamma", max_gamma, minimum=0)
    check_choice("gamma_grid", gamma_grid, get_args(GammaGrid))
    alpha = _turn(n_alpha)
    n_gamma = n_alpha if n_gamma is None else n_gamma
    check_integer("n_gamma", n_gamma, minimum=1)
    if gamma_grid == "uniform" and max_gamma >= np.pi:
        gamma = _turn(n_gamma)
    else:
        gamma = tuple(np.linspace(-max_gamma, max_gamma, n_gamma).tolist())
    return KernelGrid(_rings(max_beta, n_beta), alpha, gamma, shear=True)


def equatorial_s2(max_beta: int | float = 0.0, *, n_alpha: int = 32, n_beta: int = 1) -> KernelGrid:
    """Rings round the equator, at ``n_beta`` colatitudes within ``π/2 ± max_beta``.

    Args:
        max_beta: half the width of the band, radians, in ``[0, π/2]``.
        n_alpha: points on a ring, ``2πj/n_alpha``.
        n_beta: number of rings; one ring lies at ``π/2 − max_beta``.

    Returns:
        ``n_beta · n_alpha`` points.

    Raises:
        ValueError: if ``max_beta`` is outside ``[0, π/2]`` or a number is below 1.

    Cost:
        O(n_points).

    Example:
        >>> equatorial_s2().n_points
        32
    """
    return KernelGrid(_band(max_beta, n_beta), _turn(n_alpha))


def equatorial_so3(
    max_beta: int | float = 0.0,
    max_gamma: int | float = np.pi / 8,
    *,
    n_alpha: int = 32,
    n_beta: int = 1,
    n_gamma: int = 2,
) -> KernelGrid:
    """Rings of rotations round the equator, with ``n_gamma`` angles from −max_gamma to max_gamma.

    Args:
        max_beta: half the width of the band, radians, in ``[0, π/2]``.
        max_gamma: half the range of ``γ``, radians, at least 0.
        n_alpha: points on a ring, ``2πj/n_alpha``.
        n_beta: number of rings, as in :func:`equatorial_s2`.
        n_gamma: number of ``γ``.

    Returns:
        ``n_beta · n_alpha · n_gamma`` points.

    Raises:
        ValueError: for angles out of range or a number below 1.

    Cost:
        O(n_points).

    Example:
        >>> equatorial_so3().n_points
        64
    """
    check_scalar("max_gamma", max_gamma, minimum=0)
    check_integer("n_gamma", n_gamma, minimum=1)
    gamma = tuple(np.linspace(-max_gamma, max_gamma, n_gamma).tolist())
    return KernelGrid(_band(max_beta, n_beta), _turn(n_alpha), gamma)


def kernel_points(kgrid: KernelGrid) -> Float[np.ndarray, "p abc"]:
    """Euler angles ``(α, β, γ)`` of the points, in the order of the parameters.

    Args:
        kgrid: of a kernel on either space; on the sphere ``γ = 0``.

    Returns:
        ``[n_points, 3]``, radians.

    Cost:
        O(n_points).

    Example:
        >>> kernel_points(near_identity_s2(0.3, n_alpha=2, n_beta=1)).round(2).tolist()
        [[0.0, 0.3, 0.0], [3.14, 0.3, 0.0]]
    """
    beta, alpha, third = np.meshgrid(kgrid.beta, kgrid.alpha, kgrid.gamma or (0.0,), indexing="ij")
    if kgrid.shear:
        third = third - alpha
    return np.stack([alpha, beta, third], axis=-1).reshape(-1, 3)


def _rings(max_beta: int | float, n_beta: int) -> tuple[float, ...]:
    check_scalar("max_beta", max_beta, above=0, maximum=np.pi)
    check_integer("n_beta", n_beta, minimum=1)
    return tuple((np.arange(1, n_beta + 1) * max_beta / n_beta).tolist())


def _band(max_beta: int | float, n_beta: int) -> tuple[float, ...]:
    check_scalar("max_beta", max_beta, minimum=0, maximum=np.pi / 2)
    check_integer("n_beta", n_beta, minimum=1)
    return tuple(np.linspace(np.pi / 2 - max_beta, np.pi / 2 + max_beta, n_beta).tolist())


def _turn(number: int) -> tuple[float, ...]:
    check_integer("n_alpha", number, minimum=1)
    return tuple((2 * np.pi * np.arange(number) / number).tolist())
