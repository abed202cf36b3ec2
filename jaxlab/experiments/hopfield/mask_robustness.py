"""Recall of a fixed number of patterns against the share of the image that is masked."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from jaxlab.experiments.hopfield.figures import (
    curve_figure,
    panel_tables,
    recall_caption,
    recall_picture,
    report_notes,
)
from jaxlab.experiments.hopfield.memories import LABELS, NOTES, Similarities, published_memories
from jaxlab.experiments.hopfield.study import (
    Common,
    Corruption,
    Fraction,
    Measured,
    Panel,
    Study,
    cells,
    measure,
)
from jaxlab.experiments.interface import Claim, Counts, Reporter, config

__all__ = ["CLAIMS", "Config", "run"]

Mask = Literal["rows", "pixels", "border", "centre"]

_STORED, _ROWS = 100, 0.3

CLAIMS = (
    Claim(
        id="manhattan-under-masks",
        statement="With part of the image masked, Manhattan similarity recalls more than the dot "
        "product.",
        source="experiments on masked images",
        paper="Manhattan above the dot product, in a figure",
        criterion="fraction correct of N = 100 with 0.3 of the rows masked: Manhattan − dot ≥ 0.3",
    ),
)


@config
class Config(Common):
    """``kinds``: of masks; ``fractions``: masked shares; ``counts``: numbers of stored patterns."""

    similarities: Similarities
    kinds: Annotated[tuple[Mask, ...], Field(min_length=1)]
    counts: Counts
    fractions: Annotated[tuple[Fraction, ...], Field(min_length=1)]


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Measure and report; see the module."""
    study = Study(config, config.counts)
    masks = [Corruption(kind, share) for kind in config.kinds for share in config.fractions]
    memories = published_memories(config.similarities)
    reporter.plan(cells(study, masks, memories))
    measured = measure(reporter, study, masks, memories)

    columns = [f"{share:g}" for share in config.fractions]
    for place, count in enumerate(study.counts):
        panels: dict[str, Panel] = {
            kind: measured.against_corruption(place, _levels(config, kind)) for kind in config.kinds
        }
        caption = f"{count} stored patterns, max separation; {study.caption()}"
        figure = curve_figure(
            panels,
            config.similarities,
            config.fractions,
            x_label="masked fraction",
            title=f"Recall of {count} patterns against the masked fraction: {study.title}",
            y_labels=(f"fraction correct (error ≤ {study.threshold:.3g})", "index recall"),
            counts_axis=False,
            legend_title="similarity",
        )
        text = "Share of the stored patterns that are recalled from a masked query"
        reporter.figure(f"masks-{count}", figure, f"{text}: {caption}")
        panel_tables(reporter, panels, config.similarities, columns, caption, prefix=f"N={count}/")
    for kind in config.kinds:
        shown = masks[_levels(config, kind)]
        picture = recall_picture(study, shown, memories)
        reporter.figure(f"recalls-{kind}", picture, recall_caption(study))
    report_notes(
        reporter,
        study,
        *(NOTES[name] for name in config.similarities if name in NOTES),
        "Masked pixels are 0. Rows: the lower rows are lost. Pixels: each is lost independently. "
        "Border: a frame is lost and the centre kept, which the paper's code calls inpainting; "
        "its fraction is the share of the height. Centre: a hole of that share of both sides. "
        "Equal scores, such as the dot product's for a query that is masked altogether, pick the "
        "first memory.",
    )
    _report_ranks(reporter, study, config, measured)
    _verdict(reporter, study, config, measured)


def _levels(config: Config, kind: Mask) -> slice:
    """Where the masks of one kind lie among all corruptions."""
    start = config.kinds.index(kind) * len(config.fractions)
    return slice(start, start + len(config.fractions))


def _means(
    study: Study, config: Config, measured: Measured, kind: Mask, share: float
) -> dict[str, float] | None:
    """Mean fraction correct of the judged count, by similarity; None where it was not measured."""
    unmeasured = kind not in config.kinds or share not in config.fractions
    if unmeasured or _STORED not in study.counts:
        return None
    panel = measured.against_corruption(study.counts.index(_STORED), _levels(config, kind))
    values = panel.correct[:, :, config.fractions.index(share)].mean(axis=1)
    return dict(zip(config.similarities, values.tolist(), strict=True))


def _report_ranks(reporter: Reporter, study: Study, config: Config, measured: Measured) -> None:
    """Which similarity does best where half is masked."""
    lines = []
    for kind in config.kinds:
        means = _means(study, config, measured, kind, 0.5)
        if means is not None:
            order = sorted(means, key=lambda name: -means[name])
            lines.append(f"{kind}: " + ", ".join(f"{LABELS[n]} {means[n]:.2f}" for n in order))
    if lines:
        reporter.note(
            f"With masks of 0.5, N={_STORED}, fraction correct, best first. {'; '.join(lines)}."
        )


def _verdict(reporter: Reporter, study: Study, config: Config, measured: Measured) -> None:
    means = _means(study, config, measured, "rows", _ROWS)
    if means is None or not {"manhattan", "euclidean", "dot_product"} <= set(means):
        ours = f"not measured: needs N={_STORED}, {_ROWS:g} of the rows masked and the "
        ours += "similarities it compares"
        reporter.verdict(CLAIMS[0].id, ours=ours, holds=None)
        return
    listed = ", ".join(
        f"{LABELS[name]} {means[name]:.3f}" for name in ("manhattan", "euclidean", "dot_product")
    )
    gap = means["manhattan"] - means["dot_product"]
    reporter.verdict(
        CLAIMS[0].id, ours=f"{listed}, gap {gap:.3f} on {study.title}", holds=gap >= 0.3
    )
