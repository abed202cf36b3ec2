"""The same tuning for every network: learning rates and batch-norm, chosen on validation data.

Each network gets as many candidates as any other, each a short run with seed 0. A name such as
``"cnn:50000"`` stands for a random architecture of that many parameters; of ``draws`` of them the
one that does best in such a run with the first candidate is taken, as the paper chose its networks.
Its further candidates are the same architecture, with batch-norm and without.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import jax
from pydantic import Field

from jaxlab.checks import require
from jaxlab.experiments.interface import Count, Positive, Reporter, config
from jaxlab.experiments.spherical.fitting import Trained
from jaxlab.experiments.spherical.networks import NetworkConfig, named_network, param_count
from jaxlab.spherical.cnn_architectures import sample_cnn_architecture
from jaxlab.spherical.s2cnn_architectures import sample_s2cnn_architecture
from jaxlab.spherical.types import Grid, Task

__all__ = [
    "Attempt",
    "Candidate",
    "Tuned",
    "Tuning",
    "count_cells",
    "draw_networks",
    "is_s2cnn",
    "tune",
    "tune_all",
]

Rates = Annotated[tuple[Positive, ...], Field(min_length=1)]
TOLERANCE = 0.05  # of the number of parameters of a random architecture


@config
class Tuning:
    """How networks are chosen.

    Attributes:
        s2cnn_rates: learning rates tried for equivariant networks.
        cnn_rates: as many for planar ones.
        batch_norm: tried with each rate, for both.
        s2cnn_steps: length of a run.
        cnn_steps: length of a run.
        draws: random architectures for each name that asks for them.
    """

    s2cnn_rates: Rates
    cnn_rates: Rates
    batch_norm: Annotated[tuple[bool, ...], Field(min_length=1)]
    s2cnn_steps: Count
    cnn_steps: Count
    draws: Count

    def __post_init__(self) -> None:
        """Both families are tuned alike."""
        fits = len(self.s2cnn_rates) == len(self.cnn_rates)
        require(fits, "cnn_rates", self.cnn_rates, f"{len(self.s2cnn_rates)}, as s2cnn_rates")


class Candidate(NamedTuple):
    """One way to train a network."""

    learning_rate: float
    batch_norm: bool


class Tuned(NamedTuple):
    """A network and the way to train it that did best.

    Attributes:
        name: as in the config.
        network: architecture.
        candidate: how it is trained.
        rows: every run that led here: name, parameters, rate, batch-norm, score in percent, and
            what was chosen by it: ``"architecture"``, the candidate (``"←"``), or nothing.
    """

    name: str
    network: NetworkConfig
    candidate: Candidate
    rows: list[list[Any]]


Attempt = Callable[[str, NetworkConfig, float], Trained]  # of a cell's key, a network and a rate


def is_s2cnn(name: str) -> bool:
    """Whether the network of that name is an equivariant one."""
    return name.startswith("s2cnn")


def count_cells(tuning: Tuning, names: Sequence[str]) -> int:
    """How many runs :func:`tune` makes for all of them."""
    candidates = len(tuning.cnn_rates) * len(tuning.batch_norm)
    return sum(candidates + (tuning.draws if ":" in name else 0) for name in names)


def draw_networks(
    tuning: Tuning,
    names: Sequence[str],
    *,
    task: Task,
    bandwidth: int,
    num_classes: int,
    seed: int,
) -> dict[str, list[NetworkConfig]]:
    """The random architectures of every name that asks for them, none of a preset's.

    All before the first is trained, since there may be none of the size for these images.

    Args:
        tuning: how many; whether the first candidate has batch-norm, which counts as parameters.
        names: of all networks.
        task: what networks are for.
        bandwidth: of the images.
        num_classes: outputs.
        seed: of the draws.

    Raises:
        ValueError: for a size of which no network was found.
    """
    drawn: dict[str, list[NetworkConfig]] = {}
    for name in names:
        family, colon, size = name.partition(":")
        sample = sample_s2cnn_architecture if family == "s2cnn" else sample_cnn_architecture
        drawn[name] = [
            sample(
                jax.random.fold_in(jax.random.key(seed), draw),
                int(size),
                TOLERANCE,
                bandwidth,
                num_classes=num_classes,
                task=task,
                batch_norm=tuning.batch_norm[0],
            )
            for draw in range(tuning.draws if colon else 0)
        ]
    return drawn


def tune_all(
    reporter: Reporter,
    tuning: Tuning,
    names: Sequence[str],
    architectures: Mapping[str, Sequence[NetworkConfig]],
    attempt: Callable[[str, int, str, NetworkConfig, float], Trained],
    equivariant: Mapping[str, Any],
    **shared: Any,
) -> list[Tuned]:
    """Every network by :func:`tune`, one after the other.

    Args:
        reporter: keeps each run as a cell.
        tuning: what to try.
        names: of all networks.
        architectures: of every name, from :func:`draw_networks`.
        attempt: trains one: of its name, the number of steps, and what an ``Attempt`` takes.
        equivariant: fields of equivariant architectures to replace.
        **shared: what :func:`tune` is told besides.
    """
    return [
        tune(
            reporter,
            tuning,
            name,
            functools.partial(
                attempt, name, tuning.s2cnn_steps if is_s2cnn(name) else tuning.cnn_steps
            ),
            architectures[name],
            **shared,
            **(equivariant if is_s2cnn(name) else {}),
        )
        for name in names
    ]


def tune(
    reporter: Reporter,
    tuning: Tuning,
    name: str,
    attempt: Attempt,
    architectures: Sequence[NetworkConfig],
    *,
    task: Task,
    bandwidth: int,
    num_classes: int,
    grid: Grid,
    **changes: Any,
) -> Tuned:
    """Choose the architecture, where it is random, and then learning rate and batch-norm.

    Args:
        reporter: keeps each run as a cell.
        tuning: what to try.
        name: of the network.
        attempt: trains one for a short while.
        architectures: those to choose from, of :func:`draw_networks`; none of a preset.
        task: what networks are for.
        bandwidth: of the images.
        num_classes: outputs.
        grid: of equivariant networks.
        **changes: fields of architectures to replace.
    """
    rates = tuning.s2cnn_rates if is_s2cnn(name) else tuning.cnn_rates
    candidates = [Candidate(rate, norm) for norm in tuning.batch_norm for rate in rates]
    rows: list[list[Any]] = []

    def made(draw: int, norm: bool) -> NetworkConfig:
        options = changes | {"batch_norm": norm}
        if not architectures:
            return named_network(name, task, bandwidth, num_classes, grid=grid, **options)
        fields = options | ({"grid": grid} if is_s2cnn(name) else {})
        return dataclasses.replace(architectures[draw], **fields)

    def tried(key: str, network: NetworkConfig, candidate: Candidate) -> float:
        key = f"tune/{name}/{key}".replace(":", "-")
        run = functools.partial(attempt, key, network, candidate.learning_rate)
        score = reporter.cell(key, lambda: float(f"{run().validation:.6g}"))
        rows.append([name, param_count(network), *candidate, round(100 * score, 2)])
        return score

    draw, marks = 0, []
    if architectures:
        scores = [
            tried(f"draw={draw}", made(draw, candidates[0].batch_norm), candidates[0])
            for draw in range(len(architectures))
        ]
        draw = scores.index(max(scores))
        marks = ["architecture" if number == draw else "" for number in range(len(scores))]
    scores = [
        tried(
            f"lr={one.learning_rate:g},bn={one.batch_norm}".lower(), made(draw, one.batch_norm), one
        )
        for one in candidates
    ]
    best = candidates[scores.index(max(scores))]
    marks += ["←" if one == best else "" for one in candidates]
    rows = [[*row, mark] for row, mark in zip(rows, marks, strict=True)]
    return Tuned(name, made(draw, best.batch_norm), best, rows)
