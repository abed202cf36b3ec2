"""Pictures of signals on the sphere: one half of it, as it is seen from far away."""

from typing import Any

import jax.numpy as jnp
import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.colors import to_rgb

from jaxlab.experiments.plotting import COLOURS
from jaxlab.spherical.grids import colatitudes, sphere_points
from jaxlab.spherical.resampling import resample_grid
from jaxlab.spherical.types import Grid

__all__ = ["SOUTH", "globe", "middle", "paint", "paint_classes"]

SOUTH = (np.pi, np.pi)
"""Where images projected from a plane stand upright in the middle of the picture."""

BACKGROUND = "#D9D9D9"
CLASSES = (*COLOURS, "#FFFF99", "#6600CC")  # ten, as all sets of images have


def globe(
    f: Any,
    toward: tuple[int | float, int | float] = SOUTH,
    *,
    size: int = 96,
    grid: Grid = "soft",
    inside: bool = True,
    nearest: bool = False,
) -> Float[np.ndarray, "*batch size size"]:
    """Orthographic pictures of signals on the sphere.

    Args:
        f: samples ``[..., β, α]``.
        toward: colatitude and longitude of the middle of the picture, radians; the meridian through
            it runs from top to bottom, southwards.
        size: side of the picture in pixels.
        grid: kind of grid.
        inside: whether the sphere is looked at from its middle, like the sky. From there images
            projected from a plane read as in the plane; from outside they are mirrored.
        nearest: whether to show the nearest sample, as classes must be, instead of interpolating.

    Returns:
        ``[..., size, size]``, NaN beyond the limb.

    Example:
        >>> picture = globe(np.ones((8, 8)), size=4)
        >>> np.isnan(picture).astype(int).tolist()
        [[1, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 1]]
    """
    middle = (2 * np.arange(size) + 1) / size - 1
    right, down = np.meshgrid(-middle if inside else middle, middle)
    height = np.sqrt(np.maximum(1 - right**2 - down**2, 0))
    (cos, sin), (cos_lon, sin_lon) = ((np.cos(angle), np.sin(angle)) for angle in toward)
    axes = np.array(
        [
            [-sin_lon, cos_lon, 0],
            [cos * cos_lon, cos * sin_lon, -sin],
            [sin * cos_lon, sin * sin_lon, cos],
        ]
    )
    points = np.einsum("ia,ijk->ajk", axes, np.stack([right, down, height]))
    f = np.asarray(f)
    if nearest:
        b = f.shape[-1] // 2
        beta, alpha = np.arccos(np.clip(points[2], -1, 1)), np.arctan2(points[1], points[0])
        row = np.abs(beta[..., None] - colatitudes(b, grid)).argmin(axis=-1)
        picture = f[..., row, np.round(alpha * b / np.pi).astype(int) % (2 * b)].astype(float)
    else:
        samples = jnp.asarray(f, jnp.float32)
        picture = np.array(resample_grid(samples, points.astype(np.float32), grid))
    picture[..., right**2 + down**2 > 1] = np.nan
    return picture


def middle(x: Any, grid: Grid = "soft") -> tuple[float, float]:
    """Colatitude and longitude of the middle of what is bright, to look at it.

    Args:
        x: one signal ``[β, α]``, dark where it is 0.
        grid: kind of grid.

    Example:
        >>> east = np.zeros((8, 8))
        >>> east[3:5, 2] = 1
        >>> [round(angle / np.pi, 3) for angle in middle(east)]
        [0.5, 0.5]
    """
    x = np.asarray(x)
    bright = np.einsum("akj,kj->a", sphere_points(x.shape[-1] // 2, grid), x)
    return float(np.arctan2(np.hypot(*bright[:2]), bright[2])), float(np.arctan2(*bright[1::-1]))


def paint(
    picture: Any, limits: tuple[int | float, int | float] | None = None, *, colours: str = "gray"
) -> Float[np.ndarray, "... 3"]:
    """Colours of values, white where there is none (NaN).

    Args:
        picture: values.
        limits: values drawn in the first and the last colour; None takes the smallest and largest.
        colours: name of a colour map of matplotlib.

    Example:
        >>> paint(np.array([[0.0, 1.0, np.nan]])).tolist()
        [[[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]]
    """
    picture = np.asarray(picture)
    low, high = (np.nanmin(picture), np.nanmax(picture)) if limits is None else limits
    shade = np.clip((picture - low) / (high - low or 1.0), 0, 1)
    rgb = matplotlib.colormaps[colours](np.nan_to_num(shade))[..., :3]
    return np.where(np.isnan(picture)[..., None], 1.0, rgb)


def paint_classes(picture: Any) -> Float[np.ndarray, "... 3"]:
    """Colours of classes: grey for the background 0, white where there is none (NaN)."""
    picture = np.asarray(picture, float)
    table = np.array([to_rgb(colour) for colour in (BACKGROUND, *CLASSES)])
    number = np.nan_to_num(picture).astype(int)
    rgb = table[np.where(number > 0, (number - 1) % len(CLASSES) + 1, 0)]
    return np.where(np.isnan(picture)[..., None], 1.0, rgb)
