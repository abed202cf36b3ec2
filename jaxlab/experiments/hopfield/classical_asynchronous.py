"""Asynchronous recall of a Hopfield network, neuron by neuron, from corrupted patterns."""

import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from jaxlab.experiments import plotting
from jaxlab.experiments.hopfield.classical_one_step import Loads, pattern_counts
from jaxlab.experiments.hopfield.study import Fraction
from jaxlab.experiments.interface import Count, Reporter, config
from jaxlab.hopfield.classical import asynchronous_recall, synchronous_recall
from jaxlab.hopfield.corruption import flip_bits
from jaxlab.hopfield.learning_rules import hebbian_weights, storkey_weights
from jaxlab.hopfield.patterns import random_bipolar

__all__ = ["Asynchronous", "measure", "recall_summary", "report"]


@config
class Asynchronous:
    """Recall of ``queries`` patterns with a share ``flip`` of bits flipped, at ``loads`` N/d."""

    dim: Count
    loads: Loads
    flip: Fraction
    queries: Count
    max_sweeps: Count
    seeds: Count


@functools.partial(jax.jit, static_argnames=("rule", "dim", "max_count", "queries", "max_sweeps"))
def recall_summary(
    key: Key[Array, ""],
    count: Int[Array, ""],
    flip: Float[Array, ""],
    *,
    rule: str,
    dim: int,
    max_count: int,
    queries: int,
    max_sweeps: int,
) -> dict[str, Array]:
    """Asynchronous recall of corrupted patterns from one network, in numbers."""
    of_patterns, of_flips, of_order = jax.random.split(key, 3)
    patterns = random_bipolar(of_patterns, n=max_count, d=dim)
    stored = jnp.arange(max_count) < count
    target = patterns[:queries]
    learn = {"Hebb": hebbian_weights, "Storkey": storkey_weights}[rule]
    weights = learn(patterns, mask=stored)
    query = flip_bits(of_flips, target, flip)
    found = asynchronous_recall(of_order, query, weights, max_sweeps=max_sweeps)
    step = synchronous_recall(query, weights, max_steps=1).output
    # an energy may start at 0, or near it
    rise = jnp.diff(found.energies, axis=-1) / jnp.maximum(jnp.abs(found.energies[..., :1]), 1)
    return {
        "overlap": jnp.mean(found.output * target),
        "one_step_overlap": jnp.mean(step * target),
        "exact": jnp.mean(jnp.all(found.output == target, axis=-1)),
        "sweeps": jnp.mean(found.sweeps * 1.0),
        "converged": jnp.mean(found.converged),
        "rise": jnp.max(rise),
    }


def measure(
    slow: Asynchronous, seed: int, reporter: Reporter
) -> dict[tuple[str, float], dict[str, list[float]]]:
    """Every network's :func:`recall_summary`, by learning rule and load."""
    keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), 2), slow.seeds)

    counts = pattern_counts(slow.dim, slow.loads)

    def of_load(rule: str, count: int) -> dict[str, list[float]]:
        summaries = [
            recall_summary(
                key,
                jnp.int32(count),
                jnp.float32(slow.flip),
                rule=rule,
                dim=slow.dim,
                max_count=max(counts),
                queries=min(slow.queries, *counts),
                max_sweeps=slow.max_sweeps,
            )
            for key in keys
        ]
        return {
            name: [float(f"{float(one[name]):.6g}") for one in summaries] for name in summaries[0]
        }

    return {
        (rule, load): reporter.cell(
            f"asynchronous/{rule}/load={load:g}", functools.partial(of_load, rule, count)
        )
        for rule in ("Hebb", "Storkey")
        for load, count in zip(slow.loads, counts, strict=True)
    }


def report(
    slow: Asynchronous,
    seed: int,
    recalls: Mapping[tuple[str, float], dict[str, list[float]]],
    reporter: Reporter,
) -> None:
    """Figure, table and verdict."""
    figure, (left, right) = plotting.new_figure(1, 2, panel=(4.6, 3.7))
    names = ["Hebb, asynchronous", "Hebb, one step", "Storkey, asynchronous", "Storkey, one step"]
    looks = plotting.styles(names)
    for rule in ("Hebb", "Storkey"):
        for key, name in (("overlap", "asynchronous"), ("one_step_overlap", "one step")):
            values = np.array([recalls[rule, load][key] for load in slow.loads])
            label = f"{rule}, {name}"
            plotting.curves(
                left, slow.loads, values.mean(axis=1), values.std(axis=1), label, style=looks[label]
            )
        sweeps = np.array([recalls[rule, load]["sweeps"] for load in slow.loads])
        look = looks[f"{rule}, asynchronous"]
        plotting.curves(right, slow.loads, sweeps.mean(axis=1), sweeps.std(axis=1), style=look)
    left.axvline(0.138, color=plotting.QUIET, linewidth=0.8, linestyle=":")
    left.axhline(1 - 2 * slow.flip, color=plotting.QUIET, linewidth=0.8, linestyle="--")
    left.set(xlabel="load N/d", ylabel="overlap with the stored pattern")
    right.set(xlabel="load N/d", ylabel="sweeps until no neuron flips")
    plotting.legend(figure, "learning rule, recall")
    data = (
        f"d = {slow.dim}, {100 * slow.flip:g} % of the query's bits flipped, up to {slow.queries} "
        f"queries to each of {slow.seeds} networks, seed {seed}"
    )
    reporter.figure(
        "asynchronous",
        figure,
        "Left: overlap of the recalled with the stored pattern; dotted: 0.138, where Hebbian "
        "recall breaks down in the limit of large d (Amit et al. 1985), dashed: overlap of the "
        f"query. Right: sweeps over all neurons. Mean ± 1 standard deviation over "
        f"networks; {data}.",
    )
    rows = [
        [
            rule,
            load,
            *[
                round(float(np.mean(found[key])), 4)
                for key in ("one_step_overlap", "overlap", "exact")
            ],
            round(float(np.mean(found["sweeps"])), 2),
            round(float(np.mean(found["converged"])), 4),
            max(found["rise"]),
        ]
        for (rule, load), found in recalls.items()
    ]
    columns = ["rule", "N/d", "overlap, one step", "overlap, asynchronous", "exactly recalled"]
    columns += ["sweeps", "converged", "largest rise / max(|E₀|, 1)"]
    reporter.table("asynchronous", columns, rows, f"Asynchronous recall; {data}.")
    rise = max(max(found["rise"]) for found in recalls.values())
    converged = min(min(found["converged"]) for found in recalls.values())
    reporter.verdict(
        "asynchronous-descends",
        ours=f"largest change of a sweep {rise:+.1e} of max(|E₀|, 1); at least "
        f"{100 * converged:g} % of the queries at rest within {slow.max_sweeps} sweeps at every "
        "load",
        holds=rise <= 0 and converged == 1.0,
    )
