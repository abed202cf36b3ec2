"""Assignments whose duals are learned from related random problems, cold against learned starts.

Costs depend on the types of row and column and vary about their means. The median of the optimal
duals of past problems is the prediction; each test starts from the same one. Counted are rounds of
the Hungarian method of the paper on learned duals, and columns that our solver closes.
"""

import functools
import itertools
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from jaxlab import graph_algorithms as ga
from jaxlab.experiments import plotting
from jaxlab.experiments.graph_algorithms import peers
from jaxlab.experiments.interface import Claim, Count, Counts, Reporter, config

__all__ = ["CLAIMS", "Config", "judge", "run"]

Row = dict[str, float]

CLAIMS = (
    Claim(
        id="gains-at-small-variance",
        statement="Learned duals save most rounds of the Hungarian method when problems vary "
        "little.",
        source="Dinitz et al. 2021, experiments on the type model",
        paper="the learned start needs a small part of the cold start's iterations",
        criterion="at the variance 10, mean rounds of cold starts at least 3 times those of "
        "learned ones",
    ),
    Claim(
        id="gains-remain",
        statement="There is still a gain when problems vary much.",
        source="Dinitz et al. 2021, experiments on the type model",
        paper="the gain fades as problems become unrelated",
        criterion="at the variance 1000, mean rounds of cold starts at least 1.5 times those of "
        "learned ones",
    ),
    Claim(
        id="gains-fade",
        statement="The gain fades as the variance grows.",
        source="Dinitz et al. 2021, experiments on the type model",
        paper="monotone in the variance",
        criterion="the ratio of rounds is above 1 at the smallest variance, grows from one to the "
        "next larger by at most 10 %, and is less at the largest than at the smallest",
    ),
    Claim(
        id="always-exact",
        statement="Whatever the prediction, the assignment is optimal.",
        source="Chen et al. 2022, section on matching",
        paper="exact algorithms",
        criterion="every cost, of cold and of learned starts, equal to scipy's, with a certificate",
    ),
)


@config
class Config:
    """Sizes: ``n`` rows in ``groups`` groups whose mean costs have mean ``mean``.

    For each of ``seeds`` models and each of ``variances``: ``training`` problems are learned from,
    ``tests`` more are solved.
    """

    seed: Annotated[int, Field(ge=0)]
    n: Count
    groups: Count
    mean: Annotated[float, Field(ge=1)]
    variances: Counts
    training: Count
    tests: Count
    seeds: Count


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Learn and test for every variance and model, then average."""
    reporter.plan(len(config.variances) * config.seeds)
    rows = []
    for variance in config.variances:
        cells = [
            reporter.cell(
                f"variance={variance}/model={model}",
                functools.partial(compare, config, variance, model),
            )
            for model in range(config.seeds)
        ]
        rows.append({name: float(np.mean([cell[name] for cell in cells])) for name in cells[0]})
    names = ["rounds", "steps", "free_rows"]
    table = [
        [variance, *(round(row[f"{name}_{start}"], 1) for name in names for start in STARTS)]
        for variance, row in zip(config.variances, rows, strict=True)
    ]
    columns = ["variance", *(f"{name}, {start}" for name in names for start in STARTS)]
    caption = (
        "Means over tests and models. Rounds are those of the Hungarian method; steps and free "
        "rows those of augmentation by shortest paths."
    )
    reporter.table("starts", columns, [[str(x) for x in line] for line in table], caption)
    for variance, row in zip(config.variances, rows, strict=True):
        reporter.scalar(f"round ratio, variance {variance}", _ratio(row, "rounds"))
        reporter.scalar(f"step ratio, variance {variance}", _ratio(row, "steps"))
    _draw(config.variances, rows, reporter)
    for claim, (ours, holds) in judge(config.variances, rows).items():
        reporter.verdict(claim, ours=ours, holds=holds)


STARTS = ("cold", "learned")


def compare(config: Config, variance: int, model: int) -> Row:
    """Learn from past problems of one model, and solve new ones from nothing and from that."""
    of_means, of_costs = jax.random.split(jax.random.fold_in(jax.random.key(config.seed), model))
    means = ga.block_means(of_means, groups=config.groups, mean=config.mean)
    draw = jax.jit(functools.partial(ga.type_model, n=config.n, variance=variance))
    problems = (
        draw(jax.random.fold_in(of_costs, k), means) for k in range(config.training + config.tests)
    )
    past = [ga.linear_sum_assignment(next(problems)).duals for _ in range(config.training)]
    learned = ga.fit_duals(jax.tree.map(lambda *parts: jnp.stack(parts), *past), "l1")
    counts: dict[str, list[Any]] = {}
    for cost in problems:
        best = peers.optimum(cost)
        for start, duals in zip(STARTS, (None, learned), strict=True):
            hungarian = ga.primal_dual_matching(cost, duals)
            ours = ga.linear_sum_assignment(cost, duals, initial="maximum", method="sap")
            exact = all(peers.exact(cost, best, result) for result in (hungarian, ours))
            for name, value in [
                ("rounds", hungarian.stats.phases),
                ("steps", ours.stats.steps),
                ("free_rows", ours.stats.free_rows),
                ("exact", exact),
            ]:
                counts.setdefault(f"{name}_{start}", []).append(float(value))
    return {name: float(np.mean(values)) for name, values in counts.items()}


def judge(variances: tuple[int, ...], rows: list[Row]) -> dict[str, tuple[str, bool | None]]:
    """What was measured of each claim, and whether it holds; None where a variance is missing."""
    ratios = {v: _ratio(row, "rounds") for v, row in zip(variances, rows, strict=True)}
    verdicts: dict[str, tuple[str, bool | None]] = {}
    for claim, variance, least in [
        ("gains-at-small-variance", 10, 3.0),
        ("gains-remain", 1000, 1.5),
    ]:
        ratio = ratios.get(variance)
        ours = "not measured" if ratio is None else f"{ratio:.2f} times as many rounds cold"
        verdicts[claim] = ours, None if ratio is None else ratio >= least
    ordered = [ratios[v] for v in sorted(ratios)]
    steady = all(b <= 1.1 * a for a, b in itertools.pairwise(ordered))
    fades = steady and ordered[0] > max(1, ordered[-1])
    listed = ", ".join(f"{ratio:.2f}" for ratio in ordered)
    verdicts["gains-fade"] = f"ratios {listed}", fades if len(ordered) > 1 else None
    exact = min(row[f"exact_{start}"] for row in rows for start in STARTS)
    verdicts["always-exact"] = f"{exact:.1%} for the worst variance and start", exact == 1
    return verdicts


def _ratio(row: Row, name: str) -> float:
    """Cold over learned; what is 0 for both counts as equal."""
    return max(row[f"{name}_cold"], 1.0) / max(row[f"{name}_learned"], 1.0)


def _draw(variances: tuple[int, ...], rows: list[Row], reporter: Reporter) -> None:
    figure, axes = plotting.new_figure(1, 2, title="Cold and learned starts, by variance")
    units = {"rounds": "rounds of the Hungarian method", "steps": "columns closed by Dijkstra"}
    for ax, (name, unit) in zip(axes, units.items(), strict=True):
        for start in STARTS:
            plotting.curves(ax, variances, [row[f"{name}_{start}"] for row in rows], label=start)
        plotting.count_axis(ax, variances)
        ax.set(xlabel="variance of costs", ylabel=f"{unit}, mean", ylim=(0, None))
    plotting.legend(figure, "start")
    reporter.figure(
        "starts", figure, "What is left to do from nothing and from the median of past duals."
    )
