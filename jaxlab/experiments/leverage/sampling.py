"""How many columns must be drawn, with probabilities in proportion to their scores?

Columns drawn with replacement and rescaled keep the chosen singular vectors apart when the least
eigenvalue of ``V_Rᵀ S D² Sᵀ V_R`` stays away from 0. It is measured over many keys, for scores and
for uniform probabilities, and held against the matrix Chernoff bound.
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
from jaxlab.experiments.interface import Count, Counts, Reporter, Share, config
from jaxlab.experiments.leverage.matrices import Data, load, names_of
from jaxlab.experiments.leverage.sampling_report import (
    CLAIMS,
    draw_eigenvalues,
    draw_failures,
    judge,
    sufficient,
    tabulate,
)

__all__ = ["CLAIMS", "Config", "run", "sampled_grams"]


@config
class Config:
    """Numbers of ``columns`` drawn with ``keys`` keys, scores of ``k`` singular vectors.

    The vectors are those from each of ``starts`` on, the last ones where that is too far. A draw
    fails at ``delta`` when the least eigenvalue is below ``1 − delta``. ``risk`` is the probability
    of failure from which the sufficient number of columns is computed.
    """

    seed: Annotated[int, Field(ge=0)]
    data: Data
    k: Count
    starts: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
    columns: Counts
    keys: Annotated[int, Field(ge=2)]
    deltas: Annotated[tuple[Share, ...], Field(min_length=1)]
    risk: Share


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Draw with many keys for every number of columns, then hold failures against the bound."""
    places = [(name, start) for name in names_of(config.data) for start in config.starts]
    reporter.plan(len(places))
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for name, start in places:
        title = load(name, config.data).title.split(" →")[0]
        cell = reporter.cell(
            f"{name}/start={start}", functools.partial(measure, config, name, start)
        )
        # two starts that are too far are the same
        found[name, cell[0]["start"]] = [{"data": name, "title": title, **row} for row in cell]
    rows = [row for group in found.values() for row in group]
    tabulate(config, rows, reporter)
    draw_eigenvalues(config, rows, reporter)
    draw_failures(config, rows, reporter)
    judge(config, rows, reporter)


def measure(config: Config, name: str, start: int) -> list[dict[str, Any]]:
    """Least eigenvalues, and the distance of the mean from the identity, by number of columns."""
    a = load(name, config.data).a
    rows = []
    with jax.enable_x64(True):
        decomposition = leverage.svd(jnp.asarray(a))
        rank = int(decomposition.rank)
        k = min(config.k, rank)
        first = min(start, rank - k)
        vectors = decomposition.vt[first : first + k]
        scores = leverage.subspace_leverage_scores(vectors.T, orthonormal=True)
        enough = [sufficient(k, delta, config.risk) for delta in config.deltas]
        for c in sorted({*config.columns, *enough}):
            keys = jax.random.split(jax.random.fold_in(jax.random.key(config.seed), c), config.keys)
            for probabilities, weights in (
                ("scores", scores),
                ("uniform", jnp.ones_like(scores)),
            ):
                least, mean, spread = sampled_grams(keys, vectors, weights, c=c)
                away = float(jnp.linalg.norm(mean - jnp.eye(k)))
                rows.append(
                    {
                        "start": first,
                        "k": k,
                        "c": c,
                        "probabilities": probabilities,
                        "least": np.round(np.asarray(least), 6).tolist(),
                        "away": away,
                        "standard_error": float(spread),
                    }
                )
    return rows


@functools.partial(jax.jit, static_argnames="c")
def sampled_grams(
    keys: Array, vectors: Float[Array, "k n"], scores: Float[Array, " n"], *, c: int
) -> tuple[Float[Array, " keys"], Float[Array, "k k"], Float[Array, ""]]:
    """Least eigenvalue of ``V_Rᵀ S D² Sᵀ V_R`` for every key, the mean matrix, its standard error.

    The error is that of the mean in Frobenius norm: the root of the sum of the variances of the
    entries, over the number of keys.
    """

    def gram(key: Array) -> Array:
        columns, scale = leverage.sample_columns(key, scores, c)
        drawn = vectors[:, columns] * scale
        return drawn @ drawn.T

    grams = jax.vmap(gram)(keys)
    least = jnp.linalg.eigvalsh(grams)[:, 0]
    variance = jnp.sum(jnp.var(grams, axis=0, ddof=1))
    return least, jnp.mean(grams, axis=0), jnp.sqrt(variance / keys.shape[0])
