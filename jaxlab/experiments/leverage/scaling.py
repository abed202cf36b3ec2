"""Time and memory of scores by the size of the matrix and the route to its singular vectors.

Beside them, in the same process on the same matrices, other libraries' decompositions and
selections; and scores of rows that are spread over devices, or that pass in batches.
"""

import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
import sklearn.utils.extmath
from jaxtyping import Array, Float
from pydantic import Field

from jaxlab import leverage
from jaxlab.checks import require
from jaxlab.experiments.devices import on_devices
from jaxlab.experiments.interface import IN_ORDER, Count, Counts, Reporter, config
from jaxlab.experiments.leverage import sharding
from jaxlab.experiments.leverage.scaling_report import CLAIMS, draw_times, judge, tabulate
from jaxlab.experiments.measure import compile_call, interleaved_seconds

__all__ = ["CLAIMS", "Config", "Route", "decaying", "routes", "run"]

Route = Literal["gram", "qr", "exact", "randomized", "moments"]


@config
class Config:
    """Matrices of ``rows`` by ``columns``, pair by pair, float32.

    Scores are of singular vectors ``k`` to ``2 k − 1``. Times are medians of ``repeats`` calls.
    ``routes`` are ours; peers are run on matrices of up to ``peer_entries`` entries, the slow ones
    on up to ``slow_entries``. ``doubled`` numbers of rows, ``doubled_columns`` wide, show how time
    grows. ``reference`` is rows and columns of a float64 matrix on which NumPy's decomposition is
    compared. Rows of ``sharded`` (rows and columns) are spread over ``devices``; batches of moments
    have ``batch`` rows.
    """

    seed: Annotated[int, Field(ge=0)]
    rows: Annotated[Counts, IN_ORDER]
    columns: Annotated[Counts, IN_ORDER]
    k: Count
    routes: Annotated[tuple[Route, ...], Field(min_length=1)]
    repeats: Count
    peer_entries: Annotated[int, Field(ge=0)]
    slow_entries: Annotated[int, Field(ge=0)]
    doubled: Annotated[tuple[Count, ...], Field(min_length=2)]
    doubled_columns: Count
    reference: tuple[Count, Count]
    sharded: tuple[Count, Count]
    devices: Count
    batch: Count

    def __post_init__(self) -> None:
        """Shapes have the singular vectors that are scored, on the Gram route among others."""
        wanted = f"as many entries as rows ({len(self.rows)})"
        require(len(self.columns) == len(self.rows), "columns", self.columns, wanted)
        pairs = list(zip(self.rows, self.columns, strict=True))
        require(len(set(pairs)) == len(pairs), "rows, columns", pairs, "each shape once")
        require("gram" in self.routes, "routes", self.routes, "'gram' among them")
        shapes = {
            "rows": pairs,
            "reference": [self.reference],
        }
        for name, sizes in shapes.items():
            enough = all(m >= min(n, 2 * self.k) for m, n in sizes)
            wanted = f"at least 2 k = {2 * self.k} rows, or as many as columns"
            require(enough, name, getattr(self, name), wanted)
        wanted = "at least as many rows as columns"
        require(self.sharded[0] >= self.sharded[1], "sharded", self.sharded, wanted)


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Errors and shards in cells, then times, which are none of a result's numbers."""
    reporter.plan(2)
    errors = reporter.cell("errors", functools.partial(errors_of, config))
    spread = reporter.cell("sharded", functools.partial(_spread, config))
    seconds: dict[tuple[int, int], dict[str, float]] = {}
    memory: dict[tuple[int, int], dict[str, int | None]] = {}
    for shape in zip(config.rows, config.columns, strict=True):
        seconds[shape], memory[shape] = times(config, *shape)
    doubled = growth(config)
    reference = reference_times(config)
    for (m, n), found in seconds.items():
        for name, value in found.items():
            reporter.timing(f"seconds, {name}, {m} × {n}", value)
    for m, value in doubled.items():
        reporter.timing(f"seconds, growth, {m} × {config.doubled_columns}", value)
    for name, value in reference.items():
        reporter.timing(f"seconds, {name}, float64", value)
    tabulate(config, seconds, memory, errors, spread, doubled, reference, reporter)
    draw_times(config, seconds, doubled, reporter)
    judge(config, errors, spread, doubled, reference, reporter)


def decaying(m: int, n: int, seed: int, dtype: Any = np.float32) -> Float[np.ndarray, "m n"]:
    """A random matrix with singular values that fall like ``1 / √j``, ``j = 1, …, n``."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.standard_normal((n, n)))[0]
    mixing = (basis / np.sqrt(np.arange(1, n + 1))[:, None]).astype(dtype)
    rows = rng.standard_normal((m, n), dtype=np.float32).astype(dtype, copy=False)
    return rows @ mixing


def subset_of(config: Config, n: int) -> tuple[int, ...]:
    """Singular vectors ``k`` to ``2 k − 1``, or the last of a narrow matrix."""
    k = min(config.k, n)
    first = min(k, n - k)
    return tuple(range(first, first + k))


def routes(config: Config, n: int) -> dict[str, Callable[[Array], Array]]:
    """Scores of the columns of a tall matrix, by route; each can be compiled."""
    subset = subset_of(config, n)

    def decomposed(a: Array, **options: Any) -> Array:
        return leverage.generalized_leverage_scores(leverage.svd(a, **options), subset)

    key = jax.random.key(config.seed)
    found: dict[str, Callable[[Array], Array]] = {
        "gram": lambda a: sharding.scores_of_gram(leverage.gram(a), subset),
        "qr": functools.partial(decomposed, method="qr"),
        "exact": functools.partial(decomposed, method="exact"),
        "randomized": functools.partial(
            decomposed, method="randomized", rank=min(n, 2 * config.k), key=key
        ),
    }
    return {name: route for name, route in found.items() if name in config.routes}


def streamed(config: Config, a: np.ndarray) -> Array:
    """Scores from moments of batches of rows, which are not centred away: their mean is near 0."""
    one = jnp.ones((config.batch, 1), jnp.float32)
    state = leverage.moments_init(a.shape[1], 1)
    for start in range(0, len(a), config.batch):
        rows = a[start : start + config.batch]
        state = leverage.moments_update(state, jnp.asarray(rows), one[: len(rows)])
    return sharding.scores_of_gram(state.caa, subset_of(config, a.shape[1]))


def peers(config: Config, a: np.ndarray) -> dict[str, Callable[[], Any]]:
    """Other libraries' work on the same matrix, as far as its size allows."""
    k = 2 * config.k
    found: dict[str, Callable[[], Any]] = {}
    if a.size <= config.peer_entries:
        found["numpy svd"] = lambda: np.linalg.svd(a, full_matrices=False)
        found["sklearn randomized_svd"] = lambda: sklearn.utils.extmath.randomized_svd(
            a, min(k, a.shape[1]), random_state=0
        )
    if a.size <= config.slow_entries:
        found["scipy pivoted qr"] = lambda: scipy.linalg.qr(a, mode="r", pivoting=True)
        if importlib.util.find_spec("skmatter") is not None:
            from skmatter.feature_selection import CUR

            found["skmatter cur"] = lambda: CUR(
                n_to_select=min(k, a.shape[1]), k=min(k, min(a.shape) - 1), recompute_every=0
            ).fit(a)
    return found


def times(config: Config, m: int, n: int) -> tuple[dict[str, float], dict[str, int | None]]:
    """Seconds of every route and peer on one matrix, and temporary bytes of the routes."""
    a = decaying(m, n, config.seed)
    on_device = jnp.asarray(a)
    calls: dict[str, Callable[[], Any]] = {}
    memory: dict[str, int | None] = {}
    for name, route in routes(config, n).items():
        compiled = compile_call(route, on_device)
        calls[name] = functools.partial(compiled.call, on_device)
        memory[name] = compiled.temporary_bytes
    if "moments" in config.routes:
        calls["moments"] = functools.partial(streamed, config, a)
    return interleaved_seconds(calls | peers(config, a), repeats=config.repeats), memory


def growth(config: Config) -> dict[int, float]:
    """Seconds of the Gram route by number of rows, sizes taking turns."""
    calls = {}
    for m in sorted(config.doubled):
        a = jnp.asarray(decaying(m, config.doubled_columns, config.seed))
        compiled = compile_call(routes(config, config.doubled_columns)["gram"], a)
        calls[m] = functools.partial(compiled.call, a)
    return interleaved_seconds(calls, repeats=2 * config.repeats + 1)


def reference_times(config: Config) -> dict[str, float]:
    """Seconds of the Gram route and of NumPy's decomposition, float64."""
    m, n = config.reference
    a = decaying(m, n, config.seed, np.float64)
    with jax.enable_x64(True):
        on_device = jnp.asarray(a)
        compiled = compile_call(routes(config, n)["gram"], on_device)
        return interleaved_seconds(
            {
                "gram": functools.partial(compiled.call, on_device),
                "numpy": lambda: np.linalg.svd(a, full_matrices=False),
            },
            repeats=config.repeats,
        )


def errors_of(config: Config) -> dict[str, float]:
    """Largest difference of every route's scores from NumPy's, float64."""
    m, n = config.reference
    a = decaying(m, n, config.seed, np.float64)
    _, _, vt = np.linalg.svd(a, full_matrices=False)
    exact = np.sum(vt[list(subset_of(config, n))] ** 2, axis=0)
    with jax.enable_x64(True):
        return {
            name: float(np.abs(np.asarray(route(jnp.asarray(a))) - exact).max())
            for name, route in routes(config, n).items()
            if name != "randomized"
        }


def _spread(config: Config) -> dict[str, Any]:
    m, n = config.sharded
    subset = list(subset_of(config, n))
    return on_devices(sharding.compare, config.devices, m=m, n=n, seed=config.seed, subset=subset)
