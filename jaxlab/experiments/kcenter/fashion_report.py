"""Claims, table and figures of the experiment on a summary of images."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from jaxlab.experiments import plotting
from jaxlab.experiments.interface import Claim, Reporter

__all__ = [
    "CLAIMS",
    "CLASSES",
    "METHODS",
    "draw_pictures",
    "draw_sizes",
    "judge",
    "picture_grid",
    "tabulate",
]

CLASSES = 10
METHODS = {
    "plain": "plain",
    "fair": "fair",
    "joint": "fair and private",
    "refined": "fair and private, refined",
}
PRIVATE = ("joint", "refined")
LOOKS = plotting.styles(list(METHODS))
_SMALL = plotting.COLOURS[1]

Cells = Mapping[str, Any]

CLAIMS = (
    Claim(
        id="classes",
        statement="Fair summaries have as many images of every class as were asked for.",
        source="problem definition",
        paper="all",
        criterion="exactly that many of every class, of the fair and both private summaries",
    ),
    Claim(
        id="sizes",
        statement="Every image of a private summary stands for at least as many as were asked for.",
        source="problem definition",
        paper="all",
        criterion="no cluster smaller than the privacy bound, of both private summaries",
    ),
    Claim(
        id="needed",
        statement="Neither comes by itself.",
        source="motivation of the paper",
        paper="–",
        criterion="the plain summary misses a class's number, and the fair one has a cluster below "
        "the bound",
    ),
)


def per_class(cell: Mapping[str, Any], classes: int) -> np.ndarray:
    """Number of images of every class."""
    return np.bincount(cell["classes"], minlength=classes)


def tabulate(config: Any, cells: Cells, names: list[str], reporter: Reporter) -> None:
    """Radii, sizes and classes of the summaries."""
    reporter.table(
        "summaries",
        [
            *("summary", "images", "radius", "mean distance", "min size", "max size"),
            *("lower bound", "certificate", *names),
        ],
        [
            [
                METHODS[method],
                len(cell["counts"]),
                round(cell["radius"], 4),
                round(cell["mean_distance"], 4),
                min(cell["counts"]),
                max(cell["counts"]),
                round(cell["lower_bound"], 4),
                round(cell["radius"] / cell["lower_bound"], 3),
                *per_class(cell, len(names)).tolist(),
            ]
            for method, cell in cells.items()
        ],
        f"Summaries of {sum(cells['plain']['counts'])} images by {config.dims} principal "
        f"components, at least {config.min_size} images in a private cluster; last the number of "
        "images of every class. Lower bounds are those of each problem.",
    )


def draw_pictures(config: Any, cells: Cells, images: np.ndarray, reporter: Reporter) -> None:
    """The summaries, image by image."""
    rows = {METHODS[method]: (cell["centers"], cell["counts"]) for method, cell in cells.items()}
    figure = picture_grid(images, rows, least=config.min_size)
    reporter.figure(
        "pictures",
        figure,
        "The images of each summary in the order of their classes, and below each how many it "
        f"stands for; fewer than {config.min_size} are marked.",
    )


def picture_grid(
    images: np.ndarray,
    rows: Mapping[str, tuple[list[int], list[int]]],
    *,
    least: int,
    columns: int = 10,
    size: float = 0.8,
) -> Figure:
    """Blocks of images with a number below each.

    Args:
        images: all images, ``[n, h, w]``, grey in 0..1.
        rows: of each block's title, the images shown and their numbers.
        least: numbers below it are marked.
        columns: images side by side.
        size: side of a cell, inches.
    """
    lines = {title: -(-len(shown) // columns) for title, (shown, _) in rows.items()}
    high = sum(lines.values()) * 1.3 + 0.6 * len(rows)
    wide, tall = size * columns + 0.2, size * high + 0.1
    figure = Figure(figsize=(wide, tall), dpi=120)
    ax = figure.add_axes((0.1 / wide, 0.05 / tall, size * columns / wide, size * high / tall))
    top = 0.0
    for title, (shown, numbers) in rows.items():
        ax.text(-0.45, top + 0.3, title, ha="left", va="center", fontsize=11)
        top += 0.6
        for place, (image, number) in enumerate(zip(shown, numbers, strict=True)):
            left, line = place % columns, top + 1.3 * (place // columns)
            ax.imshow(
                1 - images[image],
                cmap="gray",
                vmin=0,
                vmax=1,
                interpolation="nearest",
                extent=(left - 0.45, left + 0.45, line + 0.95, line + 0.05),
            )
            few = number < least
            ax.text(
                left,
                line + 1.1,
                f"{number:,}",
                ha="center",
                va="center",
                fontsize=8,
                color=_SMALL if few else plotting.INK,
                fontweight="bold" if few else "normal",
            )
        top += 1.3 * lines[title]
    ax.set(xlim=(-0.5, columns - 0.5), ylim=(high, 0), aspect="equal")
    ax.axis("off")
    return figure


def draw_sizes(config: Any, cells: Cells, reporter: Reporter) -> None:
    """Cluster sizes of every summary from large to small."""
    figure, ax = plotting.new_figure(panel=(6.0, 3.8))
    for method, cell in cells.items():
        sizes = np.sort(cell["counts"])[::-1]
        rank = np.arange(1, len(sizes) + 1)
        plotting.curves(ax, rank, sizes, label=METHODS[method], style=LOOKS[method])
    ax.axhline(config.min_size, color=plotting.COLOURS[6], linestyle=":", label="privacy bound")
    ax.set(xlabel="clusters, from large to small", ylabel="images of a cluster", yscale="log")
    plotting.legend(figure)
    reporter.figure("sizes", figure, "How many images each image of a summary stands for.")


def judge(config: Any, cells: Cells, reporter: Reporter) -> None:
    """Hold the summaries against the claims."""
    exact = {
        method: bool((per_class(cell, CLASSES) == config.per_class).all())
        for method, cell in cells.items()
    }
    fair = [method for method in METHODS if method != "plain"]
    wrong = [METHODS[method] for method in fair if not exact[method]]
    reporter.verdict(
        "classes",
        ours=f"not so: {', '.join(wrong)}" if wrong else f"{config.per_class} of every class",
        holds=not wrong,
    )
    smallest = {method: min(cell["counts"]) for method, cell in cells.items()}
    reporter.verdict(
        "sizes",
        ours=", ".join(f"{METHODS[method]}: {smallest[method]}" for method in PRIVATE),
        holds=all(smallest[method] >= config.min_size for method in PRIVATE),
    )
    missed = int((per_class(cells["plain"], CLASSES) != config.per_class).sum())
    reporter.verdict(
        "needed",
        ours=f"plain has another number than {config.per_class} of {missed} of {CLASSES} classes; "
        f"smallest fair cluster {smallest['fair']}",
        holds=bool(missed and smallest["fair"] < config.min_size),
    )
