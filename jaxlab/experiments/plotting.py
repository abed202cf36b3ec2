"""One look for every figure: a colour-blind-safe cycle, light grids, figures that own themselves.

Figures are ``matplotlib.figure.Figure`` objects. Neither pyplot nor rcParams are touched, so a
figure needs no display, two threads may draw at once, and a user's own style stays as it was.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

__all__ = [
    "COLOURS",
    "INK",
    "QUIET",
    "bars",
    "count_axis",
    "curves",
    "image_rows",
    "legend",
    "new_figure",
    "styles",
]

# Okabe and Ito's palette; its yellow is too pale for a line on white, so an ochre stands in for it.
COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#4D4D4D",
    "#8C6D1F",
)
INK = "#222222"  # of text, and of what lies over everything
QUIET = "#666666"  # of axes and guides
_MARKERS = "os^Dv<>P"
_LINES = ("-", "--", ":", "-.")
_GRID = "#E4E4E4"
_DPI = 120


def new_figure(
    rows: int = 1,
    columns: int = 1,
    *,
    panel: tuple[float, float] = (5.0, 3.6),
    title: str | None = None,
    sharex: bool = False,
    sharey: bool = False,
) -> tuple[Figure, Any]:
    """A figure of ``rows`` x ``columns`` styled axes.

    Args:
        rows: rows of axes.
        columns: columns of axes.
        panel: width and height of one of the axes, inches.
        title: heading over all axes.
        sharex: all axes have one x range.
        sharey: all axes have one y range.

    Returns:
        The figure, and the axes as ``Figure.subplots`` gives them: one Axes for 1 x 1, otherwise an
        array with the axes of size one dropped.

    Example:
        >>> figure, (left, right) = new_figure(1, 2, sharey=True)
        >>> left.set(xlabel="stored patterns", ylabel="fraction recalled")[0].get_text()
        'stored patterns'
    """
    figure = Figure(figsize=(panel[0] * columns, panel[1] * rows), dpi=_DPI, layout="constrained")
    axes = figure.subplots(rows, columns, sharex=sharex, sharey=sharey)
    for ax in np.ravel(axes):
        _style(ax)
    if title is not None:
        figure.suptitle(title, fontsize=12, color=INK)
    return figure, axes


def styles(labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour, marker and line of each label, to be kept over all figures of an experiment.

    The first eight differ in colour and marker, the next eight also in the line; pass one of them
    to :func:`curves` as ``style``.

    Example:
        >>> styles(["manhattan", "dot_product"])["dot_product"]
        {'color': '#D55E00', 'marker': 's', 'linestyle': '-'}
    """
    return {label: _look(index) for index, label in enumerate(labels)}


def curves(
    ax: Axes,
    x: Any,
    mean: Any,
    sd: Any = None,
    label: str | None = None,
    *,
    style: Mapping[str, Any] | None = None,
) -> None:
    """One line, with a band of plus and minus one standard deviation.

    Args:
        ax: where to draw.
        x: positions, [n].
        mean: values, [n]; NaN leaves a gap.
        sd: standard deviations, [n]; None draws no band.
        label: name in the legend.
        style: one entry of :func:`styles`; by default the next look this axes has not used.
    """
    x, mean = np.asarray(x), np.asarray(mean)
    look = _look(len(ax.lines)) if style is None else style
    ax.plot(x, mean, label=label, linewidth=1.6, markersize=4, markeredgewidth=0, **look)
    if sd is not None:
        sd = np.asarray(sd)
        ax.fill_between(x, mean - sd, mean + sd, color=look["color"], alpha=0.15, linewidth=0)


def count_axis(ax: Axes, counts: Sequence[int]) -> None:
    """Logarithmic x axis for ``counts``, labelled with as many of them as fit legibly."""
    ax.set_xscale("log")
    shown: list[int] = []
    span = np.log(max(counts) / min(counts)) or 1.0
    for count in sorted(counts, reverse=True):
        if not shown or np.log(shown[-1] / count) > 0.12 * span:
            shown.append(count)
    ax.xaxis.set_major_locator(FixedLocator(shown))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels([str(count) for count in shown])


def legend(figure: Figure, title: str | None = None) -> None:
    """One legend for the whole figure, right of the axes, each label once."""
    entries: dict[str, Any] = {}
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="outside right center",
        title=title,
        frameon=False,
        fontsize=9,
        title_fontsize=9,
        handlelength=2.5,
    )


def bars(
    ax: Axes,
    labels: Sequence[str],
    values: Any,
    errors: Any = None,
    *,
    number: str = "{:.2f}",
) -> None:
    """Horizontal bars with their values written beside them, first label on top.

    Args:
        ax: where to draw.
        labels: name of each bar, or of each group of bars.
        values: [n], or a mapping from series name to [n], which draws groups.
        errors: standard deviations, shaped like ``values``; None draws none.
        number: format of the written values.
    """
    series = values if isinstance(values, Mapping) else {None: values}
    spread = errors if isinstance(errors, Mapping) else dict.fromkeys(series, errors)
    height = 0.8 / len(series)
    for index, (name, numbers) in enumerate(series.items()):
        at = np.arange(len(labels)) + (index - (len(series) - 1) / 2) * height
        drawn = ax.barh(
            at,
            np.asarray(numbers),
            height=0.9 * height,
            xerr=None if spread[name] is None else np.asarray(spread[name]),
            label=name,
            color=COLOURS[index % len(COLOURS)],
            error_kw={"ecolor": QUIET, "elinewidth": 1, "capsize": 2},
        )
        written = [number.format(value) for value in np.asarray(numbers)]
        ax.bar_label(drawn, written, padding=4, fontsize=8, color=INK)
    ax.set_yticks(np.arange(len(labels)), labels)
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.margins(x=0.12)


def image_rows(
    rows: Mapping[str, Any],
    titles: Sequence[str] | None = None,
    *,
    title: str | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
    size: float = 0.75,
) -> Figure:
    """Labelled rows of small images, such as originals, queries and recalls.

    Args:
        rows: label to images, ``[n, h, w]`` grey, ``[n, h, w, 3]`` or ``[n, 3, h, w]`` colour. Rows
            may differ in n, h and w; each image is scaled to its cell.
        titles: heading of each column.
        title: heading of the figure.
        limits: values drawn black and white; values beyond them are clipped.
        size: side of a cell, inches.

    Example:
        >>> digits = np.zeros((5, 8, 8))
        >>> figure = image_rows({"original": digits, "recalled": digits}, title="digits")
        >>> len(figure.axes[0].images)
        10
    """
    columns = max(len(images) for images in rows.values())
    # placed by hand: a layout engine centres axes of fixed aspect and cuts long labels off
    left, right = 0.2 + 0.075 * max(len(label) for label in rows), 0.1
    top = 0.1 + (0.25 if titles is not None else 0.0) + (0.3 if title is not None else 0.0)
    wide, high = left + size * columns + right, top + size * len(rows) + 0.1
    figure = Figure(figsize=(wide, high), dpi=_DPI)
    ax = figure.add_axes((left / wide, 0.1 / high, size * columns / wide, size * len(rows) / high))
    for row, images in enumerate(rows.values()):
        for column, image in enumerate(np.asarray(images, dtype=np.float64)):
            pixels = _pixels(image, limits)
            tall, broad = 0.94 * np.asarray(pixels.shape[:2]) / max(pixels.shape[:2]) / 2
            ax.imshow(
                pixels,
                cmap="gray",
                vmin=0.0,
                vmax=1.0,
                interpolation="nearest",
                extent=(column - broad, column + broad, row + tall, row - tall),
            )
    ax.set(xlim=(-0.5, columns - 0.5), ylim=(len(rows) - 0.5, -0.5), aspect="equal")
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set_xticks(range(columns) if titles is not None else [], titles)
    ax.tick_params(length=0, labelsize=9, colors=INK, top=False, labeltop=True, labelbottom=False)
    ax.spines[:].set_visible(False)
    if title is not None:
        figure.suptitle(title, fontsize=11, color=INK, y=1 - 0.1 / high, va="top")
    return figure


def _look(index: int) -> dict[str, Any]:
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": _MARKERS[index % len(_MARKERS)],
        "linestyle": _LINES[index // len(COLOURS) % len(_LINES)],
    }


def _style(ax: Axes) -> None:
    ax.set_axisbelow(True)
    ax.grid(True, color=_GRID, linewidth=0.8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(QUIET)
    ax.tick_params(labelsize=9, colors=QUIET, labelcolor=INK)
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set_fontsize(10)
        axis.label.set_color(INK)
    ax.title.set_fontsize(11)
    ax.title.set_color(INK)


def _pixels(image: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """``image`` as [h, w] or [h, w, 3] in 0..1."""
    if image.ndim == 3 and image.shape[-1] not in (1, 3):
        image = np.moveaxis(image, 0, -1)
    if image.ndim == 3 and image.shape[-1] == 1:
        image = image[..., 0]
    low, high = limits
    return np.clip((image - low) / (high - low), 0.0, 1.0)
