"""Predictions that go through reductions: degree-constrained subgraphs and flows, by assignment.

On fixed random graphs the costs change from day to day by lognormal noise. Duals of the original
problem, one number a vertex, are learned from past days and carried through the reduction, or both
of them for flows, to duals of the assignment problem, which is solved cold and from them. Optima
are compared with those of HiGHS.
"""

import functools
from pathlib import Path
from typing import Annotated, Any, Literal

import jax.numpy as jnp
import numpy as np
from pydantic import Field

from jaxlab import graph_algorithms as ga
from jaxlab.checks import require
from jaxlab.experiments.graph_algorithms.learned_reductions_report import (
    CLAIMS,
    KINDS,
    draw,
    judge,
    tabulate,
)
from jaxlab.experiments.graph_algorithms.reduced_problems import (
    Problem,
    Room,
    carry,
    incidence,
    optimum,
    random_flow,
    random_subgraph,
    room_for,
    solve,
    worth,
)
from jaxlab.experiments.interface import Count, Reporter, Share, config
from jaxlab.experiments.measure import interleaved_seconds

__all__ = ["CLAIMS", "Config", "Series", "run"]


@config
class Config:
    """Sizes of the ``kinds`` of problem, of which there are ``problems`` each.

    Subgraphs are chosen in bipartite graphs of ``side`` vertices a side and ``edges``, flows in
    digraphs of ``vertices`` and ``arcs``. Degrees and supplies are those of a random ``share`` of
    them. Costs are uniform from ``cheapest`` to ``dearest``, with noise ``sigmas`` of their
    logarithm, over ``training_days`` and ``test_days``; times are medians of ``repeats`` calls.
    """

    seed: Annotated[int, Field(ge=0)]
    kinds: Annotated[tuple[Literal["subgraph", "flow"], ...], Field(min_length=1)]
    problems: Count
    side: Count
    edges: Count
    vertices: Annotated[int, Field(ge=2)]
    arcs: Count
    share: Share
    cheapest: Count
    dearest: Count
    sigmas: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1)]
    training_days: Count
    test_days: Count
    repeats: Count

    def __post_init__(self) -> None:
        """Edges are pairs of vertices, and costs have a range."""
        pairs = self.side**2
        require(self.edges <= pairs, "edges", self.edges, f"at most all pairs, {pairs}")
        fits = self.cheapest <= self.dearest
        require(fits, "cheapest", self.cheapest, f"at most dearest, {self.dearest}")


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Learn and solve at every noise on every problem, then hold the steps against each other."""
    reporter.plan(len(config.kinds) * len(config.sigmas) * config.problems)
    cells: dict[tuple[str, float], list[Any]] = {}
    seconds: dict[tuple[str, float], dict[str, float]] = {}
    for kind in config.kinds:
        problems = of_kind(config, kind)
        room = room_for(problems)
        for sigma in config.sigmas:
            series = [
                Series(config, problem, room, number, sigma)
                for number, problem in enumerate(problems)
            ]
            cells[kind, sigma] = [
                reporter.cell(f"{kind}/sigma={sigma:g}/problem={number}", days.measure)
                for number, days in enumerate(series)
            ]
            seconds[kind, sigma] = series[0].seconds()
            for start, value in seconds[kind, sigma].items():
                reporter.timing(f"seconds, {start}, {KINDS[kind]}, σ = {sigma:g}", value)
    tabulate(config, cells, seconds, reporter)
    draw(config, cells, reporter)
    judge(cells, reporter)


def of_kind(config: Config, kind: str) -> list[Problem]:
    """The problems of one kind; the same for a seed, whatever else is run."""
    if kind == "subgraph":
        make = functools.partial(random_subgraph, config.side, config.edges)
        chosen = round(config.share * config.edges)
    else:
        make = functools.partial(random_flow, config.vertices, config.arcs)
        chosen = round(config.share * config.arcs)
    return [
        make(chosen, np.random.default_rng([config.seed, 0, number]))
        for number in range(config.problems)
    ]


class Series:
    """The days of one problem at one noise."""

    def __init__(
        self, config: Config, problem: Problem, room: Room, number: int, sigma: float
    ) -> None:
        self.config, self.problem, self.room, self.sigma = config, problem, room, sigma
        self.seed = [config.seed, 1, number]
        rng = np.random.default_rng(self.seed)
        self.base = rng.integers(config.cheapest, config.dearest + 1, problem.ends.shape[1])

    def costs(self, day: int) -> np.ndarray:
        """Costs of a day."""
        noise = np.random.default_rng([*self.seed, 1 + day]).standard_normal(self.base.size)
        return np.maximum(1, np.round(self.base * np.exp(self.sigma * noise))).astype(np.int64)

    @functools.cached_property
    def learned(self) -> np.ndarray:
        """Lower median of the optimal duals of past days."""
        past = [
            np.asarray(solve(self.problem, self.costs(day), room=self.room).duals)
            for day in range(self.config.training_days)
        ]
        duals = jnp.asarray(np.stack(past))
        if self.problem.is_flow:  # potentials are the duals of one side, and minus those of another
            return np.asarray(ga.fit_duals(ga.Duals(-duals, duals)).col)
        return np.stack(ga.fit_duals(ga.Duals(duals[:, 0], duals[:, 1])))

    def measure(self) -> dict[str, Any]:
        """Work of both starts on the days after, and whether what is claimed of them held."""
        work: dict[str, list[list[int]]] = {"cold": [], "learned": []}
        exact = feasible = lipschitz = True
        apart = False
        matrix, wanted = incidence(self.problem)
        for day in range(
            self.config.training_days, self.config.training_days + self.config.test_days
        ):
            cost = self.costs(day)
            best = optimum(self.problem, cost)
            results = {
                "cold": solve(self.problem, cost, room=self.room),
                "learned": solve(self.problem, cost, self.learned, room=self.room),
            }
            for start, found in results.items():
                stats, chosen = found.stats, np.asarray(found.chosen)
                work[start].append([int(stats.augmentations), int(stats.steps)])
                exact &= int(found.status) == 0 and bool((matrix @ chosen == wanted).all())
                exact &= int(cost[chosen].sum()) == best
            truth = np.asarray(results["cold"].duals)
            image, target = (
                carry(self.problem, cost, prediction, room=self.room)
                for prediction in (self.learned, truth)
            )
            feasible &= int(image.violation) <= 0
            feasible &= int(image.value) == worth(self.problem, cost, self.learned)
            error = np.abs(self.learned - truth)
            apart |= bool(error.any())
            grown = np.abs(np.asarray(image.duals) - np.asarray(target.duals))
            lipschitz &= bool(grown.sum() <= int(image.l1) * error.sum())
            lipschitz &= bool(grown.max() <= int(image.linf) * error.max())
        held = {"exact": exact, "feasible": feasible, "lipschitz": lipschitz}
        return {"work": work, "apart": apart, **held}

    def seconds(self) -> dict[str, float]:
        """Time of both starts on the first day after training."""
        cost = self.costs(self.config.training_days)
        calls = {
            "cold": lambda: solve(self.problem, cost, room=self.room),
            "learned": lambda: solve(self.problem, cost, self.learned, room=self.room),
        }
        return interleaved_seconds(calls, repeats=self.config.repeats)
