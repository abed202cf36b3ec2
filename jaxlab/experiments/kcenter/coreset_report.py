"""Claims, table and figure of the experiment on coresets and streams."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Claim, Reporter
from jaxlab.experiments.kcenter.problems import TITLES

__all__ = ["CLAIMS", "FULL", "draw_radii", "judge", "tabulate"]

FULL = "full"
ENOUGH, RATIO = 50, 1.15
_ROUNDING = 1e-5
ORDERS = {"given": "as given", "shuffled": "shuffled", "sorted": "sorted"}

Cells = Mapping[tuple[str, str, int], Any]  # data, way, multiple of k

CLAIMS = (
    Claim(
        id="lifted",
        statement="A summary of a coreset serves all points, within the coreset's radius more.",
        source="not in the paper: triangle inequality",
        paper="–",
        criterion="radius for all points at most the radius on the coreset plus the coreset's own, "
        "for every size and order",
    ),
    Claim(
        id="enough",
        statement=f"{ENOUGH} points for each center and group are enough.",
        source="not in the paper",
        paper="–",
        criterion=f"radius from a coreset of {ENOUGH} k points of each group at most {RATIO} times "
        "that of the method on all points, on every data set",
    ),
    Claim(
        id="feasible",
        statement="Centers from coresets and streams satisfy every constraint on all points.",
        source="problem definition",
        paper="all",
        criterion="number of centers of each group and size of every cluster as asked for, for "
        "every size and order, and of the method on all points",
    ),
)


def title_of(name: str) -> str:
    """A data set as a reader knows it."""
    return TITLES.get(name, name)


def way_of(way: str, multiple: int) -> str:
    """How the summary was made."""
    if way == FULL:
        return "all points"
    if way == "coreset":
        return f"coreset, {multiple} k of each group"
    return f"stream {ORDERS[way]}, {multiple} k of each group"


def tabulate(config: Any, cells: Cells, reporter: Reporter) -> None:
    """Radii of every way."""
    reporter.table(
        "radii",
        [
            *("data", "k", "L", "way", "points", "coreset radius", "radius on coreset"),
            *("radius", "/ all points", "smallest cluster"),
        ],
        [
            [
                title_of(name),
                cells[name, FULL, 0]["k"],
                cells[name, FULL, 0]["min_size"],
                way_of(way, multiple),
                cell.get("points", cell.get("n")),
                *(
                    round(cell[key], 4) if key in cell else "–"
                    for key in ("coreset_radius", "solution_radius", "radius")
                ),
                round(cell["radius"] / cells[name, FULL, 0]["radius"], 3)
                if "radius" in cell
                else "–",
                cell["smallest"],
            ]
            for (name, way, multiple), cell in cells.items()
        ],
        f"{config.per_group} centers of every group, privacy bound {config.share:g} n / k. Radius: "
        "of all points, privately assigned to the centers found, if any were. Coreset radius: no "
        "point is farther from what stands for it; of a stream, the bound that its state proves.",
    )


def draw_radii(config: Any, cells: Cells, reporter: Reporter) -> None:
    """Radius against the size of the coreset, one panel for each data set."""
    names = list(dict.fromkeys(name for name, _, _ in cells))
    figure, axes = plotting.new_figure(1, len(names), panel=(4.8, 3.8))
    labels = ["radius for all points", "proved from the coreset", "coreset's radius", *ORDERS]
    looks = plotting.styles(labels)
    for ax, name in zip(np.ravel(axes), names, strict=True):
        coresets = {
            m: cell for (data, way, m), cell in cells.items() if (data, way) == (name, "coreset")
        }
        sizes = sorted(coresets)
        values = {
            labels[0]: [coresets[m].get("radius", np.nan) for m in sizes],
            labels[1]: [bound(coresets[m]) for m in sizes],
            labels[2]: [coresets[m]["coreset_radius"] for m in sizes],
        }
        for label, series in values.items():
            plotting.curves(ax, sizes, series, label=label, style=looks[label])
        for (order, text), apart in zip(ORDERS.items(), (0.87, 1.0, 1.15), strict=True):
            place = (name, order, config.stream_multiple)
            if place in cells:  # side by side, so that none hides another
                look = looks[order] | {"linestyle": "", "markersize": 8, "label": f"stream {text}"}
                ax.plot([apart * place[2]], [cells[place].get("radius", np.nan)], **look)
        ax.axhline(
            cells[name, FULL, 0]["radius"],
            color=plotting.COLOURS[6],
            linestyle=":",
            label="method on all points",
        )
        plotting.count_axis(ax, sizes)
        n = cells[name, FULL, 0]["n"]
        ax.set(title=f"{title_of(name)}, {n:,} points", ylim=(0, None))
        ax.set_xlabel("points of each group / k")
    np.ravel(axes)[0].set_ylabel("radius")
    plotting.legend(figure)
    reporter.figure(
        "radii",
        figure,
        "Radius against the number of points that a coreset or a stream may keep of each group.",
    )


def bound(cell: Mapping[str, Any]) -> float:
    """What the coreset proves for all points; NaN where it has no solution."""
    return float(cell.get("solution_radius", np.nan) + cell["coreset_radius"])


def judge(cells: Cells, reporter: Reporter) -> None:
    """Hold the radii against the claims."""
    reduced = {place: cell for place, cell in cells.items() if place[1] != FULL}
    within = [
        cell.get("radius", np.inf) <= bound(cell) * (1 + _ROUNDING) for cell in reduced.values()
    ]
    reporter.verdict("lifted", ours=f"{sum(within)} of {len(within)}", holds=all(within))

    found = {
        name: cell.get("radius", np.inf) / cells[name, FULL, 0]["radius"]
        for (name, way, multiple), cell in reduced.items()
        if (way, multiple) == ("coreset", ENOUGH)
    }
    reporter.verdict(
        "enough",
        ours=", ".join(f"{title_of(name)} {value:.3f}" for name, value in found.items())
        if found
        else "no coreset of that size was made",
        holds=all(value <= RATIO for value in found.values()) if found else None,
    )

    right = [
        cell["exact"] and cell["smallest"] >= cells[name, FULL, 0]["min_size"]
        for (name, _, _), cell in cells.items()
    ]
    reporter.verdict("feasible", ours=f"{sum(right)} of {len(right)} solutions", holds=all(right))
