"""Pictures from a few of their own pixels and of their own rows, by the scores that choose them.

Classical scores are made for the matrix itself, generalized ones here for the target (labels of the
pictures), ridge scores for a soft rank. Each chooses pixels and pictures for a CUR decomposition;
new pictures are drawn from the chosen pixels alone.
"""

import functools
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from pydantic import Field

from jaxlab import leverage
from jaxlab.checks import require
from jaxlab.experiments.interface import Count, Counts, Positive, Reporter, config
from jaxlab.experiments.leverage.cur_report import (
    CLAIMS,
    METHODS,
    draw_errors,
    draw_pictures,
    draw_pixels,
    judge,
    tabulate,
)
from jaxlab.experiments.leverage.matrices import Data, Pair, load, names_of
from jaxlab.experiments.leverage.peers import residual_fractions

__all__ = ["CLAIMS", "Config", "drawn_from_pixels", "run"]


# of leading scores, for the bound on what they leave
_DEFICIT = 0.5


@config
class Config:
    """Numbers of ``columns``, with ``rows_per_column`` times as many rows, of one matrix.

    Scores are of ``k`` singular vectors, or as many as there are: leading ones, or those that carry
    the target; ridge scores have ``ridge`` times the largest squared singular value. Errors of
    random choices are means of ``draws``. The last ``shown`` rows are left out, and drawn from the
    chosen columns.
    """

    seed: Annotated[int, Field(ge=0)]
    data: Data
    k: Count
    columns: Counts
    rows_per_column: Count
    ridge: Positive
    draws: Count
    shown: Annotated[int, Field(ge=1, le=20)]

    def __post_init__(self) -> None:
        """One matrix, not the first of several."""
        names = names_of(self.data)
        require(len(names) == 1, "data.names", names, "one name")


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Choose by every method, measure, and draw."""
    name = names_of(config.data)[0]
    pair = load(name, config.data)
    m, n = len(pair.a) - config.shown, pair.a.shape[1]
    most = min(n, m // config.rows_per_column)
    require(bool(counts_of(config, pair)), "columns", config.columns, f"one of at most {most}")
    reporter.plan(len(METHODS) + 2)
    bounds = reporter.cell("classical", functools.partial(classical, config, pair))
    spectrum = reporter.cell("spectrum", functools.partial(_spectrum, config, pair))
    found = {
        method: reporter.cell(method, functools.partial(measure, config, pair, method))
        for method in METHODS
    }
    tabulate(config, pair, found, spectrum, bounds, reporter)
    draw_errors(config, pair, found, spectrum, reporter)
    if pair.picture is not None:
        draw_pixels(config, pair, found, reporter)
        draw_pictures(config, pair, drawn_from_pixels(config, pair, found), reporter)
    judge(found, bounds, reporter)


def parts(config: Config, pair: Pair) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matrix and target without the rows to be shown, and these rows."""
    return pair.a[: -config.shown], pair.b[: -config.shown], pair.a[-config.shown :]


def counts_of(config: Config, pair: Pair) -> list[int]:
    """Numbers of columns that the matrix has."""
    m, n = len(pair.a) - config.shown, pair.a.shape[1]
    return sorted({c for c in config.columns if c <= n and config.rows_per_column * c <= m})


@functools.lru_cache(maxsize=1)
def _decomposition(config: Config) -> leverage.SVD:
    pair = load(names_of(config.data)[0], config.data)
    with jax.enable_x64(True):
        return leverage.svd(jnp.asarray(parts(config, pair)[0]))


def _vectors(config: Config) -> int:
    """How many singular vectors to score by: ``k``, of a matrix of lower rank its rank."""
    return min(config.k, int(_decomposition(config).rank))


def _spectrum(config: Config, pair: Pair) -> dict[str, Any]:
    """What the best matrix of each rank leaves, ``‖A − A_c‖² / ‖A‖²``."""
    s2 = np.asarray(_decomposition(config).s) ** 2
    left = 1 - np.cumsum(s2) / np.sum(s2)
    return {str(c): float(left[c - 1]) for c in counts_of(config, pair)}


def classical(config: Config, pair: Pair) -> list[dict[str, Any]]:
    """Columns by leading scores until the deficit is at most ½, for ranks up to ``k``."""
    most = _vectors(config)
    host, _, _ = parts(config, pair)
    decomposition = _decomposition(config)
    s2 = np.asarray(decomposition.s) ** 2
    rows = []
    with jax.enable_x64(True):
        for k in sorted({1, min(2, most), max(1, most // 2), most}):
            scores = leverage.generalized_leverage_scores(decomposition, tuple(range(k)))
            found = leverage.select_columns(scores, epsilon=_DEFICIT, k=k)
            c = int(found.count)
            left = residual_fractions(host, host, np.asarray(found.indices), [c])[0]
            rows.append(
                {
                    "k": k,
                    "c": c,
                    "deficit": float(found.deficit),
                    "left": left,
                    "best": float(np.sum(s2[k:]) / np.sum(s2)),
                }
            )
    return rows


def scores_of(
    config: Config, method: str, a: Array, b: Array, decomposition: leverage.SVD, key: Array
) -> tuple[Float[Array, " n"], Float[Array, " m"]]:
    """Scores of columns and of rows."""
    m, n = a.shape
    if method == "uniform":
        of_columns, of_rows = jax.random.split(key)
        return jax.random.uniform(of_columns, (n,)), jax.random.uniform(of_rows, (m,))
    if method == "ridge":
        lam = config.ridge * decomposition.s[0] ** 2
        return (
            leverage.ridge_leverage_scores(a, lam),
            leverage.ridge_leverage_scores(a, lam, axis="rows"),
        )
    if method == "greedy":
        most = max(config.columns)
        return _greedy(a, most), _greedy(a.T, config.rows_per_column * most)
    k = _vectors(config)
    subset: Any = tuple(range(k))
    if method == "generalized":
        subset, _ = leverage.select_singular_subset(decomposition, b, k)
    return (
        leverage.generalized_leverage_scores(decomposition, subset),
        leverage.generalized_leverage_scores(decomposition, subset, axis="rows"),
    )


def _greedy(a: Array, c: int) -> Float[Array, " n"]:
    """Scores that fall in the order of greedy selection for the matrix itself."""
    order = leverage.greedy_gcss(a, a, c=min(c, *a.shape)).columns
    ranks = jnp.arange(order.shape[0], 0, -1, dtype=a.dtype)
    return jnp.zeros(a.shape[1], a.dtype).at[order].set(ranks)


def measure(config: Config, pair: Pair, method: str) -> dict[str, Any]:
    """Errors of columns alone, of CUR, and of the target, by number of columns: means of draws.

    ``columns`` and ``rows`` are those of the first draw.
    """
    counts = counts_of(config, pair)
    host, target, _ = parts(config, pair)
    decomposition = _decomposition(config)
    found: dict[str, Any] = {str(c): {"pixels": [], "cur": [], "labels": []} for c in counts}
    with jax.enable_x64(True):
        a, b = jnp.asarray(host), jnp.asarray(target)
        for draw in range(config.draws if method == "uniform" else 1):
            key = jax.random.fold_in(jax.random.key(config.seed), draw)
            of_columns, of_rows = scores_of(config, method, a, b, decomposition, key)
            for c in counts:
                result = leverage.cur(
                    a,
                    c,
                    config.rows_per_column * c,
                    column_scores=of_columns,
                    row_scores=of_rows,
                )
                entry = found[str(c)]
                for name, value in _errors(a, b, result).items():
                    entry[name].append(float(value))
                entry.setdefault("columns", np.asarray(result.columns).tolist())
                entry.setdefault("rows", np.asarray(result.rows).tolist())
    for entry in found.values():
        entry |= {name: float(np.mean(entry[name])) for name in ("pixels", "cur", "labels")}
    return found


@jax.jit
def _errors(a: Array, b: Array, result: leverage.Cur) -> dict[str, Array]:
    """Squared errors relative to the matrix, or to the target."""
    basis, _ = leverage.orthonormal_basis(result.c)

    def left(matrix: Array) -> Array:
        rest = matrix - basis @ (basis.T @ matrix)
        return jnp.sum(rest**2) / jnp.sum(matrix**2)

    rest = a - result.c @ (result.u @ result.r)
    return {"pixels": left(a), "cur": jnp.sum(rest**2) / jnp.sum(a**2), "labels": left(b)}


def drawn_from_pixels(
    config: Config, pair: Pair, found: dict[str, Any]
) -> dict[str, Float[np.ndarray, "shown height width"]]:
    """The rows left out, and drawn from leading vectors and from chosen columns of the others."""
    assert pair.picture is not None
    a, _, shown = parts(config, pair)
    c = counts_of(config, pair)[-1]
    _, _, vt, _ = _decomposition(config)
    leading = np.asarray(vt)[:c]
    guesses = {"picture": shown, f"{c} leading vectors": shown @ leading.T @ leading}
    with jax.enable_x64(True):
        for method in METHODS:
            columns = jnp.asarray(found[method][str(c)]["columns"])
            weights = np.asarray(leverage.interpolative(jnp.asarray(a), columns).coefficients)
            guesses[METHODS[method]] = shown[:, np.asarray(columns)] @ weights
    height, width = pair.picture
    pictures = {}
    for name, guess in guesses.items():
        whole = np.zeros((len(shown), height * width))
        whole[:, pair.columns] = guess * pair.units + pair.means
        pictures[name] = whole.reshape(-1, height, width)
    return pictures
