"""Claims, tables and figures of the experiment on growth."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Claim, Reporter

__all__ = ["CLAIMS", "PARTS", "draw_growth", "growth", "judge", "tabulate"]

PARTS = {"order": "farthest-first order", "prefixes": "private prefixes", "whole": "whole method"}
POINTS, CENTERS, CUBE = 2.2, 4.6, 64
MILLION = 1_000_000
_RELATIVE = 1e-5

Cells = Mapping[tuple[int, int], Any]  # points, centers

CLAIMS = (
    Claim(
        id="points",
        statement="Time grows linearly with the number of points.",
        source="main theorem: O(n k² + k⁵)",
        paper="× 2 for twice the points",
        criterion="at most × 2.2 for twice the points, from every size to the next, of the whole "
        "method",
    ),
    Claim(
        id="centers",
        statement="While points are many, it grows quadratically with the number of centers.",
        source="main theorem: O(n k² + k⁵)",
        paper="× 4 for twice the centers",
        criterion="whole method at most × 4.6 for twice the centers, from every number k to the "
        "next, where n ≥ 64 (2k)³",
    ),
    Claim(
        id="large",
        statement="Millions of points are put in order as thousands are.",
        source="not in the paper: other libraries return zeros there",
        paper="–",
        criterion="of a million points or more: distinct picks, positive radii none of which "
        "exceeds the one before, and the last radius as counted anew on the host",
    ),
    Claim(
        id="feasible",
        statement="Every solution has the points of each center that were asked for.",
        source="problem definition",
        paper="all",
        criterion="smallest cluster at least the privacy bound, at every size",
    ),
)


def growth(cells: Cells, part: str, *, of_points: bool) -> dict[tuple[int, int], float]:
    """Factor of the time per doubling, from each place to the next larger one."""
    axis = 0 if of_points else 1
    found = {}
    for place in sorted(cells):
        larger = [
            other
            for other in cells
            if other[axis] > place[axis] and other[1 - axis] == place[1 - axis]
        ]
        if larger:
            following = min(larger)
            ratio = cells[following]["seconds"][part] / cells[place]["seconds"][part]
            found[place] = float(ratio ** (1 / np.log2(following[axis] / place[axis])))
    return found


def many(found: Mapping[tuple[int, int], float]) -> dict[tuple[int, int], float]:
    """Those with points enough for twice the centers."""
    return {(n, k): value for (n, k), value in found.items() if n >= CUBE * (2 * k) ** 3}


def tabulate(
    config: Any, cells: Cells, large: Mapping[str, Any] | None, reporter: Reporter
) -> None:
    """Times and growth."""
    factors = {
        (part, of_points): growth(cells, part, of_points=of_points)
        for part in PARTS
        for of_points in (True, False)
    }
    columns = [
        f"{label}, {what}" for label in PARTS.values() for what in ("s", "× for 2n", "× for 2k")
    ]
    rows = []
    for place, cell in cells.items():
        row: list[Any] = [*place, cell["min_size"]]
        for part in PARTS:
            row.append(float(f"{cell['seconds'][part]:.3g}"))
            row += [
                round(value, 2) if (value := factors[part, axis].get(place)) else "–"
                for axis in (True, False)
            ]
        rows.append([*row, round(cell["compile"], 1)])
    reporter.table(
        "times",
        ["n", "k", "L", *columns, "compilation, s"],
        rows,
        f"Medians of {config.repeats} calls. Growth from a row to the next larger number of points "
        f"or centers, as a factor for twice as many. {config.dims} coordinates, {config.groups} "
        f"groups. {jax.device_count()} × {jax.devices()[0].device_kind}.",
        timed=True,
    )
    reporter.table(
        "solutions",
        ["n", "k", "L", "radius", "smallest cluster"],
        [
            [*place, cell["min_size"], round(cell["radius"], 5), cell["smallest"]]
            for place, cell in cells.items()
        ],
        f"What the whole method finds. Seed {config.seed}.",
    )
    if large:
        reporter.timing(
            f"seconds, order of {large['n']} points, k = {large['k']}", large["seconds"]
        )


def draw_growth(cells: Cells, reporter: Reporter) -> None:
    """Time against the number of points, one panel for each part."""
    figure, axes = plotting.new_figure(1, len(PARTS), panel=(4.2, 3.6), sharey=True)
    for ax, (part, label) in zip(axes, PARTS.items(), strict=True):
        for k in sorted({k for _, k in cells}):
            sizes = sorted(n for n, centers in cells if centers == k)
            seconds = [cells[n, k]["seconds"][part] for n in sizes]
            plotting.curves(ax, sizes, seconds, label=f"k = {k}")
        sizes = sorted({n for n, _ in cells})
        start = min(cell["seconds"][part] for (n, _), cell in cells.items() if n == sizes[0])
        ax.plot(
            sizes,
            [start * n / sizes[0] for n in sizes],
            ":",
            color=plotting.COLOURS[6],
            label="in proportion to n",
        )
        plotting.count_axis(ax, sizes)
        ax.set(yscale="log", xlabel="points", title=label)
        if max(sizes) >= 10_000:
            ax.set_xticklabels([power(text.get_text()) for text in ax.get_xticklabels()])
    axes[0].set_ylabel("seconds")
    plotting.legend(figure)
    reporter.figure(
        "growth", figure, "Time of a call against the number of points, compilation not included."
    )


def power(text: str) -> str:
    """A number of points as a power of two, where it is one."""
    n = int(text)
    return f"$2^{{{n.bit_length() - 1}}}$" if n & (n - 1) == 0 else f"{n:,}"


def judge(cells: Cells, large: Mapping[str, Any] | None, reporter: Reporter) -> None:
    """Hold times and checks against the claims."""
    for claim, found, most in (
        ("points", growth(cells, "whole", of_points=True), POINTS),
        ("centers", many(growth(cells, "whole", of_points=False)), CENTERS),
    ):
        worst = max(found.values(), default=0.0)
        within = "within" if worst <= most else "not within"
        reporter.verdict(
            claim,
            ours=f"{within} × {most:g} at {len(found)} places" if found else "no such sizes",
            holds=worst <= most if found else None,
        )
    if large:
        radii = np.asarray(large["radii"])
        right = large["distinct"] == large["k"] and bool(
            radii[-1] > 0
            and (np.diff(radii) <= 0).all()
            and abs(radii[-1] / large["radius_on_host"] - 1) <= _RELATIVE
        )
        reporter.verdict(
            "large",
            ours=f"{large['distinct']} distinct picks of {large['n']} points, radius "
            f"{radii[-1]:.5f}, on the host {large['radius_on_host']:.5f}",
            holds=None if right and large["n"] < MILLION else right,
        )
    else:
        reporter.verdict("large", ours="no large cloud was put in order", holds=None)
    right = all(
        cell["feasible"] and cell["smallest"] >= cell["min_size"] for cell in cells.values()
    )
    reporter.verdict(
        "feasible", ours=f"{'all' if right else 'not all'} of {len(cells)} solutions", holds=right
    )
