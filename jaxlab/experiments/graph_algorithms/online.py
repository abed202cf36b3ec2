"""Assignment problems that arrive one by one, with duals learned as they come.

Before each problem a learner predicts duals; after it, it is told optimal ones. Following the
median of the past and online gradient descent are compared with cold starts, and with the median
of as many past problems as a batch learner would be given before the first.
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from pydantic import Field

from jaxlab import graph_algorithms as ga
from jaxlab.experiments import plotting
from jaxlab.experiments.graph_algorithms import peers
from jaxlab.experiments.interface import Claim, Count, Positive, Reporter, config

__all__ = ["CLAIMS", "Config", "judge", "run"]

Trials = Sequence[Mapping[str, Any]]

WORK = {"steps": "columns closed by Dijkstra", "rounds": "Hungarian rounds"}
SETTLED = 10  # the round from which learners are judged
CRITERION = (
    f"from round {SETTLED} on, steps of cold starts over those of the learner above 1 and at least "
    "80 % of the same ratio for the batch median; steps are columns that Dijkstra's searches "
    "close, summed over rounds and trials, where none count as one"
)

CLAIMS = (
    Claim(
        id="median-as-good-as-batch",
        statement="Following the median of the problems so far soon saves about as much as duals "
        "learned from a batch beforehand.",
        source="Dinitz et al. 2021, online experiment; the comparison is ours",
        paper="–",
        criterion=CRITERION,
    ),
    Claim(
        id="descent-as-good-as-batch",
        statement="So does online gradient descent.",
        source="Khodak et al. 2022, for the learner; the comparison is ours",
        paper="–",
        criterion=CRITERION + "; for the step η = 2C/√T of the bound on regret",
    ),
    Claim(
        id="regret",
        statement="Gradient descent loses little more than the best fixed prediction.",
        source="Khodak et al. 2022: regret of order √T",
        paper="O(√T)",
        criterion="in every trial, regret in the ℓ1 norm at most 2 C d √T for d duals within ±C, "
        "with the step η = 2C/√T",
    ),
    Claim(
        id="exact",
        statement="Whatever the prediction, the assignment is optimal.",
        source="Chen et al. 2022, section on matching",
        paper="exact algorithms",
        criterion="every cost, from every start, equal to SciPy's, with a certificate",
    ),
)


@config
class Config:
    """Streams of ``stream`` problems of ``n`` rows, ``trials`` of them, each of its own model.

    The type model has ``groups`` groups, means of mean ``mean`` and the given ``variance``. The
    batch learner sees ``training`` other problems first. Gradient descent keeps duals within
    ``radius`` and takes the step of the theory times each of ``step_factors``.
    """

    seed: Annotated[int, Field(ge=0)]
    trials: Count
    stream: Annotated[int, Field(ge=2)]
    training: Count
    n: Count
    groups: Count
    mean: Annotated[float, Field(ge=1)]
    variance: Count
    radius: Positive
    step_factors: Annotated[tuple[Positive, ...], Field(min_length=1)]


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Let every learner follow every stream."""
    reporter.plan(config.trials)
    trials = [
        reporter.cell(f"trial={trial}", functools.partial(follow, config, trial))
        for trial in range(config.trials)
    ]
    tabulate(config, trials, reporter)
    draw(config, trials, reporter)
    for claim, (ours, holds) in judge(config, trials).items():
        reporter.verdict(claim, ours=ours, holds=holds)


def descent(factor: float) -> str:
    """Name of gradient descent with that multiple of the step of the theory."""
    return "descent" if factor == 1 else f"descent, {factor:g} η"


def follow(config: Config, trial: int) -> dict[str, Any]:
    """Work of every start in every round of one stream, regret, and whether all was exact."""
    of_means, of_costs = jax.random.split(jax.random.fold_in(jax.random.key(config.seed), trial))
    means = ga.block_means(of_means, groups=config.groups, mean=config.mean)
    sample = jax.jit(functools.partial(ga.type_model, n=config.n, variance=config.variance))

    def costs(number: int) -> Any:
        return sample(jax.random.fold_in(of_costs, number), means)

    past = [optimum(costs(number)) for number in range(config.training)]
    batch = ga.fit_duals(stack(past), "l1", "none")
    step = 2 * config.radius / config.stream**0.5
    learners = {"median": ga.median_learner(config.stream)}
    for factor in config.step_factors:
        learners[descent(factor)] = ga.online_learner("l1", factor * step, config.radius)
    zero = jnp.zeros(config.n, jnp.float32)
    guesses = dict.fromkeys(learners, ga.Duals(zero, zero))
    states = {name: learner.init(guesses[name]) for name, learner in learners.items()}
    updates = {name: jax.jit(learner.update) for name, learner in learners.items()}

    told, made = [], {name: [] for name in learners}  # type: ignore[var-annotated]
    work: dict[str, dict[str, list[int]]] = {"steps": {}, "rounds": {}}
    exact = True
    for number in range(config.stream):
        cost = costs(config.training + number)
        best = peers.optimum(cost)
        for name, duals in {"cold": None, "batch": batch, **guesses}.items():
            # floats, so that one program solves from all predictions, and a second one from none
            given = duals if duals is None else jax.tree.map(lambda x: jnp.float32(x), duals)
            ours = ga.linear_sum_assignment(cost, given, initial="maximum", method="sap")
            hungarian = ga.primal_dual_matching(cost, given)
            work["steps"].setdefault(name, []).append(int(ours.stats.steps))
            work["rounds"].setdefault(name, []).append(int(hungarian.stats.phases))
            exact &= all(peers.exact(cost, best, result) for result in (ours, hungarian))
        told.append(optimum(cost))
        for name, update in updates.items():
            made[name].append(guesses[name])
            guesses[name], states[name] = update(told[-1], states[name])
    samples = stack(told)
    return {
        **work,
        "exact": exact,
        "largest": float(max(jnp.max(jnp.abs(part)) for part in samples)),
        "regret": {name: float(ga.regret(stack(duals), samples)) for name, duals in made.items()},
    }


def optimum(cost: Any) -> ga.Duals:
    """Optimal duals by a cold start, in one gauge."""
    result = ga.linear_sum_assignment(cost, initial="maximum", method="sap")
    return ga.Duals(*(jnp.float32(part) for part in ga.canonicalize(result.duals)))


def stack(duals: Sequence[ga.Duals]) -> ga.Duals:
    """Several duals, on a new leading axis."""
    return ga.Duals(*(jnp.stack(parts) for parts in zip(*duals, strict=True)))


def ratio(trials: Trials, name: str, kind: str = "steps", since: int = 0) -> float:
    """Work of cold starts over that of another; no work counts as one unit."""
    totals = [sum(sum(trial[kind][start][since:]) for trial in trials) for start in ("cold", name)]
    return max(totals[0], 1) / max(totals[1], 1)


def bound(config: Config) -> float:
    """Largest regret of gradient descent with the step of the theory."""
    return 2 * config.radius * 2 * config.n * config.stream**0.5


def judge(config: Config, trials: Trials) -> dict[str, tuple[str, bool | None]]:
    """What was measured of each claim, and whether it holds; None where a run cannot tell."""
    verdicts: dict[str, tuple[str, bool | None]] = {}
    since = SETTLED - 1
    for claim, name in (
        ("median-as-good-as-batch", "median"),
        ("descent-as-good-as-batch", "descent"),
    ):
        if config.stream < SETTLED or name not in trials[0]["steps"]:
            verdicts[claim] = "not measured", None
            continue
        learned, batch = (ratio(trials, start, since=since) for start in (name, "batch"))
        ours = f"cold starts took {learned:.2f} times its steps, {batch:.2f} times the batch's: "
        holds = bool(learned > 1 and learned >= 0.8 * batch)
        verdicts[claim] = ours + f"{learned / batch:.0%}", holds
    regrets = [trial["regret"].get("descent") for trial in trials]
    largest = max(trial["largest"] for trial in trials)
    if None in regrets:
        verdicts["regret"] = "the step of the theory was not run", None
    elif largest > config.radius:
        verdicts["regret"] = f"duals up to {largest:g} are beyond C = {config.radius:g}", None
    else:
        share = max(regrets) / bound(config)
        verdicts["regret"] = f"at most {share:.1%} of the bound", bool(share <= 1)
    exact = [trial["exact"] for trial in trials]
    verdicts["exact"] = f"{sum(exact)} of {len(exact)} streams exact throughout", all(exact)
    return verdicts


def tabulate(config: Config, trials: Trials, reporter: Reporter) -> None:
    """Totals, ratios and regret of every start."""
    since = min(SETTLED, config.stream) - 1
    lines: list[list[Any]] = []
    for name in trials[0]["steps"]:
        line: list[Any] = [name]
        for kind in WORK:
            line.append(round(float(np.mean([sum(trial[kind][name]) for trial in trials])), 1))
            line.append(round(ratio(trials, name, kind, since), 2))
        regrets = [trial["regret"].get(name) for trial in trials]
        mean = "–" if None in regrets else f"{np.mean(regrets) / bound(config):.1%}"
        lines.append([*line, mean])
        reporter.scalar(f"step ratio, {name}", ratio(trials, name, "steps", since))
    reporter.table(
        "starts",
        ["start", "steps", "cold / it", "Hungarian rounds", "cold / it", "regret / (2 C d √T)"],
        lines,
        f"Totals over streams of {config.stream} problems of {config.n} rows, mean of "
        f"{config.trials}; ratios are of rounds {since + 1} to {config.stream}, where no work "
        f"counts as one unit. The batch is the median of {config.training} problems before the "
        f"first. Seed {config.seed}.",
    )


def draw(config: Config, trials: Trials, reporter: Reporter) -> None:
    """Cumulative work, and the ratio of that of cold starts to it, along the stream."""
    figure, axes = plotting.new_figure(2, 2, title="Learning duals while problems arrive")
    names = list(trials[0]["steps"])
    looks = plotting.styles(names)
    places = np.arange(1, config.stream + 1)
    for (upper, lower), (kind, unit) in zip(axes.T, WORK.items(), strict=True):
        counts = {n: np.mean([trial[kind][n] for trial in trials], axis=0) for n in names}
        for name in names:
            plotting.curves(upper, places, counts[name].cumsum(), label=name, style=looks[name])
            ratios = np.maximum(counts["cold"], 1) / np.maximum(counts[name], 1)
            plotting.curves(lower, places, ratios, label=name, style=looks[name])
        upper.set(ylabel=f"{unit}, cumulative", ylim=(0, None), title=kind)
        lower.set(xlabel="problem of the stream", ylabel=f"{kind}, cold / learned", ylim=(0, None))
    plotting.legend(figure, "start")
    reporter.figure(
        "stream",
        figure,
        "Work along the stream, and that of cold starts over it, where no work counts as one unit; "
        f"mean of {config.trials} streams.",
    )
