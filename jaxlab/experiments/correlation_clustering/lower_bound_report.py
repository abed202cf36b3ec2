"""Claims, tables and figures of the experiment on changes that cannot be avoided."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from jaxlab.experiments import plotting
from jaxlab.experiments.correlation_clustering.streams import METHODS, changes_bound
from jaxlab.experiments.interface import Claim, Reporter

__all__ = ["CLAIMS", "draw_changes", "draw_costs", "judge", "tabulate"]

ON = ("consistent", "published")

CLAIMS = (
    Claim(
        id="core-moves",
        statement="A clustering of constant competitive ratio changes some vertex Ω(log n) times, "
        "and Agree-On no more often than it has to.",
        source="Theorem: lower bound on the recourse",
        paper="Ω(log n) changes of some vertex",
        criterion="after every phase of every base, the core's first vertex has changed as often "
        "as there were phases, less one, under consistent ids",
    ),
    Claim(
        id="anew-moves-twice",
        statement="Clusters computed anew leave the core alone between two cliques, and so change "
        "it twice as often.",
        source="not in the paper",
        paper="–",
        criterion="after every phase of every base, the core's first vertex has changed twice as "
        "often as there were phases, less one, by Agree-Off",
    ),
    Claim(
        id="logarithmic",
        statement="No vertex changes more than O(log n) times.",
        source="Theorem on Agree-On",
        paper="O(log n)",
        criterion="at most ⌈log_1.5 n⌉ changes of any vertex under consistent and under published "
        "ids, after every phase of every base",
    ),
    Claim(
        id="newest-clique",
        statement="At the end of every phase the core is held with the newest clique.",
        source="the construction behind the lower bound",
        paper="forced by a constant competitive ratio",
        criterion="cost under consistent ids after every phase of every base is that of the newest "
        "clique with the core and every other clique by itself",
    ),
)

Cells = Mapping[tuple[int, int], Any]
FORCED = "forced: phases − 1"
LOOKS = plotting.styles([*METHODS.values(), FORCED])


def newest(core: int, base: int, phase: int) -> int:
    """Cost of the core with the newest clique: its edges to all other cliques."""
    return core * sum(core * base**i for i in range(1, phase))


def elsewhere(core: int, base: int, phase: int) -> int:
    """Least cost of the whole core by itself or with another clique.

    By itself it is cut off from all cliques; with the last but one it saves the edges to that.
    """
    cut = core * sum(core * base**i for i in range(1, phase + 1))
    return cut - (core * core * base ** (phase - 1) if phase > 1 else 0)


def tabulate(config: Any, cells: Cells, reporter: Reporter) -> None:
    """Changes of the core and costs after every phase."""
    reporter.table(
        "changes",
        ["base", "phase", "vertices", FORCED, *METHODS.values(), "⌈log_1.5 n⌉"],
        [
            [base, phase, cell["arrivals"], phase - 1]
            + [round(float(np.mean(cell["core"][method])), 1) for method in METHODS]
            + [changes_bound(cell["arrivals"])]
            for (base, phase), cell in cells.items()
        ],
        f"Changes of the core's first vertex up to the end of each phase; of online Pivot the mean "
        f"of {config.ranks} random ranks. β = {config.beta:g}, λ = {config.lam:g}.",
    )
    reporter.table(
        "costs",
        ["base", "phase", *METHODS.values(), "core with the newest clique", "core elsewhere"],
        [
            [base, phase]
            + [round(float(np.mean(cell["cost"][method])), 1) for method in METHODS]
            + [newest(config.core, base, phase), elsewhere(config.core, base, phase)]
            for (base, phase), cell in cells.items()
        ],
        "Cost at the end of each phase, and that of two clusterings of the whole core; with the "
        "whole core elsewhere it is base − 1 to base times as much from the second phase on.",
    )


def of_base(cells: Cells, base: int) -> dict[int, Any]:
    """Cells by phase."""
    return {phase: cell for (other, phase), cell in cells.items() if other == base}


def draw_changes(config: Any, cells: Cells, reporter: Reporter) -> None:
    """Changes of the core against the number of vertices, one panel a base."""
    figure, axes = plotting.new_figure(1, len(config.bases), sharey=True)
    for ax, base in zip(np.ravel(axes), config.bases, strict=True):
        rows = of_base(cells, base)
        arrivals = [cell["arrivals"] for cell in rows.values()]
        for method, label in METHODS.items():
            values = [cell["core"][method] for cell in rows.values()]
            sd = [np.std(value) for value in values] if method == "pivot" else None
            plotting.curves(
                ax, arrivals, [np.mean(value) for value in values], sd, label, style=LOOKS[label]
            )
        forced = dict(LOOKS[FORCED], linestyle="--", marker=None)
        plotting.curves(ax, arrivals, [phase - 1 for phase in rows], label=FORCED, style=forced)
        plotting.count_axis(ax, arrivals)
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set(title=f"cliques larger by {base}", xlabel="vertices after each phase")
    np.ravel(axes)[0].set_ylabel("changes of a core vertex")
    plotting.legend(figure)
    reporter.figure(
        "changes",
        figure,
        f"Changes of the core's first vertex against the number of vertices at the end of each "
        f"phase; of online Pivot mean and standard deviation of {config.ranks} random ranks.",
    )


def draw_costs(config: Any, cells: Cells, reporter: Reporter) -> None:
    """Cost over that of the core with the newest clique, from the second phase on."""
    shown = [base for base in config.bases if max(of_base(cells, base)) > 1]
    if not shown:
        return
    figure, axes = plotting.new_figure(1, len(shown), sharey=True)
    for ax, base in zip(np.ravel(axes), shown, strict=True):
        rows = {phase: cell for phase, cell in of_base(cells, base).items() if phase > 1}
        least = [newest(config.core, base, phase) for phase in rows]
        series = {
            label: [np.mean(cell["cost"][method]) for cell in rows.values()]
            for method, label in METHODS.items()
        }
        series["core elsewhere"] = [elsewhere(config.core, base, phase) for phase in rows]
        for index, (label, costs) in enumerate(series.items()):
            middle = np.arange(len(rows)) + (index - (len(series) - 1) / 2) * 0.16
            heights = np.divide(costs, least)
            bars = ax.bar(middle, heights, 0.15, label=label, color=plotting.COLOURS[index])
            ax.bar_label(bars, [f"{height:.1f}" for height in heights], fontsize=8, padding=1)
        ax.set_xticks(range(len(rows)), [str(phase) for phase in rows])
        ax.grid(False, axis="x")
        ax.set_yscale("log")
        ax.set_ylim(bottom=0.5)
        ax.set(title=f"cliques larger by {base}", xlabel="phase")
    np.ravel(axes)[0].set_ylabel("cost / cost with the newest clique")
    plotting.legend(figure)
    reporter.figure(
        "costs",
        figure,
        "Cost at the end of each phase over that of the core with the newest clique, which is 0 "
        "in the first.",
    )


def judge(config: Any, cells: Cells, reporter: Reporter) -> None:
    """Hold the numbers against the claims."""

    def core(method: str) -> str:
        return "; ".join(
            f"base {base}: "
            + ", ".join(str(cell["core"][method][0]) for cell in of_base(cells, base).values())
            for base in config.bases
        )

    moving = any(phase > 1 for _, phase in cells)
    for claim, method, times in (("core-moves", "consistent", 1), ("anew-moves-twice", "off", 2)):
        reporter.verdict(
            claim,
            ours=f"changes after each phase: {core(method)}",
            holds=all(
                cell["core"][method][0] == times * (phase - 1) for (_, phase), cell in cells.items()
            )
            if moving
            else None,
        )

    last = max(cells.values(), key=lambda cell: cell["arrivals"])
    reporter.verdict(
        "logarithmic",
        ours=", ".join(
            f"at most {max(cell['most'][method][0] for cell in cells.values())} with {method} ids"
            for method in ON
        )
        + f"; ⌈log_1.5 n⌉ is {changes_bound(last['arrivals'])} at n = {last['arrivals']}",
        holds=all(
            cell["most"][method][0] <= changes_bound(cell["arrivals"])
            for cell in cells.values()
            for method in ON
        ),
    )

    held = [
        cell["cost"]["consistent"][0] == newest(config.core, base, phase)
        for (base, phase), cell in cells.items()
    ]
    costs = "; ".join(
        f"base {base}: "
        + ", ".join(str(cell["cost"]["consistent"][0]) for cell in of_base(cells, base).values())
        for base in config.bases
    )
    reporter.verdict(
        "newest-clique",
        ours=f"{sum(held)} of {len(held)} phases; costs after each phase: {costs}",
        holds=all(held),
    )
