"""Other ways to select columns, of other libraries and by plain rules, for comparison.

Each returns columns in an order of which every beginning is a selection. scikit-matter is no
dependency: its methods are there where it is installed.
"""

import importlib.util
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.linalg.interpolative
from jaxtyping import Float

__all__ = ["best_subset", "orders", "residual_fractions"]

Order = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def orders() -> dict[str, Order]:
    """Selections by name: functions of a matrix, its target, and how many columns to put in order.

    ``"norm"``: largest columns first. ``"interpolative"``: SciPy's interpolative decomposition.
    ``"skmatter_cur"``, ``"skmatter_pcovcur"``: scikit-matter's CUR, which knows the matrix alone,
    and PCovCUR, which knows the target too.
    """
    found: dict[str, Order] = {"norm": _by_norm, "interpolative": _interpolative}
    if importlib.util.find_spec("skmatter") is not None:
        found |= {"skmatter_cur": _skmatter_cur, "skmatter_pcovcur": _skmatter_pcovcur}
    return found


def residual_fractions(
    a: Float[np.ndarray, "m n"],
    b: Float[np.ndarray, "m p"],
    columns: Any,
    counts: Sequence[int],
) -> list[float]:
    """``‖B − P_C B‖² / ‖B‖²`` for the first columns, as many as each of ``counts`` says.

    Example:
        >>> [round(left, 4) for left in residual_fractions(np.eye(3), np.eye(3), [2, 0], [1, 2])]
        [0.6667, 0.3333]
    """
    total = float(np.sum(b**2))
    if total == 0:
        return [0.0 for _ in counts]
    most = max(counts)
    basis = np.zeros((len(a), most))
    for place, column in enumerate(np.asarray(columns)[:most]):
        vector = a[:, column]
        length = np.linalg.norm(vector)
        for _ in range(2):  # once is not enough for columns that nearly depend on each other
            vector = vector - basis @ (basis.T @ vector)
        left = np.linalg.norm(vector)
        if left > 1e-10 * length:
            basis[:, place] = vector / left
    explained = np.concatenate([[0.0], np.cumsum(np.sum((basis.T @ b) ** 2, axis=1))])
    return [max(0.0, 1 - float(explained[count]) / total) for count in counts]


def best_subset(
    a: Float[np.ndarray, "m n"], b: Float[np.ndarray, "m p"], c: int, limit: int = 10_000
) -> float | None:
    """Least residual fraction of all subsets of ``c`` columns; None if there are over ``limit``."""
    n = a.shape[1]
    if math.comb(n, c) > limit:
        return None
    return min(
        residual_fractions(a, b, list(subset), [c])[0]
        for subset in itertools.combinations(range(n), c)
    )


def _by_norm(a: np.ndarray, b: np.ndarray, c: int) -> np.ndarray:
    return np.argsort(-np.linalg.norm(a, axis=0), kind="stable")[:c]


def _interpolative(a: np.ndarray, b: np.ndarray, c: int) -> np.ndarray:
    matrix = np.asarray(a, np.float64)  # SciPy's is for double precision only
    index, _ = scipy.linalg.interpolative.interp_decomp(matrix, min(c, *a.shape), rand=False)
    return np.asarray(index[:c])


def _skmatter_cur(a: np.ndarray, b: np.ndarray, c: int) -> np.ndarray:
    from skmatter.feature_selection import CUR

    return np.asarray(CUR(n_to_select=c).fit(a).selected_idx_[:c])


def _skmatter_pcovcur(a: np.ndarray, b: np.ndarray, c: int) -> np.ndarray:
    from skmatter.feature_selection import PCovCUR

    return np.asarray(PCovCUR(mixing=0.01, n_to_select=c).fit(a, b).selected_idx_[:c])
