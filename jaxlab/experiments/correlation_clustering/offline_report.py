"""Tables and figures of the experiment on offline clusterings."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from jaxlab.experiments import plotting
from jaxlab.experiments.correlation_clustering.offline_claims import ratios, recovered
from jaxlab.experiments.correlation_clustering.offline_measures import METHODS
from jaxlab.experiments.correlation_clustering.streams import TITLES
from jaxlab.experiments.interface import Reporter

__all__ = ["draw_grid", "draw_planted", "draw_real", "draw_small", "tabulate"]

LEIDEN = "Leiden"
LOOKS = plotting.styles([*METHODS.values(), LEIDEN])

Small = Mapping[int, Any]
Planted = Mapping[tuple[tuple[int, int], float], Any]
Real = Mapping[str, Any]
Peers = Mapping[str, Sequence[int]]


def tabulate(
    config: Any,
    small: Small,
    planted: Planted,
    real: Real,
    peers: Peers,
    grids: Mapping[str, Any],
    reporter: Reporter,
) -> None:
    """The numbers of all four parts."""
    thresholds = f"β = {config.beta:g}, λ = {config.lam:g}"
    reporter.table(
        "small",
        ["vertices", "graphs", "optimum > 0", *METHODS.values()],
        [
            [vertices, len(cell["optimum"]), len(ratios(cell, "pivot"))]
            + [
                f"{np.mean(found):.3f} ({np.max(found):.2f})" if len(found) else "–"
                for found in (ratios(cell, method) for method in METHODS)
            ]
            for vertices, cell in small.items()
        ],
        "Cost over the optimum where that is not 0, mean and in brackets the largest; of Pivot the "
        f"mean of {config.small_orders} orders on each graph. {thresholds}.",
    )
    reporter.table(
        "planted",
        [
            "clusters × vertices",
            "pairs flipped",
            "Agreement recovers",
            *[f"{label}, {what}" for label in METHODS.values() for what in ("Rand", "cost")],
        ],
        [
            [
                f"{clusters} × {size}",
                f"{100 * noise:g} %",
                f"{recovered(cell, 'agreement')} of {config.draws}",
            ]
            + [
                text
                for method in METHODS
                for text in (
                    f"{np.mean(cell['rand'][method]):.3f}",
                    mean_of(over(cell, method)),
                )
            ]
            for ((clusters, size), noise), cell in planted.items()
        ],
        "How many draws are recovered exactly; adjusted Rand index with the planted clusters, and "
        f"cost over theirs where that is not 0, means of the draws. {thresholds}.",
    )
    reporter.table(
        "real",
        [
            *("graph", "vertices", "edges", "packing", "Agreement", "Pivot, mean", "Pivot, best"),
            *("local moves", "rounds", LEIDEN, "local moves / packing"),
        ],
        [
            [
                graph,
                *(cell[name] for name in ("vertices", "edges", "packing", "agreement")),
                round(float(np.mean(cell["pivot"]))),
                min(cell["pivot"]),
                f"{cell['moves']}" + ("" if cell["settled"] else " (still moving)"),
                cell["rounds"],
                min(peers[graph]) if peers else "not installed",
                round(cell["moves"] / cell["packing"], 2),
            ]
            for graph, cell in real.items()
        ],
        f"Costs; edges are the cost of singletons, and packed bad triangles a bound below the "
        f"optimum. {config.orders} orders of Pivot; Leiden's best of {config.leiden_runs} seeds. "
        f"{thresholds}.",
    )
    reporter.note(
        "Leiden on the constant Potts model at resolution ½ and local moves have the same "
        "objective: the number of disagreements."
    )
    reporter.table(
        "grid",
        ["graph", "cost over that of", "least", "β", "λ", f"at {thresholds}"],
        [
            [name, *least(config, costs_of(grid)), at_thresholds(config, costs_of(grid))]
            for name, grid in ((title_of(name), grid) for name, grid in grids.items())
        ],
        "Agreement's least cost over the grid of thresholds.",
    )


def title_of(name: str) -> str:
    """A graph as a reader knows it."""
    return TITLES.get(name, name.replace("x", " × "))


def costs_of(grid: Any) -> tuple[str, np.ndarray]:
    """What the costs of a grid are divided by, and the quotients."""
    if isinstance(grid, Mapping):
        return "planted clusters", np.asarray(grid["cost"])
    return "singletons", np.asarray(grid)


def least(config: Any, costs: tuple[str, np.ndarray]) -> list[Any]:
    """The least cost of a grid and where it is."""
    over, values = costs
    row, column = np.unravel_index(np.argmin(values), values.shape)
    beta, lam = (config.grid_values[place] for place in (row, column))
    return [over, round(float(values[row, column]), 4), beta, lam]


def at_thresholds(config: Any, costs: tuple[str, np.ndarray]) -> Any:
    """The cost at the thresholds of the other parts, if the grid has them."""
    values = list(config.grid_values)
    if config.beta not in values or config.lam not in values:
        return "–"
    return round(float(costs[1][values.index(config.beta), values.index(config.lam)]), 4)


def over(cell: Mapping[str, Any], method: str) -> np.ndarray:
    """Cost over that of the planted clusters; NaN where that is 0."""
    planted = np.asarray(cell["planted"], float)
    return np.divide(
        cell["cost"][method], planted, out=np.full(planted.shape, np.nan), where=planted > 0
    )


def mean_of(values: Any) -> str:
    """Mean of those that are not NaN, if there are any."""
    mean = known(values).mean()
    return "–" if np.isnan(mean) else f"{mean:.3f}"


def known(values: Any) -> np.ndarray:
    """Those that are not NaN, or one NaN if there are none."""
    found = np.asarray(values, float)
    found = found[~np.isnan(found)]
    return found if len(found) else np.array([np.nan])


def draw_small(config: Any, small: Small, reporter: Reporter) -> None:
    """Share of the graphs within each ratio, one panel for each number of vertices."""
    figure, axes = plotting.new_figure(1, len(small), panel=(4.2, 3.4), sharex=True, sharey=True)
    for ax, (vertices, cell) in zip(np.ravel(axes), small.items(), strict=True):
        for method, label in METHODS.items():
            found = np.sort(ratios(cell, method))
            share = np.arange(1, len(found) + 1) / max(1, len(found))
            ax.step(
                np.concatenate([[1], found]),
                np.concatenate([[0], share]),
                where="post",
                label=label,
                color=LOOKS[label]["color"],
                linewidth=1.8,
            )
        ax.axvline(3, color=plotting.COLOURS[6], linestyle=":", label="bound on Pivot's mean")
        ax.set(title=f"{vertices} vertices", xlabel="cost / optimum", ylim=(0, 1.03))
    np.ravel(axes)[0].set_ylabel("share of graphs")
    plotting.legend(figure)
    reporter.figure(
        "small",
        figure,
        "Share of those random graphs whose optimum is not 0 on which the cost is within so many "
        f"times the optimum; of Pivot the mean of {config.small_orders} orders on each graph.",
    )


def draw_planted(config: Any, planted: Planted, reporter: Reporter) -> None:
    """Recovered draws, Rand index and cost against the noise, one column for each shape."""
    figure, axes = plotting.new_figure(3, len(config.shapes), panel=(4.6, 2.7), sharex=True)
    axes = np.reshape(axes, (3, len(config.shapes)))
    for row in axes:
        for ax in row[1:]:
            ax.sharey(row[0])
    noise = np.sort(config.noise)
    for column, shape in zip(axes.T, config.shapes, strict=True):
        cells = [planted[shape, flipped] for flipped in noise]
        for method, label in METHODS.items():
            series: tuple[list[Any], ...] = (
                [[recovered(cell, method) / config.draws] for cell in cells],
                [cell["rand"][method] for cell in cells],
                [over(cell, method) for cell in cells],
            )
            for ax, values in zip(column, series, strict=True):
                mean = [known(value).mean() for value in values]
                sd = [known(value).std() for value in values] if len(values[0]) > 1 else None
                plotting.curves(ax, 100 * noise, mean, sd, label, style=LOOKS[label])
        column[0].set_title(f"{shape[0]} cliques of {shape[1]} vertices")
        column[0].set_ylim(-0.05, 1.05)
        column[2].set_xlabel("pairs flipped, %")
    for ax, text in zip(
        axes[:, 0],
        ("draws recovered exactly", "adjusted Rand index", "cost / planted cost"),
        strict=True,
    ):
        ax.set_ylabel(text)
    plotting.legend(figure)
    reporter.figure(
        "planted",
        figure,
        f"Planted cliques with a share of all pairs flipped: share of {config.draws} draws that "
        "are recovered exactly (by Pivot: in every order), adjusted Rand index, and cost over that "
        "of the planted clusters where that is not 0; mean and standard deviation of the draws.",
    )


def draw_real(config: Any, real: Real, peers: Peers, reporter: Reporter) -> None:
    """Cost over that of singletons, and the bound below the optimum, by graph."""
    figure, ax = plotting.new_figure(panel=(7.5, 1.2 + 0.75 * len(real)))
    edges = np.array([cell["edges"] for cell in real.values()])
    series = {
        METHODS["agreement"]: [cell["agreement"] for cell in real.values()],
        METHODS["pivot"]: [np.mean(cell["pivot"]) for cell in real.values()],
        METHODS["moves"]: [cell["moves"] for cell in real.values()],
    }
    if peers:
        series[LEIDEN] = [min(peers[graph]) for graph in real]
    plotting.bars(
        ax,
        [TITLES.get(graph, graph) for graph in real],
        {label: np.asarray(costs) / edges for label, costs in series.items()},
    )
    bound = np.array([cell["packing"] for cell in real.values()]) / edges
    places = np.arange(len(real))
    ax.vlines(
        bound, places - 0.42, places + 0.42, color=plotting.INK, linestyle=":", label="lower bound"
    )
    ax.axvline(1, color=plotting.COLOURS[6], linewidth=1, label="singletons")
    ax.set_xlabel("cost / cost of singletons")
    plotting.legend(figure)
    reporter.figure(
        "real",
        figure,
        f"Cost over that of singletons; of Pivot the mean of {config.orders} orders. Dotted: bad "
        "triangles that share no pair, which no clustering can beat.",
    )


def draw_grid(config: Any, grids: Mapping[str, Any], reporter: Reporter) -> None:
    """Agreement's cost at every pair of thresholds, one panel for each graph."""
    columns = min(3, len(grids))
    rows = -(-len(grids) // columns)
    figure, axes = plotting.new_figure(rows, columns, panel=(3.9, 3.5))
    panels = np.ravel(axes)
    for ax, (name, grid) in zip(panels, grids.items(), strict=False):
        what, values = costs_of(grid)
        heat(ax, values, config.grid_values)
        ax.set_title(f"{title_of(name)}: cost / {what}", fontsize=10)
    for ax in panels[len(grids) :]:
        ax.set_visible(False)
    reporter.figure(
        "grid",
        figure,
        "Agreement's cost for every β and λ: over that of the planted clusters, at least 1, "
        f"{100 * config.grid_noise:g} % of the pairs flipped, mean of the draws; or over that of "
        "singletons. Lower is lighter.",
    )


def heat(ax: Axes, values: np.ndarray, ticks: Sequence[float]) -> None:
    """A matrix with its numbers."""
    spread = np.log(values)
    ax.imshow(spread, cmap="Blues", origin="lower", aspect="auto")
    middle = (spread.min() + spread.max()) / 2
    for (row, column), value in np.ndenumerate(values):
        ax.text(
            column,
            row,
            f"{value:.3f}" if value < 10 else f"{value:.1f}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if spread[row, column] > middle and np.ptp(spread) else plotting.INK,
        )
    ax.set_xticks(range(len(ticks)), [f"{tick:g}" for tick in ticks])
    ax.set_yticks(range(len(ticks)), [f"{tick:g}" for tick in ticks])
    ax.grid(False)
    ax.set(xlabel="λ", ylabel="β")
