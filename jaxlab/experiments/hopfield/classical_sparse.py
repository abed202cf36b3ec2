"""What a sparse distributed memory of random patterns shares and misreads."""

import functools
from collections.abc import Mapping
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key
from pydantic import Field

from jaxlab.checks import require
from jaxlab.experiments import plotting
from jaxlab.experiments.hopfield.classical_theory import sdm_read_error
from jaxlab.experiments.hopfield.comparison import (
    Comparison,
    compare,
    comparison_table,
    draw_points,
    judge,
)
from jaxlab.experiments.interface import Count, Counts, Reporter, config
from jaxlab.hopfield.capacity_theory import sdm_overlap_probability
from jaxlab.hopfield.patterns import random_bipolar
from jaxlab.hopfield.similarity import bipolar_hamming
from jaxlab.hopfield.sparse_distributed_memory import sdm_init, sdm_read, sdm_write

__all__ = ["Sparse", "measure", "report"]

Distances = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]


@config
class Sparse:
    """A sparse distributed memory: ``locations`` of ``dim`` bits, active within ``radius``.

    ``counts`` pairs are written and read at Hamming ``distances`` from their addresses;
    ``overlap_distances`` between two addresses and ``pairs`` per seed for the overlaps.
    """

    dim: Count
    locations: Count
    radius: Count
    counts: Counts
    distances: Distances
    overlap_distances: Distances
    pairs: Count
    seeds: Annotated[int, Field(ge=2)]

    def __post_init__(self) -> None:
        """Addresses differ in no more bits than they have."""
        most = f"at most dim = {self.dim}"
        for name in ("distances", "overlap_distances"):
            distances = getattr(self, name)
            require(max(distances) <= self.dim, name, distances, most)


def measure(
    sparse: Sparse, seed: int, reporter: Reporter
) -> tuple[list[Comparison], list[Comparison], dict[tuple[int, int], float]]:
    """Overlaps, error rates of independent values, and those of auto-association (no theory)."""
    base = jax.random.fold_in(jax.random.key(seed), 1)
    keys = jax.random.split(base, sparse.seeds)
    shares = [
        reporter.cell(f"sparse/overlap/{place}", functools.partial(_overlaps, sparse, key))
        for place, key in enumerate(keys)
    ]
    errors = [
        reporter.cell(f"sparse/read/{place}", functools.partial(_reads, sparse, key))
        for place, key in enumerate(keys)
    ]
    overlaps = [
        compare(
            f"overlap, D = {distance}",
            float(distance),
            [share[place] for share in shares],
            sparse.locations * sparse.pairs,
            sdm_overlap_probability(sparse.dim, sparse.radius, distance),
        )
        for place, distance in enumerate(sparse.overlap_distances)
    ]
    reads, own = [], {}
    for row, distance in enumerate(sparse.distances):
        for column, count in enumerate(sparse.counts):
            theory = sdm_read_error(sparse.dim, sparse.radius, sparse.locations, count, distance)
            rates = [error["independent"][row][column] for error in errors]
            name = f"independent values, D = {distance}"
            reads.append(compare(name, float(count), rates, count * sparse.dim, theory))
            own[distance, count] = float(np.mean([error["own"][row][column] for error in errors]))
    return overlaps, reads, own


def _overlaps(sparse: Sparse, key: Key[Array, ""]) -> list[float]:
    """Share of random locations active for both of two addresses, by their distance."""
    of_locations, of_pairs = jax.random.split(key)
    locations = random_bipolar(of_locations, n=sparse.locations, d=sparse.dim)
    first = random_bipolar(of_pairs, n=sparse.pairs, d=sparse.dim)

    def active(address: Array) -> Array:
        return bipolar_hamming(address, locations) >= -sparse.radius

    # the order of bits does not matter for random patterns: flip the first ones
    return [
        float(jnp.mean(active(first) & active(first.at[:, :distance].multiply(-1.0))))
        for distance in sparse.overlap_distances
    ]


def _reads(sparse: Sparse, key: Key[Array, ""]) -> dict[str, list[list[float]]]:
    """Wrong bits by distance and count: of independent values, and of the addresses themselves."""
    of_memory, of_address, of_value = jax.random.split(key, 3)
    most = max(sparse.counts)
    empty = sdm_init(of_memory, sparse.locations, sparse.dim)
    addresses = random_bipolar(of_address, n=most, d=sparse.dim)
    values = {"independent": random_bipolar(of_value, n=most, d=sparse.dim), "own": addresses}
    wrong: dict[str, list[list[float]]] = {name: [[] for _ in sparse.distances] for name in values}
    for name, value in values.items():
        for count in sparse.counts:
            written = sdm_write(empty, addresses[:count], value[:count], radius=sparse.radius)
            for row, distance in enumerate(sparse.distances):
                query = addresses[:count].at[:, :distance].multiply(-1.0)
                read = sdm_read(written, query, radius=sparse.radius).output
                wrong[name][row].append(round(float(jnp.mean(read != value[:count])), 9))
    return wrong


def report(
    sparse: Sparse,
    seed: int,
    overlaps: list[Comparison],
    reads: list[Comparison],
    own: Mapping[tuple[int, int], float],
    reporter: Reporter,
) -> None:
    """Figure, table and verdicts."""
    figure, (left, right) = plotting.new_figure(1, 2, panel=(4.6, 3.7))
    distances = np.arange(max(sparse.overlap_distances) + 1)
    curve = [sdm_overlap_probability(sparse.dim, sparse.radius, int(D)) for D in distances]
    look = {"color": "#4D4D4D", "marker": "o"}
    left.plot(distances, curve, color=look["color"], linewidth=1.2)
    draw_points(left, overlaps, None, look)
    left.set_yscale("log")
    left.set(
        xlabel="distance of two addresses D, bits", ylabel="share of locations active for both"
    )
    looks = plotting.styles([f"D = {distance}" for distance in sparse.distances])
    for distance in sparse.distances:
        name = f"D = {distance}"
        points = [point for point in reads if point.name.endswith(f", {name}")]
        color = looks[name]["color"]
        right.plot([p.x for p in points], [p.theory for p in points], color=color, linewidth=1.2)
        draw_points(right, points, f"independent values, {name}", looks[name])
        plotting.curves(
            right,
            sparse.counts,
            # no bit misread: no place on a logarithmic axis
            [own[distance, count] or np.nan for count in sparse.counts],
            label=f"own address, {name}",
            style={**looks[name], "linestyle": ":"},
        )
    right.set_yscale("log")
    right.set_ylim(1e-6, 0.6)
    plotting.count_axis(right, sparse.counts)
    right.set(xlabel="written pairs N", ylabel="share of bits misread")
    plotting.legend(figure, "values read at distance D")
    data = (
        f"{sparse.locations} locations of {sparse.dim} bits, radius {sparse.radius}, "
        f"{sparse.seeds} memories, seed {seed}"
    )
    reporter.figure(
        "sparse_distributed_memory",
        figure,
        "Left: locations active for two addresses; right: bits misread in one read at distance D "
        "from a written address. Points with 2 standard errors: measured, solid lines: theory; "
        f"dotted: auto-association, for which there is no theory line; {data}.",
    )
    points = [*overlaps, *reads]
    comparison_table(
        reporter, "sparse", "quantity", "D or N", points, f"Sparse distributed memory; {data}."
    )
    reporter.note(
        "The theory of the reading error holds for values independent of the addresses. In "
        "auto-association the value is the address: addresses near the query, whose values are "
        "added most often, resemble it, and speak for its bits whether they are right or wrong."
    )
    judge(reporter, "sdm-overlap", overlaps)
    judge(reporter, "sdm-error-rate", reads)
