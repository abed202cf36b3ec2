"""Claims, tables and figures of the experiment on ratios to the optimum."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Claim, Reporter

__all__ = ["CLAIMS", "METHODS", "draw_certificates", "draw_ratios", "judge", "tabulate"]

METHODS = {
    "joint": "joint",
    "refined": "joint, refined",
    "sequential": "sequential",
    "sequential_refined": "sequential, refined",
}
GROUPINGS = {"independent": "groups independent of place", "layers": "groups in layers"}
FACTOR, JOINT, REFINED = 15.0, 1.25, 1.15
_ROUNDING = 1e-5

Cells = Mapping[tuple[str, int, int], Any]  # grouping, points, centers

CLAIMS = (
    Claim(
        id="factor-fifteen",
        statement=f"The radius is at most {FACTOR:g} times the optimum.",
        source="main theorem",
        paper="15",
        criterion=f"joint radius at most {FACTOR:g} times the optimum, on every problem",
    ),
    Claim(
        id="close",
        statement="In practice the joint method is close to the optimum.",
        source="not in the paper: optima by mixed-integer programs",
        paper="–",
        criterion=f"mean ratio at most {JOINT} where groups are independent of the points",
    ),
    Claim(
        id="closer",
        statement="Refined, it is close to the optimum, too.",
        source="not in the paper",
        paper="–",
        criterion=f"mean ratio at most {REFINED} where groups are independent of the points",
    ),
    Claim(
        id="not-worse",
        statement="The joint method is no worse than one constraint after the other.",
        source="computational study",
        paper="significant benefits over one after the other",
        criterion="mean ratio of the joint method at most that of the sequential one, over all "
        "problems",
    ),
    Claim(
        id="bounds",
        statement="The certificate's lower bound holds.",
        source="not in the paper: farthest-first picks and distances to L-th neighbours",
        paper="–",
        criterion="lower bound ≤ optimum ≤ every radius, on every problem",
    ),
    Claim(
        id="feasible",
        statement="Every solution satisfies every constraint.",
        source="problem definition",
        paper="all",
        criterion="no violation in any solution, counted anew on the host",
    ),
)


def ratios(cells: Cells, method: str, grouping: str | None = None) -> np.ndarray:
    """Radius over optimum of all problems, or of one grouping's."""
    found = [
        np.asarray(cell["radius"][method]) / np.asarray(cell["optimum"])
        for (name, _, _), cell in cells.items()
        if grouping in (None, name)
    ]
    return np.concatenate(found) if found else np.zeros(0)


def tabulate(config: Any, cells: Cells, reporter: Reporter) -> None:
    """Ratios by grouping and shape, and over all."""
    reporter.table(
        "ratios",
        ["groups", "points", "centers", "problems", *METHODS.values(), "certificate"],
        [
            [GROUPINGS[name], n, k, len(cell["optimum"])]
            + [summary(ratios({(name, n, k): cell}, method)) for method in METHODS]
            + [summary(certificates(cell, "refined"))]
            for (name, n, k), cell in cells.items()
        ],
        "Radius over optimum, mean and in brackets the largest; certificate: what is proved of the "
        "refined joint solution, its radius over the lower bound. Sequential: fair centers for "
        f"the same intervals, then the private assignment. Seed {config.seed}.",
    )
    for grouping in dict.fromkeys(name for name, _, _ in cells):
        for method, label in METHODS.items():
            found = ratios(cells, method, grouping)
            reporter.scalar(f"mean ratio, {label}, {GROUPINGS[grouping]}", float(found.mean()))
            reporter.scalar(f"largest ratio, {label}, {GROUPINGS[grouping]}", float(found.max()))


def certificates(cell: Mapping[str, Any], method: str) -> np.ndarray:
    """Radius over the lower bound."""
    return np.asarray(cell["radius"][method]) / np.asarray(cell["lower_bound"])


def summary(values: np.ndarray) -> str:
    """Mean, and the largest in brackets."""
    return f"{values.mean():.3f} ({values.max():.2f})"


def draw_ratios(config: Any, cells: Cells, reporter: Reporter) -> None:
    """A histogram of ratios for each method, one column for each grouping."""
    names = list(dict.fromkeys(name for name, _, _ in cells))
    looks = plotting.styles(list(METHODS))
    most = max(ratios(cells, method).max() for method in METHODS)
    bins = np.linspace(1, max(1.5, most) + 1e-6, 31)
    figure, axes = plotting.new_figure(
        len(METHODS), len(names), panel=(4.6, 1.5), sharex=True, sharey=True
    )
    axes = np.reshape(axes, (len(METHODS), len(names)))
    for column, name in zip(axes.T, names, strict=True):
        for ax, (method, label) in zip(column, METHODS.items(), strict=True):
            found = ratios(cells, method, name)
            ax.hist(np.maximum(found, 1), bins, color=looks[method]["color"], alpha=0.85)
            ax.axvline(found.mean(), color="black", linewidth=1.2)
            ax.annotate(
                f"{label}: mean {found.mean():.3f}, largest {found.max():.2f}",
                (0.98, 0.85),
                xycoords="axes fraction",
                ha="right",
                va="top",
                fontsize=9,
            )
        column[0].set_title(GROUPINGS[name])
        column[-1].set_xlabel("radius / optimum")
    for ax in axes[:, 0]:
        ax.set_ylabel("problems")
        ax.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    reporter.figure(
        "ratios",
        figure,
        f"Radius over the optimum of {len(ratios(cells, 'joint', names[0]))} random problems for "
        f"each grouping; lines are means. The theorem says {FACTOR:g}.",
    )


def draw_certificates(cells: Cells, reporter: Reporter) -> None:
    """What is proved without the optimum against the true ratio."""
    figure, ax = plotting.new_figure(panel=(5.4, 4.0))
    looks = plotting.styles(list(METHODS))
    for method in ("joint", "refined"):
        ax.plot(
            ratios(cells, method),
            np.concatenate([certificates(cell, method) for cell in cells.values()]),
            looks[method]["marker"],
            color=looks[method]["color"],
            alpha=0.55,
            markersize=5,
            markeredgewidth=0,
            label=METHODS[method],
        )
    end = max(ax.get_xlim()[1], 1.1)
    ax.plot([1, end], [1, end], color=plotting.COLOURS[6], linewidth=1, label="no slack")
    ax.set(xlabel="radius / optimum", ylabel="radius / lower bound", ylim=(0.9, None))
    plotting.legend(figure)
    reporter.figure(
        "certificates",
        figure,
        "The certificate, radius over lower bound, against the ratio that it bounds.",
    )


def judge(cells: Cells, reporter: Reporter) -> None:
    """Hold the ratios against the claims."""
    joint, refined = ratios(cells, "joint"), ratios(cells, "refined")
    reporter.verdict(
        "factor-fifteen",
        ours=f"{joint.max():.3f} at most, of {len(joint)} problems",
        holds=bool(joint.max() <= FACTOR),
    )
    for claim, method, most in (("close", "joint", JOINT), ("closer", "refined", REFINED)):
        found = ratios(cells, method, "independent")
        reporter.verdict(
            claim,
            ours=f"{summary(found)} of {len(found)} problems"
            if len(found)
            else "no such problem was drawn",
            holds=bool(found.mean() <= most) if len(found) else None,
        )
    sequential = ratios(cells, "sequential")
    reporter.verdict(
        "not-worse",
        ours=f"{joint.mean():.3f} against {sequential.mean():.3f}; refined {refined.mean():.3f} "
        f"against {ratios(cells, 'sequential_refined').mean():.3f}",
        holds=bool(joint.mean() <= sequential.mean()),
    )
    slack = np.concatenate(
        [np.asarray(cell["optimum"]) / np.asarray(cell["lower_bound"]) for cell in cells.values()]
    )
    least = min(ratios(cells, method).min() for method in METHODS)
    reporter.verdict(
        "bounds",
        ours=f"lower bounds {1 / slack.max():.3f} to {1 / slack.min():.3f} of the optimum, radii "
        f"from {least:.3f}",
        holds=bool(slack.min() >= 1 - _ROUNDING and least >= 1 - _ROUNDING),
    )
    broken = sum(cell["broken"] for cell in cells.values())
    solutions = len(METHODS) * len(joint)
    reporter.verdict(
        "feasible", ours=f"{solutions - broken} of {solutions} solutions", holds=broken == 0
    )
