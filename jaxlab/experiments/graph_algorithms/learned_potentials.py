"""Shortest paths with negative lengths on graphs whose lengths change from day to day.

The graphs are grids and, where it is asked for, the roads of Minnesota. Each day multiplies their
lengths by lognormal noise and hides them under one fixed set of potentials, which makes some of
them negative. Predictions are the median of the distances on past days and the tree of one of them;
they start policy iteration, whose rounds are compared with those of a cold Bellman–Ford. Distances
are checked against SciPy's Dijkstra, which is given the lengths without the potentials. A second
part gives Goldberg's scaling potentials of known error.
"""

import functools
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse
from pydantic import Field

from jaxlab import data
from jaxlab import graph_algorithms as ga
from jaxlab.checks import require
from jaxlab.experiments.graph_algorithms.learned_potentials_report import (
    CLAIMS,
    draw_goldberg,
    draw_rounds,
    judge,
    tabulate,
)
from jaxlab.experiments.interface import Count, Reporter, config
from jaxlab.experiments.measure import interleaved_seconds
from jaxlab.graphs import Digraph, digraph_from_arcs, grid_graph, in_arcs, to_digraph

__all__ = ["CLAIMS", "Config", "grid", "road_network", "run"]


@config
class Config:
    """Sizes of the two parts.

    Grids of ``sides``² vertices with integer lengths from ``shortest`` to ``longest``, and with
    ``roads`` the data set "minnesota_roads"; the potentials turn a share ``negative`` of lengths
    negative; noise ``sigmas``; ``training_days`` and ``test_days`` at each; times are medians of
    ``repeats`` calls on one day. Goldberg's potentials are those of the grid of ``error_side``²
    plus ``errors`` times independent −1, 0 or 1.
    """

    seed: Annotated[int, Field(ge=0)]
    sides: Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=1)]
    roads: bool
    sigmas: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=1)]
    training_days: Count
    test_days: Count
    repeats: Count
    shortest: Count
    longest: Count
    negative: Annotated[float, Field(ge=0, le=0.5)]
    error_side: Annotated[int, Field(ge=2)]
    errors: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]

    def __post_init__(self) -> None:
        """Lengths have a range."""
        fits = self.shortest <= self.longest
        require(fits, "shortest", self.shortest, f"at most longest, {self.longest}")


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Learn and solve on every graph at every noise, then measure Goldberg's scaling."""
    networks = {
        f"grid {side}²": Network(config, square(config, side), side) for side in config.sides
    }
    if config.roads:
        networks["roads"] = Network(config, road_network(), 0)
    for network, sigma in itertools.product(networks.values(), config.sigmas):
        check_room(network.days(sigma))
    check_room([Network(config, square(config, config.error_side), config.error_side).day(0, 0.0)])
    reporter.plan(len(networks) * len(config.sigmas) + 1)
    cells: dict[tuple[str, float], Any] = {}
    speedups: dict[tuple[str, float], float] = {}
    for graph, network in networks.items():
        for sigma in config.sigmas:
            name = f"{graph}, σ = {sigma:g}"
            cells[graph, sigma] = reporter.cell(
                f"{graph}/sigma={sigma:g}", functools.partial(network.measure, sigma)
            )
            seconds = network.seconds(sigma, config.repeats)
            for call, value in seconds.items():
                reporter.timing(f"seconds, {call}, {name}", value)
            speedups[graph, sigma] = seconds["cold"] / seconds["learned"]
            reporter.timing(f"speed-up, {name}", speedups[graph, sigma])
    goldberg = reporter.cell("goldberg", functools.partial(scaling, config))
    tabulate(config, cells, speedups, goldberg, reporter)
    draw_rounds(config, cells, reporter)
    draw_goldberg(config, goldberg, reporter)
    judge(config, cells, speedups, goldberg, reporter)


class Network:
    """One graph, its hidden potentials, and what is learned on it at each noise."""

    def __init__(self, config: Config, base: Digraph, number: int) -> None:
        self.config, self.base = config, base
        self.key = jax.random.key(config.seed + number)
        self.hidden = ga.hiding_potentials(self.key, self.base, negative=config.negative)
        self.arcs = in_arcs(self.base)
        self.learned = functools.cache(self._learn)

    def day(self, number: int, sigma: float) -> Digraph:
        """Lengths of a day; the same for a seed, whatever else is run."""
        key = jax.random.fold_in(self.key, number)
        return ga.perturbed_potential_graph(key, self.base, sigma, potentials=self.hidden)

    def days(self, sigma: float) -> Iterator[Digraph]:
        """All of them at one noise."""
        count = self.config.training_days + self.config.test_days
        return (self.day(number, sigma) for number in range(count))

    def _learn(self, sigma: float) -> tuple[Any, Any]:
        """Median of the distances on past days, and the tree of the first of them."""
        past = [
            ga.bellman_ford(self.day(number, sigma), 0, in_arcs=self.arcs)
            for number in range(self.config.training_days)
        ]
        dist = np.median(np.stack([np.asarray(result.dist) for result in past]), axis=0)
        return jnp.asarray(np.round(dist), jnp.int32), past[0].parent

    def measure(self, sigma: float) -> dict[str, Any]:
        """Rounds on the days after, by each start, and whether distances were exact."""
        potentials, tree = self.learned(sigma)
        rounds: dict[str, list[int]] = {"cold": [], "learned": [], "no tree": [], "tree": []}
        exact = True
        for number in range(self.config.test_days):
            today = self.day(self.config.training_days + number, sigma)
            results = {
                "cold": ga.bellman_ford(today, 0, in_arcs=self.arcs),
                "learned": ga.policy(today, 0, potentials=potentials, tree=tree, in_arcs=self.arcs),
                "no tree": ga.policy(today, 0, potentials=potentials, in_arcs=self.arcs),
                "tree": ga.policy(today, 0, tree=tree, in_arcs=self.arcs),
            }
            expected = distances(today, np.asarray(self.hidden))
            for name, result in results.items():
                rounds[name].append(int(result.rounds))
                exact &= bool((np.asarray(result.dist) == expected).all())
        negative = float((np.asarray(self.day(0, sigma).weights) < 0).mean())
        return {"rounds": rounds, "exact": exact, "negative": negative}

    def seconds(self, sigma: float, repeats: int) -> dict[str, float]:
        """Time of a cold and of a learned start on the first day after training."""
        potentials, tree = self.learned(sigma)
        today = self.day(self.config.training_days, sigma)
        calls = {
            "cold": lambda: ga.bellman_ford(today, 0, in_arcs=self.arcs),
            "learned": lambda: ga.policy(
                today, 0, potentials=potentials, tree=tree, in_arcs=self.arcs
            ),
        }
        return interleaved_seconds(calls, repeats=repeats)


def scaling(config: Config) -> list[dict[str, int]]:
    """Scales and phases of Goldberg's algorithm at each error of its prediction."""
    network = Network(config, square(config, config.error_side), config.error_side)
    today = network.day(0, 0.0)
    exact = ga.bellman_ford(today, 0, in_arcs=network.arcs).dist
    noise = np.random.default_rng(config.seed).integers(-1, 2, exact.shape[0], dtype=np.int32)
    rows = []
    for error in config.errors:
        predicted = exact + error * jnp.asarray(noise)
        found = ga.goldberg_potentials(today, predicted, in_arcs=network.arcs)
        least = int(jnp.min(ga.reduced_weights(today, found.potentials)))
        rows.append(
            {
                "error": error,
                "scales": int(found.scales),
                "phases": int(found.phases),
                "rounds": int(found.rounds),
                "feasible": int(found.status) == 0 and least >= 0,
            }
        )
    return rows


def check_room(graphs: Iterable[Digraph]) -> None:
    """Refuse lengths with which labels could overflow, before anything is solved."""
    for graph in graphs:
        n = graph.node_capacity
        room = (2**29 - 1) // n
        longest = int(jnp.max(jnp.abs(graph.weights)))
        expected = (
            f"at most {room} with potentials and noise, since labels of {n} vertices are int32"
        )
        require(longest <= room, "lengths", longest, expected)


def square(config: Config, side: int) -> Digraph:
    """The grid of this side with the lengths of the config."""
    return grid(side, config.shortest, config.longest, config.seed)


def road_network() -> Digraph:
    """Roads of Minnesota, an arc either way; its length is 10⁴ times the distance of its ends."""
    roads = data.load("minnesota_roads")
    edges, positions = roads["edges"], roads["positions"]
    apart = np.linalg.norm(positions[edges[:, 0]] - positions[edges[:, 1]], axis=1)
    lengths = np.maximum(1, np.round(1e4 * apart)).astype(np.int32)
    arcs = np.concatenate([edges, edges[:, ::-1]])
    return digraph_from_arcs(arcs, len(positions), weights=np.tile(lengths, 2))


def grid(side: int, shortest: int, longest: int, seed: int) -> Digraph:
    """A square grid with an arc either way between neighbours, lengths uniform and independent."""
    streets = to_digraph(grid_graph(side, side))
    lengths = np.random.default_rng(seed).integers(shortest, longest + 1, streets.edge_capacity)
    return streets.replace(weights=jnp.asarray(lengths, jnp.int32))


def distances(today: Digraph, hidden: np.ndarray) -> np.ndarray:
    """By SciPy's Dijkstra on the lengths without the potentials; 2²⁹ where there is no path."""
    tails, heads = np.asarray(today.senders), np.asarray(today.receivers)
    lengths = np.asarray(today.weights, np.int64) - hidden[tails] + hidden[heads]
    matrix = scipy.sparse.csr_array((lengths, (tails, heads)), shape=(len(hidden),) * 2)
    plain = scipy.sparse.csgraph.dijkstra(matrix, indices=0)
    reached = np.isfinite(plain)
    exact = np.round(np.where(reached, plain, 0)).astype(np.int64) + hidden[0] - hidden
    return np.where(reached, exact, 2**29)
