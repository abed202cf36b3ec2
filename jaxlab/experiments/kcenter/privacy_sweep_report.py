"""Tables and figures of the experiment on the privacy bound."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.kcenter.privacy_sweep_claims import (
    BASE,
    JOINT,
    PAPERS,
    Cells,
    Place,
    joint_radii,
    radii,
    relative,
)
from jaxlab.experiments.kcenter.problems import TITLES

__all__ = ["METHODS", "draw_radii", "draw_seconds", "draw_sizes", "tabulate"]

METHODS = {
    JOINT: "joint",
    PAPERS: "joint, paper's prefix",
    BASE: "Jones, then private",
    "fair_range_kcenter": "fair range, then private",
    "fair_kcenter_swap": "Kleindessner, then private",
    "greedy_per_group": "heuristic A, then private",
    "greedy_capped": "heuristic B, then private",
}
LOOKS = plotting.styles(list(METHODS))
Fair = Mapping[tuple[str, int], Sequence[int]]


def label_of(method: str, refined: bool) -> str:
    """A method as a reader knows it."""
    return METHODS[method] + (", refined" if refined else "")


def tabulate(
    config: Any, cells: Cells, fair: Fair, names: Sequence[str], reporter: Reporter
) -> None:
    """Radii by privacy bound, every solution, and seconds."""
    reporter.table(
        "radii",
        [
            *("data", "L", "smallest fair cluster", "joint", "sequential", "joint / sequential"),
            *("joint, refined", "sequential, refined", "certificate"),
        ],
        [
            [
                TITLES[name],
                size,
                min(min(sizes) for (data, _), sizes in fair.items() if data == name),
                round(joint_radii(cells, name, refined=False)[size], 4),
                spread(cells, name, BASE, False, size),
                round(relative(cells, name, refined=False)[size], 3),
                round(joint_radii(cells, name, refined=True)[size], 4)
                if config.refine_steps
                else "–",
                spread(cells, name, BASE, True, size),
                round(certificate(cells[best(cells, name, size)]), 2),
            ]
            for name in names
            for size in radii(cells, name, JOINT, False)
        ],
        "Radius by privacy bound L; sequential: centers by Jones et al., then the private "
        f"assignment, mean of {config.seeds} first centers and in brackets the least and the "
        "largest. Smallest fair cluster: those centers with every point at its nearest. Joint: "
        "the better of the prefixes chosen by exact radii and by the paper's rule, where both were "
        "run; certificate: the smallest of all joint radii over the lower bound.",
    )
    reporter.table(
        "solutions",
        [
            *("data", "method", "k", "L", "seed", "radius", "min size", "max size"),
            *("centers of groups", "lower bound", "certificate"),
        ],
        [
            [
                TITLES[place.data],
                label_of(place.method, place.refined),
                len(cell["counts"]),
                place.min_size,
                place.seed,
                round(cell["radius"], 6),
                min(cell["counts"]),
                max(cell["counts"]),
                " ".join(map(str, cell["group_counts"])),
                round(cell["lower_bound"], 6),
                round(certificate(cell), 3),
            ]
            for place, cell in cells.items()
        ],
        "Every solution, with its number of centers as k.",
    )
    reporter.table(
        "seconds",
        ["data", "method", "seconds a bound, mean", "largest"],
        [
            [TITLES[name], label_of(method, refined), round(float(np.mean(s)), 3), round(max(s), 3)]
            for name in names
            for method, refined, s in of_methods(cells, name, "seconds")
        ],
        "Time of a call without compilation; refined: of moving the centers alone.",
        timed=True,
    )


def spread(cells: Cells, name: str, method: str, refined: bool, size: int) -> str:
    """Mean radius, and its range where there are several."""
    values = radii(cells, name, method, refined).get(size)
    if not values:
        return "–"
    if len(values) == 1:
        return f"{values[0]:.4f}"
    return f"{np.mean(values):.4f} ({min(values):.4f}–{max(values):.4f})"


def best(cells: Cells, name: str, size: int) -> Place:
    """The joint solution of the smallest radius."""
    places = [
        Place(name, method, refined, size, 0)
        for method in (JOINT, PAPERS)
        for refined in (False, True)
    ]
    return min((place for place in places if place in cells), key=lambda p: cells[p]["radius"])


def certificate(cell: Mapping[str, Any]) -> float:
    """The radius is at most so many times the optimum."""
    return float(cell["radius"] / cell["lower_bound"]) if cell["lower_bound"] else float("inf")


def of_methods(cells: Cells, name: str, what: str) -> list[tuple[str, bool, list[Any]]]:
    """Values of every method that was run, refined and not."""
    return [
        (method, refined, values)
        for method in METHODS
        for refined in (False, True)
        if (
            values := [
                cell[what]
                for place, cell in cells.items()
                if (place.data, place.method, place.refined) == (name, method, refined)
            ]
        )
    ]


def draw_radii(config: Any, cells: Cells, names: Sequence[str], reporter: Reporter) -> None:
    """Radius against the privacy bound, one panel for each data set."""
    figure, axes = plotting.new_figure(1, len(names), panel=(4.6, 3.8))
    for ax, name in zip(np.ravel(axes), names, strict=True):
        for method, refined, _ in of_methods(cells, name, "radius"):
            by_size = radii(cells, name, method, refined)
            values = list(by_size.values())
            several = len(values[0]) > 1
            plotting.curves(
                ax,
                list(by_size),
                [np.mean(value) for value in values],
                [np.std(value) for value in values] if several else None,
                label_of(method, refined),
                style=LOOKS[method] | {"linestyle": "--" if refined else "-"},
            )
        bounds = {
            place.min_size: cell["lower_bound"]
            for place, cell in sorted(cells.items())
            if place.data == name
        }
        ax.plot(
            list(bounds), list(bounds.values()), ":", color=plotting.COLOURS[6], label="lower bound"
        )
        ax.set(title=TITLES[name], xlabel="privacy bound L", ylim=(0, None))
    np.ravel(axes)[0].set_ylabel("radius")
    plotting.legend(figure)
    reporter.figure(
        "radii",
        figure,
        "Radius against the least number of points of a cluster. Sequential: fair centers first, "
        "then the private assignment; with those by Jones et al. mean and standard deviation of "
        f"{config.seeds} first centers.",
    )


def draw_sizes(cells: Cells, fair: Fair, names: Sequence[str], reporter: Reporter) -> None:
    """Smallest and largest cluster against the privacy bound."""
    figure, axes = plotting.new_figure(1, len(names), panel=(4.6, 3.8))
    for ax, name in zip(np.ravel(axes), names, strict=True):
        found = {
            place.min_size: cell["counts"]
            for place, cell in sorted(cells.items())
            if (place.data, place.method, place.refined) == (name, JOINT, False)
        }
        sizes = list(found)
        low, high = (np.array([end(counts) for counts in found.values()]) for end in (min, max))
        colour = LOOKS[JOINT]["color"]
        ax.fill_between(sizes, low, high, color=colour, alpha=0.15, linewidth=0)
        plotting.curves(ax, sizes, high, label="joint, largest", style=LOOKS[JOINT])
        look = LOOKS[JOINT] | {"linestyle": "--"}
        plotting.curves(ax, sizes, low, label="joint, smallest", style=look)
        ax.plot(sizes, sizes, color=plotting.COLOURS[6], linewidth=1, label="privacy bound")
        alone = fair[name, 0]
        colour = LOOKS[BASE]["color"]
        ax.axhline(max(alone), color=colour, label="fair alone, largest")
        ax.axhline(min(alone), color=colour, linestyle="--", label="fair alone, smallest")
        for size in (min(alone), max(alone)):
            place = (max(sizes), size)
            ax.annotate(
                f"{size:,}", place, (0, 2), textcoords="offset points", ha="right", color=colour
            )
        ax.set(title=TITLES[name], xlabel="privacy bound L", ylim=(0, None))
    np.ravel(axes)[0].set_ylabel("points of a cluster")
    plotting.legend(figure)
    reporter.figure(
        "sizes",
        figure,
        "Smallest and largest cluster of the joint solution, and of fair centers by Jones et al., "
        "from the first seed, with every point at its nearest.",
    )


def draw_seconds(cells: Cells, names: Sequence[str], reporter: Reporter) -> None:
    """Time of the joint method and its refinement against the privacy bound."""
    figure, ax = plotting.new_figure(panel=(6.0, 3.6))
    looks = plotting.styles(list(names))
    for name in names:
        for refined, line in ((False, "-"), (True, "--")):
            found = {
                place.min_size: cell["seconds"]
                for place, cell in sorted(cells.items())
                if (place.data, place.method, place.refined) == (name, JOINT, refined)
            }
            if found:
                label = TITLES[name] + (", refinement" if refined else ", joint")
                share = np.array(list(found)) / max(found)
                style = looks[name] | {"linestyle": line}
                plotting.curves(ax, share, list(found.values()), label=label, style=style)
    ax.set(xlabel="privacy bound / largest", ylabel="seconds", yscale="log")
    plotting.legend(figure)
    reporter.figure("seconds", figure, "Time of a call, compilation not included.")
