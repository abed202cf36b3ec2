"""Offline correlation clustering: how close to the optimum, how robust, and at which thresholds.

Agreement, Pivot and local moves on random graphs so small that the optimum is known; on planted
cliques with more and more pairs flipped; on real graphs next to Leiden, with a bound below the
optimum. At last Agreement over a grid of its two thresholds.
"""

import functools
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from jaxlab.experiments.correlation_clustering import leiden
from jaxlab.experiments.correlation_clustering.offline_claims import CLAIMS, judge
from jaxlab.experiments.correlation_clustering.offline_measures import (
    measure_grid,
    measure_leiden,
    measure_planted,
    measure_planted_grid,
    measure_real,
    measure_small,
    plant,
)
from jaxlab.experiments.correlation_clustering.offline_report import (
    draw_grid,
    draw_planted,
    draw_real,
    draw_small,
    tabulate,
)
from jaxlab.experiments.correlation_clustering.streams import GraphName, load_graph
from jaxlab.experiments.interface import Count, Reporter, Share, config

__all__ = ["CLAIMS", "Config", "run"]

Shares = Annotated[tuple[Share, ...], Field(min_length=1)]
Shape = tuple[Annotated[int, Field(ge=2)], Annotated[int, Field(ge=2)]]


@config
class Config:
    """Sizes of the four parts; thresholds ``beta`` and ``lam`` in the first three.

    Small: ``small_graphs`` random graphs of each number of ``small_vertices``, in turn of each
    ``small_density``; Pivot in ``small_orders`` orders. Planted: each of ``shapes``, clusters and
    vertices in each, ``draws`` times with a share ``noise`` of all pairs flipped. Real: ``graphs``;
    Pivot in ``orders`` orders, as on planted ones, and Leiden from ``leiden_runs`` seeds. Local
    moves take up to ``rounds`` rounds. Grid: ``grid_values`` of both thresholds on ``grid_graphs``,
    and on planted ones with a share ``grid_noise`` flipped.
    """

    seed: Annotated[int, Field(ge=0)]
    beta: Share
    lam: Share
    rounds: Count
    small_vertices: Annotated[tuple[Annotated[int, Field(ge=2, le=10)], ...], Field(min_length=1)]
    small_graphs: Count
    small_density: Shares
    small_orders: Count
    shapes: Annotated[tuple[Shape, ...], Field(min_length=1)]
    noise: Annotated[tuple[Annotated[float, Field(ge=0, lt=0.5)], ...], Field(min_length=1)]
    draws: Count
    graphs: Annotated[tuple[GraphName, ...], Field(min_length=1)]
    orders: Count
    leiden_runs: Count
    grid_values: Shares
    grid_noise: Share
    grid_graphs: tuple[GraphName, ...]


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """The four parts, one after the other."""
    peer = leiden.installed()
    reporter.plan(
        len(config.small_vertices)
        + len(config.shapes) * (len(config.noise) + 1)
        + len(config.graphs) * (1 + peer)
        + len(config.grid_graphs)
    )
    thresholds = {"seed": config.seed, "beta": config.beta, "lam": config.lam}
    options: dict[str, Any] = thresholds | {"rounds": config.rounds, "orders": config.orders}
    small = {
        vertices: reporter.cell(
            f"small/n={vertices}",
            functools.partial(
                measure_small,
                vertices,
                max(config.small_vertices),
                config.small_graphs,
                config.small_density,
                **options | {"orders": config.small_orders},
            ),
        )
        for vertices in config.small_vertices
    }
    planted: dict[Any, Any] = {}
    grids: dict[str, Any] = {}
    for shape in config.shapes:
        name = f"{shape[0]}x{shape[1]}"
        stacks = plant(shape, (*config.noise, config.grid_noise), config.draws, config.seed)
        for noise, stack in zip(config.noise, stacks, strict=False):
            planted[shape, noise] = reporter.cell(
                f"planted/{name}/noise={noise:g}",
                functools.partial(measure_planted, stack, shape, **options),
            )
        grids[name] = reporter.cell(
            f"grid/{name}",
            functools.partial(measure_planted_grid, stacks[-1], shape, config.grid_values),
        )
    real: dict[str, Any] = {}
    peers: dict[str, list[int]] = {}
    named = dict.fromkeys(config.graphs + config.grid_graphs)
    loaded = {graph: load_graph(graph)[:2] for graph in named}
    for graph in config.graphs:
        edges, n = loaded[graph]
        real[graph] = reporter.cell(
            f"real/{graph}", functools.partial(measure_real, edges, n, **options)
        )
        if peer:
            peers[graph] = reporter.cell(
                f"leiden/{graph}", functools.partial(measure_leiden, edges, n, config.leiden_runs)
            )
    for graph in config.grid_graphs:
        grids[graph] = reporter.cell(
            f"grid/{graph}", functools.partial(measure_grid, *loaded[graph], config.grid_values)
        )
    tabulate(config, small, planted, real, peers, grids, reporter)
    draw_small(config, small, reporter)
    draw_planted(config, planted, reporter)
    draw_real(config, real, peers, reporter)
    draw_grid(config, grids, reporter)
    judge(config, small, planted, real, peers, reporter)
