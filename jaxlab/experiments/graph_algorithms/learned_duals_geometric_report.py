"""Claims, tables and figures of the experiment on duals learned from draws of real data."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.graph_algorithms import clustered, peers
from jaxlab.experiments.interface import Claim, Reporter
from jaxlab.experiments.measure import at_least

__all__ = ["CLAIMS", "draw_samples", "draw_times", "draw_work", "judge", "tabulate"]

Cells = Mapping[tuple[str, int], Any]
Seconds = Mapping[tuple[str, int], Mapping[str, float]]

STARTS = ("cold", "learned")
SOLVERS = {"cold": "jaxlab, cold", "learned": "jaxlab, learned"} | peers.TITLES
WORK = {"rounds": "Hungarian rounds", "steps": "Dijkstra steps"}
SIZE = 500  # the k at which gains are judged
TABLES = ("skin", "shuttle")
LEAST_STEPS = {"skin": 3.0, "shuttle": 3.0, "fashion": 1.5}
LEAST_SPEEDUP = {"scipy": 2.0, "optax": 10.0}

CLAIMS = (
    Claim(
        id="fewer-rounds",
        statement="Learned duals save rounds of the Hungarian method on real data.",
        source="Dinitz et al. 2021, experiments on real data",
        paper="the learned start needs fewer iterations on every set",
        criterion="mean rounds of learned starts below those of cold ones, on every set at every k",
    ),
    Claim(
        id="fewer-steps",
        statement="They save most of our solver's work on the tables of the paper.",
        source="Dinitz et al. 2021, experiments on real data; the solver is ours",
        paper="the learned start needs a fraction of the cold start's iterations",
        criterion=f"at k = {SIZE}, mean steps of cold starts at least "
        f"{LEAST_STEPS['skin']:g} times those of learned ones on Skin, "
        f"{LEAST_STEPS['shuttle']:g} times on Shuttle; steps are columns that Dijkstra's searches "
        "close, and fewer than one count as one",
    ),
    Claim(
        id="fewer-steps-images",
        statement="There is a gain for points of many dimensions, too.",
        source="not in the paper, which has no images",
        paper="–",
        criterion=f"at k = {SIZE}, mean steps of cold starts at least "
        f"{LEAST_STEPS['fashion']:g} times those of learned ones, on Fashion-MNIST; fewer than one "
        "count as one",
    ),
    Claim(
        id="faster-than-scipy",
        statement="A learned start takes less time than a compiled solver that cannot use one.",
        source="not in the paper: our solver and SciPy's",
        paper="–",
        criterion=f"at k = {SIZE}, SciPy's time at least {LEAST_SPEEDUP['scipy']:g} times that of "
        "learned starts, on Skin and on Shuttle",
    ),
    Claim(
        id="faster-than-optax",
        statement="A learned start takes a small part of the time of the solver that users of jax "
        "have.",
        source="not in the paper: our solver and optax's",
        paper="–",
        criterion=f"at k = {SIZE}, optax's time at least {LEAST_SPEEDUP['optax']:g} times that of "
        "learned starts, on Skin and on Shuttle",
    ),
    Claim(
        id="exact",
        statement="Whatever the prediction, the assignment is optimal.",
        source="Chen et al. 2022, section on matching",
        paper="exact algorithms",
        criterion="every cost, from every start by every solver of ours, equal to SciPy's, with a "
        "certificate",
    ),
)


def ratio(cell: Mapping[str, Any], work: str) -> float:
    """Mean work of cold over learned starts; what is 0 for both counts as equal."""
    cold, learned = (max(float(np.mean(cell[start][work])), 1.0) for start in STARTS)
    return cold / learned


def tabulate(config: Any, cells: Cells, seconds: Seconds, reporter: Reporter) -> None:
    """What was clustered, the work left to do, and times."""
    reporter.table(
        "clusters",
        ["data", "points", "dimensions", "clusters", "iterations"]
        + [f"points of the {which} cluster" for which in ("smallest", "median", "largest")],
        [
            [clustered.TITLES[name], *cell["points"], 2 * k, cell["iterations"], *cell["cluster"]]
            for (name, k), cell in cells.items()
        ],
        "k-means from one start of k-means++, Lloyd's iterations until centres move by less than "
        "1e-4 of the variance (scikit-learn's default) and no more than "
        f"{config.max_iterations}. Seed {config.seed}.",
    )
    rows = []
    for (name, k), cell in cells.items():
        rows.append([clustered.TITLES[name], k])
        for work in ("rounds", "steps", "free_rows"):
            rows[-1] += [mean(cell[start][work]) for start in STARTS]
            if work != "free_rows":
                rows[-1].append(round(ratio(cell, work), 2))
        reporter.scalar(f"round ratio, {name}, k = {k}", ratio(cell, "rounds"))
        reporter.scalar(f"step ratio, {name}, k = {k}", ratio(cell, "steps"))
    columns = ["data", "k"]
    for work in WORK:
        columns += [f"{work}, cold", f"{work}, learned", f"ratio of {work}"]
    reporter.table(
        "work",
        [*columns, "free rows, cold", "free rows, learned"],
        rows,
        f"Means of {config.tests} problems after {config.training} of training. Rounds are those "
        "of the Hungarian method of the paper on learned duals; steps are columns that Dijkstra's "
        "searches close, and free rows what the first matching, of tight edges, leaves to them. In "
        "ratios fewer than one count as one.",
    )
    solvers = [name for name in SOLVERS if any(name in row for row in seconds.values())]
    columns = ["data", "k", *(SOLVERS[name] for name in solvers)]
    reporter.table(
        "time",
        [*columns, "SciPy / learned", "optax / learned", "learning"],
        [
            [clustered.TITLES[name], k, *(milliseconds(row[solver]) for solver in solvers)]
            + [round(row[peer] / row["learned"], 2) for peer in ("scipy", "optax")]
            + [milliseconds(row["learning"])]
            for (name, k), row in seconds.items()
        ],
        f"Milliseconds a problem: means over {config.timed} problems of medians of "
        f"{config.repeats} calls in turns. Learning is the median of the duals of "
        f"{config.training} problems, once. {peers.FUNCTIONS}",
        timed=True,
    )
    if "lap" not in solvers:
        reporter.note("lap is not installed, and was not timed.")


def mean(counts: Any) -> float | int:
    """One decimal, where that is worth showing."""
    value = float(np.mean(counts))
    return round(value, 1) if value < 1000 else round(value)


def milliseconds(seconds: float) -> float:
    """Three digits."""
    return float(f"{1000 * seconds:.3g}")


def draw_work(config: Any, cells: Cells, reporter: Reporter) -> None:
    """Rounds and steps against k, one column of panels for each set."""
    count = len(config.data)
    figure, axes = plotting.new_figure(2, count, panel=(3.6, 3.0), sharex=True)
    looks = plotting.styles(list(STARTS))
    sizes = sorted(config.sizes)
    for row, (work, title) in zip(np.reshape(axes, (2, count)), WORK.items(), strict=True):
        for ax, name in zip(row, config.data, strict=True):
            for start in STARTS:
                values = np.array([cells[name, k][start][work] for k in sizes], float)
                plotting.curves(
                    ax, sizes, values.mean(1), values.std(1), label=start, style=looks[start]
                )
            ax.set_ylim(0, None)
            if work == "rounds":
                ax.set_title(clustered.TITLES[name])
            else:
                ax.set_xlabel("rows k")
        row[0].set_ylabel(title)
    plotting.legend(figure, "start")
    reporter.figure(
        "work",
        figure,
        f"What is left to do from nothing and from learned duals: means of {config.tests} "
        "problems, and bands of one standard deviation.",
    )


def draw_samples(config: Any, cells: Cells, reporter: Reporter) -> None:
    """Steps against the number of training problems, at the largest k."""
    k = max(config.sizes)
    figure, ax = plotting.new_figure(title=f"Problems to learn from, k = {k}")
    for name in config.data:
        cell = cells[name, k]
        samples = sorted(map(int, cell["samples"]))
        cold = max(np.mean(cell["cold"]["steps"]), 1.0)  # a cold start may leave nothing to do
        share = np.array([cell["samples"][str(count)] for count in samples], float) / cold
        label = clustered.TITLES[name]
        plotting.curves(ax, samples, share.mean(1), share.std(1), label=label)
    ax.axhline(1.0, color="#777777", linestyle=":", label="cold start")
    plotting.count_axis(ax, [count for count in config.samples if count <= config.training])
    ax.set(xlabel="training problems", ylabel="steps, as a part of a cold start's", ylim=(0, None))
    plotting.legend(figure)
    reporter.figure(
        "samples",
        figure,
        f"Columns closed by Dijkstra from the median of that many past problems, over those of "
        f"cold starts: means of {config.tests} problems, and bands of one standard deviation.",
    )


def draw_times(config: Any, seconds: Seconds, reporter: Reporter) -> None:
    """Time of every solver at the largest k."""
    k = max(config.sizes)
    figure, axes = plotting.new_figure(
        1, len(config.data), panel=(4.4, 2.6), title=f"Time of one problem, k = {k}"
    )
    for ax, name in zip(np.atleast_1d(axes), config.data, strict=True):
        row = seconds[name, k]
        shown = {title: 1000 * row[solver] for solver, title in SOLVERS.items() if solver in row}
        plotting.bars(ax, list(shown), list(shown.values()), number="{:.3g}")
        ax.margins(x=0.2)
        ax.set(xlabel="milliseconds", title=clustered.TITLES[name])
    caption = f"Means over {config.timed} problems of median times of warm calls on the same costs."
    reporter.figure("times", figure, caption)


def judge(cells: Cells, seconds: Seconds, reporter: Reporter) -> None:
    """Hold the numbers against the claims."""
    rounds = {place: ratio(cell, "rounds") for place, cell in cells.items()}
    worst = min(rounds, key=lambda place: rounds[place])
    reporter.verdict(
        "fewer-rounds",
        ours=f"cold over learned {rounds[worst]:.2f} at the least, on "
        f"{clustered.TITLES[worst[0]]} at k = {worst[1]}",
        holds=rounds[worst] > 1,
    )
    for claim, names in (("fewer-steps", TABLES), ("fewer-steps-images", ("fashion",))):
        found = {n: ratio(cells[n, SIZE], "steps") for n in names if (n, SIZE) in cells}
        ours = ", ".join(f"{value:.2f} on {clustered.TITLES[n]}" for n, value in found.items())
        good = all(value >= LEAST_STEPS[n] for n, value in found.items())
        _verdict(reporter, claim, names, found, f"cold over learned {ours}", good)
    for peer, least in LEAST_SPEEDUP.items():
        found = {
            n: seconds[n, SIZE][peer] / seconds[n, SIZE]["learned"]
            for n in TABLES
            if (n, SIZE) in seconds
        }
        ours = ", ".join(
            f"{at_least(value)} on {clustered.TITLES[n]}" for n, value in found.items()
        )
        good = all(value >= least for value in found.values())
        _verdict(reporter, f"faster-than-{peer}", TABLES, found, ours, good)
    exact = [cell["exact"] for cell in cells.values()]
    reporter.verdict(
        "exact", ours=f"{sum(exact)} of {len(exact)} settings exact throughout", holds=all(exact)
    )


def _verdict(
    reporter: Reporter, claim: str, names: Any, found: Mapping[str, float], ours: str, good: bool
) -> None:
    if len(found) < len(names):
        missing = " and ".join(clustered.TITLES[name] for name in names if name not in found)
        reporter.verdict(claim, ours=f"not run on {missing} at k = {SIZE}", holds=None)
    else:
        reporter.verdict(claim, ours=ours, holds=good)
