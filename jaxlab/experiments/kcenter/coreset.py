"""Summaries from a few weighted points: how small a coreset may be, and in which order it streams.

The joint method on all points is compared with the same method on coresets of more and more points
of each group, and on coresets that a stream leaves behind, whose centers then serve all points.
"""

import functools
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from jaxlab import kcenter as kc
from jaxlab.checks import require
from jaxlab.experiments.interface import Count, Counts, Reporter, config
from jaxlab.experiments.kcenter.coreset_report import CLAIMS, FULL, draw_radii, judge, tabulate
from jaxlab.experiments.kcenter.problems import Points, blobs, load
from jaxlab.experiments.kcenter.weighted import solve_coreset

__all__ = ["CLAIMS", "Config", "run"]

Order = Literal["given", "shuffled", "sorted"]
Source = Literal["gender_diabetes", "race_adult", "count_query", "blobs"]


@config
class Blobs:
    """``n`` points of ``groups`` groups with ``dims`` coordinates."""

    n: Annotated[int, Field(ge=100)]
    dims: Count
    groups: Count


@config
class Config:
    """``per_group`` centers of every group of each data set of ``data``.

    Clusters have at least ``share · n / k`` points. Coresets have each of ``multiples`` times ``k``
    points of every group, streams ``stream_multiple`` times ``k``, and take ``batch`` points at a
    time in each of ``orders``: as given, shuffled, or sorted by the first coordinate.
    """

    seed: Annotated[int, Field(ge=0)]
    data: Annotated[tuple[Source, ...], Field(min_length=1)]
    blobs: Blobs
    per_group: Count
    share: Annotated[float, Field(ge=0, le=1)]
    multiples: Counts
    stream_multiple: Count
    orders: tuple[Order, ...]
    batch: Count

    def __post_init__(self) -> None:
        """Blobs have as many points as the largest coreset may have of a group."""
        most = self.blobs.n // (self.per_group * self.blobs.groups)
        fits = "blobs" not in self.data or max(self.multiples) <= most
        expected = f"at most {most}, blobs.n / (per_group · blobs.groups)"
        require(fits, "multiples", self.multiples, expected)


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Solve on all points, on coresets and on what streams leave behind."""
    reporter.plan(len(config.data) * (1 + len(config.multiples) + len(config.orders)))
    cells: dict[tuple[str, str, int], Any] = {}
    for name in config.data:
        study = Study(config, source(config, name))
        cells[name, FULL, 0] = reporter.cell(f"{name}/full", study.full)
        for multiple in sorted(config.multiples):
            cells[name, "coreset", multiple] = reporter.cell(
                f"{name}/coreset/{multiple}k", functools.partial(study.by_coreset, multiple)
            )
        for order in config.orders:
            cells[name, order, config.stream_multiple] = reporter.cell(
                f"{name}/stream/{order}", functools.partial(study.by_stream, order)
            )
    tabulate(config, cells, reporter)
    draw_radii(config, cells, reporter)
    judge(cells, reporter)


def source(config: Config, name: Source) -> Points:
    """The points of a data set."""
    if name != "blobs":
        return load(name)
    key = jax.random.key(config.seed)
    options = {"dims": config.blobs.dims, "groups": config.blobs.groups}
    return Points(name, *blobs(key, config.blobs.n, **options))


class Study:
    """One data set, and its problem.

    Args:
        config: the sizes.
        data: the points.
    """

    def __init__(self, config: Config, data: Points):
        self._config = config
        _, self._points, self._groups = data
        groups = int(self._groups.max()) + 1
        self._k = config.per_group * groups
        self._quota = jnp.full(groups, config.per_group, jnp.int32)
        self._min_size = int(config.share * len(self._points) / self._k)
        self._bounds: dict[str, Any] = {
            "min_size": self._min_size,
            "lower": self._quota,
            "upper": self._quota,
        }

    def full(self) -> dict[str, Any]:
        """The joint method on all points."""
        solution = kc.fair_private_kcenter(self._points, self._groups, k=self._k, **self._bounds)
        return {
            "k": self._k,
            "min_size": self._min_size,
            "n": len(self._points),
            "radius": float(solution.radius),
            "smallest": int(solution.counts[solution.mask].min()),
            "exact": bool((solution.group_counts == self._quota).all()),
        }

    def by_coreset(self, multiple: int) -> dict[str, Any]:
        """The joint method on so many times ``k`` points of every group."""
        size = multiple * self._k
        return self._by(kc.kcenter_coreset(self._points, self._groups, size, per_group=True))

    def by_stream(self, order: Order) -> dict[str, Any]:
        """The joint method on the representatives that a stream keeps."""
        n, batch = len(self._points), self._config.batch
        where = np.arange(n)
        if order == "shuffled":
            where = np.random.default_rng(self._config.seed).permutation(n)
        elif order == "sorted":
            where = np.argsort(np.asarray(self._points[:, 0]), kind="stable")
        size = self._config.stream_multiple * self._k
        options = {"num_groups": len(self._quota), "size": size, "batch": batch}
        coreset = stream(self._points, self._groups, jnp.asarray(where), **options)
        found = coreset.source_index
        arrived = jnp.where(found >= 0, jnp.asarray(where)[found], -1)
        return self._by(coreset._replace(source_index=arrived))

    def _by(self, coreset: kc.Coreset) -> dict[str, Any]:
        """Solve on a coreset, then let its centers serve all points; no radii without a solution.

        A stream may keep fewer points of a group than it needs centers.
        """
        largest = max(*self._config.multiples, self._config.stream_multiple) * self._k
        padded = pad(coreset, (largest + 1) * len(self._quota))
        solution = solve_coreset(padded, k=self._k, **self._bounds)
        size = {
            "points": int((coreset.weights > 0).sum()),
            "coreset_radius": float(coreset.radius),
        }
        if not solution.feasible:
            return size | {"smallest": 0, "exact": False}
        used = solution.centers >= 0
        centers = jnp.where(used, padded.source_index[solution.centers], -1)
        table = kc.distance_matrix(self._points, centers)
        served = kc.private_assignment(table, self._min_size, center_mask=used)
        of_groups = np.bincount(self._groups[centers[used]], minlength=len(self._quota))
        return size | {
            "solution_radius": float(solution.radius),
            "radius": float(served.radius),
            "smallest": int(served.counts[used].min()),
            "exact": bool((of_groups == np.asarray(self._quota)).all()),
        }


@functools.partial(jax.jit, static_argnames=("num_groups", "size", "batch"))
def stream(
    points: Any, groups: Any, where: Any, *, num_groups: int, size: int, batch: int
) -> kc.Coreset:
    """What is left of the points in the order ``where``, so many at a time."""
    n, dims = points.shape
    batches = -(-n // batch)
    order = jnp.pad(where, (0, batches * batch - n)).reshape(batches, batch)
    there = (jnp.arange(batches * batch) < n).reshape(batches, batch)

    def take(state: kc.StreamState, part: Any) -> tuple[kc.StreamState, None]:
        taken, mask = part
        return kc.stream_update(state, points[taken], groups[taken], mask), None

    start = kc.stream_init(size, dims, num_groups=num_groups)
    state, _ = jax.lax.scan(take, start, (order, there))
    return kc.stream_finalize(state)


def pad(coreset: kc.Coreset, size: int) -> kc.Coreset:
    """The coreset with points of weight 0, so that all sizes share one compiled program."""
    more = size - len(coreset.weights)

    def longer(values: Any, fill: int) -> Any:
        widths = [(0, more)] + [(0, 0)] * (values.ndim - 1)
        return jnp.pad(values, widths, constant_values=fill)

    return coreset._replace(
        points=longer(coreset.points, 0),
        groups=longer(coreset.groups, 0),
        weights=longer(coreset.weights, 0),
        source_index=longer(coreset.source_index, -1),
    )
