"""Figures of equivariance errors."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.spherical.equivariance_error_claims import TITLES, Errors
from jaxlab.experiments.spherical.globes import globe, paint
from jaxlab.spherical.tables import make_s2_tables
from jaxlab.spherical.transforms import s2_analysis, s2_synthesis

__all__ = ["draw_activations", "draw_bandwidths", "draw_grids", "draw_spheres", "draw_trained"]

LABEL = "equivariance error"
SHOWN = (1.1, 0.6)  # colatitude and longitude in the middle of the pictures
FINE = 64  # bandwidth that pictures are drawn from


def _looks() -> dict[str, dict[str, Any]]:
    """One look an activation in all figures."""
    looks = plotting.styles([name for name in TITLES if name != "none"])
    return looks | {"none": {"color": "#4D4D4D", "marker": "", "linestyle": ":"}}


def draw_activations(errors: Errors, reporter: Reporter, text: str) -> None:
    """Errors against the oversampling, with the range of the draws."""
    figure, ax = plotting.new_figure(panel=(5.4, 3.9))
    looks = _looks()
    for name, of_activation in errors.items():
        grids = sorted(of_activation)
        values = np.array([of_activation[over] for over in grids])
        if name == "none":
            ax.axhline(values.mean(), label=TITLES[name], linewidth=1.6, **_line(looks[name]))
            continue
        plotting.curves(ax, grids, values.mean(axis=1), label=TITLES[name], style=looks[name])
        band = {"color": looks[name]["color"], "alpha": 0.12, "linewidth": 0}
        ax.fill_between(grids, values.min(axis=1), values.max(axis=1), **band)
    ax.set(yscale="log", xlabel="oversampling of the activation's grid", ylabel=LABEL)
    ax.set_title("Equivariance error of a chain of layers, by activation")
    plotting.legend(figure, "activation")
    reporter.figure(
        "activations",
        figure,
        "Equivariance error against the oversampling of the grid on which the activation is "
        f"evaluated; line: mean, band: smallest and largest of the draws; {text}.",
    )


def draw_bandwidths(
    errors: Mapping[int, Errors], oversample: Sequence[float], reporter: Reporter, text: str
) -> None:
    """Errors against the bandwidth, one panel an oversampling."""
    figure, axes = plotting.new_figure(
        1, len(oversample), panel=(3.8, 3.5), sharey=True, title="Errors at other bandwidths"
    )
    looks = _looks()
    for ax, over in zip(np.ravel(axes), oversample, strict=True):
        for name in TITLES:
            grid = 1.0 if name == "none" else over
            known = [b for b in sorted(errors) if grid in errors[b][name]]
            means = [np.mean(errors[b][name][grid]) for b in known]
            plotting.curves(ax, known, means, label=TITLES[name], style=looks[name])
        plotting.count_axis(ax, sorted(errors))
        ax.set(yscale="log", xlabel="bandwidth b of the sphere")
        ax.set_title(f"oversampling ×{over:g}")
    np.ravel(axes)[0].set_ylabel(LABEL)
    plotting.legend(figure, "activation")
    reporter.figure(
        "bandwidths",
        figure,
        "Equivariance error against the bandwidth of the sphere, the chain's bandlimits growing "
        f"with it; means over draws; {text}.",
    )


def draw_spheres(seen: Mapping[str, Any], reporter: Reporter, text: str) -> None:
    """The output for the turned input, the turned output, and their difference."""
    grids = [name for name in seen if name not in ("x", "Qx")]
    columns = ("input x", "turned, Qx", "f(x)", "f(Qx)", "Q f(x)", "difference ×10")
    size, left, top = 1.35, 0.75, 0.62
    width, height = left + size * len(columns) + 0.1, top + size * len(grids) + 0.1
    figure = Figure(figsize=(width, height), dpi=120)
    for row, name in enumerate(grids):
        signals = {key: np.asarray(values) for key, values in seen[name].items()}
        mean, spread = signals["f(x)"].mean(), 2.5 * signals["f(x)"].std()
        limits = (mean - spread, mean + spread)
        difference = 10 * (signals["f(Qx)"] - signals["Q f(x)"])
        pictures = [
            *(paint(_globe(seen[key]), colours="viridis") for key in ("x", "Qx")),
            *(paint(_globe(signal), limits, colours="viridis") for signal in signals.values()),
            paint(_globe(difference), (-spread, spread), colours="RdBu"),
        ]
        for column, picture in enumerate(pictures):
            place = (left + size * column, height - top - size * (row + 1), size, size)
            box = (place[0] / width, place[1] / height, place[2] / width, place[3] / height)
            ax = figure.add_axes(box)
            ax.imshow(picture, interpolation="bilinear")
            ax.set_axis_off()
            if row == 0:
                ax.set_title(columns[column], fontsize=9)
        middle = 1 - (top + size * (row + 0.5)) / height
        figure.text(0.4 / width, middle, f"ReLU\n×{name}", ha="center", va="center", fontsize=9)
    title = "A network with ReLU before and after a rotation"
    figure.suptitle(title, fontsize=11, y=1 - 0.08 / height, va="top")
    reporter.figure(
        "spheres",
        figure,
        "One random input, one channel of the output, and both turned. The two last spheres before "
        "the difference would be equal if f were equivariant. Colours of f(x), f(Qx) and Q f(x) "
        "are the same in a row; the difference, ten times as large as it is, has their range, "
        f"white being 0. Orthographic, seen from outside; {text}.",
    )


def draw_grids(
    grids: Mapping[int, Mapping[str, Sequence[float]]], reporter: Reporter, text: str
) -> None:
    """Linear errors with images on the network's grid and on another."""
    figure, ax = plotting.new_figure(panel=(4.8, 3.5))
    labels = {"two": "on the Driscoll–Healy grid", "one": "on the network's grid"}
    for name, look in zip(labels, plotting.styles(list(labels)).values(), strict=True):
        means = [np.mean(errors[name]) for errors in grids.values()]
        plotting.curves(ax, list(grids), means, label=labels[name], style=look)
    plotting.count_axis(ax, list(grids))
    ax.set(yscale="log", xlabel="bandwidth b of the images", ylabel=LABEL)
    ax.set_title("Images half a grid step off in latitude")
    plotting.legend(figure, "images sampled")
    reporter.figure(
        "grids",
        figure,
        "Equivariance error without activation against the bandwidth of the images, sampled on the "
        "network's kind of grid and on another, as the published data are; bandlimits on the "
        f"rotation group are the same at every b; means over draws; {text}.",
    )


def draw_trained(
    networks: Mapping[str, Sequence[Mapping[str, Any]]], reporter: Reporter, text: str
) -> None:
    """Errors of trained networks against the oversampling."""
    figure, ax = plotting.new_figure(panel=(4.8, 3.5))
    looks = _looks()
    for name, cells in networks.items():
        grids = cells[0]["oversample"]
        for what, line in (("before", "--"), ("after", "-")):
            means = np.mean([cell[what] for cell in cells], axis=0)
            label, style = f"{TITLES[name]}, {what} training", looks[name] | {"linestyle": line}
            plotting.curves(ax, grids, means, label=label, style=style)
    ax.set(yscale="log", xlabel="oversampling of the activation's grid", ylabel=LABEL)
    ax.set_title("Trained networks, from images to logits")
    plotting.legend(figure)
    reporter.figure(
        "trained",
        figure,
        "Equivariance error of the logits against the oversampling with which the network is "
        f"asked, having been trained with ×1; {text}.",
    )


def _line(look: Mapping[str, Any]) -> dict[str, Any]:
    return {name: look[name] for name in ("color", "linestyle")}


def _globe(samples: Any) -> np.ndarray:
    """The signal on one half of the sphere, interpolated by its degrees."""
    b = len(samples) // 2
    F = s2_analysis(jnp.asarray(samples, jnp.float32), make_s2_tables(b, b))
    fine = s2_synthesis(F, make_s2_tables(max(b, FINE), b))
    return globe(np.asarray(fine), SHOWN, size=160, inside=False)
