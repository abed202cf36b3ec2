"""What the hopfield experiments draw and tabulate alike: curves, recalls, tables of curves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from jaxlab.experiments import plotting
from jaxlab.experiments.hopfield.capacity import Memory
from jaxlab.experiments.hopfield.memories import LABELS
from jaxlab.experiments.hopfield.study import Corruption, Measured, Study
from jaxlab.experiments.interface import Reporter
from jaxlab.hopfield import metrics, retrieve

__all__ = ["curve_figure", "curve_tables", "pair", "recall_picture", "report_notes"]

_BASELINES = {
    "mean": {"color": "#999999", "linestyle": ":", "marker": ""},
    "pca": {"color": "#999999", "linestyle": "--", "marker": ""},
}
_WRONG = {"edgecolor": "#D7191C", "linewidth": 1.6}
_OTHER = {"edgecolor": "#E69F00", "linewidth": 1.6, "linestyle": ":"}


def curve_figure(
    panels: Mapping[str, Measured],
    names: Sequence[str],
    x: Sequence[float],
    *,
    x_label: str,
    title: str,
    y_labels: tuple[str, str] = ("fraction correct", "index recall"),
    baselines: Mapping[str, Mapping[str, np.ndarray]] | None = None,
    counts_axis: bool = True,
    legend_title: str | None = None,
) -> Figure:
    """Both metrics against ``x``: fraction correct above, index recall below, a column per panel.

    Args:
        panels: by heading; a :class:`Measured` whose corruption and count axes have been reduced to
            one that runs along ``x``: ``correct`` and ``recalled`` ``[memory, repetition, x]``.
        names: of the memories.
        x: positions.
        x_label: what they are, with their unit.
        title: heading of the figure.
        y_labels: of the two rows.
        baselines: by heading and name, ``[repetition, x]``, drawn in the upper row.
        counts_axis: whether ``x`` are counts, on a logarithmic axis.
        legend_title: heading of the legend.
    """
    figure, axes = plotting.new_figure(
        2, len(panels), panel=(4.3, 3.1), title=title, sharex=True, sharey=True
    )
    axes = np.reshape(axes, (2, len(panels)))
    looks = plotting.styles(names)
    for column, (heading, measured) in enumerate(panels.items()):
        for row, values in enumerate((measured.correct, measured.recalled)):
            ax = axes[row, column]
            for name, curve in zip(names, values, strict=True):
                mean, sd = _mean_and_sd(curve)
                plotting.curves(ax, x, mean, sd, LABELS[name], style=looks[name])
            if row == 0 and baselines is not None:
                for name, curve in baselines[heading].items():
                    mean, sd = _mean_and_sd(curve)
                    plotting.curves(ax, x, mean, sd, LABELS[name], style=_BASELINES[name])
            ax.set_ylim(-0.03, 1.05)
            if counts_axis:
                plotting.count_axis(ax, [int(count) for count in x])
        axes[0, column].set_title(heading)
        axes[1, column].set_xlabel(x_label)
    for row, label in enumerate(y_labels):
        axes[row, 0].set_ylabel(label)
    plotting.legend(figure, legend_title)
    return figure


def recall_picture(
    study: Study,
    corruption: Corruption,
    memories: Mapping[str, Memory],
    *,
    stored: int | None = None,
    shown: int = 10,
) -> Figure:
    """The first images of the first block, their queries, and what each memory answers.

    A red frame marks an answer whose squared error exceeds the study's threshold; a dotted orange
    one an answer within it although another memory weighs most.

    Args:
        study: images and queries.
        corruption: of the queries.
        memories: by name; one row each.
        stored: number of stored patterns; default the study's largest count.
        shown: number of columns.
    """
    stored = study.counts[-1] if stored is None else stored
    patterns = study.patterns(0)[:stored]
    shown = min(shown, stored)
    queries = study.queries(0, corruption)[:shown]

    def images(flat: Any) -> np.ndarray:
        return np.asarray(flat).reshape(-1, *study.image_shape)

    rows = {"stored": images(patterns[:shown]), f"query, {corruption.label}": images(queries)}
    frames = []
    for name, memory in memories.items():
        found = retrieve(
            queries,
            patterns,
            similarity=memory.similarity,
            separation=memory.separation,
            normalize_scores=memory.normalize_scores,
            normalize_weights=memory.normalize_weights,
        )
        error = metrics.squared_error(found.output, patterns[:shown])
        wrong, other = (
            np.asarray(error) > study.threshold,
            np.arange(shown) != found.weights.argmax(1),
        )
        for column in np.flatnonzero(wrong | other):
            frames.append((column, len(rows), _WRONG if wrong[column] else _OTHER))
        rows[LABELS[name]] = images(found.output)
    figure = plotting.image_rows(rows, title=f"{study.title}, {stored} patterns stored")
    for column, row, style in frames:
        corner = (column - 0.48, row - 0.48)
        figure.axes[0].add_patch(Rectangle(corner, 0.96, 0.96, fill=False, **style))
    return figure


def curve_tables(
    reporter: Reporter,
    measured: Measured,
    names: Sequence[str],
    corruptions: Sequence[Corruption],
    counts: Sequence[int],
    caption: str,
    *,
    prefix: str = "",
    first_column: str = "similarity",
) -> None:
    """Two tables, fraction correct and index recall, and the last column as scalars."""
    metrics = {
        "correct": ("fraction correct", measured.correct[..., 0]),
        "recalled": ("index recall", measured.recalled),
    }
    for metric, (title, values) in metrics.items():
        rows = [
            [
                how.label,
                LABELS[name],
                *(pair(values[place, level, :, at]) for at in range(len(counts))),
            ]
            for level, how in enumerate(corruptions)
            for place, name in enumerate(names)
        ]
        reporter.table(
            f"{prefix}{metric}",
            ["corruption", first_column, *(f"N={count}" for count in counts)],
            rows,
            f"{title[0].upper()}{title[1:]} for N stored patterns: {caption}",
        )
        for level, how in enumerate(corruptions):
            for place, name in enumerate(names):
                mean = float(values[place, level, :, -1].mean())
                reporter.scalar(f"{prefix}{metric}/{how.label}/{name}/N={counts[-1]}", mean)


def pair(values: np.ndarray) -> str:
    """Mean and sample standard deviation over repetitions, such as ``"0.968 ± 0.004"``."""
    mean, sd = _mean_and_sd(values[:, None])
    return f"{mean[0]:.3f}" if sd is None else f"{mean[0]:.3f} ± {sd[0]:.3f}"


def report_notes(reporter: Reporter, study: Study, *notes: str) -> None:
    """The study's own notes, then those of the experiment."""
    for note in (*study.notes, *notes):
        reporter.note(note)


def _mean_and_sd(values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Over the first axis; no deviation from a single repetition."""
    sd = values.std(axis=0, ddof=1) if len(values) > 1 else None
    return values.mean(axis=0), sd
