"""Time of one assignment problem, by its size, its start, alone and in a batch, by solver.

Problems are between points drawn from clusters of real data; the learned start is the median of the
optimal duals of earlier draws. Everything is timed in one process on the same costs, solvers taking
turns.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
from pydantic import Field

from jaxlab import graph_algorithms as ga
from jaxlab.experiments.graph_algorithms import clustered, peers
from jaxlab.experiments.graph_algorithms.assignment_throughput_report import (
    ALONE,
    BATCH,
    CLAIMS,
    COLD,
    LEARNED,
    OURS,
    OWN,
    Place,
    draw_times,
    judge,
    tabulate,
)
from jaxlab.experiments.graph_algorithms.learned_duals_geometric import (
    no_prediction,
    optimal_duals,
    solve,
)
from jaxlab.experiments.interface import Count, Counts, Reporter, config
from jaxlab.experiments.measure import interleaved_seconds

__all__ = ["CLAIMS", "Config", "Limits", "run"]

Size = Annotated[int, Field(ge=0)]

# how a stack is solved: together by the method made for it, else one after the other
_BATCHING = {"sap": "map", "phase": "vmap", "auction": "map"}


@config
class Limits:
    """Largest number of rows at which each solver is run; 0 leaves it out."""

    sap: Size
    phase: Size
    auction: Size
    scipy: Size
    lap: Size
    optax: Size


@config
class Config:
    """Problems of every number of rows in ``sizes``, between points of ``data``.

    Duals are learned from ``training`` problems. ``timed`` more are solved alone, each with the
    median of ``repeats`` calls, and ``batch`` in one call, with the median of ``batch_repeats``.
    ``alone`` and ``together`` say up to which size.
    """

    seed: Annotated[int, Field(ge=0)]
    data: clustered.DataName
    sizes: Counts
    max_iterations: Count
    training: Count
    timed: Count
    repeats: Count
    batch: Count
    batch_repeats: Count
    alone: Limits
    together: Limits


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Draw and learn, check every answer, then time, for every size."""
    sizes = sorted(config.sizes)
    reporter.plan(2 * len(sizes))
    work: dict[int, Any] = {}
    seconds: dict[Place, float] = {}
    for n in sizes:
        clusters = clustered.cluster(
            reporter, config.data, n, seed=config.seed, max_iterations=config.max_iterations
        )
        count = max(config.batch, config.timed)
        costs = clustered.draw_problems(clusters, config.training + count, seed=config.seed)
        learned = ga.fit_duals(optimal_duals(costs[: config.training]), "l1")
        new = costs[config.training :]
        work[n] = reporter.cell(f"work/n={n}", functools.partial(measure, config, n, new, learned))
        found, dearer = times(config, n, new, learned)
        seconds |= found
        for peer in dearer:
            reporter.note(f"{peers.TITLES[peer]} did not find the optimum at {n} rows.")
    for (n, form, solver, start), value in seconds.items():
        reporter.timing(f"seconds, {form}, {solver}, {start}, n = {n}", value)
    tabulate(config, work, seconds, reporter)
    draw_times(config, seconds, reporter)
    judge(config, work, seconds, reporter)


def calls(
    config: Config, n: int, form: str, costs: Any, learned: ga.Duals
) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    """Solver, start and call of everything of ours that is run on one problem, or on a stack."""
    for solver in OURS:
        if n <= getattr(config.alone if form == ALONE else config.together, solver):
            for start, duals in {COLD: no_prediction(n), LEARNED: learned}.items():
                if form == ALONE:
                    call = functools.partial(ga.linear_sum_assignment, costs, duals, method=solver)
                else:
                    call = functools.partial(
                        ga.linear_sum_assignment_batch,
                        costs,
                        duals,
                        method=solver,
                        batching=_BATCHING[solver],
                    )
                yield solver, start, call


def measure(config: Config, n: int, costs: Any, learned: ga.Duals) -> dict[str, Any]:
    """Mean work over the batch, by solver and start, and whether every answer was exact."""
    found: dict[str, Any] = {"exact": True, "solved": 0}
    best = [peers.optimum(cost) for cost in costs]

    def check(results: list[ga.AssignmentResult]) -> None:
        answers = zip(costs, best, results, strict=False)
        found["exact"] &= all(peers.exact(*answer) for answer in answers)
        found["solved"] += len(results)

    stack = costs[: config.batch]
    for solver, start, call in calls(config, n, BATCH, stack, learned):
        results = jax.tree.map(np.asarray, call())
        leaves, structure = jax.tree.flatten(results)
        check([jax.tree.unflatten(structure, parts) for parts in zip(*leaves, strict=True)])
        stats = {name: float(part.mean()) for name, part in results.stats._asdict().items()}
        found.setdefault(solver, {})[start] = stats
    for _, _, call in calls(config, n, ALONE, costs[0], learned):
        check([call()])
    return found


def times(
    config: Config, n: int, costs: Any, learned: ga.Duals
) -> tuple[dict[Place, float], set[str]]:
    """Seconds a problem of everything that is run at this size, and the peers that err."""
    dearer = set()
    rows: list[Mapping[tuple[str, str], float]] = []
    for cost in costs[: config.timed]:
        timed = {
            (solver, start): call for solver, start, call in calls(config, n, ALONE, cost, learned)
        }
        if n <= config.alone.sap:
            own = solve(cost, no_prediction(n)).duals
            timed["sap", OWN] = functools.partial(solve, cost, own, initial="maximum")
        of_peers = _peer_calls(peers.peers(), config.alone, n, cost)
        best = peers.optimum(cost)
        dearer |= {
            name for (name, _), call in of_peers.items() if peers.total(cost, call()) != best
        }
        timed |= of_peers
        rows.append(interleaved_seconds(timed, repeats=config.repeats))
    found = {(n, ALONE, *key): float(np.mean([row[key] for row in rows])) for key in rows[0]}
    stack = costs[: config.batch]
    timed = {
        (solver, start): call for solver, start, call in calls(config, n, BATCH, stack, learned)
    }
    timed |= _peer_calls(peers.batch_peers(), config.together, n, stack)
    seconds = interleaved_seconds(timed, repeats=config.batch_repeats)
    found |= {(n, BATCH, *key): value / len(stack) for key, value in seconds.items()}
    return found, dearer


def _peer_calls(
    solvers: Mapping[str, peers.Peer], limits: Limits, n: int, costs: Any
) -> dict[tuple[str, str], Callable[[], Any]]:
    return {
        (name, COLD): functools.partial(peer.solve, peer.prepare(costs))
        for name, peer in solvers.items()
        if n <= getattr(limits, name)
    }
