"""Chosen pixels, on the standard deviation of all."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

__all__ = ["draw_chosen", "picture_of"]


def picture_of(
    values: Float[np.ndarray, " n"], places: np.ndarray, shape: tuple[int, int]
) -> Float[np.ndarray, "height width"]:
    """``values`` of the pixels at ``places``, 0 of the others.

    Example:
        >>> picture_of(np.array([0.5, 0.7]), np.array([0, 3]), (2, 2)).tolist()
        [[0.5, 0.0], [0.0, 0.7]]
    """
    picture = np.zeros(shape)
    picture.flat[places] = values
    return picture


def draw_chosen(
    ax: Axes,
    deviations: Float[np.ndarray, "height width"],
    chosen: Mapping[str, Any],
    title: str,
) -> None:
    """Pixels by the colour they are marked in, as places in the flattened picture."""
    ax.imshow(deviations, cmap="Greys", interpolation="nearest")
    for colour, places in chosen.items():
        row, column = np.unravel_index(places, deviations.shape)
        ax.scatter(column, row, s=900 / max(deviations.shape), color=colour, linewidths=0)
    ax.set_title(title, fontsize=8)
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    ax.spines[:].set_visible(False)
