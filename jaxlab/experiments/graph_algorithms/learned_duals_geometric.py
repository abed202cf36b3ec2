"""Assignments between points of real data, from duals learned on earlier draws of them.

A problem matches one point of each of k clusters to one of each of k others. The median of the
optimal duals of past draws is the prediction for new ones. Counted are the columns that our solver
closes and the rounds of the Hungarian method of the paper on learned duals; timed are cold and
learned starts and other libraries on the same costs.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from jaxlab import graph_algorithms as ga
from jaxlab.checks import require
from jaxlab.experiments.graph_algorithms import clustered, peers
from jaxlab.experiments.graph_algorithms.learned_duals_geometric_report import (
    CLAIMS,
    draw_samples,
    draw_times,
    draw_work,
    judge,
    tabulate,
)
from jaxlab.experiments.interface import Count, Counts, Reporter, config
from jaxlab.experiments.measure import interleaved_seconds

__all__ = ["CLAIMS", "Config", "measure", "no_prediction", "optimal_duals", "run", "solve"]


@config
class Config:
    """Every set of ``data`` at every size in ``sizes``, the number k of rows.

    k-means, from one start, stops when it settles and after ``max_iterations`` at the latest.
    Duals are learned from ``training`` problems, and for the largest size also from each of
    ``samples`` of them; ``tests`` more are solved, of which ``timed``, at most all, are timed, with
    medians of ``repeats`` calls.
    """

    seed: Annotated[int, Field(ge=0)]
    data: Annotated[tuple[clustered.DataName, ...], Field(min_length=1)]
    sizes: Counts
    max_iterations: Count
    training: Count
    samples: Counts
    tests: Count
    timed: Count
    repeats: Count

    def __post_init__(self) -> None:
        """There are a number of samples to learn from, larger ones left out, and enough to time."""
        fits = min(self.samples) <= self.training
        require(fits, "samples", self.samples, f"one of at most training ({self.training})")
        require(self.timed <= self.tests, "timed", self.timed, f"at most tests ({self.tests})")


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Cluster, learn, count and time, for every set and size."""
    reporter.plan(2 * len(config.data) * len(config.sizes))
    cells: dict[tuple[str, int], Any] = {}
    seconds: dict[tuple[str, int], Mapping[str, float]] = {}
    for name in config.data:
        for k in sorted(config.sizes):
            clusters = clustered.cluster(
                reporter, name, k, seed=config.seed, max_iterations=config.max_iterations
            )
            costs = clustered.draw_problems(
                clusters, config.training + config.tests, seed=config.seed
            )
            past = optimal_duals(costs[: config.training])
            new = costs[config.training :]
            counts = reporter.cell(
                f"work/{name}/k={k}", functools.partial(measure, config, past, new)
            )
            sizes = np.bincount(clusters.labels)
            cells[name, k] = counts | {
                "points": clusters.points.shape,
                "iterations": clusters.iterations,
                "cluster": (int(sizes.min()), int(np.median(sizes)), int(sizes.max())),
            }
            seconds[name, k], dearer = times(config, past, new)
            for peer in dearer:
                place = f"{clustered.TITLES[name]} at k = {k}"
                reporter.note(f"{peers.TITLES[peer]} did not find the optimum on {place}.")
    for (data, k), by_solver in seconds.items():
        for solver, value in by_solver.items():
            reporter.timing(f"seconds, {solver}, {data}, k = {k}", value)
    tabulate(config, cells, seconds, reporter)
    draw_work(config, cells, reporter)
    draw_samples(config, cells, reporter)
    draw_times(config, seconds, reporter)
    judge(cells, seconds, reporter)


solve = functools.partial(ga.linear_sum_assignment, method="sap")


def no_prediction(k: int) -> ga.Duals:
    """Zeros, from which costs of 0 and more are solved as from no duals, by the same program."""
    return ga.Duals(jnp.zeros(k, jnp.int32), jnp.zeros(k, jnp.int32))


def optimal_duals(costs: Any) -> ga.Duals:
    """Those of every problem of a stack."""
    nothing = no_prediction(costs.shape[1])
    return _stack([solve(cost, nothing).duals for cost in costs])


def measure(config: Config, past: ga.Duals, costs: Any) -> dict[str, Any]:
    """Work of cold and learned starts on every problem, by solver, and whether all were exact."""
    best = [peers.optimum(cost) for cost in costs]
    counts: dict[str, Any] = {"exact": True, "samples": {}}

    def work(method: Callable[..., ga.AssignmentResult], duals: ga.Duals) -> Any:
        results = [method(cost, duals) for cost in costs]
        counts["exact"] &= all(map(peers.exact, costs, best, results))
        return _stack([result.stats for result in results])

    starts = {"cold": no_prediction(costs.shape[1]), "learned": ga.fit_duals(past, "l1")}
    for start, duals in starts.items():
        ours, hungarian = work(solve, duals), work(ga.primal_dual_matching, duals)
        counts[start] = {
            "steps": ours.steps.tolist(),
            "free_rows": ours.free_rows.tolist(),
            "augmentations": ours.augmentations.tolist(),
            "rounds": hungarian.phases.tolist(),
        }
    for samples in config.samples if costs.shape[1] == max(config.sizes) else ():
        if samples <= config.training:
            duals = ga.fit_duals(ga.Duals(past.row[:samples], past.col[:samples]), "l1")
            counts["samples"][str(samples)] = work(solve, duals).steps.tolist()
    return counts


def times(config: Config, past: ga.Duals, costs: Any) -> tuple[dict[str, float], set[str]]:
    """Mean over problems of the median time of every solver, and of learning; peers that err."""
    learn = functools.partial(ga.fit_duals, past, "l1")
    learned, nothing = learn(), no_prediction(costs.shape[1])
    others = peers.peers()
    measured: list[dict[str, float]] = []
    dearer = set()
    for cost in costs[: config.timed]:
        calls = {
            "cold": functools.partial(solve, cost, nothing),
            "learned": functools.partial(solve, cost, learned),
        }
        for name, peer in others.items():
            calls[name] = functools.partial(peer.solve, peer.prepare(cost))
            if peers.total(cost, calls[name]()) != peers.optimum(cost):
                dearer.add(name)
        measured.append(interleaved_seconds(calls, repeats=config.repeats))
    found = {name: float(np.mean([row[name] for row in measured])) for name in measured[0]}
    return found | interleaved_seconds({"learning": learn}, repeats=config.repeats), dearer


def _stack(results: list[Any]) -> Any:
    return jax.tree.map(lambda *parts: np.stack(parts), *results)
