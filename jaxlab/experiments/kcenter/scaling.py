"""How the time of a fair and private summary grows with points and centers.

Farthest-first order, private assignment of all its prefixes, and the whole method, on blobs; and
one large cloud, the order of which is checked on the host.
"""

import functools
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from jaxlab import kcenter as kc
from jaxlab.checks import require
from jaxlab.experiments.interface import Count, Reporter, config
from jaxlab.experiments.kcenter.problems import blobs
from jaxlab.experiments.kcenter.scaling_report import CLAIMS, draw_growth, judge, tabulate
from jaxlab.experiments.measure import compile_call, median_seconds

__all__ = ["CLAIMS", "Config", "run"]


@config
class Config:
    """Blobs of every number of points in ``sizes``, with every number of ``centers``.

    Only while points times centers are at most ``entries``. Points have ``dims`` coordinates and
    ``groups`` groups, which may all have any number of centers; clusters have at least
    ``share · n / k`` points. Times are medians of ``repeats`` calls. ``large`` points, 0 for none,
    are ordered alone.
    """

    seed: Annotated[int, Field(ge=0)]
    sizes: Annotated[tuple[Annotated[int, Field(ge=1024)], ...], Field(min_length=1)]
    centers: Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=1)]
    entries: Count
    dims: Count
    groups: Count
    share: Annotated[float, Field(ge=0, le=1)]
    repeats: Count
    large: Annotated[int, Field(ge=0)]

    def __post_init__(self) -> None:
        """There is something to time, and no more centers than points."""
        least = min(self.sizes) * min(self.centers)
        fits = self.entries >= least
        require(fits, "entries", self.entries, f"at least those of the smallest problem, {least}")
        fits = all(k <= n for n, k in self.places())
        require(fits, "centers", self.centers, "no more centers than points")
        most = max(self.centers)
        fits = self.large == 0 or self.large >= most
        require(fits, "large", self.large, f"0, or at least the most centers, {most}")

    def places(self) -> list[tuple[int, int]]:
        """Numbers of points and centers that are timed."""
        return [
            (n, k)
            for k in sorted(self.centers)
            for n in sorted(self.sizes)
            if n * k <= self.entries
        ]


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Time the parts at every size."""
    places = config.places()
    reporter.plan(len(places) + bool(config.large))
    cells = {
        (n, k): reporter.cell(f"n={n}/k={k}", functools.partial(measure, config, n, k))
        for n, k in places
    }
    large = None
    if config.large:
        large = reporter.cell(f"large/n={config.large}", functools.partial(order, config))
    for (n, k), cell in cells.items():
        for part, seconds in cell["seconds"].items():
            reporter.timing(f"seconds, {part}, n = {n}, k = {k}", seconds)
    tabulate(config, cells, large, reporter)
    draw_growth(cells, reporter)
    judge(cells, large, reporter)


def cloud(config: Config, n: int) -> tuple[Any, Any]:
    """Blobs of one size."""
    key = jax.random.key(config.seed)
    return blobs(key, n, dims=config.dims, groups=config.groups)


def measure(config: Config, n: int, k: int) -> dict[str, Any]:
    """Seconds of the three parts, seconds of compiling the whole, and its radius."""
    points, groups = cloud(config, n)
    min_size = jnp.int32(config.share * n / k)
    free = jnp.zeros(config.groups, jnp.int32), jnp.full(config.groups, n, jnp.int32)

    def whole(points: Any, groups: Any, min_size: Any) -> kc.Solution:
        lower, upper = free
        return kc.fair_private_kcenter(
            points, groups, k=k, min_size=min_size, lower=lower, upper=upper
        )

    order = compile_call(functools.partial(kc.gonzalez, k=k), points)
    table = kc.distance_matrix(points, order.call(points).indices)
    prefixes = compile_call(kc.private_prefixes, table, min_size)
    solver = compile_call(whole, points, groups, min_size)
    timed = {
        "order": (order.call, points),
        "prefixes": (prefixes.call, table, min_size),
        "whole": (solver.call, points, groups, min_size),
    }
    solution = solver.call(points, groups, min_size)
    return {
        "seconds": {
            part: median_seconds(*call, repeats=config.repeats) for part, call in timed.items()
        },
        "compile": solver.seconds,
        "radius": float(solution.radius),
        "feasible": bool(solution.feasible),
        "smallest": int(solution.counts[solution.mask].min()),
        "min_size": int(min_size),
    }


def order(config: Config) -> dict[str, Any]:
    """Seconds of one large order, and its last radius counted anew on the host."""
    points, _ = cloud(config, config.large)
    k = max(config.centers)
    call = compile_call(functools.partial(kc.gonzalez, k=k), points).call
    found = call(points)
    on_host, nearest = np.asarray(points), np.full(config.large, np.inf, np.float32)
    for center in np.asarray(found.indices):
        np.minimum(nearest, ((on_host - on_host[center]) ** 2).sum(axis=1), out=nearest)
    return {
        "n": config.large,
        "k": k,
        "seconds": median_seconds(call, points, repeats=config.repeats),
        "distinct": len(set(np.asarray(found.indices).tolist())),
        "radii": found.radii.tolist(),
        "radius_on_host": float(np.sqrt(nearest.max())),
    }
