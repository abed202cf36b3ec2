"""The radius of a fair summary against its privacy bound, jointly and one after the other.

On each data set the joint method for a grid of least cluster sizes; fair centers by other methods,
from several first centers, with a private assignment after them; and both with their centers moved.
"""

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from jaxlab import kcenter as kc
from jaxlab.checks import require
from jaxlab.experiments.interface import IN_ORDER, Count, Reporter, config
from jaxlab.experiments.kcenter.privacy_sweep_claims import (
    BASE,
    CLAIMS,
    JOINT,
    PAPERS,
    Place,
    judge,
)
from jaxlab.experiments.kcenter.privacy_sweep_report import (
    draw_radii,
    draw_seconds,
    draw_sizes,
    tabulate,
)
from jaxlab.experiments.kcenter.problems import DataName, Points, load, privacy_grid
from jaxlab.experiments.measure import compile_call

__all__ = ["CLAIMS", "Config", "Problem", "Problems", "run"]

SELECTIONS = {JOINT: "exact", PAPERS: "paper"}

Base = Literal["fair_range_kcenter", "fair_kcenter_swap", "greedy_per_group", "greedy_capped"]


@config
class Problem:
    """``quota`` centers of every group, and ``values`` privacy bounds from 1 to the largest."""

    quota: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1), IN_ORDER]
    values: Count

    def __post_init__(self) -> None:
        """There are centers."""
        require(any(self.quota), "quota", self.quota, "a center of some group")


@config
class Problems:
    """What is asked of each data set."""

    count_query: Problem
    gender_diabetes: Problem
    race_adult: Problem
    sub_electric: Problem
    blobs: Problem


@config
class Config:
    """The data sets to run, and what is asked of them in ``problems``.

    Joint: the prefix with the least radius wins; with ``papers_rule`` also the one that the paper
    would choose. Sequential: centers by Jones et al. from ``seeds`` first centers, and by
    ``others`` from the first of these. ``refine_steps`` rounds at most of moving centers, 0 for
    none.
    """

    data: Annotated[tuple[DataName, ...], Field(min_length=1)]
    papers_rule: bool
    seeds: Count
    others: tuple[Base, ...]
    refine_steps: Annotated[int, Field(ge=0)]
    problems: Problems


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Sweep the privacy bound on every data set."""
    loaded = {name: load(name) for name in config.data}
    of_name = {name: getattr(config.problems, name) for name in loaded}
    grids = {
        data.name: privacy_grid(len(data.points), sum(of_name[name].quota), of_name[name].values)
        for name, data in loaded.items()
    }
    for name, data in loaded.items():
        quota, groups = of_name[name].quota, int(data.groups.max()) + 1
        expected = f"{groups} numbers, one for each group"
        require(len(quota) == groups, f"problems.{name}.quota", quota, expected)
    methods = [
        *((joint, 0) for joint in SELECTIONS if joint == JOINT or config.papers_rule),
        *((BASE, seed) for seed in range(config.seeds)),
        *((other, 0) for other in config.others),
    ]
    reporter.plan(sum(config.seeds + len(methods) * len(sizes) for sizes in grids.values()))
    cells: dict[Place, Any] = {}
    fair: dict[tuple[str, int], list[int]] = {}
    for name, data in loaded.items():
        solve = Solvers(data, of_name[name].quota, config.refine_steps)
        for seed in range(config.seeds):
            fair[data.name, seed] = reporter.cell(
                f"{data.name}/fair/seed={seed}", functools.partial(solve.fair_sizes, seed)
            )
        for method, seed in methods:
            for size in grids[data.name]:
                found = reporter.cell(
                    f"{data.name}/{method}/seed={seed}/L={size}",
                    functools.partial(solve.both, method, seed, size),
                )
                for refined, cell in found.items():
                    cells[Place(data.name, method, refined == "refined", size, seed)] = cell
    names = list(grids)
    tabulate(config, cells, fair, names, reporter)
    draw_radii(config, cells, names, reporter)
    draw_sizes(cells, fair, names, reporter)
    draw_seconds(cells, names, reporter)
    judge(names, cells, fair, config.problems.gender_diabetes.quota, reporter)


class Solvers:
    """The methods on one data set, each compiled once for all privacy bounds.

    Args:
        data: the points.
        quota: centers of each group.
        refine_steps: rounds of moving centers; 0 for none.
    """

    def __init__(self, data: Points, quota: tuple[int, ...], refine_steps: int):
        self._data = data
        self._quota = jnp.asarray(quota, jnp.int32)
        self._k = sum(quota)
        self._steps = refine_steps
        self._compiled: dict[str, Callable[..., kc.Solution]] = {}

    def fair_sizes(self, seed: int) -> list[int]:
        """Cluster sizes of fair centers, every point at its nearest."""
        points, groups = self._data.points, self._data.groups
        first = self._first(seed)
        return kc.fair_kcenter(points, groups, self._quota, k=self._k, first=first).counts.tolist()

    def both(self, method: str, seed: int, min_size: int) -> dict[str, Any]:
        """A solution, and the same with its centers moved."""
        bound = jnp.int32(min_size)
        solution, seconds = self._call(method, bound, self._first(seed))
        found = {"found": self._describe(solution, min_size, seconds)}
        if self._steps:
            solution, seconds = self._call("refine", bound, solution)
            found["refined"] = self._describe(solution, min_size, seconds)
        return found

    def _first(self, seed: int) -> Any:
        return jnp.int32(np.random.default_rng(seed).integers(len(self._data.points)))

    def _call(self, method: str, bound: Any, given: Any) -> tuple[kc.Solution, float]:
        """Solution and seconds of a method, compiled, or warmed up, before its first call."""
        points, groups = self._data.points, self._data.groups
        call = self._compiled.get(method)
        swaps = method == "fair_kcenter_swap"  # works on the host
        if swaps:
            given = int(given)
        if call is None:
            call = functools.partial(self._solve, method)
            if swaps:
                jax.block_until_ready(call(points, groups, bound, given))
            else:
                call = compile_call(call, points, groups, bound, given).call
            self._compiled[method] = call
        began = time.perf_counter()
        solution = jax.block_until_ready(call(points, groups, bound, given))
        return solution, time.perf_counter() - began

    def _solve(self, method: str, points: Any, groups: Any, bound: Any, given: Any) -> kc.Solution:
        quota: dict[str, Any] = {"lower": self._quota, "upper": self._quota}
        if method == "refine":
            return kc.refine_minimax(points, groups, given, min_size=bound, steps=self._steps)
        if method in SELECTIONS:
            options = {"k": self._k, "min_size": bound, "selection": SELECTIONS[method], **quota}
            return kc.fair_private_kcenter(points, groups, **options)
        return kc.sequential_fair_private(
            points, groups, base=method, k=self._k, min_size=bound, first=given, **quota
        )

    def _describe(self, solution: kc.Solution, min_size: int, seconds: float) -> dict[str, Any]:
        """What is kept of a solution, counted anew."""
        report = kc.check_solution(
            self._data.points,
            self._data.groups,
            solution,
            k=self._k,
            min_size=min_size,
            lower=self._quota,
            upper=self._quota,
        )
        return {
            "radius": float(solution.radius),
            "counts": [int(count) for count in np.asarray(solution.counts)[solution.mask]],
            "group_counts": list(report.group_counts),
            "lower_bound": float(solution.lower_bound),
            "violations": list(report.violations),
            "seconds": seconds,
        }
