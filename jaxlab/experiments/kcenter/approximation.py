"""How close to the optimum fair and private summaries are, on problems small enough to solve.

Random problems are solved by the joint method, by fair centers with a private assignment after
them, and exactly by mixed-integer programs; both approximations are then refined.
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
from jaxlab.experiments.interface import Count, Reporter, config
from jaxlab.experiments.kcenter.approximation_report import (
    CLAIMS,
    draw_certificates,
    draw_ratios,
    judge,
    tabulate,
)
from jaxlab.experiments.kcenter.problems import Instance, random_instance
from jaxlab.kcenter.oracles import milp_optimum

__all__ = ["CLAIMS", "Config", "Grouping", "run"]

Shape = tuple[Annotated[int, Field(ge=4, le=40)], Annotated[int, Field(ge=1, le=8)]]
Grouping = Literal["independent", "layers"]


@config
class Config:
    """``instances`` random problems of each of ``shapes``, points and centers, by each grouping.

    There are one to ``groups`` groups: independent of the points, or layers of one coordinate with
    some noise. Centers are moved in up to ``refine_steps`` rounds.
    """

    seed: Annotated[int, Field(ge=0)]
    shapes: Annotated[tuple[Shape, ...], Field(min_length=1)]
    groupings: Annotated[tuple[Grouping, ...], Field(min_length=1)]
    groups: Annotated[int, Field(ge=1, le=4)]
    instances: Count
    refine_steps: Count

    def __post_init__(self) -> None:
        """Where every point may be a center, the optimum is 0 and has no ratios to it."""
        for n, k in self.shapes:
            require(k < n, "shapes", (n, k), "fewer centers than points")


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Solve all problems of a shape in one program, then one by one exactly."""
    reporter.plan(len(config.shapes) * len(config.groupings))
    cells: dict[tuple[str, int, int], Any] = {
        (grouping, *shape): reporter.cell(
            f"{grouping}/n={shape[0]}/k={shape[1]}",
            functools.partial(measure, config, *shape, grouping),
        )
        for shape in config.shapes
        for grouping in config.groupings
    }
    tabulate(config, cells, reporter)
    draw_ratios(config, cells, reporter)
    draw_certificates(cells, reporter)
    judge(cells, reporter)


def draw(config: Config, n: int, k: int, grouping: Grouping) -> list[Instance]:
    """The problems of one shape."""
    rng = np.random.default_rng((config.seed, n, k, grouping == "layers"))
    return [
        random_instance(rng, n, k, config.groups, correlated=grouping == "layers")
        for _ in range(config.instances)
    ]


@functools.partial(jax.jit, static_argnames=("k",))
def solve(problems: Instance, k: int) -> dict[str, kc.Solution]:
    """Both approximations of a stack of problems."""

    @jax.vmap
    def one(problem: Instance) -> dict[str, kc.Solution]:
        points, groups, *bounds = problem
        options = {"k": k, **dict(zip(("min_size", "lower", "upper"), bounds, strict=True))}
        return {
            "joint": kc.fair_private_kcenter(points, groups, **options),
            "sequential": kc.sequential_fair_private(
                points, groups, base="fair_range_kcenter", **options
            ),
        }

    return one(problems)


@functools.partial(jax.jit, static_argnames=("steps",))
def refine(problems: Instance, solutions: kc.Solution, steps: int) -> kc.Solution:
    """Centers moved, of a stack of solutions."""

    @jax.vmap
    def one(problem: Instance, solution: kc.Solution) -> kc.Solution:
        points, groups, min_size, *_ = problem
        return kc.refine_minimax(points, groups, solution, min_size=min_size, steps=steps)

    return one(problems, solutions)


def measure(config: Config, n: int, k: int, grouping: Grouping) -> dict[str, Any]:
    """Radii of every method, optima and lower bounds, and solutions that violate something."""
    problems = draw(config, n, k, grouping)
    stack = jax.tree.map(lambda *parts: jnp.stack(parts), *problems)
    solutions = solve(stack, k)
    for name in tuple(solutions):
        moved = refine(stack, solutions[name], config.refine_steps)
        solutions["refined" if name == "joint" else f"{name}_refined"] = moved
    solutions = jax.tree.map(np.asarray, solutions)
    optima, broken = [], 0
    for number, (points, groups, min_size, lower, upper) in enumerate(problems):
        bounds = {"min_size": int(min_size), "lower": lower, "upper": upper}
        optima.append(float(milp_optimum(points, groups, k, **bounds).radius))
        for found in solutions.values():
            one = jax.tree.map(lambda part, number=number: part[number], found)
            broken += not kc.check_solution(points, groups, one, k=k, **bounds).feasible
    return {
        "optimum": optima,
        "lower_bound": solutions["joint"].lower_bound.tolist(),
        "broken": broken,
        "radius": {name: found.radius.tolist() for name, found in solutions.items()},
    }
