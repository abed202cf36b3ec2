"""Claims, tables and figures of the experiment on the time of assignment problems."""

from collections.abc import Mapping
from typing import Any

import jax

from jaxlab.experiments import plotting
from jaxlab.experiments.graph_algorithms import clustered, peers
from jaxlab.experiments.graph_algorithms.learned_duals_geometric_report import mean, milliseconds
from jaxlab.experiments.interface import Claim, Reporter
from jaxlab.experiments.measure import at_least

__all__ = [
    "ALONE",
    "BATCH",
    "CLAIMS",
    "COLD",
    "LEARNED",
    "OURS",
    "OWN",
    "Place",
    "draw_times",
    "judge",
    "tabulate",
]

Place = tuple[int, str, str, str]  # rows, form, solver, start

ALONE, BATCH = "alone", "batch"
COLD, LEARNED, OWN = "cold", "learned", "own duals"
OURS = {"sap": "jaxlab sap", "phase": "jaxlab phase", "auction": "jaxlab auction"}
SOLVERS = OURS | peers.TITLES
TABLES = ("skin", "shuttle")
SINGLE, STACKED = 500, 200  # rows at which problems alone, and batches, are judged

_SPEED = f"at {SINGLE} rows on Skin or Shuttle, one problem, "
_STACK = f"at {STACKED} rows on Skin or Shuttle, cold starts, default batching, "

CLAIMS = tuple(
    Claim(
        id=name,
        statement=statement,
        source="not in the paper: our solvers and others'",
        paper="–",
        criterion=criterion,
    )
    for name, statement, criterion in (
        (
            "learned-and-optax",
            "A learned start takes a small part of the time of optax's solver.",
            _SPEED + "optax's time at least 10 times ours from learned duals",
        ),
        (
            "learned-and-scipy",
            "It takes less than SciPy's solver.",
            _SPEED + "SciPy's time at least 2 times ours from learned duals",
        ),
        (
            "learned-and-lap",
            "It takes no more than lap's solver.",
            _SPEED + "lap's time at least ours from learned duals",
        ),
        (
            "cold-and-scipy",
            "Without a prediction, little is lost.",
            _SPEED + "our time from a cold start at most 1.3 times SciPy's",
        ),
        (
            "batch-and-scipy",
            "A batch is solved faster than by SciPy in a loop.",
            _STACK + "SciPy's time at least 1.5 times ours",
        ),
        (
            "batch-and-optax",
            "A batch is solved much faster than by optax under vmap.",
            _STACK + "optax's time at least 10 times ours",
        ),
        (
            "scaling-cold",
            "A cold start's time grows less than cubically.",
            "from every size to its double, one problem's cold time times 7 at most",
        ),
        (
            "scaling-fixed",
            "What a perfect prediction leaves grows like the costs to be read.",
            "from every size to its double, time from the problem's own optimal duals, with a "
            "maximum matching of tight edges, times 4.5 at most",
        ),
        (
            "exact",
            "Every cold and learned start by every solver of ours is exact.",
            "every cost, of the batch and of one problem alone, equal to SciPy's, with a "
            "certificate",
        ),
    )
)


def tabulate(
    config: Any, work: Mapping[int, Any], seconds: Mapping[Place, float], reporter: Reporter
) -> None:
    """Times of everything, and the work of our solvers."""
    columns = [(ALONE, COLD), (ALONE, LEARNED), (ALONE, OWN), (BATCH, COLD), (BATCH, LEARNED)]
    reporter.table(
        "time",
        ["rows", "solver", *(f"{form}, {start}" for form, start in columns)],
        [
            [
                n,
                title,
                *(entry(config, seconds, (n, form, solver, start)) for form, start in columns),
            ]
            for n in sorted(config.sizes)
            for solver, title in SOLVERS.items()
        ],
        f"Milliseconds a problem, on {clustered.TITLES[config.data]}. Alone: means over "
        f"{config.timed} problems of medians of {config.repeats} calls; in a batch of "
        f"{config.batch}: median of {config.batch_repeats} calls, over {config.batch}. Ours are "
        "named after the method. Batches go through vmap by phase and by optax, one problem after "
        "the other by the rest. Own duals are the problem's optimal ones, which leave nothing but "
        "passes over the costs and a maximum matching of tight edges. Not run: above the config's "
        f"limit. {peers.FUNCTIONS} "
        f"{jax.device_count()} × {jax.devices()[0].device_kind}.",
        timed=True,
    )
    stats = ["free_rows", "augmentations", "steps", "phases", "rounds"]
    reporter.table(
        "work",
        ["rows", "solver", "start", *(name.replace("_", " ") for name in stats)],
        [
            [n, OURS[solver], start, *(mean(row[name]) for name in stats)]
            for n, found in work.items()
            for solver in OURS
            for start, row in found.get(solver, {}).items()
        ],
        f"Means of the batch of {config.batch}, after {config.training} problems of training. "
        "Steps are columns that Dijkstra's searches close, rounds are relaxations of all edges, or "
        f"rounds of bids. Seed {config.seed}.",
    )


def entry(config: Any, seconds: Mapping[Place, float], place: Place) -> float | str:
    """Milliseconds, or why there are none."""
    n, form, solver, start = place
    if place in seconds:
        return milliseconds(seconds[place])
    if (start != COLD and solver not in OURS) or (start == OWN and solver != "sap"):
        return "–"
    limits = config.alone if form == ALONE else config.together
    return "not run" if n > getattr(limits, solver) else "not installed"


def draw_times(config: Any, seconds: Mapping[Place, float], reporter: Reporter) -> None:
    """Time against the number of rows, alone and in a batch."""
    figure, axes = plotting.new_figure(1, 2, sharey=True)
    looks = plotting.styles(list(SOLVERS))
    sizes = sorted(config.sizes)
    titles = {ALONE: "one problem", BATCH: f"a batch of {config.batch}"}
    for ax, (form, title) in zip(axes, titles.items(), strict=True):
        for solver, label in SOLVERS.items():
            for start, line in ((COLD, "-"), (LEARNED, "--")):
                shown = [n for n in sizes if (n, form, solver, start) in seconds]
                values = [1000 * seconds[n, form, solver, start] for n in shown]
                name = f"{label}, {start}" if solver in OURS else label
                if shown:
                    look = looks[solver] | {"linestyle": line}
                    plotting.curves(ax, shown, values, label=name, style=look)
        plotting.count_axis(ax, sizes)
        ax.set_yscale("log")
        ax.set(xlabel="rows", title=title)
    axes[0].set_ylabel("milliseconds a problem")
    plotting.legend(figure)
    reporter.figure(
        "times",
        figure,
        f"Time for each problem on {clustered.TITLES[config.data]}, by size, solver and start.",
    )


def judge(
    config: Any, work: Mapping[int, Any], seconds: Mapping[Place, float], reporter: Reporter
) -> None:
    """Hold the numbers against the claims."""
    default = "sap" if jax.default_backend() == "cpu" else "phase"

    def compare(claim: str, slower: Place, faster: Place, least: float) -> None:
        missing = [place for place in (slower, faster) if place not in seconds]
        if config.data not in TABLES:
            ours, holds = f"run on {clustered.TITLES[config.data]}", None
        elif missing:
            ours = f"{SOLVERS[missing[0][2]]} was not run at {missing[0][0]} rows"
            holds = None
        else:
            ratio = seconds[slower] / seconds[faster]
            ours, holds = at_least(ratio), ratio >= least
            from_duals = (*faster[:3], LEARNED)
            if faster[3] == COLD and from_duals in seconds:
                also = at_least(seconds[slower] / seconds[from_duals])
                ours = f"{ours} cold, {also} from learned duals"
        reporter.verdict(claim, ours=ours, holds=holds)

    learned, cold = (SINGLE, ALONE, "sap", LEARNED), (SINGLE, ALONE, "sap", COLD)
    for peer, least in (("optax", 10.0), ("scipy", 2.0), ("lap", 1.0)):
        compare(f"learned-and-{peer}", (SINGLE, ALONE, peer, COLD), learned, least)
    compare("cold-and-scipy", (SINGLE, ALONE, "scipy", COLD), cold, 1 / 1.3)
    for peer, least in (("scipy", 1.5), ("optax", 10.0)):
        batch = (STACKED, BATCH, default, COLD)
        compare(f"batch-and-{peer}", (STACKED, BATCH, peer, COLD), batch, least)
    for claim, start, most in (("scaling-cold", COLD, 7.0), ("scaling-fixed", OWN, 4.5)):
        of_size = {n: seconds.get((n, ALONE, "sap", start)) for n in config.sizes}
        growth = {
            n: large / small
            for n, small in of_size.items()
            if small is not None and (large := of_size.get(2 * n)) is not None
        }
        listed = " and ".join(f"{n} to {2 * n} rows" for n in sorted(growth))
        holds = all(value <= most for value in growth.values()) if growth else None
        within = "within" if holds else "not within"
        ours = f"{within} that from {listed}" if growth else "no size and its double were run"
        reporter.verdict(claim, ours=ours, holds=holds)
    exact = all(found["exact"] for found in work.values())
    solved = sum(found["solved"] for found in work.values())
    if solved:
        ours = f"{'all' if exact else 'not all'} of {solved} answers"
        reporter.verdict("exact", ours=ours, holds=exact)
    else:
        reporter.verdict("exact", ours="no solver of ours was run", holds=None)
