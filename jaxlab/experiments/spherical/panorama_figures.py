"""Figures on the ways from panoramas and HEALPix maps to a network."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Reporter
from jaxlab.experiments.spherical.globes import globe, paint
from jaxlab.experiments.spherical.panorama_report import KINDS, Results, network_title
from jaxlab.experiments.spherical.panorama_worlds import FRONTS, WORLDS, World

__all__ = ["draw_gains", "draw_path", "draw_recovery", "draw_worlds"]

TOWARD = (0.5 * np.pi, np.pi)  # the middle of a panorama


def draw_recovery(results: Results, reporter: Reporter, fields: int) -> None:
    """Errors of HEALPix maps by correction, and of grids by degrees."""
    figure, (left, right) = plotting.new_figure(1, 2, panel=(4.6, 3.6))
    for nside, by_count in results.healpix.items():
        worst = [max(errors) for errors in by_count]
        plotting.curves(left, np.arange(len(worst)), worst, label=f"HEALPix, nside = {nside}")
    left.axhline(1e-3, color=plotting.QUIET, linewidth=1, linestyle="--")
    left.set(title="HEALPix map, L = 2·nside", xlabel="corrections", yscale="log")
    left.set_ylabel("relative error of the spectrum")
    looks = list(plotting.styles([str(place) for place in range(8)]).values())[::-1]
    for (kind, errors), look in zip(results.recovery.items(), looks, strict=False):
        worst = [max(values) for values in errors.values()]
        plotting.curves(right, list(errors), worst, label=KINDS[kind], style=look)
    right.axhline(1e-6, color=plotting.QUIET, linewidth=1, linestyle="--", label="what is claimed")
    right.set(title="grids with exact weights", xlabel="degrees L", yscale="log")
    plotting.count_axis(right, list(next(iter(results.recovery.values()))))
    plotting.legend(figure)
    reporter.figure(
        "recovery",
        figure,
        "Relative error of the spectrum after a round trip through samples, in float32: the "
        f"largest of {fields} random fields.",
    )


def draw_gains(results: Results, reporter: Reporter, bandwidth: int) -> None:
    """What a way to the grid keeps of each degree, and what it adds."""
    worlds = list(results.gains)
    heights = list(next(iter(results.gains.values())))
    figure, axes = plotting.new_figure(
        len(worlds), 2, panel=(4.6, 3.0), sharex=True, title="from a panorama to the grid"
    )
    looks = plotting.styles([str(height) for height in heights])
    for row, world in zip(np.atleast_2d(axes), worlds, strict=True):
        for ax, part in zip(row, ("gain", "added"), strict=True):
            for height, ways in results.gains[world].items():
                values = ways["resampling"][part]
                name = f"resampled, {height} × {2 * height}"
                place = np.arange(1, len(values) + 1)
                plotting.curves(ax, place, values, label=name, style=looks[str(height)])
            analysed = results.gains[world][max(heights)]["analysis"][part]
            ax.plot(
                np.arange(1, len(analysed) + 1),
                analysed,
                color=plotting.INK,
                linestyle="--",
                linewidth=1.4,
                label="by the spectrum",
            )
        row[0].set(title=f"{WORLDS[world]}: kept", ylabel="gain", ylim=(0, 1.1))
        row[1].set(title=f"{WORLDS[world]}: added", ylabel="relative to the degree")
        row[1].set(yscale="log", ylim=(1e-8, 1))
    for ax in np.atleast_2d(axes)[-1]:
        ax.set_xlabel("degree l")
        ax.set_xticks(range(0, bandwidth, max(1, bandwidth // 8)))
    plotting.legend(figure, "panorama, pixels")
    reporter.figure(
        "gains",
        figure,
        "How much of each degree of a panorama is left on the network's grid (bandwidth "
        f"{bandwidth}), 1 being all of it, and what else there is of that degree. Resampled: "
        "averages of pixels where the panorama has more of them than the grid, interpolation where "
        "it has fewer. By the spectrum: the panorama with the most degrees, analysed at its own "
        "resolution and cut off.",
    )


def draw_path(results: Results, reporter: Reporter, text: str) -> None:
    """Equivariance errors of every network, by world and way to the grid."""
    worlds = list(results.path)
    networks = list(next(iter(results.path.values())))
    figure, axes = plotting.new_figure(
        1, len(worlds), panel=(4.8, 0.5 * len(networks) + 1.2), sharey=True, sharex=True
    )
    looks = plotting.styles(list(FRONTS))
    for ax, world in zip(np.atleast_1d(axes), worlds, strict=True):
        for place, front in enumerate(FRONTS):
            errors = [results.mean_error(world, network, front) for network in networks]
            at = np.arange(len(networks)) + (place - (len(FRONTS) - 1) / 2) * 0.15
            look = {**looks[front], "linestyle": "none", "markersize": 7}
            ax.plot(errors, at, label=FRONTS[front], markeredgewidth=0, **look)
        ax.set(title=WORLDS[world], xscale="log", xlabel="equivariance error")
    first = np.atleast_1d(axes)[0]
    first.set_yticks(np.arange(len(networks)), [network_title(network) for network in networks])
    first.invert_yaxis()
    plotting.legend(figure, "way to the grid")
    reporter.figure(
        "path",
        figure,
        "Equivariance error of a network's output when the world is turned, mean over rotations, "
        f"by activation with its oversampling and by the way from the world to the grid; {text}.",
    )


def draw_worlds(
    pictures: Mapping[World, Mapping[str, np.ndarray]],
    titles: Sequence[str],
    reporter: Reporter,
    text: str,
) -> None:
    """Panoramas of turned worlds, and what the network gets and gives."""
    for world, parts in pictures.items():

        def coloured(values: np.ndarray, world: World = world, parts: Any = parts) -> np.ndarray:
            """Channels ``[n, 3, h, w]`` as colours of a photograph, or the first one as heights."""
            low, high = np.percentile(parts["panorama"], (1, 99))
            if world == "field":
                return paint(values[:, 0], (low, high), colours="gist_earth")
            return np.nan_to_num(
                np.clip((np.moveaxis(values, 1, -1) - low) / (high - low), 0, 1), nan=1
            )

        def sphere(values: np.ndarray) -> np.ndarray:
            return globe(values, TOWARD, inside=False)

        output = sphere(parts["output"][:, 0])
        rows = {
            "panorama": coloured(parts["panorama"]),
            "network's grid": coloured(parts["analysed"]),
            "as a sphere": coloured(sphere(parts["analysed"])),
            "output, 1 channel": paint(output, colours="viridis"),
        }
        reporter.figure(
            f"turned-{world}",
            plotting.image_rows(rows, titles=titles, title=WORLDS[world], size=1.6),
            f"{WORLDS[world].capitalize()}: panoramas of the turned world, what the network gets "
            f"of them, and what it makes of it; spheres are seen from outside; {text}.",
        )
