"""Scores against angles: how far the span of selected columns is from the singular vectors.

Subsets of singular vectors (the leading ones, some from the middle, the trailing ones, any) meet
sets of columns (those with the largest scores, and random ones). Every leverage deficit is put
beside the angles it promises something about, and every bound is checked; the angles are SciPy's.
"""

import functools
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from pydantic import Field

from jaxlab import leverage
from jaxlab.experiments.interface import Count, Reporter, config
from jaxlab.experiments.leverage.angles_figures import draw_bounds, draw_envelopes
from jaxlab.experiments.leverage.angles_report import CLAIMS, KINDS, judge, tabulate
from jaxlab.experiments.leverage.matrices import Data, load, names_of

__all__ = ["CLAIMS", "Config", "Subset", "angles_of", "run", "subsets"]

Several = Annotated[tuple[Count, ...], Field(min_length=2)]


@config
class Config:
    """Subsets of 1 to ``largest`` singular vectors against sets of columns.

    ``subsets`` of them are studied on every matrix; of a matrix with more than ``wide`` columns,
    ``wide_subsets``. ``columns`` are the numbers of columns that are selected, by score and at
    random; ``wide_columns`` those of such a matrix, by score only; those that leave no column out
    are passed over. ``exact`` subsets are checked on a matrix with orthonormal columns.
    """

    seed: Annotated[int, Field(ge=0)]
    data: Data
    largest: Count
    subsets: Count
    columns: Several
    wide: Count
    wide_subsets: Count
    wide_columns: Several
    exact: Count


class Subset(NamedTuple):
    """Some singular vectors.

    Attributes:
        kind: one of :data:`~jaxlab.experiments.leverage.angles_report.KINDS`.
        vectors: their numbers, ascending.
    """

    kind: str
    vectors: tuple[int, ...]


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Measure every subset with every set of columns, then hold the angles against the bounds."""
    names = names_of(config.data)
    reporter.plan(len(names) * (len(KINDS) + 1))
    rows: list[dict[str, Any]] = []
    exact: dict[str, dict[str, float]] = {}
    titles: dict[str, str] = {}
    for name in names:
        pair = load(name, config.data)
        titles[name] = pair.title
        for kind in KINDS:
            found = reporter.cell(
                f"bounds/{name}/{kind}", functools.partial(measure, config, name, kind)
            )
            rows += [{"data": name, **row} for row in found]
        exact[name] = reporter.cell(
            f"orthonormal/{name}", functools.partial(orthonormal, config, name)
        )
    tabulate(config, titles, rows, exact, reporter)
    studied = {row["data"]: titles[row["data"]] for row in rows}
    if studied:
        draw_envelopes(config, studied, rows, reporter)
        draw_bounds(config, studied, rows, reporter)
    judge(rows, exact, reporter)


def subsets(rank: int, count: int, largest: int, seed: int) -> list[Subset]:
    """``count`` subsets of ``range(rank)``, a fourth of each kind, of 1 to ``largest`` vectors.

    Leading and trailing ones are windows at the ends, moved one further in each time all sizes have
    been used; those from the middle are windows that start at random in the middle third.

    Example:
        >>> [subset.vectors for subset in subsets(9, 8, 2, seed=0) if subset.kind == "trailing"]
        [(8,), (7, 8)]
    """
    rng = np.random.default_rng(seed)
    largest = min(largest, rank)
    sizes = np.linspace(1, largest, min(-(-count // len(KINDS)), largest)).round().astype(int)
    found = []
    for index in range(count):
        kind, turn = list(KINDS)[index % len(KINDS)], index // len(KINDS)
        k = int(sizes[turn % len(sizes)])
        offset = min(turn // len(sizes), rank - k)
        if kind == "random":
            vectors = rng.choice(rank, k, replace=False)
        else:
            start = {
                "leading": offset,
                "middle": min(rank // 3 + int(rng.integers(max(1, rank // 3))), rank - k),
                "trailing": rank - k - offset,
            }[kind]
            vectors = np.arange(start, start + k)
        found.append(Subset(kind, tuple(int(r) for r in sorted(vectors))))
    return found


def angles_of(s: np.ndarray, vt: np.ndarray, vectors: Any, columns: Any) -> np.ndarray:
    """Angles between selected columns and left singular vectors, ``[k]`` ascending, by SciPy.

    In the coordinates of all left singular vectors the columns are ``Σ Vᵀ`` and the chosen vectors
    are unit vectors. Angles beyond the number of columns are π/2.
    """
    chosen = np.eye(len(s))[:, list(vectors)]
    found = scipy.linalg.subspace_angles(s[:, None] * vt[:, columns], chosen)[::-1]
    return np.concatenate([found, np.full(len(vectors) - len(found), np.pi / 2)])


@functools.lru_cache(maxsize=1)
def _decomposition(name: str, data: Data) -> leverage.SVD:
    with jax.enable_x64(True):
        return leverage.svd(jnp.asarray(load(name, data).a))


def measure(config: Config, name: str, kind: str) -> list[dict[str, Any]]:
    """Deficit, angles and bounds, for every subset of one kind and every set of columns."""
    n = load(name, config.data).a.shape[1]
    wide = n > config.wide
    counts = [c for c in (config.wide_columns if wide else config.columns) if c < n]
    with jax.enable_x64(True):
        decomposition = _decomposition(name, config.data)
        rank = int(decomposition.rank)
        s, vt = np.asarray(decomposition.s)[:rank], np.asarray(decomposition.vt)[:rank]
        total = config.wide_subsets if wide else config.subsets
        chosen = [
            subset
            for subset in subsets(rank, total, config.largest, config.seed)
            if subset.kind == kind
        ]
        rng = np.random.default_rng([config.seed, list(KINDS).index(kind)])
        cases: list[tuple[int, str, np.ndarray]] = []
        for number, subset in enumerate(chosen):
            mask = np.isin(np.arange(len(decomposition.s)), subset.vectors)
            scores = leverage.generalized_leverage_scores(decomposition, jnp.asarray(mask))
            order = np.asarray(leverage.select_columns(scores, c=n).indices)
            mixed = rng.permutation(n)
            for c in counts:
                cases.append((number, "scores", order[:c]))
                if not wide:
                    cases.append((number, "random", mixed[:c]))
        if not cases:  # no subset of this kind, or no number of columns that leaves one out
            return []
        masks = np.array(
            [np.isin(np.arange(len(decomposition.s)), chosen[case[0]].vectors) for case in cases]
        )
        selected = np.array([np.isin(np.arange(n), case[2]) for case in cases])
        bounds = _bounds(decomposition, jnp.asarray(masks), jnp.asarray(selected))
        deficits = np.asarray(_deficits(decomposition, jnp.asarray(masks), jnp.asarray(selected)))
        bounds = jax.tree.map(np.asarray, bounds)
    rows = []
    for index, (number, selection, columns) in enumerate(cases):
        vectors = chosen[number].vectors
        angles = angles_of(s, vt, vectors, columns)
        tangents = np.tan(angles)
        row: dict[str, Any] = {
            "kind": kind,
            "k": len(vectors),
            "number": number,
            "vectors": list(vectors),
            "c": len(columns),
            "selection": selection,
            "full_rank": rank == n,
            "deficit": float(deficits[index]),
            "angles": float(np.sum(np.sin(angles) ** 2)),
            "tan_max": _finite(tangents.max()),
            "tan2": _finite(np.sum(tangents**2)),
        }
        row |= {field: _finite(getattr(bounds, field)[index]) for field in bounds._fields}
        rows.append(row)
    return rows


@jax.jit
def _bounds(decomposition: Any, subsets: Any, selected: Any) -> Any:
    return jax.lax.map(
        lambda case: leverage.angle_bounds(decomposition, case[0], case[1]), (subsets, selected)
    )


@jax.jit
def _deficits(decomposition: Any, subsets: Any, selected: Any) -> Any:
    def deficit(case: tuple[Any, Any]) -> Any:
        scores = leverage.generalized_leverage_scores(decomposition, case[0])
        return leverage.leverage_deficit(scores, case[1], jnp.sum(case[0]))

    return jax.lax.map(deficit, (subsets, selected))


def orthonormal(config: Config, name: str) -> dict[str, Any]:
    """Largest error of ``Σ cos²θ = Σ_S ℓ`` on a matrix with orthonormal columns of one length.

    The columns are three times an orthonormal basis of those of the data; directions are random
    orthonormal bases, since the singular vectors of such a matrix are arbitrary.
    """
    rng = np.random.default_rng(config.seed)
    u, _, _, rank = _decomposition(name, config.data)
    turn = np.linalg.qr(rng.standard_normal((int(rank), int(rank))))[0]
    white = 3.0 * np.asarray(u)[:, : int(rank)] @ turn
    n = white.shape[1]
    worst = 0.0
    with jax.enable_x64(True):
        for _ in range(config.exact):
            k = int(rng.integers(1, min(config.largest, n) + 1))
            c = int(rng.integers(1, min(4 * config.largest, n) + 1))
            basis = np.linalg.qr(rng.standard_normal((n, k)))[0]
            columns = rng.choice(n, c, replace=False)
            scores = np.asarray(
                leverage.subspace_leverage_scores(jnp.asarray(basis), orthonormal=True)
            )
            angles = scipy.linalg.subspace_angles(white[:, columns], white @ basis)
            worst = max(worst, abs(float(np.sum(np.cos(angles) ** 2) - scores[columns].sum())))
    return {"columns": n, "cases": config.exact, "error": worst}


def _finite(value: Any) -> float | None:
    """JSON has no infinity."""
    return float(value) if np.isfinite(value) else None
