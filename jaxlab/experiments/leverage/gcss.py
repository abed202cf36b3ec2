"""How much of a target is left over by few columns of a matrix, by method of selection.

Real pairs of a matrix and its target, and targets planted in chosen singular vectors. Methods that
put columns in an order are measured along it, the others once for every number of columns.
"""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from jaxlab import leverage
from jaxlab.checks import require
from jaxlab.experiments.interface import IN_ORDER, Count, Counts, Reporter, config
from jaxlab.experiments.leverage import peers
from jaxlab.experiments.leverage.gcss_figures import draw_pixels, draw_planted, draw_real
from jaxlab.experiments.leverage.gcss_report import CLAIMS, judge, tabulate
from jaxlab.experiments.leverage.matrices import Data, Name, load, names_of, planted_target
from jaxlab.experiments.measure import interleaved_seconds
from jaxlab.leverage.types import GcssMethod

__all__ = ["CLAIMS", "Config", "Planted", "run"]

Start = Annotated[int, Field(ge=0)]

# of these a beginning is not what is selected when fewer columns are asked for
_NOT_NESTED = ("hybrid", "local_search")


@config
class Planted:
    """Targets planted in ``k`` singular vectors, ``k`` by data set, from each of ``starts`` on.

    Where that is too far they are the last ones, and where there are fewer than ``k``, all.
    ``width`` columns and noise of norm ``noise``, for ``seeds`` seeds. A user's matrix takes the
    place of all ``names``, with the first ``k``.
    """

    names: tuple[Name, ...]
    k: Annotated[tuple[Count, ...], IN_ORDER]
    starts: tuple[Start, ...]
    width: Count
    noise: Annotated[float, Field(ge=0)]
    seeds: Count

    def __post_init__(self) -> None:
        """Every data set has its number of vectors."""
        wanted = f"as many entries as names ({len(self.names)})"
        require(len(self.k) == len(self.names), "k", self.k, wanted)


@config
class Config:
    """Numbers of ``columns`` for real pairs and planted targets.

    Scores are of ``k`` singular vectors, but of no more than the target has dimensions, and of two
    at least. Random selections are repeated ``draws`` times. ``factor`` is the hybrid method's.
    All subsets are tried where there are at most ``exhaustive``. Times are medians of ``repeats``
    calls on the last pair.
    """

    seed: Annotated[int, Field(ge=0)]
    data: Data
    planted: Planted
    methods: Annotated[tuple[GcssMethod, ...], Field(min_length=1)]
    columns: Counts
    k: Count
    draws: Count
    factor: Count
    exhaustive: Annotated[int, Field(ge=0)]
    repeats: Annotated[int, Field(ge=0)]


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Select, measure, then compare."""
    names = names_of(config.data)
    plan = config.planted
    targets: list[tuple[str, int]] = list(zip(plan.names, plan.k, strict=True))
    if config.data.path:
        targets = [(config.data.path, k) for k in plan.k[:1]]
    plants = [
        (name, k, start, seed)
        for name, k in targets
        for start in plan.starts
        for seed in range(plan.seeds)
    ]
    reporter.plan(len(names) + len(plants))
    real = {
        name: reporter.cell(f"real/{name}", functools.partial(of_real, config, name))
        for name in names
    }
    found: dict[tuple[str, int, int], dict[str, Any]] = {}
    for name, k, start, seed in plants:
        cell = reporter.cell(
            f"planted/{name}/start={start}/seed={seed}",
            functools.partial(of_planted, config, name, k, start, seed),
        )
        # two starts that are too far are the same
        found[name, cell["start"], seed] = {"data": name, "seed": seed, **cell}
    planted = list(found.values())
    seconds = times(config, names[-1]) if config.repeats else {}
    for method, value in seconds.items():
        reporter.timing(f"seconds, {method}, {names[-1]}", value)
    tabulate(config, real, planted, seconds, reporter)
    draw_real(config, real, reporter)
    if planted:
        draw_planted(config, planted, reporter)
    pictures = {name: load(name, config.data) for name in names}
    draw_pixels(
        config, real, {name: pair for name, pair in pictures.items() if pair.picture}, reporter
    )
    judge(config, real, planted, reporter)


def counts_of(config: Config, n: int) -> list[int]:
    """Numbers of columns that a matrix of ``n`` has; all of them where it has none of those."""
    return sorted({c for c in config.columns if c <= n}) or [n]


def dimensions(config: Config, b: np.ndarray) -> int:
    """How many singular vectors to score by: the target's dimensions, at least two."""
    return min(config.k, max(2, int(np.linalg.matrix_rank(b))))


def of_real(config: Config, name: str) -> dict[str, Any]:
    """Residual fractions of every method for one real pair, and the best possible ones."""
    pair = load(name, config.data)
    decomposition = _decomposition(name, config.data)
    k = min(dimensions(config, pair.b), int(decomposition.rank))
    found = compare(config, pair.a, pair.b, decomposition, k)
    best = {c: peers.best_subset(pair.a, pair.b, c, config.exhaustive) for c in found["counts"]}
    found["best"] = {str(c): value for c, value in best.items() if value is not None}
    return {"title": pair.title, "shape": pair.a.shape, **found}


@functools.lru_cache(maxsize=1)
def _decomposition(name: str, data: Data) -> leverage.SVD:
    with jax.enable_x64(True):
        return leverage.svd(jnp.asarray(load(name, data).a))


@functools.lru_cache(maxsize=1)
def _left_vectors(name: str, data: Data) -> np.ndarray:
    return np.linalg.svd(load(name, data).a, full_matrices=False)[0]


def of_planted(config: Config, name: str, k: int, start: int, seed: int) -> dict[str, Any]:
    """The same for a target in the ``k`` singular vectors from ``start`` on."""
    pair = load(name, config.data)
    decomposition = _decomposition(name, config.data)
    rank = int(decomposition.rank)
    k = min(k, rank)
    start = min(start, rank - k)
    plan = config.planted
    u = _left_vectors(name, config.data)[:, start : start + k]
    b = planted_target(u, seed, width=plan.width, noise=plan.noise)
    found = compare(config, pair.a, b, decomposition, k)
    title = pair.title.split(" →")[0]
    return {"title": title, "shape": pair.a.shape, "start": start, **found}


def compare(
    config: Config, a: np.ndarray, b: np.ndarray, decomposition: leverage.SVD, k: int
) -> dict[str, Any]:
    """Residual fractions by method and number of columns; means and deviations of random ones."""
    counts = counts_of(config, a.shape[1])
    most = counts[-1]
    found: dict[str, Any] = {"counts": counts, "k": k, "residual": {}, "columns": {}}
    found["kept"], found["certified"], found["difference"] = 0, 0, 0.0
    with jax.enable_x64(True):
        on_device = jnp.asarray(a), jnp.asarray(b)
        for method, c, select in selections(config, *on_device, decomposition, k, counts):
            keys = jax.random.split(jax.random.key(config.seed), config.draws)
            results = [select(key) for key in (keys if method == "sampling" else keys[:1])]
            columns = [np.asarray(result.columns) for result in results]
            _record(found, method, a, b, columns, counts if c == most else [c])
            for result in results:
                found["certified"] += 1
                limit = float(result.certificate) * (1 + 1e-9) + 1e-12
                found["kept"] += int(float(result.residual) <= limit)
                measured = peers.residual_fractions(a, b, result.columns, [c])[0]
                difference = abs(measured - float(result.residual_fraction))
                found["difference"] = max(found["difference"], difference)
        leading = leverage.generalized_leverage_scores(decomposition, tuple(range(k)))
        order = np.asarray(leverage.select_columns(leading, c=most).indices)
    _record(found, "leading", a, b, [order], counts)
    for name, order_of in peers.orders().items():
        _record(found, name, a, b, [order_of(a, b, most)], counts)
    rng = np.random.default_rng(config.seed)
    drawn = [rng.permutation(a.shape[1])[:most] for _ in range(config.draws)]
    _record(found, "uniform", a, b, drawn, counts)
    return found


def selections(
    config: Config, a: Any, b: Any, decomposition: Any, k: int, counts: list[int]
) -> Iterator[tuple[str, int, Callable[[Any], Any]]]:
    """Method, number of columns, and a function of a key that selects them.

    The methods that are nested are asked for the most columns only; of the others, that number
    comes last.
    """
    for method in config.methods:
        for c in counts if method in _NOT_NESTED else counts[-1:]:
            options: dict[str, Any] = {"c": c, "k": min(k, a.shape[1]), "method": method}
            if method == "hybrid":
                options["factor"] = config.factor

            def select(key: Any, options: dict[str, Any] = options) -> Any:
                drawn = {"key": key} if options["method"] == "sampling" else {}
                return leverage.gcss(a, b, decomposition=decomposition, **options, **drawn)

            yield method, c, select


def _record(
    found: dict[str, Any],
    method: str,
    a: np.ndarray,
    b: np.ndarray,
    orders: list[np.ndarray],
    counts: list[int],
) -> None:
    """Add residual fractions of one method at ``counts``, and the columns of the last."""
    if method in _NOT_NESTED:
        counts = [len(orders[0])]
    fractions = np.array([peers.residual_fractions(a, b, order, counts) for order in orders])
    entries = found["residual"].setdefault(method, {})
    for c, mean, sd in zip(counts, fractions.mean(axis=0), fractions.std(axis=0), strict=True):
        entries[str(c)] = [float(mean), float(sd)]
    found["columns"][method] = orders[0].tolist()


def times(config: Config, name: str) -> dict[str, float]:
    """Seconds of each method for the most columns, the decomposition included where one is used."""
    pair = load(name, config.data)
    k = min(dimensions(config, pair.b), pair.a.shape[1])
    a, b = jnp.asarray(pair.a, jnp.float32), jnp.asarray(pair.b, jnp.float32)
    counts = counts_of(config, a.shape[1])[-1:]
    calls: dict[str, Callable[[], Any]] = {
        method: functools.partial(select, jax.random.key(0))
        for method, _, select in selections(config, a, b, None, k, counts)
    }
    host = np.asarray(a), np.asarray(b)
    for peer, order_of in peers.orders().items():
        calls[peer] = functools.partial(order_of, *host, counts[0])
    return interleaved_seconds(calls, repeats=config.repeats)
