"""Claims, tables and figures of the experiment on predictions that go through reductions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Claim, Reporter

__all__ = ["CLAIMS", "KINDS", "draw", "judge", "mean_work", "tabulate"]

NOISE = 0.02  # the largest noise up to which savings are claimed
LEAST = 2.0  # the least ratio of steps there
KINDS = {"subgraph": "degree-constrained subgraphs", "flow": "0–1 flows"}
STARTS = {"cold": "cold start", "learned": "from learned duals"}

CLAIMS = (
    Claim(
        id="exact",
        statement="Solved through a reduction, with a prediction or without, the problem has its "
        "own optimum.",
        source="Chen et al. 2022, section on reductions",
        paper="exact for every prediction",
        criterion="on all test days of both kinds of problem, both starts meet all degrees or "
        "supplies at the cost of the optimum that HiGHS finds",
    ),
    Claim(
        id="fewer-steps",
        statement="Duals learned on the original problem save work in the problem it is reduced "
        "to.",
        source="Chen et al. 2022, section on reductions, which has no experiments",
        paper="–",
        criterion=f"a cold start takes at least {LEAST:g} times the steps of one from learned "
        f"duals, in the mean, for both kinds of problem at every noise up to σ = {NOISE:g}; fewer "
        "than one counts as one",
    ),
    Claim(
        id="lipschitz",
        statement="The map of predictions multiplies their error by a constant at most, and with "
        "it the bound on the time.",
        source="Chen et al. 2022, framework of the section on reductions",
        paper="error in the target at most a constant times the error",
        criterion="for every test day, ℓ1 and ℓ∞ distance of the images of learned and optimal "
        "duals at most the constants of the reductions times their distance, not always 0",
    ),
    Claim(
        id="feasible",
        statement="Carried through the reduction, every prediction is feasible as it is and keeps "
        "its dual value.",
        source="not in the paper: a property of our map of predictions",
        paper="–",
        criterion="for every test day, no violated edge in the assignment problem, and the dual "
        "value of the prediction in the original problem",
    ),
)

Cells = Mapping[tuple[str, float], Sequence[Mapping[str, Any]]]


def mean_work(cells: Sequence[Mapping[str, Any]], start: str) -> tuple[float, float]:
    """Augmentations and steps, mean of all problems and days."""
    augmentations, steps = np.mean([cell["work"][start] for cell in cells], axis=(0, 1))
    return float(augmentations), float(steps)


def ratio_of_steps(cells: Sequence[Mapping[str, Any]]) -> float:
    """Steps of a cold start over those of a learned one; fewer than one counts as one."""
    cold, learned = (mean_work(cells, start)[1] for start in STARTS)
    return max(cold, 1) / max(learned, 1)


def tabulate(
    config: Any,
    cells: Cells,
    seconds: Mapping[tuple[str, float], Mapping[str, float]],
    reporter: Reporter,
) -> None:
    """Work and times."""
    rows = []
    for (kind, sigma), of_problems in cells.items():
        works = [mean_work(of_problems, start) for start in STARTS]
        numbers = [round(number, 1) for work in works for number in work]
        rows.append([KINDS[kind], sigma, *numbers, round(ratio_of_steps(of_problems), 2)])
    reporter.table(
        "work",
        [
            "problem",
            "σ",
            "augmentations, cold",
            "steps, cold",
            "augmentations, learned",
            "steps, learned",
            "steps, cold / learned",
        ],
        rows,
        f"Means of {config.problems} problems of each kind and {config.test_days} days after "
        f"{config.training_days} days of training. Steps are columns that the searches of the "
        f"assignment solver close; in ratios fewer than one counts as one. Seed {config.seed}.",
    )
    reporter.note(
        "Times include laying out the assignment problem and matching its tight edges, which can "
        "take longer from learned duals; steps are those of the assignment solver alone."
    )
    reporter.table(
        "time",
        ["problem", "σ", "ms, cold", "ms, learned", "cold / learned"],
        [
            [
                KINDS[kind],
                sigma,
                *[round(1000 * of_start[start], 2) for start in STARTS],
                round(of_start["cold"] / of_start["learned"], 2),
            ]
            for (kind, sigma), of_start in seconds.items()
        ],
        f"The first problem of each kind on one day, medians of {config.repeats} calls in turns, "
        "reductions included.",
        timed=True,
    )


def draw(config: Any, cells: Cells, reporter: Reporter) -> None:
    """Steps against the noise, one panel for each kind of problem."""
    figure, axes = plotting.new_figure(1, len(config.kinds))
    looks = plotting.styles(list(STARTS))
    places = np.arange(len(config.sigmas))
    panels = np.atleast_1d(axes)
    for ax, kind in zip(panels, config.kinds, strict=True):
        for start, label in STARTS.items():
            steps = [mean_work(cells[kind, sigma], start)[1] for sigma in config.sigmas]
            plotting.curves(ax, places, steps, label=label, style=looks[start])
        ax.set_xticks(places, [f"{sigma:g}" for sigma in config.sigmas])
        ax.set(xlabel="noise σ of the logarithm of costs", title=KINDS[kind], ylim=(0, None))
    panels[0].set_ylabel("steps of the assignment solver")
    plotting.legend(figure)
    reporter.figure(
        "steps",
        figure,
        f"Steps of both starts through the reduction, mean of {config.problems} problems and "
        f"{config.test_days} days, against the noise from day to day.",
    )


def judge(cells: Cells, reporter: Reporter) -> None:
    """Hold the measurements against the claims."""
    everything = [cell for of_problems in cells.values() for cell in of_problems]
    both = {kind for kind, _ in cells} == set(KINDS)
    for claim in ("exact", "lipschitz", "feasible"):
        good = [cell[claim] for cell in everything]
        days = sum(len(cell["work"]["cold"]) for cell in everything)
        ours = f"{sum(good)} of {len(good)} series of days, {days} days in all"
        enough = {"exact": both, "lipschitz": any(cell["apart"] for cell in everything)}
        open_still = all(good) and not enough.get(claim, True)
        reporter.verdict(claim, ours=ours, holds=None if open_still else all(good))
    ratios = {key: ratio_of_steps(value) for key, value in cells.items() if key[1] <= NOISE}
    if not ratios:
        reporter.verdict("fewer-steps", ours="no noise this small", holds=None)
        return
    kind, sigma = min(ratios, key=lambda key: ratios[key])
    least = ratios[kind, sigma]
    ours = f"least ratio {least:.2f}, for {KINDS[kind]} at σ = {sigma:g}"
    holds = least >= LEAST
    reporter.verdict("fewer-steps", ours=ours, holds=None if holds and not both else holds)
