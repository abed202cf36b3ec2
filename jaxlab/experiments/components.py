"""Points by their principal components."""

import numpy as np
from jaxtyping import Float, Shaped

__all__ = ["principal_components"]


def principal_components(
    points: Shaped[np.ndarray, "n d"], dims: int
) -> Float[np.ndarray, "n dims"]:
    """Centred ``points`` along the ``dims`` directions of the largest variance, float32.

    Example:
        >>> line = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]])
        >>> np.abs(principal_components(line, 1)).tolist()
        [[2.23...], [0.0], [2.23...]]
    """
    centred = points - points.mean(axis=0, dtype=np.float64)
    _, directions = np.linalg.eigh(centred.T @ centred)
    return np.asarray(centred @ directions[:, ::-1][:, :dims], np.float32)
