"""Grids on the sphere and the rotation group, and their exact quadrature weights.

A grid of bandwidth ``b`` samples every azimuth at ``πj/b, j = 0 … 2b−1``. Its colatitudes are

========================  ==========================  =======================================
``"soft"``                ``π(2k+1)/(4b), k < 2b``    Kostelec and Rockmore; the default
``"driscoll_healy"``      ``πk/(2b), k < 2b``         includes the north pole
``"gauss_legendre"``      ``arccos`` of the b nodes   half as many colatitudes, same exactness
========================  ==========================  =======================================

All three integrate products of two functions of degrees ``l + l' < 2b`` exactly. Signals on the
sphere are laid out ``[..., β, α]``, signals on the rotation group ``[..., β, γ, α]``.

Source: Driscoll and Healy, *Computing Fourier transforms and convolutions on the 2-sphere*, 1994;
Kostelec and Rockmore, *FFTs on the rotation group*, 2008.
"""

import operator
from typing import get_args

import numpy as np
from jaxtyping import Float

from jaxlab.checks import check_choice, check_integer
from jaxlab.spherical.types import Grid, Group

__all__ = [
    "GRIDS",
    "colatitudes",
    "longitudes",
    "quadrature_weights",
    "sphere_points",
]

GRIDS: tuple[Grid, ...] = get_args(Grid)
"""Names of the grids."""


def colatitudes(b: int, grid: Grid = "soft") -> Float[np.ndarray, " k"]:
    """Colatitudes β of the grid, from north to south.

    Args:
        b: bandwidth.
        grid: one of :data:`GRIDS`.

    Returns:
        Angles in radians: ``2b`` of them, ``b`` for ``"gauss_legendre"``.

    Raises:
        ValueError: if ``b`` is no integer >= 1 or ``grid`` is unknown.

    Cost:
        O(b); O(b³) for ``"gauss_legendre"``.

    Example:
        >>> colatitudes(2).round(3).tolist()
        [0.393, 1.178, 1.963, 2.749]
    """
    b = check_grid(b, grid)
    if grid == "gauss_legendre":
        return np.arccos(np.polynomial.legendre.leggauss(b)[0][::-1])
    k = np.arange(2 * b)
    return np.pi * (2 * k + 1) / (4 * b) if grid == "soft" else np.pi * k / (2 * b)


def longitudes(b: int) -> Float[np.ndarray, " j"]:
    """Longitudes α (and angles γ) of a grid of bandwidth ``b``: ``2b`` angles ``πj/b``, radians.

    Args:
        b: bandwidth.

    Returns:
        The angles, ascending from 0.

    Raises:
        ValueError: if ``b`` is no integer >= 1.

    Cost:
        O(b).

    Example:
        >>> longitudes(2).round(3).tolist()
        [0.0, 1.571, 3.142, 4.712]
    """
    b = check_grid(b, "soft")
    return np.pi * np.arange(2 * b) / b


def quadrature_weights(b: int, grid: Grid = "soft", group: Group = "s2") -> Float[np.ndarray, " k"]:
    """Weight of one sample at each colatitude; over the whole grid they sum to 1.

    With ``a_k = (2/b) sin β_k Σ_{j<b} sin((2j+1)β_k)/(2j+1)``, the weights of colatitudes alone
    (Gauss's for ``"gauss_legendre"``), a sample weighs ``a_k/(4b)`` on the sphere and ``a_k/(8b²)``
    on the rotation group: the normalised Haar measure.

    Args:
        b: bandwidth.
        grid: one of :data:`GRIDS`.
        group: ``"s2"`` or ``"so3"``.

    Returns:
        One weight for each of :func:`colatitudes`.

    Raises:
        ValueError: for a bad bandwidth or an unknown grid or group.

    Cost:
        O(b²); O(b³) for ``"gauss_legendre"``.

    Example:
        >>> float(quadrature_weights(3, group="so3").sum() * 6 * 6)
        1.0
    """
    b = check_grid(b, grid)
    check_choice("group", group, get_args(Group))
    if grid == "gauss_legendre":
        weights = np.polynomial.legendre.leggauss(b)[1][::-1].copy()
    else:
        beta = colatitudes(b, grid)
        odd = 2 * np.arange(b) + 1
        weights = 2 / b * np.sin(beta) * (np.sin(np.outer(beta, odd)) / odd).sum(axis=1)
    samples = 2 * b if group == "s2" else (2 * b) ** 2
    return weights / (2 * samples)


def sphere_points(b: int, grid: Grid = "soft") -> Float[np.ndarray, "xyz k j"]:
    """Unit vectors ``(sin β cos α, sin β sin α, cos β)`` of the grid, along the first axis.

    Args:
        b: bandwidth.
        grid: one of :data:`GRIDS`.

    Returns:
        ``[3, 2b, 2b]``, or ``[3, b, 2b]`` for ``"gauss_legendre"``.

    Raises:
        ValueError: for a bad bandwidth or an unknown grid.

    Cost:
        O(b²); O(b³) for ``"gauss_legendre"``.

    Example:
        >>> sphere_points(4).shape
        (3, 8, 8)
    """
    beta, alpha = np.meshgrid(colatitudes(b, grid), longitudes(b), indexing="ij")
    return np.stack([np.sin(beta) * np.cos(alpha), np.sin(beta) * np.sin(alpha), np.cos(beta)])


def check_grid(b: int, grid: str) -> int:
    """``b`` as Python's integer, in which nothing wraps; refuse a bad bandwidth or grid."""
    check_integer("b", b, minimum=1)
    check_choice("grid", grid, GRIDS)
    return operator.index(b)
