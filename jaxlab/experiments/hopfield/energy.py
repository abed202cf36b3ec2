"""The energy of the two-layer network falls along its trajectories, for every similarity.

Images are centred and brought to unit length, so that the dot product is their correlation; the
visible neurons start at a corrupted image and the memory neurons at its scores
(:mod:`.energy_networks`).
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxlab.data
from jaxlab.checks import require
from jaxlab.experiments import plotting
from jaxlab.experiments.hopfield.energy_networks import (
    NAMES,
    Config,
    Network,
    centred,
    frame_steps,
    networks,
    trajectories,
)
from jaxlab.experiments.interface import Claim, Reporter
from jaxlab.hopfield.dynamics import DIVERGED, ENERGY_ROSE, OK

__all__ = ["CLAIMS", "Config", "run"]

_FLOOR = -1e6  # lowest energy that is drawn
_STATUS = {OK: "ok", ENERGY_ROSE: "energy rose", DIVERGED: "diverged"}

CLAIMS = (
    Claim(
        id="energy-falls",
        statement="The dynamics of the general memory network have an energy that never rises: a "
        "Lyapunov function, whatever the similarity and the Lagrangians.",
        source="abstract; section on neural dynamics",
        paper="a general energy function that is a Lyapunov function of the dynamics",
        criterion="no saved step of any trajectory raises the energy by more than 1e-5·|E₀| (RK4, "
        "differentiable similarities), and each ends below its start",
    ),
    Claim(
        id="rate-identity",
        statement="The energy falls at the rate −τ_v v̇ᵀ∇²L_v v̇ − τ_h ḣᵀ∇²L_h ḣ.",
        source="section on neural dynamics, after Krotov & Hopfield 2021",
        paper="exact identity",
        criterion="dE/dt by automatic differentiation along the flow equals the quadratic form to "
        "1e-4 relative, at every saved state whose rate is finite and exceeds 1e-9 of the "
        "trajectory's largest; every trajectory ends below its start",
    ),
)


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Integrate every network from the same corrupted images, and check its energy."""
    data = jaxlab.data.load(config.data.name)["images"]
    image_shape = data.shape[1:3]
    if len(data.shape) != 3:
        raise ValueError(f"data.name: expected grey images, got {config.data.name!r}")
    most = f"at most the {len(data)} images of {config.data.name}"
    require(config.memories <= len(data), "memories", config.memories, most)
    most = f"at most one for each of {config.memories} memories"
    require(config.queries <= config.memories, "queries", config.queries, most)
    images = data[: config.memories].reshape(config.memories, -1)
    chosen = networks(config)
    reporter.plan(len(chosen))
    measured = {
        network: reporter.cell(
            network.label(config), functools.partial(trajectories, config, network, images)
        )
        for network in chosen
    }
    caption = (
        f"{config.memories} centred unit-length images of {config.data.name}, {config.queries} "
        f"queries with noise σ = {config.sigma:g} (seed {config.seed}); RK4, "
        f"dt = {config.dt / config.tau_v:g} τ_v, τ_h = {config.tau_h / config.tau_v:g} τ_v, float64"
    )
    _report_table(config, measured, reporter, caption)
    _draw_energies(config, measured, reporter, caption)
    _draw_frames(config, measured, images, image_shape, reporter, caption)
    _judge(config, measured, reporter)


def _report_table(
    config: Config, measured: Mapping[Network, Any], reporter: Reporter, caption: str
) -> None:
    rows = []
    for network, result in measured.items():
        energies = np.array(result["energies"])
        counts = [f"{result['status'].count(code)} {name}" for code, name in _STATUS.items()]
        rows.append(
            [
                network.label(config),
                ", ".join(text for text in counts if not text.startswith("0 ")),
                float(f"{energies[:, 0].mean():.4g}"),
                float(f"{energies[:, -1].mean():.4g}"),
                result["rise"],
                result["identity"],
                result["correlation"],
                result["recalled"],
            ]
        )
    reporter.table(
        "networks",
        [
            "similarity / memory neurons / visible neurons",
            "trajectories",
            "E at start",
            "E at end",
            "largest rise / |E₀|",
            "rate error",
            "correlation with original",
            "nearest is original",
        ],
        rows,
        f"Energies (mean over queries), the two checks (worst over queries and saved states) and "
        f"what the final output resembles; {caption}.",
    )
    diverged = [network for network, result in measured.items() if DIVERGED in result["status"]]
    allowed = [network.label(config) for network in diverged if _unbounded(network)]
    others = [network.label(config) for network in diverged if not _unbounded(network)]
    if allowed:
        reporter.note(
            "Diverged, as the theory allows: " + "; ".join(allowed) + ". With linear features the "
            "rectified power of the dot product has an energy without a lower bound; it can fall "
            "until numbers overflow, and the trajectory is frozen at its last finite state."
        )
    if others:
        reporter.note(
            "Diverged, though the exact dynamics are bounded: " + "; ".join(others) + ". The step "
            "dt may be too long for them; the trajectory is frozen at its last finite state."
        )
    reporter.note(
        "Falling energy does not mean recall. At a small β the softmax may mix images, so that the "
        "minimum is an average of many. With squared Euclidean similarity and linear features the "
        "leak −v pulls the fixed point to 2/3 of what the softmax picks, which a correlation does "
        "not see."
    )


def _unbounded(network: Network) -> bool:
    """Whether the energy has no lower bound.

    Linear features to the power ``p + 1 > 2`` outweigh ½‖v‖²; the other features are bounded, or
    the memory neurons are.
    """
    return network.beta is None and network.visible == "quadratic"


def _draw_energies(
    config: Config, measured: Mapping[Network, Any], reporter: Reporter, caption: str
) -> None:
    rows = [(similarity, False) for similarity in config.similarities]
    rows += [("dot_product", True)] if "dot_product" in config.similarities else []
    figure, axes = plotting.new_figure(
        len(rows), len(config.visible), panel=(3.7, 2.5), sharex=True
    )
    axes = np.reshape(axes, (len(rows), len(config.visible)))
    hidden = dict.fromkeys(network.hidden_label(config) for network in measured)
    looks = {name: {**look, "marker": ""} for name, look in plotting.styles(list(hidden)).items()}
    times = _saved_every(config) * np.arange(config.steps // config.save_every + 1)
    for network, result in measured.items():
        place = rows.index((network.similarity, network.beta is None))
        ax = axes[place, config.visible.index(network.visible)]
        name = network.hidden_label(config)
        for curve in result["energies"]:
            # the start has no place on a logarithmic axis: draw it at half of the first save
            shown = np.concatenate([[times[1] / 2], times[1:]])
            plotting.curves(ax, shown, np.maximum(curve, _FLOOR), label=name, style=looks[name])
    for (similarity, rectified), row in zip(rows, axes, strict=True):
        name = NAMES[similarity]
        row[0].set_ylabel(f"{name}\nenergy" if not rectified else f"{name}, power\nenergy")
        for ax in row:
            ax.set_xscale("log")
            if ax.get_ylim()[0] < -10:
                ax.set_yscale("symlog", linthresh=1.0)
                ax.set_yticks([1.0, 0.0, -1.0, -1e2, -1e4, _FLOOR])
                ax.minorticks_off()
                ax.set_ylim(top=10.0)
    for name, ax in zip(config.visible, axes[0], strict=True):
        ax.set_title(f"visible: {NAMES[name]}")
    for ax in axes[-1]:
        ax.set_xlabel("time, units of τ_v")
    plotting.legend(figure, "memory neurons")
    reporter.figure(
        "energies",
        figure,
        f"Energy along the trajectories, one curve per query; {caption}. The start is drawn at "
        "half of the first saved time. Where energies fall below −10 the axis is "
        f"symmetric-logarithmic and ends at {_FLOOR:.0e}; diverging ones are not followed "
        "further. Curves that lie on each other hide the first.",
    )


def _draw_frames(
    config: Config,
    measured: Mapping[Network, Any],
    images: np.ndarray,
    image_shape: Sequence[int],
    reporter: Reporter,
    caption: str,
) -> None:
    steps = frame_steps(config)
    target = np.asarray(centred(jnp.asarray(images[:1])))[0]
    visible = {
        of_power: preferred if preferred in config.visible else config.visible[0]
        for of_power, preferred in ((False, "quadratic"), (True, "layer_norm"))
    }
    rows = {}
    for network, result in measured.items():
        if network.visible == visible[network.beta is None]:
            pictures = [*result["frames"], target]
            rows[f"{NAMES[network.similarity]}, {network.hidden_label(config)}"] = np.reshape(
                pictures, (len(pictures), *image_shape)
            )
    times = [f"t = {_saved_every(config) * step:.3g}" for step in steps]
    figure = plotting.image_rows(
        rows, [*times, "original"], limits=(float(target.min()), float(target.max())), size=0.85
    )
    neurons = f"{NAMES[visible[False]]} for softmax"
    if any(network.beta is None for network in measured):
        neurons += f", {NAMES[visible[True]]} for the rectified power"
    reporter.figure(
        "frames",
        figure,
        "Output of the visible neurons of the first query over time, in units of τ_v; visible "
        f"neurons: {neurons}; {caption}.",
    )


def _saved_every(config: Config) -> float:
    """Time between saved states, in units of τ_v."""
    return config.dt * config.save_every / config.tau_v


def _judge(config: Config, measured: Mapping[Network, Any], reporter: Reporter) -> None:
    # a trajectory that is at rest, or frozen before its first save, shows neither
    falls = all(
        curve[-1] < curve[0] for result in measured.values() for curve in result["energies"]
    )
    for claim, key, limit, unit in (
        ("energy-falls", "rise", 1e-5, "|E₀|"),
        ("rate-identity", "identity", 1e-4, "relative"),
    ):
        worst = max(measured, key=lambda network: np.nan_to_num(measured[network][key], nan=np.inf))
        value = measured[worst][key]
        within = bool(value <= limit)
        reporter.scalar(f"largest {key}", value)
        reporter.verdict(
            claim,
            ours=f"at most {value:.1e} {unit} over {len(measured)} networks × {config.queries} "
            f"trajectories (largest: {worst.label(config)})"
            + ("" if falls else "; not every trajectory ends below its start"),
            holds=within if falls or not within else None,
        )
