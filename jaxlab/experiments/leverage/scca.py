"""Few columns of two views with highly correlated combinations, by method of selection.

Columns are chosen, and combinations fitted, on the first two thirds of the rows; correlations are
also measured on the last third, where there are rows enough to leave some out.
"""

import functools
import itertools
import math
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from pydantic import Field

from jaxlab import leverage
from jaxlab.checks import require
from jaxlab.experiments.interface import IN_ORDER, Count, Counts, Reporter, Share, config
from jaxlab.experiments.leverage.matrices import Data, load, names_of
from jaxlab.experiments.leverage.scca_report import (
    CLAIMS,
    draw_correlations,
    draw_pixels,
    judge,
    tabulate,
)

__all__ = ["CLAIMS", "Config", "Method", "best_pair", "first_correlation", "run", "split"]

Method = Literal["leverage", "subspace", "forward", "threshold", "leading", "pmd", "pmd_raw"]

# their columns come in an order of which every beginning is a selection
_NESTED = ("forward", "threshold")


@config
class Config:
    """Numbers of ``columns`` of each view, of views of several data sets.

    Scores are of ``k`` pairs of singular vectors, or of as many as the smaller view has; those by
    pairs and by subspaces of no more than columns are chosen. Singular values are above ``rtol`` of
    the largest: one number for each data set, the first for a user's matrix. The last third of the
    rows is left out where there are at least ``split_from``. Bounds of the penalised decomposition
    are ``bounds`` times the square root of the number of columns. All subsets are tried where there
    are at most ``exhaustive`` pairs of them.
    """

    data: Data
    methods: Annotated[tuple[Method, ...], Field(min_length=1)]
    columns: Counts
    k: Count
    rtol: Annotated[tuple[Share, ...], Field(min_length=1), IN_ORDER]
    split_from: Count
    bounds: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1)]
    exhaustive: Annotated[int, Field(ge=0)]

    def __post_init__(self) -> None:
        """Every data set has its tolerance."""
        if not self.data.path:
            wanted = f"as many entries as data.names ({len(self.data.names)})"
            require(len(self.rtol) == len(self.data.names), "rtol", self.rtol, wanted)


class Views(NamedTuple):
    """Two views, split by rows.

    Attributes:
        a: first view, training rows.
        b: second view, training rows.
        a_test: first view, rows left out; None when there are too few.
        b_test: second view, rows left out.
    """

    a: Float[np.ndarray, "m n"]
    b: Float[np.ndarray, "m p"]
    a_test: Float[np.ndarray, "t n"] | None
    b_test: Float[np.ndarray, "t p"] | None


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Select by every method, then compare correlations."""
    names = names_of(config.data)
    reporter.plan(len(names) * len(config.methods) + len(names))
    found: dict[str, dict[str, Any]] = {}
    for name, rtol in zip(names, config.rtol[: len(names)], strict=True):
        pair = load(name, config.data)
        views = split(pair.a, pair.b, config.split_from)
        methods = {
            method: reporter.cell(
                f"{name}/{method}", functools.partial(measure, config, name, method, rtol)
            )
            for method in config.methods
        }
        best = reporter.cell(f"{name}/best", functools.partial(_best, config, name))
        found[name] = {
            "title": pair.title,
            "shapes": [list(views.a.shape), list(views.b.shape)],
            "test": 0 if views.a_test is None else len(views.a_test),
            "k": vectors_of(config, views),
            "methods": methods,
            "best": best,
        }
    tabulate(config, found, reporter)
    draw_correlations(config, found, reporter)
    draw_pixels(config, found, {name: load(name, config.data) for name in names}, reporter)
    judge(config, found, reporter)


def split(a: np.ndarray, b: np.ndarray, least: int) -> Views:
    """The first two thirds of the rows, and the last third; all and none below ``least`` rows."""
    if len(a) < least:
        return Views(a, b, None, None)
    end = len(a) - len(a) // 3
    return Views(a[:end], b[:end], a[end:], b[end:])


def counts_of(config: Config, views: Views) -> list[int]:
    """Numbers of columns that both views have."""
    most = min(views.a.shape[1], views.b.shape[1])
    return sorted({c for c in config.columns if c <= most}) or [most]


def vectors_of(config: Config, views: Views) -> int:
    """How many pairs of singular vectors to score by: no more than there are."""
    return min(config.k, *views.a.shape, *views.b.shape)


def measure(config: Config, name: str, method: Method, rtol: float) -> dict[str, Any]:
    """By number of columns: correlations, columns, and whether the bound on angles was kept."""
    pair = load(name, config.data)
    views = split(pair.a, pair.b, config.split_from)
    found: dict[str, Any] = {}
    counts, k = counts_of(config, views), vectors_of(config, views)
    with jax.enable_x64(True):
        a, b = jnp.asarray(views.a), jnp.asarray(views.b)
        if method in _NESTED:
            most = leverage.sparse_cca(
                a, b, ca=counts[-1], cb=counts[-1], k=k, method=method, rtol=rtol
            )
            order = np.asarray(most.columns_a), np.asarray(most.columns_b)
        penalised = _penalised(config, a, b, standardize=method == "pmd") if "pmd" in method else []
        for c in counts:
            entry: dict[str, Any] = {}
            if penalised:
                chosen = _most_correlated(views, penalised, c)
            elif method == "leading":
                chosen = _leading(a, k, c), _leading(b, k, c)
            elif method in _NESTED:
                chosen = order[0][:c], order[1][:c]
            else:
                result = leverage.sparse_cca(
                    a, b, ca=c, cb=c, k=min(k, c), method=method, rtol=rtol
                )
                chosen = np.asarray(result.columns_a), np.asarray(result.columns_b)
                angles = np.arccos(np.clip(np.asarray(result.correlations), 0, 1))
                bound = np.asarray(result.bound)
                entry = {"bound": float(bound[0])}
                entry["kept"] = bool((angles[: len(bound)] <= bound + 1e-6).all())
            train, weights = _fit(a, b, *chosen)
            entry |= {"train": train, "columns": [part.tolist() for part in chosen]}
            if views.a_test is not None and views.b_test is not None:
                combined = (
                    views.a_test[:, chosen[0]] @ weights[0],
                    views.b_test[:, chosen[1]] @ weights[1],
                )
                entry["test"] = float(np.corrcoef(*combined)[0, 1])
            found[str(c)] = entry
    return found


def _leading(a: Any, k: int, c: int) -> np.ndarray:
    centred = a - jnp.mean(a, axis=0)
    return np.asarray(leverage.select_columns(leverage.leverage_scores(centred, k), c=c).indices)


def _fit(a: Any, b: Any, columns_a: Any, columns_b: Any) -> tuple[float, list[np.ndarray]]:
    """Largest correlation of combinations of chosen columns, and their weights."""
    fitted = leverage.cca(
        a, b, columns_a=jnp.asarray(columns_a), columns_b=jnp.asarray(columns_b), q=1
    )
    weights = [np.asarray(part[:, 0]) for part in (fitted.loadings_a, fitted.loadings_b)]
    return float(fitted.correlations[0]), weights


def _penalised(
    config: Config, a: Any, b: Any, *, standardize: bool
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Columns of both views by weight in the penalised decomposition, under every bound."""
    found = []
    for share in config.bounds:
        limits = [max(1.0, share * math.sqrt(view.shape[1])) for view in (a, b)]
        result = leverage.pmd_sparse_cca(a, b, *limits, standardize=standardize)
        left, right = (
            np.argsort(-np.abs(np.asarray(weights)), kind="stable")
            for weights in (result.loadings_a, result.loadings_b)
        )
        found.append((left, right))
    return found


def _most_correlated(views: Views, orders: Any, c: int) -> tuple[np.ndarray, np.ndarray]:
    """The first ``c`` columns of those orders whose best combinations correlate most.

    The columns are given the best combination, as those of every other method are.
    """
    chosen: list[tuple[np.ndarray, np.ndarray]] = [(left[:c], right[:c]) for left, right in orders]
    return max(chosen, key=lambda pair: first_correlation(views.a[:, pair[0]], views.b[:, pair[1]]))


def first_correlation(a: Float[np.ndarray, "m n"], b: Float[np.ndarray, "m p"]) -> float:
    """Largest canonical correlation, by NumPy.

    Example:
        >>> round(first_correlation(np.eye(4)[:, :2], np.eye(4)[:, 1:3]), 6)
        1.0
    """
    bases = []
    for view in (a, b):
        u, s, _ = np.linalg.svd(view - view.mean(axis=0), full_matrices=False)
        bases.append(u[:, s > 1e-10 * s[0]])
    return float(np.clip(np.linalg.norm(bases[0].T @ bases[1], 2), 0, 1))


def best_pair(a: Any, b: Any, c: int, limit: int) -> float | None:
    """Largest correlation of ``c`` columns of each view; None with over ``limit`` pairs."""
    if math.comb(a.shape[1], c) * math.comb(b.shape[1], c) > limit:
        return None
    return max(
        first_correlation(a[:, left], b[:, right])
        for left in map(list, itertools.combinations(range(a.shape[1]), c))
        for right in map(list, itertools.combinations(range(b.shape[1]), c))
    )


def _best(config: Config, name: str) -> dict[str, float]:
    pair = load(name, config.data)
    views = split(pair.a, pair.b, config.split_from)
    found = {
        str(c): best_pair(views.a, views.b, c, config.exhaustive) for c in counts_of(config, views)
    }
    return {c: value for c, value in found.items() if value is not None}
