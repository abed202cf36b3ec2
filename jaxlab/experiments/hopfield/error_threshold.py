"""How much of the curves is due to the error threshold: fraction correct against the threshold."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from matplotlib.figure import Figure
from pydantic import Field

from jaxlab.experiments import plotting
from jaxlab.experiments.hopfield.figures import mean_and_sd, pair, report_notes
from jaxlab.experiments.hopfield.memories import LABELS, NOTES, Similarities, published_memories
from jaxlab.experiments.hopfield.study import (
    Common,
    Corruption,
    Fraction,
    Sigma,
    Study,
    cells,
    measure,
    squared_error_threshold,
)
from jaxlab.experiments.interface import Claim, Count, Positive, Reporter, config

__all__ = ["CLAIMS", "Config", "run"]

CLAIMS = (
    Claim(
        id="order-survives-thresholds",
        statement="That Manhattan similarity recalls more than the dot product does not hang on "
        "the threshold.",
        source="experiments on error thresholds",
        paper="curves over thresholds, no number",
        criterion="under every corruption of the config and at every threshold: fraction correct "
        "with Manhattan ≥ dot product, and > somewhere",
    ),
    Claim(
        id="monotone",
        statement="A laxer threshold never lowers the fraction correct.",
        source="the definition of the metric",
        paper="curves over thresholds, no number",
        criterion="every measured curve is non-decreasing in the threshold, and one rises",
    ),
)


@config
class Config(Common):
    """``thresholds``: squared errors on 28×28 images, scaled as ``threshold_mode`` says."""

    similarities: Similarities
    count: Count
    thresholds: Annotated[tuple[Positive, ...], Field(min_length=2)]
    sigma: Annotated[tuple[Sigma, ...], Field(min_length=1)]
    rows: Annotated[tuple[Fraction, ...], Field(min_length=1)]


def run(config: Config, run_dir: Path, reporter: Reporter) -> None:
    """Measure and report; see the module."""
    study = Study(config, [config.count])
    corruptions = [Corruption("noise", sigma) for sigma in config.sigma]
    corruptions += [Corruption("rows", share) for share in config.rows]
    memories = published_memories(config.similarities)
    limits = [
        squared_error_threshold(config, base, study.dim) for base in sorted(config.thresholds)
    ]
    reporter.plan(cells(study, corruptions, memories))
    measured = measure(reporter, study, corruptions, memories, thresholds=limits)
    correct = measured.correct[:, :, :, 0]

    caption = f"{config.count} stored patterns, max separation; {study.caption(threshold=False)}"
    reporter.figure(
        "thresholds",
        _figure(study, config, corruptions, limits, correct),
        f"Fraction correct against the squared error up to which a recall is correct: {caption} "
        f"Dashed: the config's own threshold, {study.threshold:.3g}.",
    )
    columns = ["", "similarity", *(f"≤ {limit:.3g}" for limit in limits), "index recall"]
    rows = []
    for level, how in enumerate(corruptions):
        for place, name in enumerate(config.similarities):
            values = [pair(correct[place, level, :, at]) for at in range(len(limits))]
            index = pair(measured.recalled[place, level, :, 0])
            rows.append([how.label, LABELS[name], *values, index])
            for at, limit in enumerate(limits):
                key = f"correct/{how.label}/{name}/threshold={limit:.4g}"
                reporter.scalar(key, round(float(correct[place, level, :, at].mean()), 6))
    reporter.table("correct", columns, rows, f"Fraction correct by threshold: {caption}")
    _rank_table(reporter, config, corruptions, limits, correct, caption)
    report_notes(
        reporter,
        study,
        *(NOTES[name] for name in config.similarities if name in NOTES),
        "With the max separation every answer is a stored image. What a curve has above its index "
        "recall is therefore another image, close enough to be let through.",
    )
    _verdicts(reporter, study, config, corruptions, limits, correct)


def _figure(
    study: Study,
    config: Config,
    corruptions: Sequence[Corruption],
    limits: Sequence[float],
    correct: np.ndarray,
) -> Figure:
    figure, axes = plotting.new_figure(
        1,
        len(corruptions),
        panel=(4.3, 3.4),
        title=f"Recall of {config.count} patterns against the threshold: {study.title}",
        sharey=True,
    )
    looks = plotting.styles(config.similarities)
    for level, (ax, how) in enumerate(zip(np.ravel(axes), corruptions, strict=True)):
        for place, name in enumerate(config.similarities):
            mean, sd = mean_and_sd(correct[place, level])
            plotting.curves(ax, limits, mean, sd, LABELS[name], style=looks[name])
        ax.axvline(study.threshold, color=plotting.QUIET, linestyle="--", linewidth=1)
        ax.set_xscale("log")
        ax.set(ylim=(-0.03, 1.05), title=how.label, xlabel="threshold on the squared error")
    np.ravel(axes)[0].set_ylabel("fraction correct")
    plotting.legend(figure, "similarity")
    return figure


def _rank_table(
    reporter: Reporter,
    config: Config,
    corruptions: Sequence[Corruption],
    limits: Sequence[float],
    correct: np.ndarray,
    caption: str,
) -> None:
    rows = []
    for level, how in enumerate(corruptions):
        for at, limit in enumerate(limits):
            means = correct[:, level, :, at].mean(axis=1)
            order = np.argsort(-means, kind="stable")
            listed = ", ".join(f"{LABELS[config.similarities[i]]} {means[i]:.2f}" for i in order)
            rows.append([how.label, f"{limit:.3g}", listed])
    reporter.table(
        "ranks", ["", "threshold", "similarities, best first"], rows, f"Rank order: {caption}"
    )


def _verdicts(
    reporter: Reporter,
    study: Study,
    config: Config,
    corruptions: Sequence[Corruption],
    limits: Sequence[float],
    correct: np.ndarray,
) -> None:
    names = config.similarities
    steps = np.diff(correct, axis=-1)
    reporter.verdict(
        "monotone",
        ours=f"smallest step {steps.min():.3g}, largest {steps.max():.3g} over {steps.size} steps "
        f"on {study.title}",
        holds=bool(steps.min() >= 0 and steps.max() > 0),
    )
    if not {"manhattan", "dot_product"} <= set(names):
        ours = "not measured: needs Manhattan and the dot product"
        reporter.verdict("order-survives-thresholds", ours=ours, holds=None)
        return
    means = correct.mean(axis=2)
    gaps = means[names.index("manhattan")] - means[names.index("dot_product")]
    level, at = np.unravel_index(gaps.argmin(), gaps.shape)
    ours = f"smallest gap {gaps.min():.3f} ({corruptions[level].label}, threshold "
    ours += f"{limits[at]:.3g}), largest {gaps.max():.3f} on {study.title}"
    reporter.verdict(
        "order-survives-thresholds", ours=ours, holds=bool(gaps.min() >= 0 < gaps.max())
    )
