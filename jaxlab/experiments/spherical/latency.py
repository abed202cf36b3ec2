"""What equivariance costs: time and memory of equivariant networks and of planar ones (claim C3).

Every equivariant network meets planar ones of the same number of parameters, drawn at random: one
image at a time, a batch, and a training step. What the equivariant network spends its time on is
told apart by stage. Nothing is trained to an accuracy.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
from pydantic import Field

from jaxlab.experiments.interface import Claim, Count, Counts, Reporter, Share, config
from jaxlab.experiments.measure import Compiled, interleaved_seconds
from jaxlab.experiments.spherical.latency_networks import (
    CALLS,
    compile_calls,
    matched_cnn,
    scaled_s2cnn,
)
from jaxlab.experiments.spherical.latency_report import (
    PLANAR,
    Measured,
    draw_cost,
    draw_stages,
    judge,
    report_cost,
    report_memory,
    report_stages,
)
from jaxlab.experiments.spherical.latency_stages import measure_stages
from jaxlab.experiments.spherical.networks import NetworkConfig, param_count

__all__ = ["CLAIMS", "Config", "run"]

Preset = Literal["s2cnn_39k", "s2cnn_204k", "s2cnn_56k", "s2cnn_original", "s2cnn_deep"]
SOURCE = "discussion of run times; the published networks are slower than their planar rivals"

CLAIMS = (
    Claim(
        id="slower-at-inference",
        statement="At inference an equivariant network takes more time per image than a planar one "
        "with as many parameters.",
        source=SOURCE,
        paper="qualitative: slower at inference",
        criterion="for every network and bandwidth, one image at a time and in a batch, more than "
        "the median time of the planar networks",
    ),
    Claim(
        id="slower-in-training",
        statement="A training step of an equivariant network takes more time than one of a planar "
        "network with as many parameters.",
        source=SOURCE,
        paper="qualitative: slower in training",
        criterion="for every network and bandwidth, more than the median time of the planar "
        "networks",
    ),
    Claim(
        id="more-memory",
        statement="A training step of an equivariant network needs more temporary memory.",
        source="signals on the rotation group have one dimension more than images",
        paper="no number",
        criterion="for every network and bandwidth, more than the median temporary memory of the "
        "planar networks, as the compiler accounts for it",
    ),
)


@config
class Config:
    """What is timed.

    Attributes:
        seed: of parameters, images and planar architectures.
        networks: presets, with their bandlimits scaled to every bandwidth.
        bandwidths: of the images.
        batch: images of a batch and of a training step.
        planar: planar architectures for each network.
        tolerance: by what fraction their number of parameters may differ.
        repeats: calls of which the median is taken.
        stages: networks whose stages are told apart.
        remat: whether equivariant networks compute layers again in the backward pass; with the
            ReLU of the presets that saves no memory.
    """

    seed: Annotated[int, Field(ge=0)]
    networks: Annotated[tuple[Preset, ...], Field(min_length=1)]
    bandwidths: Counts
    batch: Count
    planar: Count
    tolerance: Share
    repeats: Count
    stages: tuple[Preset, ...]
    remat: bool


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Compile, time, report."""
    pairs: list[tuple[str, int]] = [
        (name, b) for name in config.networks for b in sorted(config.bandwidths)
    ]
    staged: list[tuple[str, int]] = [
        (name, b) for name in config.stages for b in sorted(config.bandwidths)
    ]
    # all before the first is compiled: for small images there may be no planar network of the size
    networks = {pair: _networks(config, *pair) for pair in pairs}
    reporter.plan(len(pairs))
    measured = {pair: _measure(config, *pair, networks[pair], reporter) for pair in pairs}
    text = (
        f"batches of {config.batch} images, float32, {jax.device_count()} × "
        f"{jax.devices()[0].device_kind}, {config.planar} planar architectures for each network "
        f"(seed {config.seed})"
    )
    report_memory(measured, reporter, text)
    timed = f"{text}; median of {config.repeats} warm calls that take turns"
    report_cost(measured, config.batch, reporter, timed)
    draw_cost(measured, reporter, timed)
    stages = {
        (name, b): measure_stages(
            scaled_s2cnn(name, b, remat=config.remat),
            config.batch,
            seed=config.seed,
            repeats=config.repeats,
        )
        for name, b in staged
    }
    if stages:
        report_stages(stages, reporter, timed)
        draw_stages(stages, reporter, timed)
    reporter.note(
        "Times are wall clock of the machine named and differ from run to run; temporary memory is "
        "the compiler's account, the same on every machine of a kind. Nothing is trained to an "
        "accuracy: the cost at equal accuracy is another question."
    )
    judge(measured, reporter)


def _networks(config: Config, name: str, b: int) -> dict[str, NetworkConfig]:
    """One equivariant network and its planar rivals at one bandwidth."""
    own = scaled_s2cnn(name, b, remat=config.remat)
    networks: dict[str, NetworkConfig] = {name: own}
    for draw in range(config.planar):
        key = jax.random.fold_in(jax.random.key(config.seed), draw)
        networks[f"{PLANAR} {draw}"] = matched_cnn(key, own, config.tolerance)
    return networks


def _measure(
    config: Config, name: str, b: int, networks: Mapping[str, NetworkConfig], reporter: Reporter
) -> Measured:
    """Compile the networks and time them."""
    compiled = {
        title: compile_calls(network, config.batch, seed=config.seed)
        for title, network in networks.items()
    }
    memory = reporter.cell(f"memory/{name}/b={b}", functools.partial(_memory, networks, compiled))
    seconds: dict[str, dict[str, float]] = {}
    for call in CALLS:
        calls = {title: of_network[call].call for title, of_network in compiled.items()}
        seconds[call] = interleaved_seconds(calls, repeats=config.repeats)
        for title, median in seconds[call].items():
            reporter.timing(f"seconds, {CALLS[call]}, {name}, b = {b}, {title}", median)
    compile_seconds = {
        title: {call: of_network[call].seconds for call in CALLS}
        for title, of_network in compiled.items()
    }
    return Measured(memory, seconds, compile_seconds)


def _memory(
    networks: Mapping[str, NetworkConfig], compiled: Mapping[str, Mapping[str, Compiled]]
) -> dict[str, Any]:
    """What is the same in every run."""
    return {
        title: {
            "params": param_count(network),
            "layers": network.channels,
            "bytes": {call: compiled[title][call].temporary_bytes for call in CALLS},
        }
        for title, network in networks.items()
    }
