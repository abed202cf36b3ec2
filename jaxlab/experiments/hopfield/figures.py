"""What the hopfield experiments draw and tabulate alike: curves, recalls, tables of curves."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from jaxlab.experiments import plotting
from jaxlab.experiments.hopfield.capacity import Memory
from jaxlab.experiments.hopfield.memories import LABELS
from jaxlab.experiments.hopfield.study import Corruption, Panel, Study
from jaxlab.experiments.interface import Reporter
from jaxlab.hopfield import metrics, retrieve

__all__ = [
    "curve_figure",
    "mean_and_sd",
    "pair",
    "panel_tables",
    "recall_caption",
    "recall_picture",
    "report_notes",
]

_BASELINES = {
    "mean": {"color": "#999999", "linestyle": ":", "marker": ""},
    "pca": {"color": "#999999", "linestyle": "--", "marker": ""},
}
_WRONG: Mapping[str, Any] = {"edgecolor": "#D7191C", "linewidth": 1.6}
_OTHER: Mapping[str, Any] = {"edgecolor": "#E69F00", "linewidth": 1.6, "linestyle": ":"}


def curve_figure(
    panels: Mapping[str, Panel],
    names: Sequence[str],
    x: Sequence[float | int],
    *,
    x_label: str,
    title: str,
    y_labels: tuple[str, str] = ("fraction correct", "index recall"),
    baselines: Mapping[str, Mapping[str, np.ndarray]] | None = None,
    counts_axis: bool = True,
    legend_title: str | None = None,
    labels: Mapping[str, str] = LABELS,
    ordered: bool = False,
) -> Figure:
    """Both metrics against ``x``: fraction correct above, index recall below, a column per panel.

    Args:
        panels: by heading; curves ``[memory, repetition, x]`` of both metrics.
        names: of the memories.
        x: positions.
        x_label: what they are, with their unit.
        title: heading of the figure.
        y_labels: of the two rows.
        baselines: by heading and name, ``[repetition, x]``, drawn in the upper row.
        counts_axis: whether ``x`` are counts, on a logarithmic axis.
        legend_title: heading of the legend.
        labels: how the names are written.
        ordered: whether the order of the names means something; the colours then show it.
    """
    figure, axes = plotting.new_figure(
        2, len(panels), panel=(3.4 + 2.8 / len(panels), 3.1), title=title, sharex=True, sharey=True
    )
    axes = np.reshape(axes, (2, len(panels)))
    looks = _ordered_styles(names) if ordered else plotting.styles(names)
    for column, (heading, measured) in enumerate(panels.items()):
        for row, values in enumerate((measured.correct, measured.recalled)):
            ax = axes[row, column]
            for name, curve in zip(names, values, strict=True):
                mean, sd = mean_and_sd(curve)
                plotting.curves(ax, x, mean, sd, labels[name], style=looks[name])
            if row == 0 and baselines is not None:
                for name, curve in baselines[heading].items():
                    mean, sd = mean_and_sd(curve)
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
    corruptions: Sequence[Corruption],
    memories: Mapping[str, Memory],
    *,
    stored: int | None = None,
    shown: int = 10,
) -> Figure:
    """Stored images, their queries, and what each memory answers, a column each.

    With one corruption, the columns are the first images of the first block; with several, the
    columns are the corruptions of its second image (the first, shown where no other is stored, is
    what equal scores pick, such as the dot product's for a query that is masked altogether). A red
    frame marks an answer whose squared error exceeds the study's threshold; a dotted orange one an
    answer within it although another memory weighs most.

    Args:
        study: images and queries.
        corruptions: of the queries.
        memories: by name; one row each.
        stored: number of stored patterns; default the study's largest count.
        shown: number of columns, for one corruption.
    """
    stored = study.counts[-1] if stored is None else stored
    patterns = study.patterns(0)[:stored]
    if len(corruptions) == 1:
        own = np.arange(min(shown, stored))
        queries, titles = study.queries(0, corruptions[0])[: len(own)], None
        asked = f"query, {corruptions[0].label}"
    else:
        one = min(1, stored - 1)
        own = np.full(len(corruptions), one)
        queries = jnp.stack([study.queries(0, corruption)[one] for corruption in corruptions])
        titles = [corruption.label.split()[1] for corruption in corruptions]
        asked = f"query, {corruptions[0].kind}"

    def images(flat: Any) -> np.ndarray:
        return np.asarray(flat).reshape(-1, *study.image_shape)

    rows = {"stored": images(patterns[own]), asked: images(queries)}
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
        wrong = np.asarray(metrics.squared_error(found.output, patterns[own])) > study.threshold
        other = np.asarray(found.weights.argmax(axis=1)) != own
        for column in np.flatnonzero(wrong | other):
            frames.append((column, len(rows), _WRONG if wrong[column] else _OTHER))
        rows[LABELS[name]] = images(found.output)
    title = f"{study.title}, {stored} patterns stored"
    figure = plotting.image_rows(rows, titles, title=title)
    for column, row, style in frames:
        corner = (column - 0.48, row - 0.48)
        figure.axes[0].add_patch(Rectangle(corner, 0.96, 0.96, fill=False, **style))
    return figure


def recall_caption(study: Study, stored: int | None = None) -> str:
    """What a :func:`recall_picture` shows."""
    stored = study.counts[-1] if stored is None else stored
    return (
        f"Images of the first block ({study.title}), their queries, and the answers of a memory "
        f"that stores {stored}. Red frame: squared error > {study.threshold:.3g}; dotted frame: "
        "another memory weighs most, yet the answer is within that error."
    )


def panel_tables(
    reporter: Reporter,
    panels: Mapping[str, Panel],
    names: Sequence[str],
    columns: Sequence[str],
    caption: str,
    *,
    prefix: str = "",
    compared: str = "similarity",
    labels: Mapping[str, str] = LABELS,
) -> None:
    """Two tables, fraction correct and index recall, and every mean in them as a scalar.

    Args:
        reporter: takes them.
        panels: by heading, as in :func:`curve_figure`.
        names: of the memories.
        columns: headings of the places along ``x``.
        caption: what was measured; says the threshold.
        prefix: start of the names of tables and scalars.
        compared: heading of the column of memories.
        labels: how the names are written.
    """
    for metric, title in (("correct", "Fraction correct"), ("recalled", "Index recall")):
        rows = []
        for heading, panel in panels.items():
            for name, curve in zip(names, getattr(panel, metric), strict=True):
                rows.append([heading, labels[name], *(pair(values) for values in curve.T)])
                for column, mean in zip(columns, curve.mean(axis=0), strict=True):
                    key = f"{prefix}{metric}/{heading}/{name}/{column}"
                    reporter.scalar(key, round(float(mean), 6))
        reporter.table(f"{prefix}{metric}", ["", compared, *columns], rows, f"{title}: {caption}")


def pair(values: np.ndarray) -> str:
    """Mean and standard deviation over repetitions, such as ``"0.968 ± 0.004"``."""
    mean, sd = mean_and_sd(values[:, None])
    return f"{mean[0]:.3f}" if sd is None else f"{mean[0]:.3f} ± {sd[0]:.3f}"


def report_notes(reporter: Reporter, study: Study, *notes: str) -> None:
    """The study's own notes, then those of the experiment."""
    for note in (*study.notes, *notes):
        reporter.note(note)


def _ordered_styles(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colours from dark to light in the order of the names; markers as everywhere."""
    shades = colormaps["viridis"](np.linspace(0, 0.9, len(names)))
    looks = plotting.styles(names)
    return {
        name: {**looks[name], "color": to_hex(shade), "linestyle": "-"}
        for name, shade in zip(names, shades, strict=True)
    }


def mean_and_sd(values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Over the first axis; no deviation from a single repetition."""
    sd = values.std(axis=0) if len(values) > 1 else None
    return values.mean(axis=0), sd
