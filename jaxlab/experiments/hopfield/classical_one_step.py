"""Bits that one step of a Hopfield network turns at a stored random pattern."""

import functools
from collections.abc import Mapping, Sequence
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key
from pydantic import Field

from jaxlab.experiments import plotting
from jaxlab.experiments.hopfield.comparison import (
    Comparison,
    compare,
    comparison_table,
    draw_points,
    judge,
)
from jaxlab.experiments.interface import Count, Positive, Reporter, config
from jaxlab.hopfield.capacity_theory import one_step_error_rate
from jaxlab.hopfield.classical import synchronous_recall
from jaxlab.hopfield.learning_rules import hebbian_weights
from jaxlab.hopfield.patterns import random_bipolar

__all__ = ["Loads", "OneStep", "measure", "one_step_rates", "pattern_counts", "report"]

Loads = Annotated[tuple[Positive, ...], Field(min_length=1)]


@config
class OneStep:
    """One step at stored patterns, at ``loads`` N/d, in ``seeds`` networks of each of ``dims``."""

    dims: Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=1)]
    loads: Loads
    seeds: Count


def pattern_counts(dim: int, loads: Sequence[float]) -> list[int]:
    """Numbers of patterns at ``loads`` N/d, at least 2.

    Example:
        >>> pattern_counts(100, [0.001, 0.25])
        [2, 25]
    """
    return [max(2, round(load * dim)) for load in loads]


@functools.partial(jax.jit, static_argnames=("dim", "max_count", "zero_diagonal"))
def one_step_rates(
    key: Key[Array, ""],
    counts: Int[Array, " c"],
    *,
    dim: int,
    max_count: int,
    zero_diagonal: bool,
) -> Float[Array, " c"]:
    """Share of bits that one step turns at the stored patterns, for each number of them."""
    patterns = random_bipolar(key, n=max_count, d=dim)

    def at(count: Array) -> Array:
        stored = jnp.arange(max_count) < count
        weights = hebbian_weights(patterns, zero_diagonal, mask=stored)
        turned = synchronous_recall(patterns, weights, max_steps=1).output != patterns
        return jnp.sum(turned & stored[:, None]) / (count * dim)

    return jax.lax.map(at, counts)


def measure(
    one: OneStep, seed: int, reporter: Reporter
) -> dict[tuple[int, bool], list[Comparison]]:
    """Rates beside their theory, by dimension and whether the diagonal is zero."""
    found = {}
    for dim in one.dims:
        counts = pattern_counts(dim, one.loads)
        for zero_diagonal in (False, True):
            diagonal = "zero diagonal" if zero_diagonal else "with diagonal"
            name = f"d = {dim}, {diagonal}"
            values = reporter.cell(
                f"one step/{name}",
                functools.partial(_rates, one, seed, counts, dim=dim, zero_diagonal=zero_diagonal),
            )
            found[dim, zero_diagonal] = [
                compare(
                    name,
                    count / dim,
                    of_count,
                    count * dim,
                    one_step_error_rate(count, dim, zero_diagonal=zero_diagonal),
                )
                for count, of_count in zip(counts, values, strict=True)
            ]
    return found


def _rates(
    one: OneStep, seed: int, counts: list[int], *, dim: int, zero_diagonal: bool
) -> list[list[float]]:
    """The rates of every network, one list per number of patterns."""
    rates = functools.partial(
        one_step_rates,
        counts=jnp.asarray(counts),
        dim=dim,
        max_count=max(counts),
        zero_diagonal=zero_diagonal,
    )
    keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), dim), one.seeds)
    return np.asarray(jax.lax.map(rates, keys), np.float64).round(9).T.tolist()


def report(
    one: OneStep,
    seed: int,
    networks: Mapping[tuple[int, bool], list[Comparison]],
    reporter: Reporter,
) -> None:
    """Figure, table and verdict."""
    figure, axes = plotting.new_figure(1, 2, panel=(4.6, 3.7), sharey=True)
    looks = plotting.styles([f"d = {dim}" for dim in one.dims])
    for zero_diagonal, ax in zip((False, True), axes, strict=True):
        for dim in one.dims:
            points = networks[dim, zero_diagonal]
            counts = pattern_counts(dim, one.loads)
            fine = np.unique(np.geomspace(min(counts), max(counts), 60).round().astype(int))
            theory = [one_step_error_rate(int(n), dim, zero_diagonal=zero_diagonal) for n in fine]
            look = looks[f"d = {dim}"]
            ax.plot(fine / dim, theory, color=look["color"], linewidth=1.2)
            draw_points(ax, points, f"d = {dim}", look)
        ax.set_yscale("log")
        ax.set_ylim(1e-6, 0.5)
        ax.set(
            xlabel="load N/d", title="zero diagonal" if zero_diagonal else "with self-connections"
        )
    axes[0].set_ylabel("share of bits turned by one step")
    plotting.legend(figure, "measured; lines: theory")
    data = f"random patterns, {one.seeds} networks per point, seed {seed}"
    reporter.figure(
        "hopfield_error",
        figure,
        "Bits of a stored pattern that one step of a Hopfield network turns; points with 2 "
        f"standard errors: measured, lines: normal approximation of the crosstalk; {data}. "
        "Rates below 1e-6 are not drawn.",
    )
    points = [point for of_network in networks.values() for point in of_network]
    comparison_table(
        reporter, "hopfield_error", "network", "N/d", points, f"One-step error rates; {data}."
    )
    judge(reporter, "hopfield-error-rate", points)
