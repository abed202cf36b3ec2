"""Optimal duals and potentials with noise of known size: what is left to do, against the bounds.

Predictions are optimal duals of random assignment problems, spoilt in three ways: k wrong entries,
a total error spread over all entries, a largest error in every entry. Each is rounded in the three
ways and solved from; Goldberg's scaling starts from spoilt distances on a grid. All answers are
compared with SciPy's.
"""

import functools
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from jaxlab import graph_algorithms as ga
from jaxlab.checks import require
from jaxlab.experiments.graph_algorithms import peers
from jaxlab.experiments.graph_algorithms.learned_potentials import check_room, distances, grid
from jaxlab.experiments.graph_algorithms.prediction_error_report import (
    CLAIMS,
    draw_assignment,
    draw_goldberg,
    judge,
    tabulate,
)
from jaxlab.experiments.interface import Count, Reporter, config
from jaxlab.experiments.measure import interleaved_seconds
from jaxlab.graphs import Digraph, in_arcs

__all__ = ["CLAIMS", "Config", "run", "spoil"]

Sizes = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]


@config
class Config:
    """Sizes of the two parts, each repeated ``trials`` times.

    Assignment problems of ``n`` rows are of the type model of ``groups`` groups, means of mean
    ``mean`` and the given ``variance``. Predictions have ``wrong`` entries off by up to
    ``magnitude``; or errors that sum to ``totals``; or errors of up to ``largest``. Times are
    medians of ``repeats`` calls. Potentials are those of a grid of ``side``² vertices, with errors
    of up to ``potential_errors``.
    """

    seed: Annotated[int, Field(ge=0)]
    trials: Count
    n: Count
    groups: Count
    mean: Annotated[float, Field(ge=1)]
    variance: Count
    wrong: Sizes
    magnitude: Count
    totals: Sizes
    largest: Sizes
    repeats: Count
    side: Annotated[int, Field(ge=2)]
    shortest: Count
    longest: Count
    negative: Annotated[float, Field(ge=0, le=0.5)]
    potential_errors: Sizes

    def __post_init__(self) -> None:
        """Lengths have a range."""
        fits = self.shortest <= self.longest
        require(fits, "shortest", self.shortest, f"at most longest, {self.longest}")


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Spoil and solve, in every trial, then hold the counts against the bounds."""
    check_room(hidden_grid(config, trial)[0] for trial in range(config.trials))
    reporter.plan(2 * config.trials)
    trials = range(config.trials)
    rows = [
        row
        for trial in trials
        for row in reporter.cell(
            f"assignment/trial={trial}", functools.partial(assignments, config, trial)
        )
    ]
    scales = [
        row
        for trial in trials
        for row in reporter.cell(
            f"potentials/trial={trial}", functools.partial(potentials, config, trial)
        )
    ]
    seconds = times(config)
    for name, value in seconds.items():
        reporter.timing(f"seconds, {name}", value)
    tabulate(config, rows, scales, seconds, reporter)
    draw_assignment(config, rows, reporter)
    draw_goldberg(config, scales, reporter)
    judge(config, rows, scales, reporter)


def problem(config: Config, trial: int) -> tuple[Any, Any]:
    """Costs, and the result of a cold start on them."""
    of_means, of_costs = jax.random.split(jax.random.fold_in(jax.random.key(config.seed), trial))
    means = ga.block_means(of_means, groups=config.groups, mean=config.mean)
    cost = ga.type_model(of_costs, means, n=config.n, variance=config.variance)
    return cost, ga.linear_sum_assignment(cost, initial="maximum", method="sap")


def spoil(kind: str, size: int, count: int, magnitude: int, rng: np.random.Generator) -> Any:
    """Errors for ``count`` entries: integers, with exactly the norm ``size`` of its kind.

    ``"l0"``: ``size`` entries, at most all of them, are off by 1 to ``magnitude`` either way.
    ``"l1"``: ``size`` units fall on entries at random, each entry with one sign. ``"linf"``: all
    entries are off by up to ``size``, one of them by that.
    """
    if kind == "l0":
        errors = np.zeros(count, np.int32)
        where = rng.choice(count, min(size, count), replace=False)
        errors[where] = rng.integers(1, magnitude + 1, where.size)
        return errors * rng.choice([-1, 1], count).astype(np.int32)
    if kind == "l1":
        units = rng.multinomial(size, np.full(count, 1 / count)).astype(np.int32)
        return units * rng.choice([-1, 1], count).astype(np.int32)
    errors = rng.integers(-size, size + 1, count).astype(np.int32)
    errors[rng.integers(count)] = size * rng.choice([-1, 1])
    return errors


def kinds(config: Config) -> dict[str, tuple[int, ...]]:
    """Norm and sizes of the errors of duals."""
    return {"l0": config.wrong, "l1": config.totals, "linf": config.largest}


def assignments(config: Config, trial: int) -> list[dict[str, Any]]:
    """Errors before and after rounding and the work from there, for every prediction."""
    cost, cold = problem(config, trial)
    best = peers.optimum(cost)
    truth = np.concatenate(cold.duals)
    rng = np.random.default_rng([config.seed, trial])
    rows = []
    for kind, sizes in kinds(config).items():
        for size in sizes:
            errors = spoil(kind, size, truth.size, config.magnitude, rng)
            predicted = _split(truth + errors)
            row: dict[str, Any] = {"kind": kind, "size": size, "error": norms(errors)}
            row["cold"] = int(cold.stats.augmentations)
            results = [cold]
            for rounding in ("cover", "greedy", "c_transform"):
                rounded = ga.round_duals(cost, predicted, method=rounding)
                row[rounding] = norms(np.concatenate(rounded) - truth)
                row[rounding]["rows"] = int(np.abs(rounded.row - cold.duals.row).max())
                row[rounding]["least"] = -int(ga.feasibility_violation(cost, rounded))
                results.append(
                    ga.linear_sum_assignment(
                        cost, predicted, rounding=rounding, initial="maximum", method="sap"
                    )
                )
                row[rounding]["augmentations"] = int(results[-1].stats.augmentations)
                row[rounding]["steps"] = int(results[-1].stats.steps)
            hungarian = ga.primal_dual_matching(cost, predicted)
            row["columns"] = int(np.abs(errors[config.n :]).max())
            row["rounds"] = int(hungarian.stats.phases)
            row["exact"] = all(peers.exact(cost, best, result) for result in (*results, hungarian))
            rows.append(row)
    return rows


def norms(errors: Any) -> dict[str, int]:
    """Number of entries that are not zero, sum and maximum of absolute values."""
    size = np.abs(np.asarray(errors, np.int64))
    return {"l0": int((size > 0).sum()), "l1": int(size.sum()), "linf": int(size.max())}


def hidden_grid(config: Config, trial: int) -> tuple[Digraph, Any]:
    """A grid with lengths behind potentials, and these."""
    base = grid(config.side, config.shortest, config.longest, config.seed + trial)
    key = jax.random.fold_in(jax.random.key(config.seed), trial)
    hidden = ga.hiding_potentials(key, base, negative=config.negative)
    return ga.perturbed_potential_graph(key, base, 0.0, potentials=hidden), hidden


def potentials(config: Config, trial: int) -> list[dict[str, Any]]:
    """Scales and phases of Goldberg's algorithm at every error, and whether distances are exact."""
    graph, hidden = hidden_grid(config, trial)
    arcs = in_arcs(graph)
    expected = distances(graph, np.asarray(hidden))
    rng = np.random.default_rng([config.seed, trial])
    rows = []
    for size in config.potential_errors:
        noise = spoil("linf", size, expected.size, 1, rng)
        predicted = jnp.asarray(expected + noise, jnp.int32)
        found = ga.goldberg_potentials(graph, predicted, in_arcs=arcs)
        paths = ga.shortest_paths(graph, 0, potentials=predicted, method="goldberg", in_arcs=arcs)
        least = int(jnp.min(ga.reduced_weights(graph, found.potentials)))
        rows.append(
            {
                "error": size,
                "scales": int(found.scales),
                "phases": int(found.phases),
                "rounds": int(found.rounds),
                "feasible": int(found.status) == 0 and least >= 0,
                "exact": bool((np.asarray(paths.dist) == expected).all()),
            }
        )
    return rows


def times(config: Config) -> dict[str, float]:
    """Time of a cold start, and of the start from every number of wrong entries, on one problem."""
    cost, cold = problem(config, 0)
    rng = np.random.default_rng(config.seed)
    solve = functools.partial(ga.linear_sum_assignment, cost, initial="maximum", method="sap")
    truth = np.concatenate(cold.duals)
    calls = {"cold": solve}
    for size in config.wrong:
        errors = spoil("l0", size, truth.size, config.magnitude, rng)
        calls[f"{size} wrong"] = functools.partial(solve, _split(truth + errors), rounding="cover")
    return interleaved_seconds(calls, repeats=config.repeats)


def _split(both: Any) -> ga.Duals:
    rows = both.size // 2
    return ga.Duals(jnp.asarray(both[:rows], jnp.int32), jnp.asarray(both[rows:], jnp.int32))
